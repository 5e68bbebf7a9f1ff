"""PyTorch: frozen TorchScript in float32, eager static quantization (x86) in int8."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from peers.prepare_others import channels_first


def _network(weights):
    layers = [
        nn.Conv2d(1, 32, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.ConstantPad2d((1, 2, 1, 2), 0.0), nn.Conv2d(32, 32, 4), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 32, 3), nn.ReLU(), nn.Flatten(), nn.Linear(512, 10),
    ]  # fmt: skip
    trained = [layer for layer in layers if hasattr(layer, "weight")]
    with torch.no_grad():
        for number, layer in enumerate(trained):
            layer.weight.copy_(torch.from_numpy(weights[f"w{number}"]))
            layer.bias.copy_(torch.from_numpy(weights[f"b{number}"]))
    return layers


class Torch:
    """From the weights, one thread; traced and frozen."""

    def __init__(self, model, precision, sample):
        torch.set_num_threads(1)
        torch.set_grad_enabled(False)
        layers = _network(channels_first(Path(model).parent))
        example = torch.zeros(1, 1, 28, 28)
        network = nn.Sequential(*layers, nn.Softmax(1)).eval()
        if precision == "int8":
            network = self._quantized(layers, sample)
        frozen = torch.jit.freeze(torch.jit.trace(network, example))
        # For int8 it finds nothing to do.
        self.network = torch.jit.optimize_for_inference(frozen) if precision != "int8" else frozen
        self.version = f"PyTorch {torch.__version__}"

    def _quantized(self, layers, sample):
        from torch.ao import quantization as tq

        torch.backends.quantized.engine = "x86"
        body = nn.Sequential(tq.QuantStub(), *layers, tq.DeQuantStub(), nn.Softmax(1)).eval()
        tq.fuse_modules(body, [["1", "2"], ["5", "6"], ["8", "9"]], inplace=True)
        body.qconfig = tq.get_default_qconfig("x86")
        tq.prepare(body, inplace=True)
        for image in np.load(sample)["calibration"]:
            body(torch.from_numpy(image.reshape(1, 1, 28, 28).astype(np.float32)))
        return tq.convert(body)

    def predict(self, image):
        """Return the probabilities, (K,) float32."""
        pixels = torch.from_numpy(image.reshape(1, 1, 28, 28).astype(np.float32))
        return self.network(pixels).numpy()[0]
