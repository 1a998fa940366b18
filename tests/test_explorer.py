"""The explorer's committed data are whole, light and the package's own decoder."""

import io
import json
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from loading import ROOT, load_file
from PIL import Image
from sphinx.errors import ExtensionError

from rvae_lite.data.dataset import Dataset

tool, extension = load_file("tools/explorer.py"), load_file("book/_ext/explorer.py")
JSON, PICTURE = tool.FOLDER / "explorer.json", tool.FOLDER / "explorer.png"


@pytest.fixture(scope="module")
def content():
    return json.loads(JSON.read_text())


@pytest.fixture
def scale_down(monkeypatch):
    """The tool on three hundred images of noise."""
    noise = np.random.default_rng(0).integers(0, 256, (300, 1, 28, 28)).astype(np.uint8)
    labels, ids = np.arange(300) % 10, np.arange(300).astype(str)
    grey = Dataset(noise, labels, ids, np.ones(300, int), {})
    monkeypatch.setattr(tool.data, "load", lambda name: grey)
    for name, value in dict(NUM_TRAIN=250, NUM_POINTS=4, NUM_BETAS=6).items():
        monkeypatch.setattr(tool, name, value)


def run(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["explorer.py", *map(str, arguments)])
    tool.main()


def test_the_data_are_under_300_kilobytes_in_all():
    assert JSON.stat().st_size < 300_000 and PICTURE.stat().st_size < 50_000


def test_the_data_say_what_they_rest_on(content):
    made = content["made"]
    assert (content["kind"], content["schema_version"]) == ("explorer", 1)
    assert made["by"] == "tools/explorer.py" and int(made["commit"], 16) > 0
    assert {"version", "seed", "epochs", "data", "torch"} <= made.keys()


def test_every_weight_is_finite_and_has_its_place(content):
    width = content["latent_dim"]
    for layer in content["layers"]:
        outputs = len(tool.unpacked(layer["bias"]))
        assert len(tool.unpacked(layer["scale"])) == outputs
        assert len(tool.unpacked(layer["weight"], "i1")) == outputs * width
        texts = [layer["scale"], layer["bias"]]
        texts += [*(layer["film"] or {}).values(), *(layer["gate"] or {}).values()]
        assert all(torch.isfinite(tool.unpacked(text)).all() for text in texts)
        width = outputs
    assert width == content["side"] ** 2
    assert torch.isfinite(tool.unpacked(content["points"]["z"])).all()


def test_the_table_spans_the_range_and_falls_with_beta(content):
    table = {name: np.asarray(values) for name, values in content["table"].items()}
    assert table["variance"].shape == (len(table["beta"]), content["latent_dim"])
    assert np.allclose(table["beta"][[0, -1]], content["beta_range"])
    assert (np.diff(table["beta"]) > 0).all() and (np.diff(table["rate"]) < 0.05).all()
    active = (table["variance"] >= table["threshold"]).sum(1)
    assert active[0] > active[-1] and (np.diff(active) <= 0).all()


def test_the_curves_shrink_and_fit_on_the_pad(content):
    shape = (len(content["points"]["beta"]), len(content["points"]["label"]), -1)
    z = tool.unpacked(content["points"]["z"]).view(shape)
    assert z.shape[2] == content["latent_dim"] and z.shape[1] == 12
    assert z[..., content["plane"]].abs().max() <= content["reach"]
    assert z[-1].square().mean() < 0.2 * z[0].square().mean()


def test_the_picture_is_what_the_decoder_draws(content):
    drawn = Image.open(io.BytesIO(tool.picture(content))).convert("L")
    kept = Image.open(PICTURE).convert("L")
    assert drawn.size == kept.size
    assert np.abs(np.subtract(drawn, kept, dtype=float)).mean() < 4
    assert np.asarray(kept).std() > 30


@pytest.mark.slow
def test_what_is_written_is_the_rounded_model(scale_down, monkeypatch, tmp_path):
    fits = []
    keep = tool.rounded
    monkeypatch.setattr(tool, "rounded", lambda found: fits.append(keep(found)) or fits[-1])
    run(monkeypatch, "--epochs", 2, "--target", tmp_path)
    content = json.loads((tmp_path / "explorer.json").read_text())
    z = torch.randn(5, tool.LATENT_DIM, generator=torch.Generator().manual_seed(0))
    for beta in (0.03, 0.7, 30.0):
        ours = tool.decoder_of(content).decode(z, beta)
        theirs = fits[0].decode(z, beta=beta)[0]
        assert torch.allclose(ours, theirs, atol=1e-6)


