"""Recordings: every WAV format in [-1, 1], .cbin files with .rec, refusals that name the file."""

import struct

import numpy as np
import pytest
import soundfile
from scipy.io import wavfile

from rvae_lite.birdsong.recordings import CLIPPED, Recording, read_recording

RAMP = np.array([0.0, 0.5, -0.5, 0.25, -1.0])


@pytest.mark.parametrize(("dtype", "scale"), [("i2", 2**15), ("i4", 2**31), ("f4", 1), ("f8", 1)])
def test_every_sample_format_becomes_fractions_of_full_scale(dtype, scale, tmp_path):
    wavfile.write(tmp_path / "a.wav", 32000, (RAMP * scale).astype(dtype))
    recording = read_recording(tmp_path / "a.wav")
    assert recording.rate == 32000 and recording.samples.dtype == np.float32
    assert np.array_equal(recording.samples, RAMP.astype(np.float32))
    assert recording.duration == 5 / 32000


def test_eight_bits_are_unsigned_with_silence_in_the_middle(tmp_path):
    wavfile.write(tmp_path / "a.wav", 8000, (RAMP * 128 + 128).astype(np.uint8))
    assert np.array_equal(read_recording(tmp_path / "a.wav").samples, RAMP)


def test_twenty_four_bits_are_read(tmp_path):
    values = (RAMP * 2**23).astype("<i4")
    body = b"".join(value.tobytes()[:3] for value in values)
    head = struct.pack("<4sI4s", b"RIFF", 36 + len(body) + 1, b"WAVE")
    head += struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 44100, 132300, 3, 24)
    head += struct.pack("<4sI", b"data", len(body))
    (tmp_path / "a.wav").write_bytes(head + body + b"\0")
    assert np.array_equal(read_recording(tmp_path / "a.wav").samples, RAMP)


def test_a_channel_of_stereo_is_chosen_and_never_guessed(tmp_path):
    wavfile.write(tmp_path / "a.wav", 8000, np.stack([RAMP, RAMP[::-1]], axis=1).astype(np.float32))
    with pytest.raises(
        ValueError, match=r"a.wav has 2 channels: choose one by channel= \(0 to 1\)"
    ):
        read_recording(tmp_path / "a.wav")
    assert np.array_equal(read_recording(tmp_path / "a.wav", channel=1).samples, RAMP[::-1])
    with pytest.raises(ValueError, match="channel must be between 0 and 1 for .*a.wav, not 2"):
        read_recording(tmp_path / "a.wav", channel=2)


def write_cbin(folder, channels, rec):
    (folder / "a.cbin").write_bytes(np.stack(channels, axis=1).astype(">i2").tobytes())
    (folder / "a.rec").write_text(rec)
    return folder / "a.cbin"


@pytest.mark.parametrize("rate", ["32000", "3.2000000e+004"])
def test_a_cbin_file_is_big_endian_and_its_song_is_channel_0(rate, tmp_path):
    rec = f"File created: Fri\n\n     begin rec = 0 ms\nADFREQ =   {rate}\n"
    rec += "Chans = 2\nSamples = 5\nThresholds = \n1.0\n"
    path = write_cbin(tmp_path, [RAMP * 2**15, 0 * RAMP], rec)
    assert read_recording(path).rate == 32000
    assert np.array_equal(read_recording(path).samples, RAMP)
    with pytest.raises(ValueError, match="a.cbin has no sound"):
        read_recording(path, channel=1)


def test_a_cbin_file_that_is_cut_off_is_refused(tmp_path):
    path = write_cbin(tmp_path, [RAMP, RAMP], "ADFREQ = 32000\nChans = 2\nSamples = 6\n")
    with pytest.raises(ValueError, match="a.cbin is cut off: it has 20 bytes, .* copy both again"):
        read_recording(path)
    (tmp_path / "a.rec").write_text("ADFREQ = 32000\nChans = 3\n")
    with pytest.raises(ValueError, match="a.cbin is cut off"):
        read_recording(path)


