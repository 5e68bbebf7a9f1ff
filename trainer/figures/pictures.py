"""Pictures in a grid: what the classes look like, and what the model answers to single images."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from edge_runtime.data.datasets import Split
from edge_runtime.data.predictions import Predictions
from trainer.figures.answers import Answers, Integers
from trainer.figures.grid import Box, Images, draw_bar, frame, new_grid, show_picture, write
from trainer.figures.style import (
    BLUE,
    INK,
    MUTED,
    POINTS_PER_INCH,
    VERMILION,
    count_of,
    fit_text,
    percent,
    styled,
    text_width_pt,
)

EXAMPLE_COLUMNS = 5
EXAMPLES = EXAMPLE_COLUMNS**2
CARD_COLUMNS = 3
CARDS = 2 * CARD_COLUMNS
NAME_PT = 9.5
DETAIL_PT = 8.0


@styled
def example_grid(split: Split, class_names: Sequence[str]) -> Figure:
    """Draw up to 25 images with their class names, spread over the classes and ordered by them."""
    images, labels = split.images, split.labels
    chosen = _spread_over_classes(labels)
    height, width = images.shape[1:3]
    figure, boxes = new_grid(
        _size_and_balance(images, labels, class_names),
        f"{len(chosen)} of {count_of(len(images), 'image')}, as the model sees them",
        count=len(chosen),
        columns=EXAMPLE_COLUMNS,
        aspect=height / width,
        gap_in=0.14,
        caption_in=0.22,
    )
    for index, box in zip(chosen, boxes, strict=True):
        show_picture(figure, box, images[index])
        name = fit_text(class_names[labels[index]], width_in=box.width, size=DETAIL_PT)
        middle, baseline = box.left + box.width / 2, box.bottom - 0.17
        write(figure, middle, baseline, name, size=DETAIL_PT, align="center")
    return figure


@styled
def predictions_grid(images: Images, predictions: Predictions, seed: int) -> Figure:
    """Draw six random test images: the predicted class, how sure it is, and whether it is right.

    Args:
        images: (N, H, W, C) uint8, those of the predictions, in their order.
        predictions: of N images.
        seed: chooses the images.
    """
    answers = Answers(predictions)
    count = min(CARDS, len(images))
    chosen = np.sort(np.random.default_rng(seed).choice(len(images), size=count, replace=False))
    title = f"{answers.right[chosen].sum()} of {count} random test images recognised"
    title += f", {percent(answers.accuracy, digits=1)} of all {len(images):,}"
    subtitle = f"Chosen with seed {seed}. The bar is the model's confidence in its answer."
    if count == len(images):
        title = f"{answers.right.sum()} of {count_of(count, 'test image')} recognised"
        subtitle = "The bar is the model's confidence in its answer."
    return _draw_cards(title, subtitle, images, answers, chosen)


@styled
def least_confident_grid(images: Images, predictions: Predictions) -> Figure:
    """Draw the six test images the model is least sure of, the least sure first."""
    answers = Answers(predictions)
    chosen = np.argsort(answers.confidence, kind="stable")[:CARDS]
    title = f"Least sure answers: {answers.right[chosen].sum()} of {len(chosen)} are right"
    subtitle = (
        f"The lowest confidence among {count_of(len(images), 'test image')}, "
        f"of which {percent(answers.accuracy, digits=1)} are recognised"
    )
    return _draw_cards(title, subtitle, images, answers, chosen)


def _size_and_balance(images: Images, labels: Integers, class_names: Sequence[str]) -> str:
    """Say how large the pictures are and whether each class has as many."""
    height, width, channels = images.shape[1:]
    kind = {1: "grey", 3: "colour", 4: "RGBA"}[channels]
    counts = np.bincount(labels, minlength=len(class_names))
    fewest, most = f"{counts.min():,}", f"{counts.max():,}"
    each = most if fewest == most else f"{fewest} to {most}"
    size = f"{width} \N{MULTIPLICATION SIGN} {height}"
    return f"{len(class_names)} classes of {size} {kind} pixels, {each} images of each"


def _spread_over_classes(labels: Integers) -> Integers:
    """Return up to 25 positions, as many of each class as can be, in the order of classes."""
    present = np.unique(labels)
    if len(present) > EXAMPLES:
        present = present[np.linspace(0, len(present) - 1, EXAMPLES).round().astype(int)]
    members = [np.flatnonzero(labels == label)[:EXAMPLES] for label in present]
    turns = [(turn, position) for own in members for turn, position in enumerate(own)]
    turns.sort(key=lambda pair: pair[0])  # the first of every class, then the second of every class
    chosen = np.array([position for _, position in turns[:EXAMPLES]], dtype=np.int64)
    return chosen[np.argsort(labels[chosen], kind="stable")]


def _draw_cards(
    title: str,
    subtitle: str,
    images: Images,
    answers: Answers,
    chosen: Integers,
) -> Figure:
    """Draw pictures, and under each what the model answered."""
    figure, boxes = new_grid(
        title,
        subtitle,
        count=len(chosen),
        columns=CARD_COLUMNS,
        aspect=images.shape[1] / images.shape[2],
        gap_in=0.24,
        caption_in=0.52,
    )
    for index, box in zip(chosen, boxes, strict=True):
        axes = show_picture(figure, box, images[index])
        if not answers.right[index]:
            frame(axes, VERMILION, width=2.5)
        _caption(figure, box, answers, int(index))
    return figure


def _caption(figure: Figure, box: Box, answers: Answers, index: int) -> None:
    """Write under a picture the answer and, by its side, the truth or the nearest rival."""
    right = bool(answers.right[index])
    colour = BLUE if right else VERMILION
    confidence = float(answers.confidence[index])
    answer = f"{'✓' if right else '✗'} {answers.class_names[answers.predicted[index]]}"
    if right:
        other, shade = _second_guess(answers, index), MUTED
        detail = f"next: {answers.class_names[other]}"
    else:
        other, shade = int(answers.labels[index]), INK
        detail = f"true class: {answers.class_names[other]}"
    draw_bar(figure, box, share=confidence, colour=colour)
    _caption_line(figure, box, 0.30, answer, confidence, NAME_PT, colour, "bold")
    share = float(answers.probabilities[index, other])
    _caption_line(figure, box, 0.48, detail, share, DETAIL_PT, shade, "normal")


def _caption_line(
    figure: Figure,
    box: Box,
    below_in: float,
    name: str,
    share: float,
    size: float,
    colour: str,
    weight: str,
) -> None:
    """Write a class on the left and its share on the right, the class cut to the room left."""
    number = percent(share)
    number_in = text_width_pt(f"  {number}", size=size, weight=weight) / POINTS_PER_INCH
    name = fit_text(name, width_in=box.width - number_in, size=size, weight=weight)
    baseline, end = box.bottom - below_in, box.left + box.width
    write(figure, box.left, baseline, name, size=size, colour=colour, weight=weight)
    write(figure, end, baseline, number, size=size, colour=colour, weight=weight, align="right")


def _second_guess(answers: Answers, index: int) -> int:
    """Return the most probable class after the predicted one."""
    others = answers.probabilities[index].copy()
    others[answers.predicted[index]] = -1
    return int(others.argmax())
