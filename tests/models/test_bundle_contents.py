"""What a bundle says of itself: its manifest and its card, and edited ones."""

import pytest
from bundles import CLASSES, crc_fixed, edited, member_offset, noise_dataset, sealed, selftest

from edge_runtime.errors import BundleError
from edge_runtime.files.reading import sha256
from edge_runtime.models.bundle.archive import pack, unpack
from edge_runtime.models.bundle.contents import read_bundle
from edge_runtime.models.bundle.golden import COUNT
from edge_runtime.models.bundle.members import CARD, GOLDEN, MANIFEST, MODEL


def test_a_bundle_holds_what_it_was_made_of(bundle_of, tiny_model):
    bundle = read_bundle(bundle_of("int8"))
    assert bundle.version == 1
    assert bundle.model == tiny_model("int8").read_bytes()
    assert bundle.manifest.class_names == CLASSES
    assert bundle.manifest.model_sha256 == sha256(bundle.model)
    assert bundle.sha256 == sha256(bundle.data)
    details = bundle.manifest.details
    assert details["dataset"] == {"name": "noise", "fingerprint": noise_dataset().fingerprint}
    assert details["metrics"]["accuracy"]["total"] == 40
    assert list(details["metrics"]["recall"]) == list(CLASSES)
    assert details["golden"]["count"] == len(bundle.golden) == COUNT
    assert details["minimum_runtime"] == {"ai-edge-litert": "2.0", "tflite-runtime": "2.14.0"}
    assert list(details["bundle"]["members"]) == [MODEL, GOLDEN, CARD]
    assert details["bundle"]["members"][MODEL]["size_bytes"] == len(bundle.model)


def test_a_bundle_names_only_runtimes_that_can_run_it(bundle_of):
    details = read_bundle(bundle_of("dynamic")).manifest.details
    assert details["minimum_runtime"] == {"ai-edge-litert": "2.0"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d["bundle"].update(schema_version=2), "not one of a bundle of version 1"),
        (lambda d: d["bundle"].update(schema_version="1"), "not one of a bundle of version 1"),
        (lambda d: d.pop("bundle"), "not one of a bundle of version 1"),
        (lambda d: d.update(bundle=[1]), "not one of a bundle of version 1"),
        (lambda d: d.update(schema_version=2), "expected schema version 1, got 2"),
        (lambda d: d["bundle"].update(version=0), "whole number from 1 on, got 0"),
        (lambda d: d["bundle"].update(version=True), "whole number from 1 on, got True"),
        (lambda d: d["bundle"].update(version="3"), "whole number from 1 on, got '3'"),
        (lambda d: d["bundle"].update(version=1.0), "whole number from 1 on, got 1.0"),
        (lambda d: d.update(model_sha256="0" * 64), "its manifest describes another model"),
        (lambda d: d["bundle"]["members"].pop(CARD), "'MODEL_CARD.md' has another size or SHA-256"),
        (lambda d: d["bundle"].update(members=None), "'model.tflite' has another size or SHA-256"),
        (
            lambda d: d["bundle"]["members"][GOLDEN].update(size_bytes=1),
            "'golden.npz' has another size or SHA-256",
        ),
        (lambda d: d["golden"].update(tolerances=[]), None),
        (lambda d: d["golden"].update(tolerances=None), "states no tolerances"),
        (lambda d: d["golden"].update(tolerances=[1]), "states no tolerances"),
        (lambda d: d.pop("golden"), "states no tolerances"),
        (lambda d: d["golden"]["tolerances"][0].pop("reason"), "one of its tolerances"),
        (lambda d: d["golden"]["tolerances"][0].update(limit=-1), "the limit is -1"),
        (lambda d: d["golden"]["tolerances"][0].update(runtime=[]), "the runtime is []"),
        (lambda d: d["golden"]["tolerances"][0].update(reason=None), "the reason is None"),
        (lambda d: d["golden"]["tolerances"][0].update(limit=True), "the limit is True"),
        (lambda d: d["golden"]["tolerances"][0].update(limit="0"), "the limit is '0'"),
    ],
)
def test_an_edited_manifest_is_refused_though_the_seal_is_right(bundle_of, change, words):
    data = edited(bundle_of("int8"), change)
    if words is None:  # nothing is wrong with the file; no runtime is allowed anything
        with pytest.raises(BundleError, match="it has no tolerance for ai-edge-litert"):
            selftest(data)
        return
    with pytest.raises(BundleError) as caught:
        read_bundle(data)
    assert words in str(caught.value)


