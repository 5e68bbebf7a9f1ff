"""A planned file with one fault, how it is built, and the networks that faults are planted in."""

import contextlib
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from edge_runtime.data.datasets import Dataset, DatasetSpec, load_dataset
from edge_runtime.runtimes.native import native_messages_silenced
from planting.datasets import coloured_shapes
from planting.edits import edited
from planting.networks import Network, train

Layer = Callable[[Any], Any]
ARCHITECTURES = ("article", "separable", "dense")
RECIPES = ("float32", "float16", "dynamic", "int8", "int8-uint8", "int8-float32", "int16x8")
FIRST_PIXELS = 100  # that a right calibration takes


@dataclass(frozen=True)
class Plan:
    """One file to make and to examine.

    Attributes:
        kind: of the fault.
        variant: how it is planted.
        network: in what.
        recipe: how it is converted: the scheme, and after a hyphen the type of input and output.
        before: layers in place of the right preprocessing.
        after: layers behind the network.
        calibration: images in place of training images.
        edit: changes the FlatBuffer.
        manifest: changes the manifest.
        core: weights in place of the network's.
    """

    kind: str
    variant: str
    network: Network
    recipe: str = "float32"
    before: Layer | None = None
    after: Layer | None = None
    calibration: Any = None
    edit: Callable[[Any], None] | None = None
    manifest: Callable[[dict[str, Any]], None] | None = None
    core: Any = None


class Garden:
    """The datasets, and networks that are trained once each.

    Attributes:
        seed: of the training and of all that is drawn.
        sample: the embedded sample.
        colour: made-up coloured shapes.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.sample = load_dataset(DatasetSpec("sample"))
        self.colour = coloured_shapes(24, 24, 5, seed=seed)
        self._networks: dict[tuple[str, str, str, int], Network] = {}

    def network(
        self, name: str, domain: str, dataset: Dataset | None = None, epochs: int = 12
    ) -> Network:
        """Return a network that was trained on pixels of a domain."""
        dataset = dataset or self.sample
        key = (name, domain, f"{dataset.name}{dataset.image_shape}", epochs)
        if key not in self._networks:
            self._networks[key] = train(name, domain, dataset, epochs=[epochs], seed=self.seed)[0]
        return self._networks[key]

    def turn(self, index: int, domain: str = "unit") -> Network:
        """Return the architectures in turn."""
        return self.network(ARCHITECTURES[index % 3], domain)

    def rng(self, *numbers: int) -> np.random.Generator:
        """Return random numbers that depend on nothing but the seed and these numbers."""
        return np.random.default_rng([self.seed, *numbers])

    def first_pixels(self) -> Any:
        """Return the images of a right calibration."""
        return self.sample.train.images[:FIRST_PIXELS].astype(np.float32)


def convert(model: Any, recipe: str, images: Any) -> bytes:
    """Return the .tflite of a Keras model."""
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    name, _, border = recipe.partition("-")
    if name != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if name == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if name in ("int8", "int16x8"):
        converter.representative_dataset = lambda: ([image[np.newaxis]] for image in images)
        int16 = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        ops = int16 if name == "int16x8" else tf.lite.OpsSet.TFLITE_BUILTINS_INT8
        converter.target_spec.supported_ops = [ops]
        dtype = border or ("int16" if name == "int16x8" else "int8")
        converter.inference_input_type = converter.inference_output_type = tf.as_dtype(dtype)
    with (
        native_messages_silenced(),
        contextlib.redirect_stdout(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        return converter.convert()


def build(plan: Plan) -> bytes:
    """Return the .tflite with the planned fault."""
    keras.utils.clear_session()
    network = plan.network
    pixels = keras.Input(batch_shape=(1, *network.dataset.image_shape), dtype="float32")
    core = plan.core or network.core
    answer = core((plan.before or network.right_input)(pixels))
    model = keras.Model(pixels, plan.after(answer) if plan.after else answer)
    images = plan.calibration
    if images is None:
        images = network.dataset.train.images[:FIRST_PIXELS].astype(np.float32)
    data = convert(model, plan.recipe, images)
    return edited(data, plan.edit) if plan.edit else data
