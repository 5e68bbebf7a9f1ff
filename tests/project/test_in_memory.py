"""The whole way in memory: what one package returns, every function of the others takes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Finished

from converter import Converted, convert, convert_all
from edge_runtime import (
    Classifier,
    ParityReport,
    Predictions,
    benchmark,
    bundle,
    compare,
    diagnose,
    predict,
)
from edge_runtime.benchmarks.contestant import named_models
from edge_runtime.errors import (
    ConversionError,
    DatasetError,
    EdgeError,
    InputError,
    ModelError,
    PredictionsError,
)
from trainer import Run


@pytest.fixture(scope="module")
def run(run_folder: Path) -> Run:
    pytest.importorskip("keras")
    return Run.load(run_folder)


@pytest.fixture(scope="module")
def made(run: Run) -> dict[str, Converted]:
    return convert_all(run, ["float32", "int8"])


def names(report: ParityReport) -> list[str]:
    return [comparison.model for comparison in report.comparisons]


def summary(report: ParityReport) -> tuple[str, list[str]]:
    return report.verdict, names(report)


def test_a_run_is_converted_with_its_own_images_and_class_names(
    run: Run, made: dict[str, Converted]
) -> None:
    assert made["int8"].manifest.class_names == run.dataset.class_names
    assert made["int8"].data == convert(run.model, "int8", representative=run.dataset).data


def test_a_run_is_converted_from_its_folder(run_folder: Path) -> None:
    assert convert(run_folder, "float32").data == (run_folder / "float32.tflite").read_bytes()


def test_a_run_is_compared_with_all_that_was_converted_from_it_by_name(
    run: Run, made: dict[str, Converted]
) -> None:
    report = compare(run, made)
    assert names(report) == ["float32", "int8"]
    assert report.verdict == compare(run.predictions, made, dataset=run.dataset).verdict
    named = compare(run, {"mine": made["int8"]})
    assert names(named) == ["mine"]


def test_one_model_needs_no_list(run: Run, made: dict[str, Converted]) -> None:
    int8 = made["int8"]
    assert summary(compare(run, int8)) == summary(compare(run, [int8]))
    stored = predict(int8, run.dataset)
    assert compare(run, stored).decision == compare(run, [stored]).decision


def test_the_folder_of_a_run_stands_for_its_predictions_and_images(
    run_folder: Path, tmp_path: Path
) -> None:
    int8 = run_folder / "int8.tflite"
    full = Predictions.load(run_folder / "full.predictions.npz")
    assert summary(compare(run_folder, int8)) == summary(compare(full, [int8], dataset="sample"))


def test_the_command_line_takes_the_folder_of_a_run_too(
    cli: Callable[..., Finished], run_folder: Path, tmp_path: Path
) -> None:
    int8 = run_folder / "int8.tflite"
    judged = cli("parity", int8, "--reference", run_folder, "--out", tmp_path / "report")
    assert judged.code == 0, judged.err
    assert "Parity holds" in judged.out
    made = cli("convert", run_folder, "--quantize", "float32", "--out", tmp_path)
    assert made.code == 0, made.err
    assert (tmp_path / "float32.tflite").read_bytes() == (
        run_folder / "float32.tflite"
    ).read_bytes()


def test_a_folder_and_a_missing_file_are_one_sentence(run: Run, run_folder: Path) -> None:
    with pytest.raises(ModelError, match=r"got a folder; name one of its files, such as .*dynamic"):
        predict(run_folder, run.dataset)
    with pytest.raises(ModelError, match="nowhere: there is no such model file"):
        compare("nowhere", run.predictions)


@pytest.mark.parametrize("nothing", [[], (), {}])
def test_nothing_to_compare_is_one_sentence(run: Run, nothing: Any) -> None:
    with pytest.raises(PredictionsError, match="nothing to compare: give one converted model"):
        compare(run, nothing)


def test_a_bundle_in_memory_is_a_model(run: Run, made: dict[str, Converted]) -> None:
    packed = bundle(made["int8"], run.dataset)
    image = run.dataset.test.images[0]
    with Classifier(made["int8"]) as model, Classifier(packed) as from_bundle:
        expected = model.predict(image[np.newaxis])
        np.testing.assert_array_equal(from_bundle.predict(image[np.newaxis]), expected)
        assert from_bundle.class_names == run.dataset.class_names
    with Classifier(packed.data) as from_bytes:
        np.testing.assert_array_equal(from_bytes.predict(image[np.newaxis]), expected)


def test_a_model_in_memory_is_examined_against_its_run(
    run: Run, made: dict[str, Converted], run_folder: Path
) -> None:
    int8 = made["int8"]
    against_run = diagnose(int8, reference=run, images=100)
    assert against_run.is_healthy
    assert (against_run.model, against_run.dataset) == ("int8", "sample")
    assert against_run.likeness is not None
    assert against_run.likeness.model == "post_cnn"
    against_float = diagnose(int8.data, run.dataset, reference=made["float32"], images=100)
    assert against_float.likeness is not None
    assert (against_float.model, against_float.likeness.model) == ("the model", "float32")
    folder = diagnose(run_folder / "int8.tflite", reference=run_folder, images=100)
    assert folder.likeness is not None
    assert folder.likeness.distance == against_run.likeness.distance
    with pytest.raises(DatasetError, match="say which with dataset="):
        diagnose(int8)


def test_what_was_converted_is_timed_under_its_own_name(made: dict[str, Converted]) -> None:
    found = benchmark(made["int8"], rounds=1, workers=1, quick=True)
    assert [model.name for model in found.measured] == ["int8"]
    assert list(named_models(made)) == ["float32", "int8"]
    with pytest.raises(ModelError, match=r"^Several models are called int8; name them"):
        benchmark([made["int8"], made["int8"]])


@pytest.mark.parametrize("thing", [None, 3, object(), np.zeros(3)])
def test_what_is_no_model_is_one_sentence_everywhere(thing: Any, run: Run) -> None:
    calls = [
        lambda: Classifier(thing),
        lambda: predict(thing, run.dataset),
        lambda: compare(run, [thing]),
        lambda: compare(thing, run.predictions, dataset=run.dataset),
        lambda: bundle(thing, run.dataset),
        lambda: benchmark(thing),
        lambda: diagnose(thing, run.dataset),
        lambda: convert(thing),
    ]
    for call in calls:
        with pytest.raises(EdgeError, match=r"^Expected .*, got (NoneType|int|object|ndarray)"):
            call()


def test_what_is_no_scheme_is_one_sentence(run: Run) -> None:
    scheme: Any = None
    with pytest.raises(ConversionError, match=r"^Expected the name of a recipe, got NoneType"):
        convert(run, scheme)


def test_a_keras_model_is_not_run_as_a_tflite(run: Run) -> None:
    with pytest.raises(InputError, match="got Sequential; convert a Keras model first"):
        Classifier(run.model)


def test_results_say_what_they_are_on_one_line(run: Run, made: dict[str, Converted]) -> None:
    with Classifier(made["int8"]) as classifier:
        answer = classifier.classify(run.dataset.test.images[0])
        said = [repr(thing) for thing in (run, run.dataset, run.dataset.test, classifier, answer)]
    assert said[0].startswith("<Run of post-cnn on sample: 100 epochs, test accuracy ")
    assert said[1] == (
        "<Dataset name: sample, images: 1,000 for training, 1,000 for testing, 28 × 28 × 1, "
        "classes: 10>"
    )
    assert said[2] == "<Split images: 1,000, each: 28 × 28 × 1>"
    assert said[3].startswith(
        "<Classifier model: int8, scheme: int8, input: int8 (1, 28, 28, 1), classes: 10, runtime: "
    )
    assert said[4] == (
        f"Classification(index={answer.index}, label={answer.label!r}, "
        f"confidence={answer.confidence!r})"
    )
    assert all("\n" not in text for text in said)
    for thing in (run.dataset, classifier, answer, made["int8"]):
        assert thing._repr_html_().startswith(("<table>", "<b>"))