@pytest.mark.parametrize("limit", ["NaN", "Infinity", "1e999"])
def test_a_number_without_end_is_refused(bundle_of, limit):
    members = unpack(bundle_of("int8"))
    text = members[MANIFEST].replace(b'"limit": 0', b'"limit": ' + limit.encode(), 1)
    assert text != members[MANIFEST]
    with pytest.raises(
        BundleError, match=rf"its manifest cannot be read: it has {limit}, which is"
    ):
        read_bundle(pack({**members, MANIFEST: text}))


@pytest.mark.parametrize(
    "section",
    [
        "Model details",
        "Intended use",
        "Factors",
        "Metrics",
        "Evaluation data",
        "Training data",
        "Quantitative analyses",
        "Ethical considerations",
        "Caveats and recommendations",
    ],
)
def test_the_card_has_the_sections_of_model_cards(bundle_of, section):
    card = read_bundle(bundle_of("int8")).card
    assert card.startswith("# Model card: int8 image classifier, version 1\n")
    assert f"\n## {section}\n\n" in card
    body = card.split(f"\n## {section}\n\n")[1].split("\n## ")[0]
    assert len(body.strip()) > 40


def test_the_card_warns_of_slow_schemes_only(bundle_of):
    assert "50 times the latency" in read_bundle(bundle_of("int16x8")).card
    assert "50 times the latency" not in read_bundle(bundle_of("int8")).card


def test_a_crc_that_was_computed_anew_does_not_help(bundle_of):
    whole = bytearray(bundle_of("int8"))
    whole[member_offset(bytes(whole), MODEL) + 100] ^= 1
    with pytest.raises(BundleError, match=r"'model\.tflite' has another size or SHA-256"):
        read_bundle(sealed(crc_fixed(bytes(whole))))


WRONG = (None, True, -1, 1e30, "", "x", [], [None], {}, {"x": None})


def right_kinds(field):
    """Which of the wrong values above are no wrong ones for a field."""
    kinds = {
        "class_names": [],
        "preprocessing.background": [None],
        "minimum_runtime": [{}],
        "golden.made_with": [],
        "metrics.recall": [{}],
        "golden.tolerances": [[]],
    }
    texts = {"dataset.name", "metrics.images", "golden.images_from", "golden.chosen"}
    texts |= {"golden.made_with.runtime"}
    return ["", "x"] if field in texts else kinds.get(field, [])


FIELDS = {
    # field: what the sentence calls it, where that is not the field itself
    "schema_version": "schema",
    "model_sha256": "model_sha256",
    "class_names": "class_names",
    "output": "output",
    "preprocessing": "preprocessing",
    "preprocessing.height": "preprocessing",
    "preprocessing.width": "preprocessing",
    "preprocessing.channels": "preprocessing",
    "preprocessing.background": "preprocessing",
    "minimum_runtime": "minimum_runtime",
    "dataset": "dataset",
    "dataset.name": "dataset.name",
    "dataset.fingerprint": "dataset.fingerprint",
    "metrics": "metrics",
    "metrics.images": "metrics.images",
    "metrics.accuracy": "metrics.accuracy",
    "metrics.accuracy.value": "metrics.accuracy",
    "metrics.accuracy.interval_95": "metrics.accuracy",
    "metrics.accuracy.successes": "metrics.accuracy",
    "metrics.accuracy.total": "metrics.accuracy",
    "metrics.recall": "metrics.recall",
    "metrics.recall.a": "metrics.recall",
    "metrics.recall.a.interval_95": "metrics.recall",
    "golden": "golden",
    "golden.count": "golden.count",
    "golden.images_from": "golden.images_from",
    "golden.chosen": "golden.chosen",
    "golden.made_with": "golden.made_with",
    "golden.made_with.runtime": "golden.made_with",
    "golden.tolerances": "golden.tolerances",
    "bundle": "bundle",
    "bundle.schema_version": "bundle",
    "bundle.version": "bundle.version",
    "bundle.members": "bundle.members",
}
MAY_BE_MISSING = {"preprocessing.background", "metrics.recall.a"}


