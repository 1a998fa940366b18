"""Files of arrays: written whole or not at all, read only when every byte is right."""

import json
import os
import stat
import zipfile

import numpy as np
import pytest

from rvae_lite import storage

SAVE = dict(kind="sample", version=2)


def arrays():
    return dict(
        a=np.arange(6.0).reshape(2, 3),
        names=np.array(["one", "zwölf"]),
        empty=np.zeros((0, 4), np.uint8),
    )


def saved(tmp_path):
    path = tmp_path / "file.npz"
    storage.save_arrays(path, header=dict(note="hello", numbers=[1, 2.5]), arrays=arrays(), **SAVE)
    return path


def members(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewrite(path, contents, *, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)


def npy(array):
    from io import BytesIO

    file = BytesIO()
    np.save(file, array)
    return file.getvalue()


def refusal(path, *, kind="sample", version=2):
    with pytest.raises(ValueError) as caught:
        storage.load_arrays(path, kind=kind, version=version)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_what_is_saved_is_loaded_to_the_last_bit(tmp_path):
    header, loaded = storage.load_arrays(saved(tmp_path), **SAVE)
    assert header["note"] == "hello"
    assert header["numbers"] == [1, 2.5]
    assert (header["kind"], header["schema_version"]) == ("sample", 2)
    assert set(loaded) == set(arrays())
    for name, array in arrays().items():
        assert loaded[name].dtype == array.dtype
        assert loaded[name].shape == array.shape
        assert loaded[name].tobytes() == array.tobytes()


def test_the_header_returned_is_the_header_written(tmp_path):
    path = tmp_path / "file.npz"
    written = storage.save_arrays(path, header=dict(note="hello"), arrays=arrays(), **SAVE)
    assert storage.load_arrays(path, **SAVE)[0] == written


def test_the_file_is_an_ordinary_npz_that_numpy_reads_without_pickle(tmp_path):
    with np.load(saved(tmp_path), allow_pickle=False) as file:
        assert sorted(file) == ["a", "empty", "header", "names"]
        assert json.loads(str(file["header"]))["note"] == "hello"


def test_the_same_content_has_the_same_hash_and_any_other_content_another():
    header = dict(note="hello")
    once = storage.content_hash(header, arrays())
    assert once == storage.content_hash(dict(header, sha256="ignored"), arrays())
    reshaped = dict(arrays(), a=arrays()["a"].reshape(3, 2))
    retyped = dict(arrays(), a=arrays()["a"].view(np.int64))
    renamed = {("b" if name == "a" else name): array for name, array in arrays().items()}
    changed = dict(arrays(), a=arrays()["a"] + 1e-15)
    others = [
        storage.content_hash(header, content) for content in (reshaped, retyped, renamed, changed)
    ]
    others.append(storage.content_hash(dict(note="hullo"), arrays()))
    assert len({once, *others}) == 6


def test_a_file_of_an_older_schema_is_read(tmp_path):
    storage.save_arrays(tmp_path / "old.npz", kind="sample", version=1, header={}, arrays=arrays())
    assert storage.load_arrays(tmp_path / "old.npz", **SAVE)[0]["schema_version"] == 1


def test_missing_folders_are_made(tmp_path):
    storage.save_arrays(tmp_path / "a" / "b" / "file.npz", header={}, arrays=arrays(), **SAVE)
    assert (tmp_path / "a" / "b" / "file.npz").is_file()


def test_saved_files_have_the_permissions_of_any_new_file(tmp_path):
    path = saved(tmp_path)
    (tmp_path / "plain").touch()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def full_disk(*arguments, **options):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("failing", ["os.fsync", "numpy.savez", "os.replace"])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, failing):
    path = saved(tmp_path)
    before = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(failing, full_disk)
        with pytest.raises(
            OSError, match=r"cannot write .*file\.npz .No space left on device.: free some"
        ) as caught:
            storage.save_arrays(path, header={}, arrays=dict(a=np.zeros(1000)), **SAVE)
    assert caught.value.errno == 28
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["file.npz"]


