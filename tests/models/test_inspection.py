import functools
import hashlib
import inspect
import json
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from tiny_models import EXPECTED, NAMES, changed, read, rename_operator

from edge_runtime.models import inspection
from edge_runtime.models.inspection import (
    BUILTIN_OPERATORS,
    RUNTIMES,
    OperatorUse,
    RuntimeSupport,
    TensorInfo,
    inspect_model,
    runtime_support,
)

TFLITE_RUNTIME_2_14 = RUNTIMES["tflite-runtime-2.14"].versions
AI_EDGE_LITERT_2_3 = RUNTIMES["litert"].versions


def interpreter_for(data):
    """An interpreter of the installed runtime, without delegates that replace operators."""
    try:
        from ai_edge_litert import interpreter as runtime
    except ImportError:
        runtime = pytest.importorskip("tflite_runtime.interpreter")
    plain = runtime.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    return runtime.Interpreter(model_content=data, experimental_op_resolver_type=plain)


class TestWhatAModelIs:
    @pytest.mark.parametrize("name", NAMES)
    def test_scheme_types_operators_and_metadata_are_told(self, name):
        summary = inspect_model(read(name))
        scheme, dtypes, versions, min_runtime_version = EXPECTED[name]
        assert summary.scheme == scheme
        assert summary.activation_dtypes == dtypes
        assert {use.name: use.version for use in summary.operators} == versions
        assert summary.metadata["min_runtime_version"] == min_runtime_version
        assert summary.schema_version == 3
        assert summary.description == "MLIR Converted."
        assert summary.ends_in_softmax

    def test_only_models_without_any_float_tensor_are_full_integer(self):
        full = {name for name in NAMES if inspect_model(read(name)).is_full_integer}
        assert full == {"int8", "int8-uint8-border", "int16x8"}

    def test_float_tensors_of_an_int8_model_with_float_border_are_its_input_and_output(self):
        summary = inspect_model(read("int8-float32-border"))
        assert summary.float_tensors == summary.inputs + summary.outputs

    def test_input_and_output_of_the_int8_model_are_exact(self):
        summary = inspect_model(read("int8"))
        assert summary.inputs == (
            TensorInfo(
                index=0,
                name="serving_default_keras_tensor:0",
                shape=(1, 8, 8, 1),
                dtype="int8",
                scales=(1.0,),
                zero_points=(-128,),
                quantized_dimension=0,
                is_constant=False,
                size_bytes=64,
            ),
        )
        (output,) = summary.outputs
        assert (output.shape, output.dtype) == ((1, 10), "int8")
        assert (output.scales, output.zero_points) == ((1 / 256,), (-128,))

    def test_weights_are_quantized_per_channel(self):
        (weights,) = (t for t in inspect_model(read("int8")).tensors if t.shape == (8, 3, 3, 1))
        assert weights.is_constant
        assert weights.size_bytes == 72
        assert len(weights.scales) == 8
        assert weights.zero_points == (0,) * 8

    def test_size_and_hash_are_those_of_the_file(self):
        data = read("int8")
        summary = inspect_model(data)
        assert summary.size_bytes == len(data) == 4032
        assert summary.sha256 == hashlib.sha256(data).hexdigest()

    def test_uses_are_counted(self):
        assert inspect_model(read("float16")).operators[0] == OperatorUse(
            "DEQUANTIZE", 3, 3, dtypes=("float16",)
        )
        assert inspect_model(read("int8-uint8-border")).operators[0] == OperatorUse(
            "QUANTIZE", 1, 2, dtypes=("int8", "uint8")
        )

    def test_summary_survives_json(self):
        summary = inspect_model(read("int8"))
        document = json.loads(json.dumps(summary.to_dict(), allow_nan=False))
        assert document["scheme"] == "int8"
        assert document["is_full_integer"] is True
        assert document["inputs"][0]["zero_points"] == [-128]

    def test_public_names_are_these(self):
        names = {name for name in vars(inspection) if not name.startswith("_")}
        modules = {name for name in names if inspect.ismodule(getattr(inspection, name))}
        assert names - modules == {
            "BUILTIN_OPERATORS",
            "RUNTIMES",
            "ModelSummary",
            "OperatorUse",
            "Runtime",
            "RuntimeSupport",
            "TensorInfo",
            "inspect_model",
            "runtime_support",
        }

    def test_neither_tensorflow_nor_a_runtime_is_imported(self):
        code = (
            "import sys, edge_runtime.models.inspection;"
            "print({'tensorflow', 'ai_edge_litert', 'tflite_runtime'} & set(sys.modules))"
        )
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert result.stdout == "set()\n", result.stderr


# tflite-runtime refuses the dynamic model, as runtime_support says.
@pytest.mark.parametrize("name", [name for name in NAMES if name != "dynamic"])
class TestAgreesWithTheInterpreter:
    def test_tensors(self, name):
        tensors = {tensor.index: tensor for tensor in inspect_model(read(name)).tensors}
        details = interpreter_for(read(name)).get_tensor_details()
        assert len(details) == len(tensors)
        for detail in details:
            tensor = tensors[detail["index"]]
            assert tensor.name == detail["name"]
            assert tensor.shape == tuple(detail["shape"])
            assert np.dtype(tensor.dtype) == detail["dtype"]
            quantization = detail["quantization_parameters"]
            assert tensor.scales == tuple(quantization["scales"].astype(float))
            assert tensor.zero_points == tuple(quantization["zero_points"])
            assert tensor.quantized_dimension == quantization["quantized_dimension"]

    def test_inputs_and_outputs(self, name):
        summary, interpreter = inspect_model(read(name)), interpreter_for(read(name))
        for tensors, details in (
            (summary.inputs, interpreter.get_input_details()),
            (summary.outputs, interpreter.get_output_details()),
        ):
            assert [tensor.index for tensor in tensors] == [each["index"] for each in details]

    def test_operators(self, name):
        details = interpreter_for(read(name))._get_ops_details()
        uses = {use.name: use.count for use in inspect_model(read(name)).operators}
        assert uses == Counter(detail["op_name"] for detail in details)


