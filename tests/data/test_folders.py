"""The folder of the data sets: where it is, and refusals where it may not be read."""

import errno
import io
import os
from importlib import import_module
from inspect import getfullargspec

import pytest

from rvae_lite import data
from rvae_lite.data import folders


def test_the_root_is_the_argument_then_the_variable_then_a_cache(monkeypatch, tmp_path):
    monkeypatch.setenv(data.DATA_VARIABLE, str(tmp_path / "variable"))
    assert data.data_root(tmp_path / "argument") == tmp_path / "argument"
    assert data.data_root() == tmp_path / "variable"
    monkeypatch.delenv(data.DATA_VARIABLE)
    assert data.data_root().name == "rvae_lite"


def test_the_home_folder_may_be_written_as_a_tilde(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(data.DATA_VARIABLE, "~/variable")
    assert data.data_root() == tmp_path / "variable"
    assert data.data_root("~/argument") == tmp_path / "argument"


def forbid(monkeypatch, path):
    """Make the system refuse to list a folder or to open a file, even to the superuser."""
    for module, name in ((os, "scandir"), (io, "open")):
        allowed = getattr(module, name)

        def refuse(where, *arguments, allowed=allowed, **options):
            if str(where) == str(path):
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            return allowed(where, *arguments, **options)

        monkeypatch.setattr(module, name, refuse)


@pytest.mark.parametrize("name", ["mnist", "chairs"])
@pytest.mark.parametrize("download", [True, False])
def test_a_root_without_permission_is_one_sentence(name, download, tmp_path, monkeypatch):
    forbid(monkeypatch, tmp_path)
    with pytest.raises(
        PermissionError, match="change its permissions, or name another folder by root= or"
    ) as caught:
        data.load(name, root=tmp_path, download=download)
    assert f"the data in {tmp_path} cannot be used (Permission denied)" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="permissions do not bind the superuser"
)
@pytest.mark.parametrize("name", ["mnist", "chairs"])
def test_a_real_folder_without_permission_is_refused(name, tmp_path):
    (tmp_path / "locked").mkdir(mode=0)
    with pytest.raises(PermissionError, match="cannot be used"):
        data.load(name, root=tmp_path / "locked")


def test_a_root_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match="is not a folder: name another folder by root="):
        data.load("mnist", root=tmp_path / "file")


def test_a_file_without_permission_is_named(tmp_path, monkeypatch):
    name = "t10k-labels-idx1-ubyte.gz"
    monkeypatch.setitem(folders.sources()["mnist"], "files", {name: "md5:0"})
    (tmp_path / "mnist").mkdir()
    (tmp_path / "mnist" / name).touch()
    forbid(monkeypatch, tmp_path / "mnist" / name)
    with pytest.raises(
        PermissionError, match="the data in .*t10k-labels-idx1-ubyte.gz cannot be used"
    ):
        data.load("mnist", root=tmp_path)


def test_every_data_set_has_a_loader_that_swallows_no_option():
    for name, source in folders.sources().items():
        module = import_module(f"rvae_lite.{source['module']}")
        found = getfullargspec(getattr(module, f"load_{name}"))
        assert found.args == [] and found.varkw is None


def test_every_table_of_files_says_where_they_lie_and_where_they_come_from():
    for name, source in folders.sources().items():
        if "info" in source:
            assert {"name", "title", "source", "licence"} <= set(folders.info_of(name))
        if "files" in source:
            assert source["page"] and source["folders"]


def test_a_file_with_another_checksum_is_refused(tmp_path):
    path = tmp_path / "train_32x32.mat"
    path.write_bytes(b"something else")
    with pytest.raises(ValueError, match=r"is damaged or another file \(its MD5 differs\)"):
        folders.verified("svhn", path)
