"""The device stage of the chain: the same model and the same images, run on the device."""

import shlex
import tempfile
from collections.abc import Callable
from pathlib import Path

from edge_runtime.data.datasets import Dataset
from edge_runtime.data.datasets.stored import IMAGES_SUFFIX, stored_images
from edge_runtime.data.predictions import PREDICTIONS_SUFFIX, Predictions
from edge_runtime.devices.device import Device, Progress, check
from edge_runtime.devices.transfer import Parcel, get_file, put_files
from edge_runtime.errors import DeviceError, DeviceLostError
from edge_runtime.files.reading import sha256
from edge_runtime.models.model_file import (
    found_manifest_path,
    is_bundle,
    manifest_path,
    read_model_bytes,
)

_WORKSPACE = ".cache/fmnist-edge"
_SHOWN_DIGITS = 16


def predict_on_device(
    device: Device,
    program: str,
    model: Path,
    dataset: Dataset,
    *,
    name: str,
    backend: str | None = None,
    say: Callable[[str], None] = lambda message: None,
    progress: Progress = lambda done: None,
) -> Predictions:
    """Return what a model says about the test images when a device runs it.

    What the device has from an earlier time is not sent again: files there are called by their
    hash.

    Args:
        device: the device.
        program: the path of `fmnist-edge` there.
        model: the .tflite file or the bundle on this machine.
        dataset: the images.
        name: what reports call the result.
        backend: the runtime to use there; by default what the device chooses.
        say: called with what is going on.
        progress: called with the number of bytes that went out since the last call.

    Raises:
        DeviceError: the device cannot be reached, or the model does not run there.
        ModelError: the model cannot be read here.
        PredictionsError: what came back is damaged.
    """
    images = stored_images(dataset)
    images_path = f"{_WORKSPACE}/images/{sha256(images)[:_SHOWN_DIGITS]}{IMAGES_SUFFIX}"
    files = _model_files(model)
    key = sha256("".join(sha256(data) for _, data in files).encode())[:_SHOWN_DIGITS]
    folder = f"{_WORKSPACE}/models/{key}"
    parcels = [Parcel(data, f"{folder}/{file_name}") for file_name, data in files]
    say(f"sending {len(dataset.test):,} images and {model.name} to {device.name}")
    put_files(device, [*parcels, Parcel(images, images_path)], progress=progress)
    say(f"running {model.name} on {device.name}")
    result = f"{_WORKSPACE}/{key}-{sha256(images)[:_SHOWN_DIGITS]}{PREDICTIONS_SUFFIX}"
    options = ["--backend", backend] if backend else []
    answer = device.run(
        [
            *(program, "predict", parcels[0].target, "--dataset", f"images:{images_path}"),
            *("--name", name, "--out", result, "--force", "--quiet", *options),
        ]
    )
    check(device, answer, f"run {model.name}")
    predictions = _load(get_file(device, result))
    _forget(device, result)
    if predictions.details.get("model_sha256") is None:
        raise DeviceError(f"{device.name} does not say what it ran; update it: {_deploy(device)}")
    return predictions


def _model_files(model: Path) -> list[tuple[str, bytes]]:
    """Return the names and the bytes of a model and of the manifest beside it."""
    files = [(model.name, read_model_bytes(model))]
    beside = found_manifest_path(model)
    if not is_bundle(model) and beside.is_file():
        files.append((manifest_path(model).name, beside.read_bytes()))
    return files


def _load(data: bytes) -> Predictions:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"device{PREDICTIONS_SUFFIX}"
        path.write_bytes(data)
        return Predictions.load(path)


def _forget(device: Device, path: str) -> None:
    """Remove a result that is here now; that it stays there would do no harm."""
    try:
        device.run(["rm", "-f", "--", path])
    except DeviceLostError:
        return


def _deploy(device: Device) -> str:
    return f"fmnist-edge deploy {shlex.quote(device.name)}"
