"""The faults: files to make, with one mistake each, and healthy ones."""

import contextlib
import io
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import flatbuffers
import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema

from edge_runtime.data.datasets import Dataset, DatasetSpec, load_dataset
from edge_runtime.runtimes.native import native_messages_silenced
from planting.networks import Network, cloned, coloured_shapes, few_classes, resized, train

HEALTHY = "healthy"
Layer = Callable[[Any], Any]
layers = keras.layers


@dataclass(frozen=True)
class Plan:
    """One file to make and to examine."""

    kind: str
    variant: str
    network: Network
    recipe: str = "float32"
    before: Layer | None = None  # replaces the right preprocessing
    after: Layer | None = None
    calibration: Any = None
    edit: Callable[[Any], None] | None = None
    manifest: Callable[[dict[str, Any]], None] | None = None
    core: Any = None


ARCHITECTURES = ("article", "separable", "dense")
RECIPES = ("float32", "float16", "dynamic", "int8", "int8-uint8", "int8-float32", "int16x8")


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
    middle = plan.before(pixels) if plan.before else network.right_input(pixels)
    answer = core(middle)
    model = keras.Model(pixels, plan.after(answer) if plan.after else answer)
    images = plan.calibration
    if images is None:
        images = network.dataset.train.images[:100].astype(np.float32)
    data = convert(model, plan.recipe, images)
    return edited(data, plan.edit) if plan.edit else data


def edited(data: bytes, change: Callable[[Any], None]) -> bytes:
    """Return a .tflite after a change to its FlatBuffer."""
    model = schema.ModelT.InitFromPackedBuf(data)
    change(model)
    builder = flatbuffers.Builder(65536)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


