"""The command `inspect`."""

from pathlib import Path
from typing import Any

import click

from edge_runtime.commands.options import ModelPath
from edge_runtime.console.help import command
from edge_runtime.console.talk import result_options
from edge_runtime.console.terminal import echo, echo_json
from edge_runtime.devices.installed import Installed
from edge_runtime.errors import ManifestError, ModelError, ReleaseError
from edge_runtime.models.bundle.contents import Bundle
from edge_runtime.models.inspection import (
    ModelSummary,
    RuntimeSupport,
    TensorInfo,
    inspect_model,
    runtime_support,
)
from edge_runtime.models.model_file import ModelFile, is_bundle, read_model, read_model_bytes
from edge_runtime.models.signing.verification import SignatureState, signature_state


@command(
    examples=(
        ("What a file is, and which runtimes can run it", "fmnist-edge inspect model.tflite"),
        (
            "Every tensor with its scale and zero point",
            "fmnist-edge inspect model.tflite --tensors",
        ),
    ),
)
@click.argument("model", type=ModelPath())
@click.option("--tensors", is_flag=True, help="List every tensor.")
@result_options
def inspect(model: Path, tensors: bool, as_json: bool) -> None:
    """Say what a .tflite file is, without running it: its scheme, operators and their versions,
    tensors, input and output, size, the runtimes that can run it, and whether it is well-formed.

    MODEL is a .tflite, a bundle, or the word `installed`. Of a bundle it also says the version, the
    size, the golden vectors, the oldest runtimes that it needs, and which key has signed it.
    """  # noqa: D205
    file, note = _read(model)
    try:
        summary = inspect_model(file.data)
    except ModelError as error:
        raise ModelError(f"{model}: {error}") from error
    runtimes = runtime_support(summary)
    signature = _signature(model, file.bundle) if file.bundle else None
    if as_json:
        document = {
            "model": str(model),
            "well_formed": True,
            **summary.to_dict(),
            "runtimes": [support.to_dict() for support in runtimes],
            "manifest": file.manifest.to_dict() if file.manifest else None,
            "manifest_error": note or None,
            "bundle": _bundle_facts(file.bundle) if file.bundle else None,
            "signature": signature.to_dict() if signature else None,
        }
        echo_json(document)
        return
    _print_summary(model, summary, runtimes)
    if file.bundle:
        _print_bundle(file.bundle)
    if signature:
        echo(f"signature   {signature.in_words}")
    if note:
        echo(f"manifest    {note}")
    elif file.manifest is None:
        echo("manifest    none beside it: classes are numbered, pictures are never inverted")
    else:
        echo(f"classes     {', '.join(file.manifest.class_names)}")
    if not tensors:
        return
    echo("tensors")
    for tensor in summary.tensors:
        kind = "constant" if tensor.is_constant else "computed"
        echo(f"  {tensor.index:>4}  {kind}  {_describe(tensor)}  {tensor.name}")


def _read(model: Path) -> tuple[ModelFile, str]:
    """Return the model, and what is wrong with its manifest if it is sound without that."""
    try:
        return read_model(model), ""
    except ManifestError as error:
        if is_bundle(model):
            raise
        return ModelFile(str(model), read_model_bytes(model)), str(error)


def _signature(model: Path, bundle: Bundle) -> SignatureState:
    """Return what the signature beside a bundle is worth on this machine."""
    try:
        return Installed().trusted.state(model, bundle.sha256)
    except ReleaseError:  # there is no home folder, and so no trusted key
        return signature_state(model, bundle.sha256, ())


def _print_summary(
    model: Path, summary: ModelSummary, runtimes: tuple[RuntimeSupport, ...]
) -> None:
    echo(f"model       {model}")
    echo("well-formed yes")
    echo(f"size        {summary.size_bytes:,} bytes, SHA-256 {summary.sha256}")
    echo(f"scheme      {summary.scheme}")
    echo(*(f"input       {_describe(tensor)}" for tensor in summary.inputs))
    echo(*(f"output      {_describe(tensor)}" for tensor in summary.outputs))
    operators = ", ".join(
        f"{use.name} v{use.version}" + (f" ×{use.count}" if use.count > 1 else "")
        for use in summary.operators
    )
    echo(f"operators   {operators}")
    for support in runtimes:
        reason = "" if support.supported else f": {'; '.join(support.problems)}"
        echo(f"runs on     {support.runtime}: {'yes' if support.supported else 'no'}{reason}")


def _bundle_facts(bundle: Bundle) -> dict[str, Any]:
    return {
        "version": bundle.version,
        "sha256": bundle.sha256,
        "size_bytes": bundle.size_bytes,
        "golden_vectors": len(bundle.golden),
        "minimum_runtime": bundle.minimum_runtime,
    }


def _print_bundle(bundle: Bundle) -> None:
    echo(f"bundle      version {bundle.version}")
    echo(f"            {bundle.size_bytes:,} bytes, SHA-256 {bundle.sha256}")
    echo(f"golden      {len(bundle.golden)} vectors")
    needs = " or ".join(f"{name} ≥ {oldest}" for name, oldest in bundle.minimum_runtime.items())
    echo(f"needs       {needs or 'no runtime that its manifest names'}")


def _describe(tensor: TensorInfo) -> str:
    shape = " × ".join(str(side) for side in tensor.shape)
    text = f"{tensor.dtype} {shape}"
    if len(tensor.scales) == 1:
        zero_point = tensor.zero_points[0] if tensor.zero_points else 0
        text += f", scale {tensor.scales[0]:g}, zero point {zero_point}"
    elif tensor.scales:
        text += f", {len(tensor.scales)} scales along axis {tensor.quantized_dimension}"
    return text
