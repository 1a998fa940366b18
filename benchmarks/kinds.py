"""The kinds of files that the package reads: a good one of each, its damages, the door it enters.

`doors.py` damages what `write` wrote and opens it.  Files that are damaged have names of their own,
which a refusal must name.
"""

import io
import json
import os
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import damages
import numpy as np

from rvae_lite import VAE, Fit, RosettaPoints, fit
from rvae_lite.birdsong import annotations, ava, recordings, spectrograms, syllables
from rvae_lite.data import chairs, sprites
from rvae_lite.lab import commands, inspecting, reading, spaces
from rvae_lite.studies import running, study
from rvae_lite.text import reading as texts

SPEC = spectrograms.SpectrogramSpec(num_freqs=8, num_times=8)
RATE = 32000
STUDY = """from rvae_lite.studies.study import Study

study = Study("tiny", reproduces="nothing", profiles=dict(quick=dict(cells=["damaged", "whole"])))


@study.grid
def grid(profile):
    return profile.cells


@study.unit
def unit(profile, cell, keep):
    return [dict(seed=seed, part=cell, metric="error", value=0.25 * seed) for seed in range(4)]
"""


class Kind(NamedTuple):
    """One kind of file.

    write: write(folder) -> the files that are damaged, one at a time.
    open: open(folder) -> what was read: arrays, numbers, text, in dictionaries and tuples.
    damages: of them.
    exact: what is read equals what was written, whatever was done to a file without its hash.
    heals: a damaged file is made anew, and nothing refused.
    """

    write: Callable
    open: Callable
    damages: tuple
    exact: bool = False
    heals: bool = False


def _random():
    return np.random.default_rng(0)


def _one(name: str, content):
    """A writer of one file."""

    def write(folder: Path):
        (folder / name).write_bytes(content() if callable(content) else content)
        return [folder / name]

    return write


# Files of rvae_lite


def _points(folder: Path):
    x = _random().integers(0, 256, (16, 1, 6, 6)).astype(np.uint8)
    header = dict(licence="CC0", source="made up", note="zwölf", preprocessing=dict(axis="mel"))
    names = [f"x{i}" for i in range(16)]
    z = _random().standard_normal((16, 3))
    recon = _random().random(x.shape, dtype=np.float32)
    points = RosettaPoints(x, z, recon=recon, ids=names, header=header)
    points.save(folder / "damaged.npz")
    return [folder / "damaged.npz"]


def _inspected(path: Path) -> None:
    """What `inspect` says of a file: a line an entry, all of it printable."""
    described = inspecting.describe(inspecting.open_file(path))
    lines = inspecting.as_text(described).split("\n")
    assert len(lines) == len(described), "a line was forged"
    assert all(line.isprintable() for line in lines), "control characters reach the terminal"


def _open_points(folder: Path):
    points = RosettaPoints.load(folder / "damaged.npz")
    _inspected(folder / "damaged.npz")
    return points.x, points.z, points.ids, points.recon


def _data():
    return _random().standard_normal((12, 3)).astype(np.float32)


def _train(path=None) -> Fit:
    options = dict(epochs=2, batch_size=4, replicas=2, beta=0.1, compile=False)
    return fit(VAE.mlp(3, 2, (4,)), _data(), checkpoint=path, **options)


def _model(folder: Path):
    _train().save(folder / "damaged.npz")
    return [folder / "damaged.npz"]


def _open_model(folder: Path):
    loaded = Fit.load(folder / "damaged.npz")
    _inspected(folder / "damaged.npz")
    if tuple(loaded.model.data_shape) == (3,):
        loaded.encode(_data())
    return loaded.weights.numpy(), loaded.beta, loaded.rho


def _checkpoint(folder: Path):
    _train(folder / "damaged.npz")
    return [folder / "damaged.npz"]


def _open_checkpoint(folder: Path):
    return _train(folder / "damaged.npz").weights.numpy()


def _unit(folder: Path):
    (folder / "studies").mkdir()
    (folder / "studies" / "tiny.py").write_text(STUDY)
    _open_unit(folder)
    return [folder / "results" / "units" / "tiny-quick" / "damaged.csv"]


