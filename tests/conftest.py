"""What several test files share: the sample, tiny models, a trained run, the second runtime."""

import contextlib
import functools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bundles import CLASSES, tiny_bundle
from hypothesis import settings
from PIL import Image

from edge_runtime.data.datasets import Dataset, DatasetSpec, load_dataset
from edge_runtime.files.locks import lock

# Some test files import Keras before the command line could silence TensorFlow.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# How long an example takes says more about what else the machine does.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session", autouse=True)
def cache() -> Iterator[Path]:
    """A cache of its own for the tests and all their processes: the user's is left alone."""
    with (
        tempfile.TemporaryDirectory(prefix="fmnist-edge-tests-") as folder,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("XDG_CACHE_HOME", folder)
        yield Path(folder) / "fmnist-edge"


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache in which nothing is remembered."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "fmnist-edge"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, without runs and contracts."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(scope="session")
def sample() -> Dataset:
    """The embedded sample of Fashion-MNIST."""
    return load_dataset(DatasetSpec("sample"))


@pytest.fixture(scope="session")
def tiny_model() -> Callable[[str], Path]:
    """`tiny_model("int8")` is the path of a small model; `scripts/make-test-models` makes them."""
    return lambda name: ROOT / "tests" / "fixtures" / f"tiny-{name}.tflite"


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten classes of 8 × 8 pictures, as the tiny models want them: 2 to train on, 3 to test on."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for part, count in (("train", 2), ("test", 3)):
        for name in CLASSES:
            (folder / part / name).mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 256, (8, 8)).astype(np.uint8)
                Image.fromarray(pixels).save(folder / part / name / f"{number}.png")
    return folder


@pytest.fixture(scope="session")
def bundle_of(tiny_model: Callable[[str], Path]) -> Callable[[str], bytes]:
    """`bundle_of("int8")` are the bytes of a bundle of that tiny model, made once."""
    pytest.importorskip("ai_edge_litert")
    return functools.cache(lambda name: tiny_bundle(tiny_model(name).read_bytes()))


@pytest.fixture(scope="session")
def bundles(
    tiny_model: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> list[Path]:
    """Versions 1 to 5 of a small bundle."""
    folder, model = tmp_path_factory.mktemp("bundles"), tiny_model("int8").read_bytes()
    paths = [folder / f"v{version}.edge.zip" for version in range(1, 6)]
    for version, path in enumerate(paths, 1):
        path.write_bytes(tiny_bundle(model, version=version))
    return paths


@pytest.fixture(scope="session")
def tflite_runtime_python() -> Path:
    """A Python that has tflite-runtime and this project; `scripts/test` sets it up."""
    python = ROOT / ".venv-tflite-runtime" / "bin" / "python"
    if not python.exists():
        pytest.skip("there is no .venv-tflite-runtime; scripts/test makes it with Python 3.10/3.11")
    return python


@pytest.fixture(scope="session")
def changed_model(
    tiny_model: Callable[[str], Path],
) -> Callable[[str, Callable[[Any], None]], bytes]:
    """`changed_model("int8", change)` is a tiny model after ``change`` was applied to it."""
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    flatbuffers = pytest.importorskip("flatbuffers")

    def build(name: str, change: Callable[[Any], None]) -> bytes:
        model = schema.ModelT.InitFromPackedBuf(tiny_model(name).read_bytes())
        change(model)
        builder = flatbuffers.Builder(8192)
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())

    return build


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that are there already do not count, such as those of pytest-xdist."""
    count, others = threading.active_count, threading.active_count() - 1
    monkeypatch.setattr(threading, "active_count", lambda: max(1, count() - others))


@contextlib.contextmanager
def started(command: Sequence[str | Path], **options: Any) -> Iterator["subprocess.Popen[str]"]:
    """A process that a test sends signals to; it is gone at the end of the test, failed or not.

    It takes SIGINT even when the tests themselves ignore it, as what runs in the background does.
    """
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        **options,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@dataclass(frozen=True)
class Finished:
    """What a command line left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def cli(capfd: pytest.CaptureFixture[str]) -> Callable[..., Finished]:
    """`cli("train", "--epochs", "1")` runs a command line here, TensorFlow loaded once."""
    from edge_runtime.cli import run

    def call(*arguments: object) -> Finished:
        capfd.readouterr()
        code = run([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        return Finished(code, captured.out, captured.err)

    return call


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The article's training on the sample, all five conversions and the parity report: once."""
    return made_once(tmp_path_factory, "trained", _train_convert_and_judge) / "runs" / "article"


def _train_convert_and_judge(folder: Path) -> None:
    # In one process, which loads TensorFlow once; the demo's test starts each command by itself.
    commands = (("train", "--name", "article"), ("convert", "--quantize", "all"), ("parity",))
    lines = [[*arguments, "--runs-dir", str(folder / "runs")] for arguments in commands]
    code = f"import sys; from edge_runtime.cli import run; sys.exit(any(map(run, {lines!r})))"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)


def made_once(
    tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]
) -> Path:
    """A folder that one of the processes that share the tests fills, and all of them read."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / name
    descriptor = os.open(shared / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
    try:
        lock(descriptor, wait=True)
        if not folder.exists():
            folder.mkdir()
            try:
                make(folder)
            except BaseException:
                shutil.rmtree(folder)
                raise
    finally:
        os.close(descriptor)
    return folder
