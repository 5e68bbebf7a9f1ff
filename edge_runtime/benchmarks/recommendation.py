"""Which model to take, in words, and why."""

from collections.abc import Sequence

from edge_runtime.benchmarks.distribution import Ratio
from edge_runtime.benchmarks.result import Choice, Measured
from edge_runtime.benchmarks.scoring import Score
from edge_runtime.proof.parity.contract import DEFAULT_MAX_DROP
from edge_runtime.wording import TIMES, microseconds, points, points_interval


def choose(measured: Sequence[Measured]) -> Choice:
    """Return which of one or more contestants to take.

    The fastest is taken of those that keep the budgets and are right on at most a point fewer of
    the test images than the most accurate one. Of those that cannot be told apart from it in
    speed, the smallest file is taken.
    """
    accurate = _accurate(measured)
    allowed = [each for each in accurate if not each.breaks_budget] or accurate
    fastest = min(allowed, key=lambda each: each.median_us)
    equals = [each for each in allowed if each is fastest or not _ratio(each, fastest).tells_apart]
    taken = min(equals, key=lambda each: each.summary.size_bytes)
    if len(measured) == 1:
        return Choice(taken, f"{taken.name} takes {microseconds(taken.median_us)} µs", ())
    headline, sentences = _advice(taken, equals, _other(taken, measured))
    if taken.breaks_budget:
        sentences.append("All that are accurate enough break a budget.")
    sentences += _left_out(taken, allowed, measured)
    if any(each.score is None for each in measured):
        sentences.append("Accuracy was not measured; fmnist-edge parity compares it.")
    return Choice(taken, headline, tuple(sentences))


def _advice(taken: Measured, equals: Sequence[Measured], other: Measured) -> tuple[str, list[str]]:
    """Return a headline and sentences for one of some that are equally fast, against another."""
    rivals = [each for each in equals if each is not taken]
    if not rivals:
        return _faster(taken, other, brief=True), [f"{_faster(taken, other)}: take {taken.name}."]
    names = _listed([taken.name, *(each.name for each in rivals)])
    sentences = [f"{names} {_equal(taken, rivals)}: take {taken.name}."]
    if other not in equals:
        sentences.append(f"{_faster(taken, other)}.")
    elif taken.score and other.score:
        change = _accuracy_change(taken.score, other.score)
        sentences.append(f"Against {other.name}, {taken.name} {change}.")
    return f"{names} cannot be told apart in speed", sentences


def _accurate(measured: Sequence[Measured]) -> list[Measured]:
    """Return those that lose at most a point against the best; all where nothing was scored."""
    scores = [each.score.accuracy.value for each in measured if each.score]
    return [
        each
        for each in measured
        if each.score is None or each.score.accuracy.value >= max(scores) - DEFAULT_MAX_DROP
    ]


def _ratio(one: Measured, other: Measured) -> Ratio:
    return Ratio.of(one.turns.array, other.turns.array)


def _equal(taken: Measured, rivals: Sequence[Measured]) -> str:
    """Return that some cannot be told apart, and what speaks for one of them all the same."""
    spans = _listed([f"{_span(_ratio(each, taken))} for {each.name}" for each in rivals])
    smaller = all(taken.summary.size_bytes < each.summary.size_bytes for each in rivals)
    why = f"{taken.name} is the {'smaller' if len(rivals) == 1 else 'smallest'} file"
    if not smaller:
        why = f"no file is smaller than {taken.name}'s"
    return (
        f"cannot be told apart in speed (time against {taken.name}: {spans} in 80 % of the "
        f"rounds), and {why}"
    )


def _other(taken: Measured, measured: Sequence[Measured]) -> Measured:
    """Return what to compare the best with: the first contestant, or else the next fastest."""
    if taken is not measured[0]:
        return measured[0]
    others = [each for each in measured if each is not taken]
    return min(others, key=lambda each: each.median_us)


def _faster(one: Measured, other: Measured, *, brief: bool = False) -> str:
    """Return "int8 is 1.9 × as fast as float32 and loses 0.1 points", unless brief with intervals.

    Where one is the slower, or the two cannot be told apart, it says that.
    """
    speed = _ratio(one, other).inverse
    rounds = "" if brief else f" ({_span(speed)} in 80 % of the rounds)"
    times = f"{speed.value:.{1 if brief and speed.value >= 1.05 else 2}f} {TIMES}"
    how = f"{one.name} is {times} as fast as {other.name}{rounds}"
    if not speed.tells_apart:
        how = f"{one.name} and {other.name} cannot be told apart in speed{rounds}"
    if one.score is None or other.score is None:
        return how
    return f"{how} and {_accuracy_change(one.score, other.score, brief=brief)}"


def _accuracy_change(one: Score, other: Score, *, brief: bool = False) -> str:
    """Return "loses 0.1 points", unless brief with the interval."""
    change, interval = one.change_from(other)
    bounds = "" if brief else f" (95 % interval {points_interval(interval)})"
    amount = points(abs(change)).lstrip("+")
    if amount == "0.0":
        return f"is as accurate{bounds}"
    return f"{'loses' if change < 0 else 'gains'} {amount} points{bounds}"


def _left_out(
    taken: Measured, allowed: Sequence[Measured], measured: Sequence[Measured]
) -> list[str]:
    """Return why something faster is not taken."""
    found = []
    for each in measured:
        if each in allowed or each.median_us >= taken.median_us:
            continue
        if each.breaks_budget:
            found.append(f"{each.name} is faster but breaks a budget.")
        elif each.score and taken.score:
            change, _ = each.score.change_from(taken.score)
            found.append(f"{each.name} is faster but {points(abs(change))[1:]} points worse.")
    return found


def _span(ratio: Ratio) -> str:
    return f"{ratio.low:.2f} to {ratio.high:.2f}"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
