import json
import shutil
import threading

import numpy as np
import pytest
from bundles import CLASSES, SCHEMES
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from edge_runtime.data.images import Preprocessing
from edge_runtime.errors import InputError, ModelError, PictureError
from edge_runtime.files.reading import sha256
from edge_runtime.inference.classifier import Classification, Classifier
from edge_runtime.inference.quantization import dequantize, quantization_table, softmax
from edge_runtime.models.inspection import TensorInfo
from edge_runtime.models.manifest import Manifest
from edge_runtime.models.model_file import ModelFile, manifest_path
from edge_runtime.runtimes.backends import choose_backend

IMAGES = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 1)).astype(np.uint8)


def plain_answers(path, images):
    """What the runtime's own interpreter says, quantized by hand from its own details."""
    runtime = pytest.importorskip("ai_edge_litert.interpreter")
    interpreter = runtime.Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()
    source, result = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    answers = []
    for image in images:
        real = image[np.newaxis].astype(np.float64)
        if source["dtype"] != np.float32:
            scale, zero_point = source["quantization"]
            limits = np.iinfo(source["dtype"])
            real = np.clip(np.round(real / scale) + zero_point, limits.min, limits.max)
        interpreter.set_tensor(source["index"], real.astype(source["dtype"]))
        interpreter.invoke()
        values = interpreter.get_tensor(result["index"])[0].astype(np.float64)
        if result["dtype"] != np.float32:
            scale, zero_point = result["quantization"]
            values = (values - zero_point) * scale
        answers.append(values.astype(np.float32))
    return np.array(answers)


def manifest(data, **changes):
    values = {
        "model_sha256": sha256(data),
        "class_names": CLASSES,
        "preprocessing": Preprocessing(8, 8, 1, "dark"),
        "output": "probabilities",
    }
    return Manifest(**{**values, **changes})


def tensor(dtype, *, scale=1.0, zero_point=0):
    return TensorInfo(0, "input", (1, 8, 8, 1), dtype, (scale,), (zero_point,), 0, False, 64)


# Answers.


@pytest.mark.parametrize("name", SCHEMES)
def test_the_answers_are_those_of_the_plain_interpreter_bit_for_bit(tiny_model, name):
    expected = plain_answers(tiny_model(name), IMAGES)
    with Classifier(tiny_model(name)) as classifier:
        assert np.array_equal(classifier.predict(IMAGES), expected)
        one_by_one = [classifier.classify(image).probabilities for image in IMAGES]
        assert np.array_equal(one_by_one, expected)


@pytest.mark.parametrize("name", SCHEMES)
def test_every_scheme_answers_like_float32(tiny_model, name):
    # The weights are random and the answers flat, so 8 bits may move a probability by 5/256.
    with Classifier(tiny_model(name)) as classifier, Classifier(tiny_model("float32")) as full:
        difference = np.abs(classifier.predict(IMAGES) - full.predict(IMAGES)).max()
    assert difference <= (1e-6 if name == "float32" else 5 / 256)


def test_int8_and_uint8_borders_take_the_same_pixels_and_answer_the_same(tiny_model):
    answers = [Classifier(tiny_model(name)).predict(IMAGES) for name in SCHEMES[3:6]]
    assert np.array_equal(answers[0], answers[1])
    assert np.array_equal(answers[0], answers[2])


def test_a_classification_names_the_largest_probability(tiny_model):
    with Classifier(tiny_model("int8"), class_names=CLASSES) as classifier:
        (classification,) = classifier.classify_batch(IMAGES[:1])
        probabilities = classifier.predict(IMAGES[:1])[0]
    assert np.array_equal(classification.probabilities, probabilities)
    assert classification.index == np.argmax(probabilities)
    assert classification.label == CLASSES[classification.index]
    assert classification.confidence == probabilities.max()
    assert isinstance(classification.index, int)
    assert isinstance(classification.confidence, float)


def test_a_classification_reads_as_its_label_and_percentage():
    assert str(Classification(1, "Ankle boot", 0.9876, np.array([]))) == "Ankle boot (98.8%)"


def test_of_equal_probabilities_the_first_is_the_answer(changed_model):
    def zero_the_dense_layer(model):
        weights = model.buffers[model.subgraphs[0].tensors[1].buffer]
        weights.data = bytes(len(weights.data))

    data = changed_model("float32", zero_the_dense_layer)
    classification = Classifier(ModelFile("zeros", data)).classify(IMAGES[0])
    assert (classification.index, classification.label) == (0, "0")
    # exp(0) / 10, within a rounding of float32.
    assert classification.probabilities == pytest.approx([0.1] * 10, rel=1e-6)


def cut_softmax(model):
    """Make the logits the output, and leave the softmax in the file."""
    graph = model.subgraphs[0]
    logits = int(graph.operators[-1].inputs[0])
    graph.outputs = [logits]
    model.signatureDefs[0].outputs[0].tensorIndex = logits


