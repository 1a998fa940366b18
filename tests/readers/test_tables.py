"""Tables of numbers: layouts told apart by the whole table, every guess noted, refusals by row."""

import os

import numpy as np
import pandas as pd
import pytest
from damage import edited

from rvae_lite.readers.cells import read_cells
from rvae_lite.readers.tables import read_numbers


@pytest.fixture
def read(tmp_path):
    def read(text, *, name="x.csv", **options):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        x, names, notes = read_numbers(path, **options)
        assert x.dtype == np.float64
        return x.tolist(), names, notes

    return read


ONES, FOUR = np.ones((4, 2)), [[1.0, 1.0]] * 4
INDEX = "column 1, which has no name, counts the rows and was left out"
NUMBERS = "the first row (0, 1) was taken for names of columns"


@pytest.mark.parametrize(("table", "options", "names", "notes"), [
    (pd.DataFrame(ONES, columns=["a", "b"]), {}, ["a", "b"], [INDEX]),
    (pd.DataFrame(ONES, columns=["a", "b"], index=[1, 2, 3, 4]), {}, ["a", "b"], [INDEX]),
    (pd.DataFrame(ONES), dict(index=False), ["0", "1"], [NUMBERS]),
    (pd.DataFrame(ONES), {}, ["0", "1"], [NUMBERS, INDEX]),
    (pd.DataFrame(ONES.astype(int)), {}, ["0", "1"], [NUMBERS, INDEX]),
    (pd.DataFrame(ONES), dict(index=False, header=False), None, []),
])  # fmt: skip
def test_what_pandas_writes_is_read_without_its_index_and_its_numbers_of_columns(
    table, options, names, notes, read
):
    assert read(table.to_csv(**options)) == (FOUR, names, notes)


GERMAN = "1,5;2,5\n3,5;4,5\n1,0;2,0\n"
GERMAN_NUMBERS = [[1.5, 2.5], [3.5, 4.5], [1, 2]]
SEMICOLONS, COMMAS = "cells are separated by semicolons", "commas were taken for decimal marks"


@pytest.mark.parametrize(("text", "expected"), [
    ("a;b\n" + GERMAN, (GERMAN_NUMBERS, ["a", "b"], [SEMICOLONS, COMMAS])),
    (GERMAN, (GERMAN_NUMBERS, None, [SEMICOLONS, COMMAS])),
    ("a;b\n1.5;2\n", ([[1.5, 2]], ["a", "b"], [SEMICOLONS])),
    ("\ufeffa,b\r\n1,2\r\n\r\n", ([[1, 2]], ["a", "b"], [])),
    ("a,b\r1,2\r", ([[1, 2]], ["a", "b"], [])),
    ("a,b\n1,2".encode("utf-16"), ([[1, 2]], ["a", "b"], ["the text is UTF-16"])),
    ("a\n0.5\n", ([[0.5]], ["a"], [])),
    ("5e-1\n 7 \n", ([[0.5], [7]], None, [])),
    ('"a, b","c"\n"1",2\n', ([[1, 2]], ["a, b", "c"], [])),
    ("# of May\na,b\n1,2\n# 5\n",
     ([[1, 2]], ["a", "b"], ["lines before the table that start with # were taken for comments",
                             "rows that start with # were taken for comments (1)"])),
    ("a,b,\n1,2,\n3,4,\n",
     ([[1, 2], [3, 4]], ["a", "b"], ["column 3, which has no name, is empty and was left out"])),
    ("a,b\n1,2\n,\n,\n", ([[1, 2]], ["a", "b"], ["empty rows at the end were left out"])),
    ("a b\n5 2\n", ([[5, 2]], ["a", "b"], ["cells are separated by spaces"])),
    ("id,b\n1,2\n2,5\n3,4\n",
     ([[1, 2], [2, 5], [3, 4]], ["id", "b"],
      ["the first column, 'id', counts the rows: if it is no feature, choose the others by key"])),
    ("True,False\nFalse,True\n", ([[1, 0], [0, 1]], None, [])),
])  # fmt: skip
def test_a_table_is_read_in_many_layouts_with_a_note_of_what_was_guessed(text, expected, read):
    assert read(text) == expected


