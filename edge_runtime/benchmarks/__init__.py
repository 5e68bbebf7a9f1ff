"""How fast models are, how much they take, and which to take.

    found = benchmark(["float32.tflite", "int8.tflite"])
    found.measured[0].median_us

docs/how-to/benchmark.md says how it is measured, how to read it, and what may mislead.
"""

from edge_runtime.benchmarks.contestant import Contestant
from edge_runtime.benchmarks.distribution import Latency, Ratio
from edge_runtime.benchmarks.measuring import QUICK, benchmark
from edge_runtime.benchmarks.result import Benchmark, Measured
from edge_runtime.benchmarks.rounds import Rounds, Settings, Turns

__all__ = [
    "QUICK",
    "Benchmark",
    "Contestant",
    "Latency",
    "Measured",
    "Ratio",
    "Rounds",
    "Settings",
    "Turns",
    "benchmark",
]
