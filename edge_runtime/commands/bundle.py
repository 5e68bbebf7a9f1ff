"""The command `bundle`."""

from functools import partial
from pathlib import Path
from typing import Any

import click

from edge_runtime.commands.bundle_files import (
    known_bundles,
    next_version,
    signer_of_options,
    write_bundle,
)
from edge_runtime.commands.chain import converted_in
from edge_runtime.commands.keys import passphrase_option
from edge_runtime.commands.options import (
    backend_option,
    dataset_options,
    file_option,
    is_word_installed,
    named_dataset,
    run_options,
)
from edge_runtime.commands.outputs import chosen_file
from edge_runtime.commands.releases import accuracy_in_words
from edge_runtime.console.help import command
from edge_runtime.console.numeric import Whole
from edge_runtime.console.talk import Console, pass_console, result_options
from edge_runtime.console.terminal import echo, echo_json
from edge_runtime.data.datasets import Dataset, DatasetSpec, load_dataset
from edge_runtime.data.predictions import Predictions
from edge_runtime.errors import BundleError
from edge_runtime.files.writing import refuse_unwritable_folder
from edge_runtime.inference.bundling.making import bundle as make_bundle
from edge_runtime.inference.loading import open_model
from edge_runtime.models.bundle.contents import Bundle
from edge_runtime.models.bundle.document import LARGEST_VERSION
from edge_runtime.models.lineage import FullModel, Lineage, full_models, run_for_images
from edge_runtime.models.model_file import (
    BUNDLE_SUFFIX,
    is_bundle,
    model_stem,
    read_model,
    refuse_missing,
)
from edge_runtime.models.runs import Run, find_run
from edge_runtime.models.signing.keys import short
from edge_runtime.models.signing.making import Signer
from edge_runtime.models.signing.verification import signature_path, signature_state
from edge_runtime.proof.health import warning_line
from edge_runtime.runtimes.backends import choose_backend

_PREFERRED = "int8.tflite"


@command(
    first=("out",),
    examples=(
        ("The int8 file of the latest run", "fmnist-edge bundle"),
        (
            "Signed, with the key that `keys new` made",
            "fmnist-edge bundle runs/latest/int8.tflite --sign release.key",
        ),
    ),
)
@click.argument("model", required=False, type=click.Path(path_type=Path))
@run_options
@dataset_options(default=None)
@file_option(
    "--out",
    "Where to write, a folder or a name that ends in .edge.zip.  [default: beside MODEL]",
)
@click.option(
    "--bundle-version",
    type=Whole(min=1, max=LARGEST_VERSION),
    metavar="N",
    help="A device refuses a smaller one than it has.  [default: that of a bundle with the same "
    "content in --runs-dir or at --out; else one more than the largest there]",
)
@click.option("--force", is_flag=True, help="Replace a bundle of another content.")
@file_option(
    "--sign", "Sign it with this private key; `keys new` makes one.", to="key", metavar="KEY"
)
@passphrase_option
@backend_option
@result_options
@pass_console
def bundle(
    console: Console,
    /,
    model: Path | None,
    run_name: str | None,
    runs_dir: str,
    out: Path | None,
    bundle_version: int | None,
    force: bool,
    key: Path | None,
    passphrase_file: Path | None,
    backend: str | None,
    as_json: bool,
    **dataset_choice: Any,
) -> None:
    """Pack a model with all that a device needs into one file that proves itself: NAME.edge.zip.

    MODEL is a .tflite; by default the latest run's int8.tflite, or its smallest. The bundle holds
    the model, class names and preprocessing, 32 golden vectors with which each device shows that it
    computes what it should, figures with intervals, and a model card. The same run gives the same
    bytes.

    The golden images are training images, the figures are of the test images: those of the run, or
    of --dataset.

    --sign writes two more files beside it: NAME.edge.zip.sig, an OpenSSF Model Signing v1.0
    signature that a device can demand, and NAME.edge.zip.pub, the public key. With --sign MODEL may
    be a bundle that is there already. The network is not used.
    """
    named = named_dataset(dataset_choice)
    signer = signer_of_options(key, passphrase_file)
    if signer and model is not None and is_bundle(model):
        given = (run_name, bundle_version, backend, named)
        _sign_existing(console, model, _target(model, out), signer, given, force, as_json)
        return
    lineage = Lineage(Path(runs_dir), run_name)
    path, source = _model_and_images(model, lineage, named)
    target = _target(path, out)
    refuse_unwritable_folder(target.parent)
    file = open_model(path, backend=backend)
    dataset = source.load_dataset() if isinstance(source, Run) else load_dataset(source)
    full = _full_model(path, lineage)
    console.say(f"bundling {path}")
    make = partial(
        make_bundle,
        file,
        dataset,
        backend=choose_backend(backend),
        full=_full(full, dataset),
        training=full.run.config.get("training") if full and full.run else None,
    )
    if bundle_version is None:
        made = next_version(make, file, known_bundles(Path(runs_dir), target))
    else:
        made = make(version=bundle_version)
    write_bundle(console, target, made.data, signer, force=force)
    _print(target, path, made, as_json)