class Planter:
    """Makes plans, with networks trained once each."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.sample = load_dataset(DatasetSpec("sample"))
        self.colour = coloured_shapes(24, 24, 5, seed=seed)
        self._networks: dict[tuple[str, str, str, int], Network] = {}

    def network(
        self, name: str, domain: str, dataset: Dataset | None = None, epochs: int = 12
    ) -> Network:
        """Return a trained network, trained once."""
        dataset = dataset or self.sample
        key = (name, domain, f"{dataset.name}{dataset.image_shape}", epochs)
        if key not in self._networks:
            self._networks[key] = train(name, domain, dataset, epochs=[epochs], seed=self.seed)[0]
        return self._networks[key]

    def plans(self, wanted: Callable[[str], bool]) -> Iterator[Plan]:
        """Yield planned faults and healthy models, as long as their kinds are wanted.

        Parts without a wanted kind are left out, so that their networks need no training.
        """
        parts: dict[Callable[[], Iterator[Plan]], tuple[str, ...]] = {
            self.scales: (
                "inputs-not-divided",
                "inputs-divided-twice",
                "inputs-minus-one-to-one",
                "inputs-standardized",
            ),
            self.odd_factors: ("input-scale",),
            self.inversions: ("inverted",),
            self.moves: ("transposed", "mirrored", "upside-down", "rotated"),
            self.channels: ("channels",),
            self.zero_points: ("input-zero-point",),
            self.input_scales: ("input-scale",),
            self.outputs: ("output-zero-point", "output-scale"),
            self.labels: ("labels-off-by-one", "labels-reversed", "labels-permuted"),
            self.softmaxes: ("softmax-twice", "softmax-missing"),
            self.calibrations: ("calibration",),
            self.dead: ("constant-output", "untrained", "nan"),
            self.flipped: ("bits-flipped",),
            self.lost_biases: ("bias-lost",),
            self.batch_norms: ("batch-norm",),
            self.checkpoints: ("other-training",),
            self.healthy: (HEALTHY,),
        }
        for part, kinds in parts.items():
            plans = part()
            while any(map(wanted, kinds)) and (plan := next(plans, None)):
                if wanted(plan.kind):
                    yield plan

    def scales(self) -> Iterator[Plan]:
        """Pixels scaled once too often, or not at all."""
        recipes = ("float32", "int8", "int8-uint8", "dynamic", "int8-float32", "int16x8")
        for index, recipe in enumerate(recipes):
            name = ARCHITECTURES[index % 3]
            unit, raw = self.network(name, "unit"), self.network(name, "raw")
            signed, standard = self.network(name, "signed"), self.network(name, "standard")
            yield Plan("inputs-not-divided", "no Rescaling", unit, recipe, lambda x: x)
            yield Plan(
                "inputs-divided-twice",
                "Rescaling twice",
                unit,
                recipe,
                lambda x: layers.Rescaling(1 / 255)(layers.Rescaling(1 / 255)(x)),
            )
            yield Plan(
                "inputs-divided-twice",
                "Rescaling on raw weights",
                raw,
                recipe,
                layers.Rescaling(1 / 255),
            )
            yield Plan("inputs-minus-one-to-one", "none", signed, recipe, lambda x: x)
            yield Plan(
                "inputs-minus-one-to-one",
                "on raw weights",
                raw,
                recipe,
                layers.Rescaling(1 / 127.5, -1.0),
            )
            yield Plan("inputs-standardized", "none", standard, recipe, lambda x: x)
            if recipe.startswith("int"):
                images = self.sample.train.images[:100].astype(np.float32) / 255
                yield Plan(
                    "inputs-not-divided", "right for 0..1", unit, recipe, lambda x: x, None, images
                )

    def odd_factors(self) -> Iterator[Plan]:
        """Pixels scaled by a factor that nobody would guess, in front of the right scaling."""
        for factor in (0.1, 0.5, 2.0):
            yield Plan(
                "input-scale",
                f"Rescaling({factor:g})",
                self.network("separable", "signed"),
                "float32",
                lambda x, factor=factor: layers.Rescaling(1 / 127.5, -1.0)(
                    layers.Rescaling(factor)(x)
                ),
            )

    def inversions(self) -> Iterator[Plan]:
        """Bright and dark exchanged."""
        for index, recipe in enumerate(
            ("float32", "int8", "int8-uint8", "float16", "int16x8", "int8-float32")
        ):
            network = self.network(ARCHITECTURES[index % 3], "unit")
            yield Plan(
                "inverted", "255 - x", network, recipe, lambda x: layers.Rescaling(-1 / 255, 1.0)(x)
            )
            raw = self.network(ARCHITECTURES[index % 3], "raw")
            yield Plan(
                "inverted", "255 - x on raw weights", raw, recipe, layers.Rescaling(-1.0, 255.0)
            )
        yield Plan(
            "inverted",
            "manifest's background",
            self.network("article", "unit"),
            "int8",
            manifest=lambda document: document["preprocessing"].update(background="light"),
        )

    def moves(self) -> Iterator[Plan]:
        """Images turned and mirrored."""
        take = keras.ops.take
        back = np.arange(27, -1, -1)
        moves: dict[str, list[Layer]] = {
            "transposed": [lambda x: layers.Permute((2, 1, 3))(x)],
            "mirrored": [lambda x: take(x, back, axis=2)],
            "upside-down": [lambda x: take(x, back, axis=1)],
            "rotated": [
                lambda x: take(take(x, back, axis=1), back, axis=2),
                lambda x: take(layers.Permute((2, 1, 3))(x), back, axis=1),
                lambda x: take(layers.Permute((2, 1, 3))(x), back, axis=2),
            ],
        }
        recipes = ("float32", "int8", "int8-uint8", "dynamic", "int16x8")
        for kind, ways in moves.items():
            for index, recipe in enumerate(recipes):
                network = self.network(ARCHITECTURES[index % 3], "unit")
                way = ways[index % len(ways)]
                yield Plan(
                    kind,
                    f"way {index % len(ways)}",
                    network,
                    recipe,
                    lambda x, way=way, network=network: network.right_input(way(x)),
                )

    def channels(self) -> Iterator[Plan]:
        """Colours exchanged."""
        orders = ([2, 1, 0], [1, 0, 2], [2, 0, 1], [0, 2, 1], [1, 2, 0])
        for index, recipe in enumerate(("float32", "int8", "int8-uint8", "float16", "int16x8")):
            network = self.network(("article", "separable")[index % 2], "unit", self.colour)
            for order in (orders[0], orders[index]):
                yield Plan(
                    "channels",
                    f"order {order}",
                    network,
                    recipe,
                    lambda x, order=order, network=network: network.right_input(
                        keras.ops.take(x, np.array(order), axis=3)
                    ),
                )

    def zero_points(self) -> Iterator[Plan]:
        """The input's zero point changed, pixels shifted by 128."""
        for index, shift in enumerate((128, 64, 100, 40, 200)):
            for recipe in ("int8", "int8-uint8"):
                network = self.network(ARCHITECTURES[index % 3], ("unit", "raw")[index % 2])
                yield Plan(
                    "input-zero-point",
                    f"zero point + {shift}",
                    network,
                    recipe,
                    edit=lambda model, shift=shift: shift_zero_point(model, True, shift),
                )
        for index, (shift, recipe) in enumerate(
            (
                (128.0, "float32"),
                (-128.0, "float32"),
                (128.0, "int8"),
                (-128.0, "dynamic"),
                (-128.0, "int8"),
            )
        ):
            network = self.network(ARCHITECTURES[index % 3], "unit")
            yield Plan(
                "input-zero-point",
                f"x + {shift} in the graph",
                network,
                recipe,
                lambda x, shift=shift: layers.Rescaling(1 / 255, shift / 255)(x),
            )

    def input_scales(self) -> Iterator[Plan]:
        """The input's scale changed."""
        for index, factor in enumerate((0.1, 0.25, 3.0, 10.0, 1 / 255)):
            network = self.network(ARCHITECTURES[index % 3], ("unit", "raw")[index % 2])
            for recipe in ("int8", "int8-uint8"):
                yield Plan(
                    "input-scale",
                    f"scale × {factor:.3g}",
                    network,
                    recipe,
                    edit=lambda model, factor=factor: multiply_scale(model, True, factor),
                )

    def outputs(self) -> Iterator[Plan]:
        """The output's scale and zero point changed."""
        for index, change in enumerate((40, 100, 128, 200, 255)):
            network = self.network(ARCHITECTURES[index % 3], "unit")
            for recipe in ("int8", "int8-uint8"):
                yield Plan(
                    "output-zero-point",
                    f"zero point + {change}",
                    network,
                    recipe,
                    edit=lambda model, change=change: shift_zero_point(model, False, change),
                )
        for index, factor in enumerate((0.1, 0.3, 5.0, 20.0, 1 / 256)):
            network = self.network(ARCHITECTURES[index % 3], "unit")
            for recipe in ("int8", "int8-uint8"):
                yield Plan(
                    "output-scale",
                    f"scale × {factor:.3g}",
                    network,
                    recipe,
                    edit=lambda model, factor=factor: multiply_scale(model, False, factor),
                )

    def labels(self) -> Iterator[Plan]:
        """Labels in another order, in the network or in the manifest."""
        order = np.arange(10)
        rng = np.random.default_rng([self.seed, 1])
        random = [rng.permutation(10) for _ in range(3)]
        swap = order.copy()
        swap[[3, 5]] = swap[[5, 3]]
        for index, recipe in enumerate(("float32", "int8", "dynamic", "int8-uint8", "int16x8")):
            network = self.network(ARCHITECTURES[index % 3], "unit")
            shift = (1, -1)[index % 2]
            for kind, permutation in (
                ("labels-off-by-one", np.roll(order, shift)),
                ("labels-reversed", order[::-1]),
                ("labels-permuted", (*random, swap)[index % 4]),
            ):
                if index % 2:
                    yield Plan(
                        kind,
                        "last layer",
                        network,
                        recipe,
                        core=permuted(network.core, permutation),
                    )
                else:
                    yield Plan(
                        kind,
                        "manifest",
                        network,
                        recipe,
                        manifest=lambda document, permutation=permutation: document.update(
                            class_names=[document["class_names"][i] for i in permutation]
                        ),
                    )

    def softmaxes(self) -> Iterator[Plan]:
        """One softmax too many, or too few."""
        for index, recipe in enumerate(RECIPES):
            network = self.network(ARCHITECTURES[index % 3], "unit")
            yield Plan(
                "softmax-twice",
                "second layer",
                network,
                recipe,
                after=lambda x: layers.Softmax()(x),
            )
            yield Plan(
                "softmax-twice",
                "manifest says logits",
                network,
                recipe,
                manifest=lambda document: document.update(output="logits"),
            )
            yield Plan(
                "softmax-missing",
                "manifest says probabilities",
                network,
                recipe,
                core=without_softmax(network.core),
            )

    def calibrations(self) -> Iterator[Plan]:
        """Calibrated on anything but training images."""
        pixels = self.sample.train.images[:100].astype(np.float32)
        rng = np.random.default_rng([self.seed, 2])
        noise = rng.uniform(0, 1, pixels.shape).astype(np.float32)
        wrong = {
            "noise 0..1": noise,
            "noise 0..255": noise * 255,
            "normal noise": rng.normal(0, 1, pixels.shape).astype(np.float32),
            "divided by 255": pixels / 255,
            "black": pixels[:5] * 0,
            "grey": pixels[:5] * 0 + 128,
        }
        for index, (name, images) in enumerate(wrong.items()):
            for recipe in ("int8", "int8-uint8", "int8-float32"):
                network = self.network(ARCHITECTURES[index % 3], ("unit", "raw")[index % 2])
                yield Plan("calibration", name, network, recipe, calibration=images)

    def dead(self) -> Iterator[Plan]:
        """Networks beyond help."""
        for index, recipe in enumerate(("float32", "int8", "dynamic", "float16", "int16x8")):
            network = self.network(ARCHITECTURES[index % 3], "unit")
            yield Plan(
                "constant-output",
                "zero kernel",
                network,
                recipe,
                core=changed_last(network.core, lambda k, b: (k * 0, b)),
            )
            yield Plan(
                "constant-output",
                "large bias",
                network,
                recipe,
                core=changed_last(network.core, lambda k, b: (k, b + 1e4 * (np.arange(10) == 3))),
            )
            yield Plan(
                "untrained",
                "random weights",
                network,
                recipe,
                core=destroyed(network.core, self.seed),
            )
            if recipe in ("float32", "float16", "dynamic"):
                for name, change in (
                    ("bias", lambda k, b: (k, b * np.nan)),
                    ("kernel", lambda k, b: (k * np.nan, b)),
                ):
                    core = changed_last(network.core, change)
                    yield Plan("nan", f"NaN in the {name}", network, recipe, core=core)

    def healthy(self) -> Iterator[Plan]:
        """Networks without a fault, strong and weak."""
        for recipe in RECIPES:
            yield Plan(HEALTHY, "unit", self.network("article", "unit"), recipe)
            yield Plan(HEALTHY, "one epoch", self.network("separable", "unit", None, 1), recipe)
        for recipe in ("float32", "int8"):
            for network in (
                self.network("article", "raw"),
                self.network("dense", "signed"),
                self.network("separable", "standard"),
                self.network("article", "unit", None, 1),
                self.network("dense", "unit", None, 1),
                self.network("dense", "raw", None, 1),
                self.network("article", "unit", self.colour),
                self.network("separable", "unit", coloured_shapes(20, 28, 4, seed=1)),
                self.network("dense", "signed", self.colour, 2),
                self.network("article", "unit", few_classes(self.sample, 2), 2),
                self.network("separable", "unit", few_classes(self.sample, 3), 3),
            ):
                yield Plan(HEALTHY, network.name, network, recipe)

        yield from self.young()

    def young(self) -> Iterator[Plan]:
        """Healthy networks with batch norms that have hardly settled, of several sizes."""
        datasets = (
            self.sample,
            resized(self.sample, 20, 24),
            resized(self.sample, 32, 32, 3),
        )
        number = 0
        for dataset in datasets:
            for name in ("separable", "normed"):
                for network in train(name, "unit", dataset, epochs=range(1, 6), seed=self.seed):
                    yield Plan(HEALTHY, "young", network, RECIPES[number % len(RECIPES)])
                    number += 1

    def damaged(self, colour: bool = True) -> Iterator[tuple[int, Network, str]]:
        """Yield networks and recipes for faults of weights, numbered."""
        networks = (
            self.network("article", "unit"),
            self.network("normed", "unit"),
            self.network("dense", "unit"),
            self.network("separable", "unit", self.colour if colour else None),
        )
        for number in range(14):
            yield number, networks[number % 4], RECIPES[number % len(RECIPES)]

    def flipped(self) -> Iterator[Plan]:
        """Bits of the weights of one layer flipped, in the file."""
        for number, network, recipe in self.damaged():
            share = (0.002, 0.01, 0.05)[number % 3]
            yield Plan(
                "bits-flipped",
                f"{share:.1%} of the bytes",
                network,
                recipe,
                edit=lambda model, share=share, number=number: flip_bits(
                    model, share, np.random.default_rng([self.seed, number])
                ),
            )

    def lost_biases(self) -> Iterator[Plan]:
        """Biases that are zero: of all layers before the conversion, or of one in the file."""
        for number, network, recipe in self.damaged():
            if number % 2:
                yield Plan(
                    "bias-lost",
                    "one layer",
                    network,
                    recipe,
                    edit=lambda model, number=number: lose_bias(
                        model, np.random.default_rng([self.seed, number])
                    ),
                )
            else:
                core = without_biases(network.core)
                yield Plan("bias-lost", "all layers", network, recipe, core=core)

    def batch_norms(self) -> Iterator[Plan]:
        """Moving averages that were never loaded, or that lag behind."""
        networks = (
            self.network("normed", "unit"),
            self.network("separable", "unit"),
            self.network("separable", "unit", self.colour),
        )
        for number in range(14):
            share = (0.0, 0.5, 0.8, 0.0)[number % 4]
            network = networks[number % 3]
            yield Plan(
                "batch-norm",
                f"{share:.0%} of the way" if share else "never loaded",
                network,
                RECIPES[number % len(RECIPES)],
                core=lagging(network.core, share),
            )

    def checkpoints(self) -> Iterator[Plan]:
        """The same network, trained from another seed, or one epoch more.

        Not on coloured shapes: these are learnt by heart, and another epoch answers alike.
        """
        for number, network, recipe in self.damaged(colour=False):
            if number % 2:
                core = trained_further(network)
            else:
                name = network.name.partition("/")[0]
                (other,) = train(name, "unit", network.dataset, epochs=[5], seed=self.seed + 100)
                core = other.core
            variant = "one epoch more" if number % 2 else "another seed"
            yield Plan("other-training", variant, network, recipe, core=core)


