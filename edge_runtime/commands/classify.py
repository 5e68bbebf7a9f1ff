"""The command `classify`."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import click

from edge_runtime.commands.answers import Answer, print_csv, print_json, print_table
from edge_runtime.commands.options import BACKEND_NAMES, ModelPath, completed_by
from edge_runtime.console.help import command
from edge_runtime.console.numeric import Whole
from edge_runtime.console.talk import Console, pass_console, result_options
from edge_runtime.data.images import PICTURE_SUFFIXES, Invert, Picture, Preprocessing, try_picture
from edge_runtime.errors import ModelError, PictureError
from edge_runtime.files.reading import read_text
from edge_runtime.inference.careful import careful_classifier
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.loading import open_model


@command(
    examples=(
        (
            "Two pictures, by the model that the latest run made",
            "fmnist-edge classify runs/latest/int8.tflite boot.png shirt.jpg",
        ),
        (
            "A folder of pictures, as a table for a spreadsheet",
            "fmnist-edge classify model.edge.zip photos/ --csv > answers.csv",
        ),
        (
            "A picture from a camera's program, by the bundle that is installed on this device",
            "camera-tool | fmnist-edge classify installed -",
        ),
    ),
)
@click.argument("model", type=ModelPath())
@click.argument("pictures", nargs=-1, required=True, metavar="PICTURE...")
@click.option(
    "--invert",
    type=click.Choice(["auto", "yes", "no"]),
    default="auto",
    show_default=True,
    help="Exchange bright and dark: auto does it when the background is the opposite of the "
    "training images'.",
)
@click.option("--top", type=Whole(min=1), default=1, show_default=True, help="Answers per picture.")
@click.option("--labels", type=click.Path(path_type=Path), help="Class names, one on each line.")
@click.option(
    "--backend",
    metavar="NAME",
    shell_complete=completed_by(*BACKEND_NAMES),
    help=f"{', '.join(BACKEND_NAMES)}.  [default: the first of the first two that is installed]",
)
@click.option("--threads", type=Whole(1, 256), default=1, show_default=True)
@click.option("--csv", "as_csv", is_flag=True, help="Print the answers as CSV.")
@click.option(
    "--escape-formulas",
    is_flag=True,
    help="With --csv: write ' before a name that a spreadsheet would run as a formula.",
)
@result_options
@pass_console
def classify(
    console: Console,
    model: Path,
    pictures: tuple[str, ...],
    invert: Invert,
    top: int,
    labels: Path | None,
    backend: str | None,
    threads: int,
    as_csv: bool,
    escape_formulas: bool,
    as_json: bool,
) -> int:
    """Say what each PICTURE shows: PNG, JPEG or BMP files, folders of them, globs, or - for
    standard input. MODEL is a .tflite, a bundle, or the word `installed`.

    Pictures of any size and colour are fitted to MODEL's input as recorded beside it. A picture
    that cannot be read, or that the runtime fails on, is named, the others are answered, and the
    exit code is 1.
    """  # noqa: D205
    if as_csv and as_json:
        raise click.UsageError("Give --csv or --json, not both.")
    if escape_formulas and not as_csv:
        raise click.UsageError("--escape-formulas is for --csv.")
    file = open_model(model, backend=backend)
    with careful_classifier(
        file, backend=backend, threads=threads, class_names=_read_labels(labels)
    ) as classifier:
        top = min(top, len(classifier.class_names))
        if labels is None and file.manifest is None:
            console.say(f"{model}: no class names are known, so classes are numbered; see --labels")
        answers = _answers(classifier, list(find_pictures(pictures)), invert)
        if as_json:
            failed = print_json(list(answers), classifier, top)
        elif as_csv:
            failed = print_csv(answers, classifier, top, escape_formulas)
        else:
            failed = print_table(list(answers), classifier, top)
    return 1 if failed else 0


def _read_labels(path: Path | None) -> tuple[str, ...] | None:
    if path is None:
        return None
    try:
        lines = read_text(path).splitlines()
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: the class names cannot be read ({error}).") from error
    return tuple(line.strip() for line in lines if line.strip())


def find_pictures(arguments: tuple[str, ...]) -> Iterator[str | Answer]:
    """Yield the pictures that the arguments name, and an `Answer` for each that names none.

    A folder stands for all PNG, JPEG and BMP files in it and below, sorted by name; hidden ones
    are left out.
    """
    for argument in arguments:
        try:
            yield from _find(argument)
        except OSError as error:  # a name that no file system takes
            yield Answer(argument, error=f"{error.strerror}")


def _find(argument: str) -> Iterator[str | Answer]:
    path = Path(argument)
    unlisted: list[OSError] = []
    if argument == "-" or path.is_file():
        yield argument
        return
    # Here, since a single picture should not wait for what looks into folders.
    from edge_runtime.files.listing import expand, files_below

    if path.is_dir():
        found = files_below(argument, PICTURE_SUFFIXES, unlisted.append)
        nothing = "there are no pictures in this folder"
    else:
        found, nothing = expand(argument, unlisted.append), "there is no such file"
    yield from found
    for error in unlisted:
        reason = f"it cannot be looked into ({error.strerror})"
        yield Answer(str(error.filename), error=reason)
    if not found and not unlisted:
        yield Answer(argument, error=nothing)


def _answers(
    classifier: Classifier, found: Sequence[str | Answer], invert: Invert
) -> Iterator[Answer]:
    pictures = [picture for picture in found if isinstance(picture, str)]
    reads = _reads(pictures, classifier.preprocessing, invert)
    for picture in found:
        yield picture if isinstance(picture, Answer) else _answer(classifier, picture, next(reads))


def _reads(
    pictures: Sequence[str], preprocessing: Preprocessing, invert: Invert
) -> Iterator[Picture | PictureError]:
    if len(pictures) < 2:
        return (try_picture(picture, preprocessing, invert=invert) for picture in pictures)
    # Here, since a single picture should not wait for what starts processes.
    from edge_runtime.inference.picture_reading import read_pictures

    return read_pictures(pictures, preprocessing, invert=invert)


def _answer(classifier: Classifier, picture: str, read: Picture | PictureError) -> Answer:
    try:
        if isinstance(read, PictureError):
            raise read
        return Answer(picture, classifier.classify(read.pixels), read.inverted)
    except (PictureError, ModelError) as error:
        failed = Answer(picture)
        return replace(failed, error=str(error).removeprefix(f"{failed.name}: "))
