"""Command lines in forked children of a process that has imported what they need.

TensorFlow takes seconds to import, and a sweep runs a thousand commands. TensorFlow must not have
computed anything in the parent, since its threads do not survive a fork.
"""

import contextlib
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace

from edge_runtime.cli import run
from edge_runtime.inference import evaluation
from faults.events import BeforeEvent, watch


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and what it wrote to standard error."""

    code: int  # negative for the signal that killed it
    err: str


def import_everything(*, tensorflow: bool) -> None:
    """Import what the commands need, and let each run measure the same.

    Latency and memory differ from run to run, and so would the files that record them. They are
    replaced, and the seven figures of a run, which take longer than all else, by a few bytes each.
    """
    import edge_runtime.commands.bundle
    import edge_runtime.commands.parity
    import edge_runtime.commands.predict
    import edge_runtime.commands.releases  # noqa: F401

    evaluation._latency = lambda latencies: {"median": 1.0, "p10": 1.0, "p90": 1.0, "n": 1}
    evaluation.model_memory = lambda *arguments, **options: 1
    if tensorflow:
        import trainer.cli
        import trainer.figures
        import trainer.prediction
        import trainer.run

        trainer.prediction.memory_growth = _no_growth
        _draw_nothing(trainer.figures)


def _draw_nothing(figures: ModuleType) -> None:
    names = ("example_grid", "training_curves", "predictions_grid", "confusion_matrix_figure")
    for name in (*names, "confidence_histogram", "least_confident_grid", "per_class_figure"):
        setattr(figures, name, lambda *arguments: None)
    figures.to_png = lambda figure: b"a figure"


@contextlib.contextmanager
def _no_growth() -> Iterator[SimpleNamespace]:
    yield SimpleNamespace(peak_bytes=1)


def run_command(arguments: Sequence[str], work: Path, before: BeforeEvent | None = None) -> Outcome:
    """Run a command line in a folder, in a child; ``before`` is called before each file event."""
    words = work.parent / f"{work.name}.err"
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        _become(arguments, work, words, before)
    _, status = os.waitpid(child, 0)
    return Outcome(os.waitstatus_to_exitcode(status), words.read_text(errors="replace"))


def environment(work: Path) -> dict[str, str]:
    """Return the variables that keep a command within a folder, and its cache beside it."""
    return {"FMNIST_EDGE_HOME": str(work / "home"), "XDG_CACHE_HOME": str(work.parent / "cache")}


def _become(arguments: Sequence[str], work: Path, words: Path, before: BeforeEvent | None) -> None:
    code = 99
    try:
        os.chdir(work)
        os.environ.update(environment(work))
        os.dup2(os.open(words, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if before is not None:
            watch(work, before)
        code = run(list(arguments))
        sys.stdout.flush()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)
