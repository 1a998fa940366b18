"""The multi-rate paper's experiment on texts: one training against one per beta, measured on fresh sentences.

Bae et al. (2023), Section 5.2 and Figure 5, after He et al. (2019).  Nats per sentence, summed over its tokens; the
loss is distortion + beta * rate.  Letters: N sentences, K latent dimension, T time, S samples.
"""

import math
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from rvae_lite.data import Dataset, load
from rvae_lite.fitted import Fit
from rvae_lite.metrics import active_units
from rvae_lite.multirate import BETA_RANGE
from rvae_lite.studies import over_beta
from rvae_lite.studies.over_beta import LONGER, METHODS, RateSetting
from rvae_lite.text.grammar import Grammar, everyday
from rvae_lite.text.model import TextVAE
from rvae_lite.text.vocabulary import Vocabulary, buckets, lengths, trim

BUCKET = 512  # sentences measured at once
COLLAPSED = 0.1  # nats of rate below which a model says nothing about its sentence


class Bounds(NamedTuple):
    """What a model says about N sentences, each (N,) float64, nats.

    distortion, rate: from one posterior sample.
    importance: the importance-weighted bound of -log p(x), or None where no samples were asked for.
    """

    distortion: np.ndarray
    rate: np.ndarray
    importance: np.ndarray | None = None


class Study(NamedTuple):
    """What `text_study` returns.

    table: the tidy results, a pandas DataFrame.
    fits: method -> its Fit.
    """

    table: object
    fits: dict[str, Fit]


def bounds(model: TextVAE, tokens, *, seed: int = 0, num_samples: int = 0) -> Bounds:
    """Distortion and rate of every sentence, in groups of similar length, which saves the padding.

    Args:
        model: a trained model, as from `fit(...).replica(m)` or `fit(...).at_beta(beta).replica(m)`.
        tokens: (N, T).
        seed: of the posterior samples.
        num_samples: S of the importance-weighted bound; 0 leaves it out.
    """
    tokens, random = torch.as_tensor(tokens), torch.Generator().manual_seed(seed)
    like = next(model.parameters())
    noise = torch.randn(
        (1 + num_samples, len(tokens), model.latent_dim), generator=random, dtype=like.dtype
    )
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
    """exp(total nats / total tokens): of nats per sentence (N,) and tokens (N, T), end tokens counted.

    With nats = distortion + rate it is an upper bound of the model's perplexity, for the true -log p(x) is lower.
    """
    return float(np.exp(np.sum(nats) / lengths(tokens).sum()))


def measure_texts(
    trained: Fit, tokens, *, betas=None, grammar: Grammar | None = None, vocabulary=None
):
    """A curve's points on sentences (N, T): a pandas DataFrame, a row per beta.

    Args:
        trained: one multi-rate replica, or plain ones, one for each beta.
        tokens: (N, T).
        betas: where a multi-rate one is read off.
        grammar, vocabulary: the sentences' own, if known: then there are `excess` and its standard error.

    Returns:
        Columns beta, rate, distortion, loss, negative_elbo (rate + distortion) and its standard error, perplexity,
        active_units, words (share of the tokens that the reconstruction of the mean gets right); with a grammar
        excess: the mean of rate + distortion + log p(x), which is at least 0 in expectation.
    """
    import pandas as pd

    pieces = [trained.select([m]) for m in range(len(trained))]
    if betas is not None:
        pieces = [trained.at_beta(float(beta)) for beta in betas]
    surprise = None
    if grammar is not None:
        surprise = -np.array([grammar.log_probability(text) for text in vocabulary.decode(tokens)])
    rows = [_point(piece, np.asarray(tokens), surprise) for piece in pieces]
    return pd.DataFrame(rows).sort_values("beta", ignore_index=True)


def _point(piece: Fit, tokens: np.ndarray, surprise: np.ndarray | None) -> dict:
    beta, model = float(piece.beta[0]), piece.replica(0)
    found = bounds(model, tokens)
    total = found.distortion + found.rate
    means = piece.encode(tokens)[0]
    row = dict(
        beta=beta,
        rate=found.rate.mean(),
        distortion=found.distortion.mean(),
        negative_elbo=total.mean(),
    )
    row |= dict(
        loss=row["distortion"] + beta * row["rate"], negative_elbo_error=_standard_error(total)
    )
    row |= dict(perplexity=perplexity(total, tokens), active_units=active_units(means, axes=True))
    row["words"] = share_of_words(piece.decode(means)[0], tokens)
    if surprise is not None:
        row |= dict(
            excess=(total - surprise).mean(), excess_error=_standard_error(total - surprise)
        )
    return row


def _standard_error(values: np.ndarray) -> float:
    return float(values.std(ddof=1) / math.sqrt(len(values)))


def share_of_words(written, tokens) -> float:
    """The share of the tokens, end tokens counted, that stand at the same place in what was written: both (N, T)."""
    written, tokens = np.asarray(written), np.asarray(tokens)
    counted = tokens != 0
    return float((written == tokens)[counted].mean())


