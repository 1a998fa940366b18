"""rvae-lite extract, from recordings, tables and AVA's files to the commands that read its file."""

import json
import os
import re
import resource
import signal
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from aviary import SMALL, TIMES, labelled, song, write_bird, write_table, write_wav
from workbench import refused, run

from rvae_lite import RosettaPoints
from rvae_lite.birdsong.ava import read_file, write_ava
from rvae_lite.birdsong.syllables import load_birds
from rvae_lite.lab.reading import read_data

ROOT = Path(__file__).resolve().parents[2]
SIZE = ["--num-freqs", "16", "--num-times", "20"]
QUICK = ["--epochs", "2", "--batch-size", "16"]


@pytest.fixture(scope="module")
def aviary(tmp_path_factory):
    """Folders of two birds, and what was extracted and distilled from them."""
    folder = tmp_path_factory.mktemp("aviary")
    write_bird(folder / "ann", songs=12)
    write_bird(folder / "bob", songs=8, gain=0.05)
    said = run("extract", folder / "ann", f"carol={folder / 'bob'}", "-o", folder / "x.h5", *SIZE)
    assert "60 syllables of 2 animals (ann 36, carol 24), 16 x 20 pixels, 3 labels" in said
    run("distil", folder / "x.h5", "-o", folder / "a.npz", "--num-points", "12", *QUICK)
    return folder


@pytest.fixture
def place(aviary, tmp_path, monkeypatch):
    """An empty folder to work in, and names of the files above in it."""
    for path in aviary.iterdir():
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_file_is_read_with_ids_labels_and_preprocessing(aviary):
    found, loaded = read_data(aviary / "x.h5"), read_file(aviary / "x.h5")
    assert found.x.shape == (60, 1, 16, 20) and found.x.dtype == np.float16
    assert isinstance(found.x, np.memmap) and (found.x == loaded.spectrograms).all()
    assert found.ids[[0, -1]].tolist() == ["ann/s0.wav:2", "carol/s7.wav:4"]
    assert set(found.labels) == {"a", "b", "c"} and found.notes == []
    assert found.preprocessing["num_freqs"] == 16
    assert set(found.preprocessing["normalisation"]) == {"ann", "carol"}
    plain = read_data(aviary / "x.h5", key="specs")
    assert plain.x.dtype == np.float32 and plain.preprocessing is None


def test_wide_numbers_that_stay_on_disk_are_scaled(tmp_path):
    content = dict(specs=np.linspace(0, 1, 48).reshape(3, 4, 4), onsets=np.arange(3.0))
    with h5py.File(tmp_path / "x.hdf5", "w") as file:
        file.update(
            content | dict(offsets=np.arange(3) + 0.1, audio_filenames=np.array(["a.wav"] * 3, "S"))
        )
    found = read_data(tmp_path / "x.hdf5", value_scale=2.0)
    assert np.allclose(found.x[:, 0], content["specs"] / 2)


def test_distil_train_and_compare_take_it_as_it_is(place):
    points = RosettaPoints.load("a.npz")
    assert points.header["preprocessing"]["axis"] == "mel" and points.x.dtype == np.float32
    assert set(points.ids) <= set(read_data("x.h5").ids)
    result = json.loads(run("train", "x.h5", "a.npz", "-o", "bob.npz", *QUICK, "--json"))
    assert result["num_examples"] == 60
    spaces = ["a=a.model.npz", "b=bob.npz", "--data", "x.h5", "--points", "a.npz"]
    result = json.loads(run("compare", *spaces, "-o", "report.html", "--json"))
    assert result["num_examples"] == 60 and set(result["verdicts"]) == {"b"}
    assert Path("report.html").exists()