@pytest.mark.parametrize("text", [
    '"a","b"\n"1",2,3\n"2",4,5\n',
    '"","a","b"\n"Mazda",2,3\n"Ford",4,5\n',
    '"a" "b"\n"Mazda 4" 2 3\n"Ford" 4 5\n',
    "a\tb\n1\t2\t3\n2\t4\t5\n",
])  # fmt: skip
def test_names_of_rows_as_r_writes_them_are_left_out(text, read):
    x, names, notes = read(text)
    assert (x, names) == ([[2, 3], [4, 5]], ["a", "b"])
    assert notes[-1].startswith("column 1, which has no name") and "left out" in notes[-1]


def test_a_first_row_that_may_be_both_is_an_example_with_a_note_or_refused(read):
    note = "the first row (0, 1, 2) was taken for an example"
    text = "0,1,2\n3,4,5\n"
    assert read(text) == ([[0, 1, 2], [3, 4, 5]], None, [note])
    assert read(text, header=True) == ([[3, 4, 5]], ["0", "1", "2"], [])
    numbered = read("bird,0,1\nx,5,6\ny,7,8\n", columns=["1"])
    assert numbered == ([[6], [8]], ["1"], ["the first row (0, 1) was taken for names of columns"])
    for text in ("0,1,2\n3,4,0.5\n6,7,8\n", "400,410,420\n.1,.2,.3\n"):
        message = "x.csv, row 1 .* may be names or numbers: name them by words, or say which"
        with pytest.raises(ValueError, match=message):
            read(text)
        assert len(read(text, header=False)[0]) == 1 + len(read(text, header=True)[0])


def test_empty_cells_and_words_for_them_are_nan(read):
    x = np.array(read("a,b\n1,NA\n,2\nnull,nan\n3,-\n")[0])
    assert np.isnan(x).tolist() == [[False, True], [True, False], [True, True], [False, True]]


def test_columns_are_chosen_by_name_in_any_unicode_form(read):
    text = "bird,a,Länge,a\nx,1,2,3\ny,4,5,6\n"
    assert read(text, columns=["La\u0308nge"]) == ([[2], [5]], ["Länge"], [])
    assert read("1,5\n3,4\n", columns=["1"])[0] == [[5], [4]]
    for columns, message in (
        (["a"], "x.csv has several columns 'a': rename all but one"),
        (["b"], "x.csv has no columns b: it has bird, a, Länge, a"),
        (["Länge"] * 2, "column 'Länge' of .*x.csv is chosen twice: name it once"),
        (["bird"], "x.csv, row 2, column 1: 'x' is not a number: correct it, or leave the column"),
        ([], "columns must name some of .*x.csv: it has bird"),
        (None, r"x.csv has columns that are no numbers \(bird\): choose the columns by key"),
    ):
        with pytest.raises(ValueError, match=message):
            read(text, columns=columns)


@pytest.mark.parametrize(("text", "message"), [
    (b"", "x.csv is empty: a table starts with the names of its columns"),
    (" \n,,\n", "x.csv is empty"),
    ("a,b\n", "x.csv holds names of columns, but no rows: add the examples"),
    ("a,b\n1,2\n3,4,5\n", "x.csv, row 3 has 3 cells, not 2: complete the table"),
    ("a,b\n1,2\n3\n", "x.csv, row 3 has 1 cells, not 2: complete the table"),
    ("a,b\n1,2,\n3,4,\n", "x.csv, row 2 has 3 cells, not 2: complete the table"),
    ("a\n1,5\n2,5\n", "x.csv, row 2 has 2 cells, not 1: complete the table"),
    ("a,b\n1,2\n\n5,1_000\n6,7\n", "x.csv, row 4, column 2: '1_000' is not a number: correct it"),
    ('a,b\n1,"1,234"\n5,6\n7,8\n', "row 2, column 2: '1,234' is not a number: write it without"),
    ("a;b\n1.234,5;1\n2;3\n4;5\n", "row 2, column 1: '1.234,5' is not a number: write it without"),
    ("a\tb\n1,234\t2,345\n", "x.csv has commas of thousands or of decimals .'1,234'.: save it"),
    ("a;b\n1,5;2.5\n", "x.csv has decimal commas in 'a' and points in 'b': write all alike"),
    ('a,b\n1,"2\n', "x.csv, row 2 cannot be read .*: save the table again"),
    (",a\n3,1.5\n7,2.5\n", "x.csv, column 1 has no name: name it, or delete it"),
    ("ä,b\n1,2\n".encode("latin-1"), "x.csv is not UTF-8 text: save it again as UTF-8"),
    (b"a,b\n1,\0\n", "x.csv holds NUL bytes and is no text: save it again as UTF-8"),
])  # fmt: skip
def test_what_cannot_be_read_is_refused_in_a_sentence(text, message, read):
    with pytest.raises(ValueError, match=message) as caught:
        read(text)
    assert "\n" not in str(caught.value)


