"""The statistics of the proof: intervals, exact tests, and what many tests at once need.

Plain functions of counts, in the standard library and NumPy, so that a device has them too. The
tests hold them against SciPy, statsmodels and exact enumeration.
"""

from edge_runtime.statistics.binomial import clopper_pearson_interval, wilson_interval
from edge_runtime.statistics.bounded_mean import bounded_mean_interval
from edge_runtime.statistics.multiplicity import holm
from edge_runtime.statistics.paired import difference_interval, mcnemar_p_value
from edge_runtime.statistics.sample_size import (
    images_for_difference,
    images_for_proportion,
)

__all__ = [
    "bounded_mean_interval",
    "clopper_pearson_interval",
    "difference_interval",
    "holm",
    "images_for_difference",
    "images_for_proportion",
    "mcnemar_p_value",
    "wilson_interval",
]
