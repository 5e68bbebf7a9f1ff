"""The doctor's parts, on models small enough to know what is right."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.data.drawing import balanced, in_proportion
from edge_runtime.doctor.case import Case
from edge_runtime.doctor.corrections import (
    input_corrections,
    is_usual,
    undo_scaling,
)
from edge_runtime.doctor.judging import LEAST_CUT, LEAST_REPAIR_CUT, restores, score
from edge_runtime.doctor.labels import relabellings
from edge_runtime.doctor.outputs import undo_softmax
from edge_runtime.doctor.ranges import fit_ranges, repairs, tensor_fault
from edge_runtime.doctor.record import open_record
from edge_runtime.inference.loading.workbench import Workbench
from edge_runtime.inference.quantization import quantize, softmax
from edge_runtime.models.inspection import inspect_model
from edge_runtime.models.quantized import Affine, QuantizedFile, scaling_in_front
from edge_runtime.runtimes.backends import choose_backend


@given(st.integers(2, 20), st.integers(0, 2**32 - 1))
def test_softmax_is_undone_for_probabilities(classes: int, seed: int) -> None:
    logits = np.random.default_rng(seed).normal(0, 3, (7, classes)).astype(np.float32)
    once = softmax(logits)
    undone, slack = undo_softmax(softmax(once), 0.0)
    # float32 keeps 24 bits, and the logarithm of a probability near 1/K loses few of them.
    np.testing.assert_allclose(undone, once, atol=1e-5)
    assert slack == pytest.approx(2e-3)


def noisy_answers(labels: Any, classes: int, share_right: float, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    answers = np.where(
        rng.random(len(labels)) < share_right, labels, rng.integers(0, classes, len(labels))
    )
    return np.eye(classes, dtype=np.float32)[answers]


def test_permuted_labels_are_found_by_kind() -> None:
    labels = np.arange(300) % 6
    outputs = noisy_answers(labels, 6, 0.7)
    for kind, order in (
        ("labels-off-by-one", np.roll(np.arange(6), 1)),
        ("labels-reversed", np.arange(6)[::-1]),
        ("labels-permuted", np.array([1, 0, 2, 4, 5, 3])),
    ):
        moved = np.empty_like(outputs)
        moved[:, order] = outputs
        found = [one for one in relabellings(moved, np.eye(6)[labels]) if one.kind == kind]
        orders = [np.array(one.class_of_output) for one in found]
        assert any(np.array_equal(one[order], np.arange(6)) for one in orders), kind


@pytest.mark.parametrize("seed", range(20))
def test_no_permutation_of_guesses_is_proved(seed: int) -> None:
    """It is found on one half of the images and judged on the other."""
    labels = np.arange(500) % 10
    outputs = noisy_answers(labels, 10, 0.0, seed)
    before = score(outputs, labels).part(slice(250, 500))
    for one in relabellings(outputs[:250], np.eye(10)[labels[:250]]):
        ordered = np.empty_like(outputs)
        ordered[:, list(one.class_of_output or ())] = outputs
        after = score(ordered, labels).part(slice(250, 500))
        assert not restores(before, after)


def test_a_correction_must_beat_luck_and_guessing() -> None:
    labels = np.arange(500) % 10
    weak, good = noisy_answers(labels, 10, 0.5), noisy_answers(labels, 10, 0.95)
    guess = noisy_answers(labels, 10, 0.0)
    slightly_better = noisy_answers(labels, 10, 0.53)
    scored = [score(one, labels) for one in (guess, weak, slightly_better, good)]
    assert restores(scored[0], scored[3])
    assert restores(scored[1], scored[3])
    assert not restores(scored[1], scored[2])
    assert not restores(scored[3], scored[1])
    assert not restores(scored[0], score(np.full((500, 10), 0.1, np.float32), labels))


def test_a_correction_must_take_off_enough_of_the_loss() -> None:
    labels = np.arange(400) % 4
    before = score(np.full((400, 4), 0.25, np.float32), labels)
    for least, is_repair in ((LEAST_CUT, False), (LEAST_REPAIR_CUT, True)):
        for share in (least - 0.05, least + 0.05):
            own = 0.25 ** (1 - share)
            answers = np.full((400, 4), (1 - own) / 3, np.float32)
            answers[np.arange(400), labels] = own
            after = score(answers, labels)
            assert restores(before, after, is_repair=is_repair) == (share > least)


def test_what_helps_a_few_images_may_be_luck() -> None:
    """Three of forty images take the whole mean with them."""
    labels = np.zeros(40, np.int64)
    sure = np.tile(np.array([0.99, 0.01], np.float32), (40, 1))
    before = np.where(np.arange(40)[:, np.newaxis] < 3, sure[:, ::-1], sure)
    assert not restores(score(before, labels), score(sure, labels))


def test_a_contrast_that_makes_a_model_sure_of_its_mistakes_is_no_mend() -> None:
    labels = np.arange(100) % 4
    answers = np.eye(4, dtype=np.float32)[np.where(np.arange(100) < 80, labels, 3 - labels)]
    sure, unsure = score(answers, labels), score(0.7 * answers + 0.075, labels)
    assert not restores(unsure, sure)
    assert not restores(sure, sure)


def test_a_network_that_hesitates_is_not_corrected_by_a_contrast() -> None:
    """As after a training on smoothed labels: any contrast above 1 makes it surer."""
    labels = np.arange(400) % 4
    answers = np.eye(4, dtype=np.float32)[np.where(np.arange(400) < 390, labels, 3 - labels)]
    unsure, sure = score(0.6 * answers + 0.1, labels), score(0.96 * answers + 0.01, labels)
    assert sure.mean_loss < (1 - LEAST_CUT) * unsure.mean_loss
    assert not restores(unsure, sure)


def test_what_is_next_to_nothing_cannot_be_halved() -> None:
    labels = np.arange(400) % 4
    right = np.eye(4, dtype=np.float32)[labels]
    assert not restores(score(0.996 * right + 0.001, labels), score(right, labels))


def test_any_part_of_the_images_has_every_class_in_proportion() -> None:
    labels = np.array([0, 1, 2] * 20 + [0] * 120 + [1] * 20)
    order = in_proportion(labels)
    assert sorted(order) == list(range(200))
    assert np.bincount(labels[order[:50]]).tolist() == [35, 10, 5]
    assert np.bincount(labels[order[:100]]).tolist() == [70, 20, 10]


def test_answers_that_are_no_numbers_are_wrong() -> None:
    outputs = np.full((4, 2), np.nan, np.float32)
    assert score(outputs, np.zeros(4, np.int64)).figures.right == 0


def test_images_are_drawn_the_classes_in_turn() -> None:
    labels = np.array([0] * 90 + [1] * 10)
    chosen = balanced(labels, size=20, seed=3)
    assert sorted(labels[chosen]) == [0] * 10 + [1] * 10
    assert len(set(chosen)) == 20
    assert np.array_equal(chosen, balanced(labels, size=20, seed=3))


def scaled_graph(factor: float, offset: float) -> QuantizedFile:
    """Return a small dense network that multiplies and shifts its pixels first."""
    import keras
    import tensorflow as tf

    pixels = keras.Input(batch_shape=(1, 4, 4, 1))
    scaled = keras.layers.Rescaling(factor, offset)(pixels)
    padded = keras.layers.Conv2D(2, 3, padding="same")(scaled)  # a shift cannot fold into padding
    answers = keras.layers.Dense(2)(keras.layers.Flatten()(padded))
    converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(pixels, answers))
    return QuantizedFile(converter.convert())


def test_a_scaling_that_stands_in_the_graph_is_read_and_undone() -> None:
    scaling = scaling_in_front(scaled_graph(0.1 / 127.5, -1.0))
    assert scaling is not None
    assert scaling == pytest.approx((0.1 / 127.5, -1.0))
    assert not is_usual(scaling)
    (undone,) = undo_scaling(scaling)
    assert undone.kind == "input-scale"
    assert undone.apply(np.array([255], np.float32)) == pytest.approx(2550)


def test_a_usual_scaling_in_the_graph_is_left_alone() -> None:
    scaling = scaling_in_front(scaled_graph(1 / 127.5, -1.0))
    assert scaling is not None
    assert is_usual(scaling)
    assert list(undo_scaling(scaling)) == []


def test_every_correction_keeps_the_shape() -> None:
    for shape in ((3, 6, 6, 1), (3, 6, 4, 1), (3, 6, 6, 3), (3, 4, 6, 3)):
        images = np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)
        for correction in input_corrections(images):
            changed = correction.apply(images)
            assert changed.shape == shape, correction.tried
            assert not np.array_equal(changed, images), correction.tried


def test_quantizing_real_numbers_rounds_and_limits(
    tiny_model: Callable[[str], Path],
) -> None:
    tensor = inspect_model(tiny_model("int8").read_bytes()).inputs[0]
    values = np.array([-1e30, -1.0, 0.0, 1.4, 254.6, 1e30], np.float32)
    assert quantize(values, tensor).tolist() == [-128, -128, -128, -127, 127, 127]


def test_ranges_that_fit_prove_nothing(tiny_model: Callable[[str], Path]) -> None:
    """A cause once said "0 of 6 ranges do not fit"."""
    record = open_record(tiny_model("int8"))
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1), np.uint8)
    with Workbench(choose_backend()) as bench:
        case = Case(record, bench, images, np.arange(40) % 10, QuantizedFile(record.data))
        fit = fit_ranges(case)
        assert fit is not None
        fitted = {index: fit.fitted.affines[index] for group in case.file.groups
                  for index in group.tensors}  # fmt: skip
        refitted = replace(case, file=QuantizedFile(case.file.with_affines(fitted)))
        ((one, is_certain),) = repairs(refitted)
        assert (one.kind, is_certain) == ("calibration", False)
        assert ": the ranges of its integers" in one.cause
        assert not restores(refitted.score(), refitted.score(one), is_repair=True)


def test_a_contradiction_names_the_number_that_is_wrong(
    tiny_model: Callable[[str], Path],
) -> None:
    """Of tensors that must agree the second may be the changed one."""
    file = QuantizedFile(tiny_model("int8-uint8-border").read_bytes())
    group = next(one for one in file.groups if len(one.tensors) > 1)
    wrong = Affine(3 * group.affine.scale, group.affine.zero_point)
    changed = QuantizedFile(file.with_affines({group.tensors[1]: wrong}))
    (again,) = [one for one in changed.groups if one.tensors == group.tensors]
    assert not again.consistent
    cause = tensor_fault(changed, again, group.affine).cause
    assert f"scale is {wrong.scale:.4g}, and should be about {group.affine.scale:.4g}" in cause
