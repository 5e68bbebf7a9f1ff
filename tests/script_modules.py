"""The programs of `scripts/` as modules; what they share lies in that folder, as pytest knows."""

import importlib.util
import sys
from importlib.machinery import SourceFileLoader
from typing import Any

from conftest import ROOT


def script_module(name: str) -> Any:
    """Return the program of that name, such as "draw-docs", without running it."""
    loader = SourceFileLoader(name.replace("-", "_"), str(ROOT / "scripts" / name))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[loader.name] = module  # its dataclasses look themselves up
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = writes
    return module
