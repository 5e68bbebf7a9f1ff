"""The statistics, against SciPy, statsmodels, exact enumeration and each other."""

import math
import subprocess
import sys
from unittest import mock

import numpy as np
import pytest
from conftest import ROOT
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import optimize, special, stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from edge_runtime.proof.statistics import paired
from edge_runtime.proof.statistics.binomial import (
    clopper_pearson_interval,
    incomplete_beta,
    least_improbable,
    normal_quantile,
    wilson_interval,
)
from edge_runtime.proof.statistics.bounded_mean import bounded_mean_interval
from edge_runtime.proof.statistics.paired import (
    difference_interval,
    difference_is_above,
    drop_p_value,
    holm,
    least_drop,
    mcnemar_p_value,
)

counts = st.integers(1, 1_000_000).flatmap(
    lambda total: st.tuples(
        st.one_of(
            st.integers(0, total),
            st.integers(0, min(total, 20)),
            st.integers(max(0, total - 20), total),
        ),
        st.just(total),
    )
)
pairs = st.integers(1, 20_000).flatmap(
    lambda total: st.tuples(st.integers(0, total), st.just(total)).flatmap(
        lambda drawn: st.tuples(
            st.just(drawn[0]), st.integers(0, drawn[1] - drawn[0]), st.just(drawn[1])
        )
    )
)


# One proportion.


@given(counts, st.sampled_from([0.8, 0.95, 0.999]))
def test_clopper_pearson_agrees_with_scipy_and_statsmodels(drawn, confidence):
    successes, total = drawn
    ours = clopper_pearson_interval(successes, total, confidence)
    scipy = stats.binomtest(successes, total).proportion_ci(confidence, method="exact")
    assert ours == pytest.approx((scipy.low, scipy.high), abs=1e-9)
    theirs = proportion_confint(successes, total, 1 - confidence, method="beta")
    assert ours == pytest.approx(np.nan_to_num(theirs, nan=0.0), abs=1e-9)


@given(counts, st.sampled_from([0.8, 0.95, 0.999]))
def test_wilson_agrees_with_statsmodels(drawn, confidence):
    ours = wilson_interval(*drawn, confidence)
    theirs = proportion_confint(*drawn, 1 - confidence, method="wilson")
    assert ours == pytest.approx(theirs, abs=1e-9)


@given(
    st.floats(0.5, 1e6), st.floats(0.5, 1e6), st.floats(0, 1, exclude_min=True, exclude_max=True)
)
@settings(max_examples=300)
@example(0.5, 0.5, 1 - 2**-53)
def test_the_beta_function_agrees_with_scipy(a, b, x):
    """With the smaller of SciPy's two tails: the larger one is off by 3e-9 in the example."""
    larger, smaller = special.betainc(a, b, x), special.betaincc(a, b, x)
    theirs = 1 - smaller if smaller < larger else larger
    assert incomplete_beta(a, b, x) == pytest.approx(theirs, abs=2e-9)


@pytest.mark.parametrize("x", [2**-53, 0.25, 0.5, 0.9, 1 - 2**-53])
def test_the_beta_function_at_one_half_is_an_arcsine(x):
    """The distribution of the arcsine law, in closed form; from the end that x is nearer to."""
    below = 2 / math.pi * math.asin(math.sqrt(min(x, 1 - x)))
    assert incomplete_beta(0.5, 0.5, x) == pytest.approx(below if x < 0.5 else 1 - below, abs=1e-15)


def test_without_trials_a_proportion_may_be_anything():
    assert wilson_interval(0, 0) == (0, 1)
    assert clopper_pearson_interval(0, 0) == (0, 1)


def test_no_failure_in_n_trials_leaves_three_in_n():
    """The rule of three: one-sided at 95 %, so two-sided at 90 %."""
    low, high = clopper_pearson_interval(1000, 1000, 0.90)
    assert high == 1
    assert 1 - low == pytest.approx(3 / 1000, rel=0.01)


@pytest.mark.parametrize("confidence", [0, 1, -1, 95, math.nan])
def test_an_impossible_confidence_is_refused(confidence):
    with pytest.raises(ValueError, match="between 0 and 1"):
        normal_quantile(confidence)


# McNemar.


@given(pairs)
def test_the_mcnemar_test_agrees_with_statsmodels_and_scipy(drawn):
    lost, won, _ = drawn
    ours = mcnemar_p_value(lost, won)
    assert ours == pytest.approx(mcnemar([[0, lost], [won, 0]], exact=True).pvalue, abs=1e-9)
    if lost + won:
        assert ours == pytest.approx(stats.binomtest(lost, lost + won).pvalue, abs=1e-9)


