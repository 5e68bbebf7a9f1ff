"""A damaged .tflite is refused with what is wrong, or read; nothing else happens."""

import functools
import random
import struct
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import changed, pack, read, rename_operator

from edge_runtime.errors import ModelError
from edge_runtime.models.inspection import inspect_model
from edge_runtime.models.inspection.flatbuffer import FlatBuffer


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
                table.floats(slot)
                table.tables(slot)
        except ModelError:
            pass

    @given(
        number=st.integers(-(2**31), 2**31 - 1),
        numbers=st.lists(st.integers(-(2**63), 2**63 - 1), max_size=20),
        text=st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    )
    def test_what_was_written_is_read(self, number, numbers, text):
        flatbuffers = pytest.importorskip("flatbuffers")
        builder = flatbuffers.Builder(0)
        numbers_place = builder.CreateNumpyVector(np.array(numbers, np.int64))
        text_place = builder.CreateString(text)
        builder.StartObject(4)
        builder.PrependInt32Slot(0, number, 7)
        builder.PrependUOffsetTRelativeSlot(1, numbers_place, 0)
        builder.PrependUOffsetTRelativeSlot(2, text_place, 0)
        builder.Finish(builder.EndObject())

        table = FlatBuffer(bytes(builder.Output())).root()
        assert table.integer(0, "i", default=7) == number
        assert table.integers(1, "q") == tuple(numbers)
        assert table.text(2) == text
        assert table.table(3) is None

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
