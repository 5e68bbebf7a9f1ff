"""The text of a model card, and that Jinja2 waits until one is drawn."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.inference.bundling.card import model_card
from edge_runtime.models.inspection import inspect_model
from edge_runtime.proof.metrics import Rate

TinyModel = Callable[[str], Path]

RATE = Rate(9, 10).to_dict()


@pytest.fixture
def card(tiny_model: TinyModel) -> Callable[..., str]:
    """A card of a manifest in which some keys are others."""
    summary = inspect_model(tiny_model("int8").read_bytes())

    def drawn(*, training: dict[str, Any] | None = None, **changed: Any) -> str:
        manifest = {
            "class_names": ["Bag", "T-shirt/top", "a|b"],
            "preprocessing": {"height": 8, "width": 8, "channels": 1, "background": None},
            "minimum_runtime": {"ai-edge-litert": "2.0"},
            "dataset": {"name": "my_pictures", "fingerprint": "ab" * 32},
            "metrics": {"accuracy": RATE, "recall": {"Bag": RATE, "a|b": RATE}},
            "golden": {"count": 32, "made_with": {"runtime": "ai-edge-litert 2.3.0"}},
            **changed,
        }
        return model_card(manifest, summary, version=3, training=training or {})

    return drawn


def section(text: str, title: str) -> str:
    return text.split(f"\n## {title}\n\n")[1].split("\n\n## ")[0].rstrip("\n")


def test_names_stand_in_code_spans_that_no_table_breaks(card: Callable[..., str]) -> None:
    assert "nothing else: `Bag`, `T-shirt/top`, `a|b`. A picture" in card()
    rates = section(card(), "Quantitative analyses").splitlines()
    assert rates == [
        "| figure | % | 95 % interval | images |",
        "| --- | ---: | ---: | ---: |",
        "| accuracy | 90.0 | 59.6 to 98.2 | 10 |",
        "| recall of `Bag` | 90.0 | 59.6 to 98.2 | 10 |",
        "| recall of `a\\|b` | 90.0 | 59.6 to 98.2 | 10 |",
    ]


def test_what_is_not_recorded_is_not_made_up(card: Callable[..., str]) -> None:
    assert section(card(), "Training data") == (
        "The training images of `my_pictures`; how is not recorded."
    )
    assert "| converted from | not recorded |\n| converted with | not recorded |" in card()
    assert "| runs on | no runtime that is known here |" in card(minimum_runtime={})


def test_what_is_recorded_is_said(card: Callable[..., str]) -> None:
    text = card(
        training={"model": "cnn_2", "epochs": 3, "seed": None},
        representative_dataset={"size": 500},
        source={"file": "model.keras"},
        versions={"tensorflow": "2.21", "keras": "3.1"},
        preprocessing={"height": 8, "width": 9, "channels": 3, "background": "dark"},
    )
    assert section(text, "Training data") == (
        "The training images of `my_pictures`, model cnn\\_2, epochs 3."
        " 500 of them calibrated the integers."
    )
    assert "| converted from | model.keras |" in text
    assert "| converted with | tensorflow 2.21, keras 3.1 |" in text
    assert "fitted to 8 × 9 pixels, RGB." in text
    assert section(text, "Factors").startswith("The training images have a dark background; ")


def test_long_lists_are_cut(card: Callable[..., str]) -> None:
    names = [f"c{number}" for number in range(1205)]
    metrics = {"accuracy": RATE, "recall": dict.fromkeys(names, RATE)}
    text = card(class_names=names, metrics=metrics)
    assert "`c99` and 1,105 more. A picture" in text
    assert section(text, "Quantitative analyses").endswith("\n\nand 1,106 more in report.json")


def test_jinja_is_loaded_when_a_card_is_drawn_and_not_before() -> None:
    code = "import sys, edge_runtime.inference.bundling.making; print('jinja2' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"
