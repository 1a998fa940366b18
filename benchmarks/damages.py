"""Damages of files, (content, random) -> other content; `doors.py` opens what they make.

Those in FORGED make another file with a right hash, which may be read as what it is.  Those in
REFUSED must never be read: they run code or follow links out of the file.
"""

import hashlib
import io
import json
import os
import struct
import warnings
import zipfile
import zlib

import numpy as np

from rvae_lite.storage import content_hash

SECRET = b"a secret of the receiver" * 8
ESCAPE = "\x1b[31mred\nrvae-lite: all is well"
NUMBERS = [0, -1, 2**70, 1e300, -1e300, 1e-320, float("nan"), float("inf"), True]
HEADER_VALUES = [None, *NUMBERS, "text", ESCAPE, "", [], {}, [1, 2], [20_000, 20_000], "x" * 10_000]
HEADER_VALUES += [[1] * 200_000, {"a": {"b": [[[1]]]}}, ["a", None], "\u202egnp.exe", "\ud800"]
CELLS = ["", "NaN", "inf", "-inf", "1e999", "1e39", "-1", "9" * 400, "1_0", "0x10", "1,5", "1.2.3"]
CELLS += ["\x1b[31m", "\x00", '"', "a\tb", "a\rb", "\ufeff", "\u202e", "x" * 100_000, "=1+1", "١٢"]
SIZES = [0, 1, 2, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1]


def pick(random, choices):
    """One of some choices."""
    return choices[random.integers(len(choices))]


# Any file


def flipped(content, random):
    """Some bits."""
    damaged = bytearray(content)
    for place in random.integers(len(damaged), size=random.integers(1, 9)):
        damaged[place] ^= 1 << random.integers(8)
    return bytes(damaged)


def flipped_in_head(content, random):
    """Some bits of the first bytes, where headers are."""
    return flipped(content[:200], random) + content[200:]


def cut(content, random):
    """The beginning alone."""
    return content[: random.integers(len(content))]


def spliced(content, random):
    """Other bytes, or none, in place of a piece."""
    start, end = sorted(random.integers(len(content), size=2))
    middle = random.bytes(int(random.integers(1, 200)))
    return content[:start] + (middle if random.integers(2) else b"") + content[end:]


def moved(content, random):
    """A piece of the file copied over another place."""
    start, to = random.integers(len(content), size=2)
    piece = content[start : start + random.integers(1, 400)]
    return content[:to] + piece + content[to + len(piece) :]


def surrounded(content, random):
    """Foreign bytes before or after."""
    foreign = random.bytes(int(random.integers(1, 5000)))
    return foreign + content if random.integers(2) else content + foreign


def word_replaced(content, random):
    """A number of a header, as it were: four or two bytes become a telling value."""
    value, width = pick(random, SIZES), pick(random, [2, 4, 4, 8])
    order = pick(random, ["little", "big"])
    place = int(random.integers(min(len(content), 400)))
    number = (value % 256**width).to_bytes(width, order)
    return content[:place] + number + content[place + width :]


