"""The order of a chain of predictions, its steps, and which of them is blamed."""

from dataclasses import replace

import numpy as np
import pytest
from chains import COUNT, answering, chain, costing, losing, steps
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.errors import ContractError
from edge_runtime.inference.comparing import compare
from edge_runtime.proof.parity import Budgets, Contract, Margins
from edge_runtime.proof.parity.flips import first_changes


def test_a_chain_has_the_step_that_lies_between_two_predictions():
    keras, *others = chain()
    assert steps(compare(keras, others)) == [
        ("conversion", "keras", "float32"),
        ("quantization", "float32", "int8"),
        ("runtime or CPU", "int8", "int8-pi"),
    ]


@pytest.mark.parametrize(
    ("faulty", "blamed"),
    [
        ("float32", "conversion"),
        ("int8", "quantization"),
        ("int8_pi", "runtime or CPU"),
    ],
)
def test_a_fault_planted_in_one_step_is_blamed_on_it(faulty, blamed):
    noise = {"float32": 2, "int8": 2, "int8_pi": 2}
    keras, *others = chain(**{**noise, faulty: 60})
    report = compare(keras, others)
    assert report.decision == "broken"
    last = report.comparisons[-1]
    names = [flip.blame for flip in last.flips]
    assert max(set(names), key=names.count) == blamed
    assert report.steps[last.blamed_step].name == blamed
    assert f"To blame is {blamed}" in report.verdict
    assert len(last.flips) == 64


def test_other_pixels_of_the_same_images_are_blamed_on_the_preprocessing():
    keras, float32, int8, device = chain(int8_pi=60)
    shifted = device.input_sha256.copy()
    shifted[:] = b"f" * 64
    report = compare(keras, [float32, int8, replace(device, input_sha256=shifted)])
    assert "preprocessing" in report.steps[-1].kinds
    assert {flip.blame for flip in report.comparisons[-1].flips} == {"preprocessing"}
    assert "To blame is preprocessing" in report.verdict


def test_another_recorded_preprocessing_is_blamed_too():
    keras, float32, int8, device = chain(int8_pi=60)
    int8, device = (
        replace(item, details={**item.details, "preprocessing": {"divide_by": divisor}})
        for item, divisor in ((int8, 1), (device, 255))
    )
    report = compare(keras, [float32, int8, device])
    assert {flip.blame for flip in report.comparisons[-1].flips} == {"preprocessing"}


def test_only_the_images_with_other_pixels_are_blamed_on_the_preprocessing():
    keras, float32, int8, device = chain(int8_pi=60)
    shifted = device.input_sha256.copy()
    shifted[:40] = b"f" * 64
    report = compare(keras, [float32, int8, replace(device, input_sha256=shifted)])
    blames = [flip.blame for flip in report.comparisons[-1].flips]
    assert (blames.count("preprocessing"), blames.count("runtime or CPU")) == (40, 20)


def test_an_answer_is_put_down_to_the_first_step_that_changed_it():
    answers = [np.array(row) for row in ([0, 0, 0, 0], [0, 1, 0, 1], [2, 1, 0, 0], [2, 2, 0, 0])]
    assert first_changes(answers).tolist() == [1, 0, -1, 0]


def test_an_answer_that_came_back_is_no_flip():
    labels = np.zeros(4, int)
    known = [{"scheme": scheme} for scheme in ("keras", "float32", "int8")]
    models = [
        answering(row, labels, details["scheme"], **details)
        for row, details in zip(([0] * 4, [1, 1, 0, 0], [1, 0, 0, 0]), known, strict=True)
    ]
    report = compare(models[0], models[1:])
    assert [(flip.image, flip.blame) for flip in report.comparisons[1].flips] == [(0, "conversion")]


