"""The statistics of the proof: intervals, exact tests, and what many tests at once need.

Plain functions of counts, in the standard library and NumPy, so that a device has them too. The
tests hold them against SciPy, statsmodels and exact enumeration.
"""

from edge_runtime.proof.statistics.binomial import (
    clopper_pearson_interval,
    least_improbable,
    saddlepoint_tail,
    wilson_interval,
)
from edge_runtime.proof.statistics.bounded_mean import bounded_mean_interval
from edge_runtime.proof.statistics.drop import drop_p_value, least_drop
from edge_runtime.proof.statistics.multiplicity import holm
from edge_runtime.proof.statistics.paired import (
    difference_interval,
    difference_is_above,
    mcnemar_p_value,
)

__all__ = [
    "bounded_mean_interval",
    "clopper_pearson_interval",
    "difference_interval",
    "difference_is_above",
    "drop_p_value",
    "holm",
    "least_drop",
    "least_improbable",
    "mcnemar_p_value",
    "saddlepoint_tail",
    "wilson_interval",
]
