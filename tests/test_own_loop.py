"""The page on loops of one's own runs as it stands, and ends in the space of the points.

The loops are other people's: pythae's trainer, Lightning's, and one of plain PyTorch.
"""

import re
import tempfile

import numpy as np
import pytest
import torch
from loading import ROOT

REACHED = 0.1  # of the variance of the points' latents
pytestmark = pytest.mark.slow


def sections():
    """Title of each section of the page -> its code."""
    text = (ROOT / "book" / "own_loop.md").read_text(encoding="utf-8")
    _, *parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    block = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    return {
        title: "\n".join(block.findall(part))
        for title, part in zip(parts[::2], parts[1::2], strict=True)
    }


def run(title, names):
    """Run the code of a section in a copy of names, which is returned."""
    names = dict(names)
    exec(compile(sections()[title], f"own_loop.md: {title}", "exec"), names)
    return names


@pytest.fixture(scope="module")
def plain():
    """What the page's first two sections, on which the others build, leave behind."""
    return run("A plain loop", run("Points and data", dict(__name__="own_loop")))


def away(names, encode):
    """Mean squared distance of the encoded anchors to their latents over the latents' variance."""
    x, z = names["points"].x, names["points"].z
    with torch.no_grad():
        means = encode(torch.as_tensor(x).to(names["device"])).cpu().numpy()
    return ((means - z) ** 2).sum(1).mean() / ((z - z.mean(0)) ** 2).sum(1).mean()


def test_a_plain_loop_reaches_the_points_with_the_term_and_not_without(plain):
    anchored = away(plain, lambda x: plain["anchored"].encode(x)[0])
    assert anchored < REACHED
    assert away(plain, lambda x: plain["free"].encode(x)[0]) > 0.5
    assert np.isclose(anchored, plain["away"](lambda x: plain["anchored"].encode(x)[0]))


def test_pythae_reaches_the_points_with_the_term_and_not_without(plain, tmp_path, monkeypatch):
    pytest.importorskip("pythae")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # it saves what it has trained
    names = run("pythae", plain)
    assert type(names["free"]).__module__.startswith("pythae.")
    assert away(names, lambda x: names["anchored"].encoder(x).embedding) < REACHED
    assert away(names, lambda x: names["free"].encoder(x).embedding) > 0.5


@pytest.mark.filterwarnings("ignore:.*does not have many workers")
@pytest.mark.filterwarnings("ignore:`isinstance.treespec, LeafSpec:FutureWarning")
def test_lightning_reaches_the_points(plain):
    pytest.importorskip("lightning")
    module = run("Lightning", plain)["module"]
    assert away(plain, lambda x: module.model.encode(x)[0]) < REACHED


def test_a_network_of_ones_own_becomes_multi_rate_and_reaches_the_points(plain):
    names = run("Every beta from one training", plain)
    assert away(names, lambda x: names["plain"].encode(x)[0]) < REACHED


def test_a_table_in_the_manner_of_scikit_learn_reaches_the_points(plain):
    assert run("scikit-learn", plain)["yours"].anchor_distance_ < REACHED


def test_all_code_of_the_page_is_run():
    with_code = [title for title, code in sections().items() if code]
    assert with_code == [
        "Points and data",
        "A plain loop",
        "pythae",
        "Lightning",
        "Every beta from one training",
        "scikit-learn",
    ]
