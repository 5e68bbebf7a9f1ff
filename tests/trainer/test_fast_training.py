"""What makes training fast gives what TensorFlow and Keras give, and resumes like the rest."""

import contextlib

import numpy as np
import pytest

from trainer.recipe import FAST_CNN, POST_CNN, TrainingConfig

keras = pytest.importorskip("keras")
import tensorflow as tf  # noqa: E402

from edge_runtime.data.datasets import Dataset, DatasetSpec  # noqa: E402
from trainer.architectures import build_fast_cnn, build_post_cnn  # noqa: E402
from trainer.compiled import fast_layers  # noqa: E402
from trainer.training import augmented, fit  # noqa: E402


def test_layers_are_replaced_only_for_the_while() -> None:
    layers = keras.layers
    inner = keras.Sequential([keras.Input((9, 7, 2)), layers.BatchNormalization()])
    rows = layers.BatchNormalization(axis=1)
    model = keras.Sequential([keras.Input((9, 7, 2)), inner, rows])
    with fast_layers(model):
        assert "call" in vars(inner.layers[0])
        assert "call" not in vars(rows)
    assert "call" not in vars(inner.layers[0])


def test_batch_normalization_is_that_of_keras_moving_averages_too() -> None:
    rng = np.random.default_rng(0)
    pixels = tf.constant(rng.normal(3, 2, (4, 6, 5, 3)).astype(np.float32))
    weights = tf.constant(rng.normal(size=(4, 6, 5, 3)).astype(np.float32))
    results = []
    for fast in (True, False):
        model = keras.Sequential(
            [keras.Input((6, 5, 3)), keras.layers.BatchNormalization(momentum=0.7)]
        )
        with fast_layers(model) if fast else contextlib.nullcontext(), tf.GradientTape() as tape:
            tape.watch(pixels)
            outputs = model(pixels, training=True)
            total = tf.reduce_sum(outputs * weights)
        gradients = tape.gradient(total, [pixels, *model.trainable_variables])
        results.append([outputs, *gradients, *model.variables])
    for ours, theirs in zip(*results, strict=True):
        # Sums over 120 numbers of size 1 to 10, in another order.
        np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), atol=2e-5)


def test_two_epochs_show_each_image_both_ways(sample: Dataset) -> None:
    images = sample.train.images[:50]
    first, second = (augmented(images, seed=3, epoch=e, flip=True, shift=0) for e in (1, 2))
    np.testing.assert_array_equal(first[:, :, ::-1], second)
    mirrored = [bool((a == b[:, ::-1]).all()) for a, b in zip(first, images, strict=True)]
    assert 10 < sum(mirrored) < 40


def test_shifted_images_are_moved_by_no_more_than_was_said() -> None:
    images = np.zeros((200, 9, 9, 1), np.uint8)
    images[:, 4, 4] = 255
    moved = augmented(images, seed=0, epoch=1, flip=False, shift=2)
    _, rows, columns, _ = np.nonzero(moved)
    assert len(rows) == 200
    assert set(rows) == set(columns) == {2, 3, 4, 5, 6}
    again = augmented(images, seed=0, epoch=1, flip=False, shift=2)
    np.testing.assert_array_equal(moved, again)
    assert (augmented(images, seed=0, epoch=2, flip=False, shift=2) != moved).any()
    assert images[:, 4, 4].all(), "the images that were given stay as they are"


def test_one_cycle_rises_for_a_quarter_and_falls_to_zero() -> None:
    config = TrainingConfig(
        DatasetSpec(), POST_CNN, epochs=4, learning_rate=1.0, schedule="one-cycle"
    )
    rates = np.concatenate([config.learning_rates_in(epoch, 10) for epoch in (1, 2, 3, 4)])
    assert np.argmax(rates) == 10
    assert rates[0] == pytest.approx(0.1)
    assert rates[10] == pytest.approx(1.0)
    assert rates[-1] == pytest.approx(1 / 30)


def test_a_network_brings_its_recipe_and_what_is_given_goes_before_it() -> None:
    fast = TrainingConfig.recommended(DatasetSpec(), FAST_CNN, epochs=3)
    assert (fast.epochs, fast.batch_size, fast.schedule) == (3, 256, "one-cycle")
    assert TrainingConfig.recommended(DatasetSpec(), POST_CNN) == TrainingConfig(
        DatasetSpec(), POST_CNN
    )


def test_label_smoothing_is_not_in_the_loss_that_is_reported(sample: Dataset) -> None:
    losses = [
        fit(
            build_post_cnn((28, 28, 1), 10, dropout=0.0, seed=0),
            sample,
            # One step, so the loss is that of the untrained network.
            TrainingConfig(
                DatasetSpec(), POST_CNN, epochs=1, batch_size=1000, label_smoothing=smoothing
            ),
        )[0]["loss"]
        for smoothing in (0.0, 0.5)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_fast_cnn_is_measured_once_at_the_end(sample: Dataset) -> None:
    config = TrainingConfig.recommended(DatasetSpec(), FAST_CNN, epochs=6, batch_size=50)
    history = fit(build_fast_cnn((28, 28, 1), 10, seed=0), sample, config)
    assert ["test_accuracy" in epoch for epoch in history] == [False] * 5 + [True]
    assert history[-1]["test_accuracy"] > 0.75


@pytest.mark.parametrize(
    ("shape", "classes", "parameters"),
    [((28, 28, 1), 10, 82_090), ((28, 28, 3), 10, 82_090 + 2 * 25 * 32), ((12, 12, 1), 2, 66_210)],
)
def test_fast_cnn_has_its_parameters(
    shape: tuple[int, int, int], classes: int, parameters: int
) -> None:
    assert build_fast_cnn(shape, classes, seed=0).count_params() == parameters
