import io
import json
import warnings
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.data import predictions as predictions_module
from edge_runtime.data.predictions import Predictions, aligned
from edge_runtime.errors import PredictionsError
from edge_runtime.runtimes.machine import machine_details

NAMES = ("cat", "dog", "bird")


def predictions(**changes):
    values = {
        "probabilities": np.array([[0.5, 0.25, 0.25], [0.25, 0.25, 0.5]], np.float32),
        "labels": np.array([0, 1]),
        "image_sha256": np.array([b"a" * 64, b"b" * 64]),
        "class_names": NAMES,
        "details": {"model": "int8", "threads": 1, "latency_us": {"median": 35.25}},
    }
    return Predictions(**{**values, **changes})


def npz(**changes):
    """A file like `save` writes, with changed members; None leaves a member out."""
    header = {"schema_version": 1, "class_names": NAMES, "details": {"model": "int8"}}
    whole = predictions()
    members = {
        "probabilities": whole.probabilities,
        "labels": whole.labels,
        "image_sha256": whole.image_sha256,
        "header": np.array(json.dumps(header)),
        **changes,
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{k: v for k, v in members.items() if v is not None})
    return buffer.getvalue()


def header(**changes):
    values = {"schema_version": 1, "class_names": NAMES, "details": {}, **changes}
    return np.array(json.dumps(values))


def saved_bytes(tmp_path):
    path = tmp_path / "any.predictions.npz"
    predictions().save(path)
    return path.read_bytes()


# The file.


def test_predictions_survive_their_file(tmp_path):
    path = tmp_path / "int8.predictions.npz"
    before = predictions(input_sha256=np.array([b"c" * 64, b"d" * 64]))
    before.save(path)
    after = Predictions.load(path)
    assert np.array_equal(after.probabilities, before.probabilities)
    assert np.array_equal(after.labels, before.labels)
    assert np.array_equal(after.image_sha256, before.image_sha256)
    assert np.array_equal(after.input_sha256, before.input_sha256)
    assert (after.class_names, after.details) == (before.class_names, before.details)
    assert [array.dtype for array in (after.probabilities, after.labels, after.image_sha256)] == [
        "float32",
        "int64",
        "S64",
    ]
    assert [entry.name for entry in tmp_path.iterdir()] == ["int8.predictions.npz"]


def test_the_same_predictions_give_the_same_bytes_at_any_time(tmp_path):
    first, second = saved_bytes(tmp_path), saved_bytes(tmp_path)
    assert first == second
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        # Nothing else: older NumPy would take an option of `savez` for one more array.
        assert archive.namelist() == [
            "probabilities.npy",
            "labels.npy",
            "image_sha256.npy",
            "input_sha256.npy",
            "header.npy",
        ]


def test_names_and_details_of_all_languages_survive(tmp_path):
    path = tmp_path / "any.predictions.npz"
    names = ("猫", 'd"og', "naïve\nbird")
    predictions(class_names=names, details={"model": "größer"}).save(path)
    assert Predictions.load(path).class_names == names
    assert Predictions.load(path).model == "größer"


def test_details_that_json_cannot_hold_are_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        predictions(details={"latency": float("nan")}).save(tmp_path / "x.npz")
    assert list(tmp_path.iterdir()) == []


def pickled():
    buffer = io.BytesIO()
    np.savez(buffer, **{name: np.array([object()]) for name in ("header", "labels")})
    return buffer.getvalue()


