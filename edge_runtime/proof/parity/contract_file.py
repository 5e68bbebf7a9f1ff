"""The contract as a file, `parity.toml`: read strictly, and written with comments."""

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar, get_args

from edge_runtime.errors import ContractError, nearest_name
from edge_runtime.files.reading import read_capped
from edge_runtime.proof.parity.contract import Budgets, Contract, Margins
from edge_runtime.proof.parity.steps import StepKind
from edge_runtime.proof.parity.toml_lines import KeyPath, key_lines, refuse_deep_keys
from edge_runtime.wording import called, printable

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CONTRACT_FILE = Path("parity.toml")  # where commands look for it
_LIMIT_BYTES = 64 * 1024  # with a comment for each demand it has 3 KiB
_BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"

_MARGINS = tuple(item.name for item in fields(Margins))
_BUDGETS = tuple(item.name for item in fields(Budgets))
_STEPS: tuple[StepKind, ...] = get_args(StepKind)
_TOP = ("confidence", "margins", "budgets", "steps")
_NAME_OF_TYPE = {bool: "true or false", str: "text", dict: "a table", list: "a list"}
_NAME_OF_TYPE |= {int: "a number", float: "a number"}

# Demands of earlier versions, and why and by what they were replaced.
_REPLACED = {
    "ece": "the calibration error is not judged any more, because on a sample it comes out too "
    "large and a limit on it was often said to hold when it did not; write brier = 0.02 instead, "
    "which lets the Brier score, a mark for probabilities, rise by 0.02",
}

Made = TypeVar("Made")


def load_contract(path: str | Path) -> Contract:
    """Read a contract file; `contract_template` has an example of all that may stand in it.

    What the file does not name is not demanded; only the confidence has a default.

    Args:
        path: of a parity.toml.

    Raises:
        ContractError: the file cannot be read, is no TOML, has an unknown key or an impossible
            value, or demands nothing; the message begins with the file and the line.

    Examples:
        >>> load_contract("parity.toml").margins.accuracy
        0.01
    """
    file = Path(path)
    reader = _Reader(file, *_parsed(file))
    top = reader.table((), _TOP)
    margins = reader.section(("margins",), Margins, _MARGINS)
    budgets = reader.section(("budgets",), Budgets, _BUDGETS)
    named = reader.table(("steps",), _STEPS)
    steps = {
        kind: reader.section(("steps", kind), Margins, _MARGINS) for kind in _STEPS if kind in named
    }
    contract = reader.made((), Contract, {key: top[key] for key in top if key == "confidence"})
    if margins == Margins() and budgets == Budgets() and not steps:
        raise reader.error(
            (),
            "the contract demands nothing; name at least one margin, budget or step, or begin with "
            "the file that `fmnist-edge parity --init` writes",
        )
    return replace(contract, margins=margins, budgets=budgets, steps=steps)


def _parsed(path: Path) -> tuple[dict[str, Any], dict[KeyPath, int]]:
    """Return what a file says, and the lines on which it does."""
    text = _text(path)
    try:
        refuse_deep_keys(text)
        return tomllib.loads(text), key_lines(text)
    except tomllib.TOMLDecodeError as error:
        message, line = _without_place(str(error), text)
        raise ContractError(f"{printable(path)}:{line}: {_explained(message)}") from None
    except (RecursionError, ValueError):
        # Brackets in brackets, a key of many parts, or a number of thousands of digits.
        raise ContractError(
            f"{printable(path)}:1: the file holds a value that is too long or too deeply nested; a "
            "contract has only tables of numbers."
        ) from None


def _text(path: Path) -> str:
    name = printable(path)
    try:
        data = read_capped(path, limit_bytes=_LIMIT_BYTES)
    except FileNotFoundError:
        raise ContractError(
            f"There is no contract {name}; write one with: fmnist-edge parity --init"
        ) from None
    except OSError as error:
        raise ContractError(f"The contract {name} cannot be read: {error.strerror}.") from None
    except ValueError:
        raise ContractError(
            f"{name} is no contract: it is larger than {_LIMIT_BYTES // 1024} KiB."
        ) from None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ContractError(
            f"{name}:{line}: the file is not UTF-8; save it as UTF-8, as TOML asks."
        ) from None
    if text.startswith(_BYTE_ORDER_MARK):
        raise ContractError(
            f"{name}:1: the file begins with a byte order mark, which TOML does not know; save it "
            "as UTF-8 without one (without BOM)."
        )
    return text.replace("\r\n", "\n")


