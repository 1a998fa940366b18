"""A unit of every study on a device that is not the CPU: nothing is left behind."""

import warnings

import pytest
from devices import everything_elsewhere, one_step

from rvae_lite.studies.study import find_study, study_files

# Half a minute and more each, of processor time; their protocols are those of others.
LONG = {"any_architecture", "disentanglement", "one_space", "sensitivity"}
WITHOUT_FIT = {"theorem_one"}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({*study_files()} - LONG - WITHOUT_FIT))
def test_a_unit_trains_and_measures_elsewhere(name):
    study = find_study(name)
    cell = next(iter(study.cells("quick").values()))
    with warnings.catch_warnings(), everything_elsewhere() as transfers, one_step():
        warnings.simplefilter("ignore")  # of a training that is too short for anything
        try:
            result = study.run("quick", cell, keep=None)
        except FileNotFoundError as error:
            pytest.skip(f"its data are not here: {error}")
    table = getattr(result, "table", result)
    assert {device.split(":")[0] for device in table.device} == {"mock"}
    assert "to device" in transfers