def with_field(document, field, value):
    """Set a field of a manifest, or remove it where the value is Ellipsis."""
    *owners, key = field.split(".")
    for owner in owners:
        document = document[owner]
    if value is ...:
        del document[key]
    else:
        document[key] = value


@pytest.mark.parametrize("field", FIELDS)
def test_a_manifest_without_a_field_or_with_another_kind_of_it_is_refused(bundle_of, field):
    values = [value for value in WRONG if value not in right_kinds(field) or value is True]
    for value in values if field in MAY_BE_MISSING else [..., *values]:
        data = edited(bundle_of("int8"), lambda d, value=value: with_field(d, field, value))
        with pytest.raises(BundleError) as caught:
            read_bundle(data)
        assert FIELDS[field] in str(caught.value), value
        assert "\n" not in str(caught.value)


def test_fields_that_nothing_reads_are_kept(bundle_of):
    data = edited(bundle_of("int8"), lambda d: d.update(note={"x": [1, None]}))
    assert read_bundle(data).manifest.details["note"] == {"x": [1, None]}


def test_a_name_that_is_half_a_character_is_refused(bundle_of):
    members = unpack(bundle_of("int8"))
    text = members[MANIFEST].replace(b'"a"', b'"\\ud800"', 1)
    with pytest.raises(BundleError, match=r"class_names has .*, which is no text"):
        read_bundle(pack({**members, MANIFEST: text}))


@pytest.mark.parametrize(
    "change",
    [
        lambda d, word: d.update(output=word),
        lambda d, word: d.update(schema_version=word),
        lambda d, word: d["preprocessing"].update(height=word),
        lambda d, word: d["preprocessing"].update(background=word),
        lambda d, word: d["golden"]["tolerances"][0].update(limit=word),
    ],
)
def test_a_refusal_is_a_sentence_however_long_the_value_is(bundle_of, change):
    with pytest.raises(BundleError) as caught:
        read_bundle(edited(bundle_of("int8"), lambda d: change(d, "9" * 100_000)))
    assert len(str(caught.value)) < 300


def test_a_large_manifest_that_would_take_four_bytes_a_character_is_refused(bundle_of):
    members = unpack(bundle_of("int8"))
    for size, sentence in ((4, "larger than 4 MiB, and has characters beyond"), (3, None)):
        note = ',"x":"\N{GRINNING FACE}'.encode() + b"a" * size * 2**20 + b'"}'
        data = pack({**members, MANIFEST: members[MANIFEST].rstrip()[:-1] + note})
        if sentence is None:
            assert len(read_bundle(data).manifest.details["x"]) == 1 + size * 2**20
        else:
            with pytest.raises(BundleError, match=sentence):
                read_bundle(data)


def test_a_manifest_of_too_many_values_is_refused_before_it_is_parsed(bundle_of):
    members = unpack(bundle_of("int8"))
    text = members[MANIFEST][:-2] + b',"x":[' + b"[]," * 500_000 + b"0]}"
    with pytest.raises(BundleError, match="it has more than 300,000 values"):
        read_bundle(pack({**members, MANIFEST: text}))
