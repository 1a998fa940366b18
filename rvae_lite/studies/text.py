"""Texts: one training against one per beta, measured on fresh sentences.

Bae et al. (2023), Section 5.2 and Figure 5, after He et al. (2019).  Nats per sentence, summed over
its tokens; the loss is distortion + beta * rate.
Letters: N sentences, K latent dimension, T time, S samples.
"""

import math
from functools import partial
from itertools import product
from typing import NamedTuple

import numpy as np
import torch

from rvae_lite.data import Dataset, load
from rvae_lite.fitted import Fit
from rvae_lite.metrics import active_units
from rvae_lite.models.lengths import trim
from rvae_lite.multirate import BETA_RANGE
from rvae_lite.reporting import figures
from rvae_lite.studies.over_beta import ANNEALED, PLAIN, curve_of, over_beta, plain_fits
from rvae_lite.studies.over_beta_tables import competitive
from rvae_lite.studies.setup import BETAS, PAPER_GATES, Result, Setup
from rvae_lite.studies.study import Study
from rvae_lite.text.grammar import Grammar, everyday
from rvae_lite.text.model import TextVAE
from rvae_lite.text.vocabulary import Vocabulary, buckets, lengths

BUCKET = 512  # sentences measured at once
COLLAPSED = 0.1  # nats of rate below which a model says nothing about its sentence
MULTI = {"MR-VAE": PAPER_GATES, "MR-VAE, annealed": PAPER_GATES._replace(anneal=0.3)}
METHODS = MULTI | PLAIN | ANNEALED
LONGER = {"MR-VAE, 4 times as long": PAPER_GATES._replace(longer=4)}
NETWORK = dict(latent_dim=16, embedding_dim=32, hidden_dim=64, word_dropout=0.0, by_length=False)
FEW = dict(loading=dict(num_train=2000, num_test=500), epochs=4)
MANY = dict(loading=dict(num_train=8000, num_test=1000), epochs=10)
# Texts of up to 50 words, a third of those that a part of the set has; 1,200 steps.
BRIEF = dict(loading=dict(max_words=50, on_long="skip", max_vocabulary=2000), epochs=12)
BRIEF.update(batch_size=32, by_length=True)
# The paper's network and batch; K and the data are those of He et al. (2019).
YAHOO = dict(embedding_dim=256, hidden_dim=256, latent_dim=32, batch_size=32, by_length=True)
YAHOO.update(learning_rate=1e-3, epochs=200, betas=BETAS)
CPU = dict(grammar_sentences=dict(MANY, methods=METHODS | LONGER), yahoo_part=BRIEF)
study = Study(
    "text",
    reproduces="Figure 5, text: sentences of a grammar, and a part of the Yahoo answers",
    chapter="27_text",
    minutes=dict(cpu=120),
    profiles=dict(
        quick=dict(seeds=1, sets=dict(grammar_sentences=dict(FEW, replicas=1))),
        cpu=dict(seeds=3, sets=CPU),
        paper=dict(seeds=3, sets=dict(yahoo=YAHOO)),
    ),
)
study.grid(lambda profile: product(profile.sets, range(profile.seeds)))


@study.unit
def unit(profile, data, seed, keep):
    """Every method on one data set with one seed."""
    setup = text_setup(data, keep=keep and keep / data, progress=True, **profile.sets[data])
    return text_over_beta(setup, seed=seed)


def text_setup(name: str = "grammar_sentences", *, loading: dict | None = None, **changes) -> Setup:
    """Texts and a `TextVAE`.

    Args:
        name: "grammar_sentences", "yahoo" or "yahoo_part".
        loading: options of `data.load`.
        changes: other fields of `Setup`, and those of the model: latent_dim, embedding_dim,
            hidden_dim, word_dropout, by_length.
    """
    return setup_of(load(name, **loading or {}), **changes)


