"""`--help` in parts: the options that matter first, the rest under headings, then examples."""

from collections.abc import Callable, Sequence
from typing import Any

import click

# Where an option stands, by its parameter's name; what is not named here comes first.
_HEADINGS = {
    "Data": "run_name runs_dir dataset train_size test_size image_size channels data_dir split "
    "images seed representative_size",
    "Output": "out name formats force plot_path all_tried tensors as_csv escape_formulas as_json "
    "quiet",
    "Advanced": "backend backends runtime runtime_python kernels threads batch batch_size "
    "learning_rate schedule weight_decay label_smoothing flip shift precision measure dropout "
    "rescale logits pack workers rounds offline home debug",
}
_HEADING_OF = {name: heading for heading, names in _HEADINGS.items() for name in names.split()}


class HelpInParts(click.Command):
    """A command whose `--help` groups its options and ends with examples.

    Args:
        examples: lines to type, each with what it does, or "" for none.
        first: names of parameters that stand first though they have a heading.
        **options: as for `click.Command`.
    """

    def __init__(
        self,
        *arguments: Any,
        examples: Sequence[tuple[str, str]] = (),
        first: Sequence[str] = (),
        **options: Any,
    ) -> None:
        super().__init__(*arguments, **options)
        self.examples = tuple(examples)
        self._first = frozenset(first)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options under their headings."""
        groups: dict[str, list[tuple[str, str]]] = {"Options": [], **{h: [] for h in _HEADINGS}}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if isinstance(parameter, click.Option) and record is not None:
                name = str(parameter.name)
                unnamed = "Options" if parameter in self.params else "Advanced"  # --help itself
                heading = "Options" if name in self._first else _HEADING_OF.get(name, unnamed)
                groups[heading].append(record)
        for heading, records in groups.items():
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, each under what it does."""
        if not self.examples:
            return
        with formatter.section("Examples"):
            for number, (what, line) in enumerate(self.examples):
                if number:
                    formatter.write_paragraph()
                formatter.write_text(f"{what}:")
                with formatter.indentation():
                    formatter.write(f"{' ' * formatter.current_indent}{line}\n")


def command(
    *, examples: Sequence[tuple[str, str]] = (), first: Sequence[str] = ()
) -> Callable[[Callable[..., Any]], click.Command]:
    """Return a decorator that makes a command of `HelpInParts`."""
    return click.command(cls=HelpInParts, examples=examples, first=first)
