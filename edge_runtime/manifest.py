"""What is recorded beside a model: its class names, its preprocessing, and how it was made."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from edge_runtime.errors import ModelError
from edge_runtime.images import Preprocessing

SCHEMA_VERSION = 1

Output = Literal["probabilities", "logits"]


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
            if document["schema_version"] != SCHEMA_VERSION:
                raise ValueError(
                    f"expected schema version {SCHEMA_VERSION}, got {document['schema_version']}"
                )
            if document["output"] not in ("probabilities", "logits"):
                raise ValueError(
                    f"output must be probabilities or logits, got {document['output']!r}"
                )
            if not isinstance(document["class_names"], list):
                raise ValueError("class_names must be a list")
            return cls(
                model_sha256=str(document["model_sha256"]),
                class_names=tuple(str(name) for name in document["class_names"]),
                preprocessing=Preprocessing.from_dict(document["preprocessing"]),
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
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ModelError(f"it is no JSON: {error}") from error
        if not isinstance(document, dict):
            raise ModelError("expected a JSON object")
        return cls.from_dict(document)
