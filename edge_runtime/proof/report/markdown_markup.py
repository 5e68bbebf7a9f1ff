"""The small pieces of Markdown, safe for names that come from other people's files."""

import html
import re
from collections.abc import Sequence

from edge_runtime.proof.report.tables import Cell, Table
from edge_runtime.wording import called, printable

MOST_ROWS = 40
LONGEST_NAME = 60

_MARKS = {"holds": "✅", "inconclusive": "⚠️", "broken": "❌"}


def table(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    numbers_from: int | None = None,
    most: int = MOST_ROWS,
    count: int | None = None,
) -> str:
    """Return a table.

    Args:
        headings: one for each column, as Markdown.
        rows: the cells, as Markdown.
        numbers_from: columns from this one on are aligned to the right.
        most: so many rows are shown.
        count: how many there are; by default those that are given.
    """
    right = len(headings) if numbers_from is None else numbers_from
    rule = ["---" if column < right else "---:" for column in range(len(headings))]
    lines = [f"| {' | '.join(cells)} |" for cells in [headings, rule, *rows[:most]]]
    more = (len(rows) if count is None else count) - min(len(rows), most)
    if more:
        lines += ["", f"and {more:,} more in report.json"]
    return "\n".join(lines)


def drawn(found: Table, numbers_from: int | None = None, count: int | None = None) -> str:
    """Return a table of a report as Markdown; the arguments are those of `table`."""
    headings = [f"{head} {unit}".rstrip() for head, unit in found.heads]
    rows = [[_cell(cell) for cell in row.cells] for row in found.rows[:MOST_ROWS]]
    count = len(found.rows) if count is None else count
    return table(headings, rows, numbers_from=numbers_from, count=count)


def _cell(cell: Cell) -> str:
    name, note = code(cell.text, in_table=True), cell.note
    match cell.kind:
        case "name":
            return f"{name} {note}".rstrip()
        case "owner":
            return f"{note} {name}"
        case "path":
            return f"{name} → {code(note, in_table=True)}"
        case "decision":
            return f"{mark(cell.text)} {cell.text}"
        case "blamed":
            return f"{cell.text} ← {note}" if note else cell.text
        case "sentence":
            return plain(cell.text)
        case "outside":
            return plain(called(cell.text, 2 * LONGEST_NAME))
    return cell.text


def mark(decision: str) -> str:
    """Return the sign of a decision."""
    return _MARKS[decision]


def code(name: str, *, in_table: bool = False) -> str:
    """Return a name as a code span, in which Markdown, HTML and mentions mean nothing."""
    text = called(name, LONGEST_NAME)
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


def in_html(text: str) -> str:
    """Return a text for a line of HTML within Markdown, in which the escapes of `plain` fail."""
    return html.escape(_without_links(printable(text)), quote=False)


def _without_links(text: str) -> str:
    """Return text in which sites find no user, issue or address to link to; the space is unseen."""
    return re.sub(r"(@|#|://|\bwww\.|\bgh-)", "\\1\N{ZERO WIDTH SPACE}", text, flags=re.IGNORECASE)
