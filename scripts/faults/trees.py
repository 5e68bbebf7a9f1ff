"""What lies in a folder: names, bytes, and what links say."""

import os
from pathlib import Path

Tree = dict[str, bytes | str]


def tree(root: Path) -> Tree:
    """Return every file below a folder with its bytes, every link with its target, every folder."""
    found: Tree = {}
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(folder) / name
            key = str(path.relative_to(root))
            if path.is_symlink():
                found[key] = f"-> {path.readlink()}"
            elif path.is_dir():
                found[key] = "a folder"
            else:
                found[key] = path.read_bytes()
    return found


def difference(found: Tree, wanted: Tree) -> str:
    """Return in words how a tree differs from another, or ""."""
    named = {
        "missing": wanted.keys() - found.keys(),
        "left over": found.keys() - wanted.keys(),
        "different": {key for key in wanted.keys() & found.keys() if wanted[key] != found[key]},
    }
    return "; ".join(f"{what}: {', '.join(sorted(keys))}" for what, keys in named.items() if keys)


def is_hidden(name: str) -> bool:
    """Return whether a file, or a folder above it, has a hidden name."""
    return any(part.startswith(".") for part in Path(name).parts)


def mixed(found: Tree, before: Tree, after: Tree) -> list[str]:
    """Return the visible files that are neither as they were before nor as they are after."""
    return sorted(
        name
        for name, content in found.items()
        if not is_hidden(name) and content not in (before.get(name), after.get(name))
    )
