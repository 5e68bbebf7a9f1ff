"""What a benchmark says of times that are known exactly, and how it measures them."""

import gc
import os
import stat
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bundles import noise_dataset

from edge_runtime.benchmarks import (
    Benchmark,
    Latency,
    Measured,
    Ratio,
    Turns,
    benchmark,
)
from edge_runtime.benchmarks.board import Board, Reading, flags_in_words, read_board, summed_up
from edge_runtime.benchmarks.contestant import Contestant, named_models, open_contestants
from edge_runtime.benchmarks.phases import judged
from edge_runtime.benchmarks.recommendation import choose
from edge_runtime.benchmarks.rounds import clock_cost_ns, collector_paused, time_calls, warm_up
from edge_runtime.benchmarks.scoring import Score, score
from edge_runtime.benchmarks.starting import Start
from edge_runtime.benchmarks.table import benchmark_table
from edge_runtime.benchmarks.throughput import images_per_second
from edge_runtime.errors import ContractError, ModelError
from edge_runtime.inference.evaluation import predict_file
from edge_runtime.models.model_file import read_model
from edge_runtime.proof.parity import Budgets
from edge_runtime.runtimes.backends import choose_backend
from edge_runtime.runtimes.delegation import Delegation

TinyModel = Callable[[str], Path]


def rounds_of(*medians_us: float, images: int = 5) -> list[np.ndarray]:
    return [np.full(images, round(1000 * median), np.int64) for median in medians_us]


def latency(*medians_us: float) -> Latency:
    return Latency.of(rounds_of(*medians_us))


def test_percentiles_are_over_all_images_and_the_spread_is_over_the_rounds() -> None:
    nanoseconds = np.arange(1, 1002, dtype=np.int64) * 1000  # 1 µs to 1,001 µs
    found = Latency.of([nanoseconds[:501], nanoseconds[501:]])
    assert found.images == 1001
    assert found.minimum_us == 1
    assert found.median_us == 501
    assert found.p90_us == 901
    assert found.p99_us == 991
    assert found.p999_us == pytest.approx(1000)
    assert found.round_medians_us == (251, 751.5)
    assert found.spread_us == pytest.approx((251 + 50.05, 751.5 - 50.05))


def test_a_percentile_that_so_few_images_cannot_tell_is_none() -> None:
    assert Latency.of([np.ones(99, np.int64)]).p99_us is None
    assert Latency.of([np.ones(100, np.int64)]).p99_us is not None
    assert Latency.of([np.ones(999, np.int64)]).p999_us is None
    assert Latency.of([np.ones(1000, np.int64)]).p999_us is not None


def test_a_ratio_pairs_the_rounds_so_that_drift_cancels() -> None:
    # The machine becomes three times as slow, and the one stays twice as slow as the other.
    found = Ratio.of(latency(20, 40, 60), latency(10, 20, 30))
    assert found == Ratio(2, 2, 2)
    assert found.tells_apart
    assert found.inverse == Ratio(0.5, 0.5, 0.5)


def test_a_difference_within_the_spread_is_none() -> None:
    found = Ratio.of(latency(9, 10, 12), latency(10, 10, 10))
    assert found.value == 1
    assert (found.low, found.high) == pytest.approx((0.92, 1.16))
    assert not found.tells_apart
    assert not found.inverse.tells_apart


def test_our_own_code_is_what_is_left_of_each_round_without_the_interpreter() -> None:
    turns = Turns(latency(10, 20, 40), latency(8, 16, 32), latency(50, 50, 50))
    assert turns.own_code_us == 4
    assert turns.interpreter_share == pytest.approx(0.8)
    slower_alone = Turns(latency(10), latency(11), latency(50))
    assert slower_alone.interpreter_share == 1


def test_a_block_ends_after_its_time_and_has_one_image_in_any_case() -> None:
    slow = [(0.01,)] * 100
    assert len(time_calls(time.sleep, slow, limit_ns=0)) == 1
    assert len(time_calls(time.sleep, slow, limit_ns=35_000_000)) <= 4
    assert len(time_calls(time.sleep, [(0,)] * 7, limit_ns=10**9)) == 7
    assert time_calls(time.sleep, [(0.01,)], limit_ns=1)[0] >= 10_000_000


