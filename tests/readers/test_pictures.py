"""Pictures are seen as a viewer shows them: upright, on white, of 8 bits, or refused by name."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from rvae_lite.readers.limits import Unsuitable
from rvae_lite.readers.pictures import decode, read_pictures

TURNS = {  # from what is stored to what is seen, by the orientation in EXIF
    1: lambda x: x,
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.swapaxes(0, 1),
    6: lambda x: np.rot90(x, -1),
    7: lambda x: x[::-1, ::-1].swapaxes(0, 1),
    8: lambda x: np.rot90(x),
}


def random_pixels(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def encoded(image, kind="PNG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def oriented(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def chunk(name, content):
    check = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + check


def raw_png(rows, *, width, depth, colours=0, more=b"", height=None):
    """A PNG of rows of packed bytes, with further chunks before its pixels."""
    size = struct.pack(">IIBBBBB", width, height or len(rows), depth, colours, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    ends = chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + more + ends


def on_white(colours, alpha):
    alpha = alpha[..., None] / 255
    return colours * alpha + 255 * (1 - alpha)


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3), (5, 7, 4)])
def test_pictures_are_turned_as_their_exif_says(orientation, shape):
    pixels = random_pixels(*shape)
    found, remarks = decode(encoded(Image.fromarray(pixels), exif=oriented(orientation)))
    seen = on_white(pixels[..., :3], pixels[..., 3]) if shape[-1] == 4 else pixels
    assert np.abs(found - TURNS[orientation](seen)).max() <= 1
    assert ("turned" in remarks) == (orientation != 1)


def test_a_quarter_turned_jpeg_lies_as_the_others(tmp_path):
    grey = np.tile(np.linspace(0, 255, 16, dtype=np.uint8), (16, 1))
    Image.fromarray(grey).save(tmp_path / "0.jpg")
    Image.fromarray(np.rot90(grey)).save(tmp_path / "1.jpg", exif=oriented(6))
    (upright, turned), notes = read_pictures([tmp_path / "0.jpg", tmp_path / "1.jpg"])
    assert np.abs(upright.astype(int) - turned).max() <= 4
    assert notes == ["1 of the pictures were turned as the orientation in their EXIF says"]


def test_black_ink_on_nothing_is_black_ink_on_white(tmp_path):
    paths = [tmp_path / f"{i}.png" for i in range(2)]
    for i, path in enumerate(paths):
        picture = np.zeros((8, 8, 4), np.uint8)
        picture[i : i + 4, 2:6, 3] = 255
        Image.fromarray(picture).save(path)
    pictures, notes = read_pictures(paths)
    for i, picture in enumerate(pictures):
        expected = np.full((8, 8, 3), 255)
        expected[i : i + 4, 2:6] = 0
        assert np.array_equal(picture, expected)
    assert notes == ["2 of the pictures were transparent in places and put on white"]


@pytest.mark.parametrize("seed", range(20))
def test_transparency_of_every_kind_shows_white(seed):
    grey, alpha = random_pixels(6, 5, seed=seed), random_pixels(6, 5, seed=seed + 100)
    colours = random_pixels(6, 5, 3, seed=seed + 200)
    both = Image.merge("LA", [Image.fromarray(grey), Image.fromarray(alpha)])
    assert np.abs(decode(encoded(both))[0] - on_white(grey[..., None], alpha)[..., 0]).max() <= 1
    rgba = Image.fromarray(np.dstack([colours, alpha]))
    assert np.abs(decode(encoded(rgba))[0] - on_white(colours, alpha)).max() <= 1
    # One transparent value: of grey, of colour, of a palette.
    clear = grey[0, 0]
    found, remarks = decode(encoded(Image.fromarray(grey), transparency=int(clear)))
    assert np.array_equal(found, np.where(grey == clear, 255, grey)) and remarks == ["transparent"]
    clear = tuple(colours[0, 0].tolist())
    found, remarks = decode(encoded(Image.fromarray(colours), transparency=clear))
    expected = np.where((colours == clear).all(-1, keepdims=True), 255, colours)
    assert np.array_equal(found, expected)
    palette = Image.fromarray(grey % 4).convert("P")
    palette.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90, 1, 2, 3])
    opaque = decode(encoded(palette))[0]
    found, remarks = decode(encoded(palette, transparency=2))
    seen = (opaque == [70, 80, 90]).all(-1)
    assert seen.any() and (found[seen] == 255).all() and np.array_equal(found[~seen], opaque[~seen])


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_a_transparent_grey_of_few_bits_is_white(depth):
    values = np.arange(2**depth) % 16
    bits = "".join(f"{value:0{depth}b}" for value in values).ljust(8, "0")
    row = int(bits, 2).to_bytes(len(bits) // 8)
    clear = chunk(b"tRNS", struct.pack(">H", 1))
    found, remarks = decode(raw_png([row], width=len(values), depth=depth, more=clear))
    expected = np.where(values == 1, 255, values * (255 // (2**depth - 1)))
    assert np.array_equal(found[0], expected) and remarks == ["transparent"]


def test_alpha_that_hides_nothing_is_no_news():
    pixels = random_pixels(4, 4, 3)
    opaque = np.dstack([pixels, np.full((4, 4), 255, np.uint8)])
    found, remarks = decode(encoded(Image.fromarray(opaque)))
    assert np.array_equal(found, pixels) and remarks == []


def test_a_palette_of_greys_is_grey_and_one_of_colours_is_coloured():
    index = Image.fromarray(random_pixels(4, 4) % 3).convert("P")
    index.putpalette([5, 5, 5, 90, 90, 90, 200, 200, 200])
    assert decode(encoded(index))[0].shape == (4, 4)
    index.putpalette([5, 5, 6, 90, 90, 90, 200, 200, 200])
    assert decode(encoded(index))[0].shape == (4, 4, 3)


def test_two_levels_become_black_and_white():
    image = Image.fromarray(np.eye(4, dtype=bool))
    assert np.array_equal(decode(encoded(image))[0], 255 * np.eye(4))


REFUSED = {
    "deep grey": lambda: encoded(Image.fromarray(np.ones((4, 4), np.uint16))),
    "deep colours": lambda: raw_png([bytes(24)], width=4, depth=16, colours=2),
    "deep with alpha": lambda: raw_png([bytes(32)], width=4, depth=16, colours=6),
    "print": lambda: encoded(Image.new("CMYK", (4, 4)), "JPEG"),
    "frames": lambda: encoded(
        Image.new("L", (4, 4)), save_all=True, append_images=[Image.new("L", (4, 4), 9)]
    ),
    "pairs": lambda: encoded(
        Image.new("RGB", (8, 8)), "MPO", save_all=True, append_images=[Image.new("RGB", (8, 8), 9)]
    ),
    "large": lambda: raw_png([b""], width=30_000, height=30_000, depth=8, colours=2),
    "too large": lambda: raw_png([b""], width=10**6, height=10**6, depth=8, colours=2),
}
REASONS = dict.fromkeys(
    ["deep grey", "deep colours", "deep with alpha"], "more than 8 bits a pixel"
)
REASONS |= {
    "print": "the colours CMYK, made for print",
    "large": "178 million pixels: make it smaller",
}
REASONS |= {"frames": "holds 2 frames: save", "pairs": "holds 2 frames: save"}
REASONS |= {"too large": "178 million pixels: make it smaller"}


@pytest.mark.parametrize("name", REFUSED)
def test_pictures_of_other_kinds_are_refused(name):
    with pytest.raises(Unsuitable, match=REASONS[name]):
        decode(REFUSED[name]())


def test_sizes_are_compared_with_the_limit_before_anything_is_decoded(tmp_path, monkeypatch):
    paths = [tmp_path / f"{i}.png" for i in range(3)]
    for path in paths:
        path.write_bytes(encoded(Image.new("L", (1000, 1000))))
    assert len(read_pictures(paths)[0]) == 3
    monkeypatch.setattr("rvae_lite.readers.limits.FREE", 2_500_000)
    message = (
        "2.png with all before it unfolds to 0.00279 GiB, the limit is 0.00233 GiB: pass memory"
    )
    with pytest.raises(ValueError, match=message):
        read_pictures(paths)
    assert len(read_pictures(paths, memory=0.003)[0]) == 3
    paths[2].write_bytes(raw_png([b""], width=1000, height=1000, depth=8, colours=2))
    with pytest.raises(ValueError, match="2.png with all before it unfolds to"):
        read_pictures(paths)


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "WEBP", "PPM"])
def test_other_kinds_are_not_opened_whatever_their_name_says(tmp_path, kind):
    path = tmp_path / "picture.png"
    path.write_bytes(encoded(Image.new("RGB", (4, 4)), kind))
    with pytest.raises(ValueError, match="picture.png cannot be read as an image"):
        read_pictures([path])


def test_a_postscript_called_png_starts_nothing(tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n%%EndComments\n")
    with pytest.raises(ValueError, match="cannot be read as an image"):
        read_pictures([path])


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_damaged_pictures_are_refused_in_one_sentence(tmp_path, kind):
    random, path = np.random.default_rng(0), tmp_path / "x.png"
    whole = encoded(Image.fromarray(random_pixels(9, 9, 3)), kind, exif=oriented(3))
    for cut in range(0, len(whole) - 2, 7):
        path.write_bytes(whole[:cut])
        with pytest.raises(ValueError, match="cannot be read as an image"):
            read_pictures([path])
    for _ in range(300):
        content = bytearray(whole)
        for place in random.integers(0, len(whole), random.integers(1, 6)):
            content[place] = random.integers(256)
        path.write_bytes(content)
        try:
            (picture,), _ = read_pictures([path])
            assert picture.dtype == np.uint8
        except ValueError as error:
            assert str(error).startswith(str(path)) and "\n" not in str(error)