@given(st.permutations(range(3)))
def test_a_device_is_held_to_its_host_in_whatever_order_the_files_are_named(order):
    keras, *others = chain(int8_pi=60)
    report = compare(keras, [others[index] for index in order])
    assert steps(report) == [
        ("conversion", "keras", "float32"),
        ("quantization", "float32", "int8"),
        ("runtime or CPU", "int8", "int8-pi"),
    ]
    assert "To blame is runtime or CPU" in report.verdict


def test_each_of_two_devices_is_held_to_the_host_and_not_to_the_other():
    keras, float32, int8, device = chain()
    details = {**device.details, "model": "int8-pi-5", "cpu": "Cortex-A76"}
    report = compare(keras, [float32, int8, device, replace(device, details=details)])
    assert [step.before_model for step in report.steps] == ["keras", "float32", "int8", "int8"]
    assert [item.is_last for item in report.comparisons] == [False, False, True, True]


def test_a_second_run_on_a_device_is_held_to_the_first():
    keras, float32, int8, device = chain()
    details = {**device.details, "model": "built-in", "kernels": "built-in"}
    report = compare(keras, [float32, int8, device, replace(device, details=details)])
    assert steps(report)[-1] == ("runtime or CPU", "int8-pi", "built-in")


def test_a_file_that_was_rebuilt_on_a_device_is_held_to_its_like_on_the_host():
    keras, float32, int8, device = chain()
    device = replace(device, details={**device.details, "model_sha256": "z"})
    other = replace(device, details={**device.details, "model": "int8-pi-5", "cpu": "Cortex-A76"})
    report = compare(keras, [float32, int8, device, other])
    assert [step.before_model for step in report.steps[2:]] == ["int8", "int8"]
    assert report.steps[2].name == "quantization and runtime or CPU"


def test_what_only_a_device_has_run_may_have_been_harmed_there_too():
    keras, _, _, device = chain(int8_pi=60)
    keras = replace(keras, details={**keras.details, "machine": "x86_64"})
    report = compare(keras, [device])
    assert "To blame is conversion, quantization and runtime or CPU (" in report.verdict
    assert report.verdict.endswith("Add predictions of what lies between to tell these apart.")


def test_a_step_of_which_nothing_is_recorded_is_not_called_another():
    labels = np.arange(COUNT) % 3
    models = [answering(labels, labels, "a"), answering(np.roll(labels, 1), labels, "b")]
    report = compare(models[0], models[1:])
    assert "To blame is what lies between a and b, which their files do not say:" in report.verdict
    keras, float32, int8, _ = chain()
    board = answering(labels, labels, "board")
    assert compare(keras, [float32, int8, board]).steps[-1].name == "runtime or CPU"


def test_a_run_of_the_same_file_says_where_it_was_if_that_is_known():
    keras, float32, int8, _ = chain()
    again = replace(int8, details={**int8.details, "model": "again"})
    nowhere = replace(int8, details={"model": "n", "scheme": "int8", "model_sha256": "c"})
    report = compare(keras, [float32, int8, again])
    assert report.steps[-1].changed == "a second run"
    report = compare(keras, [float32, int8, nowhere])
    assert report.steps[-1].changed == "a run on a machine that is not recorded"
    here, there = (
        replace(keras, details={**keras.details, "model": name, "machine": name}) for name in "ab"
    )
    assert compare(here, [there]).steps[0].changed == "a → b"


def test_several_quantized_models_share_the_float_model_before_them():
    keras, float32, int8, device = chain(float32=5)
    dynamic = replace(
        int8, details={**int8.details, "model": "dynamic", "scheme": "dynamic", "model_sha256": "d"}
    )
    report = compare(keras, [float32, dynamic, int8, device])
    assert steps(report)[1:] == [
        ("quantization", "float32", "dynamic"),
        ("quantization", "float32", "int8"),
        ("runtime or CPU", "int8", "int8-pi"),
    ]
    assert [item.is_last for item in report.comparisons] == [False, True, False, True]
    assert {flip.blame for item in report.comparisons for flip in item.flips} == {"conversion"}