def test_the_collector_rests_while_times_are_taken_and_is_put_back() -> None:
    seen: list[bool] = []
    assert gc.isenabled()
    time_calls(lambda: seen.append(gc.isenabled()), [()], limit_ns=1)
    assert seen == [False]
    assert gc.isenabled()
    gc.disable()
    try:
        with collector_paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_a_warm_up_begins_anew_after_the_last_until_its_time_is_over() -> None:
    calls: list[int] = []
    warm_up(calls.append, [(1,), (2,)], for_ns=50_000_000)
    assert calls[:3] == [1, 2, 1]
    calls.clear()
    warm_up(calls.append, [(1,), (2,)], for_ns=0)
    assert calls == [1]


def test_reading_the_clock_takes_time() -> None:
    assert clock_cost_ns() > 0


def test_the_rate_is_of_all_images_from_the_first_start_to_the_last_end() -> None:
    assert images_per_second([(0, 10**9, 60), (10**9, 2 * 10**9, 40)]) == 50


def test_starts_are_summed_up_by_their_medians() -> None:
    assert Start.of([(100.0, 7), (300.0, 9), (200.0, 8)]) == Start(3, 200.0, (100.0, 300.0), 8)


def test_what_throttled_the_board_is_said_in_words() -> None:
    assert flags_in_words(0) == ()
    assert flags_in_words(0b0101) == ("under-voltage", "throttled")
    assert flags_in_words(0x50000) == ()
    assert flags_in_words(0x50005 >> 16) == ("under-voltage", "throttled")
    assert flags_in_words(0b1010) == ("clock capped", "soft temperature limit")


