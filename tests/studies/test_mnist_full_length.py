"""MNIST at the paper's length: its units, and the committed rows."""

from types import SimpleNamespace

from rvae_lite.studies import mnist_full_length
from rvae_lite.studies.mnist_full_length import METHODS, study
from rvae_lite.studies.rival_rows import in_alices_space
from rvae_lite.studies.study import load_results


def test_there_is_a_unit_per_protocol_and_method_of_the_papers_length(monkeypatch):
    seen = []

    def protocol(setup, template):
        seen.append(setup)
        return SimpleNamespace(first=None)

    protocols = dict.fromkeys(mnist_full_length.PROTOCOLS, protocol)
    monkeypatch.setattr(mnist_full_length, "PROTOCOLS", protocols)
    monkeypatch.setattr(
        mnist_full_length, "image_setup", lambda name, R, **options: (name, R, options)
    )
    cells = study.cells("cpu")
    assert len(cells) == 2 * len(METHODS)
    for cell in cells.values():
        study.run("cpu", cell)
    for name, num_points, options in seen:
        assert (name, num_points, options["epochs"]) == ("mnist", 64, 200)
        assert len(options["methods"]) == 1 and "num_examples" not in options
        assert options["network"] == options["columns"]["network"] == "patch"


def test_the_committed_rows_are_of_all_images_and_the_papers_epochs():
    own = load_results("mnist_full_length")
    assert set(own.num_data) == {70_000} and set(own.epochs) == {200}
    assert set(own.replicas) == {10} and set(own.network) == {"patch"}


def test_every_method_stands_beside_its_maps_and_the_regression():
    own = load_results("mnist_full_length")
    found = in_alices_space(own[own.recipe == "rivals"])
    for method in ("VAE", "R-VAE"):
        assert {"as it is", "rotation", "ridge affine", "smooth"} <= set(found.loc[method].index)
    assert list(found.loc["regression on the points"].index) == ["as it is"]
    assert (found["her decoder"] > 1).all() and not found.isna().any(axis=None)
