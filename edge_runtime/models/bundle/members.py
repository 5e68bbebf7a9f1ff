"""What a bundle consists of."""

from collections.abc import Mapping

from edge_runtime.files.reading import MEBIBYTE

MODEL = "model.tflite"
MANIFEST = "manifest.json"
GOLDEN = "golden.npz"
CARD = "MODEL_CARD.md"

# In the order in which they are stored: the most bytes that each may have. The largest models of
# image classification catalogues that a board of 512 MiB could hold take 240 MB (ResNet-152 in
# float32); 256 golden images of 256 × 256 in colour take 48 MiB.
MEMBER_LIMITS: Mapping[str, int] = {
    MANIFEST: 8 * MEBIBYTE,
    MODEL: 256 * MEBIBYTE,
    GOLDEN: 49 * MEBIBYTE,
    CARD: MEBIBYTE,
}
BUNDLE_LIMIT_BYTES = sum(MEMBER_LIMITS.values()) + MEBIBYTE
