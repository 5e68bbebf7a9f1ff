"""How far a device's numbers may lie from the golden ones, for each runtime and kernels, and why.

The figures behind the reasons are those of `scripts/measure-architectures` and
`scripts/measure-runtimes`: the article's network and 16 others of one operator each, in int8, on
x86-64 and on emulated Cortex-A53, A72 and A76.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import BundleError
from edge_runtime.runtimes.backends import Kernels

ANY = "any"

_LEAST_STEPS = 2
_LEAST_SHARE = 0.02
_FAST_KERNELS = {
    "auto": "XNNPACK gave equal scores on x86-64 and on arm64; where it is not used the runtime's "
    "own kernels differ by 1 step.",
    "built-in": "These kernels round differently from processor to processor; 1 step was measured "
    "between x86-64 and arm64.",
}
_REFERENCE_KERNELS = (
    "These kernels compute in integers and alike on every processor: 17 networks gave the same "
    "scores bit for bit on x86-64 and on arm64."
)
_LEAST_FLOAT = 1e-5
_FLOAT_FACTOR = 16


@dataclass(frozen=True)
class Tolerance:
    """What is allowed to one runtime with one kind of kernels.

    Attributes:
        runtime: the package, or "any".
        version: how the runtime's version must start; "" for any.
        kernels: "auto", "built-in", "reference" or "any".
        limit: the most by which a score may differ: steps of an integer tensor, or the difference
            of a float.
        reason: why.
        share: the largest share of all scores that may differ at all, 0 to 1; held against the run
            with the reference kernels.
    """

    runtime: str
    version: str
    kernels: str
    limit: float
    reason: str
    share: float = 1.0

    def covers(self, *, runtime: str, version: str, kernels: str) -> bool:
        """Return whether it is meant for this configuration."""
        return (
            self.runtime in (ANY, runtime)
            and version.startswith(self.version)
            and self.kernels in (ANY, kernels)
        )

    def to_dict(self) -> dict[str, Any]:
        """Return what `from_dict` reads."""
        return asdict(self)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Tolerance":
        """Read what `to_dict` wrote.

        Raises:
            BundleError: a key is missing, or a value is none that can be.
        """
        try:
            limit, share = document["limit"], document["share"]
            if type(limit) not in (int, float) or not 0 <= limit < float("inf"):
                raise ValueError(f"the limit is {limit!r:.80}")
            if type(share) not in (int, float) or not 0 <= share <= 1:
                raise ValueError(f"the share is {share!r:.80}")
            words = {key: document[key] for key in ("runtime", "version", "kernels", "reason")}
            for key, word in words.items():
                if not isinstance(word, str):
                    raise ValueError(f"the {key} is {word!r:.80}")
            return cls(limit=limit, share=share, **words)
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(f"one of its tolerances cannot be read ({error})") from error


def tolerance_for(
    allowed: Sequence[Tolerance], *, runtime: str, version: str, kernels: str
) -> Tolerance:
    """Return the first tolerance that covers a configuration.

    Raises:
        BundleError: none does.
    """
    for tolerance in allowed:
        if tolerance.covers(runtime=runtime, version=version, kernels=kernels):
            return tolerance
    raise BundleError(f"it has no tolerance for {runtime} {version} with the kernels {kernels}")


def measured_tolerances(
    reference: NDArray[Any],
    *,
    built_in: NDArray[Any],
    auto: NDArray[Any],
    kernels: Kernels = "reference",
) -> tuple[Tolerance, ...]:
    """Return what is allowed; the first that covers a configuration counts.

    Args:
        reference: (N, K) the golden scores of N images, in the tensor's dtype.
        built_in: the same with the built-in kernels, to see how much they differ for this model.
        auto: the same with those that the runtime chooses.
        kernels: what the golden scores were made with. The reference kernels are held to them
            closely only if that was by themselves.
    """
    difference = float(max(differences(reference, one).max(initial=0) for one in (built_in, auto)))
    if not np.issubdtype(reference.dtype, np.integer):
        return (_float_tolerance(difference),)
    steps = max(_LEAST_STEPS, 2 * int(difference))
    share = min(1.0, max(_LEAST_SHARE, 2 * float(np.mean(reference != built_in))))
    measured = (
        "twice the largest difference between the kernels on the golden images "
        f"({int(difference)}), {_LEAST_STEPS} at least"
    )
    others = [
        Tolerance(runtime, "", kind, steps, f"{reason} Allowed for other processors: {measured}.")
        for runtime in ("ai-edge-litert", "tflite-runtime")
        for kind, reason in _FAST_KERNELS.items()
    ]
    unknown = f"A runtime that was not measured is allowed {measured}."
    others.append(Tolerance(ANY, "", ANY, steps, unknown))
    if kernels != "reference":
        return tuple(others)
    older = (
        "Releases round differently: against LiteRT at most 0.7 % of the scores of 17 networks "
        f"differ, by 1 step. Allowed: {share:.1%} of the scores, which is twice the share between "
        f"these and the built-in kernels here, {_LEAST_SHARE:.0%} at least; by {measured}."
    )
    return (
        Tolerance("ai-edge-litert", "2.", "reference", 0, _REFERENCE_KERNELS),
        Tolerance("tflite-runtime", "2.14.", "reference", steps, older, share),
        *others,
    )


def _float_tolerance(difference: float) -> Tolerance:
    return Tolerance(
        ANY,
        "",
        ANY,
        max(_LEAST_FLOAT, _FLOAT_FACTOR * difference),
        "Sums of floats depend on the order of the terms, which differs between kernels and "
        f"processors: {_FLOAT_FACTOR} times the largest difference between the kernels on the "
        f"golden images ({difference:.1e}), {_LEAST_FLOAT:g} at least.",
    )


def differences(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.float64]:
    """Return (N,) the largest |one - other| of each row of two (N, K); NaN counts as infinite.

    Integers differ by steps.
    """
    kind = np.int64 if np.issubdtype(one.dtype, np.integer) else np.float64
    difference = np.abs(one.astype(kind) - other.astype(kind)).max(axis=1)
    off: NDArray[np.float64] = np.nan_to_num(difference.astype(np.float64), nan=np.inf)
    return off
