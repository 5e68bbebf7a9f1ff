import functools
import itertools
import math
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import binomtest, entropy
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, confusion_matrix, log_loss, recall_score

from edge_runtime.proof.metrics import (
    PROBABILITY_FLOOR,
    PairedCounts,
    Rate,
    count_confusion,
    count_pairs,
    recalls,
)
from edge_runtime.proof.statistics.bounded_mean import bounded_mean_interval

CLASSES = 4


def answered(count):
    """Two models' probabilities in steps of 1/256, whose sums are exact, with labels."""
    steps = arrays(np.uint8, (count, CLASSES))
    probabilities = steps.map(lambda values: (values / 256).astype(np.float32))
    labels = arrays(np.int64, (count,), elements=st.integers(0, CLASSES - 1))
    return st.tuples(probabilities, probabilities, labels)


batches = st.lists(st.integers(0, 12).flatmap(answered), min_size=3, max_size=3)


def union(parts):
    return tuple(np.concatenate(rows) for rows in zip(*parts, strict=True))


# Counts that merge.


@given(batches)
def test_merged_counts_are_the_counts_of_the_union(parts):
    merged = functools.reduce(PairedCounts.__add__, [count_pairs(*part) for part in parts])
    assert merged == count_pairs(*union(parts))


@given(batches)
def test_merging_is_associative_and_commutative(parts):
    a, b, c = (count_pairs(*part) for part in parts)
    assert (a + b) + c == a + (b + c) == c + b + a


@given(answered(9))
def test_counting_no_images_is_the_neutral_element(part):
    nothing = count_pairs(*(values[:0] for values in part))
    counts = count_pairs(*part)
    assert nothing + counts == counts
    assert nothing.image_count == 0


@pytest.mark.parametrize("classes", [1, 3])
def test_counts_of_other_classes_do_not_add_up(classes):
    one, other = (
        count_pairs(np.eye(k, dtype=np.float32), np.eye(k, dtype=np.float32), np.arange(k))
        for k in (classes, 4)
    )
    with pytest.raises(ValueError, match=r"same classes .* and \(4, 4\)"):
        one + other


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
    assert counts.reference_ties == 0
    assert counts.tied_flips == 1  # it flips, but the answer of before is as probable
    assert counts.total_variation.mean == (0 + 1 / 4 + 0 + 1 / 4) / 4
    assert counts.mean_difference == pytest.approx((1 + 1 + 1 + 0 + 1) / 4 / 12, abs=1e-12)
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


def test_what_left_and_what_entered_a_cell_by_hand():
    labels = np.array([0, 0, 0, 1])
    reference, candidate = (
        np.eye(2, dtype=np.float32)[rows] for rows in ([0, 0, 1, 1], [1, 0, 0, 1])
    )
    counts = count_pairs(reference, candidate, labels)
    assert counts.left.tolist() == [[1, 1], [0, 0]]
    assert counts.entered.tolist() == [[1, 1], [0, 0]]
    assert (counts.lost, counts.won, counts.flips) == (1, 1, 2)
    assert not counts.confusion_difference.any()  # what moved both ways does not show there


# A million images.


def synthetic(count, seed):
    """A model, its noisier copy and the truth."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(count, CLASSES)).astype(np.float32) * 2
    noisy = logits + rng.normal(size=logits.shape).astype(np.float32) / 10
    labels = np.where(rng.random(count) < 0.8, logits.argmax(axis=1), rng.integers(0, 4, count))
    return softmax(logits), softmax(noisy), labels


def softmax(logits):
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (raised / raised.sum(axis=1, keepdims=True)).astype(np.float32)


def test_a_million_images_in_chunks_take_no_more_memory_and_count_like_the_whole():
    """In a process of its own, whose peak the operating system keeps."""
    script = """
import resource, sys
import numpy as np
sys.path[:0] = sys.argv[1:]
from test_metrics import count_pairs, synthetic
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
total = count_pairs(*synthetic(50_000, 0)) + count_pairs(*synthetic(50_000, 1))
early = peak()
for seed in range(2, 20):
    total += count_pairs(*synthetic(50_000, seed))
