"""Ten thousand damaged Rosetta files: each is refused in one sentence or loads unchanged.

    python benchmarks/damaged_files.py                  # all of them, some minutes
    python benchmarks/damaged_files.py --count 500      # a part

A file whose header and hash were rewritten consistently is not damaged but another file: then its
points must still be equal, and its header's claims about them true.  The process may take 1 GiB
more memory than it has after loading its libraries, and 10 s a file; a witness folder would show
that code had run.
"""

import argparse
import collections
import io
import json
import os
import resource
import signal
import sys
import tempfile
import time
import warnings
import zipfile
from pathlib import Path

import numpy as np

from rvae_lite import RosettaPoints
from rvae_lite.storage import content_hash

MEMORY, SECONDS = 2**30, 10


def original() -> RosettaPoints:
    """Points that are damaged below: 16 grey images, their latents, names and a header."""
    random = np.random.default_rng(0)
    x = random.integers(0, 256, (16, 1, 6, 6)).astype(np.uint8)
    header = dict(
        licence="CC0", preprocessing=dict(axis="mel", size=6), source="made up", note="zwölf"
    )
    return RosettaPoints(
        x, random.standard_normal((16, 3)), ids=[f"x{i}" for i in range(16)], header=header
    )


def npy(array, *, pickled: bool = False) -> bytes:
    """An array as the content of a .npy file."""
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(array), allow_pickle=pickled)
    return file.getvalue()


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


def consistent(arrays: dict, header: dict) -> bytes:
    """A file whose hash is right, whatever it holds."""
    header = dict(header, sha256=content_hash(header, arrays))
    named = dict(header=np.array(json.dumps(header)), **arrays)
    return zipped((f"{name}.npy", npy(array)) for name, array in named.items())


# ---------------------------------------------------------------- damages: (content, random) ->
# content


def flipped(content, random):
    damaged = bytearray(content)
    for place in random.integers(len(damaged), size=random.integers(1, 9)):
        damaged[place] ^= 1 << random.integers(8)
    return bytes(damaged)


def flipped_in_directory(content, random):
    """Bits of the zip's own directory, at its end."""
    start = content.index(b"PK\x01\x02")
    return content[:start] + flipped(content[start:], random)


def truncated(content, random):
    return content[: random.integers(len(content))]


def spliced(content, random):
    start, end = sorted(random.integers(len(content), size=2))
    middle = random.bytes(int(random.integers(1, 200)))
    return content[:start] + (middle if random.integers(2) else b"") + content[end:]


def moved(content, random):
    """A piece of the file copied over another place."""
    start, to, length = (
        random.integers(len(content)),
        random.integers(len(content)),
        random.integers(1, 400),
    )
    piece = content[start : start + length]
    return content[:to] + piece + content[to + len(piece) :]


def surrounded(content, random):
    """Foreign bytes before or after."""
    foreign = random.bytes(int(random.integers(1, 5000)))
    return foreign + content if random.integers(2) else content + foreign


def two_files(content, random):
    return content + content[random.integers(200) :]


def members_changed(content, random):
    pairs = list(members(content).items())
    i, j = random.integers(len(pairs), size=2)
    kind = random.integers(6)
    if kind == 0:  # one twice
        pairs.append(pairs[i])
    elif kind == 1:  # renamed
        names = ["x.npy", "y.npy", "../x.npy", "x", "x.npy.npy", "", "/etc/x.npy", "ids.npy"]
        pairs[i] = (names[random.integers(len(names))], pairs[i][1])
    elif kind == 2:  # two exchanged
        pairs[i], pairs[j] = (pairs[i][0], pairs[j][1]), (pairs[j][0], pairs[i][1])
    elif kind == 3:  # one missing
        del pairs[i]
    elif kind == 4:  # one more
        pairs.append((f"extra{random.integers(9)}.npy", npy(np.zeros(random.integers(9)))))
    else:  # in another order, which is no damage
        pairs = [pairs[k] for k in random.permutation(len(pairs))]
    return zipped(pairs)


