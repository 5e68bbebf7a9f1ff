"""How fast models are, how much they take, and which to take.

    contestants = open_contestants([Path("int8.tflite")], backends=[choose_backend()])
    found = run_benchmark(contestants, settings=Settings())
    found.measured[0].turns.array.median_us

docs/how-to/benchmark.md says how it is measured, how to read it, and what may mislead.
"""

from edge_runtime.benchmarks.contestant import Contestant, open_contestants
from edge_runtime.benchmarks.distribution import Latency, Ratio
from edge_runtime.benchmarks.measuring import run_benchmark
from edge_runtime.benchmarks.result import Benchmark, Measured, Settings
from edge_runtime.benchmarks.rounds import Rounds, Turns

__all__ = [
    "Benchmark",
    "Contestant",
    "Latency",
    "Measured",
    "Ratio",
    "Rounds",
    "Settings",
    "Turns",
    "open_contestants",
    "run_benchmark",
]
