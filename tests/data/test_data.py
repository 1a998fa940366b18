"""Loading by name: options, subsets, and the split into training and validation."""

import numpy as np
import pytest

from rvae_lite import data


@pytest.mark.parametrize("name", ["eight_gaussians", "digits", "procedural_chairs"])
def test_data_sets_carry_unique_ids_and_their_provenance(name):
    dataset = data.load(name)
    assert len(set(dataset.ids)) == len(dataset.x) == len(dataset.labels) == len(dataset.part)
    assert dataset.info["name"] == name
    assert {"title", "source", "licence", "value_range"} <= set(dataset.info)
    if dataset.info["value_range"] is not None:
        low, high = np.array(dataset.info["value_range"]) * (
            255 if dataset.x.dtype == np.uint8 else 1
        )
        assert low <= dataset.x.min() and dataset.x.max() <= high


def test_num_examples_draws_a_random_subset_without_replacement_by_seed():
    everything = data.load("digits")
    subset, again = (
        data.load("digits", num_examples=100, seed=1),
        data.load("digits", num_examples=100, seed=1),
    )
    other = data.load("digits", num_examples=100, seed=2)
    assert len(set(subset.ids)) == len(subset.x) == 100
    assert np.array_equal(subset.ids, again.ids)
    assert not np.array_equal(subset.ids, other.ids)
    position = {name: i for i, name in enumerate(everything.ids)}
    rows = [position[name] for name in subset.ids]
    assert np.array_equal(subset.x, everything.x[rows])
    assert np.array_equal(subset.labels, everything.labels[rows])
    assert np.array_equal(data.load("digits", num_examples=1797).x, everything.x)


@pytest.mark.parametrize("num_examples", [0, -1, 1798])
def test_num_examples_out_of_range_is_refused(num_examples):
    with pytest.raises(
        ValueError, match=f"num_examples must be between 1 and 1797 for digits, not {num_examples}"
    ):
        data.load("digits", num_examples=num_examples)


@pytest.mark.parametrize("value", [5.0, "5", True, np.float32(5), [5]])
def test_counts_and_seeds_that_are_no_integers_are_refused(value):
    with pytest.raises(ValueError, match="num_examples must be an integer, not "):
        data.load("digits", num_examples=value)
    with pytest.raises(ValueError, match="seed must be an integer, not "):
        data.load("digits", seed=value)


def test_integers_of_numpy_are_integers():
    one, other = data.load("digits", num_examples=np.int64(5), seed=np.uint8(3)), 5
    assert np.array_equal(one.ids, data.load("digits", num_examples=other, seed=3).ids)
    with pytest.raises(ValueError, match="seed must be at least 0, not -1"):
        data.load("digits", seed=-1)
    for name in (3, None, ["digits"]):
        with pytest.raises(ValueError, match="name must be one of"):
            data.load(name)


def test_an_unknown_name_names_the_known_ones():
    known = r"\[.*'digits', .*'eight_gaussians'.*'mnist'.*\]"
    with pytest.raises(ValueError, match=f"name must be one of {known}, not 'cats'"):
        data.load("cats")


def test_take_keeps_the_fields_together():
    dataset = data.load("digits")
    zeros = dataset.take(dataset.labels == 0)
    assert set(zeros.labels) == {0}
    assert len(zeros.x) == len(zeros.ids) == len(zeros.part) == (dataset.labels == 0).sum()
    assert dataset.take(slice(3)).ids.tolist() == dataset.take([0, 1, 2]).ids.tolist()


@pytest.mark.parametrize("train_fraction", [0.6, 0.25])
def test_the_split_is_taken_inside_each_part(train_fraction):
    dataset = data.load("digits")
    train = data.split(dataset, train_fraction=train_fraction, seed=1)
    for part in (1, 2):
        members = dataset.part == part
        assert train[members].sum() == round(train_fraction * members.sum())
    assert np.array_equal(train, data.split(dataset, train_fraction=train_fraction, seed=1))
    assert not np.array_equal(train, data.split(dataset, train_fraction=train_fraction, seed=2))


def test_the_split_is_60_to_40_by_default():
    dataset = data.load("eight_gaussians")
    train = data.split(dataset)
    assert [train[dataset.part == part].mean() for part in (1, 2)] == [0.6, 0.6]


@pytest.mark.parametrize("train_fraction", [0, 1, 1.5, -0.1])
def test_an_impossible_split_is_refused(train_fraction):
    with pytest.raises(ValueError, match="train_fraction must be between 0 and 1"):
        data.split(data.load("digits"), train_fraction=train_fraction)


def test_an_unknown_option_names_the_known_ones():
    with pytest.raises(ValueError, match="digits takes no option 'partition': it takes none"):
        data.load("digits", partition="model")
    known = "num_designs, partition, views_per_design"
    with pytest.raises(
        ValueError, match=f"procedural_chairs takes no option 'views': it takes {known}"
    ):
        data.load("procedural_chairs", views=3)
    with pytest.raises(
        ValueError, match="chairs takes no option 'num_designs': it takes on_corrupt, partition"
    ):
        data.load("chairs", num_designs=3)


@pytest.mark.parametrize(
    ("name", "option", "value", "message"),
    [
        ("procedural_chairs", "num_designs", 2.5, "num_designs must be an integer, not 2.5"),
        (
            "procedural_chairs",
            "views_per_design",
            "4",
            "views_per_design must be an integer, not '4'",
        ),
        ("procedural_chairs", "partition", ["model"], r"partition must be text, not \['model'\]"),
        ("grammar_sentences", "num_train", True, "num_train must be an integer, not True"),
        ("binary_digits", "threshold", "0.5", "threshold must be a number, not '0.5'"),
        ("eight_gaussians", "num_per_class", 0, "num_per_class must be positive, not 0"),
        ("eight_gaussians", "num_per_class", "8", "num_per_class must be an integer, not '8'"),
    ],
)
def test_options_of_another_type_are_refused(name, option, value, message):
    with pytest.raises(ValueError, match=message):
        data.load(name, **{option: value})


def test_an_option_reaches_its_loader():
    assert len(data.load("eight_gaussians", num_per_class=10).x) == 80
