"""Which images integers are calibrated on, and which are refused."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from converter.calibration import check_pixels, choose_representative
from edge_runtime.data.datasets import Dataset, Split, image_hashes
from edge_runtime.errors import DatasetError


def test_the_representative_dataset_is_balanced_seeded_and_from_the_training_split(
    sample: Dataset,
) -> None:
    chosen = choose_representative(sample, size=55, seed=4)
    counts = np.bincount(chosen.labels, minlength=10)
    assert set(counts.tolist()) == {5, 6}
    train = set(image_hashes(sample.train.images).tolist())
    assert set(image_hashes(chosen.images).tolist()) <= train
    again = choose_representative(sample, size=55, seed=4)
    other = choose_representative(sample, size=55, seed=5)
    np.testing.assert_array_equal(chosen.images, again.images)
    assert not np.array_equal(chosen.images, other.images)


def test_test_images_in_the_training_split_are_passed_over(sample: Dataset) -> None:
    leaking = Dataset(
        "leaking",
        sample.class_names,
        train=Split(
            np.concatenate([sample.test.images[:500], sample.train.images[:100]]),
            np.concatenate([sample.test.labels[:500], sample.train.labels[:100]]),
        ),
        test=sample.test,
    )
    chosen = choose_representative(leaking, size=100, seed=0)
    assert not np.isin(image_hashes(chosen.images), image_hashes(sample.test.images)).any()
    with pytest.raises(DatasetError, match="the training split has 100 that are not also test"):
        choose_representative(leaking, size=101, seed=0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda images: images.astype(np.float32),
            r"uint8 images .* got \(100, 28, 28, 1\) float32",
        ),
        (lambda images: images.astype(np.float32) / 255, r"scaled to 0\.\.1: \(255 \* images\)"),
        (lambda images: images[..., 0], r"images\[..., np.newaxis\]"),
        (lambda images: (images > 127).astype(np.uint8), "divided by 255"),
        (lambda images: images[:0], "uint8 images"),
        (lambda images: images.tolist(), "NumPy array .* got list"),
    ],
)
def test_unfit_images_for_calibration_are_refused(
    sample: Dataset, change: Callable[[Any], Any], words: str
) -> None:
    with pytest.raises(DatasetError, match=words):
        check_pixels(change(sample.train.images[:100]))


def test_binary_images_and_too_few_of_them_are_refused_when_they_are_drawn(sample: Dataset) -> None:
    binary = replace(
        sample, train=Split((sample.train.images > 127).astype(np.uint8), sample.train.labels)
    )
    with pytest.raises(DatasetError, match="divided by 255"):
        choose_representative(binary, size=100, seed=0)
    with pytest.raises(DatasetError, match=r"leave out the class .* of 10 or more"):
        choose_representative(sample, size=3, seed=0)


def test_test_images_are_never_drawn(sample: Dataset) -> None:
    same = replace(sample, train=sample.test)
    with pytest.raises(DatasetError, match="has 0 that are not also test images"):
        choose_representative(same, size=200, seed=0)


def test_a_small_training_set_is_used_whole_unless_a_size_is_asked_for(sample: Dataset) -> None:
    few = Dataset(
        "few",
        sample.class_names,
        train=Split(sample.train.images[:60], sample.train.labels[:60]),
        test=sample.test,
    )
    assert len(choose_representative(few, size=None, seed=0).images) == 60
    assert len(choose_representative(sample, size=None, seed=0).images) == 100
