"""The model card of a bundle, filled with what is recorded and with nothing else.

The sections are those of Mitchell et al., Model Cards for Model Reporting, FAT* 2019.
"""

from collections.abc import Mapping
from typing import Any

from edge_runtime.models.inspection import ModelSummary
from edge_runtime.proof.report.markdown_markup import code, plain, table
from edge_runtime.wording import percent

# The longest list that a card takes; a thousand classes would hide the rest of it.
_MOST_CLASSES = 100


def model_card(
    manifest: Mapping[str, Any],
    *,
    version: int,
    summary: ModelSummary,
    training: Mapping[str, Any],
) -> str:
    """Return the card as Markdown.

    Args:
        manifest: of the bundle, as far as it is known.
        version: of the bundle.
        summary: what the .tflite is.
        training: how the full model was trained, if that is known.
    """
    parts = [
        f"# Model card: {summary.scheme} image classifier, version {version}",
        _section("Model details", _details(manifest, version, summary)),
        _section("Intended use", _intended_use(manifest)),
        _section("Factors", _factors(manifest)),
        _section("Metrics", _metrics()),
        _section("Evaluation data", _evaluation_data(manifest)),
        _section("Training data", _training_data(manifest, training)),
        _section("Quantitative analyses", _analyses(manifest["metrics"])),
        _section("Ethical considerations", _ethics()),
        _section("Caveats and recommendations", _caveats(manifest, summary)),
    ]
    return "\n\n".join(parts) + "\n"


def _section(title: str, body: str) -> str:
    return f"## {title}\n\n{body}"


def _details(manifest: Mapping[str, Any], version: int, summary: ModelSummary) -> str:
    source = manifest.get("source") or {}
    versions = manifest.get("versions") or {}
    made = ", ".join(f"{name} {number}" for name, number in versions.items())
    operators = ", ".join(f"{use.name} v{use.version}" for use in summary.operators)
    runs_on = ", ".join(
        f"{name} ≥ {oldest}" for name, oldest in manifest["minimum_runtime"].items()
    )
    rows = [
        ["bundle version", str(version)],
        ["model", f"{summary.scheme}, {summary.size_bytes:,} bytes"],
        ["SHA-256 of model.tflite", code(summary.sha256[:32] + "…", in_table=True)],
        ["input", _tensor(summary.inputs[0].shape, summary.inputs[0].dtype)],
        ["output", _tensor(summary.outputs[0].shape, summary.outputs[0].dtype)],
        ["operators", plain(operators)],
        ["runs on", plain(runs_on) or "no runtime that is known here"],
        ["converted from", plain(str(source.get("file", "not recorded")))],
        ["converted with", plain(made) or "not recorded"],
        ["made with", plain(str(manifest["golden"]["made_with"]["runtime"]))],
    ]
    return table(["what", "value"], rows)


def _tensor(shape: tuple[int, ...], dtype: str) -> str:
    return f"{' × '.join(map(str, shape))} {dtype}"


def _intended_use(manifest: Mapping[str, Any]) -> str:
    preprocessing = manifest["preprocessing"]
    size = f"{preprocessing['height']} × {preprocessing['width']}"
    colour = "grey" if preprocessing["channels"] == 1 else "RGB"
    names = manifest["class_names"]
    shown = ", ".join(code(name) for name in names[:_MOST_CLASSES])
    more = f" and {len(names) - _MOST_CLASSES:,} more" if len(names) > _MOST_CLASSES else ""
    return (
        f"To say which of {len(names)} classes a picture shows, on a small computer, with "
        f"`fmnist-edge classify`. Pictures are fitted to {size} pixels, {colour}. It knows "
        f"these classes and nothing else: {shown}{more}. A picture of anything else gets one of "
        "these answers, too, maybe with high confidence."
    )


def _factors(manifest: Mapping[str, Any]) -> str:
    background = manifest["preprocessing"].get("background")
    text = (
        f"The training images have a {background} background; pictures on the opposite are "
        "inverted. "
        if background
        else ""
    )
    return (
        f"{text}Accuracy differs between classes: see below. Other light, other cameras and other "
        "ways to crop than in the training images were not examined."
    )


def _metrics() -> str:
    return (
        "Accuracy and recall are shares of the test images, with the 95 % score interval of Wilson "
        "(1927). Of equal probabilities the first class counts as the answer."
    )


def _evaluation_data(manifest: Mapping[str, Any]) -> str:
    dataset, metrics = manifest["dataset"], manifest["metrics"]
    return (
        f"{metrics['accuracy']['total']:,} test images of {code(dataset['name'])} (fingerprint "
        f"{code(dataset['fingerprint'][:16] + '…')}), which were used for no choice."
    )


def _training_data(manifest: Mapping[str, Any], training: Mapping[str, Any]) -> str:
    parts = [f"The training images of {code(manifest['dataset']['name'])}"]
    known = ("model", "epochs", "batch_size", "learning_rate", "dropout", "seed")
    settings = [f"{key} {training[key]}" for key in known if training.get(key) is not None]
    parts.append(f", {plain(', '.join(settings))}." if settings else "; how is not recorded.")
    calibration = manifest.get("representative_dataset")
    if calibration:
        parts.append(f" {calibration['size']} of them calibrated the integers.")
    return "".join(parts)


def _analyses(metrics: Mapping[str, Any]) -> str:
    rows = [["accuracy", *_rate(metrics["accuracy"])]]
    if "agreement_with_full_model" in metrics:
        rows.append(["same answer as the full model", *_rate(metrics["agreement_with_full_model"])])
    rows += [
        [f"recall of {code(name, in_table=True)}", *_rate(rate)]
        for name, rate in metrics["recall"].items()
    ]
    headings = ["figure", "%", "95 % interval", "images"]
    return table(headings, rows, numbers_from=1, most=_MOST_CLASSES)


def _rate(rate: Mapping[str, Any]) -> list[str]:
    low, high = rate["interval_95"]
    return [percent(rate["value"]), f"{percent(low)} to {percent(high)}", f"{rate['total']:,}"]


def _ethics() -> str:
    return (
        "Nothing is recorded about people in the images. Before it decides anything about people, "
        "examine it on images of those that it will meet."
    )


def _caveats(manifest: Mapping[str, Any], summary: ModelSummary) -> str:
    lines = [
        "- The interval tells what so few test images can show; it knows nothing of other data.",
        f"- {manifest['golden']['count']} golden vectors in the bundle show on each device whether "
        "its runtime and processor compute what they should: `fmnist-edge selftest`.",
        "- Hold a device against the full model with `fmnist-edge parity`.",
    ]
    if "warning" in manifest["metrics"]:
        lines.insert(
            0, f"- **Do not ship this model: it {plain(manifest['metrics']['warning'])}.**"
        )
    if summary.scheme == "int16x8":
        lines.append("- int16x8 has no fast kernels: expect some 50 times the latency of int8.")
    return "\n".join(lines)
