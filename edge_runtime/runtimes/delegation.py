"""Which of a loaded model's operators XNNPACK took over."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Delegation:
    """Who runs the operators of a loaded model.

    Attributes:
        outside_xnnpack: the operators that XNNPACK left to the runtime's own kernels, sorted.
        operator_count: how many operators there are.
    """

    outside_xnnpack: tuple[str, ...]
    operator_count: int

    @property
    def inside_xnnpack(self) -> int:
        """How many operators XNNPACK took over."""
        return self.operator_count - len(self.outside_xnnpack)


def read_delegation(interpreter: Any) -> Delegation:
    """Return who runs the operators of an interpreter whose tensors are allocated."""
    operators = interpreter._get_ops_details()
    output = int(interpreter.get_output_details()[0]["index"])
    return Delegation(
        tuple(_outside_xnnpack(operators, output)),
        sum(operator["op_name"] != "DELEGATE" for operator in operators),
    )


def _outside_xnnpack(operators: list[dict[str, Any]], output: int) -> list[str]:
    """Return the names of the operators that run on the runtime's own kernels, sorted.

    A part that XNNPACK took over appears as an operator DELEGATE behind the original ones, which
    stay listed. So walk back from the output: where a delegate makes a tensor, the original
    operator behind it does not run.
    """
    made_by: dict[int, dict[str, Any]] = {}
    for operator in operators:  # delegates come last, and take the place of what they replace
        made_by.update({int(index): operator for index in operator["outputs"]})
    outside: list[str] = []
    seen: set[int] = set()
    waiting = [output]
    while waiting:
        operator = made_by.get(waiting.pop(), {})
        if not operator or int(operator["index"]) in seen:
            continue
        seen.add(int(operator["index"]))
        if operator["op_name"] != "DELEGATE":
            outside.append(operator["op_name"])
        waiting += [int(index) for index in operator["inputs"]]
    return sorted(outside)
