"""Headers of WAV and FLAC that lie are refused, wherever they lie; what is odd but whole is read."""

import struct

import numpy as np
import pytest
import soundfile

from rvae_lite.birdsong.recordings import read_recording

SOUND = (np.random.default_rng(0).normal(size=3200) * 3000).astype("<i2").tobytes()
FORMAT = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, 32000, 64000, 2, 16)


def chunk(name, content, size=None):
    content = content + bytes(len(content) % 2)
    return name + struct.pack("<I", len(content) if size is None else size) + content


DATA, LIST = chunk(b"data", SOUND), chunk(b"LIST", b"INFOISFT", 8)


def count(path, *chunks, riff=None):
    body = b"WAVE" + b"".join(chunks)
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body) if riff is None else riff) + body)
    return len(read_recording(path).samples)


@pytest.mark.parametrize(("chunks", "riff"), [
    ([FORMAT, DATA], None),
    ([FORMAT, DATA], 0),  # recorders that could not go back to the start
    ([FORMAT, DATA], 2**32 - 1),
    ([FORMAT, LIST, DATA, LIST], None),
    ([FORMAT, chunk(b"LIST", b"odd", 3), DATA], None),
    ([FORMAT, DATA, bytes(500)], 36 + len(SOUND)),  # to fill a block
    ([FORMAT, DATA, b"TAG" + bytes([7] * 125)], None),
])  # fmt: skip
def test_an_odd_header_around_whole_sound_is_no_matter(chunks, riff, tmp_path):
    assert count(tmp_path / "a.wav", *chunks, riff=riff) == 3200


@pytest.mark.parametrize(("chunks", "riff", "reason"), [
    ([chunk(b"data", SOUND, 0)], 36, "its header says 0 samples, it holds up to 3200"),
    ([chunk(b"data", SOUND, 0)], 0, "its header says 0 samples, it holds up to 3200"),
    ([chunk(b"data", SOUND, 2**32 - 1)], 2**32 - 1, "its header says 2147483647 samples, it holds"),
    ([chunk(b"data", SOUND, 3200)], None, "its header says 1600 samples, it holds up to 3200"),
    ([chunk(b"data", SOUND[:3200]), SOUND[3200:]], 3236, "its header says 1600 samples, it holds"),
    ([DATA, LIST, SOUND], None, "its header says 3200 samples, it holds up to"),
    ([chunk(b"data", SOUND[:3200]), chunk(b"data", SOUND[3200:])], None, "it has two chunks of"),
    ([chunk(b"data", SOUND, 6399)], None, "its 6399 bytes of samples are no multiple of 2"),
    ([chunk(b"data", SOUND, 6500)], None, "its header says data : 6500"),
])  # fmt: skip
def test_a_header_that_says_another_number_of_samples_is_refused(chunks, riff, reason, tmp_path):
    with pytest.raises(ValueError, match=rf"a.wav cannot be read \({reason}.*\): export it again"):
        count(tmp_path / "a.wav", FORMAT, *chunks, riff=riff)


@pytest.mark.parametrize(("format", "subtype"), [
    ("WAV", "FLOAT"), ("WAVEX", "PCM_24"), ("RF64", "PCM_16"), ("WAV", "ULAW"), ("W64", "PCM_16"),
])  # fmt: skip
def test_every_kind_of_wav_is_whole(format, subtype, tmp_path):
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, 3201)
    soundfile.write(tmp_path / "a.wav", sound, 32000, format=format, subtype=subtype)
    assert len(read_recording(tmp_path / "a.wav").samples) == 3201


def test_damaged_recordings_are_read_or_refused_in_one_line(tmp_path):
    random, path = np.random.default_rng(0), tmp_path / "a.wav"
    numbers = [0, 1, 2**16, 2**31, 2**32 - 1]
    count(path, FORMAT, LIST, DATA)
    whole = path.read_bytes()
    for _ in range(300):
        content = bytearray(whole)
        for _ in range(random.integers(1, 3)):
            place = random.integers(70)
            content[place : place + 4] = struct.pack("<I", numbers[random.integers(5)])
        path.write_bytes(
            content[: random.integers(len(whole))] if random.random() < 0.2 else content
        )
        try:
            assert len(read_recording(path).samples) <= len(whole)
        except ValueError as error:
            assert str(path) in str(error) and "\n" not in str(error)


@pytest.mark.parametrize("subtype", ["PCM_S8", "PCM_16", "PCM_24"])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_flac_is_verified_by_its_checksum(subtype, channels, tmp_path):
    path, sound = tmp_path / "a.flac", np.random.default_rng(0).uniform(-1, 1, (9000, channels))
    soundfile.write(path, sound, 32000, subtype=subtype)
    assert len(read_recording(path, channel=0).samples) == 9000
    content = bytearray(path.read_bytes())
    packed = int.from_bytes(content[18:26], "big")  # the last 36 bits count samples
    for count in (8999, 4096):
        changed = (packed >> 36 << 36 | count).to_bytes(8, "big")
        path.write_bytes(content[:18] + changed + content[26:])
        with pytest.raises(
            ValueError, match="a.flac cannot be read .its sound is not what was pack"
        ):
            read_recording(path, channel=0)


def test_two_recordings_in_one_file_are_refused(tmp_path):
    whole = b"WAVE" + FORMAT + DATA
    path = tmp_path / "a.wav"
    path.write_bytes(2 * (b"RIFF" + struct.pack("<I", len(whole)) + whole))
    with pytest.raises(ValueError, match="a.wav cannot be read .it goes on with another recording"):
        read_recording(path)
    path = tmp_path / "a.flac"
    soundfile.write(path, np.random.default_rng(0).uniform(-1, 1, 20_000), 32000)
    path.write_bytes(2 * path.read_bytes())
    with pytest.raises(ValueError, match="a.flac cannot be read .it goes on with another recor"):
        read_recording(path)


@pytest.mark.parametrize(("channels", "bits", "frame"), [(1, 24, 2), (2, 16, 2), (1, 16, 4)])
def test_bits_that_do_not_fill_the_bytes_of_a_sample_are_refused(channels, bits, frame, tmp_path):
    said = struct.pack("<IHHIIHH", 16, 1, channels, 32000, 32000 * frame, frame, bits)
    problem = f"its header says {channels} x {bits} bits in {frame} bytes"
    with pytest.raises(ValueError, match=problem):
        count(tmp_path / "a.wav", b"fmt " + said, DATA)
