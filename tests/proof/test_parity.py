"""The verdict: what is decided, from which images, and what is shown of it."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from chains import answering, chain, costing, losing
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.errors import ContractError, PredictionsError
from edge_runtime.inference.comparing import compare
from edge_runtime.proof.metrics import count_pairs
from edge_runtime.proof.parity import Budgets, Contract, Flip, Margins, cell_changes, class_changes
from edge_runtime.proof.report import report_html, report_json, report_junit, report_markdown
from edge_runtime.proof.statistics.paired import difference_interval, least_drop, mcnemar_p_value


def decision(lost, *, won=0, of=1000, **margins):
    full, int8 = losing(lost, won=won, of=of)
    return compare(full, [int8], contract=Contract(Margins(**margins))).decision


# Holds, broken, inconclusive.


def test_the_decision_is_where_the_interval_lies():
    assert decision(2, accuracy=0.01) == "holds"
    assert decision(8, accuracy=0.01) == "inconclusive"
    assert decision(12, accuracy=0.01) == "inconclusive"
    assert decision(40, accuracy=0.01) == "broken"


def test_five_hundred_images_without_a_flip_show_less_than_a_thousand():
    assert decision(0, of=1000, accuracy=0.005) == "holds"
    assert decision(0, of=500, accuracy=0.005) == "inconclusive"


@given(lost=st.integers(0, 60), won=st.integers(0, 60), margin=st.floats(0.001, 0.2))
def test_holds_and_broken_mean_that_the_whole_interval_lies_on_that_side(lost, won, margin):
    low, high = difference_interval(lost, won, 1000)
    expected = "holds" if low > -margin else "broken" if high < -margin else "inconclusive"
    assert decision(lost, won=won, accuracy=margin) == expected


def test_won_images_make_up_for_lost_ones_in_the_accuracy_but_not_in_the_agreement():
    assert decision(20, won=20, accuracy=0.02) == "holds"
    assert decision(20, won=20, agreement=0.98) == "broken"
    assert decision(2, won=2, agreement=0.98) == "holds"
    assert decision(10, won=10, agreement=0.98) == "inconclusive"


def test_too_few_images_say_how_many_would_do():
    full, int8 = losing(0, of=200)
    report = compare(full, [int8])
    assert report.decision == "inconclusive"
    # Nothing was lost: 475 never decide it, 476 always, so that no number does in four of five.
    assert (report.images_needed, report.images_at_least) == (None, 476)
    assert "at least 476 are needed" in report.verdict
    assert compare(*_with_list(losing(0, of=475))).decision == "inconclusive"
    enough = compare(*_with_list(losing(0, of=476)))
    assert enough.decision == "holds"
    assert (enough.images_needed, enough.images_at_least) == (None, None)


def _with_list(pair):
    return pair[0], [pair[1]]


def test_a_loss_on_the_limit_itself_asks_for_no_number():
    report = compare(*_with_list(losing(10)))
    assert report.decision == "inconclusive"
    assert report.images_needed is None


def test_the_default_contract_is_one_point_of_accuracy_and_agreement():
    margins = compare(*_with_list(losing(0))).contract.margins
    assert margins == Margins(accuracy=0.01, agreement=0.95)


def test_one_broken_model_of_several_breaks_the_report():
    full, int8 = losing(50)
    report = compare(full, [replace(full, details={"model": "float32"}), int8])
    assert [comparison.holds for comparison in report.comparisons] == [True, False]
    assert report.decision == "broken"
    assert "int8" in report.verdict


def by_class(lost_of_cats, *, count=100):
    """Three classes; the candidate takes some cats for dogs."""
    labels = np.repeat([0, 1, 2], count)
    after = labels.copy()
    after[:lost_of_cats] = 1
    return answering(labels, labels, "full"), answering(after, labels)


def test_one_class_may_break_what_the_accuracy_hides():
    full, int8 = by_class(30, count=1000)
    contract = Contract(Margins(accuracy=0.02, class_recall=0.015))
    report = compare(full, [int8], contract=contract)
    accuracy, recall = report.comparisons[0].checks
    assert accuracy.decision == "holds"
    assert (recall.decision, recall.class_index) == ("broken", 0)
    assert "'cat'" in report.verdict


def test_many_classes_need_more_to_be_broken_but_not_to_hold():
    """A finding in one of many classes may be luck; that all hold is no luckier for being many."""
    full, int8 = by_class(11)
    report = compare(full, [int8], contract=Contract(Margins(class_recall=0.05)))
    assert difference_interval(11, 0, 100)[1] < -0.05  # it would be, were it the only class
    assert report.comparisons[0].checks[0].decision == "inconclusive"
    full, int8 = by_class(0)
    report = compare(full, [int8], contract=Contract(Margins(class_recall=0.05)))
    assert difference_interval(0, 0, 100)[0] > -0.05
    assert report.comparisons[0].checks[0].decision == "holds"


def test_what_is_shown_of_a_class_is_what_decides_among_many():
    """Alone it would be broken; among three the interval reaches over the limit, and says why."""
    full, int8 = by_class(11)
    report = compare(full, [int8], contract=Contract(Margins(class_recall=0.05)))
    (check,) = report.comparisons[0].checks
    low, high = check.interval
    assert low == difference_interval(11, 0, 100)[0]
    assert high > -0.05 > difference_interval(11, 0, 100)[1]
    assert high == -least_drop(np.array([11]), np.array([0]), np.array([100]), 0.05 / 3)[0]
    assert check.broken_alone
    assert "beyond the limit by itself, but not among 3 classes" in report.verdict


# Several demands share the probability of a false alarm.


def test_a_demand_that_is_broken_alone_may_be_luck_among_many():
    full, int8 = losing(18)
    alone = compare(full, [int8], contract=Contract(Margins(accuracy=0.01)))
    assert alone.decision == "broken"
    same = [replace(full, details={"model": f"copy {n}"}) for n in range(7)]
    report = compare(full, [int8, *same], contract=Contract(Margins(accuracy=0.01)))
    check = report.comparisons[0].checks[0]
    assert (report.judged_demands, report.decision) == (8, "inconclusive")
    assert (check.decision, check.broken_alone) == ("inconclusive", True)
    assert check.interval[0] < -0.01 < check.interval[1]
    assert "beyond the limit by itself, but not among 8 demands" in report.verdict


def test_what_is_far_beyond_the_limit_is_broken_among_many():
    full, int8 = losing(40)
    same = [replace(full, details={"model": f"copy {n}"}) for n in range(7)]
    report = compare(full, [int8, *same], contract=Contract(Margins(accuracy=0.01)))
    check = report.comparisons[0].checks[0]
    assert (check.decision, check.broken_alone) == ("broken", False)
    assert check.interval == difference_interval(40, 0, 1000)


def test_agreement_and_brier_score_share_it_too():
    full, int8 = losing(31)
    low, _ = compare(full, [int8]).comparisons[0].counts.brier_rise.interval()
    for margins in (Margins(agreement=0.98), Margins(brier=low * 0.99)):
        decisions = []
        for copies in (0, 11):
            same = [replace(full, details={"model": f"copy {n}"}) for n in range(copies)]
            report = compare(full, [int8, *same], contract=Contract(margins))
            decisions.append(report.comparisons[0].checks[0].decision)
        assert decisions == ["broken", "inconclusive"], margins


def test_the_demands_on_steps_count_and_budgets_do_not():
    keras, *others = chain()
    contract = Contract(
        Margins(accuracy=0.1, agreement=0.5),
        steps={"conversion": Margins(agreement=0.5), "runtime": Margins()},
    )
    assert compare(keras, others, contract=contract).judged_demands == 7


def test_holding_needs_no_correction():
    full, int8 = losing(0, of=476)
    same = [replace(full, details={"model": f"copy {n}"}) for n in range(11)]
    assert compare(full, [int8, *same]).decision == "holds"


# How many images would decide.


def test_the_named_number_decides_four_of_five_reports_of_images_like_these():
    """Each drawn report is judged by the same code that a user runs."""
    full, int8 = by_class(2, count=60)
    contract = Contract(Margins(accuracy=0.04, agreement=0.95, class_recall=0.12, brier=0.08))
    report = compare(full, [int8, replace(int8, details={"model": "twin"})], contract=contract)
    assert report.decision == "inconclusive"
    images, rng = report.images_needed, np.random.default_rng(0)
    hashes = np.array([f"{index:064x}".encode() for index in range(images)], "S64")
    decided = 0
    for _ in range(40):
        rows = rng.integers(0, len(full), images)
        drawn = [
            replace(
                each,
                probabilities=each.probabilities[rows],
                labels=each.labels[rows],
                image_sha256=hashes,
                input_sha256=hashes,
            )
            for each in (full, int8, replace(int8, details={"model": "twin"}))
        ]
        decided += compare(drawn[0], drawn[1:], contract=contract).decision != "inconclusive"
    # 75 to 90 %, and more than two standard errors of 40 samples beyond.
    assert 0.62 <= decided / 40 <= 0.98


def test_a_brier_score_next_to_the_limit_asks_for_no_number():
    labels = np.zeros(2000, int)
    answers = np.where(np.arange(2000) % 4, 0, 1)
    full = answering(answers, labels, "full", confidence=0.75)
    sure = answering(answers, labels, confidence=0.95)
    found = count_pairs(full.probabilities, sure.probabilities, labels).brier_rise.mean
    for margin in (found, found + 1e-9):
        report = compare(full, [sure], contract=Contract(Margins(brier=margin)))
        assert (report.decision, report.images_needed) == ("inconclusive", None)


def test_an_absent_class_is_not_judged():
    full, int8 = losing(0, of=400)  # only cats
    report = compare(full, [int8], contract=Contract(Margins(class_recall=0.05)))
    assert report.comparisons[0].checks[0].decision == "holds"
    assert [change.index for change in class_changes(report.comparisons[0].counts)] == [0]


def test_overconfidence_raises_the_brier_score_though_no_answer_changes():
    labels = np.zeros(2000, int)
    answers = np.where(np.arange(2000) % 4, 0, 1)  # three of four right
    full = answering(answers, labels, "full", confidence=0.75)
    sure = answering(answers, labels, confidence=0.95)
    contract = Contract(Margins(brier=0.04))
    report = compare(full, [sure], contract=contract)
    check = report.comparisons[0].checks[0]
    # By hand: ¾ (0.05² + 2·0.025² - 0.25² - 2·0.125²) + ¼ (0.975² + … - 0.875² - …).
    assert check.value == pytest.approx(0.06, abs=1e-7)
    assert (report.decision, check.demand) == ("broken", "brier")
    assert compare(full, [full], contract=contract).decision == "holds"
    assert "the Brier score of int8 changes by +0.0600 (95 % interval +0.0" in report.verdict
    assert "where a rise by 0.04 is allowed" in report.verdict


# What moved beyond chance.


def test_classes_and_cells_are_tested_with_a_correction_for_their_number():
    full, int8 = by_class(12)
    counts = compare(full, [int8]).comparisons[0].counts
    cat, dog, bird = class_changes(counts)
    assert (cat.lost, cat.won, cat.beyond_chance) == (12, 0, True)
    assert cat.p_value == pytest.approx(3 * mcnemar_p_value(12, 0))
    assert (dog.beyond_chance, bird.beyond_chance) == (False, False)
    cells = cell_changes(counts)
    assert [(cell.true, cell.answer, cell.left, cell.entered) for cell in cells] == [
        (0, 0, 12, 0),
        (0, 1, 0, 12),
    ]
    assert all(cell.beyond_chance for cell in cells)


def test_a_handful_of_flips_is_within_chance():
    full, int8 = by_class(4)
    counts = compare(full, [int8]).comparisons[0].counts
    assert not any(change.beyond_chance for change in class_changes(counts))
    assert not any(change.beyond_chance for change in cell_changes(counts))


# The figures.


def test_flips_are_told_with_their_effect_the_worst_first():
    labels = [0, 0, 0, 0, 1]
    full = answering([0, 0, 1, 1, 1], labels, "full", confidence=[0.5, 0.9, 0.5, 0.5, 0.9])
    int8 = answering([1, 1, 0, 2, 1], labels, confidence=[0.5, 0.8, 0.6, 0.4, 0.9])
    flips = compare(full, [int8]).comparisons[0].flips
    assert [(flip.image, flip.effect) for flip in flips] == [
        (1, "lost"),
        (0, "lost"),
        (3, "neither right"),
        (2, "won"),
    ]
    first = flips[0]
    assert (first.label, first.reference, first.candidate) == (0, 0, 1)
    assert first.reference_confidence == pytest.approx(0.9)
    assert first.candidate_confidence == pytest.approx(0.8)


def test_a_flip_is_judged_by_the_true_class():
    assert Flip(0, 1, 1, 2, 0.9, 0.9).effect == "lost"
    assert Flip(0, 1, 2, 1, 0.9, 0.9).effect == "won"
    assert Flip(0, 1, 0, 2, 0.9, 0.9).effect == "neither right"


def test_counts_of_the_flips_are_those_of_the_comparison():
    keras, *others = chain(float32=4, int8=7)
    for item in compare(keras, others).comparisons:
        assert item.counts.flips == len(item.flips)
        effects = [flip.effect for flip in item.flips]
        assert (item.counts.lost, item.counts.won) == (effects.count("lost"), effects.count("won"))


# Misuse.


def test_nothing_to_compare_is_refused():
    with pytest.raises(PredictionsError, match="There is nothing to compare"):
        compare(losing(0)[0], [])


@pytest.mark.parametrize("max_drop", [0, -0.01, 1.01, 5, float("nan"), float("inf")])
def test_an_impossible_limit_is_refused(max_drop):
    full, int8 = losing(0)
    with pytest.raises(ContractError, match=r"\(0\.01 is one point\), got"):
        compare(full, [int8], max_drop=max_drop)


def test_predictions_about_other_images_are_refused():
    full, _ = losing(0, of=10)
    with pytest.raises(PredictionsError, match="full and int8"):
        compare(full, [losing(0, of=9)[1]])


def test_every_pair_of_a_chain_is_checked():
    models = chain()
    for index in range(1, 4):
        others = [*models[1:]]
        others[index - 1] = replace(others[index - 1], class_names=("dog", "cat", "bird"))
        with pytest.raises(PredictionsError, match=r"order"):
            compare(models[0], others)


def test_all_three_decisions_occur():
    found = {
        decision(lost, of=of, accuracy=margin)
        for lost, of, margin in itertools.product((0, 5, 50), (200, 1000), (0.01, 0.03))
    }
    assert found == {"holds", "broken", "inconclusive"}


def test_a_model_that_is_only_too_large_blames_no_step():
    keras, candidates = costing(size_bytes=50_000)
    contract = Contract(Margins(), Budgets(size_bytes=40_000))
    report = compare(keras, candidates, contract=contract)
    assert report.decision == "broken"
    assert report.comparisons[-1].blamed_step is None
    assert "blame" not in report.verdict


# What is asked by default.


def with_flips(lost, won, neither, of):
    """A full model that is right on half of the images, and one that changes so many answers."""
    labels = np.zeros(of, int)
    before = np.where(np.arange(of) < of // 2, 0, 1)
    after = before.copy()
    after[:lost] = 1
    after[of // 2 :][:won] = 0
    after[of // 2 + won :][:neither] = 2
    return answering(before, labels, "full"), answering(after, labels)


def test_a_file_that_changed_one_answer_of_seven_never_holds_by_default():
    full, int8 = with_flips(41, 38, 8, of=630)
    report = compare(full, [int8])
    assert report.decision == "broken"
    assert [check.demand for check in report.comparisons[0].checks] == ["accuracy", "agreement"]
    assert "86.2 % of the images" in report.verdict


def test_a_healthy_file_of_a_thousand_images_holds_by_default():
    full, int8 = with_flips(1, 3, 10, of=1000)  # 98.6 % the same: the least measured
    report = compare(full, [int8])
    assert report.decision == "holds"
    assert "98.6 % are the same, and at least 97.7 %" in report.verdict


def test_the_report_says_that_answers_moved_whatever_the_contract_asks():
    full, int8 = with_flips(41, 38, 8, of=630)
    contract = Contract(Margins(accuracy=0.04))
    report = compare(full, [int8], contract=contract)
    sentence = (
        "87 of 630 answers of int8 changed, though its accuracy did not: 41 were lost, 38 won, "
        "8 wrong before and after"
    )
    assert report.decision == "holds"
    for text in (
        report.verdict,
        report_html(report, None),
        report_markdown(report),
        report_junit(report),
        report_json(report),
    ):
        assert sentence in text


@pytest.mark.parametrize(("lost", "won", "neither"), [(0, 0, 0), (5, 5, 0), (30, 0, 2)])
def test_it_does_not_say_so_of_few_changes_or_of_those_that_the_accuracy_shows(lost, won, neither):
    full, int8 = with_flips(lost, won, neither, of=1000)
    assert "answers of int8 changed" not in compare(full, [int8]).verdict


def test_an_accuracy_that_was_shown_to_fall_is_not_said_to_have_moved_little():
    full, int8 = with_flips(133, 57, 70, of=1000)
    report = compare(full, [int8])
    assert report.decision == "broken"
    assert (
        "260 of 1,000 answers of int8 changed, more than its accuracy shows: 133 were lost, 57 won"
    ) in report.verdict


def test_the_agreement_that_is_asked_for_can_be_given():
    full, int8 = with_flips(5, 5, 90, of=1000)
    assert compare(full, [int8]).decision == "broken"
    assert compare(full, [int8], min_agreement=0.85, max_drop=0.02).decision == "holds"
