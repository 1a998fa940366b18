"""One thread a process, unless the environment says otherwise: test workers side by side must not fight for cores."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
# In this process: a pool of compilers leaves pipes open, whose warning falls on some later test.
os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")

import pytest
import torch

from rvae_lite import checks

torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))


@pytest.fixture
def book_style():
    """Figures in the book's style, closed afterwards."""
    import matplotlib.pyplot as plt

    from rvae_lite.reporting import figures

    with plt.rc_context():
        figures.use_style()
        yield
        plt.close("all")


@pytest.fixture
def traced(monkeypatch):
    """`compile=True` traces a step, forwards and backwards, and generates no C++.

    `test_train` compiles one training in earnest; the others ask whether a step can be traced.
    """
    original = torch.compile
    traced = lambda function, **options: original(function, backend="aot_eager", **options)  # noqa: E731
    monkeypatch.setattr(torch, "compile", traced)
    monkeypatch.setattr(checks, "compiler_available", lambda device: True)


@pytest.fixture(scope="session")
def eager():
    """The ten mixed replicas of `toy`, trained eagerly."""
    from toy import toy_fit

    return toy_fit()
