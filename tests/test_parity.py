import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.errors import PredictionsError
from edge_runtime.metrics import Rate
from edge_runtime.parity import TIE_RULE, Flip, compare
from edge_runtime.predictions import Predictions

NAMES = ("cat", "dog", "bird")


def answering(answers, labels, model="int8", *, confidence=0.75):
    """Predictions of a model that gives this probability to each of its answers."""
    confidences = np.broadcast_to(confidence, len(answers))
    probabilities = np.repeat((1 - confidences[:, np.newaxis]) / 2, 3, axis=1)
    probabilities[np.arange(len(answers)), answers] = confidences
    hashes = np.array([f"{index:064d}".encode() for index in range(len(answers))], "S64")
    return Predictions(
        probabilities.astype(np.float32), np.array(labels), hashes, NAMES, {"model": model}
    )


def losing(lost, *, won=0, of=1000):
    """A full model that is right on all but the last images, and one that loses the first ones."""
    labels = np.zeros(of, int)
    full, other = labels.copy(), labels.copy()
    full[of - won :] = 1
    other[:lost] = 1
    return answering(full, labels, "full"), answering(other, labels)


# The limit.


@pytest.mark.parametrize(
    ("lost", "of", "max_drop", "holds"),
    [
        (0, 1000, 0.0, True),
        (1, 1000, 0.0, False),
        (10, 1000, 0.01, True),
        (11, 1000, 0.01, False),
        (1, 100, 0.01, True),
        (2, 100, 0.01, False),
        (29, 100, 0.29, True),  # 0.29 * 100 is 28.999999999999996 in floating point
        (7, 100, 0.07, True),  # and 0.07 * 100 is 7.000000000000001
        (100, 100, 1.0, True),
    ],
)
def test_a_drop_of_exactly_the_limit_holds_and_one_image_more_breaks_it(lost, of, max_drop, holds):
    full, int8 = losing(lost, of=of)
    report = compare(full, [int8], max_drop=max_drop)
    assert report.holds is holds
    assert report.comparisons[0].holds is holds


@given(lost=st.integers(0, 100), allowed=st.integers(0, 100))
def test_the_limit_counts_whole_images_whatever_floating_point_says(lost, allowed):
    full, int8 = losing(lost, of=100)
    assert compare(full, [int8], max_drop=allowed / 100).holds is (lost <= allowed)


def test_won_images_make_up_for_lost_ones_in_the_accuracy():
    full, int8 = losing(20, won=15)
    report = compare(full, [int8], max_drop=0.005)
    assert report.holds
    assert report.comparisons[0].counts.accuracy_difference == -0.005
    assert len(report.comparisons[0].flips) == 35


def test_one_broken_model_of_several_breaks_the_report():
    full, int8 = losing(50)
    report = compare(full, [full, int8], max_drop=0.01)
    assert [comparison.holds for comparison in report.comparisons] == [True, False]
    assert not report.holds
    assert "int8 loses 5.0 points" in report.verdict
    assert report.verdict.startswith("Parity is broken: ")


def test_the_default_limit_is_one_point():
    full, int8 = losing(11)
    report = compare(full, [int8])
    assert report.max_drop == 0.01
    assert not report.holds


# The verdict.


def test_a_verdict_that_holds_names_the_largest_loss():
    full, int8 = losing(5)
    worse = Predictions(
        losing(8)[1].probabilities, full.labels, full.image_sha256, NAMES, {"model": "dynamic"}
    )
    report = compare(full, [int8, worse])
    assert report.verdict.startswith("Parity holds: the largest loss is 0.8 points (dynamic)")


@pytest.mark.parametrize("won", [0, 3])
def test_a_verdict_without_a_loss_says_so(won):
    full, int8 = losing(0, won=won)
    assert compare(full, [int8]).verdict.startswith("Parity holds: no model loses accuracy")


# The figures.


def test_flips_are_told_with_their_effect_the_most_confident_first():
    labels = [0, 0, 0, 0, 1]
    full = answering([0, 0, 1, 1, 1], labels, "full", confidence=[0.5, 0.9, 0.5, 0.5, 0.9])
    int8 = answering([1, 1, 0, 2, 1], labels, confidence=[0.5, 0.8, 0.6, 0.4, 0.9])
    flips = compare(full, [int8]).comparisons[0].flips
    assert [(flip.image, flip.effect) for flip in flips] == [
        (1, "lost"),
        (2, "won"),
        (0, "lost"),
        (3, "neither right"),
    ]
    first = flips[0]
    assert (first.label, first.reference, first.candidate) == (0, 0, 1)
    assert first.reference_confidence == pytest.approx(0.9)
    assert first.candidate_confidence == pytest.approx(0.8)


def test_a_flip_is_judged_by_the_true_class():
    assert Flip(0, 1, 1, 2, 0.9, 0.9).effect == "lost"
    assert Flip(0, 1, 2, 1, 0.9, 0.9).effect == "won"
    assert Flip(0, 1, 0, 2, 0.9, 0.9).effect == "neither right"


def test_the_report_is_json_with_all_figures():
    full, int8 = losing(2, won=1, of=10)
    report = compare(full, [int8], max_drop=0.1)
    document = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert (document["schema_version"], document["holds"]) == (1, True)
    assert document["verdict"] == report.verdict
    assert (document["max_drop"], document["image_count"]) == (0.1, 10)
    assert (document["class_names"], document["tie_rule"]) == (list(NAMES), TIE_RULE)
    assert document["full"]["accuracy"] == Rate(9, 10).to_dict()
    assert document["full"]["confusion"] == [[9, 1, 0], [0, 0, 0], [0, 0, 0]]
    (comparison,) = document["comparisons"]
    assert comparison["model"] == "int8"
    assert comparison["accuracy"] == Rate(8, 10).to_dict()
    assert comparison["accuracy_difference"] == -0.1
    assert comparison["agreement"] == Rate(7, 10).to_dict()
    assert comparison["confusion"] == [[8, 2, 0], [0, 0, 0], [0, 0, 0]]
    assert comparison["confusion_difference"] == [[-1, 1, 0], [0, 0, 0], [0, 0, 0]]
    assert comparison["recall"][0] == Rate(8, 10).to_dict()
    assert comparison["recall_full"][0] == Rate(9, 10).to_dict()
    # Classes without images have no recall, and JSON has no NaN.
    assert [rate["value"] for rate in comparison["recall"][1:]] == [None, None]
    assert [flip["effect"] for flip in comparison["flips"]] == ["lost", "lost", "won"]
    # From 0.75 to 0.125, on three of ten images in two of three classes.
    assert comparison["largest_probability_difference"] == 0.625
    assert comparison["mean_probability_difference"] == pytest.approx(3 * 2 * 0.625 / 30)


# Misuse.


def test_nothing_to_compare_is_refused():
    with pytest.raises(PredictionsError, match="There is nothing to compare"):
        compare(losing(0)[0], [])


@pytest.mark.parametrize("max_drop", [-0.01, 1.01, 5, float("nan"), float("inf")])
def test_an_impossible_limit_is_refused(max_drop):
    full, int8 = losing(0)
    with pytest.raises(PredictionsError, match=r"must be 0 to 1 \(0\.01 is one point\), got"):
        compare(full, [int8], max_drop=max_drop)


def test_predictions_about_other_images_are_refused():
    full, _ = losing(0, of=10)
    with pytest.raises(PredictionsError, match="full and int8 are about 10 and 9 images"):
        compare(full, [full, losing(0, of=9)[1]])
