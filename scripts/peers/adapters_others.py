"""ONNX Runtime, OpenVINO and ncnn. An adapter predicts (1, 28, 28, 1) uint8 to (10,) float32."""

import numpy as np

_SHAPE = (1, 1, 28, 28)  # of one channel, so NHWC is NCHW


class OnnxRuntime:
    """A session with one thread and all graph optimizations; buffers are bound once."""

    def __init__(self, model, precision, sample):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        self.session = onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"]
        )
        given = self.session.get_inputs()[0]
        self.pixels = np.zeros(_SHAPE, np.uint8 if given.type == "tensor(uint8)" else np.float32)
        self.probabilities = np.zeros((1, 10), np.float32)
        self.binding = self.session.io_binding()
        for bind, name, array in (
            (self.binding.bind_input, given.name, self.pixels),
            (self.binding.bind_output, "probabilities", self.probabilities),
        ):
            bind(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)
        self.version = f"ONNX Runtime {onnxruntime.__version__}"

    def predict(self, image):
        """Return the probabilities, (K,) float32."""
        self.pixels[...] = image.reshape(_SHAPE)
        self.session.run_with_iobinding(self.binding)
        return self.probabilities[0].copy()


class OpenVino:
    """One infer request, hint LATENCY, one thread; pixels as uint8 go into its own tensor."""

    def __init__(self, model, precision, sample):
        import openvino as ov
        from openvino.preprocess import PrePostProcessor

        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": 1,
            "NUM_STREAMS": 1,
            "INFERENCE_PRECISION_HINT": "f32",
        }
        steps = PrePostProcessor(ov.Core().read_model(model))
        steps.input().tensor().set_element_type(ov.Type.u8)
        compiled = ov.Core().compile_model(steps.build(), "CPU", settings)
        self.request = compiled.create_infer_request()
        self.pixels = self.request.get_input_tensor().data
        self.probabilities = self.request.get_output_tensor().data
        self.version = f"OpenVINO {ov.__version__.split('-')[0]}"

    def predict(self, image):
        """Return the probabilities, (K,) float32."""
        self.pixels[...] = image.reshape(_SHAPE)
        self.request.infer()
        return self.probabilities[0].copy()


class Ncnn:
    """An extractor for each image, one thread."""

    def __init__(self, model, precision, sample):
        import ncnn

        self.ncnn, self.net = ncnn, ncnn.Net()
        self.net.opt.num_threads = 1
        self.net.opt.use_fp16_packed = self.net.opt.use_fp16_storage = False
        self.net.opt.use_bf16_storage = False
        if self.net.load_param(model) or self.net.load_model(model.replace(".param", ".bin")):
            raise RuntimeError("ncnn could not load its model")
        self.version = f"ncnn {ncnn.__version__}"

    def predict(self, image):
        """Return the probabilities, (K,) float32."""
        pixels = image.reshape(1, 28, 28).astype(np.float32)  # kept: a Mat only points at it
        extractor = self.net.create_extractor()
        extractor.input("image", self.ncnn.Mat(pixels))
        return np.array(extractor.extract("probabilities")[1])
