"""What a graph does with its input before anything else, and with its output last."""

from edge_runtime.models.quantized.file import QuantizedFile

_PASSES = ("QUANTIZE", "DEQUANTIZE", "RESHAPE", "TRANSPOSE", "REVERSE_V2", "CAST")


def scaling_in_front(file: QuantizedFile) -> tuple[float, float] | None:
    """Return factor and offset that the graph applies to its input before anything else.

    None where there is none, where each channel has its own, or where it is folded into weights.
    """
    reached, factor, offset = file.graph.inputs[0], 1.0, 0.0
    for operator in file.graph.operators:
        if reached not in operator.inputs:
            continue
        name = operator.code.name
        if name in ("MUL", "ADD", "SUB"):
            others = [index for index in operator.inputs if index != reached]
            number = file.constant(others[0]) if len(others) == 1 else None
            if number is None or (name == "SUB" and operator.inputs[0] != reached):
                return None
            if name == "MUL":
                factor, offset = factor * number, offset * number
            else:
                offset += number if name == "ADD" else -number
        elif name not in _PASSES:
            break
        reached = operator.outputs[0]
    return (factor, offset) if factor != 0 and (factor, offset) != (1, 0) else None


def softmaxes_at_end(file: QuantizedFile) -> int:
    """Return how many softmax operators follow each other at the end of the graph."""
    producers, index = file.graph.producers(), file.graph.outputs[0]
    names: list[str] = []
    while (maker := producers.get(index)) and maker.inputs and len(names) < len(producers):
        names.append(maker.code.name)
        if names[-1] not in ("SOFTMAX", "QUANTIZE", "DEQUANTIZE", "RESHAPE"):
            break
        index = maker.inputs[0]
    return names.count("SOFTMAX")