def setup_of(dataset: Dataset, **changes) -> Setup:
    """The same for texts of one's own, as from `reading.dataset_of`."""
    network = {key: changes.pop(key, value) for key, value in NETWORK.items()}
    info, length = dataset.info, dataset.x.shape[1]
    model = TextVAE(num_tokens=len(info["vocabulary"]), length=length, **network)
    base = Setup(dataset, model, 12, 64, METHODS, learning_rate=1e-2, cosine=True, replicas=3)
    betas, columns = tuple(np.geomspace(*BETA_RANGE, 4)), dict(entropy=info.get("entropy"))
    base = base._replace(betas=betas, columns=columns | network, compile=False)
    return base._replace(**changes)


def text_over_beta(setup: Setup, *, seed: int = 0) -> Result:
    """Train every method with one seed and measure its curve on the test sentences.

    Metrics by beta: those of `measure_texts`; others as in `over_beta`.  The column `entropy` is
    empty where it is unknown.

    Args:
        setup: data, model, methods, as from `text_setup`.
        seed: of all trainings.
    """
    exact, info = {}, setup.dataset.info
    if info["name"] == "grammar_sentences":
        exact = dict(grammar=everyday(), vocabulary=Vocabulary(info["vocabulary"]))
    return over_beta(setup, seeds=[seed], measure=partial(measure_texts, **exact))


class Bounds(NamedTuple):
    """What a model says about N sentences, each (N,) float64, nats.

    distortion, rate: from one posterior sample.
    importance: the importance-weighted bound of -log p(x), or None without samples.
    """

    distortion: np.ndarray
    rate: np.ndarray
    importance: np.ndarray | None = None


def bounds(model: TextVAE, tokens, *, seed: int = 0, num_samples: int = 0) -> Bounds:
    """Distortion and rate of every sentence (N, T) under a plain model.

    Sentences of similar length go together, which saves padding.

    Args:
        model, tokens, seed: the model, the sentences, and the seed of the posterior samples.
        num_samples: S of the importance-weighted bound; 0 leaves it out.
    """
    tokens, random = torch.as_tensor(tokens), torch.Generator().manual_seed(seed)
    like = next(model.parameters())
    shape = (1 + num_samples, len(tokens), model.latent_dim)
    noise = torch.randn(shape, generator=random, dtype=like.dtype)
    found = np.empty((3 if num_samples else 2, len(tokens)))
    with torch.no_grad():
        for group in buckets(tokens, size=BUCKET):
            x, own = trim(tokens[group]).to(like.device), noise[:, group].to(like.device)
            posterior = model.encode(x)
            terms = [model.distortion(x, posterior.sample(own[0])), posterior.kl_divergence()]
            terms += [model.importance_bound(x, own[1:])] if num_samples else []
            found[:, group] = torch.stack(terms).double().cpu().numpy()
    return Bounds(*found)


def perplexity(nats, tokens) -> float:
    """exp(total nats / total tokens): of nats (N,) and tokens (N, T), end tokens counted."""
    return float(np.exp(np.sum(nats) / lengths(tokens).sum()))


def measure_texts(
    trained: Fit, tokens, betas=None, *, grammar: Grammar | None = None, vocabulary=None
):
    """A rate-distortion curve's points on sentences (N, T): a pandas DataFrame, a row per beta.

    Args:
        trained: one multi-rate replica, or plain ones, one for each beta.
        tokens: (N, T).
        betas: where a multi-rate one is read off.
        grammar, vocabulary: the sentences' own, if known.

    Returns:
        Columns beta, rate, distortion, loss, negative_elbo (rate + distortion) and its standard
        error, perplexity, active_units, words (share of the tokens that the reconstruction of the
        mean gets right); with a grammar excess, the mean of rate + distortion + log p(x), at least
        0 in expectation, and its standard error.
    """
    import pandas as pd

    surprise, tokens = None, np.asarray(tokens)
    if grammar is not None:
        surprise = -np.array([grammar.log_probability(text) for text in vocabulary.decode(tokens)])
    rows = [_point(piece, tokens, surprise) for piece in plain_fits(trained, betas)]
    return pd.DataFrame(rows).sort_values("beta", ignore_index=True)


