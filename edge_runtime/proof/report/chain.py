"""The chain as a picture, in SVG: which model was made from which, and where answers changed.

Drawn twice: from left to right for wide pages and paper, downwards for phones. The style sheet
shows one of them. A chain that is too long for the width runs downwards on wide pages too, with a
line for each step and a flat box for each model.
"""

from collections.abc import Sequence

from edge_runtime.proof.parity import ParityReport
from edge_runtime.proof.report.layout import Arrow, Box, arrows, boxes
from edge_runtime.proof.report.markup import escaped, mark
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


def chain_picture(report: ParityReport) -> str:
    """Return the picture, for wide and for narrow pages."""
    placed, steps = boxes(report), arrows(report)
    spoken = escaped(_spoken(placed, steps))
    is_short = max(box.depth for box in placed) <= _MOST_DEPTH
    wide = (_wide if is_short else _flat)(placed, steps)
    pictures = [("tall", *_tall(placed, steps)), ("wide", *wide)]
    return "".join(
        f'<svg class="chain {kind}" role="img" aria-label="{spoken}" '
        f'viewBox="0 0 {width} {height:.0f}" style="max-width:{_room(kind, width)}px">'
        f"{content}</svg>"
        for kind, width, height, content in pictures
    )


def _room(kind: str, width: int) -> int:
    """Return up to which width a picture grows: a wide one not at all, so that letters stay."""
    return width if kind == "wide" else round(width * _MOST_GROWTH)


def _spoken(placed: Sequence[Box], steps: dict[int, Arrow]) -> str:
    said = [f"{box.name}, {box.figure} right" for box in placed if box.parent is None]
    for box in placed:
        if box.parent is not None:
            step = steps[box.node]
            said.append(f"{step.name} to {box.name}: {step.flips}, {box.figure} right")
    return "; ".join(said)