def test_a_chain_without_the_float_model_names_both_steps():
    keras, _, int8, device = chain(int8=60)
    report = compare(keras, [int8])
    assert steps(report) == [("conversion and quantization", "keras", "int8")]
    report = compare(keras, [device])
    assert report.steps[0].name == "conversion and quantization"


def test_predictions_that_say_nothing_of_themselves_are_a_chain_as_given():
    labels = np.zeros(5, int)
    models = [answering(labels, labels, name) for name in "abcd"]
    report = compare(models[0], models[1:])
    assert [(step.before, step.after) for step in report.steps] == [(0, 1), (1, 2), (2, 3)]


def test_the_same_model_on_two_machines_gets_two_names():
    keras, float32, int8, device = chain()
    device = replace(device, details={**device.details, "model": "int8"})
    report = compare(keras, [float32, int8, device])
    assert [item.model for item in report.comparisons] == ["float32", "int8", "int8 (2)"]


def test_accuracy_adds_up_along_the_chain():
    keras, *others = chain(float32=3, int8=9, int8_pi=1)
    report = compare(keras, others)
    along = sum(step.counts.accuracy_difference for step in report.steps)
    assert along == pytest.approx(report.comparisons[-1].counts.accuracy_difference)


@given(st.permutations(range(30)))
def test_the_order_of_the_images_does_not_matter(order):
    full, int8 = losing(3, won=2, of=30)
    order = np.array(order)
    shuffled = replace(
        int8,
        probabilities=int8.probabilities[order],
        labels=int8.labels[order],
        image_sha256=int8.image_sha256[order],
        input_sha256=int8.input_sha256[order],
    )
    straight, turned = compare(full, [int8]), compare(full, [shuffled])
    assert straight.comparisons[0].flips == turned.comparisons[0].flips
    assert straight.comparisons[0].counts == turned.comparisons[0].counts


# The contract.


def test_a_step_keeps_margins_of_its_own():
    keras, *others = chain(float32=6)
    contract = Contract(
        Margins(),
        steps={"conversion": Margins(agreement=0.99), "quantization": Margins(agreement=0.98)},
    )
    report = compare(keras, others, contract=contract)
    assert [[check.decision for check in checks] for checks in report.step_checks] == [
        ["inconclusive"],
        ["holds"],
        [],
    ]
    assert report.decision == "inconclusive"
    assert "in the step conversion" in report.verdict


def test_a_step_that_the_contract_asks_for_must_be_there():
    keras, *others = chain()
    contract = Contract(steps={"runtime": Margins()})
    compare(keras, others, contract=contract)
    with pytest.raises(ContractError, match="'runtime', but the chain has only conversion"):
        compare(keras, others[:2], contract=contract)


@pytest.mark.parametrize(
    ("budget", "figures", "expected"),
    [
        ({"size_bytes": 40_000}, {"size_bytes": 40_000}, "holds"),
        ({"size_bytes": 40_000}, {"size_bytes": 40_001}, "broken"),
        ({"latency_us": 50}, {"latency_us": {"median": 49.5}}, "holds"),
        ({"latency_us": 50}, {"latency_us": {"median": 50.5}}, "broken"),
        ({"memory_bytes": 1e6}, {"memory_bytes": 2_000_000}, "broken"),
    ],
)
def test_budgets_are_for_the_model_at_the_end(budget, figures, expected):
    contract = Contract(Margins(), Budgets(**budget))
    keras, candidates = costing(**figures)
    report = compare(keras, candidates, contract=contract)
    assert report.decision == expected
    assert report.comparisons[0].checks == ()


@pytest.mark.parametrize("figures", [{}, {"size_bytes": None}, {"size_bytes": "large"}])
def test_a_budget_for_what_nobody_measured_is_refused(figures):
    keras, candidates = costing(**figures)
    contract = Contract(Margins(), Budgets(size_bytes=40_000))
    with pytest.raises(ContractError, match="budget for size_bytes, but the predictions of int8"):
        compare(keras, candidates, contract=contract)
