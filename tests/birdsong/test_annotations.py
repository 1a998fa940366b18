"""Annotations: many spellings of a table, Audacity, Evsonganaly, and faults found by row."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.io import savemat

from rvae_lite.birdsong.annotations import Annotations, check_annotations, read_annotations


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def as_lists(annotations):
    return [field.tolist() for field in annotations]


TWO = [[0.1, 0.3], [0.2, 0.45], ["a", "b"], [2, 3]]


@pytest.mark.parametrize("table", [
    "onset,offset,cluster\n0.1,0.2,a\n0.3,0.45,b\n",
    "label,onset_s,offset_s\na,0.1,0.2\nb,0.3,0.45\n",
    "Start, Stop, Type\r\n0.1, 0.2, a\r\n0.3, 0.45, b",
    "start_seconds,stop_seconds,name\n0.1,0.2,a\n0.3,0.45,b\n\n,,\n",
    "\ufeffonset,onset_offset,labels\n0.1,0.2,a\n0.3,0.45,b\n",
    "onset_ms;offset_ms;label\n100;200;a\n300;450,0;b\n",
    "onset;offset;label\n0,1;0,2;a\n0,3;0,45;b\n",
    "Begin Time (s)\tEnd Time (s)\tAnnotation\n0.1\t0.2\ta\n0.3\t0.45\tb\n",
    'extra,onset,offset,label\n"a, quoted",0.1,0.2,a\n"",0.3,0.45,b\n',
])  # fmt: skip
@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".txt"])
def test_a_table_is_read_in_many_spellings(table, suffix, tmp_path):
    annotations = read_annotations(write(tmp_path / f"a{suffix}", table))
    assert as_lists(annotations) == [*TWO, ["", ""]]
    assert annotations.onsets.dtype == annotations.offsets.dtype == np.float64


@pytest.mark.parametrize("name", ["files", "audio_file", "notated_path"])
def test_a_table_of_many_recordings_names_them_without_folders(name, tmp_path):
    text = (
        f"{name},onsets,offsets,labels\nC:\\birds\\x.wav,0.1,0.2,a\nC:\\birds\\y.wav,0.3,0.45,b\n"
    )
    annotations = read_annotations(write(tmp_path / "a.csv", text))
    assert as_lists(annotations) == [*TWO, ["x.wav", "y.wav"]]
    assert annotations.take(annotations.files == "y.wav").rows.tolist() == [3]


def test_one_name_in_two_folders_is_refused(tmp_path):
    path = write(
        tmp_path / "a.csv", "file,onset,offset,label\nday1/x.wav,0.1,0.2,a\nday2/x.wav,0.1,0.2,a\n"
    )
    with pytest.raises(
        ValueError,
        match="a.csv names files x.wav in two folders: give each folder a table of its own",
    ):
        read_annotations(path)


def test_unusual_columns_are_mapped(tmp_path):
    path = write(tmp_path / "a.csv", "t0,t1,kind\n0.1,0.2,a\n0.3,0.45,b\n")
    with pytest.raises(
        ValueError, match="no column for the onset among 't0', 't1', 'kind': pass columns="
    ):
        read_annotations(path)
    columns = dict(onset="t0", offset="t1")
    with pytest.raises(
        ValueError,
        match='for the label among .* or columns={"label": None} where there are no labels',
    ):
        read_annotations(path, columns=columns)
    assert as_lists(read_annotations(path, columns=dict(columns, label="kind")))[:4] == TWO
    assert read_annotations(path, columns=dict(columns, label=None)).labels.tolist() == ["", ""]
    with pytest.raises(
        ValueError, match="a.csv has no column 'type' for the label, but 't0', 't1', 'kind'"
    ):
        read_annotations(path, columns=dict(columns, label="type"))
    with pytest.raises(
        ValueError, match="columns must have keys among onset, offset, label, file, not 'begin'"
    ):
        read_annotations(path, columns=dict(columns, label="kind", begin="t0"))


def test_a_choice_between_columns_is_left_to_the_user(tmp_path):
    path = write(tmp_path / "a.csv", "onset,offset,label,cluster\n0.1,0.2,a,1\n0.3,0.45,b,2\n")
    with pytest.raises(
        ValueError, match="several columns for the label, 'label' and 'cluster': pass columns="
    ):
        read_annotations(path)
    assert read_annotations(path, columns=dict(label="cluster")).labels.tolist() == ["1", "2"]


@pytest.mark.parametrize(("text", "problem"), [
    ("onset,offset,label\n0.1,0.2,a\n0.3,soon,b\n",
     "a.csv, row 3: the offset 'soon' is not a number: correct it"),
    ("onset,offset,label\n0.1,0.2,a\n0.3,0.4",
     "a.csv, row 3 has 2 cells, not 3: complete the table"),
    ('onset,offset,label\n0.1,0.2,"a', "a.csv, row 2 cannot be read .* save the table again"),
    ("\n", "a.csv is empty: a table starts with the names of its columns"),
])  # fmt: skip
def test_a_faulty_table_is_refused_by_row(text, problem, tmp_path):
    with pytest.raises(ValueError, match=problem):
        read_annotations(write(tmp_path / "a.csv", text))


def test_a_table_in_another_encoding_is_refused(tmp_path):
    (tmp_path / "a.csv").write_bytes("onset,offset,label\n0.1,0.2,ä\n".encode("latin-1"))
    with pytest.raises(ValueError, match="a.csv is not UTF-8 text: save it again as UTF-8"):
        read_annotations(tmp_path / "a.csv")


def test_a_table_may_have_no_rows(tmp_path):
    annotations = read_annotations(write(tmp_path / "a.csv", "onset,offset,label\n"))
    assert [len(field) for field in annotations] == [0] * 5
    assert check_annotations(annotations, path="a.csv") == {}


def test_audacity_labels_may_have_spaces_and_rows_of_frequencies(tmp_path):
    text = "0.100000\t0.200000\ta long label\n\\\t400.0\t9000.0\n0.3\t0.45\tb\n0.5\t0.6\t\n"
    annotations = read_annotations(write(tmp_path / "a.txt", text))
    assert annotations.onsets.tolist() == [0.1, 0.3, 0.5]
    assert annotations.labels.tolist() == ["a long label", "b", ""]
    assert annotations.rows.tolist() == [1, 3, 4]


def test_a_list_of_onsets_and_offsets_has_no_labels(tmp_path):
    annotations = read_annotations(write(tmp_path / "a.txt", "# song.wav\n1.0e-01 2.0e-01\n"))
    assert as_lists(annotations) == [[0.1], [0.2], [""], [2], [""]]
    assert len(read_annotations(write(tmp_path / "b.txt", "")).onsets) == 0


@pytest.mark.parametrize("line", ["0.3", "0.3\tb", "and so on"])
def test_a_faulty_label_is_refused_by_row(line, tmp_path):
    with pytest.raises(
        ValueError, match="a.txt, row 2: .* is not an onset, an offset and a label: correct it"
    ):
        read_annotations(write(tmp_path / "a.txt", f"0.1\t0.2\ta\n{line}\n"))


@pytest.mark.parametrize("count", [0, 1, 3])
def test_evsonganaly_counts_milliseconds_and_has_one_character_per_syllable(count, tmp_path):
    path = tmp_path / "song.wav.not.mat"
    onsets = 100.0 * np.arange(1, count + 1)
    savemat(
        path,
        dict(onsets=onsets, offsets=onsets + 50, labels="i0-"[:count], fname="C:\\songs\\song.wav"),
    )
    annotations = read_annotations(path)
    np.testing.assert_allclose(annotations.onsets, onsets / 1000)
    np.testing.assert_allclose(annotations.offsets, onsets / 1000 + 0.05)
    assert annotations.labels.tolist() == list("i0-"[:count])
    assert annotations.rows.tolist() == list(range(1, count + 1))
    assert annotations.files.tolist() == ["song.wav"] * count


def test_a_faulty_not_mat_file_is_refused(tmp_path):
    path = tmp_path / "a.wav.not.mat"
    savemat(path, dict(onsets=[1.0, 3.0], offsets=[2.0, 4.0], labels="a"))
    with pytest.raises(
        ValueError, match="a.wav.not.mat has 2 onsets, 2 offsets and 1 labels: label every syllable"
    ):
        read_annotations(path)
    savemat(path, dict(onsets=[1.0, 3.0]))
    with pytest.raises(
        ValueError,
        match="has no 'offsets': it is not a .not.mat file of Evsonganaly; save it again",
    ):
        read_annotations(path)
    path.write_bytes(b"no MATLAB at all" * 20)
    with pytest.raises(
        ValueError, match="a.wav.not.mat cannot be read .*: save it again from Evsonganaly"
    ) as caught:
        read_annotations(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(
        ValueError, match="columns is only for tables, and .*a.wav.not.mat is none: leave it out"
    ):
        read_annotations(path, columns=dict(label="kind"))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(
        FileNotFoundError, match="there is no annotation file at .*a.csv: check the path"
    ):
        read_annotations(tmp_path / "a.csv")


def test_another_format_needs_crowsetta(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "crowsetta", None)
    with pytest.raises(
        ValueError,
        match="unknown suffix '.TextGrid': .* pip install .rvae_lite.annotations.. to read",
    ):
        read_annotations(write(tmp_path / "a.TextGrid", ""))


def replace_crowsetta(monkeypatch, sequences):
    """A stand-in that knows .TextGrid and finds these sequences in any file that is not empty."""

    class Transcriber:
        def __init__(self, format):
            assert format == "textgrid"

        def from_file(self, path):
            if not path.read_text():
                raise KeyError("no\ntier")
            return SimpleNamespace(to_annot=lambda: SimpleNamespace(seq=sequences))

    suffixes = dict(textgrid=".TextGrid", timit=(".phn", ".PHN"))
    formats = SimpleNamespace(
        as_list=lambda: list(suffixes), by_name=lambda key: SimpleNamespace(ext=suffixes[key])
    )
    monkeypatch.setitem(
        sys.modules, "crowsetta", SimpleNamespace(formats=formats, Transcriber=Transcriber)
    )


TIER = SimpleNamespace(
    onsets_s=np.array([0.1, 0.3]), offsets_s=np.array([0.2, 0.45]), labels=np.array(["a", "b"])
)


def test_crowsetta_reads_another_format(tmp_path, monkeypatch):
    path = write(tmp_path / "a.TextGrid", "content")
    for sequences in (TIER, [TIER]):
        replace_crowsetta(monkeypatch, sequences)
        assert as_lists(read_annotations(path)) == [*TWO[:3], [1, 2], ["", ""]]


def test_what_crowsetta_cannot_give_is_refused(tmp_path, monkeypatch):
    path = write(tmp_path / "a.TextGrid", "content")
    replace_crowsetta(monkeypatch, [TIER, TIER])
    with pytest.raises(
        ValueError, match="a.TextGrid has 2 tiers of labels: save the one that counts"
    ):
        read_annotations(path)
    replace_crowsetta(monkeypatch, SimpleNamespace(onsets_s=None))
    with pytest.raises(
        ValueError, match="a.TextGrid gives its times in samples: save them in seconds"
    ):
        read_annotations(path)
    with pytest.raises(
        ValueError, match="a.xyz has a suffix that crowsetta does not know: save it as a .csv table"
    ):
        read_annotations(write(tmp_path / "a.xyz", ""))
    with pytest.raises(
        ValueError, match="empty.TextGrid cannot be read .*no.*tier.*: save it as a .csv table"
    ):
        read_annotations(write(tmp_path / "empty.TextGrid", ""))


GRID = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 1
tiers? <exists>
size = 1
item []:
    item [1]:
        class = "IntervalTier"
        name = "song"
        xmin = 0
        xmax = 1
        intervals: size = 5
"""


