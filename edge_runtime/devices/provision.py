"""Look at a device, and set up this project's software there: runs on the device itself.

Sent over as it is and given to whatever `python3` is there, so it needs nothing but the standard
library of a Python (3.7 or newer) that may be too old for the rest. Used as

    provision.py look HOME
    provision.py install HOME KEY WHEEL [--find-links DIR] [--no-compile]

HOME is the folder of everything, "" for $FMNIST_EDGE_HOME or ~/.local/share/fmnist-edge. `look`
prints what the host must know as JSON. `install` makes `HOME/venvs/KEY` and lets the link
`HOME/venv` point to it once it is complete and works; until then the old one stays.
"""

from __future__ import annotations

import argparse
import fcntl
import importlib.util
import json
import os
import platform
import shutil
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

STAMP = ".complete"
TRUSTED_KEYS = "trusted-keys.pem"  # as edge_runtime.models.signing.trust says


def home_folder(given: str) -> Path:
    """Return the absolute folder of everything."""
    chosen = given or os.environ.get("FMNIST_EDGE_HOME") or "~/.local/share/fmnist-edge"
    return Path.cwd() / Path(chosen).expanduser()


def look(home: Path) -> dict[str, Any]:
    """Return the facts about this device, fit for JSON."""
    return {
        "home": str(home),
        "python": list(sys.version_info[:3]),
        "machine": platform.machine(),
        "pointer_bits": 8 * struct.calcsize("P"),
        "system": platform.system(),
        "libc": list(platform.libc_ver()),
        "name": _name(),
        "free_bytes": _free_bytes(home),
        "has_venv": all(importlib.util.find_spec(name) for name in ("venv", "ensurepip")),
        "installed_key": _read(home / "venv" / STAMP).strip(),
        "program": _program(home),
        "trusts_keys": (home / TRUSTED_KEYS).exists(),
    }


def _name() -> str:
    """Return what the device and its system are called."""
    parts = [_read(Path("/proc/device-tree/model")).strip("\0\n ")]
    for line in _read(Path("/etc/os-release")).splitlines():
        key, _, value = line.partition("=")
        if key == "PRETTY_NAME":
            parts.append(value.strip("\"'"))
    return ", ".join(part for part in parts if part) or platform.platform()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _free_bytes(home: Path) -> int:
    nearest = next(folder for folder in (home, *home.parents) if folder.is_dir())
    return shutil.disk_usage(str(nearest)).free


def _program(home: Path) -> str:
    ours = home / "venv" / "bin" / "fmnist-edge"
    return str(ours) if os.access(str(ours), os.X_OK) else shutil.which("fmnist-edge") or ""


def install(
    home: Path, key: str, wheel: str, find_links: str | None = None, *, compiled: bool = True
) -> bool:
    """Make the environment of a key, and switch to it; return whether anything changed."""
    link = home / "venv"
    if _read(link / STAMP).strip() == key:
        return False
    folder = home / "venvs" / key
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (home / ".setup.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SystemExit(
                "Error: another set-up is running there, perhaps one whose connection broke; wait "
                "a few minutes and try again."
            ) from None
        if _read(folder / STAMP).strip() != key:
            shutil.rmtree(str(folder), ignore_errors=True)
            _make(folder, wheel, find_links, compiled, home / "setup.log")
            _write(folder / STAMP, key)
        previous = link.resolve().name
        _switch(link, f"venvs/{key}")
        for other in folder.parent.iterdir():
            # The one before stays: programs may still be running from it.
            if other.name not in (key, previous):
                shutil.rmtree(str(other), ignore_errors=True)
    return True


def _make(folder: Path, wheel: str, find_links: str | None, compiled: bool, log: Path) -> None:
    options = ["--disable-pip-version-check", "--no-input", "--no-cache-dir"]
    if find_links:
        options += ["--no-index", "--find-links", find_links]
    if not compiled:
        options.append("--no-compile")
    python = str(folder / "bin" / "python")
    _run([sys.executable, "-m", "venv", str(folder)], log)
    _run([python, "-m", "pip", "install", *options, wheel], log)
    _run([str(folder / "bin" / "fmnist-edge"), "--version"], log)


def _run(command: Sequence[str], log: Path) -> None:
    with log.open("wb") as out:
        code = subprocess.call(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    if code:
        lines = [line.strip() for line in _read(log).splitlines() if line.strip()]
        errors = [line for line in lines if "error" in line.lower()]
        reason = (errors or lines or [f"exit code {code}"])[-1]
        raise SystemExit(f"Error: {reason} (all of it is in {log})")


def _write(path: Path, text: str) -> None:
    os.sync()  # everything that the stamp vouches for comes first
    temporary = path.with_name(f"{path.name}.tmp")
    temporary.write_text(f"{text}\n", encoding="utf-8")
    os.sync()
    temporary.replace(path)
    os.sync()


def _switch(link: Path, target: str) -> None:
    """Let a link point elsewhere in one step."""
    temporary = link.with_name(f".{link.name}.tmp")
    if temporary.is_symlink():
        temporary.unlink()
    temporary.symlink_to(target)
    temporary.replace(link)
    os.sync()


def main(arguments: Sequence[str]) -> None:
    """Do what the arguments say, and print what came of it as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["look", "install"])
    parser.add_argument("home")
    parser.add_argument("key", nargs="?", default="")
    parser.add_argument("wheel", nargs="?", default="")
    parser.add_argument("--find-links")
    parser.add_argument("--no-compile", action="store_true")
    chosen = parser.parse_args(arguments)
    try:
        home = home_folder(chosen.home)
    except RuntimeError as error:
        raise SystemExit(f"Error: {chosen.home or '~'}: {error}") from None
    try:
        if chosen.what == "look":
            result = look(home)
        else:
            changed = install(
                home, chosen.key, chosen.wheel, chosen.find_links, compiled=not chosen.no_compile
            )
            result = {"changed": changed}
    except OSError as error:
        raise SystemExit(f"Error: {error.filename or home}: {error.strerror}") from None
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