def test_names_stay_at_home_if_asked_to(place):
    options = ["--model", "a.model.npz", "--num-points", "10", "--ids", "none"]
    said = run("distil", "x.h5", "-o", "n.npz", *options)
    header = RosettaPoints.load("n.npz").header
    assert "normalisation" not in header["preprocessing"] and "travel" not in said
    assert b"carol" not in Path("n.npz").read_bytes()
    said = run("distil", "x.h5", "-o", "m.npz", *options[:-2])
    assert "the ids of the chosen examples travel with the points" in said


def test_a_table_of_segments_will_do_for_folders(place):
    rows = [(bird, f"{bird}{i}.wav", *row) for bird in "pq" for i in range(3) for row in labelled()]
    write_table(place / "all.csv", rows, header="who,file,from,to,kind")
    for i, bird in enumerate("pqpqpq"):
        write_wav(place / "wav" / f"{bird}{i // 2}.wav", song(seed=i))
    columns = ["--columns", "bird=who,onset=from,offset=to,label=kind", "--recordings", "wav"]
    result = json.loads(run("extract", "all.csv", *columns, "-o", "t.h5", *SIZE, "--json"))
    assert result["birds"] == dict(p=9, q=9) and result["num_labels"] == 3
    assert read_data("t.h5").ids[0] == "p/p0.wav:2"
    run("extract", "r=all.csv", *columns, "-o", "one.h5", *SIZE)
    assert set(read_file("one.h5").birds) == {"r"}
    run("distil", "t.h5", "-o", "t.npz", "--num-points", "5", *QUICK)


def test_files_of_ava_are_taken_with_what_is_said_of_them(place):
    syllables = load_birds(dict(ann=place / "ann"), spec=SMALL, progress=False)
    for path in write_ava(place / "ava", syllables):
        with h5py.File(path, "r+") as file:  # as AVA's own
            del file.attrs["preprocessing"]
    said = run("extract", "ava", "-o", "plain.h5")
    assert "settings not stated" in said and read_data("plain.h5").preprocessing is None
    Path("ava.json").write_text(json.dumps(dict(fs=32000, num_freqs=16)))
    said = run("extract", "eve=ava", "-o", "told.h5", "--spec", "ava.json")
    assert "36 syllables of 1 animal (eve 36), 16 x 20 pixels, 0 labels" in said
    found = read_data("told.h5")
    assert found.preprocessing == dict(fs=32000, num_freqs=16) and found.labels is None
    assert np.abs(found.x - syllables.spectrograms).max() <= 2**-11
    single = read_data("ava/syllables_0000.hdf5")
    assert single.x.shape == (20, 1, 16, 20) and single.x.dtype == np.float32
    run("distil", "told.h5", "-o", "t.npz", "--num-points", "5", *QUICK)
    assert RosettaPoints.load("t.npz").header["preprocessing"]["fs"] == 32000
    told = "the settings given contradict the files' own .num_freqs: 8 against 16.: correct them"
    refused(told, "extract", "ava", "-o", "no.h5", "--num-freqs", "8")
    refused(told, "extract", "x.h5", "-o", "no.h5", "--num-freqs", "8")
    options = [["--channel", "0"], ["--columns", "onset=a"], ["--cache", "c"]]
    for option in (*options, ["--on-problem", "skip"], ["--on-problem", "bogus"]):
        wanted = f"{option[0]} is for recordings, and these are HDF5: leave it out"
        refused(wanted, "extract", "ava", "-o", "no.h5", *option)
    for option, wanted in (("--axis", "axis must be one of"), ("--time", "time must be 'stretch'")):
        refused(wanted, "extract", "ava", "-o", "no.h5", option, "bogus")
    refused("sound and HDF5 files .*: extract them apart", "extract", "ava", "ann", "-o", "no.h5")
    refused("there already|is there", "extract", "ava", "-o", "told.h5")


