"""An interrupted training goes on to the very same bits, or is refused in one sentence."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
from toy import RESUMED_EPOCHS, fit_quietly, long_fit, terms_of, toy_data, toy_points

from rvae_lite import VAE, RosettaPoints, checkpoints, engine
from rvae_lite.anchors import Weighted


def count_epochs(monkeypatch):
    epochs, original = [], engine.Trainer.run_epoch

    def run_epoch(self, state, epoch):
        epochs.append(epoch)
        return original(self, state, epoch)

    monkeypatch.setattr(engine.Trainer, "run_epoch", run_epoch)
    return epochs


@pytest.mark.slow
def test_a_training_killed_while_writing_goes_on_to_the_same_bits(tmp_path, monkeypatch):
    # The third checkpoint never reaches the disk: the process is killed in the middle of writing it.
    script = """
        import os, signal
        import toy
        from rvae_lite import checkpoints

        checkpoints.PAUSE_SECONDS = -1.0
        checkpoints.SHARE_OF_TIME = float("inf")
        calls, fsync = [], os.fsync

        def kill_at_the_third(descriptor):
            calls.append(descriptor)
            if len(calls) == 3:
                os.kill(os.getpid(), signal.SIGKILL)
            fsync(descriptor)

        os.fsync = kill_at_the_third
        toy.long_fit(checkpoint="checkpoint.npz")
    """
    environment = os.environ | dict(
        PYTHONPATH=os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
    )
    command = [sys.executable, "-c", textwrap.dedent(script)]
    killed = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    epochs = count_epochs(monkeypatch)
    resumed = long_fit(checkpoint=tmp_path / "checkpoint.npz")
    assert epochs == [2, 3, 4, 5]
    uninterrupted = long_fit()
    assert torch.equal(resumed.weights, uninterrupted.weights)
    assert np.array_equal(terms_of(resumed), terms_of(uninterrupted))


@pytest.mark.parametrize("interrupted_in", [1, 4])
def test_an_interrupted_training_goes_on_to_the_same_bits(tmp_path, monkeypatch, interrupted_in):
    monkeypatch.setattr(checkpoints, "PAUSE_SECONDS", -1.0)
    monkeypatch.setattr(checkpoints, "SHARE_OF_TIME", float("inf"))
    original = engine.Trainer.run_epoch
    with monkeypatch.context() as patch:

        def run_epoch(self, state, epoch):
            terms = original(
                self, state, epoch
            )  # parameters and moments have moved on when the interrupt comes
            if epoch == interrupted_in:
                raise KeyboardInterrupt
            return terms

        patch.setattr(engine.Trainer, "run_epoch", run_epoch)
        with pytest.raises(KeyboardInterrupt):
            long_fit(checkpoint=tmp_path / "checkpoint.npz")
    resumed, uninterrupted = long_fit(checkpoint=tmp_path / "checkpoint.npz"), long_fit()
    assert torch.equal(resumed.weights, uninterrupted.weights)
    assert np.array_equal(terms_of(resumed), terms_of(uninterrupted))


def test_checkpoints_are_written_at_intervals_and_at_the_end(tmp_path, monkeypatch):
    written, original = [], checkpoints.write

    def write(path, settings, state):
        written.append(len(state.history))
        original(path, settings, state)

    monkeypatch.setattr(checkpoints, "write", write)
    long_fit(checkpoint=tmp_path / "rarely.npz")
    assert written == [RESUMED_EPOCHS]
    monkeypatch.setattr(checkpoints, "PAUSE_SECONDS", -1.0)
    monkeypatch.setattr(checkpoints, "SHARE_OF_TIME", float("inf"))
    long_fit(checkpoint=tmp_path / "always.npz")
    assert written[1:] == list(range(1, RESUMED_EPOCHS + 1))


def test_a_finished_training_is_read_from_its_checkpoint_and_can_be_prolonged(
    tmp_path, monkeypatch
):
    path = tmp_path / "checkpoint.npz"
    finished = long_fit(checkpoint=path)
    epochs = count_epochs(monkeypatch)
    again = long_fit(checkpoint=path)
    assert epochs == []
    assert torch.equal(again.weights, finished.weights)
    longer = long_fit(checkpoint=path, epochs=RESUMED_EPOCHS + 2)
    assert epochs == [6, 7]
    assert torch.equal(longer.weights, long_fit(epochs=RESUMED_EPOCHS + 2).weights)


def test_a_checkpoint_with_more_epochs_behind_it_is_refused(tmp_path):
    long_fit(checkpoint=tmp_path / "checkpoint.npz")
    with pytest.raises(
        ValueError, match=r"checkpoint .* has 6 epochs behind it, more than epochs=2: raise epochs"
    ):
        long_fit(checkpoint=tmp_path / "checkpoint.npz", epochs=2)


OTHER_TRAININGS = dict(
    beta=dict(beta=[0.5, 1.0, 2.1]),
    rho=dict(rho=1.0),
    seeds=dict(seed=5),
    batch_size=dict(batch_size=20),
    learning_rate=dict(learning_rate=2e-3),
    start=dict(start=long_fit()),
    **{"weights of the points": dict(points=Weighted(toy_points(toy_data().float()), z=0.5))},
)


@pytest.mark.parametrize("name", OTHER_TRAININGS)
def test_a_checkpoint_of_another_training_is_refused_and_the_difference_named(tmp_path, name):
    path = tmp_path / "checkpoint.npz"
    long_fit(checkpoint=path, epochs=1)
    before = path.read_bytes()
    with pytest.raises(
        ValueError, match=f"belongs to a training with another {name}: delete it or choose another"
    ):
        long_fit(checkpoint=path, **OTHER_TRAININGS[name])
    assert path.read_bytes() == before


def test_a_checkpoint_of_other_data_points_or_model_is_refused_and_the_difference_named(tmp_path):
    x, path = toy_data().float(), tmp_path / "checkpoint.npz"
    points, options = toy_points(x), dict(epochs=1, batch_size=25, rho=1.0, checkpoint=path)
    moved = RosettaPoints(points.x, points.z + 1)
    fit_quietly(VAE.mlp(5, 2, (8,)), x, points=points, **options)
    others = dict(
        data=(VAE.mlp(5, 2, (8,)), x + 1e-3, points),
        points=(VAE.mlp(5, 2, (8,)), x, moved),
        model=(VAE.mlp(5, 2, (9,)), x, points),
        likelihood=(VAE.mlp(5, 2, (8,), noise_variance=0.2), x, points),
        dtype=(VAE.mlp(5, 2, (8,)).double(), x, points),
    )
    for name, (model, other_x, other_points) in others.items():
        with pytest.raises(ValueError, match=f"belongs to a training with another .*{name}"):
            fit_quietly(model, other_x, points=other_points, **options)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "other kind"])
def test_a_damaged_checkpoint_is_refused(tmp_path, damage):
    path = tmp_path / "checkpoint.npz"
    long_fit(checkpoint=path, epochs=1)
    content = bytearray(path.read_bytes())
    if damage == "truncated":
        del content[len(content) // 2 :]
    elif damage == "flipped":
        content[content.index(b"rows.npy") + 200] ^= 1  # behind the header of 128 bytes
    path.write_bytes(content)
    if damage == "other kind":
        toy_points().save(path)
    with pytest.raises(ValueError, match="not a (readable )?checkpoint file") as caught:
        long_fit(checkpoint=path)
    assert "\n" not in str(caught.value)


def test_a_checkpoint_at_home_is_found_again(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    long_fit(checkpoint="~/kept/checkpoint.npz")
    epochs = count_epochs(monkeypatch)
    long_fit(checkpoint="~/kept/checkpoint.npz")
    assert epochs == []
    assert checkpoints.kept_as("~/kept", "a b") == tmp_path / "kept" / "a-b.npz"
