"""The small pieces of HTML that every part of the page is made of."""

import html
from collections.abc import Iterable, Mapping

from edge_runtime.parity import Decision
from edge_runtime.wording import printable

# Marks differ in shape as well as in colour: not everybody sees the colours, nor every printer.
_MARK_PATHS: dict[Decision, str] = {
    "holds": '<circle cx="12" cy="12" r="12"/><path d="M6.5 12.6l3.7 3.8 7.3-8"/>',
    "inconclusive": '<path d="M12 1L24 22H0z"/><path d="M12 9v6M12 18.6v.1"/>',
    "broken": '<path d="M7 0h10l7 7v10l-7 7H7l-7-7V7z"/><path d="M8 8l8 8M16 8l-8 8"/>',
}


def escaped(value: object) -> str:
    """Return text that is only text in HTML, in quoted attributes too."""
    return html.escape(printable(value), quote=True)


def mark(decision: Decision) -> str:
    """Return the sign of a decision: a tick in a disc, a bar in a triangle, a cross in an octagon."""
    return (
        f'<svg class="mark {decision}" viewBox="0 0 24 24" aria-hidden="true">'
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


def definitions(pairs: Iterable[tuple[str, str]], *, css_class: str) -> str:
    """Return terms, each with what it means or what its value is."""
    items = "".join(
        f"<div><dt>{escaped(term)}</dt><dd>{escaped(value)}</dd></div>" for term, value in pairs
    )
    return f'<dl class="{css_class}">{items}</dl>'


def flattened(details: Mapping[str, object], prefix: str = "") -> list[tuple[str, str]]:
    """Return nested details as pairs of a readable key and its value."""
    pairs: list[tuple[str, str]] = []
    for key, value in details.items():
        name = f"{prefix}{key}".replace("_", " ")
        if isinstance(value, Mapping):
            pairs += flattened(value, f"{name}, ")
        else:
            pairs.append((name, f"{value:,.1f}" if isinstance(value, float) else str(value)))
    return pairs
