"""Forged files with a right hash: what they hold is checked before anything is built from it."""

import json
import resource
import time

import numpy as np
import pytest
import torch
from toy import toy_data

from rvae_lite import VAE, Fit, RosettaPoints, fit
from rvae_lite.models import build_verified
from rvae_lite.multirate import LogUniform, make_multirate
from rvae_lite.storage import load_arrays, save_arrays

SHORT = dict(epochs=2, batch_size=50)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("fits") / "fit.npz"
    fit(VAE.mlp(5, 2, (8,)), toy_data().float(), replicas=2, **SHORT).save(path)
    return load_arrays(path, kind="fit", version=1)


def refusal(tmp_path, saved, header=None, **arrays):
    old_header, old_arrays = saved
    kept = {name: array for name, array in (old_arrays | arrays).items() if array is not None}
    changed = old_header | (header or {})
    changed = {name: value for name, value in changed.items() if value != "gone"}
    save_arrays(tmp_path / "forged.npz", kind="fit", version=1, header=changed, arrays=kept)
    with pytest.raises(ValueError) as caught:
        Fit.load(tmp_path / "forged.npz")
    message = str(caught.value)
    assert "\n" not in message and "forged.npz holds no valid fit (" in message
    assert message.endswith("get a fresh copy of it")
    return message


def test_arrays_of_other_names_types_shapes_and_values_are_refused(tmp_path, saved):
    rows = saved[1]["rows"]
    forged = {
        "it lacks rows": dict(rows=None),
        "it also holds more": dict(more=np.zeros(3)),
        "rows must be numbers, any x any, not <U1": dict(rows=np.full(rows.shape, "a")),
        "rows must be numbers, any x any, not float32 of shape (0,": dict(rows=rows[:0]),
        "rows has NaN or infinite values": dict(rows=np.full_like(rows, np.nan)),
        "rho must be numbers, 1, not": dict(rows=rows[:1]),
        "rho must be numbers, 2, not": dict(rho=np.zeros(3)),
        "beta and rho must be finite and not negative": dict(beta=np.array([np.inf, 1.0])),
        "terms must be numbers, any x any x 2": dict(terms=np.zeros((2, 3))),
    }
    for message, arrays in forged.items():
        assert message in refusal(tmp_path, saved, **arrays)


def test_headers_of_other_kinds_are_refused(tmp_path, saved):
    forged = {
        "its header has no valid seeds": dict(seeds="gone"),
        "its header has no valid info": dict(info=[1]),
        "seeds must be 2 whole numbers": dict(seeds=[1, "2"]),
        "terms must be names": dict(terms=[1, 2, 3]),
        "its header has no valid config": dict(config="mlp"),
        "different names": dict(terms=["loss"] * len(saved[0]["terms"])),
    }
    for message, header in forged.items():
        assert message in refusal(tmp_path, saved, header=header)


CONFIGS = [
    dict(network="mlp", data_shape=[5], latent_dim=2, hidden=[20000, 20000]),
    dict(network="mlp", data_shape=[5], latent_dim=2, hidden=[1] * 200_000),
    dict(network="mlp", data_shape=[10**12], latent_dim=2, hidden=[8]),
    dict(network="mlp", data_shape=[5], latent_dim=10**400),
    dict(network="mlp", data_shape=["5"], latent_dim=2),
    dict(network="mlp", data_shape=[5], latent_dim=2, hidden={"a": 1}),
    dict(network="resnet", data_shape=[3, 32, 32], latent_dim=2, blocks=[10**9] * 4),
    dict(network="no such network", data_shape=[5], latent_dim=2),
    dict(network=["mlp"], data_shape=[5], latent_dim=2),
    dict(network="ladder", data_shape=[3, 32, 32], cells=10**9),
    dict(network="multirate"),
    dict(network="multirate", module=dict(network="multirate", module=7)),
    dict(network="text", num_tokens=10**9, length=3, latent_dim=2),
    dict(data_shape=None),
    {},
]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: json.dumps(config)[:40])
def test_a_config_of_any_size_costs_neither_memory_nor_time(tmp_path, saved, config):
    begun, before = time.process_time(), peak_memory()
    refusal(tmp_path, saved, header=dict(config=config))
    assert peak_memory() - before < 2**29 and time.process_time() - begun < 10