def _wide(placed: Sequence[Box], steps: dict[int, Arrow]) -> tuple[int, float, str]:
    """Return width, height and content of the picture from left to right."""
    columns = max(box.depth for box in placed) + 1
    gap = 180 if columns <= 3 else 146
    width = min(240, (_WIDE - gap * (columns - 1)) // columns)
    tall = _box_height(placed)
    pitch = max(tall + _GAP, _LEAST_PITCH)
    above = (pitch - tall) / 2
    at = {box.node: (box.depth * (width + gap) + 1, above + box.row * pitch) for box in placed}
    content = ""
    for box in placed:
        x, y = at[box.node]
        if box.parent is not None:
            start = at[box.parent][0] + width, at[box.parent][1] + tall / 2
            content += _wide_arrow(steps[box.node], start, (x, y + tall / 2))
    content += "".join(_box(box, *at[box.node], width, tall) for box in placed)
    used = columns * width + (columns - 1) * gap
    return used + 2, (max(box.row for box in placed) + 1) * pitch, content


def _wide_arrow(step: Arrow, start: tuple[float, float], end: tuple[float, float]) -> str:
    bend = start[0] + 14
    room = int((end[0] - bend - 12) / _SMALL_LETTER)
    x, y = bend + 6, end[1]
    above = [("step", part) for part in _parts(step.name, room)]
    if step.blamed:
        above.insert(0, ("to-blame", "to blame:"))
    changed = [step.changed] if len(step.changed) <= room else _parts(step.briefly, room)
    below = [*(("", part) for part in changed), ("flips", step.flips), ("flips", step.effects)]
    lines = [
        *((kind, text, y - 9 - 15 * (len(above) - 1 - n)) for n, (kind, text) in enumerate(above)),
        *((kind, text, y + 18 + 15 * n) for n, (kind, text) in enumerate(below)),
    ]
    path = f"M{start[0]:.0f} {start[1]:.0f}H{bend:.0f}V{y:.0f}H{end[0] - 9:.0f}"
    return _line(step, path, f"M{end[0] - 1:.0f} {y:.0f}l-10 -6v12z") + _text(lines, x, room)


def _parts(name: str, room: int) -> list[str]:
    """Return a name in one line, or two of which it is broken at the blank nearest the middle."""
    blanks = [index for index, letter in enumerate(name) if letter == " "]
    if len(name) <= room or not blanks:
        return [name]
    middle = min(blanks, key=lambda index: abs(index - len(name) / 2))
    return [name[:middle], name[middle + 1 :]]


def _tall(placed: Sequence[Box], steps: dict[int, Arrow]) -> tuple[int, float, str]:
    """Return width, height and content of the picture that runs downwards."""
    deepest = max(box.depth for box in placed)
    indent = min(24, 120 // max(1, deepest))
    tall = _box_height(placed)
    at: dict[int, tuple[float, float]] = {}
    y = 4.0
    for box in placed:
        y += _label_height(steps[box.node]) if box.parent is not None else 0
        at[box.node] = (box.depth * indent + 1, y)
        y += tall + 12
    content = ""
    for box in placed:
        if box.parent is not None:
            content += _tall_arrow(steps[box.node], at[box.parent], at[box.node], (indent, tall))
    content += "".join(
        _box(box, *at[box.node], _NARROW - at[box.node][0] - 2, tall) for box in placed
    )
    return _NARROW, y - 4, content


def _label_height(step: Arrow) -> int:
    return _LABEL_HEIGHT + (16 if step.changed else 0)


def _tall_arrow(
    step: Arrow, parent: tuple[float, float], box: tuple[float, float], sizes: tuple[int, int]
) -> str:
    """Draw a step; ``sizes`` are how far a box is indented and how high it is."""
    x, y = parent[0] + min(11, sizes[0] / 2), box[1] + sizes[1] / 2
    top = box[1] - _label_height(step)
    room = int((_NARROW - box[0] - 8) / _SMALL_LETTER)
    blame = "  ◄ to blame" if step.blamed else ""
    flips = f"{step.flips}: {step.effects}" if step.effects else step.flips
    lines = [
        ("step", step.name + blame, top + 17.0),
        ("", _changed(step, room), top + 33.0),
        ("flips", flips, top + (49.0 if step.changed else 33.0)),
    ]
    path = f"M{x:.0f} {parent[1] + sizes[1]:.0f}V{y:.0f}H{box[0] - 6:.0f}"
    return _line(step, path, f"M{box[0]:.0f} {y:.0f}l-8 -5v10z") + _text(lines, box[0] + 6, room)


def _flat(placed: Sequence[Box], steps: dict[int, Arrow]) -> tuple[int, float, str]:
    """Return width, height and content of the picture of a long chain on a wide page."""
    indent = min(_FLAT_INDENT, 400 // max(box.depth for box in placed))
    pitch = _FLAT_HEIGHT + _FLAT_GAP
    at = {box.node: (box.depth * indent + 1, 4 + pitch * row) for row, box in enumerate(placed)}
    arrows = "".join(
        _flat_arrow(steps[box.node], at[box.parent], at[box.node], indent)
        for box in placed
        if box.parent is not None
    )
    content = arrows + "".join(_flat_box(box, *at[box.node]) for box in placed)
    return _WIDE, len(placed) * pitch - _FLAT_GAP + 8, content


def _flat_arrow(step: Arrow, parent: tuple[int, int], box: tuple[int, int], indent: int) -> str:
    x, y = parent[0] + indent / 2 - 2, box[1] + _FLAT_HEIGHT / 2
    room = int((_WIDE - box[0]) / _LETTER) - len(f"{step.name}{step.flips}{step.effects}") - 16
    parts = [("step", step.name), ("to-blame", "◄ to blame" if step.blamed else "")]
    parts += [("", _changed(step, room)), ("flips", step.flips), ("flips", step.effects)]
    spans = "".join(
        f'<tspan class="{kind}" dx="12">{escaped(text)}</tspan>' for kind, text in parts if text
    )
    path = f"M{x:.0f} {parent[1] + _FLAT_HEIGHT}V{y:.0f}H{box[0] - 6}"
    return (
        _line(step, path, f"M{box[0]} {y:.0f}l-8 -5v10z")
        + f'<text x="{box[0]}" y="{box[1] - 14}">{spans}</text>'
    )


def _flat_box(box: Box, x: int, y: int) -> str:
    place = f'x="{_WIDE - 32}" y="{y + 16}" width="20" height="20"'
    sign = mark(box.decision, place=place) if box.decision else ""
    room = _WIDE - 240 - x
    name = escaped(fitted(box.name, int(room / _LETTER)))
    facts = [("", " · ".join(filter(None, box.lines)), y + 41.0)]
    return (
        f'<rect class="box {box.decision or "full"}" x="{x}" y="{y}" width="{_WIDE - 1 - x}" '
        f'height="{_FLAT_HEIGHT}" rx="8"/>'
        f'<text class="model-name" x="{x + 14}" y="{y + 22}">{name}</text>'
        f"{_text(facts, x + 14, int(room / _SMALL_LETTER))}{sign}"
        f'<text class="figure" text-anchor="end" x="{_WIDE - 44}" y="{y + 31}">{box.figure} '
        f'<tspan class="quiet">[{box.interval}]</tspan></text>'
    )


def _changed(step: Arrow, room: int) -> str:
    return step.changed if len(step.changed) <= room else step.briefly


def _line(step: Arrow, path: str, head: str) -> str:
    """Return an arrow, the thicker the more answers changed: 2 to 6 pixels, from 10 % on."""
    width = 2 + 4 * min(1.0, step.share * 10)
    kind = " blamed" if step.blamed else ""
    return (
        f'<path class="arrow{kind}" d="{path}" style="stroke-width:{width:.1f}px"/>'
        f'<path class="arrow-head{kind}" d="{head}"/>'
    )


def _text(lines: Sequence[tuple[str, str, float]], x: float, room: int) -> str:
    return "".join(
        f'<text class="{kind}" x="{x:.0f}" y="{y:.0f}">{escaped(fitted(text, room))}</text>'
        for kind, text, y in lines
        if text
    )


def _box_height(placed: Sequence[Box]) -> int:
    return 58 + 16 * max(sum(map(bool, box.lines)) for box in placed)


def _box(box: Box, x: float, y: float, width: float, height: int) -> str:
    kind = box.decision or "full"
    room = int((width - 24) / _SMALL_LETTER)
    sign = ""
    if box.decision:
        place = f'x="{x + width - 31:.0f}" y="{y + 10:.0f}" width="20" height="20"'
        sign = mark(box.decision, place=place)
    name = fitted(box.name, int((width - 24 - (24 if sign else 0)) / _LETTER))
    lines = [("", text, y + 42 + 16 * n) for n, text in enumerate(filter(None, box.lines))]
    return (
        f'<rect class="box {kind}" x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" '
        f'height="{height}" rx="8"/>'
        f'<text class="model-name" x="{x + 12:.0f}" y="{y + 24:.0f}">{escaped(name)}</text>'
        f"{_text(lines, x + 12, room)}{sign}"
        f'<text class="figure" x="{x + 12:.0f}" y="{y + height - 12:.0f}">{box.figure} '
        f'<tspan class="quiet">[{box.interval}]</tspan></text>'
    )
