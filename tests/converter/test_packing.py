"""Packing the pixels of the first convolution: the same integers, or the file stays as it was."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Finished
from numpy.typing import NDArray

keras = pytest.importorskip("keras")

from converter import speedup as speedup_module  # noqa: E402
from converter.conversion import convert_source  # noqa: E402
from converter.packing import pack_pixels  # noqa: E402
from converter.schemes import RECIPES  # noqa: E402
from converter.source import open_source  # noqa: E402
from converter.speedup import speed_up  # noqa: E402
from converter.target import Target  # noqa: E402
from edge_runtime.errors import ModelError  # noqa: E402
from edge_runtime.inference.classifier import Classifier  # noqa: E402
from edge_runtime.inference.loading.trial import Trial, compare_forms  # noqa: E402
from edge_runtime.models.inspection import RUNTIMES, inspect_model  # noqa: E402
from edge_runtime.models.model_file import ModelFile, read_model  # noqa: E402
from edge_runtime.runtimes.backends import Kernels  # noqa: E402

Cli = Callable[..., Finished]


def noise(shape: tuple[int, ...], count: int = 40) -> NDArray[np.uint8]:
    """Random images, a black one and a white one."""
    drawn = np.random.default_rng(1).integers(0, 256, (count, *shape)).astype(np.uint8)
    drawn[0], drawn[1] = 0, 255
    return drawn


def int8_model(
    folder: Path,
    shape: tuple[int, ...],
    first: Any,
    *,
    io: str = "int8",
    seed: int = 3,
    batch: int = 1,
) -> bytes:
    """An int8 model that begins with the layer ``first``."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input(shape),
            first,
            keras.layers.MaxPooling2D(2),
            keras.layers.Flatten(),
            keras.layers.Dense(5),  # a softmax would flatten what differs
        ]
    )
    model.save(folder / "model.keras")
    source = open_source(folder / "model.keras")
    return convert_source(
        source,
        RECIPES["int8"],
        io_type=io,
        image_shape=shape,
        calibration=noise(shape, 36),
        batch=batch,
    )


def answers(data: bytes, images: NDArray[np.uint8], kernels: Kernels = "auto") -> NDArray[Any]:
    with Classifier(ModelFile("model", data), kernels=kernels) as classifier:
        return classifier.raw_outputs(images)


conv = keras.layers.Conv2D
FIRST_LAYERS = {
    "grey, no padding": ((28, 28, 1), conv(16, 5, activation="relu"), 4),
    "an odd number of windows": ((28, 28, 1), conv(8, 3, activation="relu"), 2),
    "padding on all sides": ((28, 28, 1), conv(16, 3, padding="same"), 2),
    "more padding behind": ((24, 24, 1), conv(12, 4, padding="same", activation="relu6"), 4),
    "stride and padding": ((32, 32, 1), conv(16, 5, strides=2, padding="same"), None),
    "stride without padding": ((29, 33, 1), conv(16, 3, strides=2), None),
    "another stride downwards": ((30, 28, 1), conv(16, (5, 3), strides=(2, 1)), None),
    "dilation": ((28, 28, 1), conv(16, 3, dilation_rate=2), 4),
    "colour": ((24, 24, 3), conv(16, 5, padding="same", activation="relu"), None),
    "wide and flat": ((16, 48, 1), conv(16, (1, 9), activation="relu"), None),
    "no bias": ((20, 20, 1), conv(16, 5, use_bias=False), 4),
}


@pytest.mark.parametrize("name", FIRST_LAYERS)
def test_the_packed_model_gives_the_same_integers(tmp_path: Path, name: str) -> None:
    shape, first, outputs = FIRST_LAYERS[name]
    plain = int8_model(tmp_path, shape, conv.from_config(first.get_config()))
    packed = pack_pixels(plain)
    assert packed is not None
    if outputs is not None:
        assert packed.pixels == outputs
    images = noise(shape)
    assert len({row.tobytes() for row in answers(plain, images)}) > 10
    for kernels in ("auto", "built-in", "reference"):
        np.testing.assert_array_equal(
            answers(packed.data, images, kernels), answers(plain, images, kernels)
        )


@pytest.mark.parametrize("io", ["uint8", "float32"])
def test_inputs_that_are_changed_first_are_packed_behind_that(tmp_path: Path, io: str) -> None:
    plain = int8_model(tmp_path, (20, 20, 1), conv(16, 5, activation="relu"), io=io)
    packed = pack_pixels(plain)
    assert packed is not None
    images = noise((20, 20, 1))
    np.testing.assert_array_equal(answers(packed.data, images), answers(plain, images))


@pytest.mark.parametrize(
    "first", [conv(16, 5, activation="relu"), conv(8, 3, padding="same")], ids=["valid", "same"]
)
def test_a_larger_batch_is_packed_too_and_answers_as_a_single_image(
    tmp_path: Path, first: Any
) -> None:
    plain = int8_model(tmp_path, (20, 20, 1), conv.from_config(first.get_config()))
    first = conv.from_config(first.get_config())
    batches = int8_model(tmp_path, (20, 20, 1), first, batch=6)
    packed = pack_pixels(batches)
    assert packed is not None
    assert inspect_model(packed.data).inputs[0].shape == (6, 20, 20, 1)
    images = noise((20, 20, 1), 41)  # not a multiple of 6
    np.testing.assert_array_equal(answers(packed.data, images), answers(batches, images))
    np.testing.assert_array_equal(answers(packed.data, images), answers(plain, images))


