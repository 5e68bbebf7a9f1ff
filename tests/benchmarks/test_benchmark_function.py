"""`benchmark` as a function: what it takes, what it refuses, and what its result looks like."""

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from bundles import noise_dataset

from edge_runtime.benchmarks import Benchmark, benchmark
from edge_runtime.benchmarks.result import benchmark_schema
from edge_runtime.errors import ContractError, DatasetError, EdgeError, InputError, ModelError
from edge_runtime.proof.parity import Budgets, Contract

TinyModel = Callable[[str], Path]

# As short as can be.
SHORT: dict[str, Any] = {"rounds": 2, "images_per_round": 2, "workers": 1, "quick": True}


@pytest.fixture(scope="module")
def named(tiny_model: TinyModel, bundle_of: Callable[[str], bytes]) -> Benchmark:
    """A path, the bytes of a .tflite and those of a bundle under names, with pixels of our own."""
    return benchmark(
        {
            "a <path>": str(tiny_model("float32")),
            "bytes": tiny_model("int8").read_bytes(),
            "bundle": bundle_of("int8"),
        },
        images=np.zeros((3, 8, 8, 1), np.uint8),
        contract=Contract(budgets=Budgets(size_bytes=100)),
        **SHORT,
    )


def test_models_are_paths_or_bytes_under_names(named: Benchmark, tiny_model: TinyModel) -> None:
    models = named.to_dict()["models"]
    assert [model["name"] for model in models] == ["a <path>", "bytes", "bundle"]
    assert [model["model"] for model in models] == [
        str(tiny_model("float32")),
        "bytes",
        "bundle",
    ]
    assert models[1]["model_sha256"] == models[2]["model_sha256"]
    assert [model["start"] is None for model in models] == [False, True, True]
    assert [model["accuracy"] for model in models] == [None, None, None]


def test_a_contract_is_its_budgets(named: Benchmark) -> None:
    assert [each.breaks_budget for each in named.measured] == [False, True, True]
    assert not named.keeps_budgets


def test_the_result_is_shown_in_a_line_and_as_an_escaped_table(named: Benchmark) -> None:
    assert re.fullmatch(
        r"<Benchmark of 3 models: a <path>: [\d.,]+ µs, bytes: [\d.,]+ µs, bundle: [\d.,]+ µs; "
        r"take (a <path>|bytes|bundle)>",
        repr(named),
    )
    assert repr(named.measured[1]).startswith("<bytes: ")

    class Tags(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.tags: list[str] = []

        def handle_starttag(self, tag: str, attrs: object) -> None:
            self.tags.append(tag)

    html = Tags()
    html.feed(named._repr_html_())
    assert html.tags == ["table", *["tr", *6 * ["th"]], *3 * ["tr", "th", *5 * ["td"]], "p"]
    assert '<th style="text-align:left">a &lt;path&gt;</th>' in named._repr_html_()


def test_the_dictionary_is_as_the_schema_says(named: Benchmark) -> None:
    jsonschema.validate(json.loads(json.dumps(named.to_dict())), benchmark_schema())


def test_progress_is_told_phase_by_phase_and_nothing_is_printed(
    tiny_model: TinyModel, here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    told: list[tuple[str, int, int]] = []
    dataset = noise_dataset()
    benchmark(
        tiny_model("int8"),
        dataset=dataset,
        progress=lambda *told_now: told.append(told_now),
        **SHORT,
    )
    phases = list(dict.fromkeys(phase for phase, _, _ in told))
    assert phases == ["latency", "starting", "throughput", "memory", "accuracy"]
    for phase in phases:
        steps = [(done, total) for name, done, total in told if name == phase]
        assert steps[0][0] == 0
        assert steps[-1][0] == steps[-1][1] > 0
        assert steps == sorted(steps)
    assert capfd.readouterr() == ("", "")
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"models": []}, InputError, "Expected at least one model, got none"),
        ({"models": [7]}, InputError, "Expected a model as the path or the bytes .*, got int"),
        ({"models": {"": "x"}}, InputError, r"Expected names of models to be text, got \[''\]"),
        ({"models": "none.tflite"}, ModelError, "none.tflite: there is no such model file"),
        ({"models": {"mine": b"x" * 99}}, ModelError, "mine: "),
        ({"models": {"mine": b"PK"}}, ModelError, "mine: this bundle cannot be used"),
        ({"rounds": 0}, InputError, "Expected rounds to be a whole number from 1 on, got 0"),
        ({"images_per_round": 1.5}, InputError, "Expected images_per_round .* got 1.5"),
        ({"workers": True}, InputError, "Expected workers .* got True"),
        ({"seed": -1}, InputError, "Expected seed to be a whole number from 0 on, got -1"),
        ({"threads": 0}, InputError, "Expected threads"),
        ({"kernels": "fast"}, InputError, "auto, built-in, reference, got 'fast'"),
        ({"backends": ["litter"]}, EdgeError, "Did you mean 'litert'"),
        ({"images": np.zeros((1, 8, 8, 1))}, InputError, r"uint8 .*got \(1, 8, 8, 1\) float64"),
        ({"images": np.zeros((8, 8), np.uint8)}, InputError, r"got \(8, 8\) uint8"),
        ({"images": np.zeros((1, 9, 9, 1), np.uint8)}, InputError, r"takes images of \(8, 8, 1\)"),
        (
            {"images": np.zeros((1, 8, 8, 1), np.uint8), "dataset": "sample"},
            InputError,
            "Expected images or a dataset, got both",
        ),
        ({"dataset": 7}, InputError, "Expected dataset to be a Dataset .*, got int"),
        ({"dataset": "sample"}, DatasetError, r"the dataset 'sample' has \(28, 28, 1\)"),
        ({"contract": "none.toml"}, ContractError, "There is no contract none.toml"),
        ({"contract": 7}, InputError, "Expected contract to be a Contract .*, got int"),
    ],
)
def test_a_wrong_argument_is_one_sentence(
    tiny_model: TinyModel, change: dict[str, Any], error: type[EdgeError], said: str
) -> None:
    arguments: dict[str, Any] = {"models": tiny_model("int8"), **SHORT, **change}
    with pytest.raises(error, match=said) as caught:
        benchmark(**arguments)
    assert "\n" not in str(caught.value)
