"""The report for a terminal: plain text, as wide as it is, at most 100 columns."""

import textwrap
from collections.abc import Sequence

from edge_runtime.proof.metrics import PairedCounts, decimals_for
from edge_runtime.proof.parity import Comparison, Judgement
from edge_runtime.proof.parity.verdict import verdict_sentence
from edge_runtime.proof.report import once, tables
from edge_runtime.proof.report.demands import demand_figures
from edge_runtime.proof.report.figures import (
    Figures,
    class_figures,
    model_figures,
    ordered,
    step_figures,
    twin,
)
from edge_runtime.proof.report.grid import WIDTH, aligned
from edge_runtime.proof.report.sentences import movements, threshold_sentence
from edge_runtime.proof.report.tables import Table
from edge_runtime.wording import (
    columns,
    fitted,
    p_equals,
    p_value,
    percent,
    percent_interval,
    plural,
    printable,
    probability,
    scores_interval,
    signed,
)

_NAME_WIDTH = 30
_LEAST_CHANGE = 16
_MOST_CLASSES = 3
_MOST_BEYOND = 5
_MOST_DEMANDS = 12
_MOST_ABSENT = 5
_THRESHOLD = 0.80
# Float models of the same weights differ by less; an int8 softmax has steps of 1/256.
_ROUNDING = 0.001

_CLASS = "{before:>5} → {after:>5} %  {change:>6} points ({interval}), p {p}"
_LEGEND = (
    "Flips: images whose answer changed; lost: from right to wrong; won: from wrong to right.",
    "The interval of the change is the contract's, all others are at 95 %.",
)


