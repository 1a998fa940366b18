"""Trainings that several tests of the room look at."""

import numpy as np
import pytest
from workbench import LONGER, MANY, QUICK, circle, four_spaces

from rvae_lite.lab.comparing import compare_spaces
from rvae_lite.lab.distilling import distil_space
from rvae_lite.lab.training import train_space


@pytest.fixture(scope="session")
def trained():
    """A plain space."""
    return train_space(circle(), plan=QUICK)


@pytest.fixture(scope="session")
def template():
    """A multi-rate Fit."""
    return train_space(circle(), plan=MANY).fit


@pytest.fixture(scope="session")
def curves(template):
    """The template's points."""
    return distil_space(template, circle(), 9)


@pytest.fixture(scope="session")
def folder(tmp_path_factory, template, curves):
    """The files of both, a plain Fit that was held by the curves, and encoded means."""
    folder = tmp_path_factory.mktemp("fits")
    template.save(folder / "many.npz")
    plain = train_space(circle(seed=1), points=curves, plan=LONGER._replace(beta=0.5)).fit
    plain.save(folder / "plain.npz")
    np.save(folder / "means.npy", template.encode(circle(), beta=0.1)[0].numpy())
    curves.save(folder / "curves.npz")
    return folder


@pytest.fixture(scope="session")
def compared():
    """Four spaces, compared on fifteen anchors."""
    return compare_spaces(four_spaces(), anchors=np.arange(0, 150, 10))