class TestScheme:
    def test_int8_between_float_layers_is_mixed(self):
        def make_pooling_float(model):
            tensors = model.subgraphs[0].tensors
            (pooled,) = (tensor for tensor in tensors if list(tensor.shape) == [1, 4, 4, 8])
            pooled.type, pooled.quantization = 0, None

        assert inspect_model(changed("int8", make_pooling_float)).scheme == "mixed"

    def test_a_tensor_that_takes_no_part_does_not_count(self):
        def add_unused(model):
            schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
            unused = schema.TensorT()
            unused.shape = [2]
            model.subgraphs[0].tensors.append(unused)

        summary = inspect_model(changed("int8", add_unused))
        assert summary.scheme == "int8"
        assert [tensor.dtype for tensor in summary.float_tensors] == ["float32"]

    def test_logistic_is_not_softmax(self):
        data = changed("int8", functools.partial(rename_operator, old="SOFTMAX", new="LOGISTIC"))
        assert not inspect_model(data).ends_in_softmax

    def test_a_model_whose_first_output_is_its_input_does_not_end_in_softmax(self):
        data = changed("int8", lambda model: setattr(model.subgraphs[0], "outputs", [0]))
        assert not inspect_model(data).ends_in_softmax


class TestRuntimeSupport:
    @pytest.mark.parametrize("name", NAMES)
    def test_only_the_dynamic_model_is_beyond_tflite_runtime(self, name):
        problem = "FULLY_CONNECTED version 12: at most 10 there"
        problems = (problem,) if name == "dynamic" else ()
        assert runtime_support(inspect_model(read(name))) == (
            RuntimeSupport("ai-edge-litert", True, ()),
            RuntimeSupport("tflite-runtime 2.14.0", not problems, problems),
        )

    @pytest.mark.parametrize("name", NAMES)
    def test_the_installed_runtime_loads_what_it_is_said_to(self, name):
        litert, old = runtime_support(inspect_model(read(name)))
        try:
            interpreter_for(read(name)).allocate_tensors()
            loaded = True
        except ValueError:
            loaded = False
        is_litert = "ai_edge_litert.interpreter" in sys.modules
        assert loaded == (litert.supported if is_litert else old.supported)

    def test_custom_operators_are_a_problem_everywhere(self):
        def make_custom(model):
            rename_operator(model, "SOFTMAX", "CUSTOM")
            model.operatorCodes[-1].customCode = "FlexSoftmax"

        summary = inspect_model(changed("int8", make_custom))
        assert summary.operators[-1] == OperatorUse(
            "FlexSoftmax", 2, 1, custom=True, dtypes=("int8",)
        )
        for support in runtime_support(summary):
            assert support.problems == ("custom operator FlexSoftmax: not there",)

    def test_an_operator_newer_than_the_tables_is_a_problem_not_damage(self):
        def make_new(model):
            model.operatorCodes[-1].builtinCode = 999

        summary = inspect_model(changed("int8", make_new))
        assert summary.operators[-1].name == "BUILTIN_999"
        assert all(s.problems == ("BUILTIN_999: not there",) for s in runtime_support(summary))

    def test_an_operator_that_is_named_and_never_used_still_counts(self):
        def add_unused(model):
            schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
            code = schema.OperatorCodeT()
            code.version, code.builtinCode = 1, BUILTIN_OPERATORS.index("STABLEHLO_SORT")
            model.operatorCodes.append(code)

        data = changed("int8", add_unused)
        summary = inspect_model(data)
        assert summary.operators[-1] == OperatorUse("STABLEHLO_SORT", 1, 0)
        assert not any(support.supported for support in runtime_support(summary))
        with pytest.raises(ValueError, match="STABLEHLO_SORT"):
            interpreter_for(data)

    def test_bfloat16_tensors_are_beyond_tflite_runtime(self):
        def make_bfloat16(model):
            tensor = model.subgraphs[0].tensors[-1]
            tensor.type, tensor.quantization = 18, None

        litert, old = runtime_support(inspect_model(changed("int8", make_bfloat16)))
        assert litert.supported
        assert old.problems == ("bfloat16 tensors: not there",)

    def test_operator_names_are_those_of_the_schema(self):
        schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
        names = {k: v for k, v in vars(schema.BuiltinOperator).items() if not k.startswith("_")}
        ours = {name: code for code, name in enumerate(BUILTIN_OPERATORS)}
        # A newer runtime may know more.
        assert ours.items() <= names.items()

    def test_measured_versions(self):
        assert len(TFLITE_RUNTIME_2_14) == 157
        assert TFLITE_RUNTIME_2_14["FULLY_CONNECTED"] == 10
        assert TFLITE_RUNTIME_2_14["CONV_2D"] == 7
        assert TFLITE_RUNTIME_2_14["SOFTMAX"] == 3
        assert set(AI_EDGE_LITERT_2_3) <= set(BUILTIN_OPERATORS)

    def test_nothing_was_taken_out_of_the_newer_runtime(self):
        assert all(
            AI_EDGE_LITERT_2_3[name] >= version for name, version in TFLITE_RUNTIME_2_14.items()
        )