def test_what_is_no_regular_file_is_refused(tmp_path):
    (tmp_path / "x.csv").symlink_to("/dev/zero")
    with pytest.raises(ValueError, match="x.csv is no regular file: copy its content into one"):
        read_numbers(tmp_path / "x.csv")
    with pytest.raises(ValueError, match="is a folder, not a file: name the table itself"):
        read_numbers(tmp_path)
    with pytest.raises(FileNotFoundError, match="there is no table at .*y.csv: check the path"):
        read_numbers(tmp_path / "y.csv")
    (tmp_path / "z.csv").write_text("1,2\n" * 9)
    with pytest.raises(ValueError, match="z.csv has .* MiB, more than the limit of .* MiB: split"):
        read_numbers(tmp_path / "z.csv", limit=30)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_named(tmp_path):
    (tmp_path / "x.csv").write_text("1,2\n")
    (tmp_path / "x.csv").chmod(0)
    with pytest.raises(PermissionError, match="x.csv may not be read: change its permissions"):
        read_numbers(tmp_path / "x.csv")


def test_any_table_is_read_alike_in_all_ways_of_writing_it(tmp_path):
    random = np.random.default_rng(0)
    for trial in range(60):
        rows, columns = random.integers(2, 6, size=2)
        x = random.normal(size=(rows, columns)).round(random.integers(1, 17))
        separator, decimal = [(",", "."), (";", ","), (";", "."), ("\t", ","), ("\t", ".")][
            trial % 5
        ]
        names = [f"f{i}" for i in range(columns)] if random.random() < 0.5 else range(columns)
        options = dict(sep=separator, decimal=decimal, index=random.random() < 0.5)
        options |= dict(lineterminator=str(random.choice(["\n", "\r\n"])))
        options |= dict(encoding=str(random.choice(["utf-8", "utf-8-sig", "utf-16"])))
        pd.DataFrame(x, columns=names).to_csv(tmp_path / "x.csv", **options)
        found, read_names, _ = read_numbers(tmp_path / "x.csv")
        assert np.array_equal(found, x), options
        assert read_names == [str(name) for name in names]


def test_damaged_tables_are_read_or_refused_in_one_line(tmp_path):
    random, path = np.random.default_rng(0), tmp_path / "x.csv"
    tables = [b"a;b;c\n1,5;2,5;3\n2,5;3,5;1\n", b",a,b\n0,1.5,2\n1,2.5,3\n", b"1 2\n# x\n3 4\n"]
    tables += ['"","ä"\n"x",1\n'.encode(), "a\tb\n0,5\t1\n".encode("utf-16")]
    for _ in range(300):
        path.write_bytes(edited(tables[random.integers(len(tables))], random))
        for read in (read_numbers, read_cells):
            try:
                read(path)
            except ValueError as error:
                assert str(path) in str(error) and "\n" not in str(error), path.read_bytes()


@pytest.mark.slow
def test_a_large_table_is_read_to_the_last_bit(tmp_path):
    x = np.random.default_rng(0).normal(size=(10_000, 20))
    pd.DataFrame(x).to_csv(tmp_path / "x.csv", index=False)
    assert np.array_equal(read_numbers(tmp_path / "x.csv")[0], x)