def report_table(report: Judgement, width: int = WIDTH) -> str:
    """Return the report as plain text, without a newline at the end.

    A line takes at most ``width`` columns of the terminal; 72 to 100 are readable.
    """
    about = [_subject(report), *([report.basis.in_words] if report.basis else [])]
    moved = [
        _wrapped(f"{fitted(printable(name), _NAME_WIDTH)}: {words}", width, others="  ")
        for name, words in movements(report)
    ]
    blocks = [
        [line for sentence in about for line in _wrapped(sentence, width)],
        _models(report, width),
        _steps(step_figures(report), width),
        *moved,
        [line for sentence in _LEGEND for line in _wrapped(sentence, width)],
        _contract(demand_figures(report), width),
        *(_classes(report, item, width) for item in report.comparisons),
        _wrapped(printable(verdict_sentence(report)), width),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def _wrapped(sentence: str, width: int, *, first: str = "", others: str = "") -> list[str]:
    """Return a sentence in lines, which begin as is said."""
    wide = columns(sentence) > len(sentence)
    return textwrap.wrap(
        sentence, width // 2 if wide else width, initial_indent=first, subsequent_indent=others
    )


def _lines(found: Table, width: int, left: int, optional: Sequence[int] = ()) -> list[str]:
    """Return a table as lines; ``left`` and ``optional`` are those of `aligned`."""
    heads = [list(line) for line in zip(*found.heads, strict=True) if any(line)]
    rows = [[cell.text for cell in row.cells] for row in found.rows]
    return aligned(heads, rows, width=width, left=left, optional=optional)


def _subject(report: Judgement) -> str:
    dataset = report.reference.details.get("dataset")
    origin = f" of {printable(dataset)}" if dataset else ""
    classes = plural(len(report.reference.class_names), "class", "classes")
    subject = f"{plural(len(report.reference), 'test image')}{origin}, {classes}"
    absent = report.reference.absent_classes
    if not absent:
        return subject
    more = f" and {len(absent) - _MOST_ABSENT:,} more" if len(absent) > _MOST_ABSENT else ""
    shown = ", ".join(fitted(printable(name), _NAME_WIDTH) for name in absent[:_MOST_ABSENT])
    return f"{subject}; none of the images is: {shown}{more}"


def _models(report: Judgement, width: int) -> list[str]:
    # What nobody measured gets no column, and what a name needs more is left out first; on narrow
    # terminals also how many answers are the same, which is said below the table again.
    optional = (2, 1) if width >= WIDTH else (2, 1, 5)
    found = tables.table(tables.MODELS_IN_TERMINAL, model_figures(report), report.contract.sure)
    return _lines(found, width, 1, optional)


def _steps(steps: Sequence[Figures], width: int) -> list[str]:
    name_width = 15 if width >= WIDTH else 12
    limits = {"step": 31, "before": name_width, "after": name_width}
    cut = [
        step
        | {key: fitted(step[key], limit) for key, limit in limits.items()}
        | {"blamed": f" ◄ {step['blamed']}" if step["blamed"] else ""}
        for step in steps
    ]
    found = tables.table(tables.STEPS_IN_TERMINAL, cut)
    rows = [[cell.text for cell in row.cells] for row in found.rows]
    taken = [max(map(columns, cells)) + 2 for cells in zip(dict(found.heads), *rows, strict=True)]
    room = max(_LEAST_CHANGE, width - sum(taken) + taken[2])
    told = [step | {"changed": _changed(step, room)} for step in cut]
    return _lines(tables.table(tables.STEPS_IN_TERMINAL, told), width, 3)


def _changed(step: Figures, room: int) -> str:
    """Return what changed, from what to what only where there is room for it."""
    return step["changed"] if columns(step["changed"]) <= room else fitted(step["briefly"], room)


def _contract(demands: Sequence[Figures], width: int) -> list[str]:
    """Return the demands, unless the table above says all of them."""
    if all(map(_is_in_models_table, demands)):
        return []
    room = {"name": 32, "demanded": width - 43}
    cut = [
        demand | {key: fitted(demand[key], limit) for key, limit in room.items()}
        for demand in demands[:_MOST_DEMANDS]
    ]
    lines = _lines(tables.table(tables.DEMANDS_IN_TERMINAL, cut), width, 2)
    more = len(demands) - _MOST_DEMANDS
    return lines + ([f"and {more:,} more in the reports"] if more > 0 else [])


def _is_in_models_table(demand: Figures) -> bool:
    """Say whether a demand is decided by a column of the table of all models, as far as it says."""
    told = [("accuracy", demand["decision"]), ("agreement", "holds")]
    return demand["kind"] == "model" and (demand["demand"], demand["decision"]) in told


def _classes(report: Judgement, item: Comparison, width: int) -> list[str]:
    """Return what became of one model's classes, cells and confidences."""
    model, counts = fitted(printable(item.model), _NAME_WIDTH), item.counts
    names = report.reference.class_names
    same = twin(report, item)
    if same is not None:
        other = fitted(printable(report.comparisons[same - 1].model), _NAME_WIDTH)
        return [f"{model}: exactly as {other}"]
    if not counts.flips:
        return [f"{model}: no answer changed", *_confidence_lines(counts, width)]
    decimals = decimals_for(counts.image_count)
    agreement = percent_interval(once.same_interval(counts, 0.95), decimals)
    same_answers = (
        f"{model}: {percent(counts.agreement.value, decimals)} % [{agreement}] the same; equally "
        f"accurate: {p_equals(counts.mcnemar_p_value)} (McNemar)"
    )
    return [
        *_wrapped(same_answers, width, others="  "),
        *_class_lines(counts, names, width),
        *_cell_lines(counts, names, width),
        *_confidence_lines(counts, width),
    ]


def _confidence_lines(counts: PairedCounts, width: int) -> list[str]:
    """Return what became of the confidences; nothing where they are the same but for rounding."""
    if counts.largest_difference < _ROUNDING:
        return []
    interval = scores_interval(once.brier_interval(counts, 0.95))
    rise = f"{signed(counts.brier_rise.mean, 4)} ({interval})"
    confidence = (
        f"calibration error {percent(counts.reference_confidence.ece)} → "
        f"{percent(counts.candidate_confidence.ece)} %; Brier score {rise}; a probability moved by "
        f"{probability(counts.largest_difference)} at most"
    )
    threshold = threshold_sentence(counts.at_threshold(_THRESHOLD), counts.image_count)
    sentences = (confidence, threshold)
    return [line for each in sentences for line in _wrapped(each, width, first="  ", others="    ")]


def _class_lines(counts: PairedCounts, class_names: Sequence[str], line_width: int) -> list[str]:
    """Return the classes beyond chance, or else the few that lost most."""
    changes = ordered(once.class_changes(counts))
    beyond = [change for change in changes if change.beyond_chance]
    losing = [change for change in changes if change.difference < 0]
    shown = [
        class_figures(change, class_names)
        for change in beyond[:_MOST_BEYOND] or losing[:_MOST_CLASSES]
    ]
    # The figures behind a name take 62 columns at most.
    limit = min(_NAME_WIDTH, line_width - 62)
    names = [fitted(figures["class"], limit) for figures in shown]
    width = max(map(columns, names), default=0)
    lines = [
        f"  {name}{' ' * (width - columns(name))}  {_CLASS.format_map(figures)}"
        for name, figures in zip(names, shown, strict=True)
    ]
    if not beyond:
        return [*lines, "  no class changed beyond chance (Holm)"]
    rest = "; the others are in the reports" if len(beyond) > len(shown) else ""
    return [*lines, f"  {plural(len(beyond), 'class', 'classes')} changed beyond chance{rest}"]


def _cell_lines(counts: PairedCounts, class_names: Sequence[str], width: int) -> list[str]:
    """Return the confusions that moved beyond chance."""
    limit = min(24, (width - 48) // 2)
    changes = once.cell_changes(counts)
    beyond = [change for change in changes if change.beyond_chance and change.true != change.answer]
    return [
        f"  {fitted(printable(class_names[change.true]), limit)} taken for "
        f"{fitted(printable(class_names[change.answer]), limit)}: {change.entered:,} more, "
        f"{change.left:,} fewer, p {p_value(change.p_value)}"
        for change in beyond[:_MOST_CLASSES]
    ]