def a_lone_array():
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\x03\x04",
        b"text\n" * 100,
        a_lone_array(),
        pickled(),
        npz(header=None),
        npz(labels=None),
        npz(header=np.array("[]")),
        npz(header=np.array("{")),
        npz(header=np.array(7)),
        npz(header=header(schema_version=2)),  # without the hashes of the inputs
        npz(header=header(schema_version=3)),
        npz(header=header(details=None)),
        npz(header=header(class_names=None)),
        npz(header=header(class_names=7)),
        npz(labels=np.array(["cat", "dog"])),
        npz(labels=np.array(0)),
        npz(labels=np.array([0.7, 1.2])),
        npz(probabilities=np.full((2, 3), 1 / 3, complex)),
        npz(probabilities=np.array(["a", "b"])),
        npz(image_sha256=np.array(["ä", "ö"])),
    ],
)
def test_another_file_is_refused_with_its_name(tmp_path, data):
    path = tmp_path / "x.predictions.npz"
    path.write_bytes(data)
    with pytest.raises(PredictionsError, match=r"x\.predictions\.npz: expected a .predictions.npz"):
        Predictions.load(path)


def test_missing_predictions_and_a_folder_are_named(tmp_path):
    with pytest.raises(PredictionsError, match=r"none\.npz: there are no predictions\."):
        Predictions.load(tmp_path / "none.npz")
    with pytest.raises(PredictionsError, match=r"expected a \.predictions\.npz"):
        Predictions.load(tmp_path)


def test_a_file_over_the_limit_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "x.npz"
    path.write_bytes(bytes(1001))
    monkeypatch.setattr(predictions_module, "LIMIT_BYTES", 1000)
    with pytest.raises(PredictionsError, match="it is larger than"):
        Predictions.load(path)


def test_a_file_that_would_grow_over_the_limit_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "x.npz"
    path.write_bytes(npz(more=np.zeros(2**20, np.uint8)))
    assert path.stat().st_size < 10_000
    monkeypatch.setattr(predictions_module, "LIMIT_BYTES", 2**20)
    with pytest.raises(PredictionsError, match="unpacked it is larger than 1 MiB"):
        Predictions.load(path)


def test_impossible_values_in_a_file_are_refused_with_its_name(tmp_path):
    path = tmp_path / "x.predictions.npz"
    path.write_bytes(npz(labels=np.array([0, 3])))
    with pytest.raises(PredictionsError, match=r"x\.predictions\.npz: Labels must be 0 to 2\."):
        Predictions.load(path)


@pytest.fixture(scope="module")
def whole_file(tmp_path_factory):
    return tmp_path_factory.mktemp("predictions") / "x.npz", npz()


@given(cut=st.floats(0, 0.999))
@settings(max_examples=60, deadline=None)
def test_a_truncated_file_is_refused(whole_file, cut):
    path, data = whole_file
    path.write_bytes(data[: int(cut * len(data))])
    with pytest.raises(PredictionsError):
        Predictions.load(path)


@given(st.data())
@settings(max_examples=400, deadline=None)
@pytest.mark.filterwarnings("ignore")
def test_flipped_bytes_give_predictions_or_a_predictions_error_and_nothing_else(whole_file, data):
    path, whole = whole_file
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(damaged)
    try:
        Predictions.load(path)
    except PredictionsError as error:
        assert str(path) in str(error)  # noqa: PT017 - both outcomes are right


# The values.


def test_of_equal_probabilities_the_first_is_the_answer():
    equal = np.full((2, 3), 1 / 3, np.float32)
    assert predictions(probabilities=equal).answers.tolist() == [0, 0]
    assert predictions().answers.tolist() == [0, 2]
    assert predictions().answers.dtype == np.int64


