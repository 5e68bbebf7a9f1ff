"""A classifier and a pool in several threads, in signal handlers, and in forked processes."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from conftest import ROOT

from edge_runtime.errors import ModelError
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.pool import ClassifierPool, _Job
from edge_runtime.runtimes.native import native_messages_silenced

pytestmark = pytest.mark.timeout(60)  # what hangs shall fail soon

IMAGES = np.random.default_rng(0).integers(0, 256, (203, 8, 8, 1)).astype(np.uint8)
SUBJECTS = {
    "classifier": Classifier,
    "classifier of two threads": lambda model: Classifier(model, threads=2),
    "pool": lambda model: ClassifierPool(model, workers=2),
}


@pytest.fixture(params=SUBJECTS)
def subject(request, tiny_model) -> Iterator[Classifier | ClassifierPool]:
    with SUBJECTS[request.param](tiny_model("int8")) as made:
        yield made


@pytest.fixture(scope="module")
def expected(tiny_model):
    with Classifier(tiny_model("int8")) as classifier:
        return classifier.predict(IMAGES)


def in_fork(work) -> int:
    """Return how a forked process ends that does some work; -9 if it does not end."""
    child = os.fork()
    if child == 0:
        code = 1
        with contextlib.suppress(BaseException):
            work()
            code = 0
        os._exit(code)
    for _ in range(200):
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_short_stress_finds_nothing_wrong():
    command = [sys.executable, ROOT / "scripts" / "stress-threads", "--count", "80"]
    done = subprocess.run([*command, "--limit", "50"], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1:] == ["wrong, failed or hung: 0"], done.stderr
    assert done.returncode == 0


def test_the_stress_reports_a_wrong_answer():
    """Its own check: a classifier that is not safe, as the pool's were, is found."""
    spoil = (
        "import runpy, sys, threading, edge_runtime.inference.invocation as module\n"
        "class NoLock:\n"
        "    def __enter__(self): pass\n"
        "    def __exit__(self, *error): pass\n"
        "runner = module._runner\n"
        "def unsafe(interpreter, source, result, lock):\n"
        "    return runner(interpreter, source, result, NoLock())\n"
        "module._runner = unsafe\n"
        "sys.argv = sys.argv[1:]\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    command = [sys.executable, "-c", spoil, ROOT / "scripts" / "stress-threads", "--count", "200"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)
    assert done.returncode != 0


def test_threads_that_share_one_get_their_own_answers(subject, expected):
    wrong = []

    def work(first):
        for index in range(first, len(IMAGES), 4):
            part = slice(index, index + 1 + index % 5)
            if not np.array_equal(subject.predict(IMAGES[part]), expected[part]):
                wrong.append(index)

    threads = [threading.Thread(target=work, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_signal_handler_may_predict_while_its_thread_does(subject, expected):
    in_handler, wrong = [], []

    def handle(*_):
        in_handler.append(np.array_equal(subject.predict(IMAGES[100:]), expected[100:]))

    before = signal.signal(signal.SIGALRM, handle)
    try:
        while len(in_handler) < 10:
            signal.setitimer(signal.ITIMER_REAL, 0.002)
            for index in range(0, 100, 7):
                if not np.array_equal(
                    subject.predict(IMAGES[index : index + 7]), expected[index : index + 7]
                ):
                    wrong.append(index)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert all(in_handler)
    assert wrong == []


def test_ctrl_c_ends_a_call_and_leaves_the_next_one_right(subject, expected):
    def interrupt(*_):
        raise KeyboardInterrupt

    many = np.concatenate([IMAGES] * 2000)
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        with pytest.raises(KeyboardInterrupt):
            subject.predict(many)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    np.testing.assert_array_equal(subject.predict(IMAGES), expected)


def test_more_threads_than_classifiers_take_turns(tiny_model, expected):
    """An executor that was interrupted as it started a thread starts another one."""
    with ClassifierPool(tiny_model("int8"), workers=2) as pool:
        crew = pool._crew
        crew._threads._max_workers = 5
        jobs = [_Job(IMAGES, pool._classifiers[0], workers=5) for _ in range(20)]
        for job in jobs:
            crew._submit(job)
        for job in jobs:
            job.wait()
            np.testing.assert_array_equal(job.answers, expected)


def test_what_is_closed_while_it_predicts_says_so(subject):
    started, errors = threading.Event(), []
    many = np.concatenate([IMAGES] * 2000)

    def work():
        started.set()
        try:
            subject.predict(many)
        except ModelError as error:
            errors.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    started.wait()
    time.sleep(0.01)
    subject.close()
    thread.join()
    assert len(errors) == 1
    assert "is closed; make a new one." in errors[0]


def test_an_error_of_one_worker_ends_the_call_and_no_later_one(tiny_model, expected):
    with ClassifierPool(tiny_model("int8"), workers=2) as pool:
        second = pool._classifiers[1]
        right = second.predict

        def fail(images):
            raise ModelError(f"{second.name}: fails")

        second.predict = fail
        with pytest.raises(ModelError, match=r"tiny-int8\.tflite: fails"):
            pool.predict(np.concatenate([IMAGES] * 100))
        second.predict = right
        np.testing.assert_array_equal(pool.predict(IMAGES), expected)


def test_a_fork_predicts_and_closes_what_it_inherited(subject, expected):
    subject.predict(IMAGES)

    def work():
        np.testing.assert_array_equal(subject.predict(IMAGES), expected)
        subject.close()

    assert in_fork(work) == 0
    np.testing.assert_array_equal(subject.predict(IMAGES), expected)


def test_a_fork_of_a_fork_predicts(subject, expected):
    def work():
        np.testing.assert_array_equal(subject.predict(IMAGES), expected)

    assert in_fork(lambda: sys.exit(in_fork(work)) if in_fork(work) else None) == 0


def test_a_fork_of_what_is_closed_says_so(subject):
    subject.close()

    def work():
        with pytest.raises(ModelError, match="closed; make a new one"):
            subject.predict(IMAGES)

    assert in_fork(work) == 0


def test_a_fork_while_a_thread_predicts_does_not_wait_for_it(subject, expected):
    """The thread holds a lock at the moment of the fork, and is not there to release it."""
    stop = threading.Event()

    def keep_busy():
        while not stop.is_set():
            subject.predict(IMAGES)

    thread = threading.Thread(target=keep_busy)
    thread.start()
    try:
        for _ in range(5):
            assert in_fork(lambda: subject.predict(IMAGES)) == 0
    finally:
        stop.set()
        thread.join()


def test_a_fork_that_ends_like_a_program_does_not_crash(tiny_model):
    """Destroying an inherited interpreter of two threads ended it by signal 11."""
    code = (
        "import os, sys\n"
        "from edge_runtime import Classifier\n"
        f"classifier = Classifier({str(tiny_model('int8'))!r}, threads=2)\n"
        "child = os.fork()\n"
        "if child == 0: sys.exit(0)\n"
        "sys.exit(os.waitpid(child, 0)[1])\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=30).returncode == 0


def test_standard_error_survives_threads_that_silence_it_in_turns(capfd):
    """The first to begin ends first; the second had saved what the first put in its place."""
    first, second = native_messages_silenced(), native_messages_silenced()
    first.__enter__()
    second.__enter__()
    os.write(2, b"hidden")
    first.__exit__(None, None, None)
    os.write(2, b"hidden too")
    second.__exit__(None, None, None)
    os.write(2, b"seen")
    assert capfd.readouterr().err == "seen"


def test_a_fork_while_another_thread_silences_has_its_standard_error(capfd):
    inside, stop = threading.Event(), threading.Event()

    def silence():
        with native_messages_silenced():
            inside.set()
            stop.wait()

    thread = threading.Thread(target=silence)
    thread.start()
    inside.wait()
    assert in_fork(lambda: os.write(2, b"from the fork")) == 0
    stop.set()
    thread.join()
    assert capfd.readouterr().err == "from the fork"
