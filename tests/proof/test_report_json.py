"""The report for programs, and the schema that describes it."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import numpy as np
import pytest
from reports import DEMANDING, chain_report, three_decisions

from edge_runtime.data.predictions import Predictions
from edge_runtime.inference.comparing import compare
from edge_runtime.proof.parity import Contract, Margins
from edge_runtime.proof.report import report_json, report_schema

VALIDATOR = jsonschema.Draft202012Validator(report_schema())


def document(report: Any) -> Any:
    return json.loads(report_json(report))


def small() -> Any:
    """Ten images of two of three classes; int8 loses two cats and wins one dog."""

    def said(answers: list[int], model: str, **details: Any) -> Predictions:
        probabilities = np.full((10, 3), 0.125, np.float32)
        probabilities[np.arange(10), answers] = 0.75
        hashes = np.array([f"{index:064x}".encode() for index in range(10)], "S64")
        labels = np.array([0] * 5 + [1] * 5)
        names = ("cat", "dog", "bird")
        return Predictions(probabilities, labels, hashes, names, {"model": model, **details})

    full = said([0, 0, 0, 0, 0, 1, 1, 1, 1, 0], "full", scheme="keras")
    int8 = said([1, 2, 0, 0, 0, 1, 1, 1, 1, 1], "int8", scheme="int8")
    return compare(full, [int8], contract=Contract(Margins(accuracy=0.01)))


def test_figures_are_exact() -> None:
    found = document(small())
    (int8,) = found["comparisons"]
    assert found["schema_version"] == 4
    assert found["full"]["accuracy"]["value"] == 0.9
    assert found["full"]["confusion"] == [[5, 0, 0], [1, 4, 0], [0, 0, 0]]
    assert int8["accuracy"]["successes"] == 8
    assert int8["accuracy_difference"] == -0.1
    assert (int8["flip_count"], int8["lost"], int8["won"]) == (3, 2, 1)
    assert int8["mcnemar_p_value"] == 1.0
    # Clopper and Pearson for 7 of 10, as in their tables.
    assert int8["agreement"]["exact_interval"] == pytest.approx([0.3475, 0.9333], abs=5e-5)
    assert int8["confusion_difference"] == [[-2, 1, 1], [-1, 1, 0], [0, 0, 0]]
    assert [change["class"] for change in int8["class_changes"]] == [0, 1]
    assert [entry["threshold"] for entry in int8["thresholds"]] == [0.5, 0.8, 0.9, 0.95, 0.99]
    assert int8["distances"]["largest_probability_difference"] == 0.625
    assert {flip["image"]: flip["effect"] for flip in int8["flips"]} == {
        0: "lost",
        1: "lost",
        9: "won",
    }
    assert int8["flips"][0]["image_sha256"] == f"{int8['flips'][0]['image']:064x}"


def test_steps_are_the_edges_between_the_models() -> None:
    report = chain_report(contract=DEMANDING)
    found = document(report)
    assert [(step["before"], step["after"]) for step in found["steps"]] == [(0, 1), (1, 2)]
    assert [step["kinds"] for step in found["steps"]] == [["conversion"], ["quantization"]]
    assert [item["path"] for item in found["comparisons"]] == [[0], [0, 1]]
    assert [check["demand"] for check in found["steps"][1]["checks"]] == ["agreement"]
    assert all(flip["step"] in (0, 1) for flip in found["comparisons"][1]["flips"])


@pytest.mark.parametrize(
    ("noise", "images", "decision", "code"),
    [
        ((0, 0), 1000, "holds", 0),
        ((0, 5), 1000, "broken", 3),
        ((0, 0), 50, "inconclusive", 4),
    ],
)
def test_decision_and_exit_code_belong_together(
    noise: tuple[float, float], images: int, decision: str, code: int
) -> None:
    found = document(chain_report(noise=noise, images=images))
    assert (found["decision"], found["exit_code"]) == (decision, code)
    assert found["images_needed"] is None
    assert found["images_at_least"] == (476 if decision == "inconclusive" else None)
    asked = [limit for limit in found["contract"]["margins"].values() if limit is not None]
    assert found["judged_demands"] == len(asked) * len(found["comparisons"])


# The schema.


@pytest.mark.parametrize(
    "report",
    [
        small(),
        three_decisions(),
        chain_report(noise=(0, 0)),
        chain_report(noise=(0, 5)),
        chain_report(images=1, classes=2),
        chain_report(images=7, classes=30),
        chain_report(contract=Contract(Margins())),
        chain_report(odd=[float("nan"), {"x": float("inf")}], more=None),
    ],
)
def test_real_reports_are_as_the_schema_says(report: Any) -> None:
    VALIDATOR.validate(document(report))


def paths(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of every kind of object in a document; details are open, so not in those."""
    if isinstance(value, dict):
        yield at
        children = list(value.items())
    else:
        children = list(enumerate(value[:1])) if isinstance(value, list) else []
    for key, child in children:
        if key != "details":
            yield from paths(child, (*at, key))


