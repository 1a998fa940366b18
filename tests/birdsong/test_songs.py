"""What is wrong with songs is named by file and row, or left out and counted."""

import os
import re

import numpy as np
import pytest
from aviary import (
    RATE,
    SMALL,
    TIMES,
    labelled,
    song,
    write_bird,
    write_not_mat,
    write_table,
    write_wav,
)

from rvae_lite.birdsong.annotations import Annotations
from rvae_lite.birdsong.syllables import load_birds

QUIET = dict(spec=SMALL, progress=False, workers=1)
GOOD = labelled()

BAD_ROWS = [
    ((0.7, 0.6, "z"), "onset after offset", "s.csv, row 5: .*the onset is not before the offset"),
    ((0.6, 0.6, "z"), "zero length", "s.csv, row 5: .*the onset is not before the offset"),
    (
        (0.44, 0.48, "z"),
        "overlap",
        "s.csv, row 5: .*it starts before the syllable of row 3 has ended",
    ),
    (
        (0.7, 0.9, "z"),
        "outside the recording",
        "s.csv, row 5: .*it reaches beyond the end of the recording, at 0.8 s",
    ),
    ((-0.1, 0.05, "z"), "time missing or negative", "s.csv, row 5: .*a time is negative"),
    (("", 0.7, "z"), "time missing or negative", "s.csv, row 5: .*a time is missing"),
    (
        (0.6, 0.60001, "z"),
        "too short",
        "s.csv, row 5: a syllable of 1e-05 s is shorter than one column of the image",
    ),
]


def refused(birds, message, **options):
    with pytest.raises(ValueError, match=message):
        load_birds(birds, **QUIET | options)


def skipped(birds, **options):
    """What remains and what was left out."""
    with pytest.warns(UserWarning, match=r"left out \(") as caught:
        syllables = load_birds(birds, on_problem="skip", **QUIET | options)
    assert len(caught) == 1
    return syllables.labels.tolist(), syllables.info["skipped"]


@pytest.mark.parametrize("row, reason, message", BAD_ROWS)
def test_a_bad_row_is_named_or_left_out(tmp_path, row, reason, message):
    write_wav(tmp_path / "s.wav", song())
    write_table(tmp_path / "s.csv", [*GOOD, row])
    refused(
        dict(ann=tmp_path),
        f"^1 problem with the songs: .*{message}.*leave these out by on_problem='skip'",
    )
    assert skipped(dict(ann=tmp_path)) == (list("abc"), {reason: 1})


def test_too_long_a_syllable_is_never_cropped(tmp_path):
    write_wav(tmp_path / "s.wav", song())
    write_table(tmp_path / "s.csv", GOOD)
    spec = SMALL._replace(max_duration=0.15)
    message = "s.csv, row 3: a syllable of 0.2 s is longer than max_duration = 0.15 s: "
    message += "raise max_duration for all birds"
    refused(dict(ann=tmp_path), message, spec=spec)
    assert skipped(dict(ann=tmp_path), spec=spec) == (["a", "c"], {"too long": 1})


def test_problems_of_all_files_are_found_before_any_is_told(tmp_path):
    for bird in "ab":
        for i in range(2):
            write_wav(tmp_path / bird / f"s{i}.wav", song())
            write_table(tmp_path / bird / f"s{i}.csv", [*GOOD, (0.7, 0.6, "y"), (0.6, 0.6, "z")])
    birds = {bird: tmp_path / bird for bird in "ab"}
    with pytest.raises(
        ValueError, match="^8 problems with the songs: .*; and 3 more; correct them"
    ) as caught:
        load_birds(birds, **QUIET)
    assert [
        len(re.findall(f"{bird}/s{i}.csv, row", str(caught.value)))
        for bird in "ab"
        for i in range(2)
    ] == [
        2,
        2,
        1,
        0,
    ]
    assert skipped(birds)[1] == {"onset after offset": 4, "zero length": 4}