def test_calls_of_mice_at_250_khz_are_read_by_options(place):
    rate, times = 250_000, [(0.02, 0.05), (0.1, 0.18)]
    t = np.arange(round(0.25 * rate)) / rate
    sound = 1e-3 * np.random.default_rng(0).standard_normal(len(t))
    for (onset, offset), pitch in zip(times, (45e3, 80e3), strict=True):
        sound += (t >= onset) * (t < offset) * 0.3 * np.sin(2 * np.pi * pitch * t)
    write_wav(place / "mouse" / "m.wav", sound, rate=rate)
    write_table(place / "mouse" / "m.csv", labelled(times))
    band = ["--min-freq", "30000", "--max-freq", "110000", "--axis", "linear"]
    options = ["--sample-rate", "250000", *band, "--max-duration", "0.1", *SIZE]
    run("extract", "mouse", "-o", "m.h5", *options)
    x = read_data("m.h5").x[:, 0].astype(float)
    loudest = x.mean(2).argmax(1)
    expected = np.round((np.array([45e3, 80e3]) - 30e3) / 80e3 * 15)
    assert np.abs(loudest - expected).max() <= 1
    refused("max_freq = 110000 Hz for all birds", *("extract", "ann", "-o", "no.h5", *options))
    refused("half the sample rate", *("extract", "mouse", "-o", "no.h5", *band))


def test_settings_come_from_json_from_a_rosetta_file_or_from_another_extraction(place):
    Path("spec.json").write_text('{"num_freqs": 16, "num_times": 20, "log_range": [2, 6.5]}')
    for spec, fixed in (("spec.json", [2, 6.5]), ("a.npz", None), ("x.h5", None)):
        out = f"{spec}.h5"
        result = json.loads(run("extract", "ann", "-o", out, "--spec", spec, "--json"))
        assert result["preprocessing"]["log_range"] == fixed and result["shape"] == [16, 20]
    text = '{"num_freqs": 16, "num_times": 20}'
    options = ["--spec", text, "--percentiles", "10,99", "--num-freqs", "16"]
    result = json.loads(run("extract", "ann", "-o", "t.h5", *options, "--json"))
    assert result["preprocessing"]["percentiles"] == [10, 99]


@pytest.mark.parametrize(
    "spec, options, message",
    [
        ('{"tempo": 3}', [], "'tempo' is no setting of a spectrogram: use sample_rate, window"),
        ('{"axis": 3}', [], "axis must be a word, not 3"),
        ('{"hop": "wide"}', [], "hop must be a number, not 'wide'"),
        ('{"hop": 0.5}', [], "hop must be an integer of at least 1"),
        ('{"log_range": [1]}', [], "log_range must be two numbers, not"),
        ('{"axis": "mel"}', ["--axis", "linear"], "--axis linear contradicts .*mel.: leave one"),
        ("a.npz", ["--num-freqs", "32"], "--num-freqs 32 contradicts a.npz .16.: leave one"),
        ("[1]", [], "holds no settings of spectrograms: pass JSON"),
        ("mel", [], "holds no settings of spectrograms: pass JSON"),
        ("{", [], "--spec is no valid JSON"),
        ("no.json", [], "there is no file no.json: check --spec"),
        ("no.npz", [], "there is no rosetta file at no.npz"),
        ("{}", ["--percentiles", "25"], "--percentiles must be two numbers, LOW,HIGH, not '25'"),
        ("{}", ["--percentiles", "99,25"], "percentiles must be two rising numbers"),
        ("{}", ["--axis", "bark"], "axis must be one of"),
    ],
)
def test_settings_that_are_wrong_or_contradict_each_other(place, spec, options, message):
    refused(message, "extract", "ann", "-o", "no.h5", "--spec", spec, *options)
    assert not Path("no.h5").exists()


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["nowhere"], "there is nothing at nowhere: check the path"),
        (["ann", "./ann"], "two sources are called ann: name them as in alice=PATH"),
        (["a.npz"], "a.npz is of no known kind: pass a folder, a table"),
        (["empty"], "empty holds no recordings of empty"),
        (["ann", "--columns", "onset"], "--columns must be KEY=NAME, separated by commas"),
        (["ann", "--on-problem", "hide"], "on_problem must be 'refuse' or 'skip', not 'hide'"),
        (["ann", "--channel", "7"], "channel must be between 0 and 0"),
        (["ann", "--max-duration", "0.05"], "longer than max_duration = 0.05 s"),
        (["ann", "--recordings", "no"], "--recordings is for tables, and there is none: leave it"),
        (["zz=x.h5"], r"x.h5 names its birds itself .ann, carol.: leave the name zz out"),
        (["ann", "-o", "x.h5"], "x.h5 is there already"),
        (["ann", "-o", "sub/ann"], "sub/ann is a folder|ann is a folder"),
        (["x.h5", "-o", "x.h5", "--force"], "x.h5 is read by this command"),
    ],
)
def test_errors_of_use_are_one_sentence(place, arguments, message):
    (place / "empty").mkdir()
    (place / "sub" / "ann").mkdir(parents=True)
    out = [] if "-o" in arguments else ["-o", "no.h5"]
    refused(message, "extract", *arguments, *out)
    assert not Path("no.h5").exists()


