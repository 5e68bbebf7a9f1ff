"""By how much golden vectors may be missed, and where."""

import numpy as np
import pytest

from edge_runtime.errors import BundleError
from edge_runtime.models.bundle.tolerance import (
    Tolerance,
    differences,
    measured_tolerances,
    tolerance_for,
)


def test_the_first_tolerance_that_covers_a_configuration_counts():
    allowed = measured_tolerances(
        np.zeros((2, 3), np.int8),
        built_in=np.zeros((2, 3), np.int8),
        auto=np.full((2, 3), 1, np.int8),
    )

    def limit(runtime, version, kernels):
        return tolerance_for(allowed, runtime=runtime, version=version, kernels=kernels).limit

    assert limit("ai-edge-litert", "2.3.0", "reference") == 0
    assert limit("ai-edge-litert", "2.3.0", "auto") == 2
    assert limit("ai-edge-litert", "3.0.0", "reference") == 2
    assert limit("tflite-runtime", "2.14.0", "reference") == 2
    assert limit("tflite-runtime", "2.14.0", "auto") == 2
    assert limit("tensorflow", "2.21.0", "built-in") == 2
    assert all(tolerance.reason for tolerance in allowed)
    assert [Tolerance.from_dict(one.to_dict()) for one in allowed] == list(allowed)


def test_a_configuration_that_nothing_covers_is_refused():
    only = Tolerance("ai-edge-litert", "2.", "auto", 0, "because")
    with pytest.raises(BundleError, match=r"no tolerance for tflite-runtime 2\.14\.0 with"):
        tolerance_for([only], runtime="tflite-runtime", version="2.14.0", kernels="auto")


def test_kernels_that_differ_much_on_this_model_are_allowed_twice_as_much():
    reference = np.zeros((2, 3), np.int8)
    other = np.array([[0, 0, 0], [0, -5, 0]], np.int8)
    allowed = measured_tolerances(reference, built_in=reference, auto=other)
    assert tolerance_for(allowed, runtime="tensorflow", version="", kernels="auto").limit == 10


def test_another_release_may_differ_in_few_scores_only():
    reference = np.zeros((10, 10), np.int8)
    other = reference.copy()
    other[0, :3] = 1
    few = measured_tolerances(reference, built_in=reference, auto=reference)
    more = measured_tolerances(reference, built_in=other, auto=other)
    where = {"runtime": "tflite-runtime", "version": "2.14.0", "kernels": "reference"}
    assert tolerance_for(few, **where).share == 0.02
    assert tolerance_for(more, **where).share == 0.06
    assert tolerance_for(few, **{**where, "kernels": "auto"}).share == 1


@pytest.mark.parametrize("share", [True, "0.5", -0.1, 1.5, float("nan"), None])
def test_a_share_that_cannot_be_is_refused(share):
    document = Tolerance("any", "", "any", 1, "because").to_dict()
    with pytest.raises(BundleError, match="one of its tolerances cannot be read"):
        Tolerance.from_dict({**document, "share": share})


def test_floats_have_one_tolerance_of_their_own_size():
    reference = np.zeros((2, 3), np.float32)
    (tolerance,) = measured_tolerances(reference, built_in=reference, auto=reference)
    assert tolerance.limit == 1e-5
    (tolerance,) = measured_tolerances(
        reference, built_in=reference, auto=reference + np.float32(0.25)
    )
    assert tolerance.limit == 4
    assert tolerance.covers(runtime="any", version="thing", kernels="reference")


def test_differences_do_not_wrap_around_and_nan_is_infinitely_far():
    low, high = np.full((1, 2), -128, np.int8), np.full((1, 2), 127, np.int8)
    assert differences(low, high).max() == 255
    nan = np.array([[0, np.nan]], np.float32)
    assert differences(nan, np.zeros((1, 2), np.float32)).max() == np.inf
    assert differences(np.zeros((0, 2)), np.zeros((0, 2))).max(initial=0) == 0