def peak_memory():
    """Bytes that this process has held at most."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@pytest.mark.parametrize("name", ["mlp", "residual", "conv", "patch", "cnn", "resnet"])
@pytest.mark.parametrize("many", [False, True])
def test_every_network_is_counted_before_it_is_built(name, many):
    model = VAE.build(name, (1, 32, 32), 3)
    model = make_multirate(model) if many else model
    count = sum(each.numel() for each in model.parameters())
    built = build_verified(json.loads(json.dumps(model.config)), count)
    assert {each.device.type for each in built.parameters()} == {"cpu"}
    with pytest.raises(ValueError, match=f"a model of {count} parameters, the file {count + 1} a"):
        build_verified(model.config, count + 1)


def test_a_buffer_of_another_shape_is_refused(tmp_path):
    path = tmp_path / "fit.npz"
    x = torch.rand(40, 1, 16, 16)
    space = fit(make_multirate(VAE.cnn((1, 16, 16), 2)), x, beta=LogUniform(0.01, 10.0), **SHORT)
    space.save(path)
    header, arrays = load_arrays(path, kind="fit", version=1)
    buffer = next(name for name in arrays if name.startswith("buffer ") and arrays[name].ndim > 1)
    arrays[buffer] = arrays[buffer][:, :1]
    save_arrays(path, kind="fit", version=1, header=header, arrays=arrays)
    with pytest.raises(ValueError, match=r"holds a buffer .* of shape \(1,\), the model has"):
        Fit.load(path)


def test_a_checkpoint_of_other_shapes_is_never_broadcast(tmp_path):
    path, x = tmp_path / "checkpoint.npz", toy_data().float()
    options = dict(replicas=3, batch_size=50, checkpoint=path)
    fit(VAE.mlp(5, 2, (8,)), x, epochs=1, **options)
    header, arrays = load_arrays(path, kind="checkpoint", version=2)
    forged = [
        dict(rows=arrays["rows"][:1]),
        dict(rows=arrays["rows"].astype(np.float64)),
        dict(first=np.full_like(arrays["first"], np.nan)),
        dict(terms=arrays["terms"][:, :1]),
        dict(terms=arrays["terms"][:0]),
        dict(more=np.zeros(2)),
    ]
    for changes in forged:
        save_arrays(path, kind="checkpoint", version=2, header=header, arrays=arrays | changes)
        with pytest.raises(ValueError, match=r"holds no valid checkpoint \(.*\): delete it, and"):
            fit(VAE.mlp(5, 2, (8,)), x, epochs=2, **options)
    for settings in ([], None, dict(model=3), dict(model=dict(config=[1]))):
        changed = header | dict(settings=settings)
        save_arrays(path, kind="checkpoint", version=2, header=changed, arrays=arrays)
        with pytest.raises(ValueError, match="delete it"):
            fit(VAE.mlp(5, 2, (8,)), x, epochs=2, **options)


def test_a_header_means_to_its_reader_what_it_meant_to_its_writer(tmp_path):
    z = np.random.default_rng(0).normal(size=(12, 2))
    header = dict(label_names={number: f"syllable {number}" for number in range(12)})
    header |= dict(rates={10.0: 1, 2.0: (1, 2)}, share_of=np.float32(0.5), missing=float("nan"))
    points = RosettaPoints(z, z, header=header)
    points.save(tmp_path / "p.npz")
    loaded = RosettaPoints.load(tmp_path / "p.npz").header
    assert loaded["label_names"]["10"] == "syllable 10" and loaded["rates"]["2.0"] == [1, 2]
    with pytest.raises(ValueError, match="names '1' twice"):
        RosettaPoints(z, z, header=dict(labels={1: "a", "1": "b"})).save(tmp_path / "q.npz")


def test_headers_nested_or_repeated_beyond_reason_are_refused(tmp_path):
    z = np.random.default_rng(0).normal(size=(12, 2))
    deep = []
    for _ in range(400):
        deep = [deep]
    with pytest.raises(ValueError, match="nested more than 20 deep"):
        RosettaPoints(z, z, header=dict(note=deep)).save(tmp_path / "p.npz")


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (dict(preprocessing=7), "preprocessing must be text or an object"),
        (dict(model="mlp"), "model must be an object"),
        (dict(model=dict(likelihood="poisson")), "likelihood must be 'gaussian' or 'bernoulli'"),
        (dict(model=dict(noise_variance="0.1")), "noise_variance must be a positive number"),
        (dict(model=dict(noise_variance=-1)), "noise_variance must be a positive number"),
        (dict(value_scale=[255]), "value_scale must be a positive number"),
        (dict(share="decoded"), "share must be an object"),
    ],
)
def test_entries_that_act_on_a_training_are_checked(header, message):
    z = np.random.default_rng(0).normal(size=(12, 2))
    with pytest.raises(ValueError, match=f"the header's {message}: correct it"):
        RosettaPoints(z, z, header=header)


def test_files_of_one_training_are_equal_to_the_last_byte(tmp_path):
    for name in ("a", "b"):
        fit(VAE.mlp(5, 2, (8,)), toy_data().float(), **SHORT).save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