def test_problems_are_named_by_file_and_row_listed_and_counted(place):
    write_bird(place / "dan", songs=8)
    for i in range(6):
        rows = [(0.2, 0.1, "a"), *labelled()[1:]] if i else [(0.1, 9.0, "a")]
        write_table(place / "dan" / f"s{i}.csv", rows)
    Path("dan/s7.wav").write_bytes(b"RIFF")
    common = ["extract", "dan", *SIZE]
    told = "7 problems with the songs: .*s0.csv, row 2: .*; and 2 more; .*; --problems FILE lists"
    refused(told, *common, "-o", "no.h5")
    Path("problems.txt").write_text("of a run before")
    refused("leave these out by --on-problem skip", *common, "-o", "no.h5")
    refused("7 problems", *common, "-o", "no.h5", "--problems", "problems.txt")
    lines = Path("problems.txt").read_text().splitlines()
    assert len(lines) == 7 and sum("row 2" in line for line in lines) == 6
    assert re.match(r"unusable recording: .*s7.wav cannot be read", lines[-1])
    assert not Path("no.h5").exists()
    skip = [*common, "--on-problem", "skip", "--problems", "listed.txt"]
    said = run(*skip, "-o", "d.h5")
    counted = "left out: 9 .outside the recording: 1, onset after offset: 5, unusable recording: 3"
    assert re.search(counted, said) and said.count("row 2") == 5
    assert "  and 2 more\n" in said
    assert Path("listed.txt").read_text().splitlines() == lines
    result = json.loads(run(*common, "--on-problem", "skip", "-o", "e.h5", "--json"))
    assert sum(result["skipped"].values()) == 9 and len(result["problems"]) == 7
    assert len(read_data("d.h5").x) == 24 - 9 - 2  # s0 has one row instead of three


def test_a_specification_that_contradicts_the_files_is_refused(place):
    other = ["--preprocessing", '{"axis": "linear"}']
    told = "--preprocessing contradicts what x.h5 says of itself .*: leave --preprocessing out"
    refused(told, "distil", "x.h5", "-o", "no.npz", *other)
    refused(told, "train", "x.h5", "a.npz", "-o", "no.npz", *other)
    told = "x.h5 tells its preprocessing itself: leave --preprocessing out"
    refused(told, "distil", "x.h5", "-o", "no.npz", "--preprocessing", "mel")
    same = json.dumps(dict(axis="mel", num_freqs=16))
    model = ["--model", "a.model.npz", "--num-points", "10"]
    run("distil", "x.h5", "-o", "s.npz", "--preprocessing", same, *model)
    run("extract", "ann", "-o", "linear.h5", *SIZE, "--axis", "linear")
    told = "points do not fit the data: the points and the data were prepared differently "
    told += ".axis: 'mel' against 'linear'"
    refused(told, "train", "linear.h5", "a.npz", "-o", "no.npz", *QUICK)
    spaces = ["a=a.model.npz", "b=s.npz", "--data", "linear.h5", "--points", "a.npz"]
    refused(told, "compare", *spaces, "-o", "no.html")
    assert not {"no.npz", "no.html", "no.model.npz"} & set(os.listdir())


