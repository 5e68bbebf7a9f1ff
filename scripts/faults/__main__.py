"""Cut the power, fill the disk and break it at every file event of the commands.

Each command is run once to list what it does with files. Then, for every such event and fault:

    kill     the process is killed before it; also once more while the command is repeated
    ENOSPC   it fails as on a full disk
    EIO      it fails as on a broken disk

Afterwards every file must be as it was before or as it is after, whole; no traceback may be seen;
and the command, repeated without a fault, must end as it does undisturbed: with the same exit code,
names and bytes, and nothing else left. Exit code 1 if one of these is missed.

    scripts/inject-faults                        every event of every command, and 100 second kills
    scripts/inject-faults --count 40 --seed 1    so many faults, drawn at random
    scripts/inject-faults --commands install,rollback --pairs all
    scripts/inject-faults --trace                with strace: is the list of events complete?
"""

import argparse
import collections
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from faults.commands import Scenario, make_inputs, scenarios
from faults.pool import in_children
from faults.processes import import_everything
from faults.sweep import KINDS, Fault, Prepared, prepare, try_fault
from faults.tracing import missed_events


def main() -> int:
    """Inject every fault, or some of them."""
    options = _options()
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="inject-faults-") as scratch:
        folder = Path(scratch)
        chosen = _chosen(scenarios(folder / "inputs"), options.commands)
        tensorflow = any(scenario.needs_tensorflow for scenario in chosen)
        import_everything(tensorflow=tensorflow)
        in_children([partial(make_inputs, folder / "inputs", tensorflow=tensorflow)], 1)
        prepared = _prepare_all(chosen, folder, options.jobs)
        if options.trace:
            return _trace(prepared)
        faults = _plan(prepared, options)
        results = _run_all(faults, prepared, options)
    return _report(faults, results, time.monotonic() - begin)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/inject-faults",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--commands", default="", help="only these, as in train,install")
    parser.add_argument("--kinds", default=",".join(KINDS), help="only these faults")
    parser.add_argument("--count", type=int, default=0, help="so many faults; 0: all")
    parser.add_argument("--pairs", default="100", help="so many second kills, or all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--from-copies",
        action="store_true",
        help="instead of killing, take a copy that was made before the event; sooner for train",
    )
    parser.add_argument("--trace", action="store_true", help="compare the events with strace's")
    return parser.parse_args()


def _chosen(every: Sequence[Scenario], names: str) -> list[Scenario]:
    wanted = [name for name in names.split(",") if name]
    known = {scenario.command for scenario in every}
    if unknown := set(wanted) - known:
        raise SystemExit(f"No such command: {', '.join(sorted(unknown))}")
    return [scenario for scenario in every if not wanted or scenario.command in wanted]


def _prepare_all(chosen: Sequence[Scenario], folder: Path, jobs: int) -> dict[str, Prepared]:
    places = {scenario.name: folder / str(number) for number, scenario in enumerate(chosen)}
    tasks = [partial(prepare, scenario, places[scenario.name]) for scenario in chosen]
    prepared = {one.scenario.name: one for one in in_children(tasks, jobs)}
    for name, one in prepared.items():
        states = len(set(one.states))
        print(f"{name}: {len(one.events)} file events, {states} states", file=sys.stderr)
    return prepared


def _plan(prepared: dict[str, Prepared], options: argparse.Namespace) -> list[Fault]:
    """Return the faults to inject. Kills that leave the same files are one."""
    draw = random.Random(options.seed)
    kinds = options.kinds.split(",")
    faults, pairs = [], []
    for name, one in prepared.items():
        numbered = list(enumerate(one.events, 1))
        kills = [
            Fault(name, "kill", number, one.events[number - 1])
            for number in sorted(set(one.states))
        ]
        faults += kills if "kill" in kinds else []
        faults += [
            Fault(name, kind, number, shown)
            for kind in kinds
            if kind != "kill"
            for number, shown in numbered
        ]
        if "kill" in kinds:
            pairs += [replace(kill, again=number) for kill in kills for number, _ in numbered]
    wanted = len(pairs) if options.pairs == "all" else min(int(options.pairs), len(pairs))
    faults += draw.sample(pairs, wanted)
    return draw.sample(faults, min(options.count, len(faults))) if options.count else faults


def _run_all(
    faults: Sequence[Fault], prepared: dict[str, Prepared], options: argparse.Namespace
) -> list[str]:
    def tasks() -> Iterator[Callable[[], str]]:
        for number, fault in enumerate(faults, 1):
            if number % 50 == 0:
                print(f"{number} of {len(faults)} faults", file=sys.stderr)
            one = prepared[fault.scenario]
            yield partial(_tried, fault, one, options.from_copies)

    return in_children(tasks(), options.jobs)


def _tried(fault: Fault, prepared: Prepared, from_copies: bool) -> str:
    problem = try_fault(fault, prepared, from_copies=from_copies)
    if problem:
        print(f"FAILED  {fault}: {problem}", file=sys.stderr)
    return problem


def _report(faults: Sequence[Fault], results: Sequence[str], seconds: float) -> int:
    """Print what came of each kind of fault, and every failure."""
    kinds = [f"{fault.scenario}, {fault.kind}{' twice' if fault.again else ''}" for fault in faults]
    bad = collections.Counter(kind for kind, result in zip(kinds, results, strict=True) if result)
    for kind, count in sorted(collections.Counter(kinds).items()):
        print(f"{kind:<30} {count:>6}  {bad[kind]:>4} bad ends")
    for fault, result in zip(faults, results, strict=True):
        if result:
            print(f"FAILED  {fault}: {result}")
    print(f"{len(faults)} faults, {sum(bad.values())} failures, {seconds:.0f} s")
    return 1 if bad else 0


def _trace(prepared: dict[str, Prepared]) -> int:
    code = 0
    for name, one in prepared.items():
        missed = missed_events(one)
        print(f"{name:<20} {len(one.events):>4} events: {'; '.join(missed) or 'complete'}")
        code |= bool(missed)
    return code


if __name__ == "__main__":
    sys.exit(main())