UNUSABLE = [
    (np.zeros((RATE, 2)) + 0.1, "s1.wav has 2 channels: choose one by channel="),
    (np.zeros(0), "s1.wav has no sound"),
    (np.zeros(RATE), "s1.wav has no sound"),
]


@pytest.mark.parametrize("samples, message", UNUSABLE)
def test_an_unusable_recording_costs_its_syllables(tmp_path, samples, message):
    write_wav(write_bird(tmp_path) / "s1.wav", samples)
    refused(dict(ann=tmp_path), message)
    assert skipped(dict(ann=tmp_path)) == (list("abc"), {"unusable recording": 3})


def test_a_damaged_recording_is_named(tmp_path):
    (write_bird(tmp_path) / "s1.wav").write_bytes(b"RIFF of something else")
    refused(dict(ann=tmp_path), "s1.wav cannot be read")


def test_a_sample_rate_too_low_is_named(tmp_path):
    write_wav(write_bird(tmp_path) / "s1.wav", song(rate=16000), rate=16000)
    refused(
        dict(ann=tmp_path),
        "s1.wav: 16000 Hz hold nothing above 8000 Hz, lower max_freq = 10000 Hz for all birds",
    )


def test_a_recording_without_annotation_is_named(tmp_path):
    (write_bird(tmp_path) / "s1.csv").unlink()
    refused(
        dict(ann=tmp_path), "s1.wav has no annotation: put a table beside it, or move it elsewhere"
    )
    assert skipped(dict(ann=tmp_path)) == (list("abc"), {"recording without annotation": 1})


def test_an_annotation_without_recording_is_named(tmp_path):
    (write_bird(tmp_path) / "s1.wav").unlink()
    refused(
        dict(ann=tmp_path),
        "s1.csv belongs to no recording: name it as the recording, or add a column of file",
    )
    assert skipped(dict(ann=tmp_path)) == (list("abc"), {"annotation without recording": 3})


def test_a_not_mat_file_without_recording_is_named(tmp_path):
    write_not_mat(write_bird(tmp_path) / "gone.wav.not.mat", GOOD)
    refused(
        dict(ann=tmp_path),
        "gone.wav.not.mat belongs to no recording: add the recording, or drop the file",
    )


def write_table_of_files(path, *names):
    rows = [(name, *row) for name in names for row in GOOD]
    return write_table(path, rows, header="file,onset,offset,label")


def test_rows_of_a_recording_that_is_not_there_are_named(tmp_path):
    write_wav(tmp_path / "s.wav", song())
    write_table_of_files(tmp_path / "all.csv", "s.wav", "gone.wav")
    refused(
        dict(ann=tmp_path),
        "all.csv, row 5: there is no recording 'gone.wav' in .*; add it, or drop its rows",
    )
    assert skipped(dict(ann=tmp_path)) == (list("abc"), {"annotation without recording": 3})


def test_a_recording_in_two_tables_is_named(tmp_path):
    write_wav(tmp_path / "s.wav", song())
    write_table_of_files(tmp_path / "a.csv", "s.wav")
    write_table_of_files(tmp_path / "b.csv", "s.wav")
    refused(dict(ann=tmp_path), "b.csv, row 2: 's.wav' is also in .*a.csv; keep one of the tables")


def test_a_name_that_two_recordings_share_is_named(tmp_path):
    for day in ("day1", "day2"):
        write_wav(tmp_path / day / "s.wav", song())
    table = write_table_of_files(tmp_path / "all.csv", "s.wav")
    refused(
        dict(ann=tmp_path),
        "row 2: 's.wav' may be .*day1/s.wav or .*day2/s.wav; put a table into each folder",
    )
    for day in ("day1", "day2"):
        (tmp_path / day / "all.csv").write_bytes(table.read_bytes())
    table.unlink()
    assert len(load_birds(dict(ann=tmp_path), **QUIET).ids) == 6


