"""What people and programs read of a comparison: a table, a page, JSON, JUnit XML and Markdown."""

from edge_runtime.proof.report.document import report_json, report_schema
from edge_runtime.proof.report.html import notebook_html, report_html
from edge_runtime.proof.report.junit import report_junit
from edge_runtime.proof.report.markdown import report_markdown
from edge_runtime.proof.report.table import report_table

__all__ = [
    "notebook_html",
    "report_html",
    "report_json",
    "report_junit",
    "report_markdown",
    "report_schema",
    "report_table",
]
