"""What was demanded and what became of it, as a table."""

from edge_runtime.proof.parity import ParityReport
from edge_runtime.proof.parity.verdict import undecided_among_many
from edge_runtime.proof.report.judged import Judged, judged_demands
from edge_runtime.proof.report.markup import escaped, folded, named, row, table, verdict_tag
from edge_runtime.wording import plural

# What holds is folded from so many rows on; what does not never is.
_MOST_ROWS = 8
_LONGEST_NAME = 60


def contract_section(report: ParityReport) -> str:
    """Return every demand with limit, measured value, interval and decision."""
    found = judged_demands(report)
    if not found:
        return (
            '<section id="contract"><h2>What was asked</h2><p>The contract asks for nothing, so '
            "nothing can be broken.</p></section>\n"
        )
    urgent = sum(demand.check.decision != "holds" for demand in found)
    shown = found[: max(urgent, _MOST_ROWS)]
    rest = found[len(shown) :]
    others = (
        folded(f"{plural(len(rest), 'more demand')} that hold", _table(report, rest))
        if rest
        else ""
    )
    return (
        f'<section id="contract"><h2>What was asked</h2>{_table(report, shown)}{others}</section>\n'
    )


def _table(report: ParityReport, some: list[Judged]) -> str:
    heads = (
        ("Model or step", ""),
        ("Demand", ""),
        ("Asked", ""),
        ("Measured", ""),
        (f"{report.contract.confidence * 100:g} % interval", ""),
        ("Decision", ""),
    )
    return table("contract", heads, [_row(demand, report) for demand in some])


def _row(demand: Judged, report: ParityReport) -> str:
    reason = undecided_among_many(demand.check, report)
    note = f" <small>{escaped(reason)}</small>" if reason else ""
    step = "<small>step</small> " if demand.group.kind == "step" else ""
    worst = f" <small>worst: {named(demand.worst_class)}</small>" if demand.worst_class else ""
    return row(
        f"{step}{named(demand.group.name, _LONGEST_NAME)}",
        (
            escaped(demand.what),
            escaped(demand.asked),
            f"<b>{escaped(demand.measured)}</b>{worst}",
            escaped(demand.interval),
            f"{verdict_tag(demand.check.decision)}{note}",
        ),
    )
