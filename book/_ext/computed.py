"""Numbers of the front page, computed from results/*.csv whenever the page is read.

A page says {computed}`KEY` where a number of STATEMENTS stands.  The build stops, in one sentence,
where its table is absent, does not hold it, or holds a number that makes the page's words false.
"""

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sphinx.errors import ExtensionError

MARK = re.compile(r"\{computed\}`([^`]*)`")
MNIST, TOY, FINCHES = "MNIST", "8 Gaussians", "zebra finches"


class Statement(NamedTuple):
    """A number that a page states.

    Attributes:
        table: the table in results/ that it is read off.
        value: the function of that table, as a pandas DataFrame, that is the number.
        form: how it is written.
        above, below: what makes the page's words true: a number, or the key of another statement.
    """

    table: str
    value: Callable
    form: str = "{:.2g}"
    above: float | str | None = None
    below: float | str | None = None


# ---------------------------------------------------------------- quantities


def nearest(column: str, data: str = MNIST) -> Callable:
    """Distance of the best of a kind to the first laboratory's map, a share of its variance."""
    from rvae_lite.studies import fair_rivals

    return lambda own: fair_rivals.nearest_of(own).loc[data, column]


def rival(name: str, metric: str, *, maps: bool = False, data: str = MNIST) -> Callable:
    """A median over runs and templates of one rival, or of the best of the maps behind it."""
    from rvae_lite import rivals
    from rvae_lite.studies import fair_rivals

    names = [f"{name}, {each}" for each in rivals.MAPS] if maps else [name]
    return lambda own: fair_rivals.medians(own, metric).reindex(names)[data].min()


def at_length(method: str, mapping: str) -> Callable:
    """The distance to the first laboratory's map of one method behind one map."""
    from rvae_lite.studies.rival_rows import in_alices_space

    return lambda own: in_alices_space(own[own.recipe == "rivals"]).distance[method, mapping]


def percent(value: Callable) -> Callable:
    return lambda own: 100 * value(own)


def data_sets(own) -> int:
    """How many data sets a table has."""
    return own["data"].nunique()


def wins(one: str, other: str) -> Callable:
    """On how many data sets one kind of rival is nearer than another."""
    from rvae_lite.studies import fair_rivals

    def count(own):
        near = fair_rivals.nearest_of(own)
        return (near[one] < near[other]).sum()

    return count


def squared_error(choose: Callable) -> Callable:
    """Squared error with decoded targets, a multiple of the VAE's: the `choose` over data sets."""
    from rvae_lite.studies import decoder_targets
    from rvae_lite.studies.rivals_setup import OURS

    return lambda own: choose(decoder_targets.excess(own)["squared error, ratio"][OURS])


def raw_inputs(own) -> float:
    """What the paper's targets add to the toy's squared error, per cent."""
    from rvae_lite.studies import decoder_targets

    ratio = decoder_targets.excess(own)["squared error, ratio"]["R-VAE"]
    return 100 * (ratio[TOY] - 1)


def spaces_apart(method: str) -> Callable:
    """Latent space distortion on the second laboratory's data, with 8 points of the first."""

    def value(own):
        chosen = (own.recipe == "sequential") & (own.metric == "lsd") & (own.part == "D2")
        chosen &= (own.num_points == 8) & (own.points_from == "first") & (own.method == method)
        return own[chosen].value.median()

    return value


def one_for_ten(column: str, *, network: str = "cnn", method: str = "MR-VAE") -> Callable:
    """One multi-rate training beside ten annealed ones on binary MNIST."""
    from rvae_lite.studies import over_beta_tables

    data = "static binary MNIST"
    return lambda own: over_beta_tables.excesses(own, [method]).loc[(method, data, network), column]


def linear_gap(own) -> float:
    """The worst loss of a linear multi-rate training above the optimum, per cent."""
    from rvae_lite.studies import linear_multirate

    return 100 * linear_multirate.gaps(own)["max"]["sampled"]