def test_no_source_is_replaced(place):
    write_bird(place / "dan")
    write_ava(place / "spec", load_birds(dict(dan=place / "dan"), spec=SMALL, progress=False))
    Path("y=1.h5").write_bytes(Path("x.h5").read_bytes())
    Path("t.csv").write_text("onset,offset,label,file\n0.1,0.2,a,s0.wav\n")
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    for source, outputs in [
        ("y=1.h5", ["-o", "y=1.h5"]),
        ("bird=spec", ["-o", "spec/syllables_0000.hdf5"]),
        *[("dan", ["-o", f"dan/s0.{suffix}"]) for suffix in ("wav", "csv")],
        *[("d=t.csv", ["--recordings", "dan", "-o", path]) for path in ("t.csv", "dan/s0.wav")],
        ("dan", ["-o", "no.h5", "--problems", "dan/s1.csv"]),
    ]:
        refused("is read by this command", "extract", source, *outputs, "--force", *SIZE)
    assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == before
    write_bird(place / "nest" / "eve")
    for _ in range(2):  # what lies among the recordings and is none of them may be replaced
        more = ["--problems", "nest/eve/problems.txt", "--force"]
        said = run("extract", "nest", "-o", "nest/e.h5", *more, *SIZE)
        assert "6 syllables of 1 animal (nest 6)" in said


def test_files_with_and_without_settings_are_not_joined(place):
    Path("other.hdf5").write_bytes(Path("x.h5").read_bytes())
    with h5py.File("other.hdf5", "r+") as file:
        del file.attrs["preprocessing"], file["ids"], file["birds"]
    wrong = "^rvae-lite: other.hdf5 does not say how it was made, x.h5 does: keep them apart"
    for sources in (["x.h5", "dan=other.hdf5"], ["dan=other.hdf5", "x.h5"]):
        refused(wrong, "extract", *sources, "-o", "no.h5")
    preprocessing = read_data("x.h5").preprocessing
    Path("spec.json").write_text(json.dumps(preprocessing))
    run("extract", "dan=other.hdf5", "-o", "dan.h5", "--spec", "spec.json")
    assert "120 syllables of 3 animals" in run("extract", "x.h5", "dan.h5", "-o", "joined.h5")
    with h5py.File("other.hdf5", "r+") as file:
        preprocessing["normalisation"]["carol"][0] += 1
        file.attrs["preprocessing"] = json.dumps(preprocessing)
    told = "x.h5 has other settings than other.hdf5 .normalisation of carol: .*: keep them apart"
    refused(told, "extract", "x.h5", "other.hdf5", "-o", "no.h5")


def test_folders_of_extracted_files_are_read_and_empty_files_are_refused(place):
    Path("many").mkdir()
    Path("many/x.h5").write_bytes(Path("x.h5").read_bytes())
    assert "60 syllables of 2 animals" in run("extract", "many", "-o", "again.h5")
    with h5py.File("many/x.h5", "r+") as file:
        for key in list(file):
            content = file[key][:0]
            del file[key]
            file[key] = content
    refused("many/x.h5: no syllables: check the files", "extract", "many", "-o", "no.h5")


