"""The small pieces of HTML that every part of the page is made of."""

import html
from collections.abc import Iterable, Sequence

from edge_runtime.proof.parity import Decision
from edge_runtime.wording import printable, shortened

_LONGEST_NAME = 80

# Marks differ in shape as well as in colour: not everybody sees the colours, nor every printer.
_MARK_PATHS: dict[Decision, str] = {
    "holds": '<circle cx="12" cy="12" r="12"/><path d="M6.5 12.6l3.7 3.8 7.3-8"/>',
    "inconclusive": '<path d="M12 .5L24.5 23H-.5z"/><path d="M12 9v6.5M12 19.2v.1"/>',
    "broken": '<path d="M7 0h10l7 7v10l-7 7H7l-7-7V7z"/><path d="M8 8l8 8M16 8l-8 8"/>',
}


def escaped(value: object) -> str:
    """Return text that is only text in HTML, in quoted attributes too."""
    return html.escape(printable(value), quote=True)


def named(name: str, limit: int = _LONGEST_NAME) -> str:
    """Return a name from outside: escaped, not endless, its direction kept to itself."""
    return f"<bdi>{escaped(shortened(printable(name), limit))}</bdi>"


def mark(decision: Decision, *, place: str = "") -> str:
    """Return the sign of a decision: tick in a disc, bar in a triangle, cross in an octagon.

    Args:
        decision: what was decided.
        place: where it goes inside another SVG, as in 'x="3" y="4" width="16" height="16"'.
    """
    return (
        f'<svg class="mark {decision}" viewBox="-1 -1 26 26" aria-hidden="true" {place}>'
        f"{_MARK_PATHS[decision]}</svg>"
    )


def verdict_tag(decision: Decision) -> str:
    """Return mark and word of a decision."""
    return f'<span class="verdict-tag {decision}">{mark(decision)} {decision}</span>'


def scroller(content: str, label: str, *, css_class: str = "") -> str:
    """Return wide content in a container that scrolls by itself, by keyboard too."""
    classes = f"scroller {css_class}".strip()
    return (
        f'<div class="{classes}" role="region" tabindex="0" aria-label="{escaped(label)}">'
        f"{content}</div>"
    )


def folded(summary: str, content: str) -> str:
    """Return content that is shown on demand."""
    return f"<details><summary>{escaped(summary)}</summary>{content}</details>"


def table(css_class: str, heads: Sequence[tuple[str, str]], rows: Iterable[str]) -> str:
    """Return a table from its headings, each with a unit or "", and its rows as HTML."""
    head = "".join(f'<th scope="col">{name} <small>{unit}</small></th>' for name, unit in heads)
    return (
        f'<table class="{css_class}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def row(head: str, cells: Iterable[str], *, css_class: str = "") -> str:
    """Return a row of a table from its heading and its other cells, all HTML."""
    columns = "".join(f"<td>{cell}</td>" for cell in cells)
    opening = f'<tr class="{css_class}">' if css_class else "<tr>"
    return f'{opening}<th scope="row">{head}</th>{columns}</tr>'


def tile(term: str, value: str, note: str) -> str:
    """Return one figure, large, with what it is and a note; all HTML."""
    return (
        f'<div class="tile"><span class="term">{term}</span>'
        f"<strong>{value}</strong><small>{note}</small></div>"
    )


def definitions(pairs: Iterable[tuple[str, str]], *, css_class: str) -> str:
    """Return terms, each with what it means or what its value is."""
    items = "".join(
        f"<div><dt>{escaped(term)}</dt><dd>{escaped(value)}</dd></div>" for term, value in pairs
    )
    return f'<dl class="{css_class}">{items}</dl>'