growth = peak() - early
parts = zip(*(synthetic(50_000, seed) for seed in range(20)))
whole = count_pairs(*(np.concatenate(rows) for rows in parts))
print(whole.image_count, growth, total == whole)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(ROOT / "tests"), str(ROOT / "tests" / "proof")],
        capture_output=True,
        text=True,
        check=True,
    )
    image_count, growth_mebibytes, equal = done.stdout.split()
    assert int(image_count) == 1_000_000
    assert float(growth_mebibytes) < 20
    assert equal == "True"


def test_chunks_of_any_size_count_like_the_whole():
    whole = synthetic(200_000, 0)
    cuts = [0, 1, 7_000, 7_001, 120_000, 200_000]
    parts = [
        count_pairs(*(values[start:end] for values in whole))
        for start, end in itertools.pairwise(cuts)
    ]
    assert functools.reduce(PairedCounts.__add__, parts) == count_pairs(*whole)


@given(st.integers(1, 300), st.sampled_from([2, 4, 17, 100]), st.integers(0, 99))
def test_counts_do_not_hang_on_how_arrays_lie_in_memory(count, classes, seed):
    rng = np.random.default_rng(seed)
    reference, candidate = (softmax(rng.normal(size=(count, classes))) for _ in range(2))
    labels = rng.integers(0, classes, count)
    by_column = (np.asfortranarray(rows) for rows in (reference, candidate))
    assert count_pairs(*by_column, labels) == count_pairs(reference, candidate, labels)


# Calibration.


def test_the_scores_agree_with_scikit_learn():
    reference, candidate, labels = synthetic(20_000, 3)
    counts = count_pairs(reference, candidate, labels)
    for probabilities, confidence in (
        (reference, counts.reference_confidence),
        (candidate, counts.candidate_confidence),
    ):
        wide = probabilities.astype(np.float64)
        brier = sum(brier_score_loss((labels == k).astype(int), wide[:, k]) for k in range(CLASSES))
        assert confidence.brier == pytest.approx(brier, abs=1e-9)
        true = np.maximum(wide[np.arange(len(labels)), labels], PROBABILITY_FLOOR)
        assert confidence.log_loss == pytest.approx(-np.log(true).mean(), abs=1e-9)
        above = np.all(wide >= PROBABILITY_FLOOR, axis=1)
        alone = count_pairs(probabilities[above], probabilities[above], labels[above])
        rows = wide[above] / wide[above].sum(axis=1, keepdims=True)
        expected = log_loss(labels[above], rows)
        assert alone.reference_confidence.log_loss == pytest.approx(expected, abs=1e-7)


def test_the_calibration_error_agrees_with_scikit_learns_reliability_curve():
    reference, _, labels = synthetic(20_000, 4)
    confidence = reference.max(axis=1).astype(np.float64)
    right = reference.argmax(axis=1) == labels
    share, mean = calibration_curve(right, confidence, n_bins=10)
    images, right_in_bin, confidence_in_bin = count_pairs(
        reference, reference, labels
    ).reference_confidence.bins
    used = images > 0
    assert right_in_bin[used] / images[used] == pytest.approx(share, abs=1e-9)
    assert confidence_in_bin[used] / images[used] == pytest.approx(mean, abs=1e-9)
    expected = np.average(np.abs(share - mean), weights=images[used])
    ece = count_pairs(reference, reference, labels).reference_confidence.ece
    assert ece == pytest.approx(expected, abs=1e-9)


def test_a_model_that_is_as_sure_as_it_is_right_has_no_calibration_error():
    probabilities = np.tile(np.array([0.75, 0.25], np.float32), (400, 1))
    labels = np.repeat([0, 0, 0, 1], 100)
    confidence = count_pairs(probabilities, probabilities, labels).reference_confidence
    assert confidence.ece == 0
    assert confidence.brier == pytest.approx(0.75 * 2 * 0.0625 + 0.25 * 2 * 0.5625, abs=1e-12)


def test_the_rise_of_the_brier_score_is_the_difference_of_both_scores():
    reference, candidate, labels = synthetic(3000, 5)
    candidate = softmax(np.log(candidate) * 1.6)  # overconfident
    counts = count_pairs(reference, candidate, labels)
    before, after = counts.reference_confidence.brier, counts.candidate_confidence.brier
    assert counts.brier_rise.mean == pytest.approx(after - before, abs=1e-15)
    low, high = counts.brier_rise.interval()
    truth = np.eye(CLASSES)[labels]
    rises = ((candidate - truth) ** 2).sum(axis=1) - ((reference - truth) ** 2).sum(axis=1)
    exact = bounded_mean_interval(rises, np.ones(3000, np.int64), lowest=-2, highest=2)
    # The histogram's bins keep the variance to 0.2 %, so the width to 0.1 %.
    assert (low, high) == pytest.approx(exact, abs=0.001 * (high - low))