def test_notes_beside_complete_annotations_do_no_harm(tmp_path):
    write_table(write_bird(tmp_path) / "weights.csv", [("ann", 15)], header="bird,grams")
    assert len(load_birds(dict(ann=tmp_path), **QUIET).ids) == 6


def test_an_unreadable_annotation_is_named(tmp_path):
    write_bird(tmp_path)
    (tmp_path / "s2.wav").write_bytes((tmp_path / "s1.wav").read_bytes())
    (tmp_path / "s2.wav.not.mat").write_bytes(b"not MATLAB")
    refused(dict(ann=tmp_path), "s2.wav.not.mat cannot be read")


def test_a_song_without_syllables_is_no_problem(tmp_path):
    write_table(write_bird(tmp_path) / "s1.csv", [])
    assert len(load_birds(dict(ann=tmp_path), **QUIET).ids) == len(TIMES)


def test_folders_that_are_missing_or_hold_no_recordings_are_named(tmp_path):
    with pytest.raises(
        FileNotFoundError, match="there is no folder .*nowhere with songs of ann: check the path"
    ):
        load_birds(dict(ann=tmp_path / "nowhere"), **QUIET)
    refused(dict(ann=tmp_path), "holds no recordings of ann")


def test_a_bird_without_usable_syllables_is_named(tmp_path):
    write_wav(tmp_path / "s.wav", song())
    write_table(tmp_path / "s.csv", [(0.7, 0.6, "a")])
    with (
        pytest.warns(UserWarning, match="left out"),
        pytest.raises(
            ValueError,
            match="there is no usable syllable of bird ann: check its folder, or leave it out",
        ),
    ):
        load_birds(dict(ann=tmp_path), on_problem="skip", **QUIET)


def test_a_bird_whose_syllables_are_silent_is_named(tmp_path):
    samples = np.zeros(RATE)
    samples[-100:] = 0.1
    write_wav(tmp_path / "s.wav", samples)
    write_table(tmp_path / "s.csv", GOOD)
    refused(
        dict(ann=tmp_path),
        "bird ann: all pixels are -27.6.*: the syllables are silent, choose others",
    )


def test_lists_that_make_no_sense_are_refused(tmp_path):
    audio, table = (
        write_wav(tmp_path / "s.wav", song()),
        write_table_of_files(tmp_path / "all.csv", "other.wav"),
    )
    refused(dict(ann=[]), r"songs of ann must be a folder or a list of \(recording, annotation\)")
    refused(
        dict(ann=[(audio, table)] * 2),
        "s.wav is listed twice for ann: join its annotations into one",
    )
    refused(
        dict(ann=[(audio, table)]),
        "all.csv has no row for .*s.wav, but for other.wav: correct the list",
    )
    refused(dict(ann=[(audio, tmp_path / "no.csv")]), "there is no annotation file at .*no.csv")
    own = write_table(tmp_path / "s.csv", GOOD)
    refused(dict(ann=[(tmp_path / "no.wav", own)]), "there is no recording at .*no.wav")


def test_arguments_out_of_range_are_named(tmp_path):
    refused({}, "birds must be a dictionary, name -> folder or list of pairs, not {}")
    refused(
        dict(ann=tmp_path), "on_problem must be 'refuse' or 'skip', not 'crop'", on_problem="crop"
    )
    refused(dict(ann=tmp_path), "workers must be a positive integer, not 0", workers=0)
    refused(dict(ann=tmp_path), "axis must be one of", spec=SMALL._replace(axis="bark"))


def test_hidden_files_and_folders_are_no_part_of_a_bird(tmp_path):
    write_bird(tmp_path)
    for hidden in (".Trash-0/old", ".ipynb_checkpoints/s0-checkpoint", ".s0"):
        write_wav(tmp_path / f"{hidden}.wav", song())
        write_table(tmp_path / f"{hidden}.csv", [("no", "time", "z")])
    assert len(load_birds(dict(ann=tmp_path), **QUIET).ids) == 6


