"""fmnist-edge, LiteRT, tflite-runtime. Adapters predict (1, H, W, 1) uint8 to (K,) float32."""

from pathlib import Path

import numpy as np


def _interpreter(model):
    try:
        import ai_edge_litert
        from ai_edge_litert.interpreter import Interpreter

        version = f"LiteRT {ai_edge_litert.__version__}"
    except ImportError:
        import tflite_runtime
        from tflite_runtime.interpreter import Interpreter

        version = f"tflite-runtime {tflite_runtime.__version__}"
    interpreter = Interpreter(model_path=model, num_threads=1)
    interpreter.allocate_tensors()
    return interpreter, version


class _Quantization:
    """To the model's input by a table of 256 pixels, and from its output by another."""

    def __init__(self, given, answered):
        self.integer = given["dtype"] != np.float32
        if self.integer:
            scale, zero = given["quantization"]
            limits = np.iinfo(given["dtype"])
            steps = np.round(np.arange(256) / scale + zero)
            self.pixels = np.clip(steps, limits.min, limits.max).astype(given["dtype"])
            self.scale, self.zero = answered["quantization"]

    def enter(self, image):
        return self.pixels[image] if self.integer else image.astype(np.float32)

    def leave(self, output):
        if not self.integer:
            return output
        return (output.astype(np.float32) - self.zero) * np.float32(self.scale)


class SetGet:
    """`set_tensor`, `invoke`, `get_tensor`, as the documentation shows."""

    def __init__(self, model, precision, sample):
        self.interpreter, self.version = _interpreter(model)
        given = self.interpreter.get_input_details()[0]
        answered = self.interpreter.get_output_details()[0]
        self.input, self.output = given["index"], answered["index"]
        self.quantization = _Quantization(given, answered)

    def predict(self, image):
        """Return the probabilities, (K,) float32."""
        self.interpreter.set_tensor(self.input, self.quantization.enter(image))
        self.interpreter.invoke()
        return self.quantization.leave(self.interpreter.get_tensor(self.output))[0]


class Invoke(SetGet):
    """The bare interpreter: `timed` is `invoke` alone; `predict` goes all the way."""

    def timed(self, image):
        """Run the interpreter on what it was given last."""
        self.interpreter.invoke()


class Ours:
    """`edge_runtime.Classifier.predict` on what `fmnist-edge convert` made."""

    def __init__(self, model, precision, sample):
        from edge_runtime import Classifier

        self.classifier = Classifier(Path(model))
        self.version = f"LiteRT {self.classifier.backend.version}"

    def predict(self, image):
        """Return the probabilities, (K,) float32."""
        return self.classifier.predict(image)[0]


class Compiled:
    """LiteRT's CompiledModel with host buffers that are made once."""

    def __init__(self, model, precision, sample):
        from ai_edge_litert.compiled_model import CompiledModel, CpuOptions, Options

        interpreter, version = _interpreter(model)
        given = interpreter.get_input_details()[0]
        answered = interpreter.get_output_details()[0]
        self.quantization = _Quantization(given, answered)
        self.version = version
        self.count, self.dtype = int(np.prod(answered["shape"])), answered["dtype"]
        self.model = CompiledModel.from_file(
            model, options=Options(cpu_options=CpuOptions(num_threads=1))
        )
        self.inputs = self.model.create_input_buffers(0)
        self.outputs = self.model.create_output_buffers(0)

    def predict(self, image):
        """Return the probabilities, (K,) float32."""
        self.inputs[0].write(self.quantization.enter(image))
        self.model.run_by_index(0, self.inputs, self.outputs)
        return self.quantization.leave(self.outputs[0].read(self.count, self.dtype))
