"""All conversions of one model: what they share, and how each is made and proved."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from converter.calibration import RepresentativeDataset
from converter.conversion import convert_source
from converter.converted import Converted, Verification, graph_facts
from converter.graph import marked
from converter.labels import Labels
from converter.schemes import Io, Recipe, input_output_type
from converter.source import SourceModel
from converter.speedup import Speedup, speed_up
from converter.target import Target, made_for, prove
from edge_runtime.errors import ConversionError
from edge_runtime.files.reading import sha256
from edge_runtime.inference.classifier import Classifier
from edge_runtime.models.inspection import ModelSummary, inspect_model, runtime_support
from edge_runtime.models.manifest import Manifest, Output
from edge_runtime.models.model_file import ModelFile
from edge_runtime.proof.health import Health, measure_health


@dataclass(frozen=True, eq=False)
class Job:
    """What all conversions of one model share.

    The images of ``representative`` are for the recipes that need them; each result is tried on
    those of ``labelled``, unless that is None. Files are made for ``target``; None is the runtime
    that is here.
    """

    source: SourceModel
    labels: Labels
    representative: RepresentativeDataset | None
    labelled: RepresentativeDataset | None
    target: Target | None
    io: Io | None
    pack: bool
    batch: int

    def make(self, recipe: Recipe) -> Converted:
        """Convert, verify and prove; nothing is written.

        Raises:
            ConversionError: TensorFlow cannot convert the model, or the result is not as promised.
            UnsupportedError: the runtime that it is made for cannot run the result.
            ModelError: the runtime that is here cannot run the result.
        """
        data, summary, speedup = self._convert(recipe)
        file = ModelFile(f"{recipe.name}.tflite", data)
        probed = prove(file, summary, self.target)
        found = Verification(
            probed,
            tuple(runtime_support(summary)),
            made_for(self.target, probed),
            self._health(file),
        )
        manifest = Manifest(
            sha256(data),
            self.labels.class_names,
            self.labels.preprocessing,
            self.labels.output or self._kind_of_output(data, summary),
            self._details(recipe, summary, found, speedup),
        )
        return Converted(recipe.name, data, manifest, summary, found, speedup)

    def _convert(self, recipe: Recipe) -> tuple[bytes, ModelSummary, Speedup | None]:
        io_type = input_output_type(recipe, self.io)
        calibration = self.representative.images if self.representative else None
        data = marked(
            convert_source(
                self.source,
                recipe,
                io_type=io_type,
                image_shape=self.labels.preprocessing.shape,
                calibration=calibration,
                batch=self.batch,
            )
        )
        summary = verify(data, recipe, io_type=io_type)
        if not self.pack or recipe.name != "int8" or calibration is None:
            return data, summary, None
        data, speedup = speed_up(data, calibration, target=self.target)
        return data, verify(data, recipe, io_type=io_type), speedup

    def _details(
        self, recipe: Recipe, summary: ModelSummary, found: Verification, speedup: Speedup | None
    ) -> dict[str, Any]:
        """Return what the manifest says about how the file was made."""
        calibrated = self.representative if recipe.calibrated else None
        versions = {
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "numpy": np.__version__,
        }
        return {
            "recipe": recipe.name,
            "graph": graph_facts(summary, found.runtimes),
            "packing": speedup.facts() if speedup and speedup.kept else None,
            "probe": found.probed.to_dict(),
            "made_for": found.made_for,
            "versions": versions,
            "representative_dataset": calibrated.to_dict() if calibrated else None,
            "dataset": self.labels.dataset,
            "source": {"file": self.source.file, "sha256": self.source.sha256},
        }

    @cached_property
    def _full_answers(self) -> NDArray[np.int64] | None:
        return self.source.answers(self.labelled.images) if self.labelled else None

    def _health(self, file: ModelFile) -> Health | None:
        """Return how often a file that was probed is right on training images."""
        if self.labelled is None or self.labelled.labels is None:
            return None
        with Classifier(file) as classifier:
            answers = classifier.raw_outputs(self.labelled.images).argmax(axis=1)
        labels = self.labelled.labels
        return measure_health(answers, labels, self._full_answers, images="training images")

    def _kind_of_output(self, data: bytes, summary: ModelSummary) -> Output:
        """Return what the model's numbers are: by its last operator, or else by its answers."""
        if summary.ends_in_softmax:
            return "probabilities"
        names, preprocessing = self.labels.class_names, self.labels.preprocessing
        as_they_are = Manifest(sha256(data), names, preprocessing, "probabilities")
        noise = np.random.default_rng(0).integers(0, 256, (16, *preprocessing.shape), np.uint8)
        with Classifier(ModelFile("converted", data, as_they_are)) as classifier:
            answers = classifier.predict(noise)
        # An integer model answers in steps, so a row may miss 1 by half a step for each class.
        slack = 1e-3 + answers.shape[1] / 512
        sums_to_one = np.abs(answers.sum(axis=1) - 1).max() <= slack
        return "probabilities" if (answers >= 0).all() and sums_to_one else "logits"


def verify(data: bytes, recipe: Recipe, *, io_type: str) -> ModelSummary:
    """Check that a .tflite is what the recipe promises, by its tensors and operators.

    Raises:
        ConversionError: its scheme, its input or output, or its operators are others.
    """
    summary = inspect_model(data)
    if summary.scheme != recipe.name:
        raise ConversionError(_other_scheme(summary, recipe))
    for tensor, what in ((summary.inputs[0], "input"), (summary.outputs[0], "output")):
        if tensor.dtype != io_type:
            raise ConversionError(
                f"{recipe.name}: the {what} turned out as {tensor.dtype}, expected {io_type}."
            )
    if recipe.integer_io is not None and io_type != "float32":
        _refuse_float_remainders(summary, recipe)
    return summary


def _other_scheme(summary: ModelSummary, recipe: Recipe) -> str:
    message = f"The model turned out as {summary.scheme}, expected {recipe.name}"
    if recipe.calibrated and summary.float_tensors:
        names = ", ".join(tensor.name for tensor in summary.float_tensors[:3])
        message += (
            f": {len(summary.float_tensors)} tensors stayed in float ({names}); some of its "
            "operators have no integer form. Try dynamic or float16"
        )
    if recipe.name == "dynamic" and summary.scheme == "float32":
        message += ": none of its weights is large enough to be quantized. Choose float32 or int8"
    return f"{message}."


def _refuse_float_remainders(summary: ModelSummary, recipe: Recipe) -> None:
    counts = {operator.name: operator.count for operator in summary.operators}
    if not summary.is_full_integer or counts.get("DEQUANTIZE"):
        raise ConversionError(
            f"{recipe.name}: {len(summary.float_tensors)} float tensors and "
            f"{counts.get('DEQUANTIZE', 0)} DEQUANTIZE are left; expected integers only."
        )