def test_a_rec_file_that_is_missing_or_incomplete_is_named(tmp_path):
    path = write_cbin(tmp_path, [RAMP], "ADFREQ = 32000\n")
    with pytest.raises(ValueError, match="a.rec does not say Chans: add a line Chans = NUMBER"):
        read_recording(path)
    (tmp_path / "a.rec").write_text("ADFREQ = fast\n")
    with pytest.raises(ValueError, match="a.rec says ADFREQ = 'fast', not a number: correct it"):
        read_recording(path)
    (tmp_path / "a.rec").unlink()
    with pytest.raises(
        FileNotFoundError, match="there is no .*a.rec: copy it too, it holds the sampling rate"
    ):
        read_recording(path)


@pytest.mark.parametrize("samples", [np.zeros(0), np.zeros(100)])
def test_a_recording_without_sound_is_refused(samples, tmp_path):
    wavfile.write(tmp_path / "a.wav", 8000, samples.astype(np.int16))
    with pytest.raises(
        ValueError, match=rf"a.wav has no sound \({len(samples)} samples, all zero\): leave it out"
    ):
        read_recording(tmp_path / "a.wav")


@pytest.mark.parametrize(("value", "problem"), [
    (np.nan, "not finite numbers: export it again"),
    (32000.0, r"up to 32000, not in \[-1, 1\]: divide them"),
])  # fmt: skip
def test_floating_point_samples_in_other_units_are_refused(value, problem, tmp_path):
    wavfile.write(tmp_path / "a.wav", 8000, np.array([0.0, value], np.float32))
    with pytest.raises(ValueError, match=problem):
        read_recording(tmp_path / "a.wav")


def test_a_wav_that_is_cut_off_or_something_else_is_refused(tmp_path):
    wavfile.write(tmp_path / "a.wav", 8000, np.arange(1000, dtype=np.int16))
    content = (tmp_path / "a.wav").read_bytes()
    for damaged in (content[:1500], b"ID3 this is an mp3 in disguise", b""):
        (tmp_path / "a.wav").write_bytes(damaged)
        with pytest.raises(
            ValueError, match="a.wav cannot be read .*: export it again as WAV, 16-bit PCM"
        ) as caught:
            read_recording(tmp_path / "a.wav")
        assert "\n" not in str(caught.value)


def test_an_unknown_chunk_in_a_wav_is_no_warning(tmp_path):
    wavfile.write(tmp_path / "a.wav", 8000, np.arange(100, dtype=np.int16))
    content = (tmp_path / "a.wav").read_bytes() + b"note" + struct.pack("<I", 4) + b"abcd"
    (tmp_path / "a.wav").write_bytes(
        content[:4] + struct.pack("<I", len(content) - 8) + content[8:]
    )
    assert len(read_recording(tmp_path / "a.wav").samples) == 100


def test_a_missing_recording_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no recording at .*a.wav: check the path"):
        read_recording(tmp_path / "a.wav")


def test_soundfile_reads_another_format(tmp_path):
    soundfile.write(tmp_path / "a.flac", RAMP, 44100, subtype="PCM_24")
    recording = read_recording(tmp_path / "a.flac")
    assert isinstance(recording, Recording) and recording.rate == 44100
    assert recording.samples.dtype == np.float32
    assert np.array_equal(recording.samples, RAMP)
    (tmp_path / "a.flac").write_text("damaged")
    with pytest.raises(ValueError, match=r"a.flac cannot be read \(.*\): convert it to WAV"):
        read_recording(tmp_path / "a.flac")


def test_a_flac_that_is_cut_off_is_refused(tmp_path):
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 40000)
    soundfile.write(tmp_path / "a.flac", noise, 44100)
    content = (tmp_path / "a.flac").read_bytes()
    (tmp_path / "a.flac").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"a.flac cannot be read \(.*\): convert it to WAV"):
        read_recording(tmp_path / "a.flac")


def test_a_wav_header_that_contradicts_itself_is_refused(tmp_path):
    wavfile.write(tmp_path / "a.wav", 8000, np.arange(1000, dtype=np.int16))
    content = bytearray((tmp_path / "a.wav").read_bytes())
    content[24:28] = struct.pack("<I", 32000)  # the rate, but not the bytes per second
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(ValueError, match="header says Bytes/sec .*: 16000 .should be 64000"):
        read_recording(tmp_path / "a.wav")


def test_a_rec_file_with_a_number_beyond_reason_is_named(tmp_path):
    path = write_cbin(tmp_path, [RAMP], "ADFREQ = 1e999\nChans = 1\n")
    with pytest.raises(ValueError, match="a.rec does not say ADFREQ"):
        read_recording(path)