def _open_unit(folder: Path):
    os.environ[study.OWN_FOLDER] = str(folder / "studies")
    table = running.run_study("tiny", "quick", out=folder / "results", progress=False)
    return table.astype(str).to_numpy()  # text, as a value may be NaN


def unit_forged(content, random):
    """Another table under the line that makes a unit whole."""
    origin = repr(["tiny", "quick", dict(cells=["damaged", "whole"]), ("damaged",)])
    text = content.rpartition(b"# sha256")[0]
    damage = damages.pick(random, [damages.cells_changed, damages.text_changed, damages.cut])
    return damages.signed(damage(text, random), origin)


def _sound() -> np.ndarray:
    return (3000 * _random().standard_normal(RATE // 2)).astype("<i2")


def _wav(samples=None) -> bytes:
    body = (_sound() if samples is None else samples).tobytes()
    head = struct.pack("<IHHIIHH", 16, 1, 1, RATE, 2 * RATE, 2, 16)
    size = struct.pack("<I", len(body))
    return b"RIFF" + struct.pack("<I", 36 + len(body)) + b"WAVEfmt " + head + b"data" + size + body


def _cache(folder: Path):
    (folder / "bird").mkdir()
    (folder / "bird" / "s.wav").write_bytes(_wav())
    (folder / "bird" / "s.csv").write_text("onset,offset,label\n0.1,0.2,a\n0.25,0.4,b\n")
    _open_cache(folder)
    return sorted((folder / "cache").glob("*.npz"))


def _open_cache(folder: Path):
    options = dict(spec=SPEC, cache=folder / "cache", workers=1, progress=False)
    found = syllables.load_birds(dict(bird=folder / "bird"), **options)
    return found.spectrograms, found.labels


def _settings(folder: Path):
    _cache(folder)
    return [folder / "cache" / "settings.json"]


# Sound


def _cbin(folder: Path):
    (folder / "damaged.cbin").write_bytes(_sound().astype(">i2").tobytes())
    lines = f"ADFREQ = {RATE}\nChans = 1\nSamples = {RATE // 2}\n"
    (folder / "damaged.rec").write_text(lines)
    return [folder / "damaged.rec"]


def _cbin_alone(folder: Path):
    _cbin(folder)
    return [folder / "damaged.cbin"]


def _open_sound(name: str):
    return lambda folder: tuple(recordings.read_recording(folder / name))


def _flac() -> bytes:
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, _sound(), RATE, format="FLAC")
    return file.getvalue()


def _not_mat(compressed: bool):
    from scipy.io import savemat

    file, times = io.BytesIO(), np.arange(1, 9) * 100.0
    told = dict(Fs=float(RATE), fname="s.cbin", labels="abcdabcd", min_dur=30.0, threshold=9.0)
    told |= dict(onsets=times[:, None], offsets=times[:, None] + 50)
    savemat(file, told, do_compression=compressed)
    return file.getvalue()


def _open_annotations(name: str):
    def found(folder: Path):
        read = annotations.read_annotations(folder / name)
        faulty = annotations.check_annotations(read, path=folder / name)
        sound = read.take(~np.isin(read.rows, list(faulty)))
        return sound.onsets, sound.offsets, sound.labels

    return found


AUDACITY = b"".join(b"%.2f\t%.2f\t%c\n" % (i / 4, i / 4 + 0.1, 97 + i % 3) for i in range(9))
SYLLABLES = b"onset,offset,label\n" + b"".join(
    b"%.2f,%.2f,%c\n" % (i / 4, i / 4 + 0.1, 97 + i % 3) for i in range(9)
)


# Data


def _table() -> bytes:
    rows = [",".join(f"{value:.4f}" for value in row) for row in _data()]
    return "\n".join(["a,b,c", *rows]).encode()


def _tabs(content: bytes) -> bytes:
    return content.replace(b",", b"\t")


def _tsv_changed(content, random):
    return _tabs(damages.cells_changed(content.replace(b"\t", b","), random))


def _npy() -> bytes:
    return damages.npy(_data())


def _npz() -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, x=_data())
    return file.getvalue()


