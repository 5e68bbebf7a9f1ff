"""The small pieces of Markdown, safe for names that come from other people's files."""

import html
import re
from collections.abc import Iterable, Sequence

from edge_runtime.wording import printable, shortened

MOST_ROWS = 40
LONGEST_NAME = 60


def folded(summary: str, parts: Iterable[str]) -> str:
    """Return paragraphs that are shown on demand."""
    # The first line is HTML, in which Markdown's escapes mean nothing.
    title = html.escape(_without_links(printable(summary)), quote=False)
    body = "\n\n".join(parts)
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"


def table(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    numbers_from: int | None = None,
    most: int = MOST_ROWS,
) -> str:
    """Return a table; columns from ``numbers_from`` on are aligned to the right."""
    right = len(headings) if numbers_from is None else numbers_from
    rule = ["---" if column < right else "---:" for column in range(len(headings))]
    lines = [f"| {' | '.join(cells)} |" for cells in [headings, rule, *rows[:most]]]
    if len(rows) > most:
        lines += ["", f"and {len(rows) - most:,} more in report.json"]
    return "\n".join(lines)


def code(name: str, *, in_table: bool = False) -> str:
    """Return a name as a code span, in which Markdown, HTML and mentions mean nothing."""
    text = shortened(printable(name), LONGEST_NAME)
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    # One space on either side is no part of the span.
    inner = f" {text} " if longest or text != text.strip() else text or " "
    # A table looks for its bars before anything else, in code spans too.
    return f"{fence}{inner.replace('|', chr(92) + '|') if in_table else inner}{fence}"


def plain(text: str) -> str:
    """Return a sentence that Markdown shows as it is: no format, HTML, link, mention or formula."""
    escaped = re.sub(r"([\\`*_{}\[\]<>|~$])", r"\\\1", printable(text).replace("&", "&amp;"))
    return _without_links(escaped)


def _without_links(text: str) -> str:
    """Return text in which sites find no user, issue or address to link to; the space is unseen."""
    return re.sub(r"(@|#|://|\bwww\.|\bgh-)", "\\1\N{ZERO WIDTH SPACE}", text, flags=re.IGNORECASE)
