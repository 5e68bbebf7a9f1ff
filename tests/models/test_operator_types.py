"""What `inspect` says of operators and types is what the runtimes do."""

import sys
from pathlib import Path

import pytest
from script_modules import script_module

from edge_runtime.models.inspection import RUNTIMES, inspect_model, runtime_support

pytest.importorskip("ai_edge_litert.schema_py_generated")


@pytest.mark.parametrize("option", RUNTIMES)
def test_the_table_of_a_runtime_is_what_it_refuses(
    option: str, request: pytest.FixtureRequest
) -> None:
    """Every operator with every type, run for real."""
    python = Path(sys.executable)
    if option != "litert":
        python = request.getfixturevalue("tflite_runtime_python")
    name, found = script_module("measure-op-types").measure(str(python))
    assert name == RUNTIMES[option].name
    assert len(found) == 90
    refused = {
        operator: tuple(dtype for dtype, words in types.items() if words)
        for operator, types in found.items()
    }
    assert {key: value for key, value in refused.items() if value} == RUNTIMES[option].refused


@pytest.mark.parametrize(
    ("operator", "dtype", "supported"),
    [
        ("TILE", "int16", (True, False)),
        ("TILE", "int8", (True, True)),
        ("ELU", "int16", (False, False)),
        ("ELU", "float32", (True, True)),
        ("LOG", "int8", (True, False)),
        ("PRELU", "int16", (True, False)),
        ("HARD_SWISH", "int16", (False, False)),
    ],
)
def test_an_operator_that_refuses_a_type_is_a_problem(
    operator: str, dtype: str, supported: tuple[bool, bool]
) -> None:
    summary = inspect_model(script_module("measure-op-types").one_operator_model(operator, dtype))
    assert summary.operators[0].dtypes == (dtype,)
    found = runtime_support(summary)
    assert tuple(one.supported for one in found) == supported
    for one in found:
        expected = () if one.supported else (f"{operator} of {dtype}: not there",)
        assert one.problems == expected


def test_a_constant_that_is_dequantized_is_not_taken_for_a_float(tiny_model) -> None:
    summary = inspect_model(tiny_model("float16").read_bytes())
    assert all(one.supported for one in runtime_support(summary))
