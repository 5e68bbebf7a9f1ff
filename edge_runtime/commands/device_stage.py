"""The part of `parity` that runs on devices."""

from collections.abc import Sequence
from dataclasses import dataclass

from edge_runtime.commands.chain import Link
from edge_runtime.console.talk import Console
from edge_runtime.data.datasets import Dataset
from edge_runtime.data.predictions import Predictions
from edge_runtime.devices import Device, EmulatedDevice, open_device
from edge_runtime.devices.prediction import predict_on_device
from edge_runtime.devices.setup import look, set_up
from edge_runtime.errors import DeviceError, PredictionsError
from edge_runtime.proof.parity.steps import FLOAT_SCHEMES


@dataclass(frozen=True)
class ReadyDevice:
    """A device that was reached and has this project's software.

    Attributes:
        device: the device.
        program: the path of `fmnist-edge` there.
    """

    device: Device
    program: str


def ready_devices(
    names: Sequence[str], links: Sequence[Link], console: Console
) -> list[ReadyDevice]:
    """Reach each device before anything slow is done here.

    Args:
        names: as `open_device` takes them.
        links: the chain, which must have a model to send.
        console: where words go.

    Raises:
        DeviceError: a device cannot be reached, or has no fmnist-edge.
        PredictionsError: the chain has no model file.
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
    done: Sequence[Link],
    dataset: Dataset,
    console: Console,
) -> Link:
    """Let a device run the last quantized model of the chain.

    Args:
        ready: the device.
        links: the chain before its models were run here.
        done: the same with predictions.
        dataset: the images.
        console: where words go.

    Returns:
        A link with what the device said.
    """
    chosen = _last_quantized(links, done)
    path, here = chosen.path, chosen.predictions
    name = here.model if here else chosen.stem
    label = ready.device.label
    size = dataset.test.images.nbytes
    with console.progress(size, f"to {label}") as advance:
        predictions = predict_on_device(
            ready.device,
            ready.program,
            path,
            dataset,
            name=f"{name}@{label}",
            say=console.say,
            progress=advance,
        )
    return Link(path, _without_meaningless_figures(ready.device, predictions))


def _can_be_sent(link: Link) -> bool:
    return link.predictions is None and not link.is_full


def _last_quantized(links: Sequence[Link], done: Sequence[Link]) -> Link:
    models = [new for old, new in zip(links, done, strict=True) if _can_be_sent(old)]
    quantized = [
        link
        for link in models
        if link.predictions and link.predictions.details.get("scheme") not in FLOAT_SCHEMES
    ]
    return (quantized or models)[-1]


def _without_meaningless_figures(device: Device, predictions: Predictions) -> Predictions:
    """Drop the times and the memory of an emulator: they are not those of a Pi."""
    if not isinstance(device, EmulatedDevice):
        return predictions
    return predictions.with_details(latency_us=None, memory_bytes=None)
