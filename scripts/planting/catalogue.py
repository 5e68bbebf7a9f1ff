"""All that is planted: which kinds of faults each part of the package plans."""

from collections.abc import Callable, Iterator

from planting import answers, healthy, pixels, quantization, weights
from planting.plans import Garden, Plan

Part = Callable[[Garden], Iterator[Plan]]
PARTS: tuple[tuple[Part, tuple[str, ...]], ...] = (
    (
        pixels.scales,
        (
            "inputs-not-divided",
            "inputs-divided-twice",
            "inputs-minus-one-to-one",
            "inputs-standardized",
        ),
    ),
    (pixels.odd_factors, ("input-scale",)),
    (pixels.inversions, ("inverted",)),
    (pixels.moves, ("transposed", "mirrored", "upside-down", "rotated")),
    (pixels.channels, ("channels",)),
    (quantization.zero_points, ("input-zero-point",)),
    (quantization.input_scales, ("input-scale",)),
    (quantization.outputs, ("output-zero-point", "output-scale")),
    (answers.labels, ("labels-off-by-one", "labels-reversed", "labels-permuted")),
    (answers.softmaxes, ("softmax-twice", "softmax-missing")),
    (quantization.calibrations, ("calibration",)),
    (answers.dead, ("constant-output", "untrained", "nan")),
    (weights.flipped_bits, ("bits-flipped",)),
    (weights.lost_biases, ("bias-lost",)),
    (weights.batch_norms, ("batch-norm",)),
    (weights.checkpoints, ("other-training",)),
    (healthy.settled, (healthy.HEALTHY,)),
    (healthy.young, (healthy.HEALTHY,)),
)


def plans(seed: int, wanted: Callable[[str], bool]) -> Iterator[Plan]:
    """Yield planned faults and healthy models, as long as their kinds are wanted.

    Parts without a wanted kind are left out, so that their networks need no training.
    """
    garden = Garden(seed)
    for part, kinds in PARTS:
        planned = part(garden)
        while any(map(wanted, kinds)) and (plan := next(planned, None)):
            if wanted(plan.kind):
                yield plan
