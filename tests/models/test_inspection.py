import functools
import hashlib
import json
import random
import struct
import subprocess
import sys
import time
from collections import Counter

import numpy as np
import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.errors import ModelError
from edge_runtime.models import inspection
from edge_runtime.models.inspection import (
    BUILTIN_OPERATORS,
    TFLITE_RUNTIME_2_14,
    OperatorUse,
    RuntimeSupport,
    TensorInfo,
    inspect_model,
    runtime_support,
)
from edge_runtime.models.inspection.flatbuffer import FlatBuffer
from edge_runtime.models.inspection.operators import AI_EDGE_LITERT_2_3

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


def interpreter_for(data):
    """An interpreter of the installed runtime, without delegates that replace operators."""
    try:
        from ai_edge_litert import interpreter as runtime
    except ImportError:
        runtime = pytest.importorskip("tflite_runtime.interpreter")
    plain = runtime.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    return runtime.Interpreter(model_content=data, experimental_op_resolver_type=plain)


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
        assert inspection.__all__ == [
            "BUILTIN_OPERATORS",
            "RUNTIMES",
            "TFLITE_RUNTIME_2_14",
            "ModelSummary",
            "OperatorUse",
            "Runtime",
            "RuntimeSupport",
            "TensorInfo",
            "inspect_model",
            "runtime_support",
        ]

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


def rename_operator(model, old, new):
    for code in model.operatorCodes:
        if code.builtinCode == BUILTIN_OPERATORS.index(old):
            code.builtinCode = code.deprecatedBuiltinCode = BUILTIN_OPERATORS.index(new)


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


class TestOtherFiles:
    def test_an_empty_file_is_called_empty(self):
        with pytest.raises(ModelError, match="the model file is empty"):
            inspect_model(b"")

    def test_a_short_file_is_called_truncated(self):
        with pytest.raises(ModelError, match="truncated to 5 bytes"):
            inspect_model(read("int8")[:5])

    @pytest.mark.parametrize("start", [b"PK\x03\x04", b"\x89HDF\r\n\x1a\n", b"{}", b"\x00"])
    def test_a_file_of_another_kind_is_named_as_such(self, start):
        with pytest.raises(
            ModelError, match=r"^not a \.tflite file: it does not start with the TFL3"
        ):
            inspect_model(start + bytes(100))

    def test_the_error_is_also_a_value_error(self):
        with pytest.raises(ValueError, match="empty"):
            inspect_model(b"")


def set_tensor(field, value, index=0):
    return lambda model: setattr(model.subgraphs[0].tensors[index], field, value)


def set_scale(value):
    return lambda model: setattr(model.subgraphs[0].tensors[0].quantization, "scale", value)


def set_zero_point(value):
    return lambda model: setattr(model.subgraphs[0].tensors[0].quantization, "zeroPoint", value)


def set_operator(field, value):
    return lambda model: setattr(model.subgraphs[0].operators[0], field, value)


def shorten_weights(model):
    weights = max(model.buffers, key=lambda buffer: 0 if buffer.data is None else len(buffer.data))
    weights.data = weights.data[:-1]


def scale_of_weights(model):
    (weights,) = (t for t in model.subgraphs[0].tensors if list(t.shape) == [8, 3, 3, 1])
    return weights.quantization