def test_mcnemar_by_hand():
    assert mcnemar_p_value(0, 0) == 1
    assert mcnemar_p_value(5, 0) == pytest.approx(2 / 2**5, abs=1e-15)
    assert mcnemar_p_value(1, 9) == pytest.approx(2 * (1 + 10) / 2**10, abs=1e-15)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_holm_agrees_with_statsmodels(p_values):
    with mock.patch("gc.collect"):  # theirs collects in every call: seconds in a large process
        theirs = multipletests(p_values, method="holm")[1]
    assert holm(p_values) == pytest.approx(theirs, abs=1e-12)


# The difference of two paired proportions.


def tango_bound_by_root_finding(lost, won, total, z):
    """The upper bound of the difference from the likelihood itself, maximized numerically."""

    def excess(difference):
        def minus_log_likelihood(gain):
            loss = gain - difference
            rest = 1 - loss - gain
            terms = ((lost, loss), (won, gain), (total - lost - won, rest))
            return -sum(n * math.log(max(p, 1e-300)) for n, p in terms if n)

        best = optimize.minimize_scalar(
            minus_log_likelihood,
            bounds=(max(0.0, difference), (1 + difference) / 2),
            method="bounded",
            options={"xatol": 1e-13},
        ).x
        variance = total * (2 * best - difference - difference**2)
        correction = 1 / math.sqrt(lost + won + 4)
        return (total * difference - (won - lost) - correction) ** 2 - z * z * variance

    estimate = (won - lost) / total
    return optimize.brentq(excess, estimate + 1e-9 + 1 / total / 2, 1 - 1e-9, xtol=1e-12)


@pytest.mark.parametrize(
    ("lost", "won", "total"), [(12, 3, 200), (3, 12, 200), (40, 35, 1000), (5, 0, 60), (1, 1, 50)]
)
def test_the_interval_is_where_the_score_test_of_the_likelihood_rejects(lost, won, total):
    z = stats.norm.ppf(0.975)
    low, high = difference_interval(lost, won, total)
    assert high == pytest.approx(tango_bound_by_root_finding(lost, won, total, z), abs=1e-6)
    assert low == pytest.approx(-tango_bound_by_root_finding(won, lost, total, z), abs=1e-6)


@given(pairs, st.sampled_from([0.9, 0.95, 0.999]))
def test_the_interval_has_the_difference_in_it_and_turns_with_the_models(drawn, confidence):
    lost, won, total = drawn
    low, high = difference_interval(lost, won, total, confidence)
    assert -1 <= low <= (won - lost) / total <= high <= 1
    turned = difference_interval(won, lost, total, confidence)
    assert turned == pytest.approx((-high, -low), abs=1e-12)


@given(pairs)
def test_more_confidence_or_fewer_images_make_the_interval_wider(drawn):
    lost, won, total = drawn
    narrow, wide = (difference_interval(*drawn, confidence) for confidence in (0.9, 0.99))
    assert wide[0] <= narrow[0]
    assert narrow[1] <= wide[1]
    low, high = difference_interval(10 * lost, 10 * won, 10 * total, 0.9)
    assert high - low <= narrow[1] - narrow[0] + 1e-9


def test_arrays_give_what_single_numbers_give():
    lost, won = np.array([0, 3, 200]), np.array([5, 3, 0])
    low, high = difference_interval(lost, won, 200)
    singly = [difference_interval(int(a), int(b), 200) for a, b in zip(lost, won, strict=True)]
    assert list(zip(low, high, strict=True)) == singly


def test_no_changed_answer_says_less_about_fewer_images():
    assert difference_interval(0, 0, 200)[0] == pytest.approx(-0.0235, abs=5e-5)
    assert difference_interval(0, 0, 1000)[0] == pytest.approx(-0.0048, abs=5e-5)
    assert difference_interval(0, 0, 10_000)[0] == pytest.approx(-0.0005, abs=5e-5)


@pytest.mark.parametrize(("lost", "won", "total"), [(0, 0, 0), (-1, 0, 5), (3, 3, 5)])
def test_impossible_counts_are_refused(lost, won, total):
    with pytest.raises(ValueError, match=r"image"):
        difference_interval(lost, won, total)


