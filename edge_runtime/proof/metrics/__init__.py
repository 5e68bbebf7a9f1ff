"""What is counted of images, so that counts of parts add up to the counts of the whole.

`a + b` equals counting the union, exactly, so any number of images is compared in constant memory.
"""

from edge_runtime.proof.metrics.brier import BrierRise as BrierRise
from edge_runtime.proof.metrics.confidence import PROBABILITY_FLOOR as PROBABILITY_FLOOR
from edge_runtime.proof.metrics.confidence import ConfidenceCounts as ConfidenceCounts
from edge_runtime.proof.metrics.confidence import ThresholdEffect as ThresholdEffect
from edge_runtime.proof.metrics.distances import DistanceCounts as DistanceCounts
from edge_runtime.proof.metrics.paired import PairedCounts as PairedCounts
from edge_runtime.proof.metrics.paired import count_pairs as count_pairs
from edge_runtime.proof.metrics.rates import Rate as Rate
from edge_runtime.proof.metrics.rates import count_confusion as count_confusion
from edge_runtime.proof.metrics.rates import decimals_for as decimals_for
from edge_runtime.proof.metrics.rates import recalls as recalls
