"""Where each model of the chain stands in the picture of it, and what is written there."""

import re
from dataclasses import dataclass

from edge_runtime.proof.metrics import decimals_for
from edge_runtime.proof.parity import Decision, ParityReport, Step
from edge_runtime.proof.parity.steps import moves, same_file
from edge_runtime.proof.report.entries import Entry, blamed_steps, entries, neither
from edge_runtime.wording import percent, percent_interval, plural, size

# What a processor's name says that nobody needs to tell two of them apart.
_NOISE = re.compile(r"\((R|TM|tm)\)|\bProcessor\b|\bCPU\b|@.*$|\b\d+-Core\b")


@dataclass(frozen=True)
class Box:
    """One model of the picture.

    Attributes:
        node: its index; 0 is the full model.
        parent: the index of the model before it; None for the full model.
        depth: how many steps lie before it.
        row: its height in the tree, in rows; between two rows where two follow it.
        decision: what became of the demands on it; None for the full model.
        name: what it is called.
        lines: what it is, and what it ran on.
        figure: its accuracy.
        interval: of the accuracy.
    """

    node: int
    parent: int | None
    depth: int
    row: float
    decision: Decision | None
    name: str
    lines: tuple[str, str, str]
    figure: str
    interval: str


@dataclass(frozen=True)
class Arrow:
    """One step of the picture.

    Attributes:
        node: the model that it leads to.
        name: what the step is called.
        changed: what changed.
        briefly: the same for where there is less room, as in "runtime, kernels".
        flips: how many answers did, in words.
        effects: what became of them, in words.
        share: the share of the images whose answer changed.
        blamed: whether a broken demand is put down to it.
    """

    node: int
    name: str
    changed: str
    briefly: str
    flips: str
    effects: str
    share: float
    blamed: bool


def boxes(report: ParityReport) -> list[Box]:
    """Return the models, each after the one that it was made from."""
    models = entries(report)
    parents: list[int | None] = [None, *(step.before for step in report.steps)]
    order = _depth_first(parents)
    depths = _depths(parents)
    rows = _rows(parents, order)
    return [_box(models[node], node, parents[node], depths[node], rows[node]) for node in order]


def arrows(report: ParityReport) -> dict[int, Arrow]:
    """Return the steps by the model that they lead to."""
    blamed, models = blamed_steps(report), entries(report)
    return {
        step.after: _arrow(step, _briefly(step, models), index in blamed)
        for index, step in enumerate(report.steps)
    }


def _depth_first(parents: list[int | None]) -> list[int]:
    order: list[int] = []
    waiting = [0]
    while waiting:
        node = waiting.pop()
        order.append(node)
        waiting += [child for child in reversed(range(len(parents))) if parents[child] == node]
    return order


def _depths(parents: list[int | None]) -> list[int]:
    depths: list[int] = []
    for parent in parents:
        depths.append(0 if parent is None else depths[parent] + 1)
    return depths


def _rows(parents: list[int | None], order: list[int]) -> list[float]:
    """Give each end of a chain a row, and each other model the middle of those that follow it."""
    rows = [0.0] * len(parents)
    ends = 0
    for node in order:
        if node not in parents:
            rows[node], ends = float(ends), ends + 1
    for node in reversed(order):
        children = [rows[child] for child, parent in enumerate(parents) if parent == node]
        if children:
            rows[node] = (min(children) + max(children)) / 2
    return rows


def _box(entry: Entry, node: int, parent: int | None, depth: int, row: float) -> Box:
    decimals = decimals_for(entry.accuracy.total)
    kind = [entry.detail("scheme"), size(entry.size_bytes) if entry.size_bytes else ""]
    return Box(
        node,
        parent,
        depth,
        row,
        entry.comparison.decision if entry.comparison else None,
        entry.model,
        (
            " · ".join(filter(None, kind)),
            entry.detail("backend", "backend_version"),
            short_cpu(entry.detail("cpu")),
        ),
        f"{percent(entry.accuracy.value, decimals)} %",
        percent_interval(entry.accuracy.interval, decimals),
    )


def _briefly(step: Step, models: list[Entry]) -> str:
    """Return what changed without from what to what: both boxes say that."""
    before, after = models[step.before].details, models[step.after].details
    moved = set(moves(before, after))
    words = {
        "other file": not same_file(before, after),
        "runtime": moved & {"backend", "backend_version"},
        "CPU": moved & {"cpu", "machine"},
        "kernels": "kernels" in moved,
        "threads": "threads" in moved,
        "pixels": "preprocessing" in step.kinds,
    }
    return ", ".join(word for word, is_so in words.items() if is_so) or step.changed


def _arrow(step: Step, briefly: str, blamed: bool) -> Arrow:
    counts = step.counts
    effects = [("lost", counts.lost), ("won", counts.won), ("neither", neither(counts))]
    # The third follows from the other two where there is little room.
    told = [f"{count:,} {effect}" for effect, count in effects if count]
    return Arrow(
        step.after,
        step.name,
        step.changed,
        briefly,
        plural(counts.flips, "flip") if counts.flips else "no flips",
        ", ".join(told[:2]),
        counts.flips / counts.image_count,
        blamed,
    )


def short_cpu(name: str) -> str:
    """Return a processor's name without what all of them carry."""
    return " ".join(_NOISE.sub(" ", name).split())