def test_crowsetta_itself_agrees_where_it_is_installed(tmp_path):
    pytest.importorskip("crowsetta")
    edges, labels = [0, 0.1, 0.2, 0.3, 0.45, 1], ["", "a", "", "b", ""]
    entry = "        intervals [{}]:\n            xmin = {}\n            xmax = {}\n"
    entry += '            text = "{}"\n'
    rows = zip(range(1, 6), edges[:-1], edges[1:], labels, strict=True)
    path = write(tmp_path / "a.TextGrid", GRID + "".join(entry.format(*row) for row in rows))
    assert as_lists(read_annotations(path)) == [*TWO[:3], [1, 2], ["", ""]]


def annotations_of(*spans, files=None):
    onsets, offsets = np.array(spans, float).T
    files = np.array(files or [""] * len(spans))
    return Annotations(
        onsets, offsets, np.array(["a"] * len(spans)), np.arange(2, len(spans) + 2), files
    )


def test_sound_annotations_have_no_fault():
    assert (
        check_annotations(annotations_of((0, 1), (1, 2), (3, 4.0004)), path="x.csv", duration=4.0)
        == {}
    )
    assert check_annotations(annotations_of((3, 4), (0, 1)), path="x.csv") == {}  # in any order


@pytest.mark.parametrize(("span", "problem"), [
    ((2, 1.5), "the onset is not before the offset"),
    ((2, 2), "the onset is not before the offset"),
    ((-0.1, 2), "a time is negative"),
    ((np.nan, 2), "a time is missing"),
    ((2, np.inf), "a time is missing"),
    ((-np.inf, np.inf), "a time is missing"),
    ((2, 2000),
     r"it reaches beyond the end of the recording, at 4 s \(are the times in seconds\?\)"),
    ((0.5, 2), "it starts before the syllable of row 2 has ended"),
])  # fmt: skip
def test_a_faulty_syllable_is_named_by_row(span, problem):
    import re

    found = check_annotations(annotations_of((0, 1), span, (3, 4)), path="x.csv", duration=4.0)
    assert list(found) == [3]
    assert re.search(f"^x.csv, row 3: syllable a from .* to .* s: {problem}$", found[3].text)


def test_a_short_syllable_inside_a_long_one_does_not_hide_the_next_overlap():
    found = check_annotations(annotations_of((0, 3), (1, 2), (2.5, 4)), path="x.csv")
    assert list(found) == [3, 4]
    assert all("row 2" in problem.text for problem in found.values())


def test_syllables_of_different_recordings_do_not_overlap():
    annotations = annotations_of((0, 2), (1, 3), files=["x.wav", "y.wav"])
    assert check_annotations(annotations, path="x.csv") == {}


def test_an_empty_cell_is_a_missing_time(tmp_path):
    path = write(tmp_path / "a.csv", "onset,offset,label\n0.1,,a\n")
    assert list(check_annotations(read_annotations(path), path=path)) == [2]
