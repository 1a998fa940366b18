"""The front page's demonstration: its committed data are whole, light, and say what they claim."""

import base64
import io
import json

import numpy as np
import pytest
from loading import ROOT, load_file
from scipy.io import wavfile

tool = load_file("tools/same_map.py")
SCRIPT, PICTURE = tool.FOLDER / "same_map_data.js", tool.FOLDER / "same_map.svg"


def read(path):
    text = path.read_text()
    assert text.startswith("window.sameMap = {") and text.endswith("};\n")
    return json.loads(text.split(" = ", 1)[1][:-2])


@pytest.fixture(scope="module")
def content():
    return read(SCRIPT)


# Too short to reach the points.
brief = pytest.mark.filterwarnings("ignore::rvae_lite.anchors.PointsNotReached")


@pytest.fixture
def scale_down(monkeypatch):
    """The tool on a small colony."""
    monkeypatch.setattr(tool, "COLONY", dict(num_birds=2, songs_per_bird=5))
    monkeypatch.setattr(tool, "NUM_POINTS", 6)


def run(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["same_map.py", *map(str, arguments)])
    tool.main()


def test_the_data_are_under_200_kilobytes():
    assert SCRIPT.stat().st_size < 200_000 and PICTURE.stat().st_size < 50_000


def test_the_data_say_what_they_rest_on(content):
    assert (content["kind"], content["schema_version"]) == (tool.KIND, tool.SCHEMA_VERSION)
    assert content["made"]["by"] == "tools/same_map.py"
    assert {"version", "epochs", "seed", "data", "num_points", "rho"} <= content["made"].keys()


def test_every_syllable_has_a_place_on_every_map_inside_the_panel(content):
    places = np.array([each["z"] for each in content["maps"]])
    assert places.shape == (3, len(content["type"]), 2) and len(content["type"]) > 100
    *middle, half = content["frame"]
    assert 0.8 * half < np.abs(places - middle).max() < half
    assert set(content["type"]) == set(range(len(content["types"])))
    assert len(content["tints"]) >= len(content["types"])
    assert np.abs(np.array(content["points"]) - middle).max() < half


def test_distances_are_those_of_the_places(content):
    first, *others = (np.array(each["z"]) for each in content["maps"])
    for own, z in zip(content["maps"][1:], others, strict=True):
        away = np.square(z - first).sum(1).mean() / first.var(0).sum()
        assert own["distance"] == pytest.approx(away, rel=0.01, abs=2e-4)


def test_the_maps_show_what_the_page_says(content):
    first, anchored, plain = content["maps"]
    assert first["distance"] == 0 and anchored["distance"] < 0.02 and plain["distance"] > 1
    assert plain["mapped"] < 0.1  # the rival: most of it goes by a map that is fitted afterwards


def test_each_type_can_be_heard_and_seen(content):
    kinds = [content["type"][each["row"]] for each in content["syllables"]]
    assert kinds == sorted(tool.HEARD * [*range(len(content["types"]))])
    for each in content["syllables"]:
        rate, samples = wavfile.read(io.BytesIO(base64.b64decode(each["sound"])))
        assert rate == tool.RATE and 0.02 < len(samples) / rate < 0.6
        assert np.abs(samples).max() == pytest.approx(0.8 * 32767, abs=2)
        assert len(base64.b64decode(each["image"])) == content["side"] ** 2


def test_the_picture_is_drawn_from_the_data(content):
    assert tool.picture(content) == PICTURE.read_text()
    assert PICTURE.read_text().count("<circle") == 3 * len(content["type"])


@brief
def test_the_tool_writes_both_files_the_same_twice(scale_down, monkeypatch, tmp_path, capfd):
    for folder in ("one", "two"):
        run(monkeypatch, "--epochs", 2, "--target", tmp_path / folder)
    names = ["same_map.svg", "same_map_data.js"]
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == names
    one, two = ([(tmp_path / folder / n).read_bytes() for n in names] for folder in ("one", "two"))
    assert one == two
    assert "behind the best map fitted after training" in capfd.readouterr().out
    assert read(tmp_path / "one" / "same_map_data.js")["made"]["epochs"] == 2


@brief
def test_places_that_are_not_finite_are_refused(scale_down, monkeypatch, tmp_path):
    real = tool.trained

    def broken(epochs):
        maps = real(epochs)
        maps.found[tool.PLAIN][0][0] = np.nan
        return maps

    monkeypatch.setattr(tool, "trained", broken)
    with pytest.raises(ValueError, match="not finite: train with another seed"):
        run(monkeypatch, "--epochs", 1, "--target", tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("epochs", ["0", "-3", "many"])
def test_impossible_epochs_are_refused(monkeypatch, capsys, epochs):
    with pytest.raises(SystemExit):
        run(monkeypatch, f"--epochs={epochs}")
    assert "--epochs" in capsys.readouterr().err.splitlines()[-1]


def test_a_target_that_is_a_file_is_refused_before_anything_is_trained(monkeypatch, capsys):
    with pytest.raises(SystemExit):
        run(monkeypatch, "--target", __file__)
    assert "--target must be a folder" in capsys.readouterr().err


def test_the_front_page_loads_what_the_tool_writes():
    page = (ROOT / "book" / "index.md").read_text()
    parts = ("same_map_data.js", "same_map.js", "same_map.css", "same_map.svg")
    assert all(f"../_static/{part}" in page for part in parts)
    assert all((tool.FOLDER / part).is_file() for part in parts)
