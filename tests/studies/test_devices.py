"""Units of every study on a device that is not the CPU: nothing is left behind."""

import warnings
from functools import partial

import numpy as np
import pytest
from devices import everything_elsewhere, one_step

from rvae_lite.data import images
from rvae_lite.data.dataset import Dataset, in_parts, numbered
from rvae_lite.data.folders import info_of, sources
from rvae_lite.studies import one_space, over_beta
from rvae_lite.studies.study import find_study, study_files

WITHOUT_FIT = {"theorem_one"}
FEW, FEW_IN_PARTS = dict(num_examples=200, replicas=2), dict(num_train=100, num_test=50)
SENTENCES = dict(loading=FEW_IN_PARTS, epochs=4, replicas=1)
# What differs from quick profiles that would take longer.
TINY = dict(
    any_architecture=dict(
        config=dict(hidden=[16], channels=[2, 4, 4, 4]),
        setup=dict(num_examples=100, replicas=2, side=16),
    ),
    bengalese_finch=dict(setup=FEW),
    zebra_finch=dict(setup=FEW),
    hierarchy=dict(setup=FEW_IN_PARTS),
    multi_rate=dict(setup=dict(FEW_IN_PARTS, num_images=50)),
    text=dict(sets=dict(grammar_sentences=SENTENCES)),
    disentanglement=dict(
        measure=dict(num_samples=50, num_rated=50, betas=(0.1, 10.0)),
        setup=dict(hidden=(8,), decoder_hidden=(8,), side=8, betas=(1.0,)),
    ),
    one_space=dict(replicas=2),
    sensitivity=dict(setup=dict(FEW_IN_PARTS, width=0.1, replicas=1, betas=(0.1, 1.0))),
)


def tiny_mnist(*, root=None, download=False):
    """Random images in the form of MNIST."""
    random = np.random.default_rng(0)
    x = random.integers(0, 256, (1000, 1, 28, 28), dtype=np.uint8)
    labels = np.arange(len(x)) % 10
    info = info_of("mnist", value_range=(0.0, 1.0))
    return Dataset(x, labels, numbered("mnist", len(x)), np.where(labels < 5, 1, 2), info)


def tiny_binary_mnist(*, root=None, download=False):
    """Random images in the form of binary MNIST."""
    x = 255 * np.random.default_rng(0).integers(0, 2, (600, 1, 28, 28), dtype=np.uint8)
    return in_parts(x, np.repeat([1, 2, 3], len(x) // 3), info_of("binary_mnist"))


@pytest.fixture
def tiny(monkeypatch):
    """A function: name -> study, whose quick profile is small enough and needs no files."""
    monkeypatch.setattr(images, "load_mnist", tiny_mnist)
    monkeypatch.setattr(images, "load_binary_mnist", tiny_binary_mnist)
    monkeypatch.setattr(over_beta, "TIMED_RUNS", 1)
    monkeypatch.setattr(one_space, "measure", partial(one_space.measure, betas=(0.1, 10.0)))

    def find(name):
        study = find_study(name)
        quick = dict(study.profiles["quick"])
        for key, value in TINY.get(name, {}).items():
            quick[key] = quick[key] | value if isinstance(value, dict) else value
        monkeypatch.setitem(study.profiles, "quick", quick)
        return study

    return find


def kinds_of(study) -> list[tuple]:
    """A cell for each protocol, method or network of a study; on which data does not matter."""
    kinds = {}
    for cell in study.cells("quick").values():
        words = [part for part in cell if isinstance(part, str)]
        kind = tuple(word for word in words if word.partition("-")[0] not in sources())
        kinds.setdefault(kind, cell)
    return list(kinds.values())


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({*study_files()} - WITHOUT_FIT))
def test_every_kind_of_unit_trains_and_measures_elsewhere(name, tiny):
    study = tiny(name)
    for cell in kinds_of(study):
        with warnings.catch_warnings(), everything_elsewhere() as transfers, one_step():
            warnings.simplefilter("ignore")  # of a training that is too short for anything
            result = study.run("quick", cell, keep=None)
        table = getattr(result, "table", result)
        assert {device.split(":")[0] for device in table.device} == {"mock"}, cell
        assert "to device" in transfers, cell