def compressed(content, random):
    """Compressed members, bombs among them."""
    pairs = list(members(content).items())
    if random.integers(2):
        pairs[random.integers(len(pairs))] = ("x.npy", npy(np.zeros(30_000_000, np.uint8)))
    kinds = (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
    return zipped(
        pairs[:3] if random.integers(2) else pairs, kinds[random.integers(2 if len(pairs) else 3)]
    )


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
    damaged = bytearray(content)
    marks = [i for mark in (b"PK\x01\x02", b"PK\x03\x04") for i in _places(content, mark)]
    place = marks[random.integers(len(marks))]
    field = (20 if content[place : place + 4] == b"PK\x01\x02" else 18) + 4 * random.integers(2)
    value = int(random.choice([0, 1, 2**16, 2**31 - 1, 2**32 - 2, 2**32 - 1]))
    damaged[place + field : place + field + 4] = value.to_bytes(4, "little")
    return bytes(damaged)


def _places(content, mark):
    place = content.find(mark)
    while place >= 0:
        yield place
        place = content.find(mark, place + 1)


def shape_claimed(content, random):
    """A .npy head with an impossible shape, a strange type, or no head at all."""
    shapes = [
        "(10**15,)",
        "(-1, -4)",
        "(1000000000000, 1000000000000)",
        "(16, 99999999)",
        "()",
        "(0,)",
        "(-16, 3)",
    ]
    shapes += [
        "(1000000000000000,)",
        "(16, 3, 0, 10000000000)",
        "(" * 200 + ")" * 200,
        "(True,)",
        "('a',)",
        "[1]",
    ]
    types = [
        "'<f4'",
        "'|O'",
        "'<U0'",
        "'|V0'",
        "'<U1000000000'",
        "'<M8[ns]'",
        "[('a', '<f4')]",
        "'<f2'",
        "'>f4'",
        "'nan'",
    ]
    descr, order = types[random.integers(len(types))], bool(random.integers(2))
    shape = shapes[random.integers(len(shapes))]
    text = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"
    if not random.integers(8):
        text = "__import__('os').mkdir('witness')"
    text = text.encode().ljust(118) + b"\n"
    version = bytes([int(random.choice([1, 1, 1, 2, 3, 9])), 0])
    length = len(text).to_bytes(2 if version[0] == 1 else 4, "little")
    name = ["x.npy", "z.npy", "ids.npy", "header.npy"][random.integers(4)]
    body = members(content)[name][128:]
    return zipped(
        (members(content) | {name: b"\x93NUMPY" + version + length + text + body}).items()
    )


class Payload:
    """What makes a folder when it is unpickled."""

    def __reduce__(self):
        return (os.mkdir, ("witness",))


def pickled(content, random):
    name = ["x", "z", "ids", "header", "more"][random.integers(5)]
    objects = np.array([Payload()] * int(random.integers(1, 4)), dtype=object)
    return zipped((members(content) | {f"{name}.npy": npy(objects, pickled=True)}).items())


def arrays_rewritten(content, random):
    """Wrong types, shapes or values under a hash that is right."""
    arrays, header = _parts(content)
    name = ["x", "z", "ids"][random.integers(3)]
    array = arrays[name]
    number = array if array.dtype.kind != "U" else np.arange(len(array))
    changes = [
        lambda: number.astype(["f2", "f8", "i8", "c8", ">f4", "?"][random.integers(6)]),
        lambda: array.astype("U20"),
        lambda: array[:-1],
        lambda: array[:0],
        lambda: array.reshape(-1) if array.ndim > 1 else array[:, None],
        lambda: array[..., None],
        lambda: np.full(number.shape, np.nan, np.float32),
        lambda: number.astype(np.float32) + np.float32(np.inf),
        lambda: array[0],
    ]
    return consistent(arrays | {name: changes[random.integers(len(changes))]()}, header)


def header_rewritten(content, random):
    """Another header, its hash recomputed or not."""
    arrays, header = _parts(content)
    values = [None, -1, 0, 2**70, 1.5, True, "text", [], {}, [1, 2], float("nan"), "x" * 10_000]
    keys = [*header, "kind", "schema_version", "latent_dim", "data_shape", "new"]
    header[keys[random.integers(len(keys))]] = values[random.integers(len(values))]
    if random.integers(2):
        return consistent(arrays, header)
    return zipped((members(content) | {"header.npy": npy(np.array(json.dumps(header)))}).items())


def header_replaced(content, random):
    """Text, numbers or deep nesting where the header should be."""
    texts = [
        "",
        "no JSON",
        "[1, 2]",
        "3",
        "null",
        "[" * 100_000,
        '{"a":' * 5000,
        "1" * 5000,
        '{"kind": "rosetta"}',
        "NaN",
    ]
    arrays = [*(np.array(text) for text in texts), np.arange(3), np.array([["a"]]), np.zeros(0)]
    return zipped(
        (members(content) | {"header.npy": npy(arrays[random.integers(len(arrays))])}).items()
    )


def _parts(content):
    arrays = {
        name.removesuffix(".npy"): np.lib.format.read_array(io.BytesIO(c))
        for name, c in members(content).items()
    }
    header = json.loads(str(arrays.pop("header")))
    return arrays, {key: value for key, value in header.items() if key != "sha256"}


def noise(content, random):
    """No zip file at all."""
    return [
        b"",
        random.bytes(int(random.integers(5000))),
        b"PK\x05\x06" + bytes(18),
        b"PK\x03\x04",
    ][random.integers(4)]


DAMAGES = [
    flipped, flipped, flipped_in_directory, flipped_in_directory, truncated, spliced, spliced,
    moved, surrounded, two_files, members_changed, members_changed, compressed, overlapping,
    sizes_claimed, shape_claimed, shape_claimed, pickled, arrays_rewritten, arrays_rewritten,
    header_rewritten, header_rewritten, header_replaced, noise,
]  # fmt: skip


def outcome(path, expected: RosettaPoints) -> str:
    """ "refused", "equal" or "equal, other header"; anything else is a failure in words."""
    try:
        loaded = RosettaPoints.load(path)
    except ValueError as error:
        text = str(error)
        return (
            "refused"
            if "\n" not in text and len(text) < 600
            else f"FAILED: no one sentence: {text[:200]!r}"
        )
    except BaseException as error:
        return f"FAILED: {type(error).__name__}: {str(error)[:200]}"
    for name in ("x", "z", "ids"):
        one, other = getattr(loaded, name), getattr(expected, name)
        if name == "ids" and one.tolist() == other.tolist():  # the same text, stored wider perhaps
            continue
        if one.dtype != other.dtype or one.shape != other.shape or one.tobytes() != other.tobytes():
            return f"FAILED: another {name} was loaded"
    return "equal" if loaded.header == expected.header else "equal, other header"


def run(count: int, folder: Path, *, seed: int = 0, limited: bool = True) -> tuple[dict, list, int]:
    """Damage and read `count` files: counts by damage and outcome, failures, most memory taken."""
    path, good = folder / "damaged.npz", folder / "good.npz"
    original().save(good)
    expected, content = RosettaPoints.load(good), good.read_bytes()
    counts, failures = collections.Counter(), []
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if limited:
        _limit_memory()
        signal.signal(signal.SIGALRM, _too_long)
    os.chdir(folder)
    for number in range(count):
        random = np.random.default_rng([seed, number])
        damage = DAMAGES[number % len(DAMAGES)]
        path.write_bytes(damage(content, random))
        signal.alarm(SECONDS if limited else 0)
        found = outcome(path, expected)
        signal.alarm(0)
        kind = found.split(":")[0]
        counts[damage.__name__, kind] += 1
        if kind == "FAILED" or Path("witness").exists():
            failures.append(f"{number} ({damage.__name__}): {found}")
            if Path("witness").exists():
                os.rmdir("witness")
    return counts, failures, 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _too_long(*_):
    raise TimeoutError(f"longer than {SECONDS} s")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        counts, failures, memory = run(options.count, Path(folder), seed=options.seed)
        os.chdir("/")
    print(f"{'damage':24}{'refused':>9}{'equal':>9}{'equal, other header':>21}{'FAILED':>9}")
    kinds = ("refused", "equal", "equal, other header", "FAILED")
    for name in [*dict.fromkeys(damage.__name__ for damage in DAMAGES), "all"]:
        row = [
            sum(n for (d, k), n in counts.items() if k == kind and name in (d, "all"))
            for kind in kinds
        ]
        print(f"{name:24}{row[0]:9}{row[1]:9}{row[2]:21}{row[3]:9}")
    print(
        f"{memory / 2**20:.0f} MiB more at most, "
        f"{(time.monotonic() - began) / options.count * 1000:.1f} ms a file"
    )
    if failures:
        sys.exit("\n".join(failures[:30]))


if __name__ == "__main__":
    main()