def foreign(content, random):
    """Nothing, noise, or the beginning of another kind of file."""
    heads = [b"", b"\n", b"\x00" * 4096, random.bytes(int(random.integers(1, 5000)))]
    heads += [b"PK\x05\x06" + bytes(18), b"PK\x03\x04", b"\x89PNG\r\n\x1a\n", b"\x89HDF\r\n\x1a\n"]
    heads += [b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n", b"GIF89a" + bytes(20)]
    heads += [b"II*\x00\x08\x00\x00\x00\x00\x00", b"RIFF\xff\xff\xff\xffWAVEfmt ", b"\xff\xd8\xff"]
    heads += [b"\x93NUMPY\x01\x00", b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"]
    heads += [b"\x80\x04\x95", b"#!/bin/sh\nmkdir witness\n", b"<html><script>", b"{}", b"[1, 2]"]
    return pick(random, heads)


ANY = (flipped, flipped_in_head, cut, spliced, moved, surrounded, word_replaced, foreign)


# Arrays of NumPy, alone and in archives


def npy(array, *, pickled: bool = False) -> bytes:
    """An array as the content of a .npy file."""
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(array), allow_pickle=pickled)
    return file.getvalue()


class Payload:
    """What makes a folder when it is unpickled."""

    def __reduce__(self):
        return (os.mkdir, ("witness",))


def npy_head(content, random):
    """A head with an impossible shape, a strange type, or code."""
    shapes = ["(10**15,)", "(-1, -4)", "(1000000000000, 1000000000000)", "(16, 99999999)", "()"]
    shapes += ["(0,)", "(3, 0, 10000000000)", "(" * 200 + ")" * 200, "(True,)", "('a',)", "[1]"]
    types = ["'<f4'", "'|O'", "'<U0'", "'|V0'", "'<U1000000000'", "'<M8[ns]'", "[('a', '<f4')]"]
    types += ["'<f2'", "'>f4'", "'nan'", "'<c8'", "'|S9'", "'|b1'"]
    shape, descr = pick(random, shapes), pick(random, types)
    text = f"{{'descr': {descr}, 'fortran_order': {bool(random.integers(2))}, 'shape': {shape}, }}"
    if not random.integers(8):
        text = "__import__('os').mkdir('witness')"
    text = text.encode().ljust(118) + b"\n"
    version = bytes([pick(random, [1, 1, 1, 2, 3, 9]), 0])
    length = len(text).to_bytes(2 if version[0] == 1 else 4, "little")
    return b"\x93NUMPY" + version + length + text + content[128:]


def pickled(content, random):
    """Objects that run code when they are loaded."""
    return npy(np.array([Payload()] * int(random.integers(1, 4)), dtype=object), pickled=True)


def changed(array, random):
    """Another type, shape or value."""
    number = array if array.dtype.kind in "fiub" else np.zeros(array.shape)
    wide = number.astype(np.float64)
    some = np.where(np.arange(wide.size).reshape(wide.shape) % 3 == 0, pick(random, NUMBERS), wide)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what does not fit is meant
        changes = [number.astype(pick(random, ["f2", "f4", "f8", "i8", "c8", ">f4", "?", "u2"]))]
        changes += [some.astype(np.float64), some.astype(np.float32)]
    changes += [array.astype("U20"), array[:-1] if array.ndim else array, array[..., None]]
    changes += [array.reshape(-1), array[:0] if array.ndim else array, np.array(ESCAPE)]
    changes += [array[0] if array.ndim and len(array) else array, np.zeros((0, 3)), array[None]]
    changes += [np.full(array.shape, ESCAPE), number * 0, np.array([[ESCAPE, "\x00"]])]
    return pick(random, changes)


def npy_changed(content, random):
    """A sound file of another array."""
    return npy(changed(np.load(io.BytesIO(content)), random))


def members(content: bytes) -> dict:
    """Name -> content of a zip file's members."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(pairs, compression=zipfile.ZIP_STORED) -> bytes:
    """A zip file of (name, content) pairs, names repeated if they are."""
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", compression) as archive:
        warnings.simplefilter("ignore")  # names that come twice are meant
        for name, content in pairs:
            archive.writestr(zipfile.ZipInfo(name), content, compress_type=compression)
    return file.getvalue()


def flipped_in_directory(content, random):
    """Bits of the zip's own directory, at its end."""
    start = content.index(b"PK\x01\x02")
    return content[:start] + flipped(content[start:], random)


def two_files(content, random):
    """One archive after the other."""
    return content + content[random.integers(200) :]


def members_changed(content, random):
    """Members twice, renamed, exchanged, missing, more or in another order."""
    pairs, names = list(members(content).items()), ["x.npy", "../x.npy", "x", "", "/etc/x.npy"]
    i, j = random.integers(len(pairs), size=2)
    more = (f"extra{ESCAPE * random.integers(2)}.npy", npy(np.zeros((3, 3))))
    other = pairs[:i] + [(pick(random, names), pairs[i][1])] + pairs[i + 1 :]
    exchanged = dict(pairs) | {pairs[i][0]: pairs[j][1], pairs[j][0]: pairs[i][1]}
    order = [pairs[k] for k in random.permutation(len(pairs))]
    missing = pairs[:i] + pairs[i + 1 :]
    ways = [[*pairs, pairs[i]], other, exchanged.items(), missing, [*pairs, more], order]
    return zipped(pick(random, ways))


def zeros(megabytes: int, head: bytes = b"") -> tuple[bytes, int]:
    """A deflated stream of a head and very many zeros, and the length that it stands for."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    start = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return start + block * megabytes + packer.flush(), len(head) + megabytes * 2**20


def zlib_zeros(megabytes: int) -> bytes:
    """The same without a head, as zlib writes it."""
    checksum = (megabytes * 2**20 % 65521 << 16) + 1
    return b"\x78\xda" + zeros(megabytes)[0] + checksum.to_bytes(4, "big")


def compressed(content, random):
    """Members that are compressed."""
    return zipped(members(content).items(), pick(random, [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2]))


def bomb(content, random):
    """A member of megabytes that is unpacked to gigabytes."""
    megabytes = pick(random, [64, 2048])
    empty = npy(np.zeros((0, 2**20), np.uint8))
    head = empty.replace(b"(0,", b"(%d," % megabytes)  # of one length, as spaces end it
    stream, length = zeros(megabytes, head[:127] + b"\n")
    inside = members(content)
    name = pick(random, list(inside))
    damaged = bytearray(zipped((inside | {name: stream}).items()))
    for mark, method in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        place = damaged.find(name.encode(), damaged.find(mark))
        place = damaged.rfind(mark, 0, place)
        damaged[place + method : place + method + 2] = (8).to_bytes(2, "little")
        damaged[place + method + 14 : place + method + 18] = length.to_bytes(4, "little")
    return bytes(damaged)


def overlapping(content, random):
    """Thousands of directory entries that point at the same bytes."""
    start, end = content.index(b"PK\x01\x02"), content.index(b"PK\x05\x06")
    directory, count = content[start:end], int(random.integers(2, 2000))
    tail = bytearray(content[end:])
    entries = min(count * len(members(content)), 65535)
    tail[8:12] = entries.to_bytes(2, "little") * 2
    tail[12:16] = (len(directory) * count).to_bytes(4, "little")
    return content[:start] + directory * count + bytes(tail)


def sizes_claimed(content, random):
    """Another size in the directory or in a member's own head."""
    mark, field = pick(random, [(b"PK\x01\x02", 20), (b"PK\x03\x04", 18)])
    places = [i for i in range(len(content)) if content.startswith(mark, i)]
    place = pick(random, places) + field + 4 * int(random.integers(2))
    return content[:place] + pick(random, SIZES).to_bytes(4, "little") + content[place + 4 :]


def member_head(content, random):
    """`npy_head` of a member."""
    inside = members(content)
    name = pick(random, list(inside))
    return zipped((inside | {name: npy_head(inside[name], random)}).items())


def member_pickled(content, random):
    """`pickled` in place of a member."""
    name = pick(random, [*members(content), "more.npy"])
    return zipped((members(content) | {name: pickled(content, random)}).items())


def member_changed(content, random):
    """`changed`, of a member."""
    inside = members(content)
    name = pick(random, list(inside))
    return zipped((inside | {name: npy_changed(inside[name], random)}).items())


NPY = (*ANY, npy_head, npy_head, pickled, npy_changed, npy_changed)
ARCHIVE = (*ANY, flipped_in_directory, two_files, members_changed, compressed, bomb, overlapping)
ARCHIVE += (sizes_claimed, member_head, member_pickled)
NPZ = (*ARCHIVE, member_changed, member_changed)


# Files of rvae_lite: arrays and a header under a hash


def parts(content: bytes) -> tuple[dict, dict]:
    """The arrays and the header of such a file."""
    arrays = {name[:-4]: np.load(io.BytesIO(each)) for name, each in members(content).items()}
    return arrays, json.loads(str(arrays.pop("header")))


def consistent(arrays: dict, header: dict) -> bytes:
    """A file whose hash is right, whatever it holds."""
    text = json.dumps(header)  # its hash is that of what a reader will see
    header = dict(header, sha256=content_hash(json.loads(text), arrays))
    named = dict(header=np.array(json.dumps(header)), **arrays)
    return zipped((f"{name}.npy", npy(array)) for name, array in named.items())


def arrays_forged(content, random):
    """Other, missing or more arrays under a right hash."""
    arrays, header = parts(content)
    name = pick(random, list(arrays))
    other = dict(arrays, **{name: changed(arrays[name], random)})
    missing = {key: array for key, array in arrays.items() if key != name}
    ways = [other, other, other, missing, arrays | {f"more{ESCAPE}": np.zeros(3)}]
    return consistent(pick(random, ways), header)


def entry_changed(value, random):
    """JSON with one entry, somewhere in it, changed, missing or added."""
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = pick(random, keys) if keys else None
    inside = value[key] if keys else None
    if isinstance(inside, dict | list) and inside and random.integers(4):
        entry = entry_changed(inside, random)
    else:
        entry = pick(random, HEADER_VALUES)
    if key is None:
        return entry
    if isinstance(value, list):
        return [*value[:key], entry, *value[key + 1 :]]
    way = random.integers(6)
    if way == 0:
        return {name: each for name, each in value.items() if name != key}
    return value | {("new" + ESCAPE if way == 1 else key): entry}


def header_forged(content, random):
    """Another header under a right hash."""
    arrays, header = parts(content)
    header = entry_changed(header, random)
    return consistent(arrays, header if isinstance(header, dict) else {})


def header_altered(content, random):
    """Another header, or none, under the old hash."""
    texts = ["", "no JSON", "[1, 2]", "3", "null", "[" * 100_000, '{"a":' * 5000, "1" * 5000]
    texts += ['{"kind": "rosetta"}', "NaN", '{"a": 1, "a": 2}', '"\\ud800"']
    arrays = [*map(np.array, texts), np.arange(3), np.array([["a"]]), np.zeros(0)]
    altered = entry_changed(parts(content)[1], random)
    arrays += [np.array(json.dumps(altered))] * 5
    return zipped((members(content) | {"header.npy": npy(pick(random, arrays))}).items())


OWN = (*ARCHIVE, header_altered, *[arrays_forged, header_forged] * 4)


# Pictures


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content).to_bytes(4, "big")
    return len(content).to_bytes(4, "big") + kind + content + checksum


