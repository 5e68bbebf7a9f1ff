"""What a picture file says of itself, read before a decoder sees it.

A decoder believes a file: it sets aside what a header of 20 bytes announces, unpacks texts and
profiles that nobody looks at, and goes over all pixels once for each scan. So the structure of the
file is read here first. What would take too much is refused, and the decoder gets the parts that
make up the pixels and nothing else: no Exif, no colour profile, no text, no further frames.
"""

from PIL import Image

from edge_runtime.data.decoding.layout import (
    Layout,
    NoPictureError,
    refuse_unreasonable,
)
from edge_runtime.data.decoding.png import read_png
from edge_runtime.data.decoding.reduction import draft_divisor, upright
from edge_runtime.errors import PictureError


def decode(data: bytes, *, name: str = "the picture") -> Image.Image:
    """Decode PNG, JPEG or BMP bytes to an upright grey ("L") or colour ("RGB") picture.

    Other modes and large pictures are converted as `upright` describes, so that a picture of any
    size takes up to 4 bytes for each of its pixels.

    Raises:
        PictureError: the bytes are not such a picture, it has more than 50 megapixels, or it is
            made to take much memory or time.
    """
    if not data:
        raise PictureError(f"{name}: the file is empty; expected a PNG, JPEG or BMP picture.")
    try:
        layout = read_layout(data)
        with _open(layout) as image:
            image.load()
            return upright(image, layout.orientation)
    except NoPictureError as error:
        raise PictureError(
            f"{name}: this is not a PNG, JPEG or BMP picture; convert it to one of them first."
        ) from error
    except PictureError as error:
        raise PictureError(f"{name}: {error}") from error
    except MemoryError as error:
        raise PictureError(
            f"{name}: there is not enough memory to decode it; scale it down first."
        ) from error
    except Exception as error:
        # A decoder that meets hostile bytes raises whatever its parser stumbled over.
        reason = " ".join(str(error).split()) or type(error).__name__
        raise PictureError(f"{name}: the picture is damaged ({reason}).") from error


def _open(layout: Layout) -> Image.Image:
    """Open a picture; its pixels are not decoded yet."""
    image = layout.decoder(layout.stream)
    # What was checked must be what is decoded, whatever else a file announces.
    if image.size != (layout.width, layout.height):
        raise PictureError("the picture is damaged (it announces two sizes).")
    divisor = draft_divisor(image.width, image.height) if image.format == "JPEG" else 1
    if divisor > 1:
        image.draft("", (image.width // divisor, image.height // divisor))
    return image


def read_layout(data: bytes) -> Layout:
    """Return what the bytes of a picture file say, in a form that is safe to decode.

    Raises:
        NoPictureError: it is neither a PNG nor a JPEG nor a BMP.
        PictureError: it is damaged, or would take too much memory or time.
    """
    # For other formats than PNG what reads them is imported if needed.
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        layout = read_png(data)
    elif data.startswith(b"\xff\xd8\xff"):
        from edge_runtime.data.decoding.jpeg import read_jpeg

        layout = read_jpeg(data)
    elif data.startswith(b"BM"):
        from edge_runtime.data.decoding.bmp import read_bmp

        layout = read_bmp(data)
    else:
        raise NoPictureError("not a PNG, JPEG or BMP")
    refuse_unreasonable(layout)
    return layout
