"""Whether a model is an image classifier: its input, its output and its class names."""

from edge_runtime.errors import ModelError
from edge_runtime.models.inspection import ModelSummary, TensorInfo, inspect_model
from edge_runtime.models.model_file import ModelFile

_INTEGERS = ("uint8", "int8", "int16")


def inspect_file(file: ModelFile) -> ModelSummary:
    """Return what the bytes are; the error of damaged ones names the file."""
    try:
        return inspect_model(file.data)
    except ModelError as error:
        raise ModelError(f"{file.name}: {error}") from error


def classifier_tensors(summary: ModelSummary, name: str) -> tuple[TensorInfo, TensorInfo]:
    """Return the input and the output of an image classifier.

    Raises:
        ModelError: the model is none, or they have types that no picture can be turned into.
    """
    if len(summary.inputs) != 1 or len(summary.outputs) != 1:
        raise ModelError(
            f"{name}: expected an image classifier with one input and one output, got "
            f"{len(summary.inputs)} and {len(summary.outputs)}."
        )
    source, result = summary.inputs[0], summary.outputs[0]
    image_like = len(source.shape) == 3 or (len(source.shape) == 4 and source.shape[3] in (1, 3))
    if not image_like or min(source.shape) < 1:
        raise ModelError(
            f"{name}: the model's input is not an image: expected (batch, height, width, 1 or 3), "
            f"got {source.shape}."
        )
    if len(result.shape) != 2 or result.shape[0] != source.shape[0] or result.shape[1] < 2:
        raise ModelError(
            f"{name}: expected an output of (batch, classes) with two classes or more, got "
            f"{result.shape}."
        )
    for tensor in (source, result):
        if tensor.dtype not in ("float32", *_INTEGERS):
            raise ModelError(
                f"{name}: the tensor '{tensor.name}' is {tensor.dtype}; expected float32 or one of "
                f"{', '.join(_INTEGERS)}."
            )
        if tensor.dtype in _INTEGERS and len(tensor.scales) != 1:
            raise ModelError(
                f"{name}: the {tensor.dtype} tensor '{tensor.name}' has no scale and zero point."
            )
    return source, result


def fitting_names(names: tuple[str, ...] | None, *, class_count: int, name: str) -> tuple[str, ...]:
    """Return the class names, numbers where none are known.

    Raises:
        ModelError: there are more or fewer than the model has classes.
    """
    if names is None:
        return tuple(str(index) for index in range(class_count))
    if len(names) != class_count:
        raise ModelError(
            f"{name}: the model has {class_count} classes, but {len(names)} class names were "
            "given; give one name for each class, in the order of training."
        )
    return tuple(names)