def test_int8_probabilities_may_miss_a_sum_of_one_by_their_steps():
    # 85/256 three times is 255/256.
    rounded = np.full((2, 3), 85 / 256, np.float32)
    assert len(predictions(probabilities=rounded)) == 2


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"probabilities": np.full((2, 4), 0.25, np.float32)}, r"Expected .*\(2, 3\)"),
        ({"probabilities": np.full((3, 3), 1 / 3, np.float32)}, r"Expected .*\(2, 3\)"),
        ({"probabilities": np.full(6, 1 / 3, np.float32)}, r"Expected .*\(2, 3\)"),
        ({"image_sha256": np.array([b"a" * 64])}, "2 image hashes, got"),
        ({"input_sha256": np.array([b"a" * 64])}, r"of the inputs \(1,\)"),
        ({"labels": np.array([[0], [1]])}, r"Expected one label for each image, got \(2, 1\)"),
        ({"labels": np.array([0, 3])}, "Labels must be 0 to 2"),
        ({"labels": np.array([-1, 0])}, "Labels must be 0 to 2"),
        (
            {"probabilities": np.array([[np.nan, 0, 1], [0, 0, 1]])},
            "int8 answers with NaN",
        ),
        (
            {"probabilities": np.array([[np.inf, 0, 1], [0, 0, 1]])},
            "int8 answers with NaN",
        ),
        ({"probabilities": np.array([[4.0, 2, 1], [0, 0, 1]])}, "not scores or logits"),
        ({"probabilities": np.array([[0.9, 0.9, 0.1], [0, 0, 1]])}, "not scores or logits"),
        ({"probabilities": np.array([[1.5, -0.5, 0], [0, 0, 1]])}, "the lowest is -0.500"),
        ({"probabilities": np.zeros((2, 3))}, "not scores or logits"),
    ],
)
def test_impossible_predictions_are_refused(changes, sentence):
    with pytest.raises(PredictionsError, match=sentence):
        predictions(**changes)


def test_a_number_too_large_for_float32_is_refused_without_a_warning(tmp_path):
    path = tmp_path / "huge.predictions.npz"
    path.write_bytes(npz(probabilities=np.full((2, 3), 1e300)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(PredictionsError, match="answers with NaN or infinity"):
            Predictions.load(path)


def test_predictions_about_no_images_are_refused():
    with pytest.raises(PredictionsError, match="There are no predictions"):
        predictions(
            probabilities=np.zeros((0, 3)), labels=np.zeros(0, int), image_sha256=np.zeros(0, "S64")
        )


def test_without_hashes_of_the_inputs_the_images_are_the_inputs(tmp_path):
    assert np.array_equal(predictions().input_sha256, predictions().image_sha256)
    path = tmp_path / "version-1.predictions.npz"
    path.write_bytes(npz())
    assert np.array_equal(Predictions.load(path).input_sha256, predictions().image_sha256)


def test_details_are_changed_in_a_copy():
    before = predictions()
    after = before.with_details(threads=4, memory_bytes=None)
    assert after.details == {**before.details, "threads": 4, "memory_bytes": None}
    assert before.details["threads"] == 1


# The same images.


def of_images(hashes, labels, *, model, names=NAMES):
    """Predictions in which row i says 1/2 + i/100 for class 0, so that rows can be told apart."""
    share = 0.5 + np.arange(len(hashes)) / 100
    rest = (1 - share) / (len(names) - 1)
    return Predictions(
        np.column_stack([share, *[rest] * (len(names) - 1)]).astype(np.float32),
        np.array(labels),
        np.array([name.encode() * 64 for name in hashes]),
        names,
        {"model": model},
        np.array([name.upper().encode() * 64 for name in hashes]),
    )


def test_predictions_of_the_same_images_in_the_same_order_stay_as_they_are():
    candidate = predictions(details={"model": "float32"})
    result = aligned(predictions(), candidate)
    assert np.array_equal(result.probabilities, candidate.probabilities)
    assert result.details == candidate.details


def test_images_in_another_order_are_put_into_the_order_of_the_reference():
    reference = of_images("abc", [0, 1, 2], model="full")
    result = aligned(reference, of_images("cab", [2, 0, 1], model="int8"))
    assert result.image_sha256.tolist() == reference.image_sha256.tolist()
    assert result.input_sha256.tolist() == reference.input_sha256.tolist()
    assert result.labels.tolist() == [0, 1, 2]
    assert result.probabilities[:, 0].tolist() == pytest.approx([0.51, 0.52, 0.50])


def test_an_image_that_occurs_twice_pairs_up_in_the_order_of_occurrence():
    reference = of_images("aba", [0, 1, 0], model="full")
    result = aligned(reference, of_images("aab", [0, 0, 1], model="int8"))
    assert result.probabilities[:, 0].tolist() == pytest.approx([0.50, 0.52, 0.51])


def test_an_image_under_two_labels_pairs_up_by_its_label():
    reference = of_images("aa", [0, 1], model="full")
    result = aligned(reference, of_images("aa", [1, 0], model="int8"))
    assert result.labels.tolist() == [0, 1]
    assert result.probabilities[:, 0].tolist() == pytest.approx([0.51, 0.50])


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_whatever_the_order_each_row_finds_its_image(data):
    items = data.draw(
        st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 2)), min_size=1, max_size=30)
    )
    order = data.draw(st.permutations(range(len(items))))
    reference = of_images(*zip(*items, strict=True), model="full")
    shuffled = of_images(*zip(*(items[index] for index in order), strict=True), model="int8")
    result = aligned(reference, shuffled)
    for name in ("image_sha256", "input_sha256", "labels"):
        assert np.array_equal(getattr(result, name), getattr(reference, name))
    assert sorted(result.probabilities[:, 0]) == sorted(shuffled.probabilities[:, 0])