def _sign_existing(
    console: Console,
    model: Path,
    target: Path,
    signer: Signer,
    given: tuple[object, ...],
    force: bool,
    as_json: bool,
) -> None:
    """Sign a bundle as it is; what only a new one can be given is refused."""
    if any(value is not None for value in given):
        raise click.UsageError(
            f"{model} is a bundle already; it is signed as it is, so only --out, --force and "
            "--passphrase-file go with --sign here."
        )
    found = read_model(model).bundle
    assert found is not None
    write_bundle(console, target, found.data, signer, force=force)
    _print(target, model, found, as_json)


def _model_and_images(
    model: Path | None, lineage: Lineage, named: DatasetSpec | None
) -> tuple[Path, DatasetSpec | Run]:
    """Return what is bundled, and the dataset or the run that has the images."""
    if model is None:
        run = find_run(lineage.runs_dir, lineage.run_name)
        models = converted_in(run)
        preferred = run.folder / _PREFERRED
        return preferred if preferred in models else models[-1], named or run
    if lineage.run_name is not None:
        raise click.UsageError("Give a MODEL or --run, not both.")
    installed = is_word_installed(model)
    if not installed:
        refuse_missing(model)
    if installed or is_bundle(model):
        what = "What is installed" if installed else model
        raise BundleError(f"{what} is a bundle already; give the .tflite that it was made of.")
    return model, named or run_for_images(model, lineage)


def _target(model: Path, out: Path | None) -> Path:
    default = model.with_name(f"{model_stem(model)}{BUNDLE_SUFFIX}")
    return chosen_file(out, default, BUNDLE_SUFFIX)


def _full_model(path: Path, lineage: Lineage) -> FullModel | None:
    """Return the full model that a file came from, if it is in a run; the file's run if unsaid."""
    origin = lineage.origin(path)
    if origin.sha256 is not None:
        return lineage.find(origin.sha256, converted=path)
    known = full_models(origin.run) if origin.run else {}
    return next(iter(known.values())) if len(known) == 1 else None


def _full(full: FullModel | None, dataset: Dataset) -> Predictions | None:
    """Return what a full model says, if that is stored and is about the same test images."""
    if full is None or full.run is None or full.path != full.run.predictions_path:
        return None
    predictions = Predictions.load(full.path)
    same = predictions.details.get("dataset_fingerprint") == dataset.fingerprint
    return predictions if same else None


def _print(target: Path, model: Path, made: Bundle, as_json: bool) -> None:
    details = made.manifest.details
    warning = details["metrics"].get("warning")
    if isinstance(warning, str):  # not talk: with --quiet, too, nobody should miss it
        echo(warning_line(str(model), warning), err=True)
    golden = details["golden"]
    signed_by = signature_state(target, made.sha256, ()).key
    if as_json:
        document = {
            "bundle": str(target),
            "sha256": made.sha256,
            "size_bytes": made.size_bytes,
            "signed_by": signed_by or None,
            "manifest": made.manifest.to_dict(),
        }
        echo_json(document)
        return
    runs_on = ", ".join(f"{name} ≥ {oldest}" for name, oldest in made.minimum_runtime.items())
    echo(f"bundle    {target}")
    echo(f"version   {made.version}")
    echo(f"size      {made.size_bytes:,} bytes, SHA-256 {made.sha256}")
    echo(f"accuracy  {accuracy_in_words(details['metrics'])}")
    echo(f"golden    {golden['count']} vectors, reproduced by {golden['made_with']['runtime']}")
    echo(f"runs on   {runs_on}")
    if signed_by:
        echo(f"signed by {short(signed_by)}: {signature_path(target)}")