def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = saved(tmp_path)
    before = path.read_bytes()

    def interrupt(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        storage.save_arrays(path, header={}, arrays=arrays(), **SAVE)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["file.npz"]


def test_a_read_only_folder_is_refused_with_a_remedy(tmp_path):
    tmp_path.chmod(0o555)
    try:
        if os.access(tmp_path, os.W_OK):
            pytest.skip("this user may write everywhere")
        with pytest.raises(OSError, match=r"cannot write .*free some space or choose another path"):
            saved(tmp_path)
    finally:
        tmp_path.chmod(0o755)


@pytest.mark.parametrize("place", ["file", "folder"])
def test_a_place_that_cannot_hold_a_file_is_refused(tmp_path, place):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    path = tmp_path / "file" / "file.npz" if place == "file" else tmp_path / "folder"
    with pytest.raises(OSError, match="cannot write .*choose another path"):
        storage.save_arrays(path, header={}, arrays=arrays(), **SAVE)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


def test_a_header_that_is_not_json_is_refused(tmp_path):
    with pytest.raises(ValueError, match="the header of a sample file must be JSON"):
        storage.save_arrays(tmp_path / "file.npz", header=dict(x=np.zeros(2)), arrays={}, **SAVE)
    assert os.listdir(tmp_path) == []


def test_objects_are_never_saved(tmp_path):
    objects = dict(a=np.array([{}, {}], dtype=object), b=np.zeros(2))
    with pytest.raises(
        ValueError, match=r"a sample file cannot hold Python objects \(a\): pass numbers or text"
    ):
        storage.save_arrays(tmp_path / "file.npz", header={}, arrays=objects, **SAVE)
    assert os.listdir(tmp_path) == []


def test_a_missing_file_is_reported_with_its_path(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"there is no sample file at .*nowhere\.npz: check the path"
    ):
        storage.load_arrays(tmp_path / "nowhere.npz", **SAVE)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(tmp_path, share):
    path = saved(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert "is not a readable sample file" in refusal(path)


def test_a_flipped_byte_in_an_array_is_refused(tmp_path):
    path = saved(tmp_path)
    content = bytearray(path.read_bytes())
    content[content.index(arrays()["a"].tobytes()) + 9] ^= 1
    path.write_bytes(content)
    assert "is not a readable sample file (Bad CRC-32 for file 'a.npy')" in refusal(path)


def test_an_array_altered_under_a_stale_hash_is_refused(tmp_path):
    path = saved(tmp_path)
    rewrite(path, dict(members(path), **{"a.npy": npy(arrays()["a"] + 1)}))
    assert "was altered after it was written (its SHA-256 differs)" in refusal(path)


def test_a_header_altered_under_a_stale_hash_is_refused(tmp_path):
    path = saved(tmp_path)
    header = json.loads(str(np.load(path)["header"]))
    rewrite(
        path,
        dict(
            members(path), **{"header.npy": npy(np.array(json.dumps(header | dict(note="hullo"))))}
        ),
    )
    assert "was altered after it was written" in refusal(path)


@pytest.mark.parametrize("change", ["added", "removed"])
def test_an_array_added_or_removed_is_refused(tmp_path, change):
    path = saved(tmp_path)
    contents = members(path)
    if change == "added":
        contents["b.npy"] = npy(np.zeros(3))
    else:
        del contents["a.npy"]
    rewrite(path, contents)
    assert "was altered after it was written" in refusal(path)


def test_pickled_objects_are_refused_and_never_run(tmp_path):
    path, witness = saved(tmp_path), tmp_path / "witness"

    class Payload:
        def __reduce__(self):
            return (os.mkdir, (str(witness),))

    rewrite(path, dict(members(path), **{"a.npy": npy(np.array([Payload()], dtype=object))}))
    assert "it holds pickled objects, which are never loaded" in refusal(path)
    assert not witness.exists()


def test_a_compressed_member_is_refused(tmp_path):
    path = saved(tmp_path)
    rewrite(path, members(path), compression=zipfile.ZIP_DEFLATED)
    assert "it holds a compressed member" in refusal(path)


def test_a_missing_header_is_refused(tmp_path):
    np.savez(tmp_path / "file.npz", **arrays())
    assert "it has no header" in refusal(tmp_path / "file.npz")


@pytest.mark.parametrize("header", ["no JSON", "[1, 2]", "3"])
def test_a_header_that_is_no_json_object_is_refused(tmp_path, header):
    np.savez(tmp_path / "file.npz", header=np.array(header))
    assert "is not a readable sample file" in refusal(tmp_path / "file.npz")


def test_members_that_are_no_arrays_are_refused(tmp_path):
    path = saved(tmp_path)
    rewrite(path, dict(members(path), **{"readme.txt": b"hello"}))
    assert "unexpected member 'readme.txt'" in refusal(path)
    path = saved(tmp_path)
    rewrite(path, dict(members(path), **{"a.npy": b"hello"}))
    assert "is not a readable sample file" in refusal(path)


def test_an_array_shorter_than_it_claims_is_refused(tmp_path):
    path = saved(tmp_path)
    rewrite(path, dict(members(path), **{"a.npy": npy(arrays()["a"])[:-8]}))
    assert "an array of another length than its header says" in refusal(path)


def test_an_array_of_another_format_version_is_refused(tmp_path):
    path = saved(tmp_path)
    content = bytearray(npy(arrays()["a"]))
    content[6] = 3
    rewrite(path, dict(members(path), **{"a.npy": bytes(content)}))
    assert "an array of an unknown format" in refusal(path)


def test_a_file_of_another_kind_is_refused(tmp_path):
    assert "is a 'sample' file, not a rosetta file: pass the right one" in refusal(
        saved(tmp_path), kind="rosetta"
    )


def test_a_file_of_a_newer_schema_asks_to_upgrade(tmp_path):
    message = refusal(saved(tmp_path), version=1)
    assert "has schema version 2, this rvae_lite reads up to 1: upgrade rvae_lite" in message


@pytest.mark.parametrize("found", [0, "2", None, 1.5])
def test_an_invalid_schema_version_is_refused(tmp_path, found):
    storage.save_arrays(
        tmp_path / "file.npz", kind="sample", version=found, header={}, arrays=arrays()
    )
    assert f"has no valid schema_version (found {found!r})" in refusal(tmp_path / "file.npz")


def test_any_random_damage_is_refused_or_harmless(tmp_path):
    path, random = saved(tmp_path), np.random.default_rng(0)
    content = path.read_bytes()
    expected = {name: array.tobytes() for name, array in arrays().items()}
    refused = 0
    for _ in range(300):
        damaged = bytearray(content)
        kind = random.integers(4)
        start, length = random.integers(len(content)), random.integers(1, 64)
        if kind == 0:  # flipped bits
            damaged[start] ^= 1 << random.integers(8)
        elif kind == 1:  # overwritten bytes
            damaged[start : start + length] = random.bytes(min(length, len(content) - start))
        elif kind == 2:  # lost bytes
            del damaged[start : start + length]
        else:  # foreign bytes
            damaged[start:start] = random.bytes(length)
        path.write_bytes(damaged)
        try:
            header, loaded = storage.load_arrays(path, **SAVE)
        except ValueError as error:
            assert "\n" not in str(error)
            refused += 1
            continue
        assert header["note"] == "hello"
        assert {name: array.tobytes() for name, array in loaded.items()} == expected
    assert refused > 200
