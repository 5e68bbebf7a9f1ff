"""A .tflite that was converted and proved, and how it gets onto the disk."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from converter.speedup import Speedup
from edge_runtime.errors import ConversionError
from edge_runtime.files.writing import to_json, write_together
from edge_runtime.inference.loading.probe import ProbeResult
from edge_runtime.models.inspection import ModelSummary, RuntimeSupport
from edge_runtime.models.manifest import Manifest
from edge_runtime.models.model_file import ModelFile, manifest_path
from edge_runtime.proof.health import Health
from edge_runtime.wording import html_table


@dataclass(frozen=True)
class Verification:
    """What was found when a converted model was loaded and run, in a process of its own.

    Attributes:
        probed: what the runtime made of it: its version, and the operators outside of XNNPACK.
        runtimes: where it runs, judged by operator versions and tensor types.
        made_for: the runtime that it was made for, and how it was proved.
        health: how often it is right on training images; None without labelled images.
    """

    probed: ProbeResult
    runtimes: tuple[RuntimeSupport, ...]
    made_for: Mapping[str, str]
    health: Health | None = None

    @property
    def supporting(self) -> list[str]:
        """The names of the runtimes that can run it."""
        return [support.runtime for support in self.runtimes if support.supported]


@dataclass(frozen=True, eq=False, repr=False)
class Converted:
    """A .tflite model that was proved to load and run; nothing is written before `save`.

    Attributes:
        scheme: how it is quantized: float32, float16, dynamic, int8 or int16x8.
        data: the bytes of the .tflite.
        manifest: what lies beside it: class names, preprocessing, how it was made.
        summary: what the file is: tensors, operators, size.
        verification: what was found when it was run.
        speedup: what packing pixels does to it; None if it was not tried.
    """

    scheme: str
    data: bytes
    manifest: Manifest
    summary: ModelSummary
    verification: Verification
    speedup: Speedup | None = None

    @property
    def file(self) -> ModelFile:
        """The model as `Classifier`, `predict` and `compare` of edge_runtime take it."""
        return ModelFile(self.scheme, self.data, self.manifest)

    def save(self, path: str | Path) -> Path:
        """Write the model as `NAME.tflite`, its manifest before it, and replace what is there.

        Raises:
            ConversionError: the path does not end in .tflite.
            OSError: it cannot be written.
        """
        path = Path(path)
        if path.suffix != ".tflite":
            raise ConversionError(f"Expected a path that ends in .tflite, got '{path}'.")
        put_in_place({path: self})
        return path

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        health = self.verification.health
        return {
            "recipe": self.scheme,
            **graph_facts(self.summary, self.verification.runtimes),
            "probe": self.verification.probed.to_dict(),
            "made_for": dict(self.verification.made_for),
            "packing": self.speedup.to_dict() if self.speedup else None,
            "health": health.to_dict() if health else None,
        }

    def rows(self) -> list[tuple[str, str]]:
        """Return what a reader wants to know first, in words: pairs of a name and a value."""
        found = self.verification
        source, result = self.summary.inputs[0], self.summary.outputs[0]
        rows = [
            ("size", f"{self.summary.size_bytes:,} bytes"),
            ("input", f"{source.dtype} {source.shape}"),
            ("output", f"{result.dtype} {result.shape}, {self.manifest.output}"),
            ("XNNPACK", found.probed.xnnpack),
            ("ran in", found.made_for["ran_in"]),
            ("runs on", ", ".join(found.supporting)),
        ]
        if self.speedup is not None:
            rows.append(("packing", str(self.speedup)))
        if found.health is not None:
            rate = found.health.accuracy
            right = f"{rate.value:.1%} of {rate.total:,} {found.health.images}"
            rows.append(("right", found.health.warning or right))
        return rows

    def __repr__(self) -> str:
        facts = "; ".join(f"{name} {value}" for name, value in self.rows()[:3])
        return f"<Converted to {self.scheme}: {facts}>"

    def _repr_html_(self) -> str:
        return html_table(list(self.rows()), title=f"Converted to {self.scheme}")


def graph_facts(summary: ModelSummary, runtimes: tuple[RuntimeSupport, ...]) -> dict[str, Any]:
    """Return what the manifest says of the graph."""
    return {
        "scheme": summary.scheme,
        "size_bytes": summary.size_bytes,
        "input": asdict(summary.inputs[0]),
        "output_tensor": asdict(summary.outputs[0]),
        "operators": [asdict(operator) for operator in summary.operators],
        "runtimes": [support.to_dict() for support in runtimes],
    }


def put_in_place(converted: Mapping[Path, Converted]) -> None:
    """Write several .tflite files and their manifests, and none before all are on the disk.

    Each manifest comes before its model, which without one would be refused.

    Raises:
        OSError: they cannot be written.
    """
    contents: dict[Path, bytes | str] = {}
    for path, item in converted.items():
        contents[manifest_path(path)] = to_json(item.manifest.to_dict()) + "\n"
        contents[path] = item.data
    write_together(contents)