@pytest.mark.slow
def test_the_same_seed_writes_the_same_files(scale_down, monkeypatch, tmp_path):
    for name in "ab":
        run(monkeypatch, "--epochs", 1, "--target", tmp_path / name)
    for file in ("explorer.json", "explorer.png"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [
        "explorer.json",
        "explorer.png",
    ]


@pytest.mark.slow
def test_a_weight_that_is_not_finite_is_refused(scale_down, monkeypatch, tmp_path):
    def broken(found, keep=tool.rounded):
        found = keep(found)
        found.replica = partial(_with_nan, found.replica)
        return found

    monkeypatch.setattr(tool, "rounded", broken)
    with pytest.raises(ValueError, match="not finite: train with another seed"):
        run(monkeypatch, "--epochs", 1, "--target", tmp_path)
    assert list(tmp_path.iterdir()) == []


def _with_nan(replica, m):
    model = replica(m)
    with torch.no_grad():
        model.module.decoder[2].layer.bias[0] = torch.nan
    return model


@pytest.mark.parametrize("epochs", ["0", "-3", "many"])
def test_impossible_epochs_are_refused(monkeypatch, capsys, epochs):
    with pytest.raises(SystemExit):
        run(monkeypatch, f"--epochs={epochs}")
    assert "--epochs" in capsys.readouterr().err.splitlines()[-1]


def test_missing_images_are_named_with_the_remedy(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("RVAE_LITE_DATA", str(tmp_path))
    with pytest.raises(SystemExit):
        run(monkeypatch)
    assert "MNIST is not in" in capsys.readouterr().err


def test_a_target_that_is_a_file_is_refused_before_anything_is_trained(monkeypatch, capsys):
    with pytest.raises(SystemExit):
        run(monkeypatch, "--target", __file__)
    assert "--target must be a folder" in capsys.readouterr().err


def book_of(folder, text):
    """What the book's extension needs to know of a build whose data are `text`."""
    for place in ("source/book/_static", "out/_static"):
        (folder / place).mkdir(parents=True)
    if text is not None:
        (folder / "source" / extension.NAME).write_text(text)
    paths = dict(srcdir=folder / "source", outdir=folder / "out")
    return SimpleNamespace(builder=SimpleNamespace(format="html"), **paths)


def test_the_book_hands_the_data_over_as_a_script(tmp_path, content):
    extension.write(book_of(tmp_path, JSON.read_text()), None)
    script = (tmp_path / "out" / "_static" / "explorer_data.js").read_text()
    assert script.startswith("window.explorerData = {") and script.endswith("};\n")
    assert json.loads(script.split(" = ")[1][:-2]) == content


@pytest.mark.parametrize("text", [None, "{", "[]", "{}", '{"kind": "points"}'])
def test_the_book_refuses_data_that_are_not_the_explorers(tmp_path, text):
    with pytest.raises(ExtensionError, match="cannot be read .*: make it with: python tools"):
        extension.write(book_of(tmp_path, text), None)
    assert list((tmp_path / "out" / "_static").iterdir()) == []


def test_the_numbers_of_the_page_are_those_of_the_data(content):
    page = (ROOT / "book" / "explorer.md").read_text()
    made, widths = content["made"], [len(tool.unpacked(each["bias"])) for each in content["layers"]]
    sentences = [f"{made['num_test']:,} test images", f"{made['num_train']:,} training images"]
    sentences += [
        f"at {len(content['table']['beta'])} values of",
        f"by {made['rounding']:.2f} at most",
    ]
    sentences += ["range of $\\beta$, {:g} to {:g},".format(*content["beta_range"])]
    sentences += [f"{made['epochs']} passes", f"by {content['table']['threshold']} or more"]
    sentences += [" \\to ".join(map(str, [content["latent_dim"], *widths]))]
    sentences += ["beta is {:g}, {:g}, {:g}, {:g} and {:g} from top".format(*tool.SHOWN)]
    assert [sentence for sentence in sentences if sentence not in page] == []


def test_the_page_loads_what_the_book_writes():
    page = (ROOT / "book" / "explorer.md").read_text()
    assert "_static/explorer_data.js" in page and "_static/explorer.js" in page
    assert "explorer_data.js" in (ROOT / "book" / "_ext" / "explorer.py").read_text()