def shift_zero_point(model: Any, is_input: bool, shift: int) -> None:
    """Move the zero point of the input or output, within its dtype."""
    tensor = border(model, is_input)
    low, high = (0, 255) if tensor.type == schema.TensorType.UINT8 else (-128, 127)
    now = int(tensor.quantization.zeroPoint[0])
    tensor.quantization.zeroPoint = [
        min(high, now + shift) if now + shift <= high else max(low, now - shift)
    ]


def multiply_scale(model: Any, is_input: bool, factor: float) -> None:
    """Change the scale of the input or output."""
    tensor = border(model, is_input)
    tensor.quantization.scale = [float(tensor.quantization.scale[0]) * factor]


def border(model: Any, is_input: bool) -> Any:
    """Return the input or output tensor."""
    graph = model.subgraphs[0]
    return graph.tensors[int((graph.inputs if is_input else graph.outputs)[0])]


def changed_last(core: Any, change: Callable[[Any, Any], tuple[Any, Any]]) -> Any:
    """Return a copy with another kernel and bias in the last layer."""
    copy = cloned(core)
    copy.layers[-1].set_weights(change(*copy.layers[-1].get_weights()))
    return copy


def permuted(core: Any, order: Any) -> Any:
    """Return a copy whose outputs stand in another order."""
    return changed_last(core, lambda kernel, bias: (kernel[:, order], bias[order]))