@pytest.mark.parametrize("name", ["s0.cbin", "s0.flac", "s0.WAV"])
def test_one_recording_in_two_files_is_named_and_counted_once(tmp_path, name):
    (write_bird(tmp_path, songs=1) / name).write_bytes((tmp_path / "s0.wav").read_bytes())
    if name == "s0.cbin":
        (tmp_path / "s0.rec").write_text(f"ADFREQ = {RATE}\nChans = 1\n")
    first, second = sorted([name, "s0.wav"])
    refused(
        dict(ann=tmp_path),
        f"{first} and .*{second} are one recording in two files: move one of them elsewhere",
    )
    (tmp_path / "s0.wav").rename(tmp_path / "s1.wav")
    (tmp_path / "s0.csv").rename(tmp_path / "s1.csv")
    (tmp_path / name).unlink()
    assert len(load_birds(dict(ann=tmp_path), **QUIET).ids) == 3


def test_columns_reach_every_table(tmp_path):
    columns = dict(onset="t0", offset="t1", label="kind")
    for name, separator in (("a.txt", "\t"), ("b.csv", ","), ("c.tsv", "\t"), ("d.wav.csv", ";")):
        rows = [["t0", "t1", "kind"], ["0.1", "0.2", "a"]]
        folder = tmp_path / name[0]
        write_wav(folder / f"{name[0]}.wav", song())
        (folder / name).write_text("\n".join(map(separator.join, rows)))
        for source in (folder, [(folder / f"{name[0]}.wav", folder / name)]):
            assert load_birds(dict(ann=source), columns=columns, **QUIET).labels.tolist() == ["a"]


@pytest.mark.parametrize("name", [
    "s.csv", "s.tsv", "s.wav.csv", "s.wav.not.mat", "s.txt", "s.Table.1.selections.txt",
    "s.selections.txt", "s.CSV", "s.WAV.not.mat",
])  # fmt: skip
def test_annotations_beside_a_recording_have_many_names(tmp_path, name):
    write_wav(tmp_path / "s.wav", song())
    if name.endswith("mat"):
        write_not_mat(tmp_path / name, GOOD)
    else:
        separator = "," if name.lower().endswith("csv") else "\t"
        rows = [("onset", "offset", "label"), *GOOD]
        (tmp_path / name).write_text("\n".join(separator.join(map(str, row)) for row in rows))
    assert load_birds(dict(ann=tmp_path), **QUIET).labels.tolist() == list("abc")


def test_two_selection_tables_of_one_recording_are_named(tmp_path):
    write_wav(tmp_path / "s.wav", song())
    for number in (1, 2):
        (tmp_path / f"s.Table.{number}.selections.txt").write_text("0.1\t0.2\ta\n")
    message = "s.wav has s.Table.1.selections.txt and s.Table.2.selections.txt: move one of them"
    refused(dict(ann=tmp_path), message)


COMPOSED, APART = "M\u00e4nnchen", "Ma\u0308nnchen"


@pytest.mark.parametrize("audio, text", [(COMPOSED, APART), (APART, COMPOSED)])
def test_names_in_two_unicode_forms_are_one(tmp_path, audio, text):
    write_wav(tmp_path / "a" / f"{audio}.wav", song())
    write_table_of_files(tmp_path / "a" / "all.csv", f"{text}.wav")
    write_wav(tmp_path / "b" / f"{audio}.wav", song())
    table = write_table(tmp_path / "b" / f"{text}.csv", GOOD)
    listed = [(tmp_path / "b" / f"{audio}.wav", tmp_path / "a" / "all.csv")]
    for source in (tmp_path / "a", tmp_path / "b", listed):
        found = load_birds(dict(ann=source), **QUIET)
        assert found.files.tolist() == [f"{COMPOSED}.wav"] * 3
        assert found.ids[0] == f"ann/{COMPOSED}.wav:2"
    table.rename(tmp_path / "b" / f"{text}.wav.csv")
    assert len(load_birds(dict(ann=tmp_path / "b"), **QUIET).ids) == 3


@pytest.mark.parametrize("name", ["S.wav", "s.WAV", "s", "s.flac"])
def test_a_name_that_is_near_is_told(tmp_path, name):
    write_wav(tmp_path / "s.wav", song())
    write_table_of_files(tmp_path / "all.csv", name)
    message = (
        f"all.csv, row 2: there is no recording '{name}' in .*, but 's.wav'; correct the table"
    )
    refused(dict(ann=tmp_path), message)


def test_an_annotation_whose_name_is_near_is_told(tmp_path):
    write_wav(tmp_path / "s.wav", song())
    write_table(tmp_path / "S.csv", GOOD)
    refused(dict(ann=tmp_path), "S.csv belongs to no recording: is it 's.wav'. Give both one name")
    refused(dict(ann=tmp_path), "s.wav has no annotation: is it 'S.csv'. Give both one name")


def test_a_name_with_dots_is_not_near_another(tmp_path):
    write_wav(tmp_path / "song.1.wav", song())
    write_wav(tmp_path / "song.2.wav", song())
    write_table(tmp_path / "song.1.csv", GOOD)
    refused(dict(ann=tmp_path), "song.2.wav has no annotation: put a table beside it")


def test_one_file_by_two_paths_is_listed_twice(tmp_path):
    audio = write_wav(tmp_path / "s.wav", song())
    table = write_table(tmp_path / "s.csv", GOOD)
    (tmp_path / "link.wav").symlink_to(audio)
    for other in (tmp_path / "x" / ".." / "s.wav", tmp_path / "link.wav"):
        refused(dict(ann=[(audio, table), (other, table)]), "is listed twice for ann")


def test_what_may_not_be_read_is_a_problem_with_its_path(tmp_path, monkeypatch):
    write_bird(tmp_path)

    def forbid(self, *_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("rvae_lite.readers.files.Path.open", forbid)
    refused(dict(ann=tmp_path), "s0.csv may not be read: change its permissions")


def test_a_folder_that_may_not_be_read_is_a_problem(tmp_path, monkeypatch):
    write_bird(tmp_path)
    (tmp_path / "day2").mkdir()
    scandir = os.scandir

    def guarded(path):
        if str(path).endswith("day2"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr("os.scandir", guarded)
    refused(dict(ann=tmp_path), "day2 may not be read: change its permissions")
    assert skipped(dict(ann=tmp_path)) == (list("abcabc"), {"unreadable folder": 1})
    with pytest.raises(PermissionError, match="day2 may not be read: change its permissions"):
        load_birds(dict(ann=tmp_path / "day2"), **QUIET)


def test_annotations_that_a_user_has_made_are_checked(tmp_path):
    audio = write_wav(tmp_path / "s.wav", song())
    sound = Annotations([0.1, 0.5], [0.2, 0.53], ["a", "b"], [1, 2], ["", "s.wav"])
    assert load_birds(dict(ann=[(audio, sound)]), **QUIET).labels.tolist() == ["a", "b"]
    for change, message in (
        (dict(labels=["a"]), r"five arrays of one length, not of shapes \(1,\) and \(2,\)"),
        (dict(onsets=["0.1", "0.5"]), "with numbers as times, not <U3 and float64"),
        (dict(rows=[1, 1]), "with an integer of its own as row of each syllable"),
        (dict(rows=[0.5, 1.5]), "with an integer of its own as row of each syllable"),
    ):
        wrong = sound._replace(**change)
        refused(
            dict(ann=[(audio, wrong)]), f"annotations of .*s.wav must be {message}: correct them"
        )
