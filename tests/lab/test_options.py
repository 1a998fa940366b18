"""Each option is declared once and reaches the command as a field of its group."""

import inspect

import pytest

from rvae_lite.lab import commands
from rvae_lite.lab.options import Header, Output, Reading, with_options
from rvae_lite.lab.plan import Plan

READING = {"key", "per_file", "value_scale", "memory", "header"}
PLAN = {"network", "latent_dim", "likelihood", "noise_variance", "epochs", "batch_size"}
PLAN |= {"learning_rate", "held_out", "seed"}
OUTPUT = {"progress", "json", "force"}
OWN = dict(
    distil={
        "data",
        "out",
        "model",
        "model_out",
        "num_points",
        "method",
        "share",
        "preprocessing",
        "ids",
    }
    | {"licence", "source", "citation", "multi_rate", "beta"}
    | {"latents", "latents_key", "latents_from"},
    train={"data", "points", "out", "report", "rho", "preprocessing", "multi_rate", "beta"},
)


@pytest.mark.parametrize("name", ["distil", "train"])
def test_a_command_offers_its_own_options_and_those_of_its_groups(name):
    offered = inspect.signature(getattr(commands, name)).parameters
    assert set(offered) == OWN[name] | READING | PLAN | OUTPUT
    assert all(offered[field].default == Plan._field_defaults[field] for field in PLAN)


def test_a_group_is_built_from_what_was_given():
    seen = []

    @with_options
    def command(name: str, *, output: Output):
        """Say it."""
        seen.append((name, output))

    assert list(inspect.signature(command).parameters) == ["name", "json", "force"]
    command(name="a", json=True, force=False)
    assert seen == [("a", Output(json=True, force=False))] and command.__doc__ == "Say it."


def test_a_group_may_be_called_as_a_field_of_another_one():
    seen = []

    @with_options
    def command(*, header: Header, reading: Reading):
        """Say it."""
        seen.append((header.licence, reading.header))

    given = inspect.signature(command).parameters
    command(**{name: given[name].default for name in given} | dict(licence="CC0", header=False))
    assert seen == [("CC0", False)]
