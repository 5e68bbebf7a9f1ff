"""What people and programs read of a comparison: a table, a page and a JSON document."""

from edge_runtime.report.document import report_json
from edge_runtime.report.html import report_html
from edge_runtime.report.table import report_table

__all__ = ["report_html", "report_json", "report_table"]
