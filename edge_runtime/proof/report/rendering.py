"""Draw pages and Markdown from templates with Jinja2, which is loaded no sooner than that."""

from collections.abc import Mapping

from edge_runtime.errors import MissingDependencyError

_HERE = __name__.rpartition(".")[0]


def render(template: str, values: Mapping[str, object], *, package: str = _HERE) -> str:
    """Return a drawn template; whatever it shows is escaped, in Markdown as `plain` does it.

    Its name says what it makes, ".html.jinja" or ".md.jinja"; it lies in the folder `templates` of
    the package, and can use those of this one.

    Raises:
        MissingDependencyError: Jinja2 is not installed.
    """
    refuse_missing_jinja()
    from edge_runtime.proof.report.environment import environment

    folders = tuple(dict.fromkeys((package, _HERE)))
    drawn = environment(folders, is_markdown=template.endswith(".md.jinja"))
    return drawn.get_template(template).render(values)


def refuse_missing_jinja() -> None:
    """Raise MissingDependencyError unless Jinja2 can be imported; asked before slow work too."""
    try:
        import jinja2  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            f"The reports in HTML and Markdown need Jinja2, which cannot be imported ({error}); "
            "install it with: pip install jinja2"
        ) from error
