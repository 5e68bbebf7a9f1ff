"""What is counted of images, so that counts of parts add up to the counts of the whole.

`a + b` equals counting the union, exactly, so any number of images is compared in constant memory.
"""

from edge_runtime.proof.metrics.brier import BrierRise
from edge_runtime.proof.metrics.confidence import (
    PROBABILITY_FLOOR,
    ConfidenceCounts,
    ThresholdEffect,
)
from edge_runtime.proof.metrics.distances import DistanceCounts
from edge_runtime.proof.metrics.paired import PairedCounts, count_pairs
from edge_runtime.proof.metrics.rates import Rate, count_confusion, decimals_for, recalls

__all__ = [
    "PROBABILITY_FLOOR",
    "BrierRise",
    "ConfidenceCounts",
    "DistanceCounts",
    "PairedCounts",
    "Rate",
    "ThresholdEffect",
    "count_confusion",
    "count_pairs",
    "decimals_for",
    "recalls",
]
