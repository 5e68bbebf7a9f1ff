"""The proof: do converted models still answer like the full one, and if not, since which step?"""

from edge_runtime.proof.parity.chain import TIE_RULE as TIE_RULE
from edge_runtime.proof.parity.chain import judge as judge
from edge_runtime.proof.parity.checks import EXIT_CODES as EXIT_CODES
from edge_runtime.proof.parity.checks import Check as Check
from edge_runtime.proof.parity.checks import Decision as Decision
from edge_runtime.proof.parity.contract import Budgets as Budgets
from edge_runtime.proof.parity.contract import Contract as Contract
from edge_runtime.proof.parity.contract import Margins as Margins
from edge_runtime.proof.parity.flips import Flip as Flip
from edge_runtime.proof.parity.judgement import Comparison as Comparison
from edge_runtime.proof.parity.judgement import Judgement as Judgement
from edge_runtime.proof.parity.movement import MovedAnswer as MovedAnswer
from edge_runtime.proof.parity.movement import Movement as Movement
from edge_runtime.proof.parity.significance import CellChange as CellChange
from edge_runtime.proof.parity.significance import ClassChange as ClassChange
from edge_runtime.proof.parity.significance import cell_changes as cell_changes
from edge_runtime.proof.parity.significance import class_changes as class_changes
from edge_runtime.proof.parity.steps import STEP_NAMES as STEP_NAMES
from edge_runtime.proof.parity.steps import Step as Step
from edge_runtime.proof.parity.steps import StepKind as StepKind
