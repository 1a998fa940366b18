"""Text files as tokens: every defect is named by its line, nothing is left out in silence."""

import hashlib

import numpy as np
import pytest

from rvae_lite import data
from rvae_lite.data.folders import sources
from rvae_lite.text import grammar, reading
from rvae_lite.text.vocabulary import END, UNKNOWN, Vocabulary, lengths


def written(folder, content, name="texts.txt"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_a_text_a_line_with_empty_ones_skipped_and_counted(tmp_path):
    found = reading.read_texts(written(tmp_path, "\ufeffa  b c\r\n\r\nd e\n   \nf"))
    assert found.texts == ["a b c", "d e", "f"]
    assert found.lines.tolist() == [1, 3, 5] and found.skipped == dict(empty=2, long=0)
    assert found.labels == ["", "", ""]


def test_labels_stand_before_a_tab(tmp_path):
    found = reading.read_texts(written(tmp_path, "3\twhy is that ?\n1\tbecause\n"), labelled=True)
    assert found.labels == ["3", "1"] and found.texts == ["why is that ?", "because"]
    with pytest.raises(
        ValueError, match="line 2 of .* has no tab between label and text: say labelled=False"
    ):
        reading.read_texts(written(tmp_path, "3\twhy\nbecause\n"), labelled=True)


def test_long_texts_are_refused_skipped_or_cut(tmp_path):
    path = written(tmp_path, "a b\na b c d\n")
    with pytest.raises(
        ValueError,
        match="line 2 of .* has 4 words, max_words is 3: raise max_words, or say on_long=",
    ):
        reading.read_texts(path, max_words=3)
    skipped = reading.read_texts(path, max_words=3, on_long="skip")
    assert skipped.texts == ["a b"] and skipped.skipped == dict(empty=0, long=1)
    assert reading.read_texts(path, max_words=3, on_long="cut").texts == ["a b", "a b c"]


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (
            b"caf\xc3\xa9\nna\xefve\n",
            {},
            "is no UTF-8: byte 8, on line 2, is 0xef: save the file in UTF-8",
        ),
        (
            "\ufeffa\nb".encode() + b"\xff",
            {},
            "is no UTF-8: byte 6, on line 2, is 0xff: save the file in UTF-8",
        ),
        ("a b".encode("utf-16"), {}, "is no UTF-8: byte 0, on line 1, is 0xff"),
        (
            "a\nb \0 c\n",
            {},
            r"line 2 of .* holds the control character '.x00': remove it, or check that it is a text",
        ),
        ("a\n\x1b[2J", {}, r"line 2 of .* holds the control character '.x1b'"),
        ("\n \n", {}, "holds no texts: check that it is the right file"),
        ("", {}, "holds no texts: check that it is the right file"),
        (
            "a",
            dict(on_long="stop"),
            r"on_long must be one of \('refuse', 'skip', 'cut'\), not 'stop'",
        ),
        ("a", dict(max_words=0), "max_words must be a positive integer, not 0"),
        ("a", dict(max_words="3"), "max_words must be a positive integer, not '3'"),
        ("a\rb\n", {}, "holds the control character"),
    ],
)
def test_defects_are_refused_and_named_by_line(tmp_path, content, options, message):
    with pytest.raises(ValueError, match=message):
        reading.read_texts(written(tmp_path, content), **options)


def test_an_endless_line_is_not_unfolded(tmp_path, monkeypatch):
    path = written(tmp_path, "a b\n" + "a " * 3000)
    with pytest.raises(ValueError, match="line 2 of .* has 3000 words, max_words is 200: raise"):
        reading.read_texts(path)
    assert reading.read_texts(path, on_long="cut").texts == ["a b", " ".join("a" * 200)]
    assert reading.read_texts(path, max_words=3000).texts[1].count("a") == 3000
    monkeypatch.setattr(reading, "LONGEST", 2048)
    with pytest.raises(ValueError, match="line 2 of .* has 0.00195312 MiB or more: check that it"):
        reading.read_texts(path, on_long="cut")


def test_junk_is_texts_or_one_sentence(tmp_path):
    random = np.random.default_rng(0)
    for _ in range(300):
        high = random.choice([127, 256])
        content = random.integers(random.choice([0, 9, 32]), high, random.integers(1, 60))
        path = written(tmp_path, content.astype(np.uint8).tobytes())
        try:
            found = reading.read_texts(path, on_long="cut", max_words=2)
            assert len(found.texts) + sum(found.skipped.values()) == content.tolist().count(10) + (
                content[-1] != 10
            )
        except ValueError as error:
            assert str(path) in str(error) and str(error).isprintable()


def test_what_is_no_regular_file_is_never_opened():
    with pytest.raises(ValueError, match="/dev/zero is no regular file"):
        reading.read_texts("/dev/zero")


