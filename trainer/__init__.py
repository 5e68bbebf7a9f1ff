"""Train an image classifier (needs TensorFlow, which is imported only when `train` is called).

from trainer import train

run = train("sample", epochs=20)
run.metrics["test_accuracy"]["value"]
run.figures()["confusion"]
run.save("runs/mine")
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trainer.api import resume as resume
    from trainer.api import train as train
    from trainer.recipe import TrainingConfig as TrainingConfig
    from trainer.run import Run as Run

# Where each public name lives; the same list, for type checkers, is above.
_HOME = {"Run": "run", "TrainingConfig": "recipe", "resume": "api", "train": "api"}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import trainer` is cheap."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
