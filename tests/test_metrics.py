import functools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, recall_score

from edge_runtime.metrics import PairedCounts, Rate, count_confusion, count_pairs, recalls

CLASSES = 4


def answered(count):
    """Two models' probabilities in steps of 1/256, whose sums are exact, with labels."""
    steps = arrays(np.uint8, (count, CLASSES))
    probabilities = steps.map(lambda values: (values / 256).astype(np.float32))
    labels = arrays(np.int64, (count,), elements=st.integers(0, CLASSES - 1))
    return st.tuples(probabilities, probabilities, labels)


batches = st.lists(st.integers(0, 12).flatmap(answered), min_size=3, max_size=3)


def figures(counts):
    return (
        counts.reference_confusion.tolist(),
        counts.candidate_confusion.tolist(),
        counts.agreements,
        counts.candidate_ties,
        counts.difference_sum,
        counts.largest_difference,
    )


def union(parts):
    return tuple(np.concatenate(rows) for rows in zip(*parts, strict=True))


# Counts that merge.


@given(batches)
def test_merged_counts_are_the_counts_of_the_union(parts):
    merged = functools.reduce(PairedCounts.__add__, [count_pairs(*part) for part in parts])
    assert figures(merged) == figures(count_pairs(*union(parts)))


@given(batches)
def test_merging_is_associative_and_commutative(parts):
    a, b, c = (count_pairs(*part) for part in parts)
    assert figures((a + b) + c) == figures(a + (b + c)) == figures(c + b + a)


@given(answered(9))
def test_counting_no_images_is_the_neutral_element(part):
    nothing = count_pairs(*(values[:0] for values in part))
    counts = count_pairs(*part)
    assert figures(nothing + counts) == figures(counts)
    assert nothing.image_count == 0


@given(answered(12))
def test_the_confusions_are_those_of_scikit_learn(part):
    reference, candidate, labels = part
    counts = count_pairs(*part)
    for probabilities, confusion in (
        (reference, counts.reference_confusion),
        (candidate, counts.candidate_confusion),
    ):
        expected = confusion_matrix(labels, probabilities.argmax(axis=1), labels=range(CLASSES))
        assert np.array_equal(confusion, expected)
        assert confusion.dtype == np.int64


@given(answered(12))
def test_the_recalls_are_those_of_scikit_learn(part):
    reference, _, labels = part
    answers = reference.argmax(axis=1)
    ours = recalls(count_confusion(labels, answers, CLASSES))
    expected = recall_score(
        labels, answers, labels=range(CLASSES), average=None, zero_division=np.nan
    )
    assert np.array([rate.value for rate in ours]) == pytest.approx(expected, nan_ok=True)
    assert [rate.total for rate in ours] == np.bincount(labels, minlength=CLASSES).tolist()


@given(answered(12))
def test_a_model_compared_with_itself_loses_nothing(part):
    reference, _, labels = part
    counts = count_pairs(reference, reference, labels)
    assert counts.accuracy_difference == counts.mean_difference == counts.largest_difference == 0
    assert counts.agreement.value == 1
    assert not counts.confusion_difference.any()


def test_four_images_are_counted_by_hand():
    labels = np.array([0, 1, 2, 2])
    reference = np.array([[3, 1, 0], [1, 3, 0], [0, 1, 3], [2, 1, 1]], np.float32) / 4
    candidate = np.array([[3, 1, 0], [2, 2, 0], [0, 1, 3], [1, 1, 2]], np.float32) / 4
    counts = count_pairs(reference, candidate, labels)
    assert counts.image_count == 4
    assert counts.reference_confusion.tolist() == [[1, 0, 0], [0, 1, 0], [1, 0, 1]]
    assert counts.candidate_confusion.tolist() == [[1, 0, 0], [1, 0, 0], [0, 0, 2]]
    assert counts.confusion_difference.tolist() == [[0, 0, 0], [1, -1, 0], [-1, 0, 1]]
    assert (counts.reference_accuracy, counts.candidate_accuracy) == (Rate(3, 4), Rate(3, 4))
    assert counts.accuracy_difference == 0
    assert counts.agreement == Rate(2, 4)
    assert counts.candidate_ties == 1  # the second image: of equal classes the first counts
    assert counts.difference_sum == (1 + 1 + 1 + 0 + 1) / 4
    assert counts.mean_difference == 1 / 12
    assert counts.largest_difference == 0.25


def test_a_lost_and_a_won_image_show_in_the_agreement_and_not_in_the_accuracy():
    labels = np.array([0, 1])
    right_wrong = np.array([[1, 0], [1, 0]], np.float32)
    wrong_right = np.array([[0, 1], [0, 1]], np.float32)
    counts = count_pairs(right_wrong, wrong_right, labels)
    assert counts.accuracy_difference == 0
    assert counts.agreement == Rate(0, 2)


def test_a_confusion_has_a_place_for_classes_that_do_not_occur():
    assert count_confusion(np.array([0]), np.array([2]), 3).tolist() == [
        [0, 0, 1],
        [0, 0, 0],
        [0, 0, 0],
    ]
    assert count_confusion(np.array([], np.int64), np.array([], np.int64), 2).tolist() == [
        [0, 0],
        [0, 0],
    ]


# Rates.


@st.composite
def rates(draw):
    total = draw(st.integers(1, 10**6))
    return Rate(draw(st.integers(0, total)), total)


@given(rates())
def test_the_interval_stays_within_0_and_1_and_contains_the_value(rate):
    low, high = rate.interval
    assert 0 <= low <= rate.value <= high <= 1
    assert low < high


@given(rates())
def test_the_interval_is_scipys_wilson_interval(rate):
    expected = binomtest(rate.successes, rate.total).proportion_ci(0.95, method="wilson")
    assert rate.interval == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_more_images_make_the_interval_narrower():
    widths = [np.subtract(*Rate(9 * n, 10 * n).interval[::-1]) for n in (1, 10, 100, 1000)]
    assert widths == sorted(widths, reverse=True)


def test_the_interval_of_a_perfect_answer_is_no_point():
    low, high = Rate(10, 10).interval
    assert high == 1
    # n / (n + z²), Wilson's lower end for p = 1.
    assert low == pytest.approx(10 / (10 + 1.959963984540054**2), abs=1e-12)


def test_a_rate_of_nothing_is_unknown():
    rate = Rate(0, 0)
    assert math.isnan(rate.value)
    assert rate.interval == (0.0, 1.0)
    assert rate.to_dict() == {
        "value": None,
        "interval_95": [0.0, 1.0],
        "successes": 0,
        "total": 0,
    }


def test_a_rate_is_written_with_its_counts():
    document = Rate(3, 4).to_dict()
    assert (document["value"], document["successes"], document["total"]) == (0.75, 3, 4)