@pytest.mark.parametrize("recorded", [True, False])
def test_a_model_of_logits_gets_a_softmax(changed_model, tiny_model, recorded):
    data = changed_model("float32", cut_softmax)
    file = ModelFile("logits", data, manifest(data, output="logits") if recorded else None)
    with Classifier(file) as logits, Classifier(tiny_model("float32")) as full:
        assert logits.output == "logits"
        assert full.output == "probabilities"
        # Two implementations of exp: a few roundings of float32.
        assert logits.predict(IMAGES) == pytest.approx(full.predict(IMAGES), abs=1e-6)


def test_a_batch_is_cut_into_the_models_own_and_the_last_part_filled_up(changed_model, tiny_model):
    def make_batch_of_eight(model):
        graph = model.subgraphs[0]
        for index in (0, 5, 6, 7, 8, 9):
            graph.tensors[index].shape = [8, *graph.tensors[index].shape[1:]]
        model.buffers[graph.tensors[3].buffer].data = np.array([8, 128], "<i4").tobytes()

    file = ModelFile("batch", changed_model("float32", make_batch_of_eight))
    expected = Classifier(tiny_model("float32")).predict(IMAGES)
    with Classifier(file) as classifier:
        assert classifier.batch_size == 8
        for count in (0, 1, 7, 8, 9, 20):
            # Larger matrices are multiplied in another order, so the last bits may differ.
            assert classifier.predict(IMAGES[:count]) == pytest.approx(expected[:count], abs=1e-6)


def test_an_empty_batch_gets_an_empty_answer(tiny_model):
    with Classifier(tiny_model("int8")) as classifier:
        assert classifier.classify_batch(IMAGES[:0]) == []
        assert classifier.predict(IMAGES[:0]).shape == (0, 10)


def test_a_grey_image_may_come_without_its_last_axis(tiny_model):
    with Classifier(tiny_model("int8")) as classifier:
        flat, deep = (classifier.classify(image) for image in (IMAGES[0, ..., 0], IMAGES[0]))
    assert np.array_equal(flat.probabilities, deep.probabilities)


def test_views_and_read_only_arrays_are_read_as_they_look(tiny_model):
    mirrored = IMAGES[:, ::-1, ::-1]
    frozen = mirrored.copy()
    frozen.flags.writeable = False
    with Classifier(tiny_model("int8")) as classifier:
        assert np.array_equal(classifier.predict(mirrored), classifier.predict(frozen))


def test_answers_do_not_change_when_the_next_image_is_classified(tiny_model):
    with Classifier(tiny_model("float32")) as classifier:
        first = classifier.classify(IMAGES[0])
        kept = first.probabilities.copy()
        classifier.classify(IMAGES[1])
        assert np.array_equal(first.probabilities, kept)


def test_a_picture_is_fitted_as_recorded_beside_the_model(tmp_path, tiny_model):
    model = shutil.copy(tiny_model("int8"), tmp_path / "int8.tflite")
    recorded = manifest(model.read_bytes()).to_dict()
    manifest_path(model).write_text(json.dumps(recorded))
    dark = np.zeros((8, 8), np.uint8)
    dark[2:6, 2:6] = 200
    Image.fromarray(255 - dark).save(tmp_path / "light.png")
    with Classifier(str(model)) as classifier:
        expected = classifier.classify(dark).probabilities
        for path in (tmp_path / "light.png", str(tmp_path / "light.png")):
            assert np.array_equal(classifier.classify(path).probabilities, expected)
        as_it_is = classifier.classify(tmp_path / "light.png", invert="no")
        assert np.array_equal(as_it_is.probabilities, classifier.classify(255 - dark).probabilities)
        with pytest.raises(PictureError, match="there is no such file"):
            classifier.classify(tmp_path / "none.png")


def test_two_threads_with_a_classifier_each_answer_like_one(tiny_model):
    expected = Classifier(tiny_model("int8")).predict(IMAGES)
    answers = {}

    def work(number):
        with Classifier(tiny_model("int8")) as classifier:
            answers[number] = [classifier.predict(IMAGES) for _ in range(20)]

    workers = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert all(np.array_equal(row, expected) for rows in answers.values() for row in rows)
    assert len(answers) == 2


def test_more_threads_of_the_interpreter_change_nothing(tiny_model):
    with Classifier(tiny_model("int8"), threads=2) as classifier:
        assert classifier.threads == 2
        assert np.array_equal(
            classifier.predict(IMAGES), Classifier(tiny_model("int8")).predict(IMAGES)
        )


# Input that is refused.