def exact_coverage(size, agreement, drop):
    """The probability that the interval covers, summed over all samples that can occur."""
    loss, gain = (1 - agreement + drop) / 2, (1 - agreement - drop) / 2
    lost, won = (grid.ravel() for grid in np.meshgrid(np.arange(80), np.arange(80)))
    kept = lost + won <= size
    lost, won = lost[kept], won[kept]
    chance = stats.binom.pmf(lost, size, loss) * stats.binom.pmf(
        won, size - lost, gain / (1 - loss)
    )
    low, high = difference_interval(lost, won, size)
    assert chance.sum() > 0.999_999
    return chance[(low <= -drop) & (-drop <= high)].sum()


POSSIBLE = [
    (size, agreement, drop)
    for size in (200, 500)
    for agreement in (0.95, 0.98, 0.99, 0.995)
    for drop in (0, 0.005, 0.01, 0.02)
    if drop <= 1 - agreement + 1e-12
]


@pytest.mark.parametrize(("size", "agreement", "drop"), POSSIBLE)
def test_the_interval_covers_the_truth_exactly_as_often_as_promised(size, agreement, drop):
    coverage = exact_coverage(size, agreement, drop)
    assert coverage >= 0.94
    if size * (1 - agreement) >= 10:
        assert coverage <= 0.97


def test_the_power_is_what_the_documentation_says():
    """1,000 images that agree on 99 %, no loss, a margin of one point: shown in 76 %."""
    lost, won = (grid.ravel() for grid in np.meshgrid(np.arange(40), np.arange(40)))
    chance = stats.binom.pmf(lost, 1000, 0.005) * stats.binom.pmf(won, 1000 - lost, 0.005 / 0.995)
    low, _ = difference_interval(lost, won, 1000)
    assert chance[low > -0.01].sum() == pytest.approx(0.76, abs=0.005)


def test_the_uncorrected_interval_would_cover_too_seldom_there(monkeypatch):
    """Why there is a correction: 2 of 100 images lost, none won."""
    assert exact_coverage(200, 0.98, 0.02) >= 0.945
    monkeypatch.setattr(paired, "_continuity_correction", np.zeros_like)
    assert exact_coverage(200, 0.98, 0.02) < 0.94


@pytest.mark.parametrize(
    ("count", "sizes", "cells"),
    [
        (400, "200,1000", {"accuracy": 62, "agreement": 14, "class_recall": 26}),
        (150, "1000", {"brier": 12}),
    ],
)
def test_a_short_simulation_of_every_demand_meets_the_bars(count, sizes, cells):
    command = [sys.executable, ROOT / "scripts" / "simulate-coverage", "--count", str(count)]
    options = ["--sizes", sizes, "--demands", ",".join(cells)]
    options += ["--tolerance", str(0.65 / math.sqrt(count) * 1.4)]
    done = subprocess.run([*command, *options], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    for demand, number in cells.items():
        assert f"{demand}: {number} cells" in done.stdout


# The mean of a bounded variable.


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.9999])
@pytest.mark.parametrize(
    ("successes", "total"), [(0, 1), (1, 1), (3, 10), (0, 200), (5, 200), (998, 1000), (3, 10**9)]
)
def test_the_bounds_of_a_mean_of_zeros_and_ones_are_those_of_clopper_and_pearson(
    successes, total, confidence
):
    found = bounded_mean_interval(
        np.array([0.0, 1.0]),
        np.array([total - successes, successes]),
        lowest=0,
        highest=1,
        confidence=confidence,
    )
    expected = clopper_pearson_interval(successes, total, confidence)
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-13)


def test_the_bounds_of_a_mean_are_quantiles_of_a_mean_with_drawn_weights():
    rng = np.random.default_rng(0)
    values = np.append(rng.normal(0, 0.05, 300), [1.5, -1.0])
    low, high = bounded_mean_interval(values, np.ones(302, np.int64), lowest=-2, highest=2)
    weights = rng.exponential(size=(40_000, 303))
    for extreme, bound, share in ((2, high, 0.975), (-2, low, 0.025)):
        drawn = weights @ np.append(values, extreme) / weights.sum(axis=1)
        # Three standard errors of a share of 2.5 % among 40,000 are 0.23 %.
        assert (drawn <= bound).mean() == pytest.approx(share, abs=0.0024)


def test_the_bounds_of_a_mean_of_a_few_large_values_among_many_small_ones_are_found():
    """Here a path of integration that leans the wrong way grows at its far end only."""
    small = np.geomspace(1e-5, 0.01, 40)
    values = np.concatenate([-small, small, [2.0]])
    counts = np.append(np.full(80, 124), 91)
    _, high = bounded_mean_interval(values, counts, lowest=-2, highest=2)
    total = int(counts.sum())
    # The small ones sum to 0 and hardly widen what 91 large ones alone would leave open.
    expected = 2 * clopper_pearson_interval(91, total)[1]
    assert high == pytest.approx(expected, rel=1e-3)


