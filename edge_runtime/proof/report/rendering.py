"""Draw pages and Markdown from templates with Jinja2, which is loaded no sooner than that."""

import re
from collections.abc import Callable, Mapping
from functools import cache, partial
from importlib.resources import files

from edge_runtime import wording
from edge_runtime.errors import MissingDependencyError
from edge_runtime.proof.report.markdown_markup import code, drawn, in_html, mark, plain
from edge_runtime.wording import printable, shortened

_HERE = __name__.rpartition(".")[0]
_WORDS = (
    *("distance", "fitted", "p_equals", "p_value", "percent", "percent_interval", "plural"),
    *("points", "points_allowed", "points_interval", "probability", "scores_interval", "signed"),
)
# What is no more than the layout of a template, from the end of one tag to the next.
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
    folders = [files(each) / "templates" for each in dict.fromkeys((package, _HERE))]
    found = [folder / name for folder in folders if (folder / name).is_file()]
    if not found:
        raise FileNotFoundError(f"There is no template {name}.")
    return found[0].read_text("utf-8")


@cache
def _renderer(package: str, markdown: bool) -> Callable[[str, Mapping[str, object]], str]:
    try:
        from jinja2 import Environment, FunctionLoader, StrictUndefined
        from markupsafe import Markup
    except ImportError as error:
        raise MissingDependencyError(
            f"The reports in HTML and Markdown need Jinja2, which cannot be imported ({error}); "
            "install it with: pip install jinja2"
        ) from error

    def safe_in_markdown(value: object) -> object:
        return value if hasattr(value, "__html__") else Markup(plain(str(value)))

    environment = Environment(
        loader=FunctionLoader(partial(_markdown if markdown else _page, package=package)),
        autoescape=True,
        finalize=safe_in_markdown if markdown else _printable,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {name: getattr(wording, name) for name in _WORDS}
    environment.filters |= {
        "cut": lambda text, limit=60: shortened(printable(text), limit),
        "number": lambda value, decimals=0: f"{value:,.{decimals}f}",
    }
    if markdown:
        pieces = {"code": code, "in_html": in_html, "mark": mark, "table": drawn}
        environment.filters |= {
            name: lambda *args, _draw=draw, **options: Markup(_draw(*args, **options))
            for name, draw in pieces.items()
        }
    return lambda template, values: environment.get_template(template).render(values)


def _printable(value: object) -> object:
    return value if hasattr(value, "__html__") else printable(value)


def _page(name: str, package: str) -> str:
    # In a comment the line breaks say nothing, and are still counted.
    return _BETWEEN_TAGS.sub(r"{#\1#}", source(name, package=package))


_markdown = partial(source)
