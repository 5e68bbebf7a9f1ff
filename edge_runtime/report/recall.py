"""Recall by class, of the full model and of a converted one, as tables with a chart in each row."""

from collections.abc import Sequence

from edge_runtime.parity import Comparison
from edge_runtime.report.charts import recall_axis, recall_chart
from edge_runtime.report.entries import ClassRecall, class_recalls
from edge_runtime.report.markup import escaped, folded, scroller
from edge_runtime.wording import ABSENT, percent, plural, points


class RecallTables:
    """The recalls of one converted model beside those of the full one, on a common axis."""

    def __init__(self, comparison: Comparison, model: str, class_names: tuple[str, ...]) -> None:
        self._model = model
        self._changed, self._unchanged = class_recalls(comparison, class_names)
        rows = [*self._changed, *self._unchanged]
        self._axis = recall_axis([rate for row in rows for rate in (row.full, row.converted)])

    def section(self) -> str:
        """Return the classes that changed, the largest loss first, and the others folded."""
        if not self._changed:
            return f"<p>Every class is found as often as before.</p>{self.unchanged_classes()}"
        return (
            "<p>The share of a class's images that is found. The largest loss comes first.</p>"
            '<p class="keys quiet"><span><i class="key ring"></i>full model</span> '
            f'<span><i class="key disc worse"></i>{escaped(self._model)}, worse</span> '
            f'<span><i class="key disc better"></i>{escaped(self._model)}, better</span></p>'
            f"{self._table(self._changed)}{self.unchanged_classes()}"
        )

    def unchanged_classes(self) -> str:
        """Return the classes that are found as often as before, folded."""
        if not self._unchanged:
            return ""
        count = plural(len(self._unchanged), "class", "classes")
        return folded(f"Recall of {count} found as often as before", self._table(self._unchanged))

    def _table(self, rows: Sequence[ClassRecall]) -> str:
        head = (
            '<tr><th scope="col">Class</th><th scope="col">Full <small>%</small></th>'
            f'<th scope="col">{escaped(self._model)} <small>%</small></th>'
            '<th scope="col">Change <small>points</small></th>'
            '<th scope="col">Found <small>images</small></th>'
            f'<th scope="col"><span class="scale"><span>{percent(self._axis.low, 0)} %</span>'
            "<span>100 %</span></span></th></tr>"
        )
        body = "".join(self._row(row) for row in rows)
        table = f'<table class="recalls"><thead>{head}</thead><tbody>{body}</tbody></table>'
        return scroller(table, f"Recall by class, full model and {self._model}")

    def _row(self, row: ClassRecall) -> str:
        kind = "worse" if row.found_more < 0 else "better" if row.found_more else ""
        return (
            f'<tr><th scope="row">{escaped(row.name)}</th><td>{percent(row.full.value)}</td>'
            f"<td>{percent(row.converted.value)}</td>"
            f'<td class="{kind}">{points(row.difference) if row.full.total else ABSENT}</td>'
            f"<td>{_found(row)}</td>"
            f'<td class="plot">{recall_chart(row.full, row.converted, self._axis)}</td></tr>'
        )


def _found(row: ClassRecall) -> str:
    if not row.full.total:
        return "no test images"
    change = f"{row.full.successes:,} → " if row.found_more else ""
    return f"{change}{row.converted.successes:,} of {row.full.total:,}"