def _without_place(message: str, text: str) -> tuple[str, int]:
    """Return a parser's message without the place at its end, and the line of that place."""
    match = re.fullmatch(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)", message, re.S)
    if not match:
        return message, 1
    return match[1], int(match[2] or text.rstrip().count("\n") + 1)


def _explained(message: str) -> str:
    if message.startswith(("Cannot overwrite", "Cannot declare", "Duplicate", "Cannot mutate")):
        return "this key or section is given twice; keep one of them."
    return f"this is not TOML: {printable(message)}; expected lines like: accuracy = 0.01"


@dataclass(frozen=True)
class _Reader:
    """Turns a parsed file into the parts of a contract, and knows the line of each complaint."""

    path: Path
    document: Mapping[str, Any]
    lines: Mapping[KeyPath, int]

    def error(self, key: KeyPath, reason: str) -> ContractError:
        """Return the complaint about a key."""
        end = "" if reason.endswith((".", "?")) else "."
        return ContractError(f"{printable(self.path)}:{self.lines.get(key, 1)}: {reason}{end}")

    def table(self, path: KeyPath, known: tuple[str, ...]) -> dict[str, Any]:
        """Return a table, empty if there is none, that has only known keys."""
        value: Any = self.document
        for depth, part in enumerate(path, start=1):
            value = value.get(part, {})
            if not isinstance(value, dict):
                at = path[:depth]
                got = _name_of_type(value)
                raise self.error(at, f"[{'.'.join(at)}] must be a table, got {got}")
        for key in value:
            if key not in known:
                raise self._unknown((*path, key), known)
        return dict(value)

    def section(self, path: KeyPath, make: Callable[..., Made], known: tuple[str, ...]) -> Made:
        """Return the margins or the budgets of a table."""
        return self.made(path, make, self.table(path, known))

    def made(self, path: KeyPath, make: Callable[..., Made], values: Mapping[str, Any]) -> Made:
        """Return what these values make; each is tried alone, so that a refusal has its line."""
        for key, value in values.items():
            at = (*path, key)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise self.error(at, f"{key} must be a number, got {_name_of_type(value)}")
            if not abs(value) <= sys.float_info.max:
                # Infinite, NaN, or an integer of hundreds of digits.
                raise self.error(at, f"{key} must be a finite number that a float can hold")
            try:
                make(**{key: value})
            except ContractError as error:
                raise self.error(at, str(error)) from None
        return make(**values)

    def _unknown(self, path: KeyPath, known: tuple[str, ...]) -> ContractError:
        name, section = path[-1], ".".join(path[:-1])
        if name in _REPLACED:
            return self.error(path, f"'{name}': {_REPLACED[name]}")
        where = f"in [{section}]" if section else "at the top of the file"
        hint = nearest_name(name, known) or _place_of(name, section)
        return self.error(
            path, f"unknown key '{called(name)}' {where}; expected one of {', '.join(known)}.{hint}"
        )


def _place_of(name: str, section: str) -> str:
    """Return where a key belongs that stands in the wrong place, or ""."""
    homes = {"confidence": "at the top of the file, before the first [section]"}
    homes |= dict.fromkeys(_BUDGETS, "in [budgets]")
    homes |= dict.fromkeys(_MARGINS, "in [margins] or [steps.NAME]")
    homes |= {step: f"in the section [steps.{step}]" for step in _STEPS}
    return f" '{name}' belongs {homes[name]}." if name in homes else ""


def _name_of_type(value: object) -> str:
    return _NAME_OF_TYPE.get(type(value), "a date or time")


def contract_template() -> str:
    """Return a contract file with comments, which the reference run keeps on 1,000 images."""
    return files("edge_runtime.proof.parity").joinpath("parity.toml").read_text("utf-8")
