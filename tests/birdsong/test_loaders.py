"""Finches: birds in folders, labels that tell birds apart, laboratories, verified downloads."""

import hashlib
import io
import json
import os
import re
import zipfile
from collections import Counter

import numpy as np
import pytest
from scipy.io import savemat, wavfile

from rvae_lite import data
from rvae_lite.birdsong.loaders import load_bengalese_finch, load_zebra_finch
from rvae_lite.data import folders

RATE = 32000
SPANS = [(0.1, 0.2, "a"), (0.25, 0.32, "b"), (0.4, 0.5, "a")]


def sound(seed, *, peak=0.5):
    """A second of noise with tones in it, as 16-bit samples."""
    random, time = np.random.default_rng(seed), np.arange(RATE) / RATE
    samples = 0.01 * random.standard_normal(RATE)
    for onset, offset, label in SPANS:
        inside = (time >= onset) & (time < offset)
        samples[inside] += np.sin(2 * np.pi * dict(a=1500, b=4000)[label] * time[inside])
    return np.clip(samples * peak * 32767, -32768, 32767).astype(np.int16)


def write_song(path, *, spans=SPANS, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    wavfile.write(path, RATE, sound(sum(path.name.encode()), **options))
    table = "onset,offset,cluster\n" + "".join(
        f"{onset},{offset},{label}\n" for onset, offset, label in spans
    )
    path.with_suffix(".csv").write_text(table)


@pytest.fixture
def root(tmp_path):
    """Three zebra finches with two, one and one recordings, and a Bengalese finch with five."""
    for name in ("train/one.wav", "test/two.wav"):
        write_song(tmp_path / "zebra_finch" / "blu285_goffinet2021" / name)
    write_song(tmp_path / "zebra_finch" / "R402_avn" / "three.wav")
    write_song(tmp_path / "zebra_finch" / "green7" / "four.wav", peak=3)
    day = tmp_path / "bengalese_finch" / "gy6or6" / "032312"
    day.mkdir(parents=True)
    times = 1000 * np.array([span[:2] for span in SPANS])
    for number in range(5):
        (day / f"song{number}.cbin").write_bytes(
            np.stack([sound(number)] * 2, axis=1).astype(">i2").tobytes()
        )
        (day / f"song{number}.rec").write_text(f"ADFREQ = {RATE}\nChans = 2\nSamples = {RATE}\n")
        savemat(
            day / f"song{number}.cbin.not.mat",
            dict(onsets=times[:, 0], offsets=times[:, 1], labels="aba"),
        )
    return tmp_path


def test_zebra_finches_are_images_between_0_and_1_with_a_label_for_each_type_of_each_bird(root):
    dataset = data.load("zebra_finch", root=root, size=32)
    assert dataset.x.shape == (12, 1, 32, 32) and dataset.x.dtype == np.float32
    assert dataset.x.min() >= 0 and 0.9 < dataset.x.max() <= 1
    assert len(set(dataset.ids)) == 12
    names = dataset.info["label_names"]
    assert names == ["R402/a", "R402/b", "blu285/a", "blu285/b", "green7/a", "green7/b"]
    assert np.bincount(dataset.labels).tolist() == [2, 1, 4, 2, 2, 1]
    assert all(
        key.startswith(names[label].split("/")[0])
        for key, label in zip(dataset.ids, dataset.labels, strict=True)
    )


def test_info_says_where_the_birds_come_from_and_how_they_were_prepared(root):
    info = data.load("zebra_finch", root=root, size=32).info
    assert info["name"] == "zebra_finch" and info["title"] == "zebra finches"
    assert re.search(
        "R402: Avian Vocalization Network.*blu285: J. Goffinet.*r4gq6zn8w.*green7: not kn",
        info["source"],
    )
    assert re.search(
        "R402: MIT; blu285: CC0 .* see its source; green7: not known here", info["licence"]
    )
    assert info["value_range"] == (0.0, 1.0) and info["skipped"] == {}
    assert info["clipped"] == 3  # and no warning, which would be an error here
    assert info["preprocessing"]["num_freqs"] == info["preprocessing"]["num_times"] == 32
    assert sorted(info["preprocessing"]["normalisation"]) == ["R402", "blu285", "green7"]
    json.dumps(info)


def test_the_laboratories_hold_distinct_birds(root):
    dataset = data.load("zebra_finch", root=root, size=8)
    assert [set(dataset.labels[dataset.part == part]) for part in (1, 2)] == [{2, 3}, {0, 1, 4, 5}]
    dataset = data.load("zebra_finch", root=root, size=8, first_laboratory=["green7", "R402"])
    assert set(dataset.labels[dataset.part == 2]) == {2, 3}
    dataset = data.load("zebra_finch", root=root, size=8, first_laboratory="R402")
    assert set(dataset.labels[dataset.part == 1]) == {0, 1}


@pytest.mark.parametrize("first", ["yellow", [], ["blu285", "R402", "green7"]])
def test_birds_that_make_no_two_laboratories_are_refused(first, root):
    with pytest.raises(
        ValueError,
        match="first_laboratory must name some of the birds R402, blu285, green7, not all",
    ):
        data.load("zebra_finch", root=root, size=8, first_laboratory=first)


def test_settings_of_the_spectrograms_reach_them(root):
    options = dict(axis="linear", time="pad", max_duration=0.2, log_range=(1.0, 7.0))
    plain, other = (
        data.load("zebra_finch", root=root, size=16, **chosen) for chosen in ({}, options)
    )
    assert not np.array_equal(plain.x, other.x)
    preprocessing = other.info["preprocessing"]
    assert {key: preprocessing[key] for key in options} == dict(options, log_range=[1.0, 7.0])
    with pytest.raises(ValueError, match="axis must be one of"):
        data.load("zebra_finch", root=root, axis="bark")
    for size in (1, 32.0, True):
        with pytest.raises(ValueError, match=r"size must be an integer( of at least 2)?, not"):
            data.load("bengalese_finch", root=root, size=size)


def test_the_halves_of_the_bengalese_finch_share_no_recording(root):
    dataset = data.load("bengalese_finch", root=root, size=16)
    assert dataset.x.shape == (15, 1, 16, 16)
    assert dataset.info["label_names"] == ["gy6or6/a", "gy6or6/b"]
    assert "CC BY 4.0" in dataset.info["licence"] and "figshare.4805749" in dataset.info["source"]
    files = np.array([key.split(":")[0] for key in dataset.ids])
    halves = [set(files[dataset.part == part]) for part in (1, 2)]
    assert sorted(map(len, halves)) == [2, 3] and not halves[0] & halves[1]
    again, other = (load_bengalese_finch(root=root, size=16, seed=seed) for seed in (0, 3))
    assert np.array_equal(dataset.part, again.part) and not np.array_equal(dataset.part, other.part)


def test_a_single_recording_makes_no_two_halves(root):
    for path in (root / "bengalese_finch" / "gy6or6" / "032312").glob("song[1-4]*"):
        path.unlink()
    with pytest.raises(
        ValueError,
        match="gy6or6/032312/song0.cbin is the only recording in .*: add another, for the",
    ):
        data.load("bengalese_finch", root=root, size=8)


def test_faulty_annotations_are_refused_or_skipped_and_counted(root):
    write_song(root / "zebra_finch" / "R402_avn" / "three.wav", spans=[*SPANS, (0.9, 0.8, "b")])
    with pytest.raises(ValueError, match="three.csv, row 5"):
        data.load("zebra_finch", root=root, size=8)
    with pytest.warns(UserWarning, match="three.csv, row 5"):
        dataset = data.load("zebra_finch", root=root, size=8, on_problem="skip")
    assert len(dataset.x) == 12 and sum(dataset.info["skipped"].values()) == 1


def test_two_folders_of_one_bird_are_refused(root):
    write_song(root / "zebra_finch" / "R402" / "five.wav")
    with pytest.raises(
        ValueError, match="R402 and .*R402_avn hold the same bird: move one of them elsewhere"
    ):
        data.load("zebra_finch", root=root)


def test_hidden_folders_and_loose_files_are_no_birds(root):
    (root / "zebra_finch" / ".cache").mkdir()
    (root / "zebra_finch" / "notes.txt").touch()
    assert len(data.load("zebra_finch", root=root, size=8).x) == 12


@pytest.mark.parametrize(
    ("name", "source"), [("zebra_finch", "r4gq6zn8w"), ("bengalese_finch", "figshare.4805749")]
)
def test_missing_recordings_say_what_to_put_where(name, source, tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        data.load(name, root=tmp_path)
    message = str(caught.value)
    for part in (
        f"are not in {tmp_path}",
        source,
        str(tmp_path / name / "<bird>"),
        "root=",
        folders.DATA_VARIABLE,
    ):
        assert part in message
    assert "\n" not in message
    (tmp_path / name).mkdir()
    with pytest.raises(FileNotFoundError, match="are not in"):
        data.load(name, root=tmp_path)


def test_the_bengalese_finch_cannot_be_downloaded(tmp_path):
    with pytest.raises(
        FileNotFoundError, match="cannot be downloaded for you, as no checksum is known: fetch some"
    ):
        data.load("bengalese_finch", root=tmp_path, download=True)


def archive_of(root, folder):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for path in sorted((root / "zebra_finch" / folder).rglob("*.*")):
            archive.write(path, path.relative_to(root / "zebra_finch" / folder))
    return content.getvalue()


def replace_network(monkeypatch, content):
    """Let every address answer with `content`, or raise it; pooch itself does all the rest."""
    import pooch.core

    asked = []

    def download(url, output_file, _):
        asked.append(url)
        if isinstance(content, BaseException):
            raise content
        with open(output_file, "wb") as file:
            file.write(content)

    monkeypatch.setattr(pooch.core, "choose_downloader", lambda *_, **__: download)
    return asked


URL = "https://data.example/files/purple9.zip?ln=en"


def test_a_download_needs_an_address_and_a_checksum_or_trust(tmp_path, monkeypatch):
    asked = replace_network(monkeypatch, b"")
    with pytest.raises(
        ValueError, match="download=True needs url=, the address of one bird's zip archive, .*r4gq"
    ):
        data.load("zebra_finch", root=tmp_path, download=True)
    with pytest.raises(
        ValueError, match="no checksum of .*purple9.* is known here: pass sha256=, or allow_unver"
    ):
        data.load("zebra_finch", root=tmp_path, download=True, url=URL)
    with pytest.raises(
        ValueError, match="url must end in the name of an archive, <bird>.zip, not 'https://x"
    ):
        data.load(
            "zebra_finch",
            root=tmp_path,
            download=True,
            url="https://x.example/",
            allow_unverified=True,
        )
    assert asked == []


def test_a_trusted_download_prints_its_checksum_and_is_put_in_place(
    root, tmp_path_factory, monkeypatch, capsys
):
    content = archive_of(root, "blu285_goffinet2021")
    asked = replace_network(monkeypatch, content)
    new, digest = tmp_path_factory.mktemp("new"), hashlib.sha256(content).hexdigest()
    with pytest.raises(
        ValueError, match="first_laboratory must name some of the birds purple9"
    ):  # one bird alone
        data.load("zebra_finch", root=new, size=8, download=True, url=URL, allow_unverified=True)
    assert f"SHA-256 of {URL}: {digest} (pass it as sha256= next time)" in capsys.readouterr().out
    assert [path.name for path in (new / "zebra_finch").iterdir()] == ["purple9"]
    write_song(new / "zebra_finch" / "R402" / "three.wav")
    dataset = data.load("zebra_finch", root=new, size=8, first_laboratory="purple9", download=True)
    assert len(dataset.x) == 9 and asked == [URL]  # what is there is not fetched again


def test_a_download_is_verified(root, tmp_path_factory, monkeypatch, capsys):
    content = archive_of(root, "R402_avn")
    replace_network(monkeypatch, content)
    new, options = tmp_path_factory.mktemp("new"), dict(size=8, download=True, url=URL)
    with pytest.raises(
        ValueError, match="purple9.zip.* cannot be used .*: check url= and sha256="
    ) as caught:
        data.load("zebra_finch", root=new, sha256="0" * 64, **options)
    assert "\n" not in str(caught.value)
    assert list((new / "zebra_finch").iterdir()) == []
    with pytest.raises(ValueError, match="first_laboratory must name"):
        data.load("zebra_finch", root=new, sha256=hashlib.sha256(content).hexdigest(), **options)
    assert "SHA-256 of" not in capsys.readouterr().out


@pytest.mark.parametrize("damage", ["cut", "flip", "page"])
def test_a_damaged_archive_leaves_nothing_behind(damage, root, tmp_path_factory, monkeypatch):
    content = archive_of(root, "R402_avn")
    damaged = dict(
        cut=content[:-30], flip=content[:500] + b"damage" + content[506:], page=b"<html>no</html>"
    )[damage]
    replace_network(monkeypatch, damaged)
    new = tmp_path_factory.mktemp("new")
    with pytest.raises(
        ValueError, match="purple9.zip.* is damaged or not a zip archive: check url="
    ):
        data.load("zebra_finch", root=new, download=True, url=URL, allow_unverified=True)
    assert list((new / "zebra_finch").iterdir()) == []


def test_without_a_network_the_remedy_is_to_fetch_it_by_hand(tmp_path, monkeypatch):
    replace_network(monkeypatch, ConnectionError("several\nlines"))
    with pytest.raises(
        FileNotFoundError, match=r"could not be downloaded \(ConnectionError\): fetch some"
    ) as caught:
        data.load("zebra_finch", root=tmp_path, download=True, url=URL, allow_unverified=True)
    assert "\n" not in str(caught.value)


def test_a_root_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match="is not a folder: name another folder by root="):
        data.load("zebra_finch", root=tmp_path / "file")


def real(load, name):
    """A data set from the folder that the variable names, or skip."""
    if folders.DATA_VARIABLE not in os.environ:
        pytest.skip(f"{folders.DATA_VARIABLE} is not set")
    try:
        return load()
    except FileNotFoundError:
        pytest.skip(f"{name} is not in the folder that {folders.DATA_VARIABLE} names")


def counts_of(dataset):
    return Counter(np.array(dataset.info["label_names"])[dataset.labels].tolist())


def test_the_real_zebra_finches_have_their_counts_of_every_type():
    dataset = real(load_zebra_finch, "zebra_finch")
    expected = {f"blu285/syll_{i}": count for i, count in enumerate([79, 78, 79, 79, 79, 79])}
    expected |= {
        f"R402/{key}": n
        for key, n in zip("abcdefghi", [98, 98, 98, 91, 91, 21, 29, 3, 180], strict=True)
    }
    expected |= {
        f"G402/{key}": n
        for key, n in zip("abcdefgi", [82, 82, 76, 76, 41, 40, 18, 179], strict=True)
    }
    assert counts_of(dataset) == expected
    assert dataset.x.shape == (1776, 1, 128, 128) and len(set(dataset.ids)) == 1776
    assert np.bincount(dataset.part).tolist() == [0, 473, 709 + 594]
    assert dataset.info["skipped"] == {} and dataset.x.min() >= 0 and dataset.x.max() <= 1


def test_the_real_bengalese_finch_has_its_counts_of_every_type():
    dataset = real(load_bengalese_finch, "bengalese_finch")
    counts = [47, 46, 45, 45, 90, 45, 41, 38, 128, 38, 38]
    assert counts_of(dataset) == {
        f"gy6or6/{key}": n for key, n in zip("abcdefghijk", counts, strict=True)
    }
    assert len(dataset.x) == 601 and 0 < (dataset.part == 1).sum() < 601