def png_forged(content, random):
    """Chunks that lie under right checksums: sizes, depths, bombs."""
    sides = [0, 1, 7, 30_000, 2**20, 2**31 - 1, 2**32 - 1]
    width, height = (pick(random, [8, *sides]) for _ in range(2))
    kinds = struct.pack(
        ">5B", *(pick(random, [0, 1, 2, 3, 4, 6, 8, 16]) for _ in range(2)), 0, 0, 0
    )
    head = struct.pack(">II", width, height) + pick(random, [kinds, b"\x08\x00\x00\x00\x00"])
    body = pick(random, [zlib.compress(bytes(200)), zlib_zeros(1), zlib_zeros(2048)])
    text = _chunk(b"zTXt", b"a\x00\x00" + zlib_zeros(2048)) * random.integers(2)
    more = pick(random, [b"", _chunk(b"PLTE", b"abc"), _chunk(b"acTL", b"\xff" * 8)])
    chunks = _chunk(b"IHDR", head) + text + more + _chunk(b"IDAT", body) * random.integers(3)
    return b"\x89PNG\r\n\x1a\n" + chunks + _chunk(b"IEND", b"")


def jpeg_forged(content, random):
    """Another size, number of components or precision in the frame's head."""
    place = content.index(b"\xff\xc0") + 4
    sizes = struct.pack(">HH", *(pick(random, [0, 1, 8, 16, 255, 2**16 - 1]) for _ in range(2)))
    head = bytes([pick(random, [8, 8, 12, 0])]) + sizes + bytes([pick(random, [1, 3, 4, 255])])
    return content[:place] + head + content[place + 6 :]