def without_softmax(core: Any) -> Any:
    """Return a copy that answers with logits."""
    copy = cloned(core)
    copy.layers[-1].activation = keras.activations.linear
    return copy


def destroyed(core: Any, seed: int) -> Any:
    """Return a copy whose weights are shuffled."""
    rng = np.random.default_rng(seed)
    copy = cloned(core)
    copy.set_weights([rng.permutation(w.ravel()).reshape(w.shape) for w in core.get_weights()])
    return copy


def weighted(model: Any, input_place: int) -> list[Any]:
    """Return the buffers of constants that operators take as weights (1) or biases (2)."""
    graph = model.subgraphs[0]
    makers = {int(index): one for one in graph.operators for index in one.outputs}
    names = {value: name for name, value in vars(schema.BuiltinOperator).items()}
    found = []
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        name = names[max(code.builtinCode, code.deprecatedBuiltinCode)]
        if name not in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
            continue
        if len(operator.inputs) <= input_place or operator.inputs[input_place] < 0:
            continue
        index = int(operator.inputs[input_place])
        if index in makers:  # float16 weights are made float32 by an operator
            index = int(makers[index].inputs[0])
        buffer = model.buffers[graph.tensors[index].buffer]
        if buffer.data is not None and np.any(buffer.data):
            found.append(buffer)
    return found