@pytest.mark.parametrize(
    ("images", "got"),
    [
        (IMAGES / 255.0, "float64; give the raw pixels, without scaling them"),
        (IMAGES.astype(np.float32), "float32; give the raw pixels"),
        (IMAGES.astype(np.int8), "int8; give the raw pixels"),
        (IMAGES.astype(np.int64), "int64; give the raw pixels"),
        (IMAGES > 127, "bool; give the raw pixels"),
        (IMAGES[0], r"\(8, 8, 1\); resize the images first"),
        (IMAGES[..., 0], r"\(20, 8, 8\); resize"),
        (IMAGES[:, :7], r"\(20, 7, 8, 1\); resize"),
        (np.repeat(IMAGES, 3, axis=3), r"\(20, 8, 8, 3\); resize"),
        (IMAGES[np.newaxis], r"\(1, 20, 8, 8, 1\); resize"),
        (IMAGES.tolist(), "list"),
        (None, "NoneType"),
        (b"bytes", "bytes"),
        (np.uint8(1), "uint8"),
    ],
)
def test_another_type_dtype_or_shape_is_refused(tiny_model, images, got):
    expected = r"Expected a NumPy array of uint8 pixels 0\.\.255 with shape \(N, 8, 8, 1\), got "
    with Classifier(tiny_model("int8")) as classifier:
        with pytest.raises(InputError, match=expected + got):
            classifier.predict(images)
        with pytest.raises(InputError, match=expected + got):
            classifier.classify_batch(images)


def test_one_after_the_other_refuses_what_a_batch_refuses(tiny_model):
    with Classifier(tiny_model("int8")) as classifier:
        for images in (None, [], np.zeros((0, 28, 28), np.float32)):
            with pytest.raises(InputError, match="Expected a NumPy array of uint8 pixels"):
                classifier.predict_each(images)


@pytest.mark.parametrize(
    "image", [IMAGES[0] / 255.0, IMAGES, IMAGES[0, :7], [[0]], None, b"png", Image.new("L", (8, 8))]
)
def test_classify_refuses_what_is_no_image_of_the_models(tiny_model, image):
    with (
        Classifier(tiny_model("int8")) as classifier,
        pytest.raises(InputError, match="Expected a NumPy array of uint8 pixels"),
    ):
        classifier.classify(image)


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2", None, True])
def test_an_impossible_number_of_threads_is_refused(tiny_model, threads):
    with pytest.raises(InputError, match="threads to be a whole number from 1 on, got"):
        Classifier(tiny_model("int8"), threads=threads)


def test_a_closed_classifier_says_so_and_may_be_closed_again(tiny_model):
    with Classifier(tiny_model("int8")) as classifier:
        pass
    classifier.close()
    with pytest.raises(ModelError, match="this classifier is closed; make a new one"):
        classifier.classify(IMAGES[0])


# Models that are refused.


def test_without_names_the_classes_are_numbered(tiny_model):
    assert Classifier(tiny_model("int8")).class_names == tuple("0123456789")


def test_given_names_go_before_recorded_ones_and_may_be_a_list(tiny_model):
    data = tiny_model("int8").read_bytes()
    file = ModelFile("int8", data, manifest(data))
    assert Classifier(file).class_names == CLASSES
    assert Classifier(file, class_names=list("klmnopqrst")).class_names == tuple("klmnopqrst")


@pytest.mark.parametrize("names", [(), ("a",), (*CLASSES, "k")])
def test_names_that_do_not_fit_are_refused_even_none_at_all(tiny_model, names):
    data = tiny_model("int8").read_bytes()
    sentence = f"the model has 10 classes, but {len(names)} class names were given"
    for file in (ModelFile("int8", data), ModelFile("int8", data, manifest(data))):
        with pytest.raises(ModelError, match=sentence):
            Classifier(file, class_names=names)
    with pytest.raises(ModelError, match=sentence):
        Classifier(ModelFile("int8", data, manifest(data, class_names=names)))


def test_a_manifest_for_another_size_is_refused(tiny_model):
    data = tiny_model("int8").read_bytes()
    file = ModelFile("int8", data, manifest(data, preprocessing=Preprocessing(28, 28, 1)))
    with pytest.raises(
        ModelError, match=r"for images of \(28, 28, 1\), the model's input is \(8, 8, 1\)"
    ):
        Classifier(file)


def set_shape(index, shape):
    return lambda model: setattr(model.subgraphs[0].tensors[index], "shape", shape)


def add_output(model):
    model.subgraphs[0].outputs = [9, 8]


def drop_quantization(model):
    model.subgraphs[0].tensors[int(model.subgraphs[0].inputs[0])].quantization = None