def inside(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def test_an_unknown_key_is_refused_wherever_it_stands() -> None:
    found = document(small())
    for path in paths(found):
        damaged = copy.deepcopy(found)
        inside(damaged, path)["surprise"] = 1
        assert not VALIDATOR.is_valid(damaged), path


def test_no_key_may_be_missing() -> None:
    found = document(small())
    for path in paths(found):
        for key in inside(found, path):
            damaged = copy.deepcopy(found)
            del inside(damaged, path)[key]
            assert not VALIDATOR.is_valid(damaged), (*path, key)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema_version",), 1),
        (("$schema",), "urn:fmnist-edge:schema:report:1"),
        (("decision",), "probably"),
        (("exit_code",), 0),
        (("holds",), True),
        (("image_count",), 0),
        (("class_names",), []),
        (("full", "accuracy", "value"), 1.5),
        (("full", "confusion", 0, 0), -1),
        (("comparisons",), []),
        (("comparisons", 0, "lost"), 0.5),
        (("comparisons", 0, "mcnemar_p_value"), 1.1),
        (("comparisons", 0, "accuracy_difference_interval"), [0.1]),
        (("comparisons", 0, "flips", 0, "effect"), "maybe"),
        (("comparisons", 0, "details"), None),
        (("contract", "confidence"), 1),
        (("contract", "steps"), {"cooking": {}}),
    ],
)
def test_damaged_reports_are_not_as_the_schema_says(path: tuple[Any, ...], value: Any) -> None:
    damaged = document(small())
    assert damaged["decision"] == "inconclusive"
    inside(damaged, path[:-1])[path[-1]] = value
    assert not VALIDATOR.is_valid(damaged)


def test_the_schema_is_sound_and_describes_every_key() -> None:
    schema = report_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert document(small())["$schema"] == schema["$id"]
    shapes = [schema, *schema["$defs"].values()]
    described = [shape for shape in shapes if "properties" in shape]
    assert len(described) > 10
    for shape in described:
        assert shape["additionalProperties"] is False
        assert sorted(shape["required"]) == sorted(shape["properties"])
        for name, value in shape["properties"].items():
            assert "description" in value or "$ref" in value, name


# What JSON has no words for.


def test_odd_details_become_plain_values() -> None:
    odd = {
        "nan": float("nan"),
        "list": (float("inf"), np.float32(0.5), np.arange(2)),
        "surrogate\udcff": "half \ud800 a letter",
        "object": {1},
        3: True,
    }
    report = chain_report(images=20, odd=odd)
    text = report_json(report)
    text.encode("utf-8")
    assert json.loads(text)["full"]["details"]["odd"] == {
        "nan": None,
        "list": [None, 0.5, [0, 1]],
        "surrogate?": "half ? a letter",
        "object": "{1}",
        "3": True,
    }


def test_numbers_of_a_row_share_a_line_and_texts_stay_as_they_are() -> None:
    tricky = "[\n  1,\n  2\n]"
    text = report_json(chain_report(images=20, classes=3, note=[tricky]))
    assert json.loads(text)["full"]["details"]["note"] == [tricky]
    assert max(line.count(",") for line in text.splitlines()) >= 3
    assert not [line for line in text.splitlines() if line.strip(" ,").isdigit()]


def test_the_same_report_gives_the_same_text() -> None:
    assert report_json(chain_report(images=50)) == report_json(chain_report(images=50))
