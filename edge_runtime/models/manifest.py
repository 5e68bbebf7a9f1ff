"""What is recorded beside a model: its class names, its preprocessing, and how it was made."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from edge_runtime.data.images import Preprocessing
from edge_runtime.errors import ModelError, PictureError
from edge_runtime.files.documents import parse_object

SCHEMA_VERSION = 1

Output = Literal["probabilities", "logits"]

# A name is shown in tables and reports; the longest of ImageNet's has 131 characters.
_MOST_CHARACTERS = 1000


@dataclass(frozen=True)
class Manifest:
    """What a device must know about a model, and where it came from.

    Attributes:
        model_sha256: hash of the .tflite bytes.
        class_names: in the order of the model's outputs.
        preprocessing: from picture to input.
        output: "probabilities", or "logits" that still need a softmax.
        details: how it was made: recipe, representative dataset, operators, versions.
    """

    model_sha256: str
    class_names: tuple[str, ...]
    preprocessing: Preprocessing
    output: Output
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def source_sha256(self) -> str | None:
        """The hash of the full model that it was converted from, if that is recorded."""
        return self._recorded("source", "sha256")

    @property
    def source_file(self) -> str | None:
        """The name of that full model's file or folder, if that is recorded."""
        return self._recorded("source", "file")

    @property
    def dataset_fingerprint(self) -> str | None:
        """The fingerprint of the images that it was trained or calibrated on, if recorded."""
        return self._recorded("dataset", "fingerprint")

    def _recorded(self, part: str, key: str) -> str | None:
        """Return a text of the details, which may hold anything where a file was made by hand."""
        document = self.details.get(part)
        value = document.get(key) if isinstance(document, Mapping) else None
        return value if isinstance(value, str) else None

    def to_dict(self) -> dict[str, Any]:
        """Return what `from_dict` reads."""
        return {
            **self.details,
            "schema_version": SCHEMA_VERSION,
            "model_sha256": self.model_sha256,
            "class_names": list(self.class_names),
            "preprocessing": self.preprocessing.to_dict(),
            "output": self.output,
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Manifest":
        """Read what `to_dict` wrote.

        Raises:
            ModelError: a key is missing or has an impossible value.
        """
        known = {"schema_version", "model_sha256", "class_names", "preprocessing", "output"}
        try:
            stated = document["schema_version"]
            if type(stated) is not int or stated != SCHEMA_VERSION:
                raise ValueError(f"expected schema version {SCHEMA_VERSION}, got {stated!r:.80}")
            if document["output"] not in ("probabilities", "logits"):
                raise ValueError(
                    f"output must be probabilities or logits, got {document['output']!r:.80}"
                )
            if not is_sha256(document["model_sha256"]):
                raise ValueError(
                    f"model_sha256 must be a SHA-256, got {document['model_sha256']!r:.80}"
                )
            return cls(
                model_sha256=document["model_sha256"],
                class_names=_class_names(document["class_names"]),
                preprocessing=_preprocessing(document["preprocessing"]),
                output=document["output"],
                details={key: value for key, value in document.items() if key not in known},
            )
        except KeyError as error:
            raise ModelError(f"the key {error} is missing") from error
        except (TypeError, ValueError) as error:
            raise ModelError(str(error)) from error

    @classmethod
    def from_json(cls, text: bytes) -> "Manifest":
        """Read the bytes of a manifest's file.

        Raises:
            ModelError: they are no JSON object, or not such a one.
        """
        try:
            document = parse_object(text)
        except ValueError as error:
            raise ModelError(str(error)) from error
        return cls.from_dict(document)


def is_sha256(value: Any) -> bool:
    """Return whether a value of JSON is a SHA-256 in lower case hexadecimal digits."""
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None


def _preprocessing(stated: Any) -> Preprocessing:
    try:
        return Preprocessing.from_dict(stated)
    except PictureError as error:
        raise ValueError(f"preprocessing: {error}") from error


def _class_names(stated: Any) -> tuple[str, ...]:
    if not isinstance(stated, list) or not stated:
        raise ValueError("class_names must be a list of names")
    for name in stated:
        if not isinstance(name, str) or not 0 < len(name) <= _MOST_CHARACTERS:
            raise ValueError(
                f"class_names must be a list of names of 1 to {_MOST_CHARACTERS} characters, one "
                f"is {name!r:.80}"
            )
        try:
            name.encode(errors="surrogateescape")  # folders may have names that are not UTF-8
        except UnicodeEncodeError as error:  # JSON can write half of a pair
            raise ValueError(f"class_names has {name!r:.80}, which is no text") from error
    return tuple(stated)