@pytest.mark.parametrize(
    ("name", "change", "sentence"),
    [
        ("float32", add_output, "one input and one output, got 1 and 2"),
        ("float32", set_shape(0, [1, 64]), r"input is not an image: .* got \(1, 64\)"),
        ("float32", set_shape(0, [1, 4, 8, 2]), r"input is not an image: .* got \(1, 4, 8, 2\)"),
        ("float32", set_shape(9, [1, 5, 2]), r"output of \(batch, classes\).* got \(1, 5, 2\)"),
        ("float32", set_shape(9, [10, 1]), r"output of \(batch, classes\).* got \(10, 1\)"),
        ("int8", drop_quantization, "has no scale and zero point"),
    ],
)
def test_a_model_that_is_no_image_classifier_is_refused(changed_model, name, change, sentence):
    with pytest.raises(ModelError, match=f"^wrong.tflite: .*{sentence}"):
        Classifier(ModelFile("wrong.tflite", changed_model(name, change)))


@pytest.mark.parametrize("kept", [0, 7, 100, 2000, 4031])
def test_a_truncated_model_is_refused_before_it_is_loaded(tmp_path, tiny_model, monkeypatch, kept):
    path = tmp_path / "cut.tflite"
    path.write_bytes(tiny_model("int8").read_bytes()[:kept])
    monkeypatch.delattr("edge_runtime.runtimes.backends.Backend.load")
    with pytest.raises(ModelError, match=f"^{path}: "):
        Classifier(path)


def test_a_text_file_is_no_model(tmp_path):
    path = tmp_path / "notes.tflite"
    path.write_text("These are my notes.\n" * 100)
    with pytest.raises(ModelError, match=r"notes.tflite: not a \.tflite file"):
        Classifier(path)


def test_a_backend_may_be_given_itself_or_by_name(tiny_model):
    for backend in ("litert", choose_backend("litert")):
        assert Classifier(tiny_model("int8"), backend=backend).backend.name == "litert"


# Quantization arithmetic.


@pytest.mark.parametrize(
    ("dtype", "zero_point", "expected"),
    [
        ("uint8", 0, np.arange(256)),
        ("int8", -128, np.arange(256) - 128),
        ("int16", 0, np.arange(256)),
    ],
)
def test_with_scale_one_the_pixels_go_in_unchanged(dtype, zero_point, expected):
    table = quantization_table(tensor(dtype, zero_point=zero_point))
    assert table.dtype == dtype
    assert np.array_equal(table, expected)


def test_the_int8_table_is_the_uint8_bytes_with_the_top_bit_flipped():
    table = quantization_table(tensor("int8", zero_point=-128))
    assert np.array_equal(table.view(np.uint8), np.arange(256) ^ 0x80)


def test_a_float_input_takes_the_pixels_as_they_are():
    table = quantization_table(tensor("float32"))
    assert table.dtype == np.float32
    assert np.array_equal(table, np.arange(256))


def test_values_outside_the_range_are_limited_and_do_not_wrap_around():
    table = quantization_table(tensor("int8", scale=0.5, zero_point=0))
    assert table[[0, 63, 64, 255]].tolist() == [0, 126, 127, 127]


def test_integers_are_widened_before_the_zero_point_is_taken_off():
    values = np.array([[-128, 127]], np.int8)
    real = dequantize(values, tensor("int8", scale=1 / 256, zero_point=-128))
    assert real.dtype == np.float32
    assert real.tolist() == [[0.0, 255 / 256]]


@given(
    dtype=st.sampled_from(["uint8", "int8", "int16"]),
    scale=st.floats(1.0, 8.0),
    offset=st.integers(0, 100),
)
@settings(deadline=None)
def test_dequantizing_a_quantized_pixel_is_within_half_a_step(dtype, scale, offset):
    lowest = np.iinfo(dtype).min if dtype != "int16" else 0
    # A zero point so low that, with a scale of 1 or more, every pixel has a place in the range.
    zero_point = min(lowest + offset, lowest + int(255 - 255 / scale))
    quantized = quantization_table(tensor(dtype, scale=scale, zero_point=zero_point))
    real = dequantize(quantized, tensor(dtype, scale=scale, zero_point=zero_point))
    # Half a step, and a rounding of float32 at 255.
    assert np.abs(real - np.arange(256)).max() <= scale / 2 + 255 * 2**-23


@given(st.lists(st.floats(-(2.0**100), 2.0**100, width=32), min_size=2, max_size=12))
def test_softmax_gives_probabilities_in_the_order_of_the_logits(logits):
    values = np.array([logits], np.float32)
    probabilities = softmax(values)
    assert probabilities.dtype == np.float32
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
    assert probabilities.sum() == pytest.approx(1, abs=1e-6)
    assert probabilities[0, np.argmax(values)] == probabilities.max()


def test_softmax_of_known_logits():
    # exp(0) : exp(ln 3) is 1 : 3.
    assert softmax(np.array([[0.0, np.log(3)]], np.float32))[0] == pytest.approx([0.25, 0.75])
    assert softmax(np.array([[1e4, -1e4]], np.float32)).tolist() == [[1.0, 0.0]]
