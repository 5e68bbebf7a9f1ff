"""What must be true of a converted model before its file is put in place."""

from converter.schemes import Recipe
from edge_runtime.errors import ConversionError
from edge_runtime.models.inspection import ModelSummary, inspect_model


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
