"""Whether contestants keep the budgets of a contract."""

from collections.abc import Sequence
from dataclasses import replace

from edge_runtime.benchmarks.result import Measured
from edge_runtime.proof.parity.checks import check_budgets
from edge_runtime.proof.parity.contract import Budgets


def judged(measured: Sequence[Measured], budgets: Budgets) -> list[Measured]:
    """Return them with the budgets that they keep or break.

    A float32 model beside others is what they are compared with, and is held to none.
    """
    found = []
    for each in measured:
        if each.summary.scheme == "float32" and any(
            other.summary.scheme != "float32" for other in measured
        ):
            found.append(each)
            continue
        details = {
            "size_bytes": each.summary.size_bytes,
            "latency_us": {"median": each.median_us},
            "memory_bytes": each.memory_bytes,
        }
        found.append(replace(each, checks=check_budgets(each.name, details, budgets)))
    return found