DAMAGE = {
    "schema version": (lambda m: setattr(m, "version", 4), "schema version is 4, expected 3"),
    "no subgraph": (lambda m: setattr(m, "subgraphs", []), "no subgraph"),
    "buffer index": (set_tensor("buffer", 99), "tensor 0 of subgraph 0 names buffer 99"),
    "tensor type": (set_tensor("type", 99), "has type 99, expected 0 to 22"),
    "negative shape": (set_tensor("shape", [1, -8, 8, 1]), "negative size -8"),
    "too many dimensions": (set_tensor("shape", [1] * 33), "33 dimensions, expected up to 32"),
    "short data": (shorten_weights, "should hold 1280 bytes, and holds 1279"),
    "data elsewhere": (set_tensor("externalBuffer", 1), "keeps its data in another file"),
    "graph input": (lambda m: setattr(m.subgraphs[0], "inputs", [10]), "tensor 10 is among"),
    "optional graph input": (lambda m: setattr(m.subgraphs[0], "inputs", [-1]), "tensor -1 is"),
    "graph output": (lambda m: setattr(m.subgraphs[0], "outputs", [-2]), "tensor -2 is among"),
    "operator code": (set_operator("opcodeIndex", 5), "names operator code 5, and there are 5"),
    "operator input": (set_operator("inputs", [0, 77]), "tensor 77 is among the inputs of op"),
    "operator output": (set_operator("outputs", [-1]), "tensor -1 is among the outputs of op"),
    "operator that reads its own output": (
        lambda m: setattr(m.subgraphs[0].operators[-1], "inputs", [9]),
        "operator 4 of subgraph 0 reads tensor 9, which nothing computes before it",
    ),
    "operators in the wrong order": (
        lambda m: m.subgraphs[0].operators.reverse(),
        "operator 0 of subgraph 0 reads tensor 8, which nothing computes before it",
    ),
    "operator that writes over weights": (
        lambda m: setattr(m.subgraphs[0].operators[-1], "outputs", [2]),
        "operator 4 of subgraph 0 writes over tensor 2",
    ),
    "output that nothing computes": (
        lambda m: m.subgraphs[0].operators.pop(),
        "nothing computes tensor 9, an output of subgraph 0",
    ),
    "zero scale": (set_scale([0.0]), "has the scale 0.0, expected a positive number"),
    "negative scale": (set_scale([-1.0]), "has the scale -1.0"),
    "infinite scale": (set_scale([float("inf")]), "has the scale inf"),
    "scale that is no number": (set_scale([float("nan")]), "has the scale nan"),
    "zero point too many": (set_zero_point([0, 0]), "1 scales and 2 zero points"),
    "zero point too large": (set_zero_point([128]), "which int8 cannot hold"),
    "channel count": (
        lambda m: setattr(scale_of_weights(m), "scale", [1.0] * 7),
        "7 scales, expected 1 or 8",
    ),
    "quantized dimension": (
        lambda m: setattr(scale_of_weights(m), "quantizedDimension", 4),
        "quantized along dimension 4 of 4",
    ),
    "metadata": (lambda m: setattr(m.metadata[0], "buffer", 99), "names buffer 99 of"),
    "signature": (
        lambda m: setattr(m.signatureDefs[0].inputs[0], "tensorIndex", 99),
        "tensor 99 is among signature 'serving_default'",
    ),
    "custom operator": (
        functools.partial(rename_operator, old="SOFTMAX", new="CUSTOM"),
        "a custom operator has no name",
    ),
}


class TestDamage:
    @pytest.mark.parametrize("kind", DAMAGE)
    def test_is_refused_with_what_is_wrong(self, kind):
        change, message = DAMAGE[kind]
        with pytest.raises(ModelError, match=f"^the model file is damaged: .*{message}"):
            inspect_model(changed("int8", change))

    def test_an_input_left_out_is_no_damage(self):
        def leave_out_bias(model):
            model.subgraphs[0].operators[0].inputs = [0, 4, -1]

        assert inspect_model(changed("int8", leave_out_bias)).scheme == "int8"

    def test_weights_that_are_all_zero_may_have_scale_zero(self):
        def silence(model):
            quantization = scale_of_weights(model)
            quantization.scale = [0.0, *quantization.scale[1:]]

        assert inspect_model(changed("int16x8", silence)).scheme == "int16x8"

    def test_packed_int4_weights_are_measured_in_half_bytes(self):
        def pack_weights(model):
            (weights,) = (t for t in model.subgraphs[0].tensors if list(t.shape) == [8, 3, 3, 1])
            weights.type = 17
            model.buffers[weights.buffer].data = [0] * 36

        summary = inspect_model(changed("dynamic", pack_weights))
        assert [t.size_bytes for t in summary.tensors if t.dtype == "int4"] == [36]

    def test_one_zero_point_may_stand_for_all_channels(self):
        def shorten(model):
            scale_of_weights(model).zeroPoint = [0]

        (weights,) = (
            tensor
            for tensor in inspect_model(changed("int8", shorten)).tensors
            if tensor.shape == (8, 3, 3, 1)
        )
        assert weights.zero_points == (0,) * 8

    def test_data_behind_the_flatbuffer_are_found_and_checked(self):
        data = move_data_behind(read("int8"))
        summary = inspect_model(data)
        assert [t.size_bytes for t in summary.tensors] == [
            t.size_bytes for t in inspect_model(read("int8")).tensors
        ]
        assert summary.metadata["min_runtime_version"] == "1.14.0"
        with pytest.raises(ModelError, match="refers to bytes"):
            inspect_model(data[:-1])

    def test_every_truncation_is_refused(self):
        data = read("int8")
        for length in range(len(data)):
            with pytest.raises(ModelError):
                inspect_model(data[:length])

    @pytest.mark.parametrize("name", ["int8", "float16"])
    def test_mutations_are_read_or_refused_quickly_and_nothing_else(self, name):
        data, chance = read(name), random.Random(0)
        refused = 0
        for _ in range(5_000):
            mutant = mutate(data, chance)
            start = time.process_time()
            try:
                inspect_model(mutant)
            except ModelError:
                refused += 1
            # A mutant takes about a millisecond; a thousand times that would be a runaway.
            assert time.process_time() - start < 1
        # Most bytes are weights and names, which no structure can vouch for.
        assert 500 < refused < 4_500

    def test_tables_that_repeat_one_another_are_refused_before_they_are_read(self):
        with pytest.raises(ModelError, match="far more often than in a real model"):
            inspect_model(subgraphs_that_share_tensors(count=20_000))