def picture_renamed(content, random):
    """Another kind of picture under this name."""
    from PIL import Image

    file = io.BytesIO()
    kind = pick(random, ["GIF", "TIFF", "BMP", "PPM", "WEBP", "ICO", "PCX", "TGA", "PDF", "EPS"])
    Image.fromarray(random.integers(0, 256, (8, 8, 3)).astype(np.uint8)).save(file, kind)
    return file.getvalue()


# HDF5: a new file each time


def _hdf5(write) -> bytes:
    import h5py

    file = io.BytesIO()
    with h5py.File(file, "w") as archive:
        write(archive, h5py)
    return file.getvalue()


def hdf5_elsewhere(content, random):
    """Data that lie in another file, in each way that HDF5 knows."""

    def write(file, h5py):
        way = random.integers(3)
        for name in ("specs", "onsets", "offsets", "audio_filenames"):
            if way == 0:
                place = [("secret.bin", 0, len(SECRET))]
                file.create_dataset(name, (8, len(SECRET) // 8), "u1", external=place)
            elif way == 1:
                file[name] = h5py.ExternalLink("secret.h5", "x")
            else:
                layout = h5py.VirtualLayout((8, 4), "f4")
                layout[:] = h5py.VirtualSource("secret.h5", "x", (8, 4))
                file.create_virtual_dataset(name, layout)
            if random.integers(2):
                break

    return _hdf5(write)


def hdf5_bomb(content, random):
    """Small files that ask for much: fill values, chunks of zeros, nesting, circles, names."""

    def write(file, h5py):
        way, many = random.integers(5), pick(random, [2**20, 2**28, 2**33, 2**50])
        name = pick(random, ["x", "specs"])
        if way == 0:
            file.create_dataset(name, (many, 4), "f8", fillvalue=1.0, chunks=(1, 4))
        elif way == 1:
            file.create_dataset(name, data=np.zeros((2, 2**24)), compression="gzip", chunks=True)
        elif way == 2:
            group = file
            for _ in range(pick(random, [30, 600])):
                group = group.create_group("g")
            group[name] = np.ones((4, 3))
        elif way == 3:
            file["a/b"] = np.ones((4, 3))
            file["a/again"], file["a/soft"] = file["a"], h5py.SoftLink("/a/soft")
        else:
            for i in range(2000):
                file.create_group(f"{i}")

    return _hdf5(write)


def hdf5_strange(content, random):
    """Types, shapes, values and names that are no data."""

    def write(file, h5py):
        text, pairs = h5py.string_dtype(), np.dtype([("a", "f4"), ("b", "i2")])
        values = [np.zeros((4, 3), pairs), 3.0, np.zeros((0, 3)), np.zeros((4, 3), "c8")]
        values += [np.full((4, 3), each) for each in (np.nan, np.inf, 1e39, True, 2**60)]
        values += [
            h5py.Empty("f4"),
            np.zeros(4, "S3"),
            np.ones((4, 3), "f2"),
            np.ones((4, 1, 1, 3)),
        ]
        names = ["x", "specs", "onsets", "offsets", "audio_filenames", ESCAPE, "a/b", "\u202e"]
        for name in {pick(random, names) for _ in range(random.integers(1, 6))}:
            if random.integers(6):
                file[name] = pick(random, values)
            else:
                file.create_dataset(name, data=["a", ESCAPE], dtype=text)
        file.attrs["preprocessing"] = pick(random, ["[" * 5000, "{", "3", ESCAPE, "{}"])

    return _hdf5(write)


HDF5 = (*ANY, hdf5_elsewhere, hdf5_elsewhere, hdf5_bomb, hdf5_bomb, hdf5_strange, hdf5_strange)


# Sound and MATLAB


def wav_forged(content, random):
    """Fields of the head that contradict each other or the file."""
    form, channels = pick(random, [1, 1, 3, 2, 6, 17, 0xFFFE, 0]), pick(random, [0, 1, 2, 7, 65535])
    rate, bits = pick(random, [0, 1, 32000, 2**32 - 1]), pick(random, [0, 1, 8, 16, 24, 32, 64])
    align = pick(random, [0, channels * bits // 8 % 65536, 65535])
    head = struct.pack("<HHIIHH", form, channels, rate, rate * align % 2**32, align, bits)
    body = pick(random, [content[44:], b"", b"\x00\x00\xc0\x7f" * 99, bytes(400)])
    size = pick(random, [len(body), len(body), 0, 2**31 - 1, 2**32 - 1])
    chunks = b"WAVEfmt " + struct.pack("<I", 16) + head + b"data" + struct.pack("<I", size) + body
    return b"RIFF" + struct.pack("<I", pick(random, [len(chunks), 0, 2**32 - 1])) + chunks


def _element(kind: int, content: bytes, size=None) -> bytes:
    tag = struct.pack("<II", kind, len(content) if size is None else size)
    return tag + content + bytes(-len(content) % 8)


def mat5_tags(content, random):
    """A type or length of a tag that is none."""
    place = 128 + 8 * int(random.integers((len(content) - 128) // 8)) + pick(random, [0, 4])
    number = pick(random, [*SIZES, 3, 5, 9, 14, 15, 99]).to_bytes(4, "little")
    return content[:place] + number + content[place + 4 :]


def mat5_forged(content, random):
    """Elements of other classes, compressed bombs, nesting, and dimensions that lie."""

    def array(name, values, kind=6, dims=None, depth=0):
        flags = _element(6, struct.pack("<II", kind, pick(random, [0, 0, 2**20])))
        dims = _element(5, np.array(dims or (1, len(values) // 8), "<i4").tobytes())
        inside = array(b"", values, depth=depth - 1) if depth else _element(9, values)
        return _element(14, flags + dims + _element(1, name) + inside)

    sizes = [(1, 3), (3, 1), (0, 0), (2**31 - 1, 1), (-1, 3), (2**20, 2**20), (1, 3, 1, 1)]
    values = np.array([100.0, pick(random, NUMBERS[:8]), 300.0]).tobytes()
    kinds = [6, 6, 6, 1, 2, 3, 4, 5, 7, 15, 17, 99]
    body = b""
    for name in (b"onsets", b"offsets", b"labels"):
        body += array(name, values, pick(random, kinds), pick(random, sizes))
    flags = _element(6, struct.pack("<II", 6, 0)) + _element(5, bytes(8)) + _element(1, b"onsets")
    stream, length = zeros(2047, _element(14, flags + _element(9, b"", 2047 * 2**20), 2047 * 2**20))
    bomb = _element(15, b"\x78\xda" + stream)
    deep = array(b"onsets", values, 1, (1, 1), depth=int(pick(random, [3, 150])))
    packed = _element(15, zlib.compress(body))
    return content[:128] + pick(random, [body, body, packed, bomb, deep, content[128:] + bomb])


# Text


def cells_changed(content, random):
    """Cells, rows, names of columns, separators, ends of lines or the encoding of a table."""
    lines = [line.split(",") for line in content.decode().split("\n")]
    row = lines[random.integers(len(lines))]
    place = random.integers(len(row))
    ways = [lambda: row.__setitem__(place, pick(random, CELLS))] * 5
    ways += [lambda: row.pop(place), lambda: row.insert(place, pick(random, CELLS))]
    ways += [lambda: lines[0].__setitem__(0, lines[0][-1]), lambda: lines.pop(0)]
    ways += [lambda: lines.insert(0, lines[0]), lambda: lines.append(["9"] * 5000)]
    pick(random, ways)()
    text = pick(random, [",", ",", ",", ";", "\t", " "]).join
    text = pick(random, ["\n", "\n", "\n", "\r\n", "\r"]).join(map(text, lines))
    return text.encode(pick(random, ["utf-8"] * 5 + ["utf-16", "utf-8-sig", "utf-32"]))


def text_changed(content, random):
    """A telling text somewhere in it."""
    place = int(random.integers(len(content) + 1))
    return content[:place] + pick(random, CELLS).encode() + content[place:]


def words_many(content, random):
    """A very long line, or very many short ones."""
    return pick(random, [b"word " * 200_000, b"word\n" * 200_000, b"a" * 10**6, b"a.b? " * 10**5])


def values_changed(content, random):
    """Another value after an equals sign."""
    lines = content.decode().splitlines()
    name = lines[random.integers(len(lines))].partition("=")[0]
    values = [*CELLS, *map(str, SIZES), "1e30", "-5", "2.5", "1e400", "nan"]
    return "\n".join([*lines, f"{name}= {pick(random, values)}"]).encode()


def json_forged(content, random):
    """Sound or broken JSON of other things: nesting, repeats, huge numbers."""
    texts = ["[" * 100_000, '{"a":' * 5000 + "1" + "}" * 5000, "[" * 50 + "]" * 50, "1" * 5000]
    texts += ['{"a": 1, "a": 2}', '{"a": NaN}', '{"a": 1e999}', '"text"', "3", "null", '{"": ""}']
    texts += [json.dumps({ESCAPE: ESCAPE}), '"\\ud800"', "{'a': 1}", "\ufeff{}", '{"a": [1, ]}']
    texts += [json.dumps(entry_changed(json.loads(content), random))] * 8
    return pick(random, texts).encode(pick(random, ["utf-8", "utf-8", "utf-8", "utf-16"]))


def signed(text: bytes, origin: str) -> bytes:
    """A unit of a study under the line that makes it whole."""
    return text + b"# sha256 " + hashlib.sha256(origin.encode() + text).hexdigest().encode() + b"\n"


TABLE = (*ANY, *[cells_changed] * 6, text_changed)
TEXT = (*ANY, text_changed, text_changed, words_many)
FORGED = {"arrays_forged", "header_forged", "unit_forged", "json_forged"}
REFUSED = {"pickled", "hdf5_elsewhere", "picture_renamed"}
