"""Models of one operator, as scripts/measure-op-types makes them."""

import importlib.util
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

_SCRIPT = Path(__file__).parent.parent / "scripts" / "measure-op-types"


def measure_op_types() -> Any:
    """The script as a module."""
    if str(_SCRIPT.parent) not in sys.path:
        sys.path.append(str(_SCRIPT.parent))  # where what the scripts share lies
    loader = SourceFileLoader("measure_op_types", str(_SCRIPT))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[loader.name] = module  # its dataclasses look themselves up
    loader.exec_module(module)
    return module
