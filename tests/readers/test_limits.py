"""A limit of memory in one place; paths and names in one form."""

import numpy as np
import pytest

from rvae_lite.publishing import expanded
from rvae_lite.readers.limits import GIB, Unsuitable, check_memory, limit_of, shown


def test_a_file_may_unfold_to_half_a_gib_or_four_times_its_size_or_what_is_allowed():
    assert limit_of(0) == limit_of(1000) == limit_of(1000, 0.1) == GIB // 2
    assert limit_of(GIB) == limit_of(GIB, 1) == 4 * GIB
    assert limit_of(0, 3) == limit_of(0, np.float32(3)) == limit_of(0, np.int8(3)) == 3 * GIB


def test_the_remedy_is_enough():
    random = np.random.default_rng(0)
    for size in random.integers(GIB // 2, 100 * GIB, 200):
        with pytest.raises(Unsuitable, match="pass memory=") as caught:
            check_memory(int(size), limit_of(0))
        memory = float(str(caught.value).partition("memory=")[2].split()[0])
        check_memory(int(size), limit_of(0, memory))


def test_a_tilde_is_the_home_folder_unless_something_has_that_name(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    assert expanded("~/x") == tmp_path / "home" / "x"
    assert str(expanded("~nobody-of-this-name/x")) == "~nobody-of-this-name/x"
    assert str(expanded("x/~")) == "x/~"
    (tmp_path / "~").mkdir()
    assert str(expanded("~")) == "~"


def test_names_are_shown_on_one_line():
    assert shown("Männchen 雄 1.wav") == "Männchen 雄 1.wav"
    assert shown("a\nb\x1b[2J\u202e\udcff") == r"a\nb\x1b[2J\u202e\udcff"
