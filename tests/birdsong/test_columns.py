"""Columns of annotation tables: units in any brackets, columns that give way, Raven's and R's."""

import numpy as np
import pytest
from damage import edited

from rvae_lite.birdsong.annotations import check_annotations, read_annotations


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


UNITS = {
    1: ["{}", "{}_s", "{} (s)", "{}_sec", "{} [seconds]", "{} time (s)", "{}_times_s"],
    1e3: [
        "{}_ms",
        "{} (ms)",
        "{} [ms]",
        "{}[ms]",
        "{{{}}} {{ms}}",
        "{} <ms>",
        "{}.msec",
        "{} in ms",
    ],
    1e6: ["{}_us", "{} (µs)", "{} [\u03bcs]", "{} usec", "{} time [microseconds]"],
    1 / 60: ["{} (min)", "{} [min]"],
}


@pytest.mark.parametrize(
    ("name", "count"), [(name, count) for count, names in UNITS.items() for name in names]
)
def test_a_unit_in_a_columns_name_counts_however_it_is_written(name, count, tmp_path):
    names = f"{name.format('Onset')},{name.format('Offset')},label"
    path = write(tmp_path / "a.csv", f"{names}\n{0.1 * count},{0.25 * count},a\n")
    found = read_annotations(path)
    np.testing.assert_allclose([found.onsets, found.offsets], [[0.1], [0.25]], rtol=1e-12)


@pytest.mark.parametrize(("start", "end", "count"), [
    ("rms", "terms", 1), ("min", "max", 1), ("t0 [ms]", "t1_ms", 1e3), ("t_min", "t_max", 1),
])  # fmt: skip
def test_a_unit_is_read_in_the_columns_that_the_user_names_too(start, end, count, tmp_path):
    path = write(tmp_path / "a.csv", f"{start},{end}\n{0.1 * count},{0.2 * count}\n")
    found = read_annotations(path, columns=dict(onset=start, offset=end, label=None))
    np.testing.assert_allclose([found.onsets, found.offsets], [[0.1], [0.2]])


@pytest.mark.parametrize(
    "name", ["{}_samples", "{} [samples]", "{}_sample", "{} (frames)", "{}_bins"]
)
def test_times_that_count_samples_are_refused(name, tmp_path):
    start, end = name.format("onset"), name.format("offset")
    path = write(tmp_path / "a.csv", f"{start},{end},label\n1,2,a\n")
    chosen = dict(onset=start, offset=end)
    for columns in (None, chosen):
        with pytest.raises(
            ValueError, match="a.csv: the onset in .* counts samples: divide by the"
        ):
            read_annotations(path, columns=columns)


def test_crowsettas_generic_table_is_read(tmp_path):
    names = "label,onset_s,offset_s,onset_sample,offset_sample,notated_path,annot_path,sequence"
    text = f"{names},annotation\na,0.1,0.2,3200,6400,day/x.wav,x.csv,0,0\n"
    found = read_annotations(write(tmp_path / "a.csv", text))
    assert [field.tolist() for field in found] == [[0.1], [0.2], ["a"], [2], ["x.wav"]]


def test_a_row_with_more_cells_than_names_is_refused(tmp_path):
    path = write(tmp_path / "a.csv", "onset,offset,label\n1,0.3,0.4,a\n2,0.5,0.6,b\n")
    with pytest.raises(ValueError, match="a.csv, row 2 has 4 cells, not 3: complete the table"):
        read_annotations(path)
    path = write(tmp_path / "a.txt", "0.1\t0.2\ta\n0.3\t0.4\t500\tb\n")
    with pytest.raises(ValueError, match="a.txt, row 2 has 4 cells, not 3: correct it"):
        read_annotations(path)


