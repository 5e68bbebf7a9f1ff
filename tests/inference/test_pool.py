"""Many images at once: the same answers, in the same order, whatever the number of workers."""

import numpy as np
import pytest

from edge_runtime.errors import InputError, ModelError
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.pool import ClassifierPool

IMAGES = np.random.default_rng(0).integers(0, 256, (203, 8, 8, 1)).astype(np.uint8)


@pytest.mark.parametrize("workers", [1, 2, 3, 7])
@pytest.mark.parametrize("count", [0, 1, 2, 203])
def test_the_answers_are_those_of_one_classifier(tiny_model, workers, count):
    with Classifier(tiny_model("int8")) as classifier:
        expected = classifier.predict(IMAGES[:count])
    with ClassifierPool(tiny_model("int8"), workers=workers) as pool:
        answers = pool.predict(IMAGES[:count])
    assert answers.dtype == np.float32
    np.testing.assert_array_equal(answers, expected)


def test_it_takes_as_many_workers_as_there_are_cores(tiny_model):
    with ClassifierPool(tiny_model("int8")) as pool:
        assert len(pool.predict(IMAGES)) == len(IMAGES)
        assert pool.class_names == tuple("0123456789")


@pytest.mark.parametrize("workers", [0, -1, 1.5, "2", True])
def test_a_number_of_workers_that_is_none_is_refused(tiny_model, workers):
    with pytest.raises(InputError, match="Expected workers to be a whole number from 1 on"):
        ClassifierPool(tiny_model("int8"), workers=workers)


def test_wrong_images_are_refused_as_by_a_classifier(tiny_model):
    with (
        ClassifierPool(tiny_model("int8"), workers=2) as pool,
        pytest.raises(InputError, match="got float64; give the raw pixels"),
    ):
        pool.predict(IMAGES / 255)


def test_a_closed_pool_says_so(tiny_model):
    pool = ClassifierPool(tiny_model("int8"), workers=2)
    pool.close()
    pool.close()
    with pytest.raises(ModelError, match="closed; make a new one"):
        pool.predict(IMAGES)
