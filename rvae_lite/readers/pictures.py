"""Pictures as arrays: PNG and JPEG alone, upright, on white paper, of 8 bits, decoded after a look.

Whatever its name, a file is opened as PNG or JPEG or not at all.  The orientation that a camera
noted is applied, and what is transparent is put on white, as a viewer shows both; each is noted.
Refused: more than 8 bits a channel, colours for print (CMYK), several frames.
"""

import io
import warnings
from pathlib import Path

import numpy as np

from rvae_lite.readers.files import size_of
from rvae_lite.readers.limits import Unsuitable, check_memory, explained, limit_of

FORMATS = ("PNG", "JPEG")
PNG_START = b"\x89PNG\r\n\x1a\n"
GREY_MODES = ("1", "L", "LA", "La")
ORIENTATION = 0x0112  # the tag in EXIF
REMARKS = dict(
    turned="turned as the orientation in their EXIF says",
    transparent="transparent in places and put on white",
)


def read_pictures(
    paths: list[Path], *, memory: float | None = None
) -> tuple[list[np.ndarray], list[str]]:
    """The pictures in files, and notes on what was done to how many of them.

    Returns:
        Grey (H, W) or colour (H, W, 3), uint8, one of each path, in several sizes if need be.
        Grey ones become coloured where others are.

    Raises:
        ValueError: a file is no whole PNG or JPEG, of a kind that is not read, or all together
            need more memory than `limits.limit_of` allows.
        PermissionError, FileNotFoundError: the file is named.
    """
    limit = limit_of(sum(size_of(path, "picture") for path in paths), memory)
    pictures, counts, taken = [], dict.fromkeys(REMARKS, 0), 0
    for path in paths:
        with explained(path, "an image"):
            picture, remarks = decode(path.read_bytes(), limit=limit, taken=taken)
        taken += picture.nbytes
        pictures.append(picture)
        for remark in remarks:
            counts[remark] += 1
    if len({picture.ndim for picture in pictures}) > 1:
        pictures = [p if p.ndim == 3 else np.stack([p] * 3, 2) for p in pictures]
    notes = [f"{count} of the pictures were {REMARKS[r]}" for r, count in counts.items() if count]
    return pictures, notes


def decode(
    content: bytes, *, limit: int | None = None, taken: int = 0
) -> tuple[np.ndarray, list[str]]:
    """One file's bytes as a picture, (H, W) or (H, W, 3) uint8, and the `REMARKS` that apply.

    limit: bytes that the picture and the `taken` ones before it may take together; by default what
        `limits.limit_of` allows.

    Raises:
        Unsuitable: a kind that is not read, or too large.
        Exception: of many kinds, where the bytes are no whole PNG or JPEG.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    limit = limit_of(len(content)) if limit is None else limit
    depth = content[24] if content.startswith(PNG_START) and len(content) > 24 else 8
    remarks = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of size, which is compared here, and of damaged EXIF
        try:
            image = Image.open(io.BytesIO(content), formats=FORMATS)
        except Image.DecompressionBombError as error:
            raise Unsuitable("has over 178 million pixels: make it smaller") from error
        except UnidentifiedImageError as error:
            raise ValueError("it is neither PNG nor JPEG") from error
        with image:
            _check_kind(image, depth, limit, taken)
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            image.verify()  # the checksums of a PNG; it must be opened again after it
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            image.load()
            if image.getexif().get(ORIENTATION, 1) in range(2, 9):
                image = ImageOps.exif_transpose(image)
                remarks.append("turned")
            pixels, transparent = _on_white(image, depth)
    return pixels, remarks + ["transparent"] * transparent


def _check_kind(image, depth: int, limit: int, taken: int) -> None:
    """Refuse a picture by its header alone."""
    mode = image.mode
    if depth > 8 or mode.startswith(("I", "F")):
        raise Unsuitable("has more than 8 bits a pixel: convert such images to arrays (.npy)")
    if mode not in (*GREY_MODES, "P", "PA", "RGB", "RGBA", "RGBX"):
        raise Unsuitable(f"has the colours {mode}, made for print: convert it to RGB")
    if getattr(image, "n_frames", 1) > 1:
        raise Unsuitable(f"holds {image.n_frames} frames: save the one that you mean as PNG")
    size = image.width * image.height * (1 if mode in GREY_MODES else 3)
    check_memory(size, limit, taken=taken)


def _on_white(image, depth: int) -> tuple[np.ndarray, bool]:
    """The pixels of an image on white paper, and whether the paper is seen."""
    from PIL import Image

    clear = image.info.get("transparency")
    if clear is not None and image.mode == "L" and isinstance(clear, int):
        # A grey of less than 8 bits is stretched to 255; its transparent value is not.
        image.info["transparency"] = clear * (255 // (2**depth - 1))
    grey, palette = image.mode in GREY_MODES, image.mode in ("P", "PA")
    transparent = False
    if image.has_transparency_data:
        image = image.convert("RGBA")
        transparent = image.getextrema()[3][0] < 255
    if transparent:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    pixels = np.asarray(image.convert("L" if grey else "RGB"))
    if palette and (pixels == pixels[..., :1]).all():
        pixels = pixels[..., 0].copy()
    return pixels, transparent
