"""The device stage of the chain: the same model and the same images, run on the device."""

import shlex
import tempfile
from collections.abc import Callable
from contextlib import suppress
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


def predict_on_device(
    device: Device,
    program: str,
    model: Path,
    dataset: Dataset,
    *,
    name: str,
    say: Callable[[str], None] = lambda message: None,
    progress: Progress = lambda done: None,
) -> Predictions:
    """Return what a model says about the test images when a device runs it.

    What the device has from an earlier time is not sent again: files there are named by their hash.

    Args:
        device: the device.
        program: the path of `fmnist-edge` there.
        model: the .tflite file or the bundle on this machine.
        dataset: the images.
        name: what reports call the result.
        say: called with what is going on.
        progress: called with the number of bytes that went out since the last call.

    Raises:
        DeviceError: the device cannot be reached, or the model does not run there.
        ModelError: the model cannot be read here.
        PredictionsError: what came back is damaged.
    """
    images = stored_images(dataset)
    images_path = f"{_WORKSPACE}/images/{_key(images)}{IMAGES_SUFFIX}"
    files = _model_files(model)
    key = _key("".join(sha256(data) for _, data in files).encode())
    parcels = [Parcel(data, f"{_WORKSPACE}/models/{key}/{file_name}") for file_name, data in files]
    say(f"sending {len(dataset.test):,} images and {model.name} to {device.name}")
    put_files(device, [*parcels, Parcel(images, images_path)], progress=progress)
    say(f"running {model.name} on {device.name}")
    result = f"{_WORKSPACE}/{key}-{_key(images)}{PREDICTIONS_SUFFIX}"
    command = [program, "predict", parcels[0].target, "--dataset", f"images:{images_path}"]
    command += ["--name", name, "--out", result, "--force", "--quiet"]
    check(device, device.run(command), f"run {model.name}")
    predictions = _load(get_file(device, result))
    with suppress(DeviceLostError):  # it would do no harm there
        device.run(["rm", "-f", "--", result])
    if predictions.details.get("model_sha256") is None:
        raise DeviceError(
            f"{device.name} does not say what it ran; update it: fmnist-edge deploy "
            f"{shlex.quote(device.name)}"
        )
    return predictions


def _key(data: bytes) -> str:
    return sha256(data)[:16]


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