def text_setting(
    name: str = "grammar_sentences", *, loading: dict | None = None, **changes
) -> RateSetting:
    """Texts and a `TextVAE`, for `text_study`.

    Args:
        name: "grammar_sentences" or "yahoo".
        loading: options of `data.load`.
        changes: other fields of `RateSetting`, and latent_dim, embedding_dim, hidden_dim, word_dropout of the model.
    """
    return setting_of(load(name, **loading or {}), **changes)


def setting_of(dataset: Dataset, **changes) -> RateSetting:
    """The same for texts of one's own, as from `texts.dataset_of`."""
    network = dict(latent_dim=16, embedding_dim=32, hidden_dim=64, word_dropout=0.0)
    network = {key: changes.pop(key, value) for key, value in network.items()}
    model = TextVAE(
        num_tokens=len(dataset.info["vocabulary"]), length=dataset.x.shape[1], **network
    )
    setting = RateSetting(
        dataset, model, "lstm", 1.0, epochs=12, betas=tuple(np.geomspace(*BETA_RANGE, 4))
    )
    return setting._replace(**dict(batch_size=64, learning_rate=1e-2, compile=False) | changes)


def text_study(setting: RateSetting, *, seed: int = 0) -> Study:
    """Train every method with one seed and measure its curve on the test sentences.

    Metrics by beta: those of `measure_texts`.  By curve: seconds that it cost, trainings, parameters; of the
    multi-rate curve against each plain one: area and dominance.  The column `entropy` is empty where it is unknown.

    Args:
        setting: data, model, methods, as from `text_setting`.
        seed: of all trainings.
    """
    rows, fits, curves = [], {}, {}
    exact = {}
    if setting.dataset.info["name"] == "grammar_sentences":
        exact = dict(grammar=everyday(), vocabulary=Vocabulary(setting.dataset.info["vocabulary"]))
    for name, curve in setting.methods.items():
        fits[name] = over_beta.train_curve(setting, name, seed=seed)
        betas = over_beta.read_at(setting, curve)
        curves[name] = measure_texts(fits[name], setting.test, betas=betas, **exact)
        points = curves[name].melt("beta", var_name="metric").to_dict("records")
        rows += [dict(point, method=name) for point in points]
        rows += [
            dict(method=name, metric=key, value=value)
            for key, value in _cost(setting, name, fits[name]).items()
        ]
    rows += over_beta.compare_curves(setting, curves)
    return Study(_table(setting, [dict(row, seed=seed) for row in rows]), fits)


def _cost(setting: RateSetting, name: str, trained: Fit) -> dict[str, float]:
    seconds = len(trained) * over_beta.training_seconds(setting, setting.methods[name])
    return dict(seconds=seconds, trainings=len(trained), parameters=trained.rows.shape[1])


def _table(setting: RateSetting, rows: list[dict]):
    import pandas as pd

    keys = ["data", "method", "against", "beta", "seed", "metric", "value"]
    config, info = setting.model.config, setting.dataset.info
    fixed = dict(data=info["title"], entropy=info.get("entropy"))
    fixed |= {
        name: config[name] for name in ("latent_dim", "embedding_dim", "hidden_dim", "word_dropout")
    }
    fixed |= dict(num_data=len(setting.train), num_test=len(setting.test), epochs=setting.epochs)
    fixed |= dict(batch_size=setting.batch_size, learning_rate=setting.learning_rate)
    fixed |= dict(
        device="cuda" if torch.cuda.is_available() else "cpu", torch=torch.__version__.split("+")[0]
    )
    table = pd.DataFrame(rows).reindex(columns=keys).assign(**fixed)
    return table[keys + [column for column in table if column not in keys]]


SCALES = dict(
    quick=dict(loading=dict(num_train=2000, num_test=500), epochs=4),
    cpu=dict(loading=dict(num_train=8000, num_test=1000), epochs=10),
    # The paper's network and batch; K and the data are those of He et al. (2019).
    paper=dict(
        name="yahoo",
        embedding_dim=256,
        hidden_dim=256,
        latent_dim=32,
        batch_size=32,
        learning_rate=1e-3,
        epochs=200,
    ),
)
SEEDS = dict(quick=1, cpu=3, paper=3)
PAPER_BETAS = tuple(np.geomspace(*BETA_RANGE, 10))


def text(profile: str, folder: Path | None = None) -> list:
    """One training against one per beta, with and without annealing, on sentences (Figure 5); a unit a seed."""
    methods = METHODS | (LONGER if profile == "cpu" else {})

    def run(seed: int) -> Study:
        options = dict(
            SCALES[profile], methods=methods, folder=folder and folder / "trainings", progress=True
        )
        if profile == "paper":
            options["betas"] = PAPER_BETAS
        return text_study(text_setting(**options), seed=seed)

    return [(f"seed{seed}", partial(run, seed)) for seed in range(SEEDS[profile])]


EXPERIMENTS = dict(text=text)
