"""Image classification sets from TensorFlow Datasets."""

import contextlib
import importlib
import logging
import socket
import sys
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterable
from typing import Any

import numpy as np
from PIL import Image

from edge_runtime.data.datasets.dataset import Dataset, DatasetSpec, Split
from edge_runtime.data.images import Preprocessing, prepare
from edge_runtime.errors import DatasetError, MissingDependencyError, nearest_name, one_line
from edge_runtime.files.reading import sha256
from edge_runtime.runtimes.native import native_messages_silenced

_CONNECT_TIMEOUT_SECONDS = 5.0
_READ_BATCH = 1024

_Endpoint = tuple[str, int]  # host and port


def load_tfds(spec: DatasetSpec) -> Dataset:
    """Load `tfds:NAME` (also NAME/CONFIG:VERSION), downloading it once into `--data-dir`.

    The test split is `test`, else `validation`, else the last fifth of `train`.

    Raises:
        DatasetError: there is no such set, it is not one of labelled images, or it is not here
            and cannot be downloaded.
        MissingDependencyError: tensorflow-datasets is not installed.
    """
    name = spec.source.partition(":")[2]
    builder = _builder(name, spec.data_dir)
    image_key, label_key = _keys(builder, name)
    if not builder.is_prepared():
        _download(builder, name)
    train_name, test_name = _split_names(builder, name)
    class_names = tuple(str(item) for item in builder.info.features[label_key].names)
    train = _read(builder, train_name, spec.train_size, (image_key, label_key), spec)
    test = _read(builder, test_name, spec.test_size, (image_key, label_key), spec)
    return Dataset(spec.source, class_names, train=train, test=test)


def _tfds() -> Any:
    try:
        tfds = importlib.import_module("tensorflow_datasets")
    except ImportError as error:
        raise MissingDependencyError(
            "tfds: needs tensorflow-datasets, which is not installed; install it with: "
            "pip install '.[train]'"
        ) from error
    if not sys.stderr.isatty():
        tfds.disable_progress_bar()
    return tfds


def _builder(name: str, data_dir: str | None) -> Any:
    tfds = _tfds()
    logging.getLogger("absl").setLevel(logging.ERROR)  # warns of folders that are not there yet
    try:
        with native_messages_silenced():
            return tfds.builder(name, data_dir=data_dir)
    except tfds.core.registered.DatasetNotFoundError as error:
        known = tfds.list_builders(with_community_datasets=False)
        raise DatasetError(
            f"TensorFlow Datasets has no set '{name}'." + nearest_name(name, known)
        ) from error
    except (AssertionError, ImportError, ValueError, OSError) as error:
        raise DatasetError(f"tfds:{name} cannot be opened: {one_line(error)}") from error


def _keys(builder: Any, name: str) -> tuple[str, str]:
    """Return the names of the image and of the class label; the set's own choice goes first."""
    tfds = _tfds()
    features = builder.info.features
    named = dict(features.items()) if isinstance(features, tfds.features.FeaturesDict) else {}
    chosen = builder.info.supervised_keys or tuple(named)
    images = [key for key in chosen if isinstance(named.get(key), tfds.features.Image)]
    labels = [key for key in chosen if isinstance(named.get(key), tfds.features.ClassLabel)]
    if len(images) == 1 and len(labels) == 1:
        return images[0], labels[0]
    raise DatasetError(
        f"tfds:{name} is no set for image classification: expected one image and one class label."
    )


def _download(builder: Any, name: str) -> None:
    unreachable = unreachable_host(builder.url_infos or {})
    if unreachable is not None:
        raise DatasetError(
            f"tfds:{name} is not in {builder.data_dir_root} and {unreachable} cannot be reached to "
            "download it. Without a network use --dataset sample (embedded), idx:DIR (Debian's "
            "package dataset-fashion-mnist), folder:DIR, or --data-dir with a prepared copy."
        )
    try:
        builder.download_and_prepare()
    except Exception as error:
        # What a set's own script raises is its own affair.
        raise DatasetError(f"tfds:{name} cannot be prepared: {one_line(error)}") from error


def unreachable_host(urls: Iterable[str]) -> str | None:
    """Return the first host of these addresses that cannot be connected to within 5 s, or None.

    TFDS itself retries for minutes before it gives up. Behind a proxy it is the proxy that counts.
    """
    wanted = {_endpoint(url) for url in urls if urllib.parse.urlsplit(url).hostname}
    reached: set[_Endpoint] = set()
    # Daemons: looking up a name cannot be interrupted, and may take minutes to fail.
    tries = [
        threading.Thread(target=_try_to_connect, args=(endpoint, reached), daemon=True)
        for endpoint in wanted
    ]
    for thread in tries:
        thread.start()
    deadline = time.monotonic() + _CONNECT_TIMEOUT_SECONDS
    for thread in tries:
        thread.join(max(0.0, deadline - time.monotonic()))
    return min((host for host, _ in wanted - reached), default=None)


def _endpoint(url: str) -> _Endpoint:
    parts = urllib.parse.urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy and not urllib.request.proxy_bypass(parts.hostname or ""):
        parts = urllib.parse.urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    default = {"https": 443, "ftp": 21}.get(parts.scheme, 80)
    return parts.hostname or "", parts.port or default


def _try_to_connect(endpoint: _Endpoint, reached: set[_Endpoint]) -> None:
    with contextlib.suppress(OSError, UnicodeError):
        socket.create_connection(endpoint, timeout=_CONNECT_TIMEOUT_SECONDS).close()
        reached.add(endpoint)


def _split_names(builder: Any, name: str) -> tuple[str, str]:
    splits = builder.info.splits
    if "train" not in splits:
        raise DatasetError(f"tfds:{name} has no split 'train'; it has {', '.join(splits)}.")
    for candidate in ("test", "validation"):
        if candidate in splits:
            return "train", candidate
    return "train[:80%]", "train[80%:]"


def _read(
    builder: Any, split: str, size: int | None, keys: tuple[str, str], spec: DatasetSpec
) -> Split:
    records = builder.as_dataset(split=split, shuffle_files=False)
    if size is not None:
        records = records.take(size)
    shape = builder.info.features[keys[0]].shape
    if None in shape or spec.image_size or spec.channels or shape[2] not in (1, 3):
        return _read_fitted(records, keys, spec)
    parts = [
        (record[keys[0]], record[keys[1]])
        for record in _tfds().as_numpy(records.batch(_READ_BATCH))
    ]
    if not parts:
        raise DatasetError(f"The split '{split}' of '{spec.source}' is empty.")
    images, labels = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Split(images.astype(np.uint8, copy=False), labels.astype(np.int64))


def _read_fitted(records: Any, keys: tuple[str, str], spec: DatasetSpec) -> Split:
    if spec.image_size is None:
        raise DatasetError(
            f"The images of '{spec.source}' differ in size; give the one that the model shall have "
            "with --image-size, as in --image-size 64x64."
        )
    preprocessing = Preprocessing(*spec.image_size, spec.channels or 3)
    images, labels, stored = [], [], []
    for record in _tfds().as_numpy(records):
        pixels = record[keys[0]]
        image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
        images.append(prepare(image, preprocessing, invert="no").pixels)
        labels.append(int(record[keys[1]]))
        stored.append(sha256(np.ascontiguousarray(pixels).data).encode())
    return Split(np.stack(images), np.array(labels, np.int64), np.array(stored, "S64"))
