"""A benchmark for a terminal: plain text, as wide as it is, at most 100 columns."""

import textwrap
from collections.abc import Callable, Sequence

from edge_runtime.benchmarks.board import Board
from edge_runtime.benchmarks.result import OPERATOR_TIMES, Benchmark, Measured
from edge_runtime.benchmarks.throughput import Case, throughput_cases
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

# The two lines of a heading, and what a model has in the cell below.
_Column = tuple[str, str, Callable[[Measured], str]]


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
        textwrap.wrap(" ".join(map(printable, found.choice.sentences)), width),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def _columns(
    found: Benchmark, width: int, columns: Sequence[_Column], *, optional: Sequence[int] = ()
) -> list[str]:
    heads = [list(line) for line in zip(*(column[:2] for column in columns), strict=True)]
    rows = [[cell(each) for _, _, cell in columns] for each in found.measured]
    return aligned(heads, rows, width=width, optional=optional)


def _name(each: Measured) -> str:
    return printable(each.name)


def _subject(found: Benchmark, width: int) -> list[str]:
    machine, rounds = machine_details(), found.settings.rounds
    backends = dict.fromkeys(
        f"{each.contestant.backend.package} {each.contestant.backend.version}"
        for each in found.measured
    )
    threads = found.measured[0].contestant.threads
    images = f"test images of {printable(found.dataset)}" if found.dataset else "random pixels"
    sentences = (
        f"{machine['cpu']}, {plural(usable_cores(), 'core')}, Python {machine['python']}, "
        f"{', '.join(backends)}, {plural(threads, 'thread')}",
        f"{images}; {plural(rounds.rounds, 'round')} of at most {plural(rounds.images, 'image')}; "
        f"the clock adds {found.clock_cost_ns / 1000:.2f} µs",
    )
    return [line for sentence in sentences for line in textwrap.wrap(sentence, width)]


def _latency(found: Benchmark, width: int) -> list[str]:
    first = found.measured[0]
    ratios = dict(zip(found.measured, found.ratios, strict=True))

    def against_first(each: Measured) -> str:
        ratio = ratios[each]
        bounds = span(f"{ratio.low:.2f}", f"{ratio.high:.2f}")
        return ABSENT if each is first else f"{TIMES} {ratio.value:.2f} [{bounds}]"

    columns: list[_Column] = [
        ("one image,", "µs", _name),
        ("", "median", lambda each: microseconds(each.median_us)),
        ("80 % of", "rounds", lambda each: span(*map(microseconds, each.turns.array.spread_us))),
        ("", "min", lambda each: microseconds(each.turns.array.minimum_us)),
        ("", "p90", lambda each: microseconds(each.turns.array.p90_us)),
        ("", "p99", lambda each: _known(each.turns.array.p99_us)),
        ("", "p99.9", lambda each: _known(each.turns.array.p999_us)),
        ("time against", printable(first.name), against_first),
    ]
    return _columns(found, width, columns[: 7 + (len(ratios) > 1)], optional=(3,))


def _known(value: float | None) -> str:
    return ABSENT if value is None else microseconds(value)


def _share(found: Benchmark, width: int) -> list[str]:
    columns: list[_Column] = [
        ("where the", "time goes", _name),
        ("invoke", "µs", lambda each: microseconds(each.turns.interpreter.median_us)),
        ("our own", "code, µs", lambda each: f"{each.turns.own_code_us:.1f}"),
        ("in the inter-", "preter, %", lambda each: f"{100 * each.turns.interpreter_share:.0f}"),
        ("from a", "PNG, µs", lambda each: microseconds(each.turns.picture.median_us)),
        ("load", "ms", lambda each: f"{each.load_ms:.1f}"),
        (
            "start to first",
            "answer, ms",
            lambda each: f"{each.start.first_answer_ms:.0f}" if each.start else ABSENT,
        ),
    ]
    floor = (
        f"Python, NumPy and the runtime alone answer after {found.floor.first_answer_ms:.0f} ms, "
        f"with {_mebibytes(found.floor.peak_memory_bytes)} MiB."
    )
    return [*_columns(found, width, columns, optional=(6,)), *textwrap.wrap(floor, width)]


def _throughput(found: Benchmark, width: int) -> list[str]:
    if not any(each.throughput for each in found.measured):
        return []
    columns: list[_Column] = [("images", "a second", _name)]
    for case in sorted(throughput_cases(found.settings.workers), key=lambda case: case[0]):
        source, kind, count = case
        workers = plural(count, {"threads": "thread", "processes": "process"}[kind], kind)
        title = {"arrays": "arrays,", "pictures": "PNG,"}[source]
        columns.append((title, workers, _rate(case)))
    pillow = f"Pillow alone decodes {found.decoded_per_second:,.0f} such PNG a second on one core."
    return [*_columns(found, width, columns), pillow]


def _rate(case: Case) -> Callable[[Measured], str]:
    def cell(each: Measured) -> str:
        rates = {
            (item.source, item.kind, item.workers): item.images_per_second
            for item in each.throughput
        }
        return f"{rates[case]:,.0f}" if case in rates else ABSENT

    return cell


def _costs(found: Benchmark, width: int) -> list[str]:
    columns: list[_Column] = [
        ("what it", "takes", _name),
        ("size", "bytes", lambda each: f"{each.summary.size_bytes:,}"),
        ("model's", "MiB", lambda each: _mebibytes(each.memory_bytes)),
        (
            "whole",
            "MiB",
            lambda each: _mebibytes(each.start.peak_memory_bytes if each.start else None),
        ),
        ("accuracy", "%", _accuracy),
        ("operators", "", lambda each: f"{each.delegation.operator_count}"),
        ("", "XNNPACK", lambda each: f"{each.delegation.inside_xnnpack}"),
        ("not in", "XNNPACK", lambda each: _outside(each.delegation.outside_xnnpack)),
    ]
    times = f"The time of each operator is {OPERATOR_TIMES}."
    return [*_columns(found, width, columns, optional=(2, 3, 4)), times]


def _mebibytes(size: int | None) -> str:
    return ABSENT if size is None else f"{size / MEBIBYTE:.1f}"


def _accuracy(each: Measured) -> str:
    if each.score is None:
        return ABSENT
    rate = each.score.accuracy
    return f"{percent(rate.value)} [{percent_interval(rate.interval)}]"


def _outside(names: Sequence[str]) -> str:
    return ", ".join(names) if 0 < len(names) <= 2 else f"{len(names) or ABSENT}"


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
    return " to ".join(dict.fromkeys(f"{value:,.{decimals}f}" for value in values))


def _budgets(found: Benchmark) -> list[str]:
    checks = [(each.name, check) for each in found.measured for check in each.checks]
    names = max((len(name) for name, _ in checks), default=0)
    return [
        f"budget  {printable(name):<{names}}  {check.demand:<12}  {check.value:>12,.0f} of "
        f"{check.limit:,.0f}: {'kept' if check.decision == 'holds' else 'broken'}"
        for name, check in checks
    ]
