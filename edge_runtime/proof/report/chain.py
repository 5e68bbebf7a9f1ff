"""The chain as a picture: where each model stands, and what is written at each step.

Drawn twice: from left to right for wide pages and paper, downwards for phones. The style sheet
shows one of them. A chain that is too long for the width runs downwards on wide pages too, with a
line for each step and a flat box for each model.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from edge_runtime.proof.parity import Judgement
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
# A line of text: its class, itself, and where it stands.
Text = tuple[str, str, int, int]
# Whatever else the template draws, by the names of its parts.
Drawn = dict[str, object]


@dataclass(frozen=True)
class Node:
    """One model of the chain, and the step that leads to it.

    Attributes:
        number: its index; 0 is the full model.
        parent: the index of the model before it; -1 for the full model.
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
    def facts(self) -> list[str]:
        """What the model is, and what it ran on."""
        return [self.model[key] for key in ("kind", "runtime", "cpu") if self.model[key]]

    def changed(self, room: int) -> str:
        """Return what changed at the step, briefly where there is no room for more."""
        changed = self.step["changed"]
        return changed if len(changed) <= room else self.step["briefly"]


def chain(report: Judgement, models: Sequence[Figures], steps: Sequence[Figures]) -> Drawn:
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


def _nodes(report: Judgement, models: Sequence[Figures], steps: Sequence[Figures]) -> list[Node]:
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
    known = list(zip(models, [{}, *steps], shares, strict=True))
    return [Node(node, parents[node], depths[node], rows[node], *known[node]) for node in order]


def _rows(parents: Sequence[int], order: Sequence[int]) -> dict[int, float]:
    """Give each end of a chain a row, and each other model the middle of those that follow it."""
    ends = [node for node in order if node not in parents]
    rows = {node: float(row) for row, node in enumerate(ends)}
    for node in reversed(order):
        below = [rows[child] for child, parent in enumerate(parents) if parent == node]
        if below:
            rows[node] = (min(below) + max(below)) / 2
    return rows


