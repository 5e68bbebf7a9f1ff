"""The pieces of training that the command line does not show."""

import math

import numpy as np
import pytest

from edge_runtime.data.datasets import Dataset, DatasetSpec
from edge_runtime.errors import TrainingError
from trainer.checkpoint import Checkpoint
from trainer.recipe import POST_CNN, TrainingConfig

keras = pytest.importorskip("keras")

from trainer.architectures import build_post_cnn, gives_probabilities, save_keras  # noqa: E402
from trainer.training import fit, probabilities  # noqa: E402


@pytest.mark.parametrize(
    ("shape", "classes", "parameters"),
    [
        ((28, 28, 1), 10, 31_626),
        # Two more input channels: 2·5·5·32 weights more.
        ((28, 28, 3), 10, 31_626 + 2 * 5 * 5 * 32),
        ((28, 28, 1), 100, 31_626 + 90 * 513),
        ((16, 16, 1), 2, 832 + 16_416 + 9_248 + 2 * 33),
    ],
)
def test_post_cnn_has_the_article_s_parameters(
    shape: tuple[int, int, int], classes: int, parameters: int
) -> None:
    model = build_post_cnn(shape, classes, dropout=0.5, seed=0)
    assert model.count_params() == parameters


def test_post_cnn_starts_small_enough_for_raw_pixels(sample: Dataset) -> None:
    model = build_post_cnn((28, 28, 1), 10, dropout=0.5, seed=0)
    kernel = np.asarray(model.layers[0].kernel)
    limit = math.sqrt(6 / (5 * 5 * 1 + 5 * 5 * 32)) / 16  # Glorot's limit over 16
    assert np.abs(kernel).max() <= limit
    assert np.abs(kernel).max() > 0.9 * limit
    answers = probabilities(model, sample.train.images[:200])
    true = answers[np.arange(200), sample.train.labels[:200]]
    # Chance is ln 10 = 2.3 nats; with Glorot's own limit the first loss is above 10.
    assert -np.log(true).mean() < 4


def test_the_learning_rate_falls_to_zero_or_stays() -> None:
    falling = TrainingConfig(DatasetSpec(), POST_CNN, epochs=4, learning_rate=0.1)
    rates = [falling.learning_rates_in(epoch, 2) for epoch in (1, 2, 3, 4)]
    np.testing.assert_allclose(rates, [[rate] * 2 for rate in (0.1, 0.075, 0.05, 0.025)])
    steady = TrainingConfig(
        DatasetSpec(), POST_CNN, epochs=4, learning_rate=0.1, schedule="constant"
    )
    assert [steady.learning_rates_in(epoch, 1)[0] for epoch in (1, 4)] == [np.float32(0.1)] * 2


def test_a_configuration_survives_json() -> None:
    config = TrainingConfig(
        DatasetSpec("folder:x", image_size=(5, 6)), "x.keras", rescale=0.5, seed=3
    )
    assert TrainingConfig.from_dict(config.to_dict()) == config


def test_other_seeds_make_other_weights_and_the_same_seed_the_same(tmp_path) -> None:  # type: ignore[no-untyped-def]
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        save_keras(
            build_post_cnn((28, 28, 1), 10, dropout=0.5, seed=seed), tmp_path / f"{name}.keras"
        )
    a, b, c = ((tmp_path / f"{name}.keras").read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_training_lowers_the_loss_and_measures_what_keras_measures(sample: Dataset) -> None:
    small = Dataset(
        "small",
        sample.class_names,
        train=type(sample.train)(sample.train.images[:150], sample.train.labels[:150]),
        test=type(sample.test)(sample.test.images[:300], sample.test.labels[:300]),
    )
    model = build_post_cnn((28, 28, 1), 10, dropout=0.2, seed=0)
    history = fit(model, small, TrainingConfig(DatasetSpec(), POST_CNN, epochs=8))
    assert [row["epoch"] for row in history] == list(range(1, 9))
    assert history[-1]["loss"] < history[0]["loss"]
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    pixels = small.test.images.astype(np.float32)
    loss, accuracy = model.evaluate(pixels, small.test.labels, verbose=0)
    assert history[-1]["test_loss"] == pytest.approx(loss, rel=1e-4)
    assert history[-1]["test_accuracy"] == pytest.approx(accuracy, abs=1e-6)


def test_a_checkpoint_with_a_nan_weight_is_not_made() -> None:
    model = build_post_cnn((16, 16, 1), 2, dropout=0.5, seed=0)
    optimizer = keras.optimizers.Adam()
    optimizer.build(model.trainable_variables)
    model.layers[-1].bias.assign([np.nan, 0])
    with pytest.raises(TrainingError, match="NaN"):
        Checkpoint.of(model, optimizer, [])


def test_a_checkpoint_of_another_network_is_refused(tmp_path) -> None:  # type: ignore[no-untyped-def]
    states = []
    for classes in (2, 3):
        model = build_post_cnn((16, 16, 1), classes, dropout=0.5, seed=0)
        optimizer = keras.optimizers.Adam()
        optimizer.build(model.trainable_variables)
        states.append((model, optimizer))
    Checkpoint.of(*states[0], []).save(tmp_path / "c.npz")
    with pytest.raises(TrainingError, match="another network"):
        Checkpoint.load(tmp_path / "c.npz").restore(*states[1])
    (tmp_path / "c.npz").write_bytes((tmp_path / "c.npz").read_bytes()[:500])
    with pytest.raises(TrainingError, match="cannot be read"):
        Checkpoint.load(tmp_path / "c.npz")


def test_probabilities_are_told_from_logits() -> None:
    assert gives_probabilities(np.array([[0.2, 0.8], [1.0, 0.0]], np.float32))
    assert not gives_probabilities(np.array([[0.9, 0.8]], np.float32))
    assert not gives_probabilities(np.array([[1.5, -0.5]], np.float32))