def move_data_behind(data):
    """Put the buffers' data after the FlatBuffer, as in files above 2 GB."""
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    model = schema.ModelT.InitFromPackedBuf(data)
    contents = {i: bytes(b.data) for i, b in enumerate(model.buffers) if b.data is not None}
    start = 2
    # The first pass has the same layout as the second, and tells how long the FlatBuffer is.
    for _ in range(2):
        tail = b""
        for index, content in contents.items():
            buffer = model.buffers[index]
            buffer.data, buffer.offset, buffer.size = None, start + len(tail), len(content)
            tail += content
        start = len(pack(model))
    return pack(model) + tail


EXTREMES = [0, 1, -1, 2**31 - 1, -(2**31), 0xFFFF, 0x7FFFFFF0, 4, 8, 256]


def mutate(data, chance):
    mutant = bytearray(data)
    if chance.random() < 0.5:
        mutant[chance.randrange(len(mutant))] = chance.randrange(256)
    else:
        place = chance.randrange(len(mutant) // 4) * 4
        struct.pack_into("<i", mutant, place, chance.choice(EXTREMES))
    return bytes(mutant)


def subgraphs_that_share_tensors(count):
    """A list of ``count`` subgraphs that are one and the same, with ``count`` tensors likewise.

    Its size grows with ``count``, and what it asks to be read with the square of that.
    """
    root = struct.pack("<6H", 10, 12, 4, 0, 8, 0) + struct.pack("<iII", 12, 3, 4)
    subgraph = struct.pack("<4H", 6, 8, 4, 0) + struct.pack("<iI", 8, 4)
    tensor = struct.pack("<2H", 4, 4) + struct.pack("<i", 4)
    start_of_subgraph = 8 + len(root) + 4 + 4 * count
    start_of_tensor = start_of_subgraph + len(subgraph) + 4 + 4 * count
    parts = struct.pack("<I4s", 20, b"TFL3") + root
    for target in (start_of_subgraph + 8, start_of_tensor + 4):
        first = len(parts) + 4
        offsets = [target - first - 4 * i for i in range(count)]
        parts += struct.pack(f"<I{count}I", count, *offsets)
        parts += subgraph if target == start_of_subgraph + 8 else tensor
    return parts


class TestFlatBuffer:
    @given(st.binary(max_size=200))
    def test_any_bytes_are_read_or_refused(self, data):
        try:
            table = FlatBuffer(data).root()
            for slot in range(4):
                table.integer(slot, "q")
                table.text(slot)
                table.texts(slot)
                table.floats(slot)
                table.tables(slot)
        except ModelError:
            pass

    @given(
        number=st.integers(-(2**31), 2**31 - 1),
        numbers=st.lists(st.integers(-(2**63), 2**63 - 1), max_size=20),
        text=st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
        texts=st.lists(st.text("aé語", max_size=9), max_size=5),
    )
    def test_what_was_written_is_read(self, number, numbers, text, texts):
        flatbuffers = pytest.importorskip("flatbuffers")
        builder = flatbuffers.Builder(0)
        places = [builder.CreateString(each) for each in texts]
        builder.StartVector(4, len(places), 4)
        for place in reversed(places):
            builder.PrependUOffsetTRelative(place)
        texts_place = builder.EndVector()
        numbers_place = builder.CreateNumpyVector(np.array(numbers, np.int64))
        text_place = builder.CreateString(text)
        builder.StartObject(5)
        builder.PrependInt32Slot(0, number, 7)
        builder.PrependUOffsetTRelativeSlot(1, numbers_place, 0)
        builder.PrependUOffsetTRelativeSlot(2, text_place, 0)
        builder.PrependUOffsetTRelativeSlot(3, texts_place, 0)
        builder.Finish(builder.EndObject())

        table = FlatBuffer(bytes(builder.Output())).root()
        assert table.integer(0, "i", default=7) == number
        assert table.integers(1, "q") == tuple(numbers)
        assert table.text(2) == text
        assert table.texts(3) == tuple(texts)
        assert table.has(3)
        assert not table.has(4)
        assert table.table(4) is None

    def test_a_length_past_the_end_is_refused_before_anything_is_allocated(self):
        vtable = struct.pack("<4H", 6, 8, 4, 0)
        data = struct.pack("<II", 16, 0) + vtable + struct.pack("<iII", 8, 4, 2**32 - 1)
        table = FlatBuffer(data).root()
        with pytest.raises(ModelError, match="refers to bytes 28 to 34359738388"):
            table.integers(0, "q")

    def test_a_field_outside_its_table_is_refused(self):
        vtable = struct.pack("<4H", 6, 8, 40, 0)
        table = FlatBuffer(struct.pack("<II", 16, 0) + vtable + struct.pack("<iI", 8, 4)).root()
        with pytest.raises(ModelError, match="field 0 of the table at byte 16 lies outside it"):
            table.integer(0, "i")
