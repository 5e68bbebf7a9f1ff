"""Which columns and cells the tables of terminal, Markdown and page have; those only draw them."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from edge_runtime.proof.report.figures import Figures
from edge_runtime.wording import ABSENT


class Column(NamedTuple):
    """A column of a table.

    Attributes:
        unit: the second line of the heading, or what follows it in Markdown.
        text: what its cells say, as a format of a row's figures.
        note: likewise what they add, smaller on a page.
        kind: how they are drawn, as in "name" for what comes from outside; "" for figures and our
            own words, which Markdown takes as they are.
    """

    head: str
    unit: str
    text: str
    note: str = ""
    kind: str = ""


class Cell(NamedTuple):
    """What stands in a table: the filled formats of a column."""

    text: str
    note: str = ""
    kind: str = ""


class Row(NamedTuple):
    """A row of a table: its cells, and all figures that they were taken from."""

    cells: Sequence[Cell]
    figures: Figures


class Table(NamedTuple):
    """A table: headings with their units, and rows."""

    heads: Sequence[tuple[str, str]]
    rows: Sequence[Row]


MODELS_IN_TERMINAL = (
    Column("", "model", "{model}"),
    Column("size", "bytes", "{size_bytes}"),
    Column("median", "µs", "{median}"),
    Column("accuracy", "% [interval]", "{accuracy} [{accuracy_interval}]"),
    Column("change in points", "({sure} interval)", "{change} ({change_interval})"),
    Column("same", "%", "{same}"),
    Column("flips", "(lost/won)", "{flips} ({lost}/{won})"),
    Column("", "decision", "{decision}"),
)
MODELS_IN_MARKDOWN = (
    Column("model", "", "{model}", kind="name"),
    Column("accuracy", "% [95 %]", "{accuracy} [{accuracy_interval}]"),
    Column("change,", "points [{sure}]", "{change} [{change_interval}]"),
    Column("same answer", "%", "{same}"),
    Column("lost / won", "", "{lost} / {won}"),
    Column("bytes", "", "{size_bytes}"),
    Column("median", "µs", "{median}"),
)
MODELS_ON_PAGE = (
    Column("Model", "", "{model}", kind="name"),
    Column("Decision", "", "{decision}", kind="decision"),
    Column("Accuracy", "% [95 % interval]", "{accuracy}", "[{accuracy_interval}]", "strong"),
    Column("Change", "points ({sure} interval)", "{change}", "({change_interval})", "strong"),
    Column("p", "McNemar", "{p}"),
    Column("Same answer", "% [{sure} interval]", "{same}", "[{same_interval}]"),
    Column("Changed answers", "lost / won / neither", "{flips}", "{lost} / {won} / {neither}"),
    Column("Size", "", "{size}", "{size_note}"),
    Column("Median time", "µs per image", "{median}"),
)

STEPS_IN_TERMINAL = (
    Column("step", "", "{step}{blamed}"),
    Column("models", "", "{before} → {after}"),
    Column("what changed", "", "{changed}"),
    Column("flips (lost/won)", "", "{flips} ({lost}/{won})"),
)
STEPS_IN_MARKDOWN = (
    Column("step", "", "{step}", "{blamed}", "blamed"),
    Column("from → to", "", "{before}", "{after}", "path"),
    Column("what changed", "", "{changed}", kind="outside"),
    Column("changed answers", "", "{flips}"),
    Column("lost / won", "", "{lost} / {won}"),
)
STEPS_ON_PAGE = (
    Column("Step", "", "{step}", "{blamed}", "blamed"),
    Column("From", "", "{before}", kind="name"),
    Column("To", "", "{after}", kind="name"),
    Column("What changed", "", "{changed}"),
    Column("Flips", "lost / won / neither", "{flips}", "{lost} / {won} / {neither}"),
    Column("Change", "points ({sure} interval)", "{change}", "({change_interval})"),
)

DEMANDS_IN_TERMINAL = (
    Column("asked of", "", "{name}"),
    Column("what", "", "{demanded}"),
    Column("measured", "", "{measured}"),
    Column("decision", "", "{decision}"),
)
DEMANDS_IN_MARKDOWN = (
    Column("", "", "{decision}", kind="decision"),
    Column("of", "", "{name}", "{kind}", "owner"),
    Column("demand", "", "{demanded}"),
    Column("found", "", "{found}", kind="sentence"),
)
DEMANDS_ON_PAGE = (
    Column("Model or step", "", "{name}", "{kind}", "owner"),
    Column("Demand", "", "{what}"),
    Column("Asked", "", "{asked}"),
    Column("Measured", "", "{measured}", "{worst}", "worst"),
    Column("{sure} interval", "", "{interval}"),
    Column("Decision", "", "{decision}", "{reason}", "decision"),
)

CLASSES_IN_MARKDOWN = (
    Column("class", "", "{class}", kind="name"),
    Column("recall", "%", "{before} → {after}"),
    Column("change,", "points [95 %]", "{change} [{interval}]"),
    Column("lost / won", "", "{lost} / {won}"),
    Column("", "", "{chance}", kind="sentence"),
)
CLASSES_ON_PAGE = (
    Column("Class", "", "{class}", kind="class"),
    Column("Full", "% found", "{before}"),
    Column("Converted", "% found", "{after}"),
    Column("Change", "points", "{change}", kind="tone"),
    Column("Interval", "95 %", "{interval}"),
    Column("Images", "lost / won of", "{lost} / {won}", "of {total}"),
    Column("p", "Holm", "{p}"),
    Column("", "worse ← 0 → better", "", kind="chart"),
)

FLIPS_IN_MARKDOWN = (
    Column("image", "", "{image}"),
    Column("is", "", "{label}", kind="name"),
    Column("full model", "", "{before}", "{before_sure} %", "name"),
    Column("converted", "", "{after}", "{after_sure} %", "name"),
    Column("effect", "", "{effect}"),
    Column("arose at", "", "{blame}"),
)
MEASURED_IN_MARKDOWN = (
    Column("model", "", "{model}", kind="name"),
    Column("dataset", "", "{dataset}", kind="outside"),
    Column("runtime", "", "{runtime}", kind="outside"),
    Column("CPU", "", "{cpu}", kind="outside"),
    Column("threads", "", "{threads}", kind="outside"),
    Column("file, SHA-256", "", "{model_sha256}", kind="outside"),
)


def table(columns: Sequence[Column], rows: Iterable[Figures], sure: str = "95 %") -> Table:
    """Return a table; the confidence of intervals is named in its headings.

    Where a figure is missing the cell has a dash, or no note.
    """
    return Table(
        [(each.head.format(sure=sure), each.unit.format(sure=sure)) for each in columns],
        [Row([_cell(column, figures) for column in columns], figures) for figures in rows],
    )


def _cell(column: Column, figures: Figures) -> Cell:
    try:
        text, note = column.text.format_map(figures), column.note.format_map(figures)
    except KeyError:
        return Cell(ABSENT)
    return Cell(text, note, column.kind)