@pytest.mark.parametrize(
    ("candidate", "sentence"),
    [
        (
            of_images("ab", [0, 1], model="int8", names=("cat", "dog", "cow")),
            "full and int8 have different class names: class 2 is bird in the one and cow in the "
            "other; compare models of the same classes.",
        ),
        (
            of_images("ab", [0, 1], model="int8", names=("cat", "bird", "dog")),
            "full and int8 have the same classes in another order: class 1 is dog in the one and "
            "bird in the other; make one of them again, with the classes in the order of the "
            "other.",
        ),
        (
            of_images("ab", [0, 1], model="int8", names=("cat", "dog")),
            "full and int8 have 3 and 2 classes; compare models of the same classes.",
        ),
        (
            of_images("ac", [0, 1], model="int8"),
            "full and int8 are about different images: 1 of 2 are only in full (the first is "
            "number 1, bbbbbbbbbbbb…), 1 of 2 are only in int8 (the first is number 1, "
            "cccccccccccc…); use the same dataset, split and sizes for both.",
        ),
        (
            of_images("bad", [1, 0, 2], model="int8"),
            "full and int8 are about different images: 1 of 3 are only in int8 (the first is "
            "number 2, dddddddddddd…); use the same dataset, split and sizes for both.",
        ),
        (
            of_images("aba", [0, 1, 0], model="int8"),
            "full and int8 are about different images: 1 of 3 are only in int8 (the first is "
            "number 2, aaaaaaaaaaaa…); use the same dataset, split and sizes for both.",
        ),
        (
            of_images("ba", [2, 0], model="int8"),
            "full and int8 have different true labels for 1 of 2 images: number 1 is dog in the "
            "one and bird in the other; use the same dataset for both.",
        ),
    ],
    ids=["names", "order", "count", "other", "more", "twice", "labels"],
)
def test_what_differs_is_said_exactly(candidate, sentence):
    with pytest.raises(PredictionsError) as caught:
        aligned(of_images("ab", [0, 1], model="full"), candidate)
    assert str(caught.value) == sentence


def test_the_same_pixels_under_another_name_are_an_older_file():
    pixels = np.array([b"p" * 64, b"q" * 64])
    old = predictions(image_sha256=pixels, input_sha256=pixels)
    with pytest.raises(PredictionsError, match="did not name picture files: make it again"):
        aligned(predictions(input_sha256=pixels), old)


def test_hashes_that_are_no_text_are_told_apart_all_the_same():
    foreign = predictions(image_sha256=np.array([b"\xff" * 9, b"\xfe" * 9]))
    with pytest.raises(PredictionsError, match="are about different images"):
        aligned(foreign, predictions())


def test_the_machine_is_named_in_words_that_json_can_hold():
    details = machine_details()
    assert set(details) == {"cpu", "machine", "system", "python", "numpy", "pillow"}
    assert all(isinstance(value, str) and value for value in details.values())
    assert details["numpy"] == np.__version__