def test_decimal_commas_are_read_wherever_commas_do_not_separate_cells(tmp_path):
    audacity = "0,100000\t0,200000\ta b\n\\\t400,0\t9000,0\n12,345\t13\tb\n"
    found = read_annotations(write(tmp_path / "a.txt", audacity))
    assert found.onsets.tolist() == [0.1, 12.345] and found.labels.tolist() == ["a b", "b"]
    for separator in "\t;":
        rows = ["onset", "offset", "label"], ["0,1", "0,2", "a,b"]
        text = "\n".join(map(separator.join, rows))
        found = read_annotations(write(tmp_path / "a.csv", text))
        assert [field.tolist()[0] for field in found] == [0.1, 0.2, "a,b", 2, ""]
    path = write(tmp_path / "a.csv", 'onset,offset,label\n"0,1",0.2,a\n')
    with pytest.raises(ValueError, match="row 2: the onset '0,1' is not a number: correct it"):
        read_annotations(path)


RAVEN = "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tAnnotation"


def test_ravens_rows_of_one_selection_are_one_syllable(tmp_path):
    rows = ["1\tWaveform 1\t1\t0,1\t0,2\t0,0\ta", "1\tSpectrogram 1\t1\t0,1\t0,2\t0,0\ta"]
    rows += ["2\tSpectrogram 1\t1\t0,3\t0,4\t0,0\tb", "3\tSpectrogram 1\t1\t0,3\t0,4\t0,0\tb"]
    path = write(tmp_path / "one.Table.1.selections.txt", "\n".join([RAVEN, *rows]))
    found = read_annotations(path)
    assert found.onsets.tolist() == [0.1, 0.3, 0.3] and found.rows.tolist() == [2, 4, 5]
    assert list(check_annotations(found, path=path)) == [5]  # another selection does overlap


def test_ravens_times_of_many_files_are_those_within_each(tmp_path):
    names = "Selection\tBegin Time (s)\tEnd Time (s)\tBegin File\tFile Offset (s)\tAnnotation"
    text = f"{names}\n1\t0.25\t0.5\tx.wav\t0.25\ta\n2\t60.25\t60.5\ty.wav\t0.125\tb\n"
    found = read_annotations(write(tmp_path / "a.csv", text))
    assert found.onsets.tolist() == [0.25, 0.125] and found.offsets.tolist() == [0.5, 0.375]


@pytest.mark.parametrize("name", ["a.csv", "a.txt", "a.wav.not.mat", "a.TextGrid"])
def test_what_is_no_file_is_refused(name, tmp_path):
    (tmp_path / name).mkdir()
    message = f"{name} is a folder, not a file: name the annotation file itself"
    with pytest.raises(ValueError, match=message):
        read_annotations(tmp_path / name)
    (tmp_path / name).rmdir()
    (tmp_path / name).symlink_to("/dev/zero")
    with pytest.raises(ValueError, match=f"{name} is no regular file: copy its content into one"):
        read_annotations(tmp_path / name)


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.txt"])
def test_what_is_no_text_is_refused(name, tmp_path):
    (tmp_path / name).write_bytes("onset,offset,label\n0.1,0.2,ä\n".encode("latin-1"))
    with pytest.raises(ValueError, match=f"{name} is not UTF-8 text: save it again as UTF-8"):
        read_annotations(tmp_path / name)
    (tmp_path / name).write_bytes(b"onset,offset,label\n0.1,0.2,\0\n")
    with pytest.raises(ValueError, match=f"{name} holds NUL bytes and is no text"):
        read_annotations(tmp_path / name)
    (tmp_path / name).write_bytes("onset,offset,label\n0.1,0.2,ä\n".encode("utf-16"))
    assert read_annotations(tmp_path / name).labels.tolist() == ["ä"]


def test_damaged_annotations_are_read_or_refused_in_one_line(tmp_path):
    random = np.random.default_rng(0)
    texts = [b"onset,offset,label\n0.1,0.2,a\n", b"0.1\t0.2\ta\n\\\t1\t2\n", RAVEN.encode() + b"\n"]
    for trial in range(300):
        path = tmp_path / ("a.csv" if trial % 2 else "a.txt")
        path.write_bytes(edited(texts[trial % 3], random))
        try:
            check_annotations(read_annotations(path), path=path)
        except ValueError as error:
            assert str(path) in str(error) and "\n" not in str(error), path.read_bytes()


