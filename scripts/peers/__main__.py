"""Time one network on every runtime, in interleaved rounds; see `scripts/bench-peers --help`."""

import argparse
import contextlib
import json
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from edge_runtime.errors import EdgeError
from edge_runtime.files.writing import write_atomically
from edge_runtime.models.runs import Run, find_run, open_run
from edge_runtime.runtimes.machine import machine_details
from peers.contestants import BASELINE, CONTESTANTS, Contestant, choose
from peers.results import Result, ratio_in_rounds, spread, table
from peers.workers import Worker, WorkerError

ROOT = Path(__file__).resolve().parent.parent.parent
FIGURE = ROOT / "docs" / "figures" / "peers.png"
_TEST_IMAGES = 1000
_START, _END = "<!-- measured -->", "<!-- /measured -->"


def main() -> None:
    """Prepare, measure, print, and write what was asked for."""
    options = _options()
    try:
        contestants = choose(options.only)
    except ValueError as error:
        raise SystemExit(f"Error: {error}") from None
    try:
        with tempfile.TemporaryDirectory(prefix="bench-peers-") as name:
            results, missing = _measure(contestants, Path(name), options)
    except EdgeError as error:
        raise SystemExit(f"Error: {error}") from None
    except KeyboardInterrupt:
        raise SystemExit("Interrupted; nothing was written.") from None
    text = _report(results, missing, options)
    print(text)
    if not results:
        raise SystemExit("Error: no contestant ran.")
    if options.json:
        document = {
            "machine": machine_details(),
            "rounds": options.rounds,
            "images": options.images,
            "results": [item.to_dict() for item in results],
            "missing": missing,
        }
        write_atomically(options.json, json.dumps(document, indent=2) + "\n")
    if options.out:
        _write_docs(options.out, text, results)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench-peers", description=__doc__)
    parser.add_argument("--rounds", type=_positive, default=60)
    parser.add_argument("--images", type=_positive, default=200, help="in each block of a round")
    parser.add_argument("--model", help="a run, by name or folder; by default one is trained")
    parser.add_argument(
        "--only", help="contestants whose keys start with one of these, separated by commas"
    )
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument(
        "--out", type=Path, help="write the table to this page, and draw docs/figures/peers.png"
    )
    return parser.parse_args()


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 on, got {text!r}")
    return int(text)


def _find_run(model: str | None) -> Run:
    if model is not None:
        return open_run(Path(model)) if Path(model).is_dir() else find_run(Path("runs"), model)
    from peers.prepare import fmnist_edge

    folder = ROOT / "build" / "bench-peers"
    if not (folder / "article" / "model.keras").exists():
        print("Training the article's network on the sample (once; a minute) ...", file=sys.stderr)
        fmnist_edge("train", "--runs-dir", str(folder), "--name", "article")
    return open_run(folder / "article")


def _measure(
    contestants: tuple[Contestant, ...], folder: Path, options: argparse.Namespace
) -> tuple[list[Result], dict[str, str]]:
    from peers.prepare import prepare

    prepare(_find_run(options.model), folder, _TEST_IMAGES)
    missing: dict[str, str] = {}
    if any(item.environment == ".venv-bench" for item in contestants):
        _prepare_others(folder)
    core = max(os.sched_getaffinity(0))
    with contextlib.ExitStack() as stack:
        workers: list[Worker] = []
        for contestant in contestants:
            try:
                workers.append(stack.enter_context(Worker(contestant, ROOT, folder, core)))
            except WorkerError as error:
                missing[contestant.key] = str(error)
        answers = {}
        for worker in list(workers):
            path = folder / f"{worker.contestant.key}.npy"
            try:
                worker.ask(answer=str(path))
                answers[worker.contestant.key] = np.load(path)
            except WorkerError as error:
                missing[worker.contestant.key] = str(error)
                workers.remove(worker)
        blocks = _run_rounds(workers, options, missing)
    sample = np.load(folder / "sample.npz")
    versions = {worker.contestant.key: worker.version for worker in workers}
    results = [
        _result(item, versions[item.key], blocks, answers[item.key], sample)
        for item in contestants
        if item.key not in missing
    ]
    return results, missing


def _prepare_others(folder: Path) -> None:
    python = ROOT / ".venv-bench" / "bin" / "python"
    if python.exists():
        done = subprocess.run(
            [str(python), "-m", "peers.prepare_others", str(folder)],
            env={**os.environ, "PYTHONPATH": str(ROOT / "scripts")},
            capture_output=True,
            text=True,
        )
        failed = [line for line in done.stdout.splitlines() if line.startswith(("make_", "quant"))]
        print(*failed, sep="\n", end="\n" if failed else "", file=sys.stderr)


def _run_rounds(
    workers: list[Worker], options: argparse.Namespace, missing: dict[str, str]
) -> dict[str, list[dict[str, float]]]:
    """Return the blocks of each by key; who fails is left out and told of in ``missing``."""
    blocks: dict[str, list[dict[str, float]]] = {item.contestant.key: [] for item in workers}
    for number in range(options.rounds):
        turn = number % max(1, len(workers))  # nobody always follows the same one
        for worker in workers[turn:] + workers[:turn]:
            key = worker.contestant.key
            if key in missing:
                continue
            try:
                blocks[key].append(worker.ask(block=options.images))
            except WorkerError as error:
                missing[key] = str(error)
    return blocks


def _result(contestant, version, blocks, answers, sample) -> Result:
    medians = [block["median_us"] for block in blocks[contestant.key]]
    static = blocks.get(f"{BASELINE}-{contestant.precision}")
    baseline = [block["median_us"] for block in static] if static else None
    if baseline is not None and len(baseline) != len(medians):
        baseline = None
    low, middle, high = spread(medians)
    named, keras = answers.argmax(1), sample["keras"]
    return Result(
        contestant.key,
        contestant.label,
        contestant.precision,
        version,
        middle,
        low,
        high,
        min(block["min_us"] for block in blocks[contestant.key]),
        ratio_in_rounds(medians, baseline),
        float((named == sample["labels"]).mean()),
        float((named == keras.argmax(1)).mean()),
        float(np.abs(answers - keras).max()),
    )


def _report(results: list[Result], missing: dict[str, str], options: argparse.Namespace) -> str:
    details = machine_details()
    command = shlex.join(["scripts/bench-peers", *sys.argv[1:]])
    lines = [
        f"{details['cpu']}, {details['system']}; one thread, pinned to one core.",
        f"{options.rounds} interleaved rounds of {options.images} images each; `{command}`.",
        "Versions: " + ", ".join(sorted({item.version for item in results})) + ".",
        "",
        table(results),
        "",
    ]
    labels = {item.key: item.label for item in CONTESTANTS}
    lines += [f"- Left out: {labels[key]} ({key}): {why}." for key, why in missing.items()]
    return "\n".join(lines)


def _write_docs(page: Path, text: str, results: list[Result]) -> None:
    from peers.plot import draw, headline

    write_atomically(FIGURE, draw(results, headline(results)))
    old = page.read_text("utf-8") if page.exists() else f"# Peers\n\n{_START}\n{_END}\n"
    before, _, rest = old.partition(_START)
    after = rest.partition(_END)[2]
    write_atomically(page, f"{before}{_START}\n{text.strip()}\n{_END}{after}")


if __name__ == "__main__":
    main()
