"""How far another runtime moved the probabilities of the same file, counted and in words."""

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike

from edge_runtime.data.predictions import Predictions
from edge_runtime.inference.comparing import compare
from edge_runtime.proof.parity.movement import find_movement
from edge_runtime.proof.report import report_html, report_json, report_markdown, report_table
from edge_runtime.proof.report.sentences import movement_in_words

XNNPACK = {"backend": "ai-edge-litert", "backend_version": "2.3.0", "kernels": "XNNPACK, 7 of 8 operators"}  # fmt: skip  # noqa: E501
OLD = {"backend": "tflite-runtime", "backend_version": "2.14.0", "kernels": "built-in"}
NAMES = ("coat", "shirt", "bag")


def said(rows: ArrayLike, **details: Any) -> Predictions:
    """What one runtime said, rows in steps of 1/256 or as they are."""
    probabilities = np.asarray(rows, np.float64)
    if probabilities.max() > 1:
        probabilities = probabilities / 256
    hashes = np.array([f"{index:064x}".encode() for index in range(len(probabilities))], "S64")
    known = {"scheme": "int8", "model_sha256": "ab" * 32, "machine": "x86_64", **details}
    labels = np.zeros(len(probabilities), np.int64)
    return Predictions(probabilities.astype(np.float32), labels, hashes, NAMES, known)


HERE = [[200, 50, 6], [128, 128, 0], [100, 90, 66], [90, 100, 66], [130, 120, 6]]
THERE = [[200, 50, 6], [108, 148, 0], [99, 91, 66], [95, 95, 66], [120, 130, 6]]


def test_images_steps_answers_and_ties_are_counted() -> None:
    found = find_movement(said(HERE, **XNNPACK), said(THERE, **OLD))
    assert (found.images, found.largest, found.output_step) == (4, 20 / 256, 1 / 256)
    assert found.largest_steps == 20
    # The second was a tie before, the fourth is one after; the fifth is none.
    assert [(item.image, item.before, item.after, item.tied) for item in found.answers] == [
        (1, 0, 1, True),
        (3, 1, 0, True),
        (4, 0, 1, False),
    ]
    assert found.ties == 2


def test_words_list_what_is_beyond_ties_and_say_why() -> None:
    found = find_movement(said(HERE, **XNNPACK), said(THERE, **OLD))
    assert movement_in_words(found, NAMES, 5) == (
        "4 of 5 images got other probabilities, by 20 steps of 1/256 at most. 3 answers changed, "
        "2 of them ties; beyond ties: image 4 (coat → shirt). Other kernels round differently: "
        "XNNPACK (7 of 8 operators) of ai-edge-litert 2.3.0, then the kernels of tflite-runtime "
        "2.14.0. The scores before the softmax come in steps too, and one of those moves a "
        "probability by several of its own."
    )


def test_only_ties_are_called_so() -> None:
    found = find_movement(said(HERE[:2], **XNNPACK), said(THERE[:2], **OLD))
    assert "1 answer changed, a tie in one of the two. " in movement_in_words(found, NAMES, 2)
    found = find_movement(said(HERE[:4], **XNNPACK), said(THERE[:4], **OLD))
    assert "2 answers changed, all of them ties in one of" in movement_in_words(found, NAMES, 4)


def test_the_same_bits_are_called_so() -> None:
    found = find_movement(said(HERE, **XNNPACK), said(HERE, **OLD))
    assert (found.images, found.answers) == (0, ())
    assert movement_in_words(found, NAMES, 5) == (
        "All probabilities of 5 images are the same, bit for bit."
    )


@pytest.mark.parametrize(
    ("scale", "step", "words"),
    [
        (1 / 256, 1 / 256, "by 1 step of 1/256 at most. No answer changed."),
        (1 / 32768, 1 / 32768, "by 1 step of 1/32,768 at most. No answer changed."),
        (1e-6, None, "by 1.0e-06 at most. No answer changed."),
        (0.0123, None, "by 0.0123 at most. No answer changed."),
    ],
)
def test_the_step_of_the_output_is_found_in_the_numbers(
    scale: float, step: float | None, words: str
) -> None:
    before = np.array([[0.75, 0.125, 0.125]])
    found = find_movement(said(before), said(before + np.array([-scale, scale, 0])))
    assert found.output_step == step
    assert words in movement_in_words(found, NAMES, 1)


@pytest.mark.parametrize(
    ("details", "words"),
    [
        ({"scheme": "dynamic"}, "quantized while it runs"),
        ({"scheme": "float32"}, "The sum of floats depends on their order."),
        ({"kernels": "reference"}, "then the reference kernels of tflite-runtime 2.14.0"),
        (XNNPACK, "Another processor or build of the same kernels rounds differently."),
        ({"kernels": None}, "Another processor or build of the same kernels rounds differently."),
    ],
)
def test_the_reason_is_taken_from_what_is_recorded(details: dict[str, Any], words: str) -> None:
    before = np.array([[0.7, 0.2, 0.1]])
    after = said(before + np.array([-1e-3, 1e-3, 0]), **{**OLD, **details})
    assert words in find_movement(said(before, **XNNPACK), after).reason


def test_every_report_tells_of_it() -> None:
    here, there = said(HERE, **XNNPACK, model="host"), said(THERE, **OLD, model="pi")
    report = compare(here, [there])
    (step,) = json.loads(report_json(report))["steps"]
    assert step["kinds"] == ["runtime"]
    assert (step["movement"]["images"], step["movement"]["tied_answers"]) == (4, 2)
    assert step["movement"]["changed_answers"][2] == {
        "image": 4,
        "before": 0,
        "after": 1,
        "tied": False,
    }
    begin = "pi: 4 of 5 images got other probabilities, by 20 steps of 1/256 at most."
    assert begin in " ".join(report_table(report).split())
    assert f"- {begin}" in report_markdown(report)
    assert "4 of 5 images got other probabilities, by 20 steps" in report_html(report, None)


def test_only_two_runs_of_the_same_file_on_the_same_pixels_move() -> None:
    other_file = said(THERE, **OLD).with_details(model_sha256="cd" * 32)
    other_pixels = said(THERE, **OLD)
    object.__setattr__(other_pixels, "input_sha256", other_pixels.image_sha256[::-1].copy())
    for after in (other_file, other_pixels):
        (step,) = compare(said(HERE, **XNNPACK), [after]).steps
        assert step.movement is None