ABOVE = "the line before the table that starts with # was taken for names"
COLUMN = "column {!r} was taken for a feature: if it is no feature, choose the others by key"


@pytest.mark.parametrize(("text", "expected"), [
    ("# a,b\n1,2\n3,5\n", ([[1, 2], [3, 5]], ["a", "b"], [ABOVE])),
    ("#id,b\n9,2\n3,5\n", ([[9, 2], [3, 5]], ["id", "b"], [ABOVE, COLUMN.format("id")])),
    ("# of May 5\n7,2\n3,5\n",
     ([[7, 2], [3, 5]], None,
      ["lines before the table that start with # were taken for comments"])),
    ("sep=;\na;b\n1,5;2\n", ([[1.5, 2]], ["a", "b"], [SEMICOLONS, COMMAS])),
    ("a|b\n1|2\n", ([[1, 2]], ["a", "b"], ["cells are separated by bars"])),
    (",0,1\nx,1,2\ny,3,4\n",
     ([[1, 2], [3, 4]], ["0", "1"],
      ["column 1, which has no name, names the rows and was left out"])),
    ('"FALSE","TRUE"\n0.1,0.9\n0.3,0.7\n', ([[0.1, 0.9], [0.3, 0.7]], ["FALSE", "TRUE"], [])),
    ("label,p0,p1\n5,0,0\n4,1,3\n",
     ([[5, 0, 0], [4, 1, 3]], ["label", "p0", "p1"], [COLUMN.format("label")])),
    ("1990,1991,1992\n15,25,22\n35,45,11\n",
     ([[1990, 1991, 1992], [15, 25, 22], [35, 45, 11]], None,
      ["the first row (1990, 1991, 1992) was taken for an example"])),
])  # fmt: skip
def test_what_a_table_says_of_itself_is_read(text, expected, read):
    assert read(text) == expected


@pytest.mark.parametrize("first", ["0,1,2,3,4,5", "400.0,410.0,420.0,430.0,440.0,450.0"])
def test_a_row_that_rises_as_no_other_does_may_hold_names(first, read):
    body = "\n9,3,5,1,0,0\n0,7,5,1,0,0\n"
    with pytest.raises(ValueError, match=r"row 1 \(.*\) may be names or numbers: name them by"):
        read(first + body)
    assert len(read(first + body, header=True)[0]) == 2
    assert len(read(first + body, header=False)[0]) == 3
    assert len(read(first + body + "0,1,2,3,4,9\n")[0]) == 4  # others rise too


@pytest.mark.parametrize("cell", ["1,234", "1,5", "10%", "$3", "2020-01-01", ".", "(1)"])
def test_a_cell_that_is_nearly_a_number_is_named(cell, read):
    with pytest.raises(ValueError, match="x.csv, row 2, column 1: .* is not a number: "):
        read(f'a,b\n"{cell}",1\n"{cell}",2\n')


def test_an_empty_choice_of_columns_is_refused(read):
    with pytest.raises(ValueError, match="x.csv has no columns '': it has a, b"):
        read("a,b\n1,2\n", columns=[""])


def test_pandas_and_python_read_the_same(read, monkeypatch):
    from rvae_lite.readers import tables

    words = ["1", "2.5", "-3", "1e3", ".5", "+1", "NA", "1,5", "1.234", "1.234,5", "inf", "-nan"]
    words += ["True", "false", "x", "0x10", "-", "00012"]
    random, quick = np.random.default_rng(0), tables._by_pandas
    for _ in range(300):
        separator, few = random.choice([",", ";", "\t", "|"]), random.choice(words, 3)
        rows = [separator.join(random.choice([*few, "1"], 2)) for _ in range(4)]
        text, found = "\n".join(rows), []
        for way in (quick, lambda *_: None):
            monkeypatch.setattr(tables, "_by_pandas", way)
            try:
                found.append(repr(read(text)))
            except ValueError as error:
                found.append(str(error))
        assert found[0] == found[1], text
