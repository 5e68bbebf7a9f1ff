"""The environment in which templates are drawn; what imports this module loads Jinja2."""

import pickle
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache, partial
from importlib.resources import files
from pathlib import Path

import jinja2
from markupsafe import Markup

from edge_runtime import wording
from edge_runtime.proof.report import markdown_markup
from edge_runtime.wording import printable

_WORDS = (
    *("distance", "fitted", "p_equals", "p_value", "percent", "percent_interval", "plural"),
    *("points", "points_allowed", "points_interval", "probability", "scores_interval", "signed"),
)
_MARKDOWN: dict[str, Callable[..., str]] = {
    "code": partial(markdown_markup.code, in_table=True),
    "in_html": markdown_markup.in_html,
    "mark": markdown_markup.mark,
    "table": markdown_markup.drawn,
}
# No more than the layout of a template: from the end of a tag to the next.
_BETWEEN_TAGS = re.compile(r"(?<=[>}])(\n\s*)(?=[<{])")


@cache
def environment(packages: tuple[str, ...], *, is_markdown: bool) -> jinja2.Environment:
    """Return an environment that escapes whatever is shown, and refuses what is not there.

    A template, of Markdown or else of HTML, is the first that a package has in `templates`.
    """
    found = jinja2.Environment(
        loader=jinja2.FunctionLoader(partial(_source, packages, is_markdown=is_markdown)),
        autoescape=True,
        finalize=_as_markdown if is_markdown else _as_text,
        undefined=jinja2.StrictUndefined,
        bytecode_cache=_Compiled(f"{files(packages[0])}/templates/__pycache__", "%s.pyc"),
        optimized=False,  # saves more than it takes where a template is drawn once
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.globals["source"] = partial(_source, packages, is_markdown=True)
    found.filters |= {name: getattr(wording, name) for name in _WORDS}
    found.filters |= {"compact": _compact, "cut": wording.called, "number": _number}
    if is_markdown:
        found.filters |= {name: _safe(draw) for name, draw in _MARKDOWN.items()}
    return found


class _Compiled(jinja2.FileSystemBytecodeCache):
    """Keeps compiled templates as Python does modules: beside them, if that can be written to."""

    def get_cache_key(self, name: str, filename: str | None = None) -> str:
        """Return the name of the file; another version of Jinja2 has files of its own."""
        return f"{name}.{sys.implementation.cache_tag}-jinja2-{jinja2.__version__}"

    def load_bytecode(self, bucket: jinja2.bccache.Bucket) -> None:
        """Load what is kept; what is damaged is compiled anew."""
        with suppress(OSError, EOFError, pickle.UnpicklingError):
            super().load_bytecode(bucket)

    def dump_bytecode(self, bucket: jinja2.bccache.Bucket) -> None:
        """Keep it, unless Python itself would not."""
        if not sys.dont_write_bytecode:
            with suppress(OSError):
                Path(self.directory).mkdir(exist_ok=True)
                super().dump_bytecode(bucket)


def _source(packages: Sequence[str], name: str, *, is_markdown: bool) -> str | None:
    """Return a template; the line breaks between two tags of HTML are only its layout."""
    for package in packages:
        file = files(package) / "templates" / name
        if file.is_file():
            text = file.read_text("utf-8")
            # In a comment the line breaks say nothing, and are still counted.
            return text if is_markdown else _BETWEEN_TAGS.sub(r"{#\1#}", text)
    return None


def _as_text(value: object) -> object:
    return value if hasattr(value, "__html__") else printable(value)


def _as_markdown(value: object) -> object:
    return value if hasattr(value, "__html__") else Markup(markdown_markup.plain(str(value)))


def _safe(draw: Callable[..., str]) -> Callable[..., Markup]:
    """Return a function whose Markdown is escaped already."""
    return lambda *arguments, **options: Markup(draw(*arguments, **options))


def _compact(count: int) -> str:
    """Return a count in four letters at most: 999, 12k, 3M."""
    if count < 10_000:
        return str(count)
    return f"{count // 1000}k" if count < 1_000_000 else f"{count // 1_000_000}M"


def _number(value: float, decimals: int = 0) -> str:
    return f"{value:,.{decimals}f}"
