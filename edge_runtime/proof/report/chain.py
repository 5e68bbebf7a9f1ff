"""The chain as a picture: where each model stands, and what is written at each step.

Drawn twice: from left to right for wide pages and paper, downwards for phones. The style sheet
shows one of them. A chain that is too long for the width runs downwards on wide pages too, with a
line for each step and a flat box for each model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge_runtime.proof.parity import ParityReport
from edge_runtime.proof.report.figures import Figures
from edge_runtime.wording import fitted

_WIDE, _NARROW = 1110, 340
_GAP = 30
# Six lines of text at an arrow.
_LEAST_PITCH = 126
_MOST_DEPTH = 3
_LABEL_HEIGHT = 44
_MOST_GROWTH = 1.25
# A flat box, the line above it, and how far it is set in.
_FLAT_HEIGHT, _FLAT_GAP, _FLAT_INDENT = 52, 38, 36
# How many pixels a letter takes at most on average, in the two sizes of the picture.
_LETTER, _SMALL_LETTER = 8.2, 6.6

Place = tuple[float, float]


@dataclass(frozen=True)
class Node:
    """One model of the chain, and the step that leads to it.

    Attributes:
        number: its index; 0 is the full model.
        parent: the index of the model before it; None for the full model.
        depth: how many steps lie before it.
        row: its height in the tree, in rows; between two rows where two follow it.
        model: what is said of it.
        step: what is said of the step; nothing for the full model.
        share: the share of the images whose answer changed at the step.
    """

    number: int
    parent: int
    depth: int
    row: float
    model: Figures
    step: Figures
    share: float

    @property
    def lines(self) -> list[str]:
        """What the model is, and what it ran on."""
        return [self.model[key] for key in ("kind", "runtime", "cpu") if self.model[key]]

    def changed(self, room: int) -> str:
        """Return what changed at the step, briefly where there is no room for more."""
        changed = self.step["changed"]
        return changed if len(changed) <= room else self.step["briefly"]


@dataclass(frozen=True)
class Text:
    """A line of text in a picture, with its class and where it stands."""

    kind: str
    text: str
    x: int
    y: int


@dataclass(frozen=True)
class Arrow:
    """A drawn step: a line with a head, the thicker the more answers changed, and its label."""

    blamed: bool
    thickness: float
    path: str
    head: str
    label: Sequence[Text]


@dataclass(frozen=True)
class Box:
    """A drawn model: a box with a mark, and lines of text in it."""

    node: Node
    name: str
    x: int
    y: int
    width: int
    height: int
    lines: Sequence[Text]


@dataclass(frozen=True)
class Picture:
    """The chain drawn in one way: "tall", or "wide", which may have flat boxes."""

    kind: str
    width: int
    height: int
    most: int
    arrows: Sequence[Arrow]
    boxes: Sequence[Box]
    flat: bool = False


def chain(
    report: ParityReport, models: Sequence[Figures], steps: Sequence[Figures]
) -> Mapping[str, object]:
    """Return the pictures for narrow and for wide pages, and what is said in place of them."""
    nodes = _nodes(report, models, steps)
    is_short = max(node.depth for node in nodes) <= _MOST_DEPTH
    said = [f"{nodes[0].model['model']}, {nodes[0].model['accuracy']} % right"]
    said += [
        f"{node.step['step']} to {node.model['model']}: {node.step['flipped']}, "
        f"{node.model['accuracy']} % right"
        for node in nodes[1:]
    ]
    pictures = [_tall(nodes), _wide(nodes) if is_short else _flat(nodes)]
    return {"pictures": pictures, "spoken": "; ".join(said)}


def _nodes(report: ParityReport, models: Sequence[Figures], steps: Sequence[Figures]) -> list[Node]:
    """Return the models, each after the one that it was made from."""
    parents = [-1, *(step.before for step in report.steps)]
    order, depths, waiting = list[int](), [0] * len(parents), [0]
    while waiting:
        node = waiting.pop()
        order.append(node)
        depths[node] = depths[parents[node]] + 1 if node else 0
        waiting += [child for child in reversed(range(len(parents))) if parents[child] == node]
    rows = _rows(parents, order)
    shares = [0.0, *(step.counts.flips / step.counts.image_count for step in report.steps)]
    of_steps = [{}, *steps]
    return [
        Node(n, parents[n], depths[n], rows[n], models[n], of_steps[n], shares[n]) for n in order
    ]


def _rows(parents: Sequence[int], order: Sequence[int]) -> dict[int, float]:
    """Give each end of a chain a row, and each other model the middle of those that follow it."""
    ends = [node for node in order if node not in parents]
    rows = {node: float(row) for row, node in enumerate(ends)}
    for node in reversed(order):
        below = [rows[child] for child, parent in enumerate(parents) if parent == node]
        if below:
            rows[node] = (min(below) + max(below)) / 2
    return rows


def _wide(nodes: Sequence[Node]) -> Picture:
    """Draw the chain from left to right."""
    columns = max(node.depth for node in nodes) + 1
    gap = 180 if columns <= 3 else 146
    width = min(240, (_WIDE - gap * (columns - 1)) // columns)
    tall = _box_height(nodes)
    pitch = max(tall + _GAP, _LEAST_PITCH)
    at = {
        node.number: (node.depth * (width + gap) + 1, (pitch - tall) / 2 + node.row * pitch)
        for node in nodes
    }
    arrows = []
    for node in nodes[1:]:
        (left, top), (x, y) = at[node.parent], at[node.number]
        arrows.append(_wide_arrow(node, (left + width, top + tall / 2), (x, y + tall / 2)))
    boxes = [_box(node, at[node.number], width, tall) for node in nodes]
    used = columns * (width + gap) - gap + 2
    height = round((max(node.row for node in nodes) + 1) * pitch)
    return Picture("wide", used, height, used, arrows, boxes)


def _wide_arrow(node: Node, start: Place, end: Place) -> Arrow:
    step, bend, y = node.step, start[0] + 14, end[1]
    room = int((end[0] - bend - 12) / _SMALL_LETTER)
    above = [("to-blame", "to blame:")] if step["blamed"] else []
    above += [("step", part) for part in _parts(step["step"], room)]
    below = [("", part) for part in _parts(node.changed(room), room)]
    below += [("flips", step["flipped"]), ("flips", step["effects"])]
    top = y - 9 - 15 * (len(above) - 1)
    label = _column(above, bend + 6, top, room, 15) + _column(below, bend + 6, y + 18, room, 15)
    path = f"M{start[0]:.0f} {start[1]:.0f}H{bend:.0f}V{y:.0f}H{end[0] - 9:.0f}"
    return _arrow(node, path, f"M{end[0] - 1:.0f} {y:.0f}l-10 -6v12z", label)


def _parts(name: str, room: int) -> list[str]:
    """Return a name in one line, or two of which it is broken at the blank nearest the middle."""
    blanks = [index for index, letter in enumerate(name) if letter == " "]
    if len(name) <= room or not blanks:
        return [name]
    middle = min(blanks, key=lambda index: abs(index - len(name) / 2))
    return [name[:middle], name[middle + 1 :]]


def _tall(nodes: Sequence[Node]) -> Picture:
    """Draw the chain downwards."""
    indent = min(24, 120 // max(1, *(node.depth for node in nodes)))
    tall = _box_height(nodes)
    at: dict[int, Place] = {}
    y = 4.0
    for node in nodes:
        y += _label_height(node) if node.step else 0
        at[node.number] = (node.depth * indent + 1, y)
        y += tall + 12
    arrows = [
        _tall_arrow(node, at[node.parent], at[node.number], indent, tall) for node in nodes[1:]
    ]
    boxes = [_box(node, at[node.number], _NARROW - at[node.number][0] - 2, tall) for node in nodes]
    return Picture("tall", _NARROW, round(y - 4), round(_NARROW * _MOST_GROWTH), arrows, boxes)


def _label_height(node: Node) -> int:
    return _LABEL_HEIGHT + (16 if node.step["changed"] else 0)


def _tall_arrow(node: Node, parent: Place, box: Place, indent: int, tall: int) -> Arrow:
    step = node.step
    x, y = parent[0] + min(11, indent / 2), box[1] + tall / 2
    room = int((_NARROW - box[0] - 8) / _SMALL_LETTER)
    blame = f"  ◄ {step['blamed']}" if step["blamed"] else ""
    lines = [("step", step["step"] + blame)]
    lines += [("", node.changed(room))] if step["changed"] else []
    lines += [("flips", ": ".join(filter(None, (step["flipped"], step["effects"]))))]
    label = _column(lines, box[0] + 6, box[1] - _label_height(node) + 17, room, 16)
    path = f"M{x:.0f} {parent[1] + tall:.0f}V{y:.0f}H{box[0] - 6:.0f}"
    return _arrow(node, path, f"M{box[0]:.0f} {y:.0f}l-8 -5v10z", label)


def _flat(nodes: Sequence[Node]) -> Picture:
    """Draw a long chain for a wide page."""
    indent = min(_FLAT_INDENT, 400 // max(node.depth for node in nodes))
    pitch = _FLAT_HEIGHT + _FLAT_GAP
    at = {node.number: (node.depth * indent + 1, 4 + pitch * n) for n, node in enumerate(nodes)}
    arrows = [_flat_arrow(node, at[node.parent], at[node.number], indent) for node in nodes[1:]]
    boxes = [_flat_box(node, *at[node.number]) for node in nodes]
    height = len(nodes) * pitch - _FLAT_GAP + 8
    return Picture("wide", _WIDE, height, _WIDE, arrows, boxes, flat=True)


def _flat_arrow(node: Node, parent: tuple[int, int], box: tuple[int, int], indent: int) -> Arrow:
    step = node.step
    x, y = parent[0] + indent / 2 - 2, box[1] + _FLAT_HEIGHT / 2
    beside = len(step["step"] + step["flipped"] + step["effects"])
    room = int((_WIDE - box[0]) / _LETTER) - beside - 16
    parts = [
        ("step", step["step"]),
        ("to-blame", f"◄ {step['blamed']}" if step["blamed"] else ""),
        ("", node.changed(room)),
        ("flips", step["flipped"]),
        ("flips", step["effects"]),
    ]
    label = [Text(kind, text, box[0], box[1] - 14) for kind, text in parts if text]
    path = f"M{x:.0f} {parent[1] + _FLAT_HEIGHT}V{y:.0f}H{box[0] - 6}"
    return _arrow(node, path, f"M{box[0]} {y:.0f}l-8 -5v10z", label)


def _flat_box(node: Node, x: int, y: int) -> Box:
    room = _WIDE - 240 - x
    name = fitted(node.model["model"], int(room / _LETTER))
    facts = fitted(" · ".join(node.lines), int(room / _SMALL_LETTER))
    lines = [Text("", facts, x + 14, y + 41)] if facts else []
    return Box(node, name, x, y, _WIDE - 1 - x, _FLAT_HEIGHT, lines)


def _arrow(node: Node, path: str, head: str, label: Sequence[Text]) -> Arrow:
    """Return an arrow of 2 to 6 pixels, the most from 10 % of changed answers on."""
    thickness = round(2 + 4 * min(1.0, node.share * 10), 1)
    return Arrow(bool(node.step["blamed"]), thickness, path, head, label)


def _column(
    lines: Sequence[tuple[str, str]], x: float, y: float, room: int, distance: int
) -> list[Text]:
    """Return lines of text, each so far below the one before."""
    return [
        Text(kind, fitted(text, room), round(x), round(y + distance * n))
        for n, (kind, text) in enumerate(lines)
        if text
    ]


def _box_height(nodes: Sequence[Node]) -> int:
    return 58 + 16 * max(len(node.lines) for node in nodes)


def _box(node: Node, place: Place, width: float, height: int) -> Box:
    x, y = place
    name = fitted(node.model["model"], int((width - 24 - (24 if node.step else 0)) / _LETTER))
    lines = [("", text) for text in node.lines]
    texts = _column(lines, x + 12, y + 42, int((width - 24) / _SMALL_LETTER), 16)
    return Box(node, name, round(x), round(y), round(width), height, texts)
