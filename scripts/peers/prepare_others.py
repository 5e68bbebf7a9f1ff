"""Make the files of ONNX Runtime, OpenVINO and ncnn from weights.npz; runs in `.venv-bench`.

    python -m peers.prepare_others FOLDER

It prints a line for what could not be made; the others are made all the same.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np


def main() -> None:
    """Make them all."""
    folder = Path(sys.argv[1])
    for make in (make_onnx, quantize_onnx, make_openvino, make_ncnn):
        _try(make, folder)


def _try(make: Callable[[Path], None], folder: Path) -> None:
    try:
        make(folder)
    except Exception as error:  # whatever a peer's tools raise; the driver tells what is missing
        print(f"{make.__name__}: {type(error).__name__}: {str(error).splitlines()[:1]}")


def channels_first(folder: Path) -> dict[str, np.ndarray]:
    """Return the weights for NCHW: kernels OIHW, the last (10, 512) over C, H, W."""
    weights = dict(np.load(folder / "weights.npz"))
    for number in range(3):
        weights[f"w{number}"] = weights[f"w{number}"].transpose(3, 2, 0, 1).copy()
    weights["w3"] = (
        weights["w3"].reshape(4, 4, 32, 10).transpose(3, 2, 0, 1).reshape(10, 512).copy()
    )
    return weights


def make_onnx(folder: Path) -> None:
    """Write onnx-float32.onnx: (1, 1, 28, 28) float32 to (1, 10)."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = channels_first(folder)
    node, last, nodes = helper.make_node, "image", []
    for number, pads in enumerate(([0] * 4, [1, 1, 2, 2], [0] * 4)):
        names = [last, f"w{number}", f"b{number}"]
        nodes.append(node("Conv", names, [f"c{number}"], name=f"conv{number}", pads=pads))
        nodes.append(node("Relu", [f"c{number}"], [f"r{number}"], name=f"relu{number}"))
        last = f"r{number}"
        if number < 2:
            nodes.append(node("MaxPool", [last], [f"p{number}"], name=f"pool{number}",
                              kernel_shape=[2, 2], strides=[2, 2]))  # fmt: skip
            last = f"p{number}"
    nodes.append(node("Flatten", [last], ["flat"], name="flatten"))
    nodes.append(node("Gemm", ["flat", "w3", "b3"], ["scores"], name="classes", transB=1))
    nodes.append(node("Softmax", ["scores"], ["probabilities"], name="softmax"))
    graph = helper.make_graph(
        nodes,
        "article",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, 28, 28])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [1, 10])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, folder / "onnx-float32.onnx")


def quantize_onnx(folder: Path) -> None:
    """Write onnx-int8.onnx: QDQ, U8S8, weights per channel, calibrated by the same images."""
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.images = iter(_calibration(folder))

        def get_next(self):
            image = next(self.images, None)
            return None if image is None else {"image": image}

    quantize_static(
        folder / "onnx-float32.onnx",
        folder / "onnx-int8.onnx",
        Reader(),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    _take_bytes(folder / "onnx-int8.onnx")


def _take_bytes(path: Path) -> None:
    """Let a quantized graph take uint8 pixels if their scale is 1: quantizing does nothing then."""
    import onnx
    from onnx import numpy_helper

    model = onnx.load(path)
    constants = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
    first = next(node for node in model.graph.node if "image" in node.input)
    scale, zero_point = (constants[name] for name in first.input[1:3])
    if first.op_type != "QuantizeLinear" or scale != 1 or zero_point != 0:
        return
    model.graph.node.remove(first)
    for node in model.graph.node:
        node.input[:] = ["image" if name == first.output[0] else name for name in node.input]
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.UINT8
    onnx.checker.check_model(model)
    onnx.save(model, path)


def _calibration(folder: Path) -> list[np.ndarray]:
    images = np.load(folder / "sample.npz")["calibration"].astype(np.float32)
    return [image.reshape(1, 1, 28, 28) for image in images]


def make_openvino(folder: Path) -> None:
    """Write openvino-float32.xml and, by NNCF, openvino-int8.xml."""
    import openvino as ov

    model = ov.Core().read_model(folder / "onnx-float32.onnx")
    ov.save_model(model, folder / "openvino-float32.xml", compress_to_fp16=False)
    import nncf

    images = nncf.Dataset(_calibration(folder))
    quantized = nncf.quantize(model, images, subset_size=len(_calibration(folder)))
    ov.save_model(quantized, folder / "openvino-int8.xml", compress_to_fp16=False)


def make_ncnn(folder: Path) -> None:
    """Write ncnn-float32.param and .bin by hand; ncnn fuses ReLU into its convolutions."""
    weights = channels_first(folder)
    rows = ["Input image 0 1 image 0=28 1=28 2=1"]
    last = "image"
    for number, (kernel, before, after) in enumerate(((5, 0, 0), (4, 1, 2), (3, 0, 0))):
        rows.append(
            f"Convolution conv{number} 1 1 {last} c{number} 0=32 1={kernel} 4={before} 14={before} "
            f"15={after} 16={after} 5=1 6={weights[f'w{number}'].size} 9=1"
        )
        last = f"c{number}"
        if number < 2:
            rows.append(f"Pooling pool{number} 1 1 {last} p{number} 0=0 1=2 2=2 5=1")
            last = f"p{number}"
    rows.append(f"Flatten flatten 1 1 {last} flat")
    rows.append("InnerProduct classes 1 1 flat scores 0=10 1=1 2=5120")
    rows.append("Softmax softmax 1 1 scores probabilities 0=0 1=1")
    text = "\n".join(["7767517", f"{len(rows)} {len(rows)}", *rows, ""])
    (folder / "ncnn-float32.param").write_text(text)
    with (folder / "ncnn-float32.bin").open("wb") as file:
        for number in range(4):
            file.write(bytes(4))  # the weights follow as float32
            file.write(weights[f"w{number}"].astype("<f4").tobytes())
            file.write(weights[f"b{number}"].astype("<f4").tobytes())


if __name__ == "__main__":
    main()