def held(method: str, data: str) -> Callable:
    """The distance to a multi-rate template, per cent of its variance, the median over betas."""
    from rvae_lite.studies import one_space

    return lambda own: 100 * one_space.typical(own, "unaligned")[method].loc[data].median()


def scale(column: str, data: str = MNIST) -> Callable:
    """The one value of a column on the rows of a data set."""

    def value(own):
        found = own[own["data"] == data][column].dropna().unique()
        return found.item()

    return value


# ---------------------------------------------------------------- statements

OURS, BOTH, MAPPED = "R-VAE, decoded targets", "its best map", "the best map"
MR, PAPER = "MR-VAE", "MR-VAE, paper's gates"


@functools.cache
def statements() -> dict[str, Statement]:
    """Key -> what a page states."""
    near, targets, toy = "fair_rivals", "decoder_targets", "eight_gaussians"
    long = "mnist_full_length"
    rates, linear, space = "multi_rate", "linear_multirate", "one_space"
    whole, nats, shares = "{:,.0f}", "{:.1f}", "{:.1f}\u00a0%"
    scatter = functools.partial(rival, metric="within_fraction")
    return {
        "images": Statement(near, scale("num_data"), whole, below=60_000),
        "epochs": Statement(near, scale("epochs"), whole, below=200),
        "points": Statement(near, scale("num_points"), whole, below=100),
        "trainings": Statement(near, scale("replicas"), whole, above=9, below=11),
        "seeds": Statement(rates, one_for_ten("seeds"), whole, above=2, below=4),
        # How near: the mapped VAE is nearer than the anchored one, both together nearer still.
        "distance-vae": Statement(near, rival("VAE", "distance"), above=1),
        "distance-mnist": Statement(near, nearest(OURS), above="distance-mapped", below=0.2),
        "distance-paper": Statement(near, nearest("R-VAE"), above="distance-mnist", below=0.2),
        "distance-mapped": Statement(near, nearest(MAPPED), above="distance-both"),
        "distance-both": Statement(near, nearest(BOTH), above="distance-regression"),
        "distance-regression": Statement(near, nearest("regression")),
        # The same at the paper's scale: all farther, and both together hardly nearer than the map.
        "long-images": Statement(long, scale("num_data"), whole, above=69_999, below=70_001),
        "long-epochs": Statement(long, scale("epochs"), whole, above=199, below=201),
        "long-anchored": Statement(long, at_length("R-VAE", "as it is"), above="distance-paper"),
        "long-mapped": Statement(
            long, at_length("VAE", "smooth"), above="distance-mapped", below="long-anchored"
        ),
        "long-both": Statement(long, at_length("R-VAE", "smooth"), above=0.2, below="long-mapped"),
        # How much of where a digit lies is the training's doing.
        "scatter-vae": Statement(near, percent(scatter("VAE")), "{:.0f}\u00a0%", above=90),
        "scatter-mnist": Statement(near, percent(scatter(OURS)), shares, above="scatter-mapped"),
        "scatter-mapped": Statement(
            near, percent(scatter("VAE", maps=True)), shares, above="scatter-both"
        ),
        "scatter-both": Statement(near, percent(scatter(OURS, maps=True)), shares, below=2),
        # One training against ten: ahead in the best -ELBO, behind at a given beta.
        "excess-mnist": Statement(rates, one_for_ten("mean"), nats, above=0, below="excess-paper"),
        "excess-paper": Statement(rates, one_for_ten("mean", method=PAPER), nats),
        "elbo-one": Statement(rates, one_for_ten("elbo"), nats, below="elbo-ten"),
        "elbo-ten": Statement(rates, one_for_ten("theirs"), nats),
        "elbo-one-residual": Statement(
            rates, one_for_ten("elbo", network="resnet"), nats, above="elbo-ten-residual"
        ),
        "elbo-ten-residual": Statement(rates, one_for_ten("theirs", network="resnet"), nats),
        # What we found.
        "sets": Statement(near, data_sets, whole, above=5, below=7),
        "maps-win": Statement(near, wins(MAPPED, OURS), whole, above=3, below=6),
        "both-win": Statement(near, wins(BOTH, MAPPED), whole, above=4, below=6),
        "error-least": Statement(targets, squared_error(min), "{:.2f}", below=1),
        "error-most": Statement(targets, squared_error(max), "{:.2f}", above=1, below=1.05),
        "error-raw": Statement(targets, raw_inputs, "{:.0f}\u00a0%", above=50),
        "lsd-shown": Statement(toy, spaces_apart("VAE, anchors repeated"), below="lsd-anchored"),
        "lsd-anchored": Statement(toy, spaces_apart("R-VAE"), below="lsd-vae"),
        "lsd-vae": Statement(toy, spaces_apart("VAE")),
        "linear-gap": Statement(linear, linear_gap, "{:.2g}\u00a0%", below=1),
        "curves-mnist": Statement(space, held("curves", MNIST), shares, below="plain-mnist"),
        "plain-mnist": Statement(space, held("plain points", MNIST), shares, below=20),
        "free-mnist": Statement(space, held(MR, MNIST), "{:.0f}\u00a0%", above=100),
        "curves-finches": Statement(space, held("curves", FINCHES), shares, above="plain-finches"),
        "plain-finches": Statement(space, held("plain points", FINCHES), shares),
    }