@pytest.mark.parametrize(
    ("shape", "first"),
    [
        ((12, 12, 3), keras.layers.DepthwiseConv2D(3)),  # no common kernel for the channels
        ((13, 13, 1), conv(16, 3)),  # 11 outputs in a row: all of them at once are too many
        ((8, 8, 3), conv(16, 1)),  # one pixel after the other
    ],
)
def test_what_gains_nothing_is_left_alone(tmp_path: Path, shape: Any, first: Any) -> None:
    assert pack_pixels(int8_model(tmp_path, shape, first)) is None


@pytest.mark.parametrize("recipe", ["float32", "float16", "dynamic", "int16x8"])
def test_only_int8_is_packed(run_folder: Path, recipe: str) -> None:
    assert pack_pixels((run_folder / f"{recipe}.tflite").read_bytes()) is None


def test_the_article_s_network_is_packed_and_says_so(run_folder: Path) -> None:
    file = read_model(run_folder / "int8.tflite")
    assert file.manifest is not None
    assert file.manifest.details["packing"] == {
        "pixels": 4,
        "window": 8,
        "same_numbers_on_images": 100 + 256 + 2,
    }
    counts = {item.name: item.count for item in inspect_model(file.data).operators}
    assert counts["SLICE"] == 2
    assert counts["CONCATENATION"] == 1
    assert len(file.data) <= 47_000


def test_the_file_can_be_had_without(cli: Cli, run_folder: Path, tmp_path: Path) -> None:
    done = cli(
        "convert",
        str(run_folder / "model.keras"),
        "--no-pack-pixels",
        "--out",
        str(tmp_path),
        "--json",
    )
    (made,) = json.loads(done.out)["models"]
    assert made["packing"] is None
    plain, packed = read_model(tmp_path / "int8.tflite"), read_model(run_folder / "int8.tflite")
    assert plain.manifest is not None
    assert plain.manifest.details["packing"] is None
    assert len(plain.data) <= 40_000
    images = noise((28, 28, 1), 300)
    np.testing.assert_array_equal(answers(plain.data, images), answers(packed.data, images))


def test_buffers_are_aligned_as_the_schema_demands(run_folder: Path) -> None:
    data = (run_folder / "int8.tflite").read_bytes()
    from ai_edge_litert import schema_py_generated as schema

    model = schema.Model.GetRootAs(data, 0)
    lengths = [model.Buffers(index).DataLength() for index in range(model.BuffersLength())]
    assert max(lengths) > 10_000
    for index, length in enumerate(lengths):
        if length:
            buffer = model.Buffers(index)
            offset = buffer._tab.Vector(buffer._tab.Offset(4))
            assert offset % 16 == 0


def test_packing_twice_gives_the_same_bytes(plain: bytes) -> None:
    first, second = pack_pixels(plain), pack_pixels(plain)
    assert first is not None
    assert first == second


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return int8_model(tmp_path_factory.mktemp("plain"), (20, 20, 1), conv(16, 5))


class TestTheChoice:
    """Only what the target answers identically, and sooner, is kept."""

    @pytest.mark.parametrize(
        ("trial", "kept", "words"),
        [
            (Trial(298, 0, 40.0, 30.0), True, "the same numbers on 298 images, 40.0 → 30.0 µs"),
            (Trial(298, 1, 40.0, 30.0), False, "1 of 298 images would get other numbers"),
            (Trial(298, 0, 40.0, 38.5), False, "no gain here, 40.0 → 38.5 µs"),
        ],
    )
    def test_by_what_the_trial_found(
        self,
        plain: bytes,
        monkeypatch: pytest.MonkeyPatch,
        trial: Trial,
        kept: bool,
        words: str,
    ) -> None:
        monkeypatch.setattr(speedup_module, "compare_forms", lambda *_, **__: trial)
        data, speedup = speed_up(plain, noise((20, 20, 1)), target=None)
        assert speedup is not None
        assert speedup.kept is kept
        assert words in str(speedup)
        assert (data == plain) is not kept

    def test_a_target_that_is_not_here_gets_the_plain_form(self, plain: bytes) -> None:
        target = Target(RUNTIMES["tflite-runtime-2.14"], None)
        assert speed_up(plain, noise((20, 20, 1)), target=target) == (plain, None)

    def test_a_form_that_the_target_refuses_is_not_kept(
        self, plain: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: Any, **__: Any) -> Trial:
            raise ModelError("the runtime dies of this model (signal 11).")

        monkeypatch.setattr(speedup_module, "compare_forms", refuse)
        assert speed_up(plain, noise((20, 20, 1)), target=None) == (plain, None)

    def test_the_trial_counts_the_images_with_other_numbers(
        self, plain: bytes, tmp_path: Path
    ) -> None:
        images = noise((20, 20, 1))
        same = compare_forms(plain, plain, images)
        assert (same.image_count, same.different) == (40, 0)
        assert min(same.before_us, same.after_us) > 0
        other = int8_model(tmp_path, (20, 20, 1), conv(16, 5), seed=4)
        assert compare_forms(plain, other, images).different > 30

    def test_a_model_that_is_none_is_refused(self, plain: bytes) -> None:
        with pytest.raises(ModelError):
            compare_forms(plain, b"TFL3", noise((20, 20, 1)))
