"""Whether packing pixels pays, and into which windows to cut the rows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

_LANES = 8  # channels that one step multiplies
_TILE = 16  # output channels that are computed together
_MOST_OUTPUTS = 16
# Below this share of the multiplications a rewrite is worth to be tried.
_WORTHWHILE = 0.75


@dataclass(frozen=True)
class Convolution:
    """The first convolution of a graph.

    Attributes:
        index: its place among the operators.
        operator: itself, in the schema's classes.
        kernel: (K, kH, kW, C).
        input_shape: (B, H, W, C).
        output_shape: (B, H, W, K).
    """

    index: int
    operator: Any
    kernel: NDArray[np.int8]
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]

    @property
    def stride(self) -> int:
        """Pixels from one output of a row to the next."""
        return int(self.operator.builtinOptions.strideW)

    @property
    def reach(self) -> int:
        """How many pixels of a row one output looks at, dilation included."""
        dilation = int(self.operator.builtinOptions.dilationWFactor)
        return int((self.kernel.shape[2] - 1) * dilation + 1)

    @property
    def padding(self) -> tuple[int, int, int]:
        """Pixels of padding: above, below, left (SAME of TensorFlow, the larger half behind)."""
        options = self.operator.builtinOptions
        if options.padding == schema.Padding.VALID:
            return 0, 0, 0
        tall = (self.kernel.shape[1] - 1) * options.dilationHFactor + 1
        missing = (self.output_shape[1] - 1) * options.strideH + tall - self.input_shape[1]
        rows = max(0, missing)
        columns = max(
            0, (self.output_shape[2] - 1) * self.stride + self.reach - self.input_shape[2]
        )
        return rows // 2, rows - rows // 2, columns // 2


@dataclass(frozen=True)
class Plan:
    """How to pack; sizes are in pixels.

    Attributes:
        outputs: neighbouring outputs that are computed from one window.
        step: from the start of a window to that of the next.
        pieces: steps that a window is long.
        windows: windows of a row.
    """

    outputs: int
    step: int
    pieces: int
    windows: int

    @property
    def together(self) -> int:
        """How many pieces that lie behind each other are copied as one.

        All pieces of a window, where their number divides the windows; else each one alone.
        """
        return self.pieces if self.windows % self.pieces == 0 else 1

    @property
    def window(self) -> int:
        """How long a window is."""
        return self.pieces * self.step

    @property
    def row(self) -> int:
        """Pixels of a row that the windows reach over."""
        return self.step * (self.windows + self.pieces - 1)

    @property
    def copies(self) -> int:
        """Separate pieces that are copied for each row."""
        return self.windows // self.together * self.pieces


def choose_plan(convolution: Convolution) -> Plan | None:
    """Return the plan with the fewest multiplications; of equal ones with the fewest copies."""
    channels = convolution.input_shape[3]
    columns, filters = convolution.output_shape[2:]
    plans = {}
    for outputs in range(2, min(columns, _MOST_OUTPUTS) + 1):
        step = outputs * convolution.stride
        reach = (outputs - 1) * convolution.stride + convolution.reach
        plan = Plan(outputs, step, -(-reach // step), columns // outputs)
        if columns % outputs == 0:
            lanes = _round_up(plan.window * channels, _LANES)
            work = lanes * _round_up(outputs * filters, _TILE) / outputs
            plans[work, plan.copies, outputs] = plan
    plain = convolution.kernel.shape[2] * _round_up(channels, _LANES) * _round_up(filters, _TILE)
    if not plans or min(plans)[0] > _WORTHWHILE * plain:
        return None
    return plans[min(plans)]


def _round_up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple
