"""A table of segments of many recordings and animals, wherever the recordings lie."""

import numpy as np
import pytest
from aviary import SMALL, TIMES, song, write_table, write_wav

from rvae_lite.birdsong.segments import read_segments, songs_of_segments
from rvae_lite.birdsong.syllables import load_birds

HEADER = "animal,file,onset,offset,label"


@pytest.fixture
def table(tmp_path):
    """Two recordings, one of them below a folder, of an animal each; the table is elsewhere."""
    write_wav(tmp_path / "wav" / "a.wav", song(seed=0))
    write_wav(tmp_path / "wav" / "day" / "b.wav", song(seed=1))
    rows = [("ann", "a.wav", *TIMES[0], "x"), ("ann", "a.wav", *TIMES[1], "y")]
    rows.append(("bob", "day/b.wav", *TIMES[2], "x"))
    return write_table(tmp_path / "tables" / "all.csv", rows, header=HEADER)


def found(table, **options):
    return read_segments(table, folder=table.parents[1] / "wav", **options)


def test_each_animal_has_its_own_segments(table):
    birds = found(table)
    assert list(birds) == ["ann", "bob"]
    syllables = load_birds(birds, spec=SMALL, progress=False)
    assert syllables.ids.tolist() == ["ann/a.wav:2", "ann/a.wav:3", "bob/day/b.wav:4"]
    assert syllables.labels.tolist() == ["x", "y", "x"]
    assert set(syllables.info["preprocessing"]["normalisation"]) == {"ann", "bob"}


def test_a_name_or_none_makes_them_one_animals(table):
    assert list(found(table, bird="carol")) == ["carol"]
    table.write_text(table.read_text().replace("animal", "who"))
    assert list(found(table)) == ["all"]
    assert list(found(table, columns=dict(bird="who"))) == ["ann", "bob"]


def test_recordings_that_are_missing_or_ambiguous_are_named_with_table_and_row(table):
    wav = table.parents[1] / "wav"
    write_wav(wav / "night" / "b.wav", song(seed=2))
    (wav / "a.wav").unlink()
    birds = found(table)
    (missing,) = songs_of_segments("ann", birds["ann"])[1]
    assert missing.count == 2 and missing.text == (
        f"{table}, row 2: there is no recording in {wav} called a.wav: add it, or drop its rows"
    )
    (several,) = songs_of_segments("bob", birds["bob"])[1]
    assert "row 4" in several.text and "are both called b.wav: rename one" in several.text


@pytest.mark.parametrize(
    "old, new, options, message",
    [
        ("file", "take", {}, "has segments of no recording: add a column"),
        ("bob", "", {}, "row 4: the bird has no name"),
        ("animal", "bird,subject", {}, "has 5 cells"),
        ("label", "bird", {}, "several columns for the bird, 'animal' and 'bird'"),
        ("x", "x", dict(columns=dict(bird="who")), "no column 'who' for the bird, but 'animal'"),
        ("x", "x", dict(folder="nowhere"), "there is no folder nowhere with recordings"),
    ],
)
def test_bad_tables_are_refused_in_one_sentence(table, old, new, options, message):
    table.write_text(table.read_text().replace(old, new))
    options = dict(columns=dict(label=None)) | options if new == "bird" else options
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        read_segments(table, **dict(folder=table.parents[1] / "wav") | options)


def test_an_empty_table_is_refused(tmp_path):
    table = write_table(tmp_path / "t.csv", [], header=HEADER)
    with pytest.raises(ValueError, match="segments of no recording"):
        read_segments(table)


def test_rows_are_the_tables_lines(table):
    assert np.concatenate([each.rows.rows for each in found(table).values()]).tolist() == [2, 3, 4]
