"""Draw pages and Markdown from templates with Jinja2, which is loaded no sooner than that."""

import re
from collections.abc import Callable, Mapping
from functools import cache, partial
from importlib.resources import files

from edge_runtime import wording
from edge_runtime.errors import MissingDependencyError
from edge_runtime.proof.report.markdown_markup import code, drawn, in_html, mark, plain

_HERE = __name__.rpartition(".")[0]
_WORDS = (
    *("distance", "fitted", "p_equals", "p_value", "percent", "percent_interval", "plural"),
    *("points", "points_allowed", "points_interval", "probability", "scores_interval", "signed"),
)
# No more than the layout of a template: from the end of a tag to the next.
_BETWEEN_TAGS = re.compile(r"(?<=[>}])(\n\s*)(?=[<{])")


def render(template: str, values: Mapping[str, object], *, package: str = _HERE) -> str:
    """Return a drawn template; whatever it shows is escaped, in Markdown as `plain` does it.

    Args:
        template: its file's name, which says what it makes: ".html.jinja" or ".md.jinja".
        values: what it shows.
        package: in whose folder `templates` it lies; those of this package can be used from there.

    Raises:
        MissingDependencyError: Jinja2 is not installed.
    """
    return _renderer(package, template.endswith(".md.jinja"))(template, values)


def source(name: str, *, package: str = _HERE) -> str:
    """Return a file from a package's folder of templates, or else from the one of this package.

    Raises:
        FileNotFoundError: neither has it.
    """
    for folder in (package, _HERE):
        file = files(folder) / "templates" / name
        if file.is_file():
            return file.read_text("utf-8")
    raise FileNotFoundError(f"There is no template {name}.")


@cache
def _renderer(package: str, is_markdown: bool) -> Callable[[str, Mapping[str, object]], str]:
    try:
        from jinja2 import Environment, FunctionLoader, StrictUndefined
        from markupsafe import Markup
    except ImportError as error:
        raise MissingDependencyError(
            f"The reports in HTML and Markdown need Jinja2, which cannot be imported ({error}); "
            "install it with: pip install jinja2"
        ) from error

    def safe(draw: Callable[..., str]) -> Callable[..., Markup]:
        return lambda *arguments, **options: Markup(draw(*arguments, **options))

    def finalized(value: object) -> object:
        if hasattr(value, "__html__"):
            return value  # is escaped already
        return Markup(plain(str(value))) if is_markdown else wording.printable(value)

    environment = Environment(
        loader=FunctionLoader(partial(_source, package=package, is_markdown=is_markdown)),
        autoescape=True,
        finalize=finalized,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        optimized=False,  # saves more than it takes where a template is drawn once
    )
    environment.filters |= {name: getattr(wording, name) for name in _WORDS}
    environment.filters |= {"compact": _compact, "cut": _cut, "number": _number}
    if is_markdown:
        pieces: dict[str, Callable[..., str]] = {
            "code": code,
            "in_html": in_html,
            "mark": mark,
            "table": drawn,
        }
        environment.filters |= {name: safe(draw) for name, draw in pieces.items()}
    return lambda template, values: environment.get_template(template).render(values)


def _source(name: str, package: str, is_markdown: bool) -> str:
    text = source(name, package=package)
    # In a comment the line breaks say nothing, and are still counted.
    return text if is_markdown else _BETWEEN_TAGS.sub(r"{#\1#}", text)


def _compact(count: int) -> str:
    """Return a count in four letters at most: 999, 12k, 3M."""
    if count < 10_000:
        return str(count)
    return f"{count // 1000}k" if count < 1_000_000 else f"{count // 1_000_000}M"


def _cut(text: str, limit: int = 60) -> str:
    return wording.shortened(wording.printable(text), limit)


def _number(value: float, decimals: int = 0) -> str:
    return f"{value:,.{decimals}f}"
