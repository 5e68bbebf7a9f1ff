"""What a bundle says of itself: its manifest and its card, and edited ones."""

import pytest
from bundles import CLASSES, crc_fixed, edited, member_offset, noise_dataset, sealed, selftest

from edge_runtime.bundle.archive import pack, unpack
from edge_runtime.bundle.contents import read_bundle
from edge_runtime.bundle.golden import COUNT
from edge_runtime.bundle.members import CARD, GOLDEN, MANIFEST, MODEL
from edge_runtime.errors import BundleError
from edge_runtime.files import sha256


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
    with pytest.raises(BundleError, match=r"its manifest cannot be read: it is no JSON: .* number"):
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