@pytest.fixture
def fake_pi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A /sys with two zones and two cores, and a vcgencmd that has throttled once."""
    root = tmp_path / "sys"
    for name, text in (
        ("class/thermal/thermal_zone0/temp", "48686\n"),
        ("class/thermal/thermal_zone1/temp", "51000\n"),
        ("class/thermal/thermal_zone2/temp", "asleep\n"),
        ("devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "1800000\n"),
        ("devices/system/cpu/cpu1/cpufreq/scaling_cur_freq", "600000\n"),
    ):
        (root / name).parent.mkdir(parents=True)
        (root / name).write_text(text)
    command = tmp_path / "bin" / "vcgencmd"
    command.parent.mkdir()
    command.write_text('#!/bin/sh\n[ "$1" = get_throttled ] && echo throttled=0x50004\n')
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{command.parent}{os.pathsep}{os.environ['PATH']}")
    return root


def test_a_pi_tells_its_temperature_clock_and_throttling(fake_pi: Path) -> None:
    assert read_board(fake_pi) == Reading(
        temperature_c=51.0,
        clock_mhz=600.0,
        flags=("throttled",),
        flags_since_boot=("under-voltage", "throttled"),
    )


def test_a_board_is_summed_up_over_the_run(fake_pi: Path) -> None:
    before = read_board(fake_pi)
    (fake_pi / "class/thermal/thermal_zone1/temp").write_text("60000\n")
    assert summed_up([before, read_board(fake_pi)]) == Board(
        (51.0, 60.0), (600.0, 600.0), ("throttled",), ("under-voltage", "throttled")
    )


@pytest.mark.parametrize("answer", ["throttled=none", "", "error=1 error_msg=x"])
def test_an_odd_answer_of_the_firmware_is_none(answer: str, fake_pi: Path, tmp_path: Path) -> None:
    (tmp_path / "bin" / "vcgencmd").write_text(f"#!/bin/sh\necho '{answer}'\n")
    assert read_board(fake_pi).flags in (None, flags_in_words(1))


def test_a_machine_that_tells_nothing_has_no_board(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert summed_up([read_board(tmp_path)]) is None


def measured(
    tiny_model: TinyModel, scheme: str, *medians_us: float, right: int | None = 90, size: int = 100
) -> Measured:
    """One of the tiny models with times, answers and a size that are made up."""
    path = tiny_model(scheme)
    (contestant,) = open_contestants(named_models(path), backends=[choose_backend()])
    times = latency(*medians_us)
    return Measured(
        contestant=replace(contestant, name=scheme),
        summary=replace(contestant.load().summary, size_bytes=size),
        delegation=Delegation((), 3),
        turns=Turns(times, times, times),
        load_ms=1.0,
        start=None,
        memory_bytes=1000,
        throughput=(),
        score=None if right is None else Score(np.arange(100) < right),
    )


def test_the_fastest_is_taken_if_it_loses_at_most_a_point(tiny_model: TinyModel) -> None:
    slow = measured(tiny_model, "float32", 20, 40, 60, right=90)
    fast = measured(tiny_model, "int8", 10, 20, 30, right=89)
    found = choose([slow, fast])
    assert found.taken is fast
    assert found.headline == "int8 is 2.0 × as fast as float32 and loses 1.0 points"
    assert found.sentences == (
        "int8 is 2.00 × as fast as float32 (2.00 to 2.00 in 80 % of the rounds) and loses 1.0 "
        "points (95 % interval −6.2 to +3.6): take int8.",
    )


def test_what_loses_more_than_a_point_is_not_taken_and_that_is_said(tiny_model: TinyModel) -> None:
    slow = measured(tiny_model, "float32", 20, 20, right=90)
    fast = measured(tiny_model, "int8", 10, 10, right=88)
    found = choose([slow, fast])
    assert found.taken is slow
    assert found.sentences[-1] == "int8 is faster but 2.0 points worse."


def test_what_cannot_be_told_apart_is_said_and_the_smaller_file_is_taken(
    tiny_model: TinyModel,
) -> None:
    one = measured(tiny_model, "float32", 10, 10, 10, size=200)
    other = measured(tiny_model, "float16", 9, 10, 12, size=100)
    found = choose([one, other])
    assert found.taken is other
    assert found.headline == "float16 and float32 cannot be told apart in speed"
    assert found.sentences == (
        "float16 and float32 cannot be told apart in speed (time against float16: 0.87 to 1.09 for "
        "float32 in 80 % of the rounds), and float16 is the smaller file: take float16.",
        "Against float32, float16 is as accurate (95 % interval −4.6 to +4.6).",
    )


def test_what_breaks_a_budget_is_not_taken_where_something_keeps_it(tiny_model: TinyModel) -> None:
    models = [
        measured(tiny_model, "dynamic", 10, 10, size=300),
        measured(tiny_model, "int8", 20, 20, size=200),
    ]
    found = choose(judged(models, Budgets(size_bytes=250)))
    assert found.taken.name == "int8"
    assert found.sentences[-1] == "dynamic is faster but breaks a budget."
    none = choose(judged(models, Budgets(size_bytes=1)))
    assert none.sentences[-1] == "All that are accurate enough break a budget."


def test_a_float_model_beside_others_is_held_to_no_budget(tiny_model: TinyModel) -> None:
    one, other = measured(tiny_model, "float32", 1), measured(tiny_model, "int8", 1)
    strict = Budgets(size_bytes=99, latency_us=2, memory_bytes=1000)
    assert judged([one, other], strict)[0].checks == ()
    decisions = {each.demand: each.decision for each in judged([one, other], strict)[1].checks}
    assert decisions == {"size_bytes": "broken", "latency_us": "holds", "memory_bytes": "holds"}
    assert judged([one], strict)[0].breaks_budget


def test_a_budget_for_what_could_not_be_measured_is_refused(tiny_model: TinyModel) -> None:
    unknown = replace(measured(tiny_model, "int8", 1), memory_bytes=None)
    with pytest.raises(ContractError, match="budget for memory_bytes"):
        judged([unknown], Budgets(memory_bytes=1))


def test_without_scores_that_is_said_instead_of_a_change(tiny_model: TinyModel) -> None:
    found = choose(
        [measured(tiny_model, name, us, right=None) for name, us in (("float32", 2), ("int8", 1))]
    )
    assert found.headline == "int8 is 2.0 × as fast as float32"
    assert "Accuracy was not measured" in found.sentences[-1]


def test_a_single_model_gets_no_advice(tiny_model: TinyModel) -> None:
    assert choose([measured(tiny_model, "int8", 12.5)]).sentences == ()


def contestants(tiny_model: TinyModel, *names: str, **options: Any) -> list[Contestant]:
    models = named_models([tiny_model(name) for name in names])
    return open_contestants(models, backends=[choose_backend()], **options)


def test_names_tell_backends_kernels_and_clashing_files_apart(
    tiny_model: TinyModel, tmp_path: Path
) -> None:
    named = contestants(tiny_model, "int8", "dynamic", kernels=("auto", "built-in"))
    assert [each.name for each in named] == [
        "tiny-int8, auto",
        "tiny-int8, built-in",
        "tiny-dynamic, auto",
        "tiny-dynamic, built-in",
    ]
    copy = tmp_path / "tiny-int8.tflite"
    copy.write_bytes(tiny_model("int8").read_bytes())
    assert list(named_models([tiny_model("int8"), copy])) == [
        str(tiny_model("int8").with_suffix("")),
        str(copy.with_suffix("")),
    ]


def test_a_model_that_is_named_twice_is_refused(tiny_model: TinyModel) -> None:
    with pytest.raises(ModelError, match="named twice"):
        contestants(tiny_model, "int8", "int8")


@pytest.fixture(scope="module")
def short_run(tiny_model: TinyModel) -> Benchmark:
    """Two real models, measured for a moment."""
    return benchmark(
        [tiny_model("float32"), tiny_model("int8")],
        dataset=noise_dataset(),
        rounds=3,
        images_per_round=4,
        workers=2,
        quick=True,
    )


def test_a_short_run_measures_everything(short_run: Benchmark) -> None:
    for each in short_run.measured:
        assert each.turns.array.images == 12
        assert len(each.turns.array.round_medians_us) == 3
        assert 0 < each.turns.interpreter.median_us < each.turns.picture.median_us
        assert each.load_ms > 0
        assert each.start is not None
        assert each.start.first_answer_ms > 10
        # The launcher's 10 MiB are less, and what started the launcher was far larger.
        assert 20e6 < each.start.peak_memory_bytes < 150e6
        assert [(item.source, item.kind, item.workers) for item in each.throughput] == [
            ("arrays", "threads", 1),
            ("pictures", "threads", 1),
            ("arrays", "threads", 2),
            ("pictures", "threads", 2),
            ("arrays", "processes", 2),
            ("pictures", "processes", 2),
        ]
        assert all(item.images_per_second > 0 for item in each.throughput)
        assert each.score is not None
        assert each.score.accuracy.total == 40
    assert short_run.dataset == "noise"
    assert short_run.keeps_budgets


@pytest.mark.parametrize("width", [72, 80, 100])
def test_the_table_is_as_wide_as_the_terminal(short_run: Benchmark, width: int) -> None:
    text = benchmark_table(short_run, width=width)
    assert max(map(len, text.splitlines())) <= width
    assert "time against" in text
    assert "The time of each operator is not given by this runtime." in text


def test_images_of_another_size_are_replaced_by_noise_and_nothing_is_scored(
    tiny_model: TinyModel,
) -> None:
    found = benchmark(
        tiny_model("int8"),
        dataset=noise_dataset((9, 9, 1)),
        must_fit=False,
        rounds=1,
        images_per_round=2,
        workers=1,
        quick=True,
    )
    assert found.measured[0].score is None
    assert found.dataset is None
    assert [each.workers for each in found.measured[0].throughput] == [1, 1]


def test_stored_predictions_are_used_if_all_that_made_them_is_the_same(
    tiny_model: TinyModel, tmp_path: Path
) -> None:
    dataset = noise_dataset()
    predictions = predict_file(tiny_model("int8"), dataset)
    predictions.save(tmp_path / "int8.predictions.npz")
    (tmp_path / "damaged.predictions.npz").write_bytes(b"")
    (one,) = contestants(tiny_model, "int8")
    with one.load() as classifier:
        found = score(one, classifier, dataset, [tmp_path])
        fresh = score(one, classifier, dataset, [])
        assert found.stored == tmp_path / "int8.predictions.npz"
        assert fresh.stored is None
        assert np.array_equal(found.right, fresh.right)
        predictions.with_details(cpu="another").save(tmp_path / "int8.predictions.npz")
        assert score(one, classifier, dataset, [tmp_path]).stored is None
    (other,) = contestants(tiny_model, "int8", kernels=("built-in",))
    predictions.save(tmp_path / "int8.predictions.npz")
    with other.load() as classifier:
        assert score(other, classifier, dataset, [tmp_path]).stored is None


def test_the_hash_is_of_the_model_not_of_its_bundle(
    bundle_of: Callable[[str], bytes], tiny_model: TinyModel, tmp_path: Path
) -> None:
    path = tmp_path / "int8.edge.zip"
    path.write_bytes(bundle_of("int8"))
    (bundled,) = open_contestants(named_models(path), backends=[choose_backend()])
    assert bundled.name == "int8"
    assert bundled.sha256 == read_model(tiny_model("int8")).sha256
