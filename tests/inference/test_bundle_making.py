"""Making bundles: the same bytes again, and of models of every kind."""

import os
import subprocess
import sys

import numpy as np
import pytest
from bundles import CLASSES, noise_dataset, selftest, tiny_bundle

from edge_runtime.data.datasets import Dataset
from edge_runtime.errors import BundleError, DatasetError
from edge_runtime.files.reading import sha256
from edge_runtime.inference.bundling.making import bundle as make_bundle
from edge_runtime.models.bundle.contents import read_bundle
from edge_runtime.models.bundle.golden import COUNT
from edge_runtime.models.model_file import ModelFile
from edge_runtime.runtimes.backends import choose_backend


def test_the_same_arguments_give_the_same_bytes_in_other_processes(tiny_model):
    code = (
        "import sys; from bundles import tiny_bundle; from pathlib import Path\n"
        "from edge_runtime.files.reading import sha256\n"
        "print(sha256(tiny_bundle(Path(sys.argv[1]).read_bytes())))"
    )
    made = set()
    for seed in ("0", "1"):
        child = subprocess.run(
            [sys.executable, "-c", code, str(tiny_model("int8"))],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        made.add(child.stdout.strip())
    assert made == {sha256(tiny_bundle(tiny_model("int8").read_bytes()))}


def test_the_version_is_in_the_bundle_and_must_be_one(tiny_model):
    model = tiny_model("int8").read_bytes()
    assert read_bundle(tiny_bundle(model, version=7)).version == 7
    with pytest.raises(BundleError, match="a whole number from 1 on, got 0"):
        tiny_bundle(model, version=0)


def rgb_dataset():
    return noise_dataset((8, 8, 3))


def made_of(model, dataset=None):
    """A bundle of a model, read, after its golden vectors were reproduced."""
    data = make_bundle(
        ModelFile("model", model), dataset or noise_dataset(), version=1, backend=choose_backend()
    ).data
    assert selftest(data).ok
    return read_bundle(data)


def converted(layers, shape, *, integers=False, batch=1):
    """A .tflite of a seeded Keras network."""
    keras = pytest.importorskip("keras")
    tf = pytest.importorskip("tensorflow")
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input(batch_shape=(batch, *shape)), *layers(keras.layers)])
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if integers:
        images = np.random.default_rng(0).integers(0, 256, (16, batch, *shape))
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([image.astype(np.float32)] for image in images)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter.convert()


@pytest.mark.parametrize("integers", [False, True], ids=["float32", "int8"])
def test_a_model_of_rgb_images_is_bundled(integers):
    model = converted(
        lambda layers: [layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(10), layers.Softmax()],
        (8, 8, 3),
        integers=integers,
    )
    bundle = made_of(model, rgb_dataset())
    assert bundle.golden.images.shape == (COUNT, 8, 8, 3)
    assert bundle.manifest.preprocessing.shape == (8, 8, 3)


@pytest.mark.parametrize("integers", [False, True], ids=["float32", "int8"])
def test_a_model_that_takes_several_images_at_once_is_bundled(integers):
    model = converted(
        lambda layers: [layers.Flatten(), layers.Dense(10), layers.Softmax()],
        (8, 8, 1),
        integers=integers,
        batch=5,
    )
    bundle = made_of(model)
    assert (len(bundle.golden), bundle.golden.outputs.shape) == (COUNT, (COUNT, 10))


@pytest.mark.parametrize("integers", [False, True], ids=["float32", "int8"])
def test_a_model_without_softmax_is_bundled(integers):
    model = converted(
        lambda layers: [layers.Flatten(), layers.Dense(10)], (8, 8, 1), integers=integers
    )
    bundle = made_of(model)
    assert bundle.manifest.output == "logits"
    assert np.array_equal(bundle.golden.scores, bundle.golden.outputs)


def test_a_dataset_of_other_images_is_refused(tiny_model):
    with pytest.raises(DatasetError, match=r"takes images of \(8, 8, 1\)"):
        make_bundle(
            ModelFile("tiny", tiny_model("int8").read_bytes()),
            rgb_dataset(),
            version=1,
            backend=choose_backend(),
        )


def test_a_class_without_test_images_has_no_recall(tiny_model):
    dataset = noise_dataset()
    few = Dataset("few", CLASSES, train=dataset.train, test=dataset.test.take(np.arange(8)))
    bundle = made_of(tiny_model("int8").read_bytes(), few)
    assert list(bundle.manifest.details["metrics"]["recall"]) == list(CLASSES[:8])
