"""A process of its own that runs models for this one, and is started again when a model kills it.

Copies of a model that are made to try a correction may make the runtime crash, hang or take all
memory, though the model itself passes. Here that is a `ModelError` of the copy.
"""

import contextlib
import json
import subprocess
import sys
from collections import OrderedDict
from multiprocessing.connection import Connection, Pipe
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import EdgeError, ModelError
from edge_runtime.files.reading import sha256
from edge_runtime.inference.quantization import dequantize, quantize
from edge_runtime.models.inspection import TensorInfo, inspect_model
from edge_runtime.runtimes.backends import Backend, choose_backend
from edge_runtime.runtimes.children import command_of
from edge_runtime.runtimes.closing import Closing
from edge_runtime.runtimes.native import native_messages_silenced

_TIMEOUT_SECONDS = 120
# Interpreters that the process keeps; an examination goes back and forth between two or three.
_MOST_LOADED = 8


class Workbench(Closing):
    """Runs models in a child process under limits of memory and time.

    All raise `ModelError` where the runtime refuses the bytes of a model, fails, dies of them or
    takes too long.

    Attributes:
        backend: the runtime.
        deaths: how many models have killed their process.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.deaths = 0
        self._child: subprocess.Popen[bytes] | None = None
        self._pipe: Connection | None = None
        self._deadly: dict[str, str] = {}

    def close(self) -> None:
        """End the process, if there is one."""
        if self._pipe is not None:
            self._pipe.close()
        if self._child is not None:
            self._child.kill()
            self._child.wait()
        self._pipe = self._child = None

    def load(self, data: bytes) -> None:
        """Load a model and allocate its tensors."""
        self._ask({"do": "load"}, data, np.empty(0))

    def run(self, data: bytes, inputs: NDArray[Any]) -> NDArray[Any]:
        """Return the (N, ...) numbers of the output tensor for inputs in whole batches, (N, ...) in
        the input tensor's own numbers.
        """  # noqa: D205
        return self._ask({"do": "run"}, data, inputs)

    def answers(self, data: bytes, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a model's (N, K) dequantized outputs for (N, ...) real inputs.

        The last batch is filled up with the first input.
        """
        summary = inspect_model(data)
        quantized = quantize(inputs, summary.inputs[0])
        missing = -len(quantized) % summary.inputs[0].shape[0]
        filled = np.concatenate([quantized, np.repeat(quantized[:1], missing, axis=0)])
        return dequantize(self.run(data, filled)[: len(inputs)], summary.outputs[0])

    def observe(
        self, data: bytes, inputs: NDArray[Any], tensors: tuple[int, ...]
    ) -> NDArray[np.float64]:
        """Return (N, T, 2) the smallest and largest number of tensors for each image.

        An interpreter that keeps all tensors runs other kernels than usual, so this is evidence of
        ranges and never of answers. Each image fills a whole batch.
        """
        return self._ask({"do": "observe", "tensors": list(tensors)}, data, inputs)

    def _ask(self, request: dict[str, Any], data: bytes, inputs: NDArray[Any]) -> NDArray[Any]:
        key = sha256(data)
        if key in self._deadly:
            raise ModelError(self._deadly[key])
        pipe = self._started(len(data))
        try:
            _send(pipe, {**request, "key": key, **_described(inputs)}, inputs)
            answer = self._answer(pipe)
            if "unknown" in answer:
                pipe.send_bytes(data)
                answer = self._answer(pipe)
            if "error" in answer:
                raise ModelError(str(answer["error"]))
            numbers = np.frombuffer(pipe.recv_bytes(), answer["dtype"])
            return np.array(numbers.reshape(answer["shape"]))
        except (EOFError, OSError, ValueError, KeyError) as error:
            if isinstance(error, ModelError):
                raise
            self._deadly[key] = self._cause_of_death()
            raise ModelError(self._deadly[key]) from error

    def _answer(self, pipe: Connection) -> dict[str, Any]:
        if not pipe.poll(_TIMEOUT_SECONDS):
            raise TimeoutError
        answer: dict[str, Any] = json.loads(pipe.recv_bytes())
        return answer

    def _started(self, size_bytes: int) -> Connection:
        if self._pipe is not None:
            return self._pipe
        self._pipe, theirs = Pipe()
        with theirs:
            number = theirs.fileno()
            self._child = subprocess.Popen(
                command_of(__name__, str(number), self.backend.name, str(size_bytes)),
                pass_fds=(number,),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        return self._pipe

    def _cause_of_death(self) -> str:
        """End what is left of the process, and return what killed it."""
        self.deaths += 1
        code = None
        if self._child is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = self._child.wait(timeout=1)
        self.close()
        if code is None:
            return f"the model did not answer within {_TIMEOUT_SECONDS} s."
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return f"the runtime dies of this model ({how})."


def _described(numbers: NDArray[Any]) -> dict[str, Any]:
    return {"dtype": str(numbers.dtype), "shape": list(numbers.shape)}


def _send(pipe: Connection, head: dict[str, Any], numbers: NDArray[Any] | None = None) -> None:
    pipe.send_bytes(json.dumps(head).encode())
    if numbers is not None:
        pipe.send_bytes(np.ascontiguousarray(numbers).tobytes())


class _Server:
    """The child's side: interpreters by the hash of their model."""

    def __init__(self, pipe: Connection, backend: Backend) -> None:
        self._pipe = pipe
        self._backend = backend
        self._models: OrderedDict[str, bytes] = OrderedDict()
        self._loaded: dict[str, tuple[Any, TensorInfo, TensorInfo]] = {}

    def serve(self) -> None:
        """Answer one request after the other, until the other side hangs up."""
        from edge_runtime.inference.loading.limits import CPU_SECONDS, limit_processor_time

        with contextlib.suppress(EOFError):
            while True:
                request = json.loads(self._pipe.recv_bytes())
                numbers = np.frombuffer(self._pipe.recv_bytes(), request["dtype"])
                data = self._data(request["key"])
                limit_processor_time(CPU_SECONDS)
                self._reply(request, numbers.reshape(request["shape"]), data)

    def _reply(self, request: dict[str, Any], inputs: NDArray[Any], data: bytes) -> None:
        try:
            answer = self._done(request, inputs, data)
        except EdgeError as error:
            _send(self._pipe, {"error": str(error)})
        except (ValueError, RuntimeError) as error:
            said = f"the runtime fails: {' '.join(str(error).split())}"
            _send(self._pipe, {"error": said})
        except MemoryError:
            said = "the model needs more memory than a model of its size should."
            _send(self._pipe, {"error": said})
        else:
            _send(self._pipe, _described(answer), answer)

    def _data(self, key: str) -> bytes:
        """Return a model's bytes, which are asked for where they are not here."""
        if key not in self._models:
            _send(self._pipe, {"unknown": True})
            self._models[key] = self._pipe.recv_bytes()
            if len(self._models) > _MOST_LOADED:
                forgotten, _ = self._models.popitem(last=False)
                self._loaded.pop(forgotten, None)
        self._models.move_to_end(key)
        return self._models[key]

    def _done(self, request: dict[str, Any], inputs: NDArray[Any], data: bytes) -> NDArray[Any]:
        if request["do"] == "observe":
            return self._observed(data, inputs, request["tensors"])
        if request["key"] not in self._loaded:
            summary = inspect_model(data)
            loaded = self._backend.load(data)
            self._loaded[request["key"]] = loaded, summary.inputs[0], summary.outputs[0]
        interpreter, source, result = self._loaded[request["key"]]
        parts = [np.empty(0)]
        for batch in inputs.reshape(-1, *source.shape) if request["do"] == "run" else ():
            interpreter.set_tensor(source.index, batch)
            interpreter.invoke()
            parts.append(np.array(interpreter.get_tensor(result.index)))
        return np.concatenate(parts[1:] or parts)

    def _observed(
        self, data: bytes, inputs: NDArray[Any], tensors: list[int]
    ) -> NDArray[np.float64]:
        source = inspect_model(data).inputs[0]
        with native_messages_silenced():
            interpreter = self._backend.load(data, keep_all_tensors=True)
        found = np.empty((len(inputs), len(tensors), 2))
        for number, image in enumerate(inputs):
            batch = np.repeat(image[np.newaxis], source.shape[0], axis=0)
            interpreter.set_tensor(source.index, batch.reshape(source.shape))
            interpreter.invoke()
            for place, tensor in enumerate(tensors):
                values = interpreter.get_tensor(tensor)
                found[number, place] = values.min(), values.max()
        return found


def main() -> int:
    """Serve a `Workbench`: its pipe, the backend, and the size of the first model are arguments."""
    from edge_runtime.inference.loading.limits import limit_this_process

    backend = choose_backend(sys.argv[2])
    backend.import_runtime()
    limit_this_process(_MOST_LOADED * int(sys.argv[3]))
    with Connection(int(sys.argv[1])) as pipe, contextlib.suppress(BrokenPipeError):
        _Server(pipe, backend).serve()
    return 0
