"""Chairs."""

from rvae_lite.studies import chairs


def test_chairs_run_on_the_procedural_ones_where_the_real_are_not_there(monkeypatch, tmp_path):
    monkeypatch.setenv("RVAE_LITE_DATA", str(tmp_path))
    seen = []
    monkeypatch.setattr(chairs, "sequential", lambda setup: seen.append(setup.dataset.info["name"]))
    chairs.study.run("quick", ("sequential", 128))
    assert seen == ["procedural_chairs"]
