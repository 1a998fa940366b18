"""Caches of songs: made anew when any file has changed, and when they hold what cannot be."""

import os

import numpy as np
import pytest
from aviary import RATE, SMALL, labelled, song, write_bird, write_not_mat

from rvae_lite.birdsong.syllables import load_birds
from rvae_lite.storage import load_arrays, save_arrays

KIND = dict(kind="song cache", version=1)


def load(folder, cache=None):
    return load_birds(dict(ann=folder), spec=SMALL, cache=cache, progress=False, workers=1)


def write_cbin(folder, suffix):
    folder.mkdir()
    (folder / "s.cbin").write_bytes((song() * 2**15).astype(">i2").tobytes())
    (folder / "s.rec").write_text(f"ADFREQ = {RATE}\nChans = 1\n")
    rows = [f"{onset}\t{offset}\t{label}" for onset, offset, label in labelled()]
    if suffix == ".cbin.not.mat":
        write_not_mat(folder / "s.cbin.not.mat", labelled())
    elif suffix == ".txt":
        (folder / "s.txt").write_text("\n".join(rows))
    else:
        (folder / "s.csv").write_text("\n".join(["onset\toffset\tlabel", *rows]))


def change_annotation(path):
    if path.name.endswith(".not.mat"):
        write_not_mat(path, labelled()[1:])
    else:
        path.write_text(path.read_text().replace("0.25", "0.26"))


@pytest.mark.parametrize("suffix", [".cbin.not.mat", ".txt", ".csv"])
@pytest.mark.parametrize("changed", ["sound", "rate", "annotation"])
def test_a_cache_sees_every_file_that_was_read(tmp_path, suffix, changed):
    folder, cache = tmp_path / "a", tmp_path / "cache"
    write_cbin(folder, suffix)
    before = load(folder, cache)
    if changed == "sound":
        (folder / "s.cbin").write_bytes((song(seed=1) * 2**15).astype(">i2").tobytes())
        os.utime(folder / "s.cbin", ns=(0, 0))
    elif changed == "rate":
        (folder / "s.rec").write_text(f"ADFREQ = {RATE - 1000}\nChans = 1\n")
    else:
        change_annotation(folder / f"s{suffix}")
    again, truth = load(folder, cache), load(folder)
    assert again.spectrograms.shape == truth.spectrograms.shape
    assert np.array_equal(again.spectrograms, truth.spectrograms)
    assert not np.array_equal(again.spectrograms, before.spectrograms)


def without(arrays, name):
    return {key: array for key, array in arrays.items() if key != name}


FORGED = {
    "no problems": lambda h, a: (without(h, "problems"), a),
    "problems of text": lambda h, a: (h | dict(problems="abc"), a),
    "a problem without count": lambda h, a: (h | dict(problems=[["x", "y"]]), a),
    "a count of text": lambda h, a: (h | dict(problems=[["x", "y", "1"]]), a),
    "a problem too many": lambda h, a: (h | dict(problems=[["x", "y", 1]]), a),
    "no settings": lambda h, a: (without(h, "settings"), a),
    "settings of text": lambda h, a: (h | dict(settings="abc"), a),
    "no images": lambda h, a: (h, without(a, "images")),
    "another array": lambda h, a: (h, a | dict(more=a["kept"])),
    "doubles": lambda h, a: (h, a | dict(images=a["images"].astype("f8"))),
    "other sizes": lambda h, a: (h, a | dict(images=a["images"][:, :3])),
    "NaN": lambda h, a: (h, a | dict(images=a["images"] * np.float32(np.nan))),
    "infinite": lambda h, a: (h, a | dict(images=np.full_like(a["images"], np.inf))),
    "fewer images": lambda h, a: (h, a | dict(images=a["images"][:1])),
    "fewer syllables": lambda h, a: (h, {name: array[:1] for name, array in a.items()}),
    "fewer flags": lambda h, a: (h, a | dict(clipped=a["clipped"][:1])),
    "floats kept": lambda h, a: (h, a | dict(kept=a["kept"] * 1.0)),
    "one kept twice": lambda h, a: (h, a | dict(kept=a["kept"] * 0)),
    "descending": lambda h, a: (h, a | dict(kept=a["kept"][::-1])),
    "out of range": lambda h, a: (h, a | dict(kept=a["kept"] + 10)),
    "below zero": lambda h, a: (h, a | dict(kept=a["kept"] - 1)),
    "a single number": lambda h, a: (h, a | dict(kept=np.array(3))),
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_a_cache_that_holds_what_cannot_be_is_made_anew(tmp_path, forge):
    folder, cache = write_bird(tmp_path / "a", songs=1), tmp_path / "cache"
    truth = load(folder, cache)
    (path,) = cache.glob("*.npz")
    header, arrays = load_arrays(path, **KIND)
    header, arrays = forge(header, arrays)
    save_arrays(path, **KIND, header=header, arrays=arrays)
    again = load(folder, cache)
    assert np.array_equal(again.spectrograms, truth.spectrograms)
    assert again.ids.tolist() == truth.ids.tolist()


@pytest.mark.parametrize("text", ["5", "[]", "[" * 100_000, "{", "null", '"abc"'])
def test_settings_of_a_cache_that_are_none_are_refused(tmp_path, text):
    folder, cache = write_bird(tmp_path / "a", songs=1), tmp_path / "cache"
    load(folder, cache)
    (cache / "settings.json").write_text(text)
    with pytest.raises(
        ValueError, match="settings.json is damaged: delete the folder .*cache, the"
    ):
        load(folder, cache)
