"""How fast some models are and what they take: the function that users call."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, get_args

import numpy as np
from numpy.typing import NDArray

from edge_runtime.benchmarks.contestant import Material, named_models, open_contestants
from edge_runtime.benchmarks.phases import Progress, measure
from edge_runtime.benchmarks.result import Benchmark
from edge_runtime.benchmarks.rounds import Rounds, Settings
from edge_runtime.data.datasets import Dataset, DatasetSpec, load_dataset
from edge_runtime.errors import InputError
from edge_runtime.inference.given import GivenModel
from edge_runtime.inference.network import refuse_wrong_threads
from edge_runtime.inference.pool import usable_cores
from edge_runtime.proof.parity.contract import Budgets, Contract
from edge_runtime.proof.parity.contract_file import load_contract
from edge_runtime.runtimes.backends import Backend, Kernels, choose_backend
from edge_runtime.wording import spelled_out

if TYPE_CHECKING:
    from typing_extensions import Unpack

QUICK = Settings(Rounds(rounds=10), loads=1, starts=1, seconds=0.1, repeats=1)


class Options(TypedDict, total=False):
    """How a benchmark measures.

    Attributes:
        backends: the runtimes to compare; by default the one that `choose_backend` takes.
        kernels: "auto", "built-in" (without XNNPACK) or "reference" (slow), or several of them.
        threads: of each interpreter; by default 1.
        rounds: how often each model takes its turn; by default 40, or 10 with ``quick``.
        images_per_round: how many are timed in a turn, at most; by default 100. Each figure also
            ends after 20 ms.
        workers: threads and processes that share the cores for throughput; by default as many as
            there are cores.
        seed: of the order within the rounds; by default 0.
        quick: 10 rounds, and everything else only once.
    """

    backends: Backend | str | Sequence[Backend | str]
    kernels: Kernels | Sequence[Kernels]
    threads: int
    rounds: int | None
    images_per_round: int
    workers: int | None
    seed: int
    quick: bool


@spelled_out(Options)
def benchmark(
    models: GivenModel | Sequence[GivenModel] | Mapping[str, GivenModel],
    *,
    images: NDArray[np.uint8] | None = None,
    dataset: Dataset | str | None = None,
    must_fit: bool = True,
    contract: Contract | str | Path | None = None,
    predictions_folders: Sequence[str | Path] = (),
    progress: Progress | None = None,
    **options: "Unpack[Options]",
) -> Benchmark:
    """Measure how fast models are and what they take, and say which to take.

    The models take turns in every round; the others are compared with the first one. It takes a few
    seconds for each model. Nothing is printed, and nothing is written but temporary files. What is
    found has times in µs and ms, sizes in bytes, and accuracies as fractions.

    Examples:
        >>> found = benchmark("int8.tflite", dataset="sample", rounds=2, workers=1, quick=True)
        >>> int8 = found.measured[0]
        >>> int8.name, int8.turns.array.images <= 200, int8.contestant.threads
        ('int8', True, 1)
        >>> int8.median_us > 0
        True

    Args:
        models: a model or several: paths of .tflite files or bundles, their bytes, or what
            `converter.convert` returned. A mapping, as of `convert_all`, gives them names;
            otherwise the file's is taken, and bytes are "model 1" and so on. Without a path
            ``start`` is None, as `classify` takes a file.
        images: (N, H, W, C) uint8 pixels to measure with, without labels, so that nothing is
            scored. By default the test images of the dataset, or random pixels.
        dataset: its test images are timed and scored; a dataset, or its source, such as "sample".
        must_fit: refuse models that the dataset does not fit. Otherwise these are timed on random
            pixels and not scored.
        contract: a contract, or the path of its file; the models are checked against its budgets.
            A float32 model beside others is only what they are compared with, and is not checked.
        predictions_folders: where stored predictions of the models are looked for, which save
            classifying the test images again.
        progress: called as ``progress(phase, done, total)`` while each phase goes on.
        options: how to measure, see `edge_runtime.benchmarks.measuring.Options`.

    Raises:
        InputError: an argument has another type, shape or range than it should.
        ModelError: a model is missing, damaged, no image classifier, or named twice.
        DatasetError: the dataset cannot be loaded, or does not fit.
        ContractError: the contract cannot be read, or limits what cannot be measured here.
        MissingDependencyError: a backend is not installed.
        EdgeError: there is no such backend, or a process that measures fails.
    """
    settings, running = _checked(**options)
    material, budgets = _material(images, dataset, must_fit), _budgets(contract)
    return measure(
        open_contestants(named_models(models), **running),
        material,
        settings=settings,
        predictions_folders=[Path(folder) for folder in predictions_folders],
        budgets=budgets,
        progress=progress or (lambda phase, done, total: None),
    )


def _checked(
    *,
    backends: Backend | str | Sequence[Backend | str] = (),
    kernels: Kernels | Sequence[Kernels] = "auto",
    threads: int = 1,
    rounds: int | None = None,
    images_per_round: int = Rounds.images,
    workers: int | None = None,
    seed: int = 0,
    quick: bool = False,
) -> tuple[Settings, dict[str, Any]]:
    """Return how to measure, and what `open_contestants` takes besides the models."""
    refuse_wrong_threads(threads)
    base = QUICK if quick else Settings()
    rounds = base.rounds.rounds if rounds is None else rounds
    workers = usable_cores() if workers is None else workers
    counts = {"rounds": rounds, "images_per_round": images_per_round, "workers": workers}
    for name, value in {**counts, "seed": seed}.items():
        least = 0 if name == "seed" else 1
        if type(value) is not int or value < least:
            raise InputError(
                f"Expected {name} to be a whole number from {least} on, got {value!r}."
            )
    settings = replace(base, rounds=Rounds(rounds, images_per_round, seed=seed), workers=workers)
    named = [backends] if isinstance(backends, Backend | str) else dict.fromkeys(backends)
    found = [each if isinstance(each, Backend) else choose_backend(str(each)) for each in named]
    chosen = [kernels] if isinstance(kernels, str) else list(dict.fromkeys(kernels))
    for kernel in chosen:
        if kernel not in get_args(Kernels):
            raise InputError(
                f"Expected kernels to be {', '.join(get_args(Kernels))}, got {kernel!r}."
            )
    running = {"backends": found or [choose_backend()], "kernels": chosen or ["auto"]}
    return settings, {**running, "threads": threads}


def _material(
    images: NDArray[np.uint8] | None, dataset: Dataset | str | None, must_fit: bool
) -> Material:
    if images is not None and dataset is not None:
        raise InputError(
            "Expected images or a dataset, got both; give the dataset alone to measure with its "
            "test images."
        )
    if images is not None:
        array = np.asarray(images)
        if array.dtype != np.uint8 or array.ndim != 4 or len(array) == 0:
            raise InputError(
                "Expected images of shape (N, H, W, C) and dtype uint8 with N from 1 on, got "
                f"{array.shape} {array.dtype}."
            )
        return Material(images=array)
    if isinstance(dataset, str):
        dataset = load_dataset(DatasetSpec(dataset), needs=("test",))
    if not isinstance(dataset, Dataset | None):
        raise _wrong_type("dataset", "a Dataset or the text of its source", dataset)
    return Material(dataset=dataset, must_fit=must_fit)


def _budgets(contract: Contract | str | Path | None) -> Budgets:
    if isinstance(contract, str | Path):
        contract = load_contract(Path(contract))
    if not isinstance(contract, Contract | None):
        raise _wrong_type("contract", "a Contract or the path of its file", contract)
    return contract.budgets if contract else Budgets()


def _wrong_type(name: str, expected: str, got: object) -> InputError:
    return InputError(f"Expected {name} to be {expected}, got {type(got).__name__}.")
