"""A benchmark for a terminal: plain text, as wide as it is, at most 100 columns."""

import textwrap
from collections.abc import Sequence

from edge_runtime.benchmarks.board import Board
from edge_runtime.benchmarks.distribution import Ratio
from edge_runtime.benchmarks.result import OPERATOR_TIMES, Benchmark, Measured
from edge_runtime.benchmarks.workers import WorkerKind
from edge_runtime.files.reading import MEBIBYTE
from edge_runtime.inference.pool import usable_cores
from edge_runtime.proof.report.grid import aligned
from edge_runtime.runtimes.machine import machine_details
from edge_runtime.wording import (
    ABSENT,
    TIMES,
    microseconds,
    percent,
    percent_interval,
    plural,
    printable,
    span,
)


def benchmark_table(found: Benchmark, *, width: int) -> str:
    """Return the benchmark as plain text, without a newline at the end.

    Args:
        found: what was measured.
        width: how many columns a line takes at most; 72 to 100 are readable.
    """
    blocks = [
        _subject(found, width),
        _latency(found, width),
        _share(found, width),
        _throughput(found, width),
        _costs(found, width),
        _board(found.board),
        _budgets(found),
        _wrapped(" ".join(map(printable, found.choice.sentences)), width),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def _wrapped(sentence: str, width: int) -> list[str]:
    return textwrap.wrap(sentence, width)


def _subject(found: Benchmark, width: int) -> list[str]:
    machine = machine_details()
    backends = dict.fromkeys(
        f"{each.contestant.backend.package} {each.contestant.backend.version}"
        for each in found.measured
    )
    threads = found.measured[0].contestant.threads
    rounds = found.settings.rounds
    images = f"test images of {printable(found.dataset)}" if found.dataset else "random pixels"
    return [
        *_wrapped(
            f"{machine['cpu']}, {plural(usable_cores(), 'core')}, Python "
            f"{machine['python']}, {', '.join(backends)}, {plural(threads, 'thread')}",
            width,
        ),
        *_wrapped(
            f"{images}; {plural(rounds.rounds, 'round')} of at most "
            f"{plural(rounds.images, 'image')}; the clock adds {found.clock_cost_ns / 1000:.2f} µs",
            width,
        ),
    ]


def _latency(found: Benchmark, width: int) -> list[str]:
    first = found.measured[0]
    heads = [
        ["one image,", "", "80 % of", "", "", "", "", "time against"],
        ["µs", "median", "rounds", "min", "p90", "p99", "p99.9", printable(first.name)],
    ]
    rows = [
        [
            printable(each.name),
            microseconds(each.turns.array.median_us),
            span(*map(microseconds, each.turns.array.spread_us)),
            microseconds(each.turns.array.minimum_us),
            microseconds(each.turns.array.p90_us),
            _known(each.turns.array.p99_us),
            _known(each.turns.array.p999_us),
            ABSENT if each is first else _ratio(ratio),
        ]
        for each, ratio in zip(found.measured, found.ratios, strict=True)
    ]
    if len(found.measured) == 1:
        heads, rows = [row[:-1] for row in heads], [row[:-1] for row in rows]
    return aligned(heads, rows, width=width, optional=(3,))


def _known(value: float | None) -> str:
    return ABSENT if value is None else microseconds(value)


def _ratio(ratio: Ratio) -> str:
    return f"{TIMES} {ratio.value:.2f} [{span(f'{ratio.low:.2f}', f'{ratio.high:.2f}')}]"


def _share(found: Benchmark, width: int) -> list[str]:
    heads = [
        ["where the", "invoke", "our own", "in the inter-", "from a", "load", "start to first"],
        ["time goes", "µs", "code, µs", "preter, %", "PNG, µs", "ms", "answer, ms"],
    ]
    rows = [
        [
            printable(each.name),
            microseconds(each.turns.interpreter.median_us),
            f"{each.turns.own_code_us:.1f}",
            f"{100 * each.turns.interpreter_share:.0f}",
            microseconds(each.turns.picture.median_us),
            f"{each.load_ms:.1f}",
            f"{each.start.first_answer_ms:.0f}" if each.start else ABSENT,
        ]
        for each in found.measured
    ]
    floor = found.floor
    return [
        *aligned(heads, rows, width=width, optional=(6,)),
        *_wrapped(
            f"Python, NumPy and the runtime alone answer after {floor.first_answer_ms:.0f} ms, "
            f"with {_mebibytes(floor.peak_memory_bytes)} MiB.",
            width,
        ),
    ]


def _throughput(found: Benchmark, width: int) -> list[str]:
    workers = found.settings.workers
    cases: list[tuple[WorkerKind, int]] = [("threads", 1)]
    if workers > 1:
        cases += [("threads", workers), ("processes", workers)]
    shown = [
        (source, *case)
        for source in ("arrays", "pictures")
        for case in cases
        if any(each.throughput for each in found.measured)
    ]
    if not shown:
        return []
    titles = {"arrays": "arrays,", "pictures": "PNG,"}
    heads = [
        ["images", *(titles[source] for source, _, _ in shown)],
        ["a second", *(_workers(kind, count) for _, kind, count in shown)],
    ]
    rows = [
        [printable(each.name), *(_rate(each, *case) for case in shown)] for each in found.measured
    ]
    return [
        *aligned(heads, rows, width=width),
        f"Pillow alone decodes {found.decoded_per_second:,.0f} such PNG a second on one core.",
    ]


def _workers(kind: WorkerKind, count: int) -> str:
    return plural(count, kind.removesuffix("es" if kind == "processes" else "s"), kind)


def _rate(each: Measured, source: str, kind: WorkerKind, workers: int) -> str:
    for item in each.throughput:
        if (item.source, item.kind, item.workers) == (source, kind, workers):
            return f"{item.images_per_second:,.0f}"
    return ABSENT


def _costs(found: Benchmark, width: int) -> list[str]:
    heads = [
        ["what it", "size", "model's", "whole", "accuracy", "operators", "", "not in"],
        ["takes", "bytes", "MiB", "MiB", "%", "", "XNNPACK", "XNNPACK"],
    ]
    rows = [
        [
            printable(each.name),
            f"{each.summary.size_bytes:,}",
            _mebibytes(each.memory_bytes),
            _mebibytes(each.start.peak_memory_bytes if each.start else None),
            _accuracy(each),
            f"{each.delegation.operator_count}",
            f"{each.delegation.inside_xnnpack}",
            _outside(each.delegation.outside_xnnpack),
        ]
        for each in found.measured
    ]
    return [
        *aligned(heads, rows, width=width, optional=(2, 3, 4)),
        f"The time of each operator is {OPERATOR_TIMES}.",
    ]


def _mebibytes(size: int | None) -> str:
    return ABSENT if size is None else f"{size / MEBIBYTE:.1f}"


def _accuracy(each: Measured) -> str:
    if each.score is None:
        return ABSENT
    rate = each.score.accuracy
    return f"{percent(rate.value)} [{percent_interval(rate.interval)}]"


def _outside(names: Sequence[str]) -> str:
    return ", ".join(names) if 0 < len(names) <= 2 else ABSENT if not names else f"{len(names)}"


def _board(board: Board | None) -> list[str]:
    if board is None:
        return []
    lines = []
    if board.temperature_c:
        lines.append(f"temperature  {_between(board.temperature_c, 1)} °C")
    if board.clock_mhz:
        lines.append(f"clock        {_between(board.clock_mhz, 0)} MHz, the slowest core")
    if board.flags is not None:
        lines.append(f"throttling   {', '.join(board.flags) or 'none during the run'}")
    if board.flags_since_boot:
        lines.append(f"             since the start: {', '.join(board.flags_since_boot)}")
    return lines


def _between(values: tuple[float, float], decimals: int) -> str:
    low, high = (f"{value:,.{decimals}f}" for value in values)
    return low if low == high else f"{low} to {high}"


def _budgets(found: Benchmark) -> list[str]:
    checks = [(each.name, check) for each in found.measured for check in each.checks]
    names = max((len(name) for name, _ in checks), default=0)
    return [
        f"budget  {printable(name):<{names}}  {check.demand:<12}  {check.value:>12,.0f} of "
        f"{check.limit:,.0f}: {'kept' if check.decision == 'holds' else 'broken'}"
        for name, check in checks
    ]