def _hdf5(packed=True, **arrays):
    import h5py

    file = io.BytesIO()
    with h5py.File(file, "w") as archive:
        for name, array in arrays.items():
            archive.create_dataset(name, data=array, compression="gzip" if packed else None)
        archive.attrs["preprocessing"] = '{"axis": "mel"}'
    return file.getvalue()


def _secrets(folder: Path):
    import h5py

    (folder / "secret.bin").write_bytes(damages.SECRET)
    with h5py.File(folder / "secret.h5", "w") as file:
        file["x"] = np.ones((8, 4), np.float32)


def _data_hdf5(folder: Path):
    _secrets(folder)
    return _one("damaged.h5", _hdf5(x=_data()))(folder)


def _ava(folder: Path):
    _secrets(folder)
    times, names = np.arange(5.0), np.array([b"s.wav"] * 5)
    specs = _random().random((5, 8, 8)).astype(np.float32)
    arrays = dict(specs=specs, onsets=times, offsets=times + 0.1, audio_filenames=names)
    return _one("damaged.hdf5", _hdf5(**arrays))(folder)


def _syllables(folder: Path):
    _secrets(folder)
    times, names = np.arange(5.0), np.array([b"s.wav"] * 5)
    arrays = dict(onsets=times, offsets=times + 0.1, audio_filenames=names, birds=names)
    arrays |= dict(labels=names, ids=np.array([b"b/s.wav:%d" % i for i in range(5)]))
    specs = _random().random((5, 8, 8)).astype(np.float16)
    return _one("damaged.h5", _hdf5(packed=False, specs=specs, **arrays))(folder)


def _open_syllables(folder: Path):
    found = reading.read_data(folder / "damaged.h5")
    return np.array(found.x), found.ids, found.labels


def _open_ava(folder: Path):
    found = ava.read_ava(folder)
    return found.spectrograms, found.onsets, found.offsets


def _pictures(suffix: str, kind: str):
    def write(folder: Path):
        from PIL import Image

        (folder / "pictures").mkdir()
        for name in ("damaged", "whole"):
            picture = _random().integers(0, 256, (8, 8, 3)).astype(np.uint8)
            Image.fromarray(picture).save(folder / "pictures" / (name + suffix), kind)
        return [folder / "pictures" / f"damaged{suffix}"]

    return write


def _open_data(name: str):
    return lambda folder: reading.read_data(folder / name).x


def _open_means(folder: Path):
    source = f"a={folder / 'damaged.npy'}"
    named = spaces.name_sources([source, source.replace("a=", "b=")])
    return spaces.gather_spaces(named).means


def _open_texts(folder: Path):
    return texts.read_texts(folder / "damaged.txt").texts


def _open_preprocessing(folder: Path):
    return commands.read_preprocessing(str(folder / "damaged.json"))


def _chairs(folder: Path):
    from PIL import Image

    file, picture = io.BytesIO(), np.full((600, 600, 3), 255, np.uint8)
    Image.fromarray(picture).save(file, "PNG")
    with tarfile.open(folder / "rendered_chairs.tar", "w") as archive:
        for turn in (11, 22):
            name = f"rendered_chairs/a/renders/image_001_p020_t0{turn}_r096.png"
            member = tarfile.TarInfo(name)
            member.size = len(file.getvalue())
            archive.addfile(member, io.BytesIO(file.getvalue()))
    return [folder / "rendered_chairs.tar"]


def _open_chairs(folder: Path):
    return chairs.load_chairs(root=folder).x


def _sprites(folder: Path):
    (folder / "dsprites").mkdir()
    grid = np.stack(np.meshgrid(*[[0, 1]] * 5, indexing="ij"), -1).reshape(-1, 5)
    arrays = dict(imgs=np.ones((32, 64, 64), np.uint8), latents_classes=grid)
    np.savez_compressed(folder / "dsprites" / "damaged.npz", **arrays)
    return [folder / "dsprites" / "damaged.npz"]


