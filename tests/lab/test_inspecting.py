"""Files are described and drawn."""

import hashlib
import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from workbench import draw

from rvae_lite import RosettaPoints, alignment, storage
from rvae_lite.lab import drawing, inspecting

ROOT = Path(__file__).resolve().parents[2]


def test_curves_and_multi_rate_models_are_described(folder, curves):
    opened = inspecting.open_file(folder / "curves.npz")
    described = json.loads(json.dumps(inspecting.describe(opened)))
    assert (
        described["beta_range"] == [0.01, 10.0]
        and described["reconstructions"]
        and described["num_betas"] == 10
    )
    spread = [math.sqrt(alignment.total_variance(z)) for z in curves.z]
    assert np.allclose(described["total_sd_at_betas"], spread)
    assert "latent_mean" not in described
    model = inspecting.describe(inspecting.open_file(folder / "many.npz"))
    assert model["beta_range"] == [0.01, 10.0] and "beta" not in model and model["latent_dim"] == 2


@pytest.mark.parametrize(
    ("shape", "num_latents"), [((3,), 1), ((3,), 4), ((1, 6, 6), 2), ((3, 6, 6), 2)]
)
@pytest.mark.parametrize("recon", [True, False])
def test_curves_are_drawn(tmp_path, shape, num_latents, recon):
    rng = np.random.default_rng(0)
    x, z = rng.uniform(size=(7, *shape)), rng.standard_normal((3, 7, num_latents))
    made = rng.uniform(size=(3, *x.shape)) if recon else None
    RosettaPoints(x, z, betas=[0.1, 1.0, 3.0], recon=made).save(tmp_path / "points.npz")
    drawing.render(inspecting.open_file(tmp_path / "points.npz"), tmp_path / "drawn.html")
    page = (tmp_path / "drawn.html").read_text()
    assert page.count("<figure>") == 3 + recon and "curves over beta 0.1 to 3" in page
    assert ("decoder makes of them" in page) == recon


def test_a_picture_of_curves_has_every_panel(folder, tmp_path):
    drawing.render(inspecting.open_file(folder / "curves.npz"), tmp_path / "drawn.png")
    assert (tmp_path / "drawn.png").read_bytes().startswith(b"\x89PNG")


def test_a_file_is_read_and_verified_a_few_times_at_most(folder, tmp_path, monkeypatch):
    hashed, verify = [], storage.content_hash
    monkeypatch.setattr(storage, "content_hash", lambda *given: hashed.append(1) or verify(*given))
    for name, most in (("curves.npz", 2), ("many.npz", 3)):
        hashed.clear()
        opened = inspecting.open_file(folder / name)
        inspecting.describe(opened)
        drawing.render(opened, tmp_path / "drawn.html")
        assert len(hashed) <= most


def test_a_rosetta_file_is_looked_into_without_loading_pytorch(tmp_path):
    code = (
        "from rvae_lite.lab.inspecting import *; print(as_text(describe(open_file('book:digits'))))"
    )
    code += "; import sys; assert 'torch' not in sys.modules"
    env = os.environ | dict(PYTHONPATH=str(ROOT))
    said = subprocess.run([sys.executable, "-c", code], env=env, check=True, capture_output=True)
    assert b"num points" in said.stdout


def test_the_covering_of_a_file_is_told_where_it_is_stated(folder):
    told = inspecting.describe(inspecting.open_file(folder / "curves.npz"))
    assert told["covering"]["median"] <= told["covering"]["q95"] <= told["covering"]["radius"]
    text = inspecting.as_text(told)
    assert re.search(rf"\ncovering +median {told['covering']['median']:.4g}, q95 ", text)
    older = inspecting.as_text(inspecting.describe(inspecting.open_file("book:digits")))
    assert re.search(r"\ncovering +not stated\n", older)


def test_long_names_and_values_of_a_header_are_cut(tmp_path):
    points = RosettaPoints(draw(3, 2), draw(3, 2), header={"n" * 10**5: "v" * 10**6, "a\nb": "c"})
    points.save(tmp_path / "p.npz")
    text = inspecting.as_text(inspecting.describe(inspecting.open_file(tmp_path / "p.npz")))
    assert len(text) < 2 * 10**5 and "a\\nb" in text


@pytest.mark.parametrize(
    ("told", "citation"),
    [
        (dict(citation="Doe (2026)", title="Owls"), "Doe (2026)"),
        (dict(citation="@misc{doe,\n  title = {Owls}\n}"), "@misc{doe, title = {Owls} }"),
        (
            dict(creator=["Doe, J.", "Roe, R."], year=2026, title="Owls", doi="10.5281/zenodo.1"),
            "Doe, J., Roe, R. 2026. Owls. https://doi.org/10.5281/zenodo.1",
        ),
        (dict(title="Owls", creator={"name": 3}), "name 3. Owls"),
        (dict(licence="CC0"), "not stated"),
    ],
)
def test_citation_and_licence_are_told_or_said_to_lack(tmp_path, told, citation):
    RosettaPoints(draw(3, 2), draw(3, 2), header=told).save(tmp_path / "p.npz")
    text = inspecting.as_text(inspecting.describe(inspecting.open_file(tmp_path / "p.npz")))
    assert re.search(rf"^citation +{re.escape(citation)}$", text, re.MULTILINE)
    licence = told.get("licence", "not stated")
    assert re.search(rf"^licence +{licence}$", text, re.MULTILINE)


def test_the_hash_of_the_file_is_told_as_a_download_asks_for_it(folder):
    told = inspecting.describe(inspecting.open_file(folder / "curves.npz"))
    content = (folder / "curves.npz").read_bytes()
    assert told["file_sha256"] == hashlib.sha256(content).hexdigest() != told["sha256"]
    assert RosettaPoints.load(folder / "curves.npz", sha256=told["file_sha256"]).betas is not None
