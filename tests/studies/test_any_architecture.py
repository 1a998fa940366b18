"""Any architecture: the committed table beside the paper's Table 10, and the second network."""

from rvae_lite.studies import any_architecture
from rvae_lite.studies.any_architecture import closeness
from rvae_lite.studies.study import load_results


def test_table_10_is_relative_to_the_same_architecture():
    own = load_results("any_architecture")
    for metric in ("LSD", "RV"):
        table = any_architecture.study.table(own, metric=metric)
        assert len(table) == 2 * 3 and "—" not in set(table.paper)
        assert set(table[table.method == "same architecture"].direction) == {"reference"}


def test_the_second_laboratory_has_the_other_network(monkeypatch):
    seen = []
    monkeypatch.setattr(any_architecture, "sequential", lambda setup, **_: seen.append(setup))
    for cell in any_architecture.study.cells("quick").values():
        any_architecture.study.run("quick", cell)
    blocks = [setup.second_model.config["blocks"] for setup in seen]
    assert blocks == [[0, 2, 0, 2], [0, 0, 0, 2], [0, 2, 1, 2]]
    assert {tuple(setup.model.config["blocks"]) for setup in seen} == {(0, 2, 0, 2)}
    assert [setup.columns["architecture"] for setup in seen] == [*any_architecture.ARCHITECTURES]


def test_no_committed_architecture_strays_beyond_half_of_the_variance():
    near = closeness(load_results("any_architecture"))
    assert len(near) == 3 and (near["unaligned_first", "D1"] < 0.5).all()
    assert set(near["r_squared"]) == {"D1", "D2"}