def _point(piece: Fit, tokens: np.ndarray, surprise: np.ndarray | None) -> dict:
    beta, found = float(piece.beta[0]), bounds(piece.replica(0), tokens)
    rate, distortion = found.rate.mean(), found.distortion.mean()
    total, means = found.distortion + found.rate, piece.encode(tokens)[0]
    row = dict(beta=beta, rate=rate, distortion=distortion, loss=distortion + beta * rate)
    row.update(negative_elbo=total.mean(), negative_elbo_error=_standard_error(total))
    row.update(perplexity=perplexity(total, tokens), active_units=active_units(means, axes=True))
    row["words"] = share_of_words(piece.decode(means)[0], tokens)
    if surprise is not None:
        above = total - surprise
        row.update(excess=above.mean(), excess_error=_standard_error(above))
    return row


def _standard_error(values: np.ndarray) -> float:
    return float(values.std(ddof=1) / math.sqrt(len(values)))


def share_of_words(written, tokens) -> float:
    """The share of tokens, end tokens counted, at the same place in what was written: (N, T)."""
    written, tokens = np.asarray(written), np.asarray(tokens)
    counted = tokens != 0
    return float((written == tokens)[counted].mean())


@study.table
def table(own, published):
    """Area and dominance of the multi-rate curves, median (IQR), with a verdict.

    The paper says "competitive", without a number: a dominance of a half agrees, in every seed.
    """
    own = _of_one_set(own)
    pairs = own[own.metric.isin(["area", "dominance"])]
    groups = pairs.groupby(["method", "against", "metric"]).value
    quartiles = groups.quantile([0.25, 0.5, 0.75]).unstack()
    middle, iqr = quartiles[0.5], quartiles[0.75] - quartiles[0.25]
    here = middle.map("{:.2f}".format) + iqr.map(" ({:.2f})".format)
    wide = here.unstack().rename(columns=dict(area="area, nats²"))
    shares = pairs[pairs.metric == "dominance"].groupby(["method", "against"]).value
    verdict = shares.agg(competitive)
    wide.insert(0, "paper, Figure 5", "competitive, no number")
    wide.columns.name = "median (IQR)"
    return wide.assign(verdict=verdict)


def _of_one_set(own):
    """The rows of the first set of texts; pass another one's rows to see those."""
    return own[own["data"] == own["data"].iloc[0]]


def points_of(own):
    """All metrics by beta: a row per method, seed and beta, a column per metric."""
    index = ["method", "seed", "beta"]
    rows = _of_one_set(own[own.beta.notna()])
    return rows.pivot_table(index=index, columns="metric", values="value")


@study.figure
def figure(own, axes=None):
    """Figure 5: the curves, above the exact bound if it is known, and the perplexity over beta."""
    from matplotlib.ticker import LogFormatter

    axes = figures.figure_row(2, width=3.6)[1] if axes is None else axes
    own = _of_one_set(own)
    found = {method: curve_of(own, method) for method in dict.fromkeys(own.method)}
    figures.plot_rate_distortion(found, ax=axes[0])
    if own.entropy.notna().all():
        entropy = own.entropy.iloc[0]
        axes[0].plot([0, entropy, 40], [entropy, 0, 0], color=figures.colour_of("exact"))
    lines = {name: (curve.beta, curve.perplexity) for name, curve in found.items()}
    label = "perplexity, upper bound\n(lower is better)"
    figures.plot_over_beta(lines, label=label, log=True, ax=axes[1])
    axes[1].yaxis.set(major_formatter=LogFormatter(), minor_formatter=LogFormatter())  # 70, 100
    return axes