def test_the_bounds_of_a_mean_of_few_large_values_allow_for_those_not_drawn():
    """Where Wald's interval of 200 equal images is a point, and wrong most of the time."""
    low, high = bounded_mean_interval(np.array([0.0]), np.array([200]), lowest=-2, highest=2)
    assert high == -low == pytest.approx(2 * (1 - 0.025 ** (1 / 200)), rel=1e-6)


def test_the_bounds_of_a_mean_without_images_are_the_limits():
    nothing = np.array([]), np.array([], np.int64)
    assert bounded_mean_interval(*nothing, lowest=-2, highest=2) == (-2, 2)
    assert bounded_mean_interval(np.array([2.0]), np.array([5]), lowest=-2, highest=2)[1] == 2
    with pytest.raises(ValueError, match="Expected observations from -2 to 2"):
        bounded_mean_interval(np.array([2.1]), np.array([1]), lowest=-2, highest=2)


@pytest.mark.parametrize(
    ("script", "options"),
    [
        ("simulate-families", ["--count", "300", "--models", "5", "--demands", "2,12"]),
        ("measure-advice", ["--count", "1000", "--every", "60", "--kinds", "accuracy,agreement"]),
    ],
)
def test_short_simulations_of_families_and_advice_meet_the_bars(script, options):
    sizes = ["--sizes", "500"] if script == "simulate-families" else []
    command = [sys.executable, ROOT / "scripts" / script, *options, *sizes]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ("4 cells" if sizes else "name a number") in done.stdout


# A drop beyond a margin.


@given(pairs, st.floats(0.002, 0.2), st.sampled_from([0.8, 0.95, 0.999]))
def test_above_is_where_the_interval_says(drawn, difference, confidence):
    lost, won, total = drawn
    low, _ = difference_interval(lost, won, total, confidence)
    counts = np.array([lost]), np.array([won]), np.array([total])
    if abs(low - difference) > 1e-9:
        assert difference_is_above(*counts, difference, confidence)[0] == (low > difference)
    if abs(low + difference) > 1e-9 and lost < total:
        assert difference_is_above(*counts, -difference, confidence)[0] == (low > -difference)


@pytest.mark.parametrize("level", [0.025, 0.0125, 0.05 / 12, 0.05 / 96])
@pytest.mark.parametrize(
    ("total", "agreement", "drop"),
    [(200, 0.95, 0.05), (500, 0.95, 0.05), (2000, 0.99, 0.01), (2000, 0.95, 0.05), (100, 0.8, 0.1)],
)
def test_a_true_drop_is_rejected_no_more_often_than_the_level_says(total, agreement, drop, level):
    """Summed over all samples; the score interval rejects the third 2.7 times as often."""
    loss, gain = (1 - agreement + drop) / 2, (1 - agreement - drop) / 2
    grid = np.meshgrid(np.arange(min(total // 2, 250)), np.arange(min(total // 4, 50)))
    lost, won = (each.ravel() for each in grid)
    possible = stats.multinomial.pmf(
        np.stack([lost, won, total - lost - won], axis=1), total, [loss, gain, 1 - loss - gain]
    )
    kept = possible > 1e-12
    lost, won, possible = lost[kept], won[kept], possible[kept]
    rejected = drop_p_value(lost, won, np.full(len(lost), total), drop) <= level
    assert possible.sum() == pytest.approx(1, abs=1e-6)
    assert possible[rejected].sum() <= level + 1e-6


def test_the_least_drop_is_where_the_p_value_crosses_the_level():
    lost, won, total = np.array([40, 100]), np.array([10, 3]), np.array([1000, 1000])
    least = least_drop(lost, won, total, 0.01)
    assert (least < (lost - won) / total).all()
    assert drop_p_value(lost, won, total, least) == pytest.approx([0.01, 0.01], rel=1e-6)


@given(st.integers(1, 3000), st.floats(0.01, 0.99), st.sampled_from([0.025, 0.001]))
def test_so_many_successes_lift_the_exact_interval_above_a_rate(total, rate, tail):
    least = least_improbable(total, rate, tail)
    confidence = 1 - 2 * tail
    if least <= total:
        assert clopper_pearson_interval(least, total, confidence)[0] > rate
    assert clopper_pearson_interval(least - 1, total, confidence)[0] <= rate