@pytest.mark.parametrize(("start", "end", "count"), [
    ("onsetMs", "offsetMs", 1e3), ("startTime", "endTime", 1), ("OnsetTimeMs", "EndTimeMs", 1e3),
    ("onset (mSec)", "offset [in ms]", 1e3), ("start_minutes", "end_minutes", 1 / 60),
    ("Begin Time (h)", "End Time (hours)", 1 / 3600),
])  # fmt: skip
def test_names_in_camel_case_and_longer_units_are_read(start, end, count, tmp_path):
    row = f"{0.1 * count!r},{0.25 * count!r},a"
    for columns in (None, dict(onset=start, offset=end)):
        found = read_annotations(
            write(tmp_path / "a.csv", f"{start},{end},label\n{row}\n"), columns=columns
        )
        np.testing.assert_allclose([found.onsets, found.offsets], [[0.1], [0.25]])


@pytest.mark.parametrize("unit", ["cs", "%", "0.1 s", "hh:mm:ss", "d"])
def test_a_unit_that_is_not_known_is_refused(unit, tmp_path):
    path = write(tmp_path / "a.csv", f"onset ({unit}),offset ({unit}),label\n1,2,a\n")
    with pytest.raises(ValueError, match="the unit of the onset in|has no column for the onset"):
        read_annotations(path)
    chosen = dict(onset=f"onset ({unit})", offset=f"offset ({unit})")
    with pytest.raises(ValueError, match=r"a.csv: the unit of the onset in .* is not known: save"):
        read_annotations(path, columns=chosen)


def test_a_duration_is_no_offset(tmp_path):
    path = write(tmp_path / "a.csv", "start,duration_s,label\n1,0.5,a\n")
    for columns in (None, dict(offset="duration_s")):
        with pytest.raises(
            ValueError, match="'duration_s' instead of the offset: save onset . dur"
        ):
            read_annotations(path, columns=columns)
    path = write(tmp_path / "a.csv", "start,end,duration,label\n1,1.5,0.5,a\n")
    assert read_annotations(path).offsets == [1.5]


def test_commas_that_may_be_of_thousands_are_refused(tmp_path):
    text = "onset_ms\toffset_ms\tlabel\n1,234\t2,345\ta,1\n"
    with pytest.raises(ValueError, match="commas of thousands or of decimals .'1,234'.: save it"):
        read_annotations(write(tmp_path / "a.tsv", text))
    found = read_annotations(write(tmp_path / "a.tsv", text.replace("2,345", "2345,5")))
    assert found.offsets == [2.3455]


MANY_FILES = (
    "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tBegin File\tBegin Path\tSpecies"
)


def test_ravens_times_within_files_are_read_where_the_label_is_named(tmp_path):
    text = f"{MANY_FILES}\tFile Offset (s)\n1\tS\t1\t10.5\t11\tb.wav\tC:\\x\\b.wav\ta\t0.5\n"
    found = read_annotations(write(tmp_path / "a.txt", text), columns=dict(label="Species"))
    assert (found.onsets, found.offsets, found.files) == ([0.5], [1.0], ["b.wav"])


def test_ravens_times_of_several_files_need_those_within_each(tmp_path):
    row = "\n{0}\tS\t1\t{0}\t{0}.5\t{0}.wav\t/x/{0}.wav\ta"
    path, columns = tmp_path / "a.txt", dict(label="Species")
    with pytest.raises(ValueError, match="counts the times of 2 files from the first: add Raven's"):
        read_annotations(write(path, MANY_FILES + row.format(1) + row.format(2)), columns=columns)
    assert read_annotations(write(path, MANY_FILES + row.format(1)), columns=columns).onsets == [1]
    columns["onset"] = "Begin Time (s)"  # said to be right
    assert len(read_annotations(path, columns=columns).onsets) == 1


def test_a_table_without_names_is_told_to_get_some(tmp_path):
    with pytest.raises(ValueError, match="or add a first line that names the columns"):
        read_annotations(write(tmp_path / "a.csv", "0.1,0.2,a\n"))
