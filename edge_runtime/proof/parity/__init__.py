"""The proof: do converted models still answer like the full one, and if not, since which step?"""

from edge_runtime.proof.parity.chain import TIE_RULE, judge
from edge_runtime.proof.parity.checks import EXIT_CODES, Check, Decision
from edge_runtime.proof.parity.contract import Budgets, Contract, Margins
from edge_runtime.proof.parity.flips import Flip
from edge_runtime.proof.parity.judgement import Comparison, Judgement
from edge_runtime.proof.parity.movement import MovedAnswer, Movement
from edge_runtime.proof.parity.significance import (
    CellChange,
    ClassChange,
    cell_changes,
    class_changes,
)
from edge_runtime.proof.parity.steps import STEP_NAMES, Step, StepKind

__all__ = [
    "EXIT_CODES",
    "STEP_NAMES",
    "TIE_RULE",
    "Budgets",
    "CellChange",
    "Check",
    "ClassChange",
    "Comparison",
    "Contract",
    "Decision",
    "Flip",
    "Judgement",
    "Margins",
    "MovedAnswer",
    "Movement",
    "Step",
    "StepKind",
    "cell_changes",
    "class_changes",
    "judge",
]
