"""Whether a WAV or FLAC file holds the sound that its header says.

Letters: T samples.
"""

import hashlib
import struct

import numpy as np

# Of files of more than 4 GiB, whose sizes stand in a chunk of their own; and of big-endian ones.
LARGE, ORDERS = (b"RF64", b"BW64"), {b"RIFF": "<", b"RIFX": ">", b"RF64": "<", b"BW64": "<"}
UNKNOWN = (0, 2**32 - 1)  # sizes that recorders write before they know better
PLAIN = (1, 3, 0xFFFE)  # formats in which a sample has bytes of its own
TAGS = (b"TAG", b"ID3", b"APE")  # of players, behind the last chunk
MOST_CHUNKS = 10_000


def check_riff(file) -> None:
    """Refuse a header that contradicts what the file holds; other formats than WAV pass.

    Args:
        file: open for reading bytes; it is left at its start.

    Raises:
        ValueError: a reason: samples beyond those that the header says, two chunks of samples, two
            recordings, bits that do not fill the bytes of a sample, or half a sample.  A file that
            is too short is left to who reads it.
    """
    size = file.seek(0, 2)
    file.seek(0)
    head = file.read(12)
    if head[:4] in ORDERS and head[8:12] == b"WAVE":
        _check_chunks(file, size, ORDERS[head[:4]], large=head[:4] in LARGE)
    file.seek(0)


def _check_chunks(file, size: int, order: str, *, large: bool) -> None:
    place, frame, long_size, length = 12, 1, None, None
    for _ in range(MOST_CHUNKS):
        file.seek(min(place, size))
        tag = file.read(8)
        if tag[:3] in TAGS or len(tag) < 2:
            return
        if len(tag) < 8:
            return _check_rest(file, place, length, frame, size)
        if length is not None and tag[:4] in ORDERS:
            raise ValueError("it goes on with another recording")
        name, found = tag[:4], struct.unpack(order + "I", tag[4:])[0]
        plain = all(32 <= byte < 127 for byte in name)
        if length is not None and not (plain and place + 8 + found <= size + 1):
            return _check_rest(file, place, length, frame, size)
        if name == b"ds64" and large and place == 12:
            long_size = struct.unpack("<8xQ", file.read(16).ljust(16, b"\0"))[0]
        elif name == b"fmt ":
            frame = _frame(file.read(16).ljust(16, b"\0"), order)
        elif name == b"data" and length is not None:
            raise ValueError("it has two chunks of samples")
        elif name == b"data":
            found = long_size if large and found == UNKNOWN[1] and long_size else found
            length, rest = found, size - place - 8
            if found in UNKNOWN and rest:
                _refuse(found, rest, frame)
            if found % frame and found <= rest:
                raise ValueError(f"its {found} bytes of samples are no multiple of {frame}")
        place += 8 + found + found % 2


def _frame(content: bytes, order: str) -> int:
    """Bytes of one sample of all channels, as the chunk of the format says."""
    kind, channels, frame, bits = struct.unpack(order + "HH8xHH", content)
    if kind in PLAIN and bits and frame != channels * -(-bits // 8):
        raise ValueError(f"its header says {channels} x {bits} bits in {frame} bytes")
    return max(1, frame)


def _check_rest(file, place: int, length: int | None, frame: int, size: int) -> None:
    """What stands behind the samples and is no chunk: zeros that fill a block, or more sound."""
    if length is None:
        return
    file.seek(place)
    while block := file.read(2**20):
        if block.strip(b"\0"):
            _refuse(length, length + size - place, frame)


def _refuse(said: int, held: int, frame: int) -> None:
    both = f"its header says {said // frame} samples, it holds up to {held // frame}"
    raise ValueError(f"{both}; repair the header, as by sox --ignore-length")


def check_flac(file, sound: np.ndarray, bits: int) -> None:
    """Refuse sound that is not what was packed: damaged, or of another length than the header says.

    Args:
        file: open for reading bytes.
        sound: all channels in [-1, 1], (T, channels).
        bits: of a sample, 8, 16 or 24.

    Raises:
        ValueError: a reason: the checksum in the header is not that of the sound, or another
            recording follows.
    """
    file.seek(0, 2)  # so that nothing kept from before is read
    file.seek(0)
    head = file.read(42)
    if head[:4] == b"fLaC" and head[:8] in file.read():
        raise ValueError("it goes on with another recording")
    checksum = head[26:]  # MD5 of the samples, or zeros
    if head[:4] != b"fLaC" or not any(checksum):
        return
    whole = np.rint(sound * np.float64(2 ** (bits - 1))).astype("<i4")
    samples = whole.view(np.uint8).reshape(-1, 4)[:, : bits // 8]
    if hashlib.md5(samples.tobytes(), usedforsecurity=False).digest() != checksum:
        raise ValueError("its sound is not what was packed, by the checksum in its header")
