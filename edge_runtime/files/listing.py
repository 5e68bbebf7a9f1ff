"""Finding files in folders: what cannot be looked into is said, and links to themselves end."""

import fnmatch
import glob
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

# What is told of a folder that cannot be listed; the error names it.
Unlisted = Callable[[OSError], None]

# A path, and what the folder says of it.
_Entry = tuple[str, "os.DirEntry[str]"]


def files_below(folder: str, suffixes: Sequence[str], unlisted: Unlisted) -> list[str]:
    """Return what has one of the suffixes in a folder and below, sorted by path.

    Hidden files and folders are left out. Links to folders are not followed. What is no regular
    file is returned too, so that whoever reads it can say so.

    Args:
        folder: where to look.
        suffixes: in lower case, as in ".png".
        unlisted: called with the error of each folder that cannot be listed.
    """
    top = str(Path(folder))
    return sorted(
        path
        for _, entries in _walk(["" if top == "." else top], unlisted, follow=False)
        for path, entry in entries
        if path.lower().endswith(tuple(suffixes)) and not _is_folder(entry)
    )


def expand(pattern: str, unlisted: Unlisted) -> list[str]:
    """Return what a shell's pattern matches, sorted: `*`, `?`, `[...]`, and `**` for any folders.

    Like `glob.glob`, but a folder that cannot be listed is told, and `**` enters no folder twice,
    so a link to a folder above it does no harm.

    Args:
        pattern: relative, or absolute.
        unlisted: called with the error of each folder that cannot be listed.
    """
    found = ["/" if pattern.startswith("/") else ""]
    parts = [part for part in pattern.split("/") if part]
    for place, part in enumerate(parts):
        if part == "**":
            folders = list(_walk(found, unlisted, follow=True))
            found = [folder for folder, _ in folders]
            if place == len(parts) - 1:
                inside = (each for _, entries in folders for each in entries)
                found = [path for path, entry in inside if not _is_folder(entry)]
        elif glob.has_magic(part):
            found = [
                path
                for base in found
                for path, entry in _entries(base, unlisted, hidden=part.startswith(".")) or ()
                if fnmatch.fnmatchcase(entry.name, part)
            ]
        else:
            paths = [os.path.join(base, part) for base in found]  # noqa: PTH118 - keeps "a/../b"
            found = [path for path in paths if _is_there(path, unlisted)]
    return sorted(set(found))


def _walk(
    tops: Sequence[str], unlisted: Unlisted, *, follow: bool
) -> Iterator[tuple[str, list[_Entry]]]:
    """Yield each folder once, from the top ones down, with what is in it and not hidden."""
    waiting = [*reversed(tops)]
    seen: set[tuple[int, int]] = set()
    while waiting:
        folder = waiting.pop()
        try:
            status = Path(folder).stat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            unlisted(error)
            continue
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        entries = _entries(folder, unlisted)
        if entries is None:
            continue
        yield folder, entries
        waiting += [path for path, entry in reversed(entries) if _is_folder(entry, follow=follow)]


def _entries(folder: str, unlisted: Unlisted, *, hidden: bool = False) -> list[_Entry] | None:
    """Return what is in a folder, sorted by name; None where it cannot be listed."""
    try:
        with os.scandir(folder or ".") as found:
            entries = [entry for entry in found if hidden or not entry.name.startswith(".")]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        unlisted(error)
        return None
    entries.sort(key=lambda entry: entry.name)
    return [(os.path.join(folder, entry.name), entry) for entry in entries]  # noqa: PTH118


def _is_folder(entry: "os.DirEntry[str]", *, follow: bool = True) -> bool:
    try:
        return entry.is_dir(follow_symlinks=follow)
    except OSError:  # a link that leads round in a circle, say
        return False


def _is_there(path: str, unlisted: Unlisted) -> bool:
    try:
        Path(path).lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        unlisted(error)
        return False
    return True
