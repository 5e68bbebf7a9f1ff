"""The innermost layer of a signature file: the in-toto statement with the hash of what is signed.

Source: OpenSSF Model Signing v1.0, sections 5, 6.5 and 8 (https://github.com/ossf/model-signing-spec).
"""

import re
from dataclasses import dataclass
from typing import Any

from edge_runtime.errors import SignatureError
from edge_runtime.files.reading import sha256
from edge_runtime.models.signing.strict_json import fields, items, parse, shown, text

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://model_signing/signature/v1.0"
HASH = "sha256"

# What the specification calls the model's own file, and what model-signing 1.1 calls it.
_ITSELF = "."


@dataclass(frozen=True)
class Resource:
    """A file that is signed.

    Attributes:
        name: its path within what is signed.
        sha256: its hash.
    """

    name: str
    sha256: str


def read_statement(payload: bytes) -> tuple[Resource, ...]:
    """Return the files that a statement is about, after checking all that it says.

    Raises:
        SignatureError: it is another kind of statement, or contradicts itself.
    """
    document = fields(
        parse(payload), "its statement", ("_type", "subject", "predicateType", "predicate")
    )
    text(document["_type"], "its statement's _type", STATEMENT_TYPE)
    text(document["predicateType"], "its predicateType", PREDICATE_TYPE)
    predicate = fields(document["predicate"], "its predicate", ("resources", "serialization"))
    _check_serialization(predicate["serialization"])
    resources = tuple(map(_resource, items(predicate["resources"], "its resources")))
    names = [resource.name for resource in resources]
    if not names:
        raise SignatureError("it is over no file")
    if names != sorted(set(names)):
        raise SignatureError("its resources are not in order, each once")
    _check_subject(document["subject"], resources)
    return resources


def refuse_other_file(resources: tuple[Resource, ...], digest: str) -> None:
    """Raise unless a statement is about one file, and that has this SHA-256.

    The file's name decides nothing: bundles are renamed and copied.

    Raises:
        SignatureError: it is about more files, or about another.
    """
    if len(resources) != 1:
        raise SignatureError(f"it is over {len(resources)} files; expected the bundle alone")
    (resource,) = resources
    if resource.name != _ITSELF and ("/" in resource.name or resource.name == ".."):
        raise SignatureError(f"it is over {shown(resource.name)}; expected the bundle alone")
    if resource.sha256 != digest:
        raise SignatureError(
            f"it is over another file (SHA-256 expected: {resource.sha256[:12]}…, got: "
            f"{digest[:12]}…)"
        )


def _check_serialization(value: object) -> None:
    found = fields(
        value,
        "its serialization",
        ("method", "hash_type", "allow_symlinks"),
        ("ignore_paths", "shard_size"),
    )
    if found["method"] == "shards":
        raise SignatureError("it is over shards of files; sign whole files (method 'files')")
    text(found["method"], "its method", "files")
    text(found["hash_type"], "its hash_type", HASH)
    if "shard_size" in found:
        raise SignatureError("it has a shard_size, though it is over whole files")
    if type(found["allow_symlinks"]) is not bool:
        raise SignatureError(
            f"expected allow_symlinks to be true or false, got {shown(found['allow_symlinks'])}"
        )
    for path in items(found.get("ignore_paths", []), "its ignore_paths"):
        text(path, "a path in its ignore_paths")


def _resource(value: object) -> Resource:
    # Further fields are to be ignored: section 5.2.1.
    found = fields(value, "a resource", ("name", "digest", "algorithm"), None)
    text(found["algorithm"], "a resource's algorithm", HASH)
    return Resource(text(found["name"], "a resource's name"), _digest(found["digest"]))


def _digest(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch("[0-9a-f]{64}", value):
        raise SignatureError(f"expected a SHA-256 in hexadecimal digits, got {shown(value)}")
    return value


def _check_subject(value: object, resources: tuple[Resource, ...]) -> None:
    """Raise unless there is one subject, with the hash over the hashes of all resources."""
    subjects = items(value, "its subject")
    if len(subjects) != 1:
        raise SignatureError(f"expected one subject, got {len(subjects)}")
    subject: dict[str, Any] = fields(subjects[0], "its subject", ("name", "digest"), None)
    text(subject["name"], "its subject's name")
    digest = fields(subject["digest"], "its subject's digest", (HASH,), None)
    root = sha256(b"".join(bytes.fromhex(resource.sha256) for resource in resources))
    if _digest(digest[HASH]) != root:
        raise SignatureError("its subject's hash is not the one of its resources")
