"""What a bundle consists of."""

from collections.abc import Mapping

from edge_runtime.files import MEBIBYTE

MODEL = "model.tflite"
MANIFEST = "manifest.json"
GOLDEN = "golden.npz"
CARD = "MODEL_CARD.md"

# In the order in which they are stored: the most bytes that each may have.
MEMBER_LIMITS: Mapping[str, int] = {
    MANIFEST: 8 * MEBIBYTE,
    MODEL: 512 * MEBIBYTE,
    GOLDEN: 256 * MEBIBYTE,
    CARD: MEBIBYTE,
}
BUNDLE_LIMIT_BYTES = sum(MEMBER_LIMITS.values()) + MEBIBYTE
