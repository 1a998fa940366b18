"""Small data, plans and points for tests of what a laboratory does."""

import base64
import json
import re
import sys

import numpy as np
import pytest
from scipy.stats import special_ortho_group
from typer.testing import CliRunner

from rvae_lite import RosettaPoints, cli
from rvae_lite.lab.plan import Plan

QUICK = Plan(epochs=2, batch_size=32)
LONGER = Plan(epochs=8, batch_size=32, learning_rate=1e-2)
MANY = LONGER._replace(beta_range=(0.01, 10.0))
BETAS = np.geomspace(0.01, 10, 10)


def circle(num_data=120, *, seed=0):
    """Points on a circle and their second harmonic, (N, 3)."""
    angle = np.random.default_rng(seed).uniform(0, 2 * np.pi, num_data)
    return np.stack([np.cos(angle), np.sin(angle), np.cos(2 * angle)], 1).astype(np.float32)


def images(num_data=60, size=8):
    """Grey images of noise, (N, 1, size, size) uint8."""
    return np.random.default_rng(0).integers(0, 256, (num_data, 1, size, size)).astype(np.uint8)


def shrinking(scale=1.0):
    """Made-up curves that turn and shrink as beta grows."""
    rng = np.random.default_rng(1)
    start, turn = rng.standard_normal((9, 2)), np.linspace(0, 0.5, 10)
    turned = np.stack(
        [start @ np.array([[np.cos(t), np.sin(t)], [-np.sin(t), np.cos(t)]]) for t in turn]
    )
    shrunk = scale * turned * np.linspace(1, 0.2, 10)[:, None, None]
    return RosettaPoints(circle(9), shrunk, betas=BETAS)


def draw(*shape, seed=0):
    """Standard normal numbers."""
    return np.random.default_rng(seed).standard_normal(shape)


def turned(means, *, seed=0):
    """The space turned and moved."""
    return means @ special_ortho_group.rvs(means.shape[1], random_state=seed) + 1.0


def four_spaces(num_data=150):
    """A reference, one near it, the same turned, and another one."""
    first = draw(num_data, 3) * [3.0, 2.0, 1.0]
    near = first + 0.1 * draw(num_data, 3, seed=1)
    return dict(first=first, near=near, turned=turned(first), other=draw(num_data, 3, seed=2))


def explored(page):
    """What the maps of a report are drawn from."""
    return json.loads(re.search(r'<script [^>]*id="data">(.*?)</script>', page, re.S).group(1))


def floats(text):
    """An array of it."""
    return np.frombuffer(base64.b64decode(text), "<f4")


def run(*arguments):
    """A command of the command line, in this process; what it says on stdout."""
    arguments = [str(argument) for argument in arguments]
    result = CliRunner().invoke(cli.app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(message, *arguments):
    """What `main` does with an error: one sentence on stderr, exit code 1."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as caught:
        patch.setattr(sys, "argv", ["rvae-lite", *map(str, arguments)])
        patch.setattr("warnings.showwarning", None)
        cli.main()
    text = str(caught.value.code)
    assert text.startswith("rvae-lite: ") and "\n" not in text
    assert re.search(message, text), text
