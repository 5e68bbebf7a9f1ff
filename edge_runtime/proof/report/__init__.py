"""What people and programs read of a comparison: a table, a page, JSON, JUnit XML and Markdown."""

from edge_runtime.proof.report.document import report_json as report_json
from edge_runtime.proof.report.document import report_schema as report_schema
from edge_runtime.proof.report.html import notebook_html as notebook_html
from edge_runtime.proof.report.html import report_html as report_html
from edge_runtime.proof.report.junit import report_junit as report_junit
from edge_runtime.proof.report.markdown import report_markdown as report_markdown
from edge_runtime.proof.report.table import report_table as report_table
