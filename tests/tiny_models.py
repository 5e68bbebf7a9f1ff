"""The tiny models of the fixtures: what they are, and how to change what their FlatBuffer says."""

import pytest
from conftest import ROOT

from edge_runtime.models.inspection import BUILTIN_OPERATORS

DATA = ROOT / "tests" / "fixtures"

# scheme, types at run time, operators with versions in the order of the file, min_runtime_version
QUANTIZED = {"CONV_2D": 3, "MAX_POOL_2D": 2, "RESHAPE": 1, "FULLY_CONNECTED": 4, "SOFTMAX": 2}
FLOAT = {"CONV_2D": 1, "MAX_POOL_2D": 1, "RESHAPE": 1, "FULLY_CONNECTED": 1, "SOFTMAX": 1}
EXPECTED = {
    "float32": ("float32", ("float32",), FLOAT, "1.5.0"),
    "float16": ("float16", ("float32",), {"DEQUANTIZE": 3, **FLOAT}, "1.15.0"),
    "dynamic": ("dynamic", ("float32",), {**FLOAT, "FULLY_CONNECTED": 12}, "2.17.0"),
    "int8": ("int8", ("int8",), QUANTIZED, "1.14.0"),
    "int8-uint8-border": ("int8", ("int8", "uint8"), {"QUANTIZE": 1, **QUANTIZED}, "1.14.0"),
    "int8-float32-border": (
        "int8",
        ("float32", "int8"),
        {"QUANTIZE": 1, **QUANTIZED, "DEQUANTIZE": 2},
        "1.14.0",
    ),
    "int16x8": ("int16x8", ("int16",), QUANTIZED, "1.5.0"),
    "int16x8-float32-border": (
        "int16x8",
        ("float32", "int16"),
        {**QUANTIZED, "QUANTIZE": 1, "DEQUANTIZE": 2},
        "1.5.0",
    ),
}
NAMES = list(EXPECTED)


def read(name):
    return (DATA / f"tiny-{name}.tflite").read_bytes()


def changed(name, change):
    """The bytes of a test model after ``change`` was applied to its objects."""
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    model = schema.ModelT.InitFromPackedBuf(read(name))
    change(model)
    return pack(model)


def pack(model):
    flatbuffers = pytest.importorskip("flatbuffers")
    builder = flatbuffers.Builder(8192)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def rename_operator(model, old, new):
    for code in model.operatorCodes:
        if code.builtinCode == BUILTIN_OPERATORS.index(old):
            code.builtinCode = code.deprecatedBuiltinCode = BUILTIN_OPERATORS.index(new)