@pytest.mark.parametrize(
    "key, value, message",
    [
        ("labels", np.array([b"a"] * 59), "unequal lengths .*60 onsets.*59 labels.*: write it ag"),
        ("ids", np.array([b"a"] * 60), "has two syllables with one id: write it again"),
        ("birds", np.arange(60), "birds must be .n,. text, not int64"),
        ("labels", np.array([b"\xff"] * 60), r"row 0: one of labels, b'\\xff', is no UTF-8"),
        ("onsets", np.zeros(59), "unequal lengths"),
        ("specs", np.full((60, 16, 20), np.nan, np.float16), "has NaN or infinite values"),
        ("specs", np.full((60, 16, 20), 2, np.float16), r"has values outside \[0, 1\]"),
    ],
)
def test_files_that_are_not_whole_are_refused(place, aviary, key, value, message):
    Path("bad.h5").write_bytes((aviary / "x.h5").read_bytes())
    with h5py.File("bad.h5", "r+") as file:
        del file[key]
        file[key] = value
    refused(f"bad.h5.*{message}", "distil", "bad.h5", "-o", "no.npz")


def test_latents_of_another_length_than_the_file_are_refused(place):
    np.save("means.npy", np.random.default_rng(0).normal(size=(59, 3)))
    spaces = ["a=a.model.npz", "b=means.npy", "--data", "x.h5"]
    told = "the numbers of examples differ .b 59, the data 60.: encode the same data"
    refused(told, "compare", *spaces, "-o", "no.html")


def started(folder, *arguments, prepare=None):
    env = os.environ | dict(PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1")

    def heeding():
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if prepare is not None:
            prepare()

    command = [sys.executable, "-m", "rvae_lite", *arguments]
    return subprocess.Popen(
        command, cwd=folder, stderr=subprocess.PIPE, env=env, preexec_fn=heeding
    )


def test_an_interrupt_leaves_nothing_half_written_and_the_cache_goes_on(tmp_path):
    write_bird(tmp_path / "ann", songs=400)
    arguments = ["extract", "ann", "-o", "x.h5", "--cache", "cache", "--workers", "1"]
    with started(tmp_path, *arguments, "--progress") as process:
        try:
            said = b""
            while not re.search(rb"[1-9]\d*/400", said):
                said += process.stderr.read1()
            process.send_signal(signal.SIGINT)
            said = process.communicate(timeout=60)[1]
        finally:
            process.kill()
    assert process.returncode == 130 and b"Traceback" not in said
    assert sorted(os.listdir(tmp_path)) == ["ann", "cache"]
    kept = {path.name for path in (tmp_path / "cache").glob("*.npz")}
    assert 0 < len(kept) < 400 and not list((tmp_path / "cache").glob("*.part"))
    with started(tmp_path, *arguments) as process:
        assert process.communicate(timeout=120)[1] == b"" and process.returncode == 0
    assert len(read_data(tmp_path / "x.h5").x) == 1200


@pytest.mark.parametrize("stage", ["making", "writing"])
def test_a_full_disk_is_one_sentence_and_nothing_stays(tmp_path, stage):
    """While spectrograms are made, and when those of AVA's files, of as many bytes, are written."""
    write_bird(tmp_path / "ann", songs=10)
    bytes_of_all = 30 * 16 * 20 * 2
    size, source = bytes_of_all, "ann"  # as float32 they have twice as many
    if stage == "writing":
        syllables = load_birds(dict(ann=tmp_path / "ann"), spec=SMALL, progress=False)
        write_ava(tmp_path / "ava", syllables)
        size, source = bytes_of_all + 100, "ava"

    def full():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    there = sorted(os.listdir(tmp_path))
    with started(tmp_path, "extract", source, "-o", "x.h5", *SIZE, prepare=full) as process:
        said = process.communicate(timeout=120)[1].decode()
    assert process.returncode == 1, said
    assert re.fullmatch(r"rvae-lite: cannot write x.h5 .*\n", said), said
    assert sorted(os.listdir(tmp_path)) == there


def test_times_are_of_the_recording(aviary):
    read = read_file(aviary / "x.h5")
    assert read.onsets[:3].tolist() == [onset for onset, _ in TIMES]
