"""How sure both models are: reliability, calibration errors, and what a threshold accepts."""

from edge_runtime.proof.metrics import ConfidenceCounts, PairedCounts, ThresholdEffect, decimals_for
from edge_runtime.proof.report.markup import escaped, folded, row, scroller, table
from edge_runtime.proof.report.reliability import reliability_diagram
from edge_runtime.wording import percent, percent_interval, points, scores_interval, signed

THRESHOLDS = (0.50, 0.80, 0.90, 0.95, 0.99)


def calibration_section(counts: PairedCounts, model: str, confidence: float) -> str:
    """Return the reliability diagram beside the scores, then what thresholds accept."""
    effects = [counts.at_threshold(threshold) for threshold in THRESHOLDS]
    return (
        f'<div class="pair"><figure>{reliability_diagram(counts, model)}<figcaption>'
        "Of the answers with a confidence around the value below, so many are right. On the "
        "diagonal confidence tells the truth; below it a model is too sure of itself. Bars and "
        "numbers count the images.</figcaption></figure>"
        f"<div>{_scores(counts, confidence)}{folded('The ten bins in figures', _bins(counts))}"
        "</div></div>"
        "<h4>What a confidence threshold now accepts</h4>"
        f"<p>{threshold_sentence(effects[1], counts.image_count)} Accepted is counted in points of "
        "all images, wrong in points of the accepted.</p>"
        f"{_thresholds(effects, counts.image_count)}"
    )


def threshold_sentence(effect: ThresholdEffect, image_count: int) -> str:
    """Return what changed at a threshold: "At 0.80: 3.1 points more accepted, …"."""
    decimals = decimals_for(image_count)
    accepted = effect.candidate_accepted.value - effect.reference_accepted.value
    first = f"At {effect.threshold:.2f}: {_more(accepted, decimals)} accepted"
    if not effect.candidate_accepted.successes or not effect.reference_accepted.successes:
        return first + "."
    wrong = effect.candidate_wrong.value - effect.reference_wrong.value
    return f"{first}, {_more(wrong, decimals)} of them wrong."


def _more(difference: float, decimals: int) -> str:
    text = points(difference, decimals)
    if not text.startswith(("+", "\N{MINUS SIGN}")):
        return "as many"
    return f"{text[1:]} points {'more' if difference > 0 else 'fewer'}"


def _scores(counts: PairedCounts, confidence: float) -> str:
    before, after = counts.reference_confidence, counts.candidate_confidence
    interval = scores_interval(counts.brier_rise.interval(confidence))
    rows = [
        row(
            "Brier score <small>0 to 2</small>",
            (
                f"{before.brier:.4f}",
                f"{after.brier:.4f}",
                f"{signed(counts.brier_rise.mean, 4)} <small>({interval})</small>",
            ),
        ),
        row(
            "Expected calibration error <small>ECE, %</small>",
            (percent(before.ece), percent(after.ece), points(counts.ece_difference)),
        ),
        _score_row("Log loss <small>nats</small>", before.log_loss, after.log_loss),
    ]
    heads = (("", ""), ("Full", ""), ("Converted", ""), ("Change", f"{confidence * 100:g} %"))
    return scroller(table("plain scores", heads, rows), "Calibration") + (
        '<p class="quiet">Of all three, less is better. The calibration error has no interval: '
        "on a sample it comes out too large, the more so the smaller it truly is.</p>"
    )


def _score_row(name: str, before: float, after: float) -> str:
    return row(name, (f"{before:.3f}", f"{after:.3f}", signed(after - before, 3)))


def _bins(counts: PairedCounts) -> str:
    models = counts.reference_confidence, counts.candidate_confidence
    columns = [_bin_cells(model) for model in models]
    rows = [
        row(f"{low * 10} to {low * 10 + 10} %", [*columns[0][low], *columns[1][low]])
        for low in range(len(columns[0]))
        if columns[0][low][0] != "0" or columns[1][low][0] != "0"
    ]
    heads = (
        ("Confidence", ""),
        ("Full", "images"),
        ("sure", "mean %"),
        ("right", "%"),
        ("Converted", "images"),
        ("sure", "mean %"),
        ("right", "%"),
    )
    return scroller(table("plain", heads, rows), "Bins of confidence")


def _bin_cells(model: ConfidenceCounts) -> list[tuple[str, str, str]]:
    images, right, confidence = model.bins
    return [
        (
            f"{int(count):,}",
            percent(float(confidence[low] / count)) if count else "–",
            percent(float(right[low] / count)) if count else "–",
        )
        for low, count in enumerate(images)
    ]


def _wrong(effect: ThresholdEffect, decimals: int) -> str:
    rate = effect.candidate_wrong
    interval = (
        f" <small>[{percent_interval(rate.interval, decimals)}]</small>" if rate.total else ""
    )
    return percent(rate.value, decimals) + interval


def _thresholds(effects: list[ThresholdEffect], image_count: int) -> str:
    decimals = decimals_for(image_count)
    rows = [
        row(
            f"{effect.threshold:.2f}",
            (
                percent(effect.reference_accepted.value, decimals),
                percent(effect.candidate_accepted.value, decimals),
                percent(effect.reference_wrong.value, decimals),
                _wrong(effect, decimals),
                escaped(threshold_sentence(effect, image_count).partition(": ")[2]),
            ),
        )
        for effect in effects
    ]
    heads = (
        ("Threshold", ""),
        ("Full accepts", "% of images"),
        ("Converted accepts", "% of images"),
        ("Full wrong", "% of accepted"),
        ("Converted wrong", "% [95 % interval]"),
        ("In words", "points"),
    )
    return scroller(table("plain thresholds", heads, rows), "What thresholds accept")
