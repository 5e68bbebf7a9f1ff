"""Make .tflite files of Keras models and SavedModels, proved to load and run before you get them.

    from converter import convert

    small = convert(model, "int8", representative=training_images)
    small.save("boots.tflite")

TensorFlow is imported only when something is converted.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from converter.api import convert as convert
    from converter.api import convert_all as convert_all
    from converter.converted import Converted as Converted

# Where each public name lives; the same list, for type checkers, is above.
_HOME = {"Converted": "converted", "convert": "api", "convert_all": "api"}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import converter` is cheap."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