def flip_bits(model: Any, share: float, rng: Any) -> None:
    """Flip one bit in some bytes of the weights of one layer; three bytes at least."""
    buffers = weighted(model, 1)
    buffer = buffers[rng.integers(len(buffers))]
    data = np.array(buffer.data, np.uint8)
    places = rng.choice(len(data), max(3, round(share * len(data))), replace=False)
    data[places] ^= (1 << rng.integers(0, 8, len(places))).astype(np.uint8)
    buffer.data = data


def lose_bias(model: Any, rng: Any) -> None:
    """Write zeros over the biases of one layer."""
    buffers = weighted(model, 2)
    buffer = buffers[rng.integers(len(buffers))]
    buffer.data = np.zeros_like(np.array(buffer.data, np.uint8))


def without_biases(core: Any) -> Any:
    """Return a copy whose biases are zero; those of batch norms are left."""
    copy = cloned(core)
    for layer in copy.layers:
        if getattr(layer, "use_bias", False):
            *others, bias = layer.get_weights()
            layer.set_weights([*others, 0 * bias])
    return copy


def lagging(core: Any, share: float) -> Any:
    """Return a copy whose batch norms have come only a share of the way from 0 and 1."""
    copy = cloned(core)
    for layer in copy.layers:
        if isinstance(layer, layers.BatchNormalization):
            *others, mean, variance = layer.get_weights()
            layer.set_weights([*others, share * mean, share * variance + (1 - share)])
    return copy


def trained_further(network: Network) -> Any:
    """Return a copy after one more epoch."""
    copy = cloned(network.core)
    copy.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy")
    images = network.dataset.train.images.astype(np.float32) * network.gain + network.offset
    copy.fit(images, network.dataset.train.labels, 32, 1, verbose=0)
    return copy