def test_the_home_folder_may_be_written_as_a_tilde(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    written(tmp_path, "a b")
    assert reading.read_texts("~/texts.txt").texts == ["a b"]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file .*nothing.txt: check the path"):
        reading.read_texts(tmp_path / "nothing.txt")


def test_own_files_become_a_data_set_whose_words_are_those_of_the_training_texts(tmp_path):
    train = reading.read_texts(written(tmp_path, "1\ta b a\n0\tb c\n"), labelled=True)
    test = reading.read_texts(written(tmp_path, "1\ta d\n\n"), labelled=True)
    dataset = reading.dataset_of([train, test], info=dict(name="own"), max_vocabulary=2)
    assert dataset.info["vocabulary"][4:] == ["a", "b"] and dataset.info["skipped"] == dict(
        empty=1, long=0
    )
    assert dataset.x.tolist() == [[4, 5, 4, END], [5, UNKNOWN, END, 0], [4, UNKNOWN, END, 0]]
    assert dataset.part.tolist() == [1, 1, 2] and dataset.labels.tolist() == [1, 0, 1]
    assert dataset.ids.tolist() == ["training-1", "training-2", "validation-1"]
    with pytest.raises(ValueError, match="text 1 has the unknown word 'c'"):
        reading.dataset_of([train], info={}, max_vocabulary=2, on_unknown="refuse")


# ---------------------------------------------------------------- by name


def test_grammar_sentences_are_those_of_the_grammar_with_its_entropy():
    dataset, source = (
        data.load("grammar_sentences", num_train=60, num_valid=20, num_test=30),
        grammar.everyday(),
    )
    assert dataset.x.shape == (110, source.max_length + 1) and np.bincount(
        dataset.part
    ).tolist() == [0, 60, 20, 30]
    assert (
        dataset.info["entropy"] == source.entropy and dataset.info["stands_for"] == "Yahoo answers"
    )
    sentences = Vocabulary(dataset.info["vocabulary"]).decode(dataset.x)
    assert min(source.log_probability(text) for text in sentences) > -np.inf
    assert lengths(dataset.x).max() <= source.max_length + 1 and set(dataset.labels) <= set(
        range(8)
    )
    other = data.load("grammar_sentences", num_train=60, num_valid=20, num_test=30, seed=1)
    assert not np.array_equal(other.x, dataset.x) and other.info == dataset.info
    with pytest.raises(ValueError, match="num_test must be positive, not 0"):
        data.load("grammar_sentences", num_test=0)


def test_yahoo_is_read_from_its_three_files(tmp_path):
    for name in sources()["yahoo"]["files"]:
        written(tmp_path / "yahoo", "0\twhat is a dog ?\n4\ta dog is a pet\n", name)
    dataset = data.load("yahoo", root=tmp_path, max_vocabulary=3)
    assert dataset.x.shape == (6, 6) and dataset.part.tolist() == [1, 1, 2, 2, 3, 3]
    assert (
        dataset.info["vocabulary"][4:] == ["a", "dog", "is"]
        and dataset.labels.tolist() == [0, 1] * 3
    )
    assert (dataset.x == UNKNOWN).sum() == 3 * 3


def test_missing_yahoo_files_are_named_with_their_source_and_place(tmp_path):
    written(tmp_path / "yahoo", "a\n", "yahoo.train.txt")
    message = (
        r"not in .*yahoo: put yahoo.valid.txt, yahoo.test.txt, from the data of He et al. \(2019\)"
    )
    with pytest.raises(FileNotFoundError, match=message):
        data.load("yahoo", root=tmp_path)


def test_a_word_is_one_word_in_both_forms_of_unicode(tmp_path):
    assert reading.read_texts(written(tmp_path, "a\u0308 \u00e4\n")).texts == ["\u00e4 \u00e4"]


def part_of_yahoo(root, monkeypatch, valid, test):
    """The two files of a part of the Yahoo answers, of which the checksums are known."""
    known = {}
    for name, text in (("valid.txt", valid), ("test.txt", test)):
        content = written(root / "yahoo_part", text, name).read_bytes()
        known[name] = f"sha256:{hashlib.sha256(content).hexdigest()}"
    monkeypatch.setitem(sources()["yahoo_part"], "files", known)


def test_a_part_of_yahoo_trains_on_validation_lines(tmp_path, monkeypatch):
    valid = "".join(f"what is _UNK {number} ?\n" for number in range(20))
    part_of_yahoo(tmp_path, monkeypatch, valid, "what is a dog ?\nlong " * 2 + "\n")
    dataset = data.load("yahoo_part", root=tmp_path)
    assert np.bincount(dataset.part).tolist() == [0, 20, 0, 3]
    assert dataset.ids[[0, 19, 20]].tolist() == ["training-1", "training-20", "test-1"]
    assert "validation lines" in dataset.info["title"] and "_UNK" not in dataset.info["vocabulary"]
    assert (dataset.x[:20] == UNKNOWN).sum() == 20
    limited = data.load("yahoo_part", root=tmp_path, max_vocabulary=2)
    assert limited.info["vocabulary"][4:] == ["?", "is"]


def test_another_or_no_part_of_yahoo_is_one_sentence(tmp_path):
    written(tmp_path / "yahoo_part", "a\n", "valid.txt")
    with pytest.raises(FileNotFoundError, match=r"put test.txt, from the data of He") as missing:
        data.load("yahoo_part", root=tmp_path)
    written(tmp_path / "yahoo_part", "a\n", "test.txt")
    with pytest.raises(ValueError, match=r"valid.txt is damaged .*: delete it and get it again"):
        data.load("yahoo_part", root=tmp_path)
    assert "download" not in str(missing.value)