def test_the_largest_and_smallest_samples_stand_at_full_scale(tmp_path):
    wavfile.write(tmp_path / "a.wav", 8000, np.array([32767, -32768, 32000, 0], np.int16))
    assert (np.abs(read_recording(tmp_path / "a.wav").samples) >= CLIPPED).tolist() == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(("line", "problem"), [
    ("Samples = 1e999", "a.rec says Samples = 1e999, which cannot be: correct it"),
    ("Samples = -1", "a.rec says Samples = -1, which cannot be: correct it"),
    ("Samples = nan", "a.rec says Samples = 'nan', not a number: correct it"),
    ("Samples = 4_0", "a.rec says Samples = '4_0', not a number: correct it"),
    ("Samples = 4.5", "a.rec says Samples = 4.5, which cannot be: correct it"),
    ("Chans = 1.5", "a.rec says Chans = 1.5, which cannot be: correct it"),
    ("Chans = 1e30", "a.rec says Chans = 1e30, which cannot be: correct it"),
    ("Chans = 2", "a.rec says Chans twice: leave the line that is right"),
    ("ADFREQ = 9" + 400 * "9", "a.rec does not say ADFREQ|a.rec says ADFREQ twice"),
    ("Samples = " + 400 * "9", "a.rec says Samples = 9999.*, which cannot be"),
])  # fmt: skip
def test_a_rec_file_whose_numbers_cannot_be_is_refused(line, problem, tmp_path):
    first = [f"{key}\n" for key in ("ADFREQ = 32000", "Chans = 1")]
    rec = "".join(key for key in first if "ADFREQ" not in line or "ADFREQ" not in key)
    path = write_cbin(tmp_path, [RAMP * 9], f"{rec}{line}\n")
    with pytest.raises(ValueError, match=problem):
        read_recording(path)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.cbin"])
def test_what_is_no_regular_file_is_refused(name, tmp_path):
    (tmp_path / "a.rec").write_text("ADFREQ = 32000\nChans = 1\n")
    (tmp_path / name).mkdir()
    with pytest.raises(ValueError, match=f"{name} is a folder, not a file: name the recording"):
        read_recording(tmp_path / name)
    (tmp_path / name).rmdir()
    (tmp_path / name).symlink_to("/dev/zero")
    with pytest.raises(ValueError, match=f"{name} is no regular file: copy its content into one"):
        read_recording(tmp_path / name)
    (tmp_path / name).unlink()
    (tmp_path / name).touch()
    with pytest.raises(ValueError, match=f"{name} (cannot be read|has no sound)"):
        read_recording(tmp_path / name)


def test_a_rec_file_that_is_a_device_is_refused(tmp_path):
    path = write_cbin(tmp_path, [RAMP], "")
    (tmp_path / "a.rec").unlink()
    (tmp_path / "a.rec").symlink_to("/dev/zero")
    with pytest.raises(ValueError, match="a.rec is no regular file: copy its content into one"):
        read_recording(path)


def test_a_recording_that_unfolds_beyond_the_limit_is_refused(tmp_path, monkeypatch):
    soundfile.write(tmp_path / "a.flac", np.zeros(2**20), 32000)
    monkeypatch.setattr("rvae_lite.birdsong.recordings.MOST_BYTES", 2**20)
    message = "a.flac cannot be read .its header says 1048576 samples: more than are read.: convert"
    with pytest.raises(ValueError, match=message):
        read_recording(tmp_path / "a.flac")


def test_a_rec_file_that_counts_fewer_samples_is_refused(tmp_path):
    path = write_cbin(tmp_path, [RAMP], f"ADFREQ = 32000\nChans = 1\nSamples = {len(RAMP) // 2}\n")
    with pytest.raises(ValueError, match="belongs to another .rec file: it has .* copy both again"):
        read_recording(path)


@pytest.mark.parametrize("channel", ["left", 1.0, True])
def test_a_channel_that_is_no_integer_is_refused(channel, tmp_path):
    path = write_cbin(tmp_path, [RAMP], "ADFREQ = 32000\nChans = 1\n")
    with pytest.raises(ValueError, match="channel must be an integer, not "):
        read_recording(path, channel=channel)
