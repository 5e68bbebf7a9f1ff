"""A model that nobody vouches for runs under limits, and one image takes no other with it."""

import csv
import faulthandler
import json
import os
import subprocess
import sys
import threading

import hostile
import numpy as np
import pytest
from PIL import Image

from edge_runtime.errors import ModelError
from edge_runtime.inference.careful import careful_classifier
from edge_runtime.inference.classifier import Classifier
from edge_runtime.inference.confined import ConfinedClassifier
from edge_runtime.inference.loading import limits, open_model
from edge_runtime.models.model_file import ModelFile
from edge_runtime.runtimes.forked import Worker, WorkerLostError, may_fork

pytestmark = pytest.mark.timeout(120)

REASONS = {
    "fails": "ai-edge-litert fails on this image: gather index out of bounds",
    "takes_gigabytes": "ai-edge-litert fails on this image: Node number",
    # Of processor time, or on a busy machine of the clock on the wall.
    "loops_for_ever": "on this image the model did not answer within",
}


@pytest.fixture(autouse=True)
def short_limits(monkeypatch):
    monkeypatch.setattr(limits, "CPU_SECONDS", 1)


@pytest.fixture(params=REASONS)
def reason(request):
    return request.param


@pytest.fixture
def model(reason, changed_model, tmp_path):
    path = tmp_path / f"{reason}.tflite"
    path.write_bytes(changed_model("float32", getattr(hostile, reason)))
    return path


@pytest.fixture
def images():
    """Three 8 × 8 images, of which the second makes the models misbehave."""
    pixels = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 1)).astype(np.uint8)
    pixels[:, 0, 0, 0] = 3, hostile.TRIGGER, 3
    return pixels


@pytest.fixture
def pictures(images, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, pixels in zip("abc", images, strict=True):
        Image.fromarray(pixels[..., 0]).save(folder / f"{name}.png")
    return folder


def test_the_checks_accept_such_a_model(model):
    assert open_model(model).manifest is None


def test_a_picture_that_the_runtime_fails_on_takes_no_other_with_it(
    cli, model, reason, pictures, images, tiny_model
):
    done = cli("classify", model, *(pictures / f"{name}.png" for name in "abc"))
    with Classifier(tiny_model("float32")) as healthy:
        right = [str(healthy.classify(image).label) for image in images]
    assert done.code == 1
    assert [line.split()[-1] for line in done.out.splitlines()] == [right[0], right[2]]
    assert f"Error: {pictures / 'b.png'}: {model}: {REASONS[reason]}" in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("reason", ["fails"], indirect=True)
def test_so_it_is_with_a_folder_as_json_and_as_csv(cli, model, pictures):
    as_json = cli("classify", model, pictures, "--json")
    results = json.loads(as_json.out)["results"]
    assert as_json.code == 1
    assert ["error" in result for result in results] == [False, True, False]
    assert REASONS["fails"] in results[1]["error"]
    as_csv = cli("classify", model, pictures, "--csv")
    rows = list(csv.DictReader(as_csv.out.splitlines()))
    assert as_csv.code == 1
    assert [row["picture"] for row in rows] == [str(pictures / f"{name}.png") for name in "ac"]
    assert REASONS["fails"] in as_csv.err


@pytest.mark.parametrize("reason", ["fails"], indirect=True)
def test_in_python_the_runtime_s_failure_is_one_of_ours(model, images):
    """Of any model, also of one that is vouched for and runs in this process."""
    with Classifier(ModelFile("vouched for", model.read_bytes())) as classifier:
        with pytest.raises(ModelError, match="vouched for: ai-edge-litert fails on this image"):
            classifier.predict(images)
        with pytest.raises(ModelError, match="vouched for: ai-edge-litert fails on this image"):
            classifier.predict(images[1:2])
        assert len(classifier.predict(images[2:])) == 1


def test_predictions_need_every_image_and_say_which_one_failed(
    cli, model, reason, images, here, tmp_path
):
    for split in ("train", "test"):
        for label in "0123456789":
            (tmp_path / "set" / split / label).mkdir(parents=True)
            for number, pixels in enumerate(images[[0, 2]]):
                name = tmp_path / "set" / split / label / f"{number}.png"
                Image.fromarray(pixels[..., 0]).save(name)
    bad = tmp_path / "set" / "test" / "0" / "1.png"
    Image.fromarray(images[1, ..., 0]).save(bad)
    done = cli("predict", model, "--dataset", f"folder:{tmp_path / 'set'}")
    assert done.code == 1
    assert done.err.splitlines()[-1].startswith(f"Error: {model}: {REASONS[reason]}")
    assert "of 20; predictions need all of them, so none were made." in done.err
    assert list(here.iterdir()) == []


def test_a_confined_classifier_answers_like_one_that_is_not(tiny_model, images):
    with (
        Classifier(tiny_model("int8")) as free,
        ConfinedClassifier(tiny_model("int8")) as confined,
    ):
        many = np.concatenate([images] * 20)
        np.testing.assert_array_equal(confined.predict(many), free.predict(many))
        probabilities, seconds = confined.predict_each(images)
        np.testing.assert_array_equal(probabilities, free.predict(images))
        assert seconds.shape == (3,)
        assert (seconds > 0).all()
        assert confined.delegation() == free.delegation()
        assert confined.classify(images[0]).label == free.classify(images[0]).label
        assert len(confined.predict(images[:0])) == 0


def test_a_closed_one_says_so_and_leaves_no_process(tiny_model, images):
    confined = ConfinedClassifier(tiny_model("int8"))
    confined.predict(images)
    process = confined._worker._process
    confined.close()
    confined.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    with pytest.raises(ModelError, match="closed; make a new one"):
        confined.predict(images)


def test_only_a_model_without_a_manifest_is_confined(tiny_model, bundle_of, tmp_path):
    assert may_fork()
    lone = open_model(tiny_model("int8"))
    assert type(careful_classifier(lone)) is ConfinedClassifier
    bundle = tmp_path / "int8.edge.zip"
    bundle.write_bytes(bundle_of("int8"))
    assert type(careful_classifier(open_model(bundle))) is Classifier


def test_a_program_of_several_threads_is_not_forked(tiny_model):
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        assert type(careful_classifier(open_model(tiny_model("int8")))) is Classifier
    finally:
        stop.set()
        thread.join()


def test_a_worker_that_does_not_answer_in_time_is_lost():
    def make():
        def wait(request):
            threading.Event().wait()
            return request

        return wait

    with Worker(make) as worker:
        worker.send(b"")
        with pytest.raises(WorkerLostError, match="did not answer within 1 s"):
            worker.receive(seconds=1)


def test_a_worker_that_dies_says_of_what():
    def make():
        def die(request):
            faulthandler.disable()  # pytest's, which would print where it died
            os.kill(os.getpid(), 11)
            return request

        return die

    with Worker(make) as worker:
        worker.send(b"")
        with pytest.raises(WorkerLostError, match=r"the runtime dies of it \(signal 11\)"):
            worker.receive()


def test_ctrl_c_while_a_worker_starts_makes_no_second_copy_of_the_program():
    code = (
        "import os, signal\n"
        "from edge_runtime.runtimes.forked import Worker\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "os.register_at_fork(after_in_child=lambda: os.kill(os.getpid(), signal.SIGINT))\n"
        "with Worker(lambda: bytes.upper) as worker:\n"
        "    worker.send(b'answered')\n"
        "    print(worker.receive())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "b'ANSWERED'\n", "")
