"""One thread a process, unless the environment says otherwise: test workers side by side must not fight for cores."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch

torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))


@pytest.fixture(scope="session")
def eager():
    """The ten mixed replicas of `toy`, trained eagerly."""
    from toy import toy_fit

    return toy_fit()