def _wide(nodes: Sequence[Node]) -> Drawn:
    """Draw the chain from left to right."""
    columns = max(node.depth for node in nodes) + 1
    gap = 180 if columns <= 3 else 146
    width = min(240, (_WIDE - gap * (columns - 1)) // columns)
    tall = _box_height(nodes)
    pitch = max(tall + _GAP, _LEAST_PITCH)
    above = (pitch - tall) / 2
    at = {node.number: (node.depth * (width + gap) + 1, above + node.row * pitch) for node in nodes}
    arrows = []
    for node in nodes[1:]:
        (left, top), (x, y) = at[node.parent], at[node.number]
        arrows.append(_wide_arrow(node, (left + width, top + tall / 2), (x, y + tall / 2)))
    boxes = [_box(node, at[node.number], width, tall) for node in nodes]
    height = (max(node.row for node in nodes) + 1) * pitch
    return _picture("wide", columns * (width + gap) - gap + 2, height, arrows, boxes)


def _wide_arrow(node: Node, start: Place, end: Place) -> Drawn:
    step, bend, y = node.step, start[0] + 14, end[1]
    room = int((end[0] - bend - 12) / _SMALL_LETTER)
    above = [("to-blame", "to blame:")] if step["blamed"] else []
    above += [("step", part) for part in _parts(step["step"], room)]
    below = [("", part) for part in _parts(node.changed(room), room)]
    below += [("flips", step["flipped"]), ("flips", step["effects"])]
    label = _column(above, (bend + 6, y + 6 - 15 * len(above)), room, 15)
    label += _column(below, (bend + 6, y + 18), room, 15)
    path = f"M{start[0]:.0f} {start[1]:.0f}H{bend:.0f}V{y:.0f}H{end[0] - 9:.0f}"
    return _arrow(node, path, f"M{end[0] - 1:.0f} {y:.0f}l-10 -6v12z", label)


def _parts(name: str, room: int) -> list[str]:
    """Return a name in one line, or two of which it is broken at the blank nearest the middle."""
    blanks = [index for index, letter in enumerate(name) if letter == " "]
    if len(name) <= room or not blanks:
        return [name]
    middle = min(blanks, key=lambda index: abs(index - len(name) / 2))
    return [name[:middle], name[middle + 1 :]]


def _tall(nodes: Sequence[Node]) -> Drawn:
    """Draw the chain downwards."""
    indent = min(24, 120 // max(1, *(node.depth for node in nodes)))
    tall = _box_height(nodes)
    at: dict[int, Place] = {}
    arrows, boxes, y = [], [], 4.0
    for node in nodes:
        y += _label_height(node) if node.step else 0
        place = at[node.number] = (node.depth * indent + 1, y)
        if node.step:
            arrows.append(_tall_arrow(node, at[node.parent], place, indent, tall))
        boxes.append(_box(node, place, _NARROW - place[0] - 2, tall))
        y += tall + 12
    return _picture("tall", _NARROW, y - 4, arrows, boxes)


def _label_height(node: Node) -> int:
    return _LABEL_HEIGHT + (16 if node.step["changed"] else 0)


def _tall_arrow(node: Node, parent: Place, box: Place, indent: int, tall: int) -> Drawn:
    step = node.step
    x, y = parent[0] + min(11, indent / 2), box[1] + tall / 2
    room = int((_NARROW - box[0] - 8) / _SMALL_LETTER)
    blame = f"  ◄ {step['blamed']}" if step["blamed"] else ""
    lines = [("step", step["step"] + blame)]
    lines += [("", node.changed(room))] if step["changed"] else []
    lines += [("flips", ": ".join(filter(None, (step["flipped"], step["effects"]))))]
    label = _column(lines, (box[0] + 6, box[1] - _label_height(node) + 17), room, 16)
    path = f"M{x:.0f} {parent[1] + tall:.0f}V{y:.0f}H{box[0] - 6:.0f}"
    return _arrow(node, path, f"M{box[0]:.0f} {y:.0f}l-8 -5v10z", label)


def _flat(nodes: Sequence[Node]) -> Drawn:
    """Draw a long chain for a wide page."""
    indent = min(_FLAT_INDENT, 400 // max(node.depth for node in nodes))
    pitch = _FLAT_HEIGHT + _FLAT_GAP
    at = {node.number: (node.depth * indent + 1, 4 + pitch * n) for n, node in enumerate(nodes)}
    arrows = [_flat_arrow(node, at[node.parent], at[node.number], indent) for node in nodes[1:]]
    boxes = [_flat_box(node, *at[node.number]) for node in nodes]
    return _picture("wide", _WIDE, len(nodes) * pitch - _FLAT_GAP + 8, arrows, boxes, flat=True)


def _flat_arrow(node: Node, parent: tuple[int, int], box: tuple[int, int], indent: int) -> Drawn:
    step = node.step
    x, y = parent[0] + indent / 2 - 2, box[1] + _FLAT_HEIGHT / 2
    beside = len(step["step"] + step["flipped"] + step["effects"])
    changed = node.changed(int((_WIDE - box[0]) / _LETTER) - beside - 16)
    parts = [("step", step["step"]), ("to-blame", "◄ to blame" if step["blamed"] else "")]
    parts += [("", changed), ("flips", step["flipped"]), ("flips", step["effects"])]
    label = [(kind, text, box[0], box[1] - 14) for kind, text in parts if text]
    path = f"M{x:.0f} {parent[1] + _FLAT_HEIGHT}V{y:.0f}H{box[0] - 6}"
    return _arrow(node, path, f"M{box[0]} {y:.0f}l-8 -5v10z", label)


def _flat_box(node: Node, x: int, y: int) -> Drawn:
    room = _WIDE - 240 - x
    name = fitted(node.model["model"], int(room / _LETTER))
    facts = [("", " · ".join(node.facts))]
    lines = _column(facts, (x + 14, y + 41), int(room / _SMALL_LETTER), 16)
    size = {"width": _WIDE - 1 - x, "height": _FLAT_HEIGHT}
    return {"node": node, "name": name, "x": x, "y": y, "lines": lines, **size}


def _box_height(nodes: Sequence[Node]) -> int:
    return 58 + 16 * max(len(node.facts) for node in nodes)


def _box(node: Node, place: Place, width: float, height: int) -> Drawn:
    x, y = place
    name = fitted(node.model["model"], int((width - (48 if node.step else 24)) / _LETTER))
    facts = [("", fact) for fact in node.facts]
    lines = _column(facts, (x + 12, y + 42), int((width - 24) / _SMALL_LETTER), 16)
    size = {"width": round(width), "height": height}
    return {"node": node, "name": name, "x": round(x), "y": round(y), "lines": lines, **size}


def _column(lines: Sequence[tuple[str, str]], first: Place, room: int, pitch: int) -> list[Text]:
    """Return lines of text, each so far below the one before."""
    return [
        (kind, fitted(text, room), round(first[0]), round(first[1] + pitch * n))
        for n, (kind, text) in enumerate(lines)
        if text
    ]


def _arrow(node: Node, path: str, head: str, label: Sequence[Text]) -> Drawn:
    """Return an arrow of 2 to 6 pixels, the most from 10 % of changed answers on."""
    thickness = round(2 + 4 * min(1.0, node.share * 10), 1)
    blamed = bool(node.step["blamed"])
    return {"blamed": blamed, "thickness": thickness, "path": path, "head": head, "label": label}


def _picture(
    kind: str,
    width: int,
    height: float,
    arrows: Sequence[Drawn],
    boxes: Sequence[Drawn],
    *,
    flat: bool = False,
) -> Drawn:
    """Return a picture; a narrow one may grow, a wide one not, so that its letters stay."""
    most = width if kind == "wide" else round(width * _MOST_GROWTH)
    size = {"width": width, "height": round(height), "most": most}
    return {"kind": kind, "flat": flat, "arrows": arrows, "boxes": boxes, **size}
