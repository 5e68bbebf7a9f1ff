"""What takes long to find is found once, and forgotten with what it was found of."""

import gc
import weakref

import pytest
from reports import chain_report

from edge_runtime.proof.metrics import PairedCounts
from edge_runtime.proof.report import once, report_json, report_table


def test_an_interval_is_found_once_for_each_confidence_and_as_the_counts_say_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counts = chain_report().comparisons[1].counts
    found = [counts.difference_interval(0.95), counts.difference_interval(0.99)]
    asked: list[float] = []
    find = PairedCounts.difference_interval
    monkeypatch.setattr(
        PairedCounts,
        "difference_interval",
        lambda self, confidence: asked.append(confidence) or find(self, confidence),
    )
    for _ in range(2):
        assert [once.change_interval(counts, level) for level in (0.95, 0.99)] == found
    assert asked == [0.95, 0.99]


def test_two_reports_never_share_what_was_found() -> None:
    one, other = chain_report(noise=(0.0, 0.3)), chain_report(noise=(0.0, 2.0))
    texts = [(report_table(report), report_json(report)) for report in (one, other)]
    assert texts[0] != texts[1]
    assert [(report_table(report), report_json(report)) for report in (one, other)] == texts


def test_what_was_found_does_not_keep_the_counts() -> None:
    report = chain_report(images=50)
    report_table(report)
    gone = weakref.ref(report.comparisons[0].counts)
    del report
    gc.collect()
    assert gone() is None