@functools.lru_cache(maxsize=8)
def rows_of(path: Path, changed: int):
    """A table of results/, as it was when its file had changed last."""
    from rvae_lite.studies.study import read_rows

    return read_rows(path)


@functools.cache
def number(key: str) -> float:
    """The number of a statement, read off its table."""
    from rvae_lite.studies.study import results_folder

    table, value = statements()[key][:2]
    path = results_folder() / f"{table}.csv"
    if not path.is_file():
        raise ExtensionError(f"results/{table}.csv is absent, which {key!r} needs")
    try:
        found = float(value(rows_of(path, path.stat().st_mtime_ns)))
    except (KeyError, ValueError, AttributeError, IndexError) as problem:
        told = f"results/{table}.csv does not hold what {key!r} needs"
        raise ExtensionError(f"{told} ({type(problem).__name__}: {problem})") from problem
    if not np.isfinite(found):
        raise ExtensionError(f"results/{table}.csv does not hold what {key!r} needs: it is {found}")
    return found


def written(key: str) -> str:
    """A statement's number as the page shows it.

    Raises:
        ExtensionError: no such statement, no such number, or one that makes the page's words false.
    """
    if key not in statements():
        raise ExtensionError(f"no number is called {key!r}: there are {', '.join(statements())}")
    _, _, form, above, below = statements()[key]
    found = number(key)
    for word, bound, sign in (("above", above, 1), ("below", below, -1)):
        limit = number(bound) if isinstance(bound, str) else bound
        if limit is not None and not sign * (found - limit) > 0:
            named = f"{bound!r}, {limit:.4g}" if isinstance(bound, str) else f"{limit:.4g}"
            said = f"{key!r} is {found:.4g}, and the page says that it is {word} {named}"
            raise ExtensionError(f"{said}: rewrite the page, or its bound in book/_ext/computed.py")
    return form.format(found)


def fill(app, docname, source) -> None:
    """Put the numbers in the places of their marks, and read the page again when they change."""
    if docname.startswith("notebooks/") or not MARK.search(source[0]):
        return
    from rvae_lite.studies.study import FOLDER, results_folder

    for path in [Path(__file__), *results_folder().glob("*.csv"), *FOLDER.glob("*.py")]:
        app.env.note_dependency(str(path))
    number.cache_clear()
    try:
        source[0] = MARK.sub(lambda found: written(found[1]), source[0])
    except ExtensionError as error:
        raise ExtensionError(f"{docname}: {error}") from error


def setup(app) -> dict:
    app.connect("source-read", fill)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
