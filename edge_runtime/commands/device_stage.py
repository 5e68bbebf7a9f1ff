"""The part of `parity` that runs on devices."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from edge_runtime.commands.chain import Link
from edge_runtime.console.talk import Console
from edge_runtime.data.datasets import Dataset
from edge_runtime.data.predictions import Predictions
from edge_runtime.devices import Device, EmulatedDevice, open_device
from edge_runtime.devices.prediction import predict_on_device
from edge_runtime.devices.setup import look, set_up
from edge_runtime.errors import DeviceError, PredictionsError
from edge_runtime.proof.parity.steps import FLOAT_SCHEMES


class ReadyDevice(NamedTuple):
    """A device that was reached, and the path of `fmnist-edge` on it."""

    device: Device
    program: str


def ready_devices(
    names: Sequence[str], links: Sequence[Link], console: Console
) -> list[ReadyDevice]:
    """Reach each device, named as `open_device` takes it, before anything slow is done here.

    Raises:
        DeviceError: a device cannot be reached, or has no fmnist-edge.
        PredictionsError: the chain has no model file that could be sent.
    """
    if names and not any(_can_be_sent(link) for link in links):
        raise PredictionsError(
            "There is no .tflite file or bundle in this chain that a device could run; name one."
        )
    return [_ready(open_device(name), console) for name in names]


def _ready(device: Device, console: Console) -> ReadyDevice:
    console.say(f"looking at {device.name}")
    facts = look(device)
    if isinstance(device, EmulatedDevice):
        # It is ours: it always has the code that is here.
        done = set_up(device, facts, offline=True, compiled=False, say=console.say)
        return ReadyDevice(device, done.program)
    if not facts.program:
        raise DeviceError(
            f"{device.name} has no fmnist-edge yet; set it up with: fmnist-edge deploy "
            f"{device.name}"
        )
    return ReadyDevice(device, facts.program)


def run_on_device(
    ready: ReadyDevice,
    links: Sequence[Link],
    chain: Sequence[Predictions],
    dataset: Dataset,
    console: Console,
) -> Predictions:
    """Let a device run the last quantized model that was run here, and return what it says.

    ``chain`` is what each of the ``links`` said here about the images of the dataset.
    """
    device = ready.device
    path, name = _last_quantized(links, chain)
    with console.progress(dataset.test.images.nbytes, f"to {device.label}") as advance:
        predictions = predict_on_device(
            device,
            ready.program,
            path,
            dataset,
            name=f"{name}@{device.label}",
            say=console.say,
            progress=advance,
        )
    if isinstance(device, EmulatedDevice):  # its times and its memory are not those of a Pi
        return predictions.with_details(latency_us=None, memory_bytes=None)
    return predictions


def _can_be_sent(link: Link) -> bool:
    return link.predictions is None and not link.is_full


def _last_quantized(links: Sequence[Link], chain: Sequence[Predictions]) -> tuple[Path, str]:
    """Return the path of the model, and what it is called here."""
    pairs = zip(links, chain, strict=True)
    models = [(link.path, said) for link, said in pairs if _can_be_sent(link)]
    quantized = [pair for pair in models if pair[1].details.get("scheme") not in FLOAT_SCHEMES]
    path, said = (quantized or models)[-1]
    return path, said.model
