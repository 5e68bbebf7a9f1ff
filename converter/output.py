"""What the command `convert` says, and what it prints."""

from pathlib import Path
from typing import Any

from converter.api import Progress
from converter.converted import Converted
from converter.schemes import Recipe
from converter.target import Target
from edge_runtime.console.talk import Console
from edge_runtime.console.terminal import echo, echo_json
from edge_runtime.errors import UnsupportedError
from edge_runtime.proof.health import warning_line


def tell_outcomes(targets: dict[str, Path], left_out: dict[str, str], console: Console) -> Progress:
    """Return a ``progress`` for `convert_all` that talks, and fills in why a scheme is left out.

    ``targets`` says where each scheme's file goes.
    """

    def tell(recipe: Recipe, outcome: Converted | UnsupportedError | None) -> None:
        if outcome is None:
            console.say(f"converting to {recipe.name}: {recipe.summary}")
            if recipe.note:
                console.say(f"  {recipe.note}")
        elif isinstance(outcome, UnsupportedError):
            left_out[recipe.name] = str(outcome)
            # Not talk: with --quiet, too, nobody should miss that a file is missing.
            echo(f"left out {recipe.name}: {outcome}", err=True)
        else:
            if outcome.speedup is not None:
                console.say(f"  {outcome.speedup}")
            health = outcome.verification.health
            if health is not None and health.warning is not None:
                echo(warning_line(str(targets[recipe.name]), health.warning), err=True)

    return tell


def print_result(
    converted: dict[Path, Converted],
    left_out: dict[str, str],
    target: Target | None,
    as_json: bool,
) -> None:
    """Print what was made, as a table or as JSON.

    Raises:
        UnsupportedError: nothing was, since the runtime cannot run any of it.
    """
    if as_json:
        models = [{"path": str(path), **item.to_dict()} for path, item in converted.items()]
        document: dict[str, Any] = {"models": models}
        if target is not None:
            document["runtime"] = {"name": target.runtime.option, "proved": target.is_proved}
            document["left_out"] = [
                {"recipe": name, "reason": reason} for name, reason in left_out.items()
            ]
        echo_json(document)
    elif converted:
        _print_table(converted)
        if target is not None:
            echo(_proof_in_words(next(iter(converted.values())), target))
    if not converted and target is not None:
        raise UnsupportedError(
            f"Nothing was made: {target.runtime.name} does not run {' or '.join(left_out)} of this "
            "model; try another --quantize or --runtime."
        )


def _print_table(converted: dict[Path, Converted]) -> None:
    width = max(len(str(path)) for path in converted)
    echo(f"{'model':<{width}}  {'bytes':>9}  {'input':<8} {'XNNPACK':<16} runs on")
    for path, item in converted.items():
        summary, found = item.summary, item.verification
        echo(
            f"{path!s:<{width}}  {summary.size_bytes:>9,}  {summary.inputs[0].dtype:<8} "
            f"{found.probed.xnnpack:<16} {', '.join(found.supporting)}"
        )


def _proof_in_words(item: Converted, target: Target) -> str:
    ran = item.verification.made_for["ran_in"]
    if target.is_proved:
        return f"Made for {target.runtime.name}; each file was loaded and run in {ran}."
    return (
        f"Made for {target.runtime.name}, judged by operator versions and tensor types only; run "
        f"in {ran}. Prove it with --runtime-python, a Python that has {target.runtime.name}."
    )