def test_a_few_images_without_a_change_do_not_show_that_the_brier_score_stays():
    probabilities = np.tile(np.array([0.75, 0.25], np.float32), (200, 1))
    labels = np.zeros(200, int)
    for count in (1, 200):
        rows = probabilities[:count]
        interval = count_pairs(rows, rows, labels[:count]).brier_rise.interval()
        # Of so many images that many may all the same change by 2, as Clopper and Pearson say.
        most = 2 * (1 - 0.025 ** (1 / count))
        assert interval == pytest.approx((-most, most), abs=1e-6)


def test_probabilities_that_sum_to_more_than_one_score_two_at_most():
    rows = np.array([[1.02, 0.0]], np.float32)
    counts = count_pairs(rows[:, ::-1], rows, np.array([1]))
    assert counts.candidate_confidence.brier == 2  # and not 1.02² + 1
    assert counts.brier_rise.mean == pytest.approx(2 - 0.02**2, abs=1e-6)


def test_a_threshold_accepts_what_is_at_least_as_sure():
    confidences = np.array([0.5, 0.7, 0.8, 0.8, 0.95, 1.0], np.float32)
    reference = np.stack([confidences, 1 - confidences], axis=1)
    candidate = np.roll(reference, 1, axis=0)
    labels = np.array([0, 0, 0, 1, 0, 1])
    effect = count_pairs(reference, candidate, labels).at_threshold(0.8)
    assert effect.reference_accepted == Rate(4, 6)
    assert effect.reference_wrong == Rate(2, 4)
    assert effect.candidate_accepted == Rate(4, 6)
    assert effect.candidate_wrong == Rate(2, 4)


@given(st.integers(0, 99))
def test_every_whole_percentage_is_a_threshold(percent):
    reference, candidate, labels = synthetic(300, 6)
    effect = count_pairs(reference, candidate, labels).at_threshold(percent / 100)
    accepted = reference.max(axis=1) >= np.float32(percent / 100)
    assert effect.reference_accepted.successes == int(accepted.sum())


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_what_is_as_sure_as_the_threshold_is_accepted_in_any_precision(kind):
    for percent in range(50, 100):
        rows = np.array([[percent / 100, 1 - percent / 100]], kind)
        effect = count_pairs(rows, rows, np.array([0])).at_threshold(percent / 100)
        assert effect.reference_accepted == Rate(1, 1)


@pytest.mark.parametrize("threshold", [-0.1, 0.805, 1, math.nan])
def test_a_threshold_between_the_steps_is_refused(threshold):
    counts = count_pairs(*synthetic(10, 0))
    with pytest.raises(ValueError, match="whole percentage"):
        counts.at_threshold(threshold)


# Distances.


def test_the_distances_agree_with_scipy():
    reference, candidate, labels = synthetic(5000, 7)
    counts = count_pairs(reference, candidate, labels)
    p, q = reference.astype(np.float64), candidate.astype(np.float64)
    total_variation = np.abs(p - q).sum(axis=1) / 2
    assert counts.total_variation.mean == pytest.approx(total_variation.mean(), abs=1e-9)
    assert counts.total_variation.largest == total_variation.max()
    exact = np.percentile(total_variation, 99, method="inverted_cdf")
    assert exact <= counts.total_variation.percentile(99) <= 1.022 * exact
    p, q = (np.maximum(rows, PROBABILITY_FLOOR) for rows in (p, q))
    divergence = entropy(p, q, axis=1)
    assert counts.kl.mean == pytest.approx(divergence.mean(), abs=1e-9)


@given(answered(12))
def test_distances_are_never_negative_and_zero_only_for_the_same(part):
    reference, candidate, labels = part
    counts = count_pairs(reference, candidate, labels)
    assert counts.kl.mean >= 0
    assert (counts.total_variation.largest == 0) == np.array_equal(reference, candidate)
    assert counts.total_variation.percentile(99) <= counts.total_variation.largest


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