def _open_sprites(folder: Path):
    return sprites.load_dsprites(root=folder, file="damaged.npz").x


JSON = json.dumps(dict(axis="mel", rate=RATE, window=[1, 2, dict(a=None)])).encode()
LINES = b"".join(b"word%d again and again\n" % i for i in range(20))
MAT5 = (*damages.ANY, *[damages.mat5_tags, damages.mat5_forged] * 4)
WAV = (*damages.ANY, *[damages.wav_forged] * 4)
PNG = (*damages.ANY, *[damages.png_forged] * 4, damages.picture_renamed)
JPEG = (*damages.ANY, *[damages.jpeg_forged] * 4, damages.picture_renamed)
REC = (*damages.ANY, *[damages.values_changed] * 6)
TSV = (*damages.ANY, *[_tsv_changed] * 6, damages.text_changed)
CSV, NOT_MAT = "damaged.csv", "damaged.not.mat"
SETTINGS = (*damages.ANY, *[damages.json_forged] * 6)

KINDS = dict(
    rosetta=Kind(_points, _open_points, damages.OWN, exact=True),
    model=Kind(_model, _open_model, damages.OWN, exact=True),
    checkpoint=Kind(_checkpoint, _open_checkpoint, damages.OWN, exact=True),
    unit=Kind(_unit, _open_unit, (*damages.TABLE, *[unit_forged] * 6), exact=True, heals=True),
    cache=Kind(_cache, _open_cache, damages.OWN, exact=True, heals=True),
    settings=Kind(_settings, _open_cache, SETTINGS, exact=True),
    not_mat=Kind(_one(NOT_MAT, lambda: _not_mat(False)), _open_annotations(NOT_MAT), MAT5),
    not_mat_packed=Kind(_one(NOT_MAT, lambda: _not_mat(True)), _open_annotations(NOT_MAT), MAT5),
    hdf5=Kind(_data_hdf5, _open_data("damaged.h5"), damages.HDF5),
    ava=Kind(_ava, _open_ava, damages.HDF5),
    csv=Kind(_one(CSV, _table), _open_data(CSV), damages.TABLE),
    csv_tabs=Kind(_one("damaged.tsv", lambda: _tabs(_table())), _open_data("damaged.tsv"), TSV),
    png=Kind(_pictures(".png", "PNG"), _open_data("pictures"), PNG),
    jpeg=Kind(_pictures(".jpg", "JPEG"), _open_data("pictures"), JPEG),
    npy=Kind(_one("damaged.npy", _npy), _open_data("damaged.npy"), damages.NPY),
    npz=Kind(_one("damaged.npz", _npz), _open_data("damaged.npz"), damages.NPZ),
    means=Kind(_one("damaged.npy", _npy), _open_means, damages.NPY),
    wav=Kind(_one("damaged.wav", _wav), _open_sound("damaged.wav"), WAV),
    flac=Kind(_one("damaged.flac", _flac), _open_sound("damaged.flac"), damages.ANY),
    rec=Kind(_cbin, _open_sound("damaged.cbin"), REC),
    cbin=Kind(_cbin_alone, _open_sound("damaged.cbin"), damages.ANY),
    annotations=Kind(
        _one("damaged.csv", SYLLABLES), _open_annotations("damaged.csv"), damages.TABLE
    ),
    tsv=Kind(_one("damaged.tsv", _tabs(SYLLABLES)), _open_annotations("damaged.tsv"), TSV),
    labels=Kind(_one("damaged.txt", AUDACITY), _open_annotations("damaged.txt"), damages.TEXT),
    texts=Kind(_one("damaged.txt", LINES), _open_texts, damages.TEXT),
    preprocessing=Kind(_one("damaged.json", JSON), _open_preprocessing, SETTINGS),
    chairs=Kind(_chairs, _open_chairs, damages.ANY),
    sprites=Kind(_sprites, _open_sprites, damages.NPZ),
    syllables=Kind(_syllables, _open_syllables, damages.HDF5),
)
