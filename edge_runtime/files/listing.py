"""Finding files in folders: what cannot be looked into is said, and links to themselves end."""

import contextlib
import fnmatch
import glob
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

# What is told of a folder that cannot be listed; the error names it.
Unlisted = Callable[[OSError], None]


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
        for _, files in _walk(["" if top == "." else top], unlisted, follow=False)
        for path in files
        if path.lower().endswith(tuple(suffixes))
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
        bases, found = found, []
        if part == "**":
            for folder, files in _walk(bases, unlisted, follow=True):
                found += files if place == len(parts) - 1 else [folder]
            continue
        for base in bases:
            with _told(unlisted):
                found += _matches(base, part)
    return sorted(set(found))


def _matches(folder: str, part: str) -> list[str]:
    """Return what a part of a pattern without `**` stands for in a folder."""
    if glob.has_magic(part):
        entries = _entries(folder, hidden=part.startswith("."))
        return [path for path, entry in entries if fnmatch.fnmatchcase(entry.name, part)]
    path = os.path.join(folder, part)  # noqa: PTH118 - keeps "a/../b"
    Path(path).lstat()
    return [path]


def _walk(
    tops: Sequence[str], unlisted: Unlisted, *, follow: bool
) -> Iterator[tuple[str, list[str]]]:
    """Yield each folder once, from the top ones down, with the files in it that are not hidden."""
    waiting = [*reversed(tops)]
    seen: set[tuple[int, int]] = set()
    while waiting:
        folder = waiting.pop()
        with _told(unlisted):
            status = Path(folder).stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            entries = _entries(folder)
            yield folder, [path for path, entry in entries if not _is_folder(entry)]
            entries.reverse()
            waiting += [path for path, entry in entries if _is_folder(entry, follow=follow)]


def _entries(folder: str, *, hidden: bool = False) -> list[tuple[str, "os.DirEntry[str]"]]:
    """Return the paths of what is in a folder, sorted, and what the folder says of them."""
    with os.scandir(folder or ".") as found:
        entries = [entry for entry in found if hidden or not entry.name.startswith(".")]
    entries.sort(key=lambda entry: entry.name)
    return [(os.path.join(folder, entry.name), entry) for entry in entries]  # noqa: PTH118


def _is_folder(entry: "os.DirEntry[str]", *, follow: bool = True) -> bool:
    try:
        return entry.is_dir(follow_symlinks=follow)
    except OSError:  # a link that leads round in a circle, say
        return False


@contextlib.contextmanager
def _told(unlisted: Unlisted) -> Iterator[None]:
    """Tell of what cannot be looked into; that something is not there is no mistake."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        unlisted(error)
