"""Any array of a user becomes checked numbers, or one sentence."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import csr_matrix
from torch import nn
from toy import toy_data, toy_points

from rvae_lite import VAE, Fit, RosettaPoints, arrays, fit, select_points
from rvae_lite.alignment import latent_space_distortion

X = np.random.default_rng(0).normal(size=(60, 5))
SHORT = dict(epochs=1, batch_size=20)
WAYS = {  # every public entrance of a user's arrays
    "fit": lambda x: fit(VAE.mlp(5, 2, (8,)), x, **SHORT),
    "encode": lambda x: SPACE.encode(x),
    "decode": lambda x: SPACE.decode(x[:, :2] if x.ndim > 1 else x),
    "points": lambda x: RosettaPoints(x, X[:, :2]),
    "latents": lambda x: RosettaPoints(X, x),
    "select_points": lambda x: select_points(x, X[:, :2], 5),
    "means": lambda x: select_points(X, x, 5),
    "alignment": lambda x: latent_space_distortion(x, X),
}
SPACE = fit(VAE.mlp(5, 2, (8,)), X, **SHORT)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: np.ma.masked_array(X, mask=X > 2), "has masked values in .* examples: drop them"),
        (lambda: X + 1j, "must be a numeric array, not complex128: pass real and imaginary"),
        (lambda: torch.tensor(X).to_sparse(), r"is a sparse tensor: pass .*\.to_dense"),
        (lambda: np.full((60, 5), "a"), "must be a numeric array, not <U1: convert it, as by"),
        (lambda: X.astype(object), "must be a numeric array, not object: convert it"),
        (lambda: X.astype("M8[s]"), r"must be a numeric array, not datetime64\[s\]"),
        (lambda: torch.tensor(X).to("meta"), "is a meta tensor, without values: pass one that"),
    ],
)
def test_what_is_no_plain_number_is_refused_at_every_door(way, made, message):
    if way == "decode" and "sparse" in message:
        return  # no part can be cut out of it
    with pytest.raises(ValueError, match=message):
        WAYS[way](made())


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16, torch.float64])
def test_tensors_of_any_float_and_with_gradients_are_taken_at_every_door(way, kind):
    WAYS[way](torch.tensor(X, dtype=kind, requires_grad=True))


LAYOUTS = {
    "big-endian": lambda x: x.astype(">f8"),
    "backwards": lambda x: x[::-1].copy()[::-1],
    "read-only": lambda x: np.frombuffer(x.tobytes()).reshape(x.shape),
    "columns first": np.asfortranarray,
    "a long double": lambda x: x.astype(np.longdouble),
    "a table": pd.DataFrame,
    "lists": lambda x: x.tolist(),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_numbers_are_the_same_however_they_lie_in_memory(way, layout):
    if (way, layout) in {("decode", "a table"), ("decode", "lists")}:
        made = SPACE.decode(LAYOUTS[layout](X[:, :2]))
    else:
        made = WAYS[way](LAYOUTS[layout](X))
    plain = WAYS[way](X)
    if way == "fit":
        made, plain = made.weights, plain.weights
    if isinstance(made, RosettaPoints):
        made, plain = np.hstack([made.x, made.z]), np.hstack([plain.x, plain.z])
    assert np.allclose(made, plain, atol=1e-6)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 1e400])
def test_latents_that_are_no_finite_numbers_are_not_decoded(wrong):
    z = np.where(X[:, :2] > 1, wrong, X[:, :2])
    for name, call in (("z", SPACE.decode), ("noise", SPACE.sample)):
        with pytest.raises(ValueError, match=f"{name} holds NaN or infinite values"):
            call(z)


def test_a_model_of_half_precision_is_trained_saved_and_resumed(tmp_path):
    model = VAE.mlp(5, 2, (8,)).bfloat16()
    options = dict(batch_size=20, checkpoint=tmp_path / "checkpoint.npz")
    space = fit(model, X, epochs=1, **options)
    space.save(tmp_path / "space.npz")
    assert Fit.load(tmp_path / "space.npz").weights.equal(space.weights.float())
    assert fit(model, X, epochs=1, **options).weights.equal(space.weights)
    assert select_points(X, space.encode(X)[0], 5).z.shape == (5, 2)


def test_tables_and_sparse_matrices_are_taken_or_refused_by_name():
    table = pd.DataFrame(X, columns=list("abcde"))
    assert np.array_equal(arrays.as_array("x", table), X)
    table["a"] = pd.array([1, None] * 30, dtype="Int64")
    assert np.isnan(arrays.as_array("x", table)[1, 0])
    table["b"] = "text"
    with pytest.raises(ValueError, match=r"x has columns that are no numbers \(b\): drop or"):
        arrays.as_array("x", table)
    with pytest.raises(ValueError, match=r"x is a sparse matrix: pass x.toarray\(\)"):
        arrays.as_array("x", csr_matrix(X))


@pytest.mark.parametrize("offset", [1e6, 1e8, 1e12])
def test_what_float32_cannot_tell_apart_is_refused(offset):
    shifted = X.copy()
    shifted[:, 3] += offset
    message = "x has values near .* that vary by only .*, which float32 cannot hold: subtract"
    for refused in (lambda: WAYS["fit"](shifted), lambda: WAYS["points"](shifted)):
        with pytest.raises(ValueError, match=message):
            refused()
    arrays.check_kept("x", X + 100)


def test_integers_that_float32_cannot_tell_apart_are_refused():
    times = 1_700_000_000_000 + np.arange(120).reshape(60, 2) * 1000
    for call in (lambda: RosettaPoints(times, X), lambda: select_points(times, X, 60)):
        with pytest.raises(ValueError, match="x has values near 1.7e.12 that vary by only"):
            call()
    assert np.array_equal(RosettaPoints(times - times.min(), X).x, times - times.min())


def test_a_feature_that_is_constant_to_rounding_is_no_loss():
    constant = np.column_stack([X, np.full(60, 0.1) * np.linspace(1, 1 + 1e-15, 60)])
    arrays.check_kept("x", constant)
    arrays.check_kept("z", np.column_stack([X, 0.5 + 1e-9 * X[:, 0]]))  # a latent that is not used


def test_values_beyond_float32_are_refused_and_named():
    with pytest.raises(ValueError, match=r"x has values up to 1e\+39, which do not fit float32"):
        arrays.as_float32("x", np.array([[1e39, 1.0]]))
    with pytest.raises(ValueError, match="which do not fit torch.float32: divide them"):
        SPACE.encode(np.full((2, 5), 1e39))


def test_units_far_from_one_are_told():
    model = VAE.mlp(5, 2, (8,), noise_variance=1e6)
    message = (
        "root mean square of the data is 5.1e-05, too far from 1 to train on: subtract the mean"
    )
    with pytest.warns(UserWarning, match=message):
        fit(model, X * 5e-5, **SHORT)
    assert arrays.unsuitable_units(np.zeros((3, 2))) is None


def test_labels_of_several_forms_are_one():
    forms = [[1, 2], [1.0, 2.0], ["1", "2"], [b"1", b"2"], np.array([1, 2], np.uint8)]
    forms += [np.array([True, 2.0], object), torch.tensor([1, 2]).bfloat16(), pd.Series([1.0, 2])]
    assert {tuple(arrays.as_labels("labels", form)) for form in forms} == {("1", "2")}
    assert arrays.as_labels("labels", ["A\u0308"])[0] == arrays.as_labels("labels", ["\u00c4"])[0]
    with pytest.raises(ValueError, match="ids has missing names: name every one, or leave ids out"):
        RosettaPoints(X[:2], X[:2], ids=["a", None])
    masked = np.ma.masked_array([1, 2], mask=[0, 1])
    for missing in ([1.0, np.nan], pd.Series(["a", pd.NA]), pd.to_datetime(["2020", None]), masked):
        with pytest.raises(ValueError, match="labels has missing names: name every one"):
            arrays.as_labels("labels", missing)
    assert len(set(arrays.as_labels("labels", [1e300, 2e300, np.inf, -np.inf, "nan"]))) == 5
    assert RosettaPoints(X[:2], X[:2], ids=[b"\xc3\xa4", 7]).ids.tolist() == ["ä", "7"]


def test_a_layer_under_two_names_and_frozen_weights_are_refused():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(5, 5)
            self.b = self.a

        def forward(self, x):
            return self.b(self.a(x).relu())

    sizes = dict(data_shape=(5,), feature_dim=5, latent_dim=2)
    with pytest.raises(ValueError, match=r"layer encoder\.b is encoder\.a: use it under one name"):
        fit(VAE(Twice(), nn.Linear(2, 5), **sizes), X, **SHORT)
    model = VAE(nn.Linear(5, 5), nn.Linear(2, 5), **sizes)
    model.encoder.weight.requires_grad_(False)
    with pytest.raises(ValueError, match=r"encoder\.weight is frozen, but every replica draws"):
        fit(model, X, **SHORT)


def test_gradients_that_a_notebook_switched_off_do_not_matter():
    with torch.no_grad():
        WAYS["fit"](X)
    with torch.inference_mode(), pytest.raises(ValueError, match="call fit outside of torch.inf"):
        WAYS["fit"](X)


@pytest.mark.parametrize("device", ["cuda:7", "nonsense", 3.5])
def test_a_device_that_is_not_there_is_refused(device):
    with pytest.raises(ValueError, match=r"device=.* cannot be used: leave device out"):
        fit(VAE.mlp(5, 2, (8,)), X, device=device, **SHORT)


def test_a_seed_of_any_size_chooses_points():
    assert len(select_points(X, X[:, :2], 5, seed=2**33)) == 5
    with pytest.raises(ValueError, match="seed must be a non-negative integer, not -1"):
        select_points(X, X[:, :2], 5, seed=-1)


@pytest.mark.filterwarnings("ignore::rvae_lite.anchors.PointsNotReached")
def test_numpy_scalars_are_numbers():
    x = toy_data().float()
    options = dict(rho=np.float32(1), beta=np.float64(1), seed=np.int64(2), **SHORT)
    fit(VAE.mlp(5, 2, (8,)), x, points=toy_points(x), learning_rate=np.float32(1e-3), **options)


# Examples looked at piece by piece


@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32, np.float64, np.int32])
def test_measures_of_pieces_are_those_of_the_whole(monkeypatch, dtype):
    x = np.random.default_rng(0).uniform(0, 200, (37, 3, 2)).astype(dtype)
    whole = arrays.root_mean_square(x), arrays.variances(x)
    monkeypatch.setattr(arrays, "PIECE", 30)
    assert len(list(arrays.pieces(x))) == 8
    values = x.astype(np.float64) / (255 if dtype == np.uint8 else 1)
    assert arrays.root_mean_square(x) == pytest.approx(np.sqrt(np.square(values).mean()), rel=1e-6)
    assert np.allclose(arrays.variances(x[:10], x[10:]), values.var(0), rtol=1e-6)
    assert arrays.root_mean_square(x) == pytest.approx(whole[0], rel=1e-6)
    assert np.allclose(arrays.variances(x), whole[1], rtol=1e-6)


@pytest.mark.parametrize("mode", ["r", "c", "r+"])
def test_a_mapped_file_that_is_let_go_keeps_its_numbers(tmp_path, mode):
    np.save(tmp_path / "x.npy", np.arange(20000.0).reshape(100, 200))
    x = np.load(tmp_path / "x.npy", mmap_mode=mode)
    if mode != "r":
        x[3] = -1.0
    expected = np.array(x)
    for view in (x, x[:, None], x[5:].reshape(95, 10, 20)):
        arrays.let_go(view)
    assert (x == expected).all()
    arrays.let_go(expected)  # no file


def test_nan_is_found_in_any_piece(monkeypatch):
    monkeypatch.setattr(arrays, "PIECE", 4)
    x = np.zeros((10, 2))
    x[[4, 9]] = np.nan
    with pytest.raises(ValueError, match="x has NaN or infinite values in 2 examples, first in 4"):
        arrays.check_finite("x", x)


def test_whole_numbers_are_finite_without_an_array_of_answers(monkeypatch):
    monkeypatch.setattr(np, "isfinite", None)
    arrays.check_finite("x", np.zeros((3, 2), np.uint8))
    with pytest.raises(TypeError):
        arrays.check_finite("x", np.zeros((3, 2)))
