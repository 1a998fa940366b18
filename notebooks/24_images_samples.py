# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# (images-samples)=
# # Digits stay readable down to a few nats
#
# :::{card}
# **Question.** What does one see when $\beta$ is turned like a knob: in the images, in the samples, in the latent units?
#
# **Answer.** Digits keep their shape down to a rate of a few nats, and then melt into one grey average. Latents fall silent on the way, and samples are mostly best at a $\beta$ in between. One latent drawn at every $\beta$ stays one image in the multi-rate VAE alone.
# :::

# %% tags=["nbval-skip", "remove-cell"]
import importlib.util

if importlib.util.find_spec("rvae_lite") is None:
    get_ipython().run_line_magic("pip", 'install -q "rvae_lite[notebooks] @ git+REPOSITORY_URL"')

# %% tags=["parameters", "hide-cell"]
dataset = "binary_digits"
network = "mlp"
width = 0.5
latent_dim = 8
epochs = 60
batch_size = 64
learning_rate = 6e-3

# %% tags=["hide-cell"]
import base64
import json
from pathlib import Path

import numpy as np
import torch

from rvae_lite import metrics
from rvae_lite.reporting import figures, tables
from rvae_lite.reporting.claims import answer, check, fingerprint, provenance
from rvae_lite.studies import colour, features, multi_rate, over_beta, setup, study

figures.use_style()

# %% tags=["hide-cell"]
# A multi-rate VAE of MNIST, thresholded: the decoder of the book's explorer, in 8 bits.
places = study.results_folder() / "explorer.json", Path("../book/_static/explorer.json")
mnist = json.loads(next(place for place in places if place.is_file()).read_text())


def floats(text, kind="<f4"):
    return np.frombuffer(base64.b64decode(text), kind).astype(float)


def sqrt_gate(h, gate):
    u = floats(gate["weight"]) * h + floats(gate["bias"])
    return np.sqrt(1 - np.exp(np.minimum(u, 0)))


def draw(z, beta):
    """The images (..., 28, 28) that the decoder makes of latents z (..., 8) at one beta."""
    low, high = np.log(mnist["beta_range"])
    h = np.sqrt(3) * (2 * np.log(beta) - low - high) / (high - low)
    film = {name: floats(text) for name, text in mnist["layers"][0]["film"].items()}
    a = z * (film["weight"] * h + film["bias"]) + film["shift_weight"] * h
    a = (a + film["shift_bias"]) * sqrt_gate(h, mnist["closing"])
    for number, layer in enumerate(mnist["layers"], start=1):
        bias, scale = floats(layer["bias"]), floats(layer["scale"])
        weight = floats(layer["weight"], "i1").reshape(len(bias), -1) * scale[:, None]
        a = a @ weight.T + bias
        a = a * sqrt_gate(h, layer["gate"]) if layer["gate"] else a
        a = np.maximum(a, 0) if number < len(mnist["layers"]) else a
    return (1 / (1 + np.exp(-a))).reshape(*z.shape[:-1], 28, 28)


# %% mystnb={"figure": {"caption": "Digits keep their shape down to a few nats and then melt into one grey average. Each column is one MNIST digit, which one multi-rate VAE encodes and decodes at six values of beta. Each row is one beta, with its rate on test images. The digits are the explorer's Rosetta points.", "name": "fig-images-reconstructions"}}
points, rates = mnist["points"], np.array(mnist["table"]["rate"])
curves = floats(points["z"]).reshape(len(points["beta"]), -1, 8)[:, [0, 1, 3, 4, 6, 7, 8, 9, 11]]
nodes = [0, 20, 27, 34, 38, 40]
again = np.stack([draw(curves[j], points["beta"][j]) for j in nodes])
rows = [f"β = {points['beta'][j]:.2g}, {rates[j]:.2g} nats" for j in nodes]
_ = figures.plot_images(again.reshape(-1, 28, 28), columns=9, rows=rows, size=0.6)

# %% [markdown]
# :::{dropdown} About this chapter
# **After this you can** count active units, compare sets of images by the Fréchet distance without fooling yourself, and draw one latent at every $\beta$ from a single model.
#
# **Before.** {ref}`multi-rate`.
#
# **Time.** {reading}`under a minute to run`.
#
# **Reproduces.** Figures 6 and 7 of {cite:t}`bae2023multirate` on binary digits; Figure 6 on binary MNIST and Omniglot from committed tables.
# :::

# %% [markdown]
# ## A digit needs few nats
#
# {numref}`fig-images-reconstructions` shows nine digits along $\beta$.
# They change little from 31 nats down to 11.
# At 4.4 nats single strokes are gone, and yet most digits can be read.
# That is little to lose: to say which of ten equally likely digits it is takes $\log 10 = 2.3$ nats.
# At 0.35 nats the images are nearly alike, and at the highest $\beta$ all latents are closed and one image is left.
#
# The figure comes from the small model of the book's {doc}`explorer <../book/explorer>`.
# A few lines of numpy run its decoder; the folded cell above has them.
# How much do the nine images of a row differ?

# %%
variety = again.var(axis=1).sum(axis=(1, 2))
variety = variety / variety[0]  # of each row, as a share of the first
check(rates[nodes[3]], "rate of the fourth row, nats", below=5)
check(variety[3], "variance among its images, as a share of the first row's", above=0.5)
check(rates[nodes[4]], "rate of the fifth row, nats", below=0.5)
check(variety[4], "variance among its images, as a share of the first row's", below=0.05)
check(np.ptp(again[5], axis=0), "largest difference in the last row", below=1e-6, digits=0)

# %% [markdown]
# ## One training beside ten
#
# From here on we compare two kinds of model on digits of 8×8 pixels, which are trained in this chapter.
# One is a multi-rate VAE; the other kind are ten plain VAEs at ten log-spaced $\beta$, as in {ref}`multi-rate`.
# The multi-rate VAE has the paper's gates, because the paper's figures are of those.
# With latents that close it would collapse at high $\beta$ as the plain ones do.

# %% tags=["hide-cell"]
options = dict(network=network, width=width, latent_dim=latent_dim, epochs=epochs)
options |= dict(batch_size=batch_size, learning_rate=learning_rate, replicas=1)
options |= dict(methods={"MR-VAE": setup.PAPER_GATES} | over_beta.PLAIN, num_images=359)
setting = over_beta.rate_setup(dataset, **options)
few = setting._replace(dataset=setting.dataset.take(slice(0, 512)), epochs=5)
fingerprint(over_beta.train_curve(few, "MR-VAE", seed=0))

# %%
result = over_beta.over_beta(setting)
multi, plain = result.fits["MR-VAE"][0], result.fits["beta-VAE"][0]
betas, x = np.array(setting.betas), setting.test

# %% [markdown]
# ## Latents fall silent as β grows
#
# A latent unit is *active* if its posterior mean varies with the data {cite:p}`burda2016importance`:
#
# $$
# \begin{aligned}
# & \text{AU} = \\
# & \#\bigl\{ k : \operatorname{Var}_x \bigl( \mathbb E_{q(z|x)} z_k \bigr) \ge 0.01 \bigr\} .
# \end{aligned}
# $$ (eq-active-units)
#
# The other units have collapsed: they equal the prior, cost no rate and say nothing.
# The threshold of 0.01 is one per cent of the prior's variance.


# %%
def active(fit, **at):
    means = fit.encode(x, **at)[0].double()  # (N, K)
    return int((means.var(0) >= 0.01).sum())


units = {
    "MR-VAE": [active(multi, beta=float(beta)) for beta in betas],
    "beta-VAE": [active(plain.select([i])) for i in range(len(betas))],
}
counted = over_beta.curve_of(result.table, "beta-VAE").active_units.astype(int)
name = "beta-VAE: active units at the ten β, by the study's table"
check(list(counted), name, equals=units["beta-VAE"])
check(units["beta-VAE"][0], "beta-VAE: active units at the lowest β", equals=latent_dim)
check(units["beta-VAE"][-1], "beta-VAE: active units at the highest β", equals=0)
check(units["MR-VAE"][-1], "MR-VAE: active units at the highest β", above=0)

# %% [markdown]
# Counting axes makes sense only if the axes mean something, as with the diagonal posterior of these models.
# A full posterior covariance lets the latent space turn for free ({ref}`cost-of-a-rotation`), and a turned space varies on every axis.
# `metrics.active_units` then counts eigenvalues of the means' covariance.

# %%
means = multi.encode(x, beta=10.0)[0].double().numpy()
turn = np.linalg.qr(np.random.default_rng(0).normal(size=(latent_dim, latent_dim)))[0]
eigen = [int(metrics.active_units(m)) for m in (means, means @ turn)]
check(eigen[0] - eigen[1], "active units before minus after a turn of the latents", equals=0)

# %% [markdown]
# ## How good are the images?
#
# The Fréchet distance compares two sets of images by the means $m_a$, $m_b$ and the covariances $\Sigma_a$, $\Sigma_b$ of their features {cite:p}`heusel2017gans`:
#
# $$
# \begin{aligned}
# d^2 & = |m_a - m_b|^2 \\
# & \quad + \operatorname{tr}\bigl( \Sigma_a + \Sigma_b - 2 (\Sigma_a \Sigma_b)^{1/2} \bigr) .
# \end{aligned}
# $$ (eq-frechet)
#
# The distance depends on the features.
# The usual ones come from an Inception network trained on photographs, which has never seen binary digits.
# Ours come from a small network that has learned to tell which way up an image stands.
# It is trained once and used for all sets.
# Such distances rank the models of one page; they do not compare with distances by other features.

# %%
turned, turns = features.quarter_turns(setting.train[:1024])
sets = [x[:179], x[180:], 255 * np.random.default_rng(0).integers(0, 2, x.shape)]
sets = [images.astype(np.float32) / 255 for images in sets]
together = np.concatenate(sets)
found, encoder = features.features_of(together, reference=turned, labels=turns)
half, other, noise = np.split(found, np.cumsum([len(s) for s in sets])[:-1])
ratio = metrics.frechet_distance(half, other) / metrics.frechet_distance(half, noise)
name = "distance of two halves of the test set, as a share of the distance to noise"
check(ratio, name, below=0.1)

# %% [markdown]
# Two halves of one data set have a distance above 0, because few images bias it upwards.
# All sets below have as many images as the test set, so the bias is the same for all.

# %% mystnb={"figure": {"caption": "The multi-rate VAE keeps active units where separate trainings have collapsed. The panels show active units and the Fréchet distances of samples and of reconstructions, over beta. The dots are one multi-rate training read off at ten betas, and ten separate trainings. The panels follow the paper's Figure 6, in small.", "name": "fig-images-quality"}}
figure, axes = figures.figure_row(3, width=2.8)
counts = {name: (betas, values) for name, values in units.items()}
figures.plot_over_beta(counts, label="active units", ax=axes[0])
at = {}
for name in setting.methods:
    at[name] = over_beta.curve_of(result.table, name).dropna(subset="frechet_samples")
for ax, kind in zip(axes[1:], ("samples", "reconstructions")):
    values = {name: (curve.beta, curve[f"frechet_{kind}"]) for name, curve in at.items()}
    label = f"Fréchet distance of {kind}\n(lower is better)"
    figures.plot_over_beta(values, label=label, ax=ax)

# %% [markdown]
# Reconstructions get worse as $\beta$ grows, because less is said about the image.
#
# Samples of the plain models are best at a $\beta$ in between.
# At low $\beta$ the posteriors fill only a part of the prior, and samples come from the whole prior.
# At high $\beta$ the latents say nothing to the decoder.
#
# The curve of the multi-rate model is flatter, since its range of rates is narrower.
# It is better at the highest $\beta$ and worse at the best one.

# %%
one = at["beta-VAE"]
best = int(one.frechet_samples.to_numpy().argmin())
recon = one.frechet_reconstructions.to_numpy()
last, middle = len(betas) - 1, len(betas) // 2
check(best, f"beta-VAE: number of the β, 0 to {last}, with the best samples", between=(0, last))
name = "number of the β with the best reconstructions"
check(int(recon.argmin()), name, below=middle, digits=0)
name = "number of the β with the worst reconstructions"
check(int(recon.argmax()), name, above=middle, digits=0)
ours, theirs = (at[name].frechet_samples for name in ("MR-VAE", "beta-VAE"))
ratio = (ours.max() / ours.min()) / (theirs.max() / theirs.min())
name = "MR-VAE: worst over best samples, as a share of the beta-VAE's"
check(ratio, name, below=0.5)
name = "MR-VAE: distance of samples at the highest β, as a share of the beta-VAE's"
check(ours.iloc[-1] / theirs.iloc[-1], name, below=1)
name = "MR-VAE: distance of the best samples, as a multiple of the beta-VAE's"
check(ours.min() / theirs.min(), name, above=1, digits=1)

# %% [markdown]
# ## One latent stays one image
#
# The prior does not depend on $\beta$, so one $z$ can be drawn and decoded at every $\beta$.
# {numref}`fig-images-mnist-latent` does so with the MNIST model: a latent keeps its image over three decades of $\beta$.

# %% mystnb={"figure": {"caption": "One latent of the prior, decoded at ten betas, stays one image until it fades. Each row is one latent, decoded at ten values of beta from 0.03 (left) to 30 (right), by one multi-rate VAE of MNIST. Not every latent of the prior is a digit. The rows follow the paper's Figure 7.", "name": "fig-images-mnist-latent"}}
z = np.random.default_rng(1).normal(size=(5, 8))
along = np.geomspace(*mnist["beta_range"], 10)
images = np.stack([draw(z, beta) for beta in along], axis=1)
_ = figures.plot_images(images.reshape(-1, 28, 28), columns=10, size=0.6)

# %% [markdown]
# Ten separate trainings have ten decoders that know nothing of each other.
# For the comparison we go back to digits of 8×8 pixels.

# %% mystnb={"figure": {"caption": "Separate trainings make ten unrelated images of one latent, the multi-rate VAE makes one. Each row is one latent, decoded at ten values of beta from 0.01 (left) to 10 (right). The upper rows are one multi-rate training, the lower rows ten separate ones, on digits of 8×8 pixels.", "name": "fig-images-one-latent"}}
_ = colour.plot_samples({"MR-VAE": multi, "beta-VAE": plain}, betas)

# %% [markdown]
# Along a row of the multi-rate model one image fades into the average.
# Along a row of the plain models neighbours have nothing in common.
# We measure the step from one $\beta$ to the next over 500 latents.


# %%
def step(images):
    """Mean squared difference between neighbours in beta, as a share of the variance."""
    moves = (images[1:] - images[:-1]).square().mean()
    return float(moves / images.var(1).mean())


z = torch.randn(500, latent_dim, generator=torch.Generator().manual_seed(1))
drawn = torch.stack([multi.decode(z, beta=float(b))[0] for b in betas])
apart = torch.stack([plain.select([i]).decode(z)[0] for i in range(len(betas))])
check(step(drawn), "multi-rate: step between neighbours, as a share of the variance", below=0.1)
ratio = step(apart) / step(drawn)
check(ratio, "separate trainings: their step, as a multiple of that", above=5)

# %% [markdown]
# ## Reconstructions blur
#
# The multi-rate model of 8×8 digits does what {numref}`fig-images-reconstructions` shows for MNIST: the squared error of test images grows with $\beta$.

# %%
errors = np.array([multi.evaluate(x, beta=float(b)).squared_error[0] for b in betas])
name = "number of the β, 0 to 9, with the lowest squared error"
check(int(errors.argmin()), name, below=5, digits=0)
ratio = errors[-1] / errors.min()
check(ratio, "squared error at the highest β, as a multiple of the lowest", above=1.5)

# %% [markdown]
# ## Against the paper
#
# The next two figures are on binary MNIST and Omniglot, medians over seeds.
# The networks and their scale are those of {ref}`multi-rate`.

# %% mystnb={"figure": {"caption": "With the paper's gates the multi-rate VAE keeps more active units at the highest beta than separate trainings. The panels show active units over beta, for two data sets and two networks. A dot is the median over three seeds.", "name": "fig-images-active-units"}}
from rvae_lite.studies import over_beta_tables

own = study.load_results("multi_rate")
equal = multi_rate.METHODS
_ = over_beta_tables.plot_metric(own, equal, "active_units", label="active units")

# %% mystnb={"figure": {"caption": "With the paper's gates the quality of samples changes less over beta than in separate trainings. The panels show the Fréchet distance of samples over beta, for two data sets and two networks. A dot is the median over three seeds; lower is better.", "name": "fig-images-frechet"}}
label = "Fréchet distance of samples"
_ = over_beta_tables.plot_metric(own, equal, "frechet_samples", label=label)

# %%
separate = list(over_beta.PLAIN | over_beta.ANNEALED)
count = {
    name: over_beta_tables.at_end(own, "active_units", name, "max")
    for name in (multi_rate.PAPER, *separate)
}
most = np.maximum(*(count[name] for name in separate))
name = "active units at the highest β, as a multiple of the best separate training's"
check(count[multi_rate.PAPER] / most, name, above=1)
spread = {}
for name in count:
    rows = own[(own.metric == "frechet_samples") & (own.method == name)]
    medians = rows.groupby(["data", "network", "beta"]).value.median()
    by_case = medians.groupby(["data", "network"])
    spread[name] = by_case.max() / by_case.min()
least = np.minimum(*(spread[name] for name in separate))
name = "worst over best samples, as a share of the steadiest separate trainings'"
check(spread[multi_rate.PAPER] / least, name, below=1)

# %%
held = multi_rate.ends(own)
told = {name: ("Figure 6", held[name].to_numpy()) for name in held}
consistent = np.array([step(drawn) < step(apart)])
told["samples consistent over β"] = ("Figure 7", consistent)
for name, (where, cases) in told.items():
    told[name] = (where, f"{cases.sum()} of {len(cases)}", tables.held_in(cases))
columns, name = ["paper", "here, cases"], "the multi-rate VAE has"
tables.statements(told, columns=columns, name=name)

# %% [markdown]
# *Deviations.* The paper's Figure 6 shows colour photographs with Inception features, and its Figure 7 shows SVHN and CelebA.
# Ours are binary images with features of their own.
# We compare the decoder's probabilities, which are grey where the model is unsure.
# The comparison of Figure 7 is on digits of 8×8 pixels, because the MNIST model has no separate trainings beside it; {ref}`colour` has it in colour.
#
# ## Take-aways
#
# * Reconstructions lose details first. On MNIST most digits can still be read at four nats, and below half a nat all images are nearly the same.
# * Active units fall as $\beta$ grows. With the paper's gates the multi-rate VAE keeps some where separate trainings have collapsed.
# * Samples are mostly best at a $\beta$ in between, reconstructions at a low one.
# * One latent decoded at many $\beta$ gives one image at many rates. Separate trainings give unrelated images.
# * A Fréchet distance needs two remarks beside it: which features, and how many images.
#
# All of this was for one range of $\beta$ and one kind of gate; {ref}`sensitivity` varies them.
#
# ## Exercises
#
# :::{exercise} Compute
# :label: ex-images-samples-compute
# Are two sets of 50 test images further apart in Fréchet distance than two sets of 170, or nearer?
# The array `test_features` holds the features of the test images, and all sets come from one distribution.
# :::

# %% tags=["hide-cell"]
test_features = np.concatenate([half, other])
by_size = {
    size: metrics.frechet_distance(test_features[:size], test_features[-size:])
    for size in (50, 170)
}
expected = "further" if by_size[50] > by_size[170] else "nearer"

# %%
yours = None  # "further" or "nearer"
answer(yours, expected)

# %% [markdown]
# :::{solution} ex-images-samples-compute
# :class: dropdown
# Further.
# The bias grows as sets get smaller.
# :::

# %% tags=["hide-cell"]
sizes = ((test_features[:size], test_features[-size:]) for size in (50, 170))
small, large = (metrics.frechet_distance(*pair) for pair in sizes)
yours = "further" if small > large else "nearer"
answer(yours, expected)
assert yours == "further"

# %% [markdown]
# :::{exercise} Change
# :label: ex-images-samples-change
# Encode the test images at $\beta = 0.05$ and decode the latents at $\beta = 5$.
# Is the squared error smaller or larger than that of the model wholly at $\beta = 5$?
# :::

# %% tags=["hide-cell"]
crossed = multi.decode(multi.encode(x, beta=0.05), beta=5.0)[0].numpy()
target = x.astype(np.float32) / 255
crossed = np.square(crossed - target).sum((1, 2, 3)).mean()
whole = multi.evaluate(x, beta=5.0).squared_error[0]

# %%
yours = None  # "smaller" or "larger"
answer(yours, "smaller" if crossed < whole else "larger")

# %% [markdown]
# :::{solution} ex-images-samples-change
# :class: dropdown
# Smaller.
# The encoder says more, and the decoder can use some of it, although it was trained for less.
# :::

# %% tags=["hide-cell"]
yours = "smaller"
answer(yours, "smaller" if crossed < whole else "larger")
assert crossed < whole

# %% [markdown]
# :::{exercise} Think
# :label: ex-images-samples-think
# At $\beta = 10$ the plain VAE has no active units, and yet its Fréchet distance is finite.
# What does it draw?
# :::
#
# :::{solution} ex-images-samples-think
# :class: dropdown
# One image for every latent: the pixelwise average of the data.
# :::

# %% tags=["hide-cell"]
average = setting.train.astype(np.float32).mean(0) / 255
assert np.abs(apart[-1].numpy() - average).max() < 0.1

# %% [markdown]
# ## References
#
# {cite:t}`bae2023multirate`, {cite:t}`burda2016importance`, {cite:t}`heusel2017gans`; the {doc}`bibliography <../book/bibliography>` has the details.

# %% tags=["hide-cell"]
provenance(
    data=setting.dataset.info["title"],
    source=setting.dataset.info["source"],
    runs=f"one of {epochs} epochs per curve, {network} network",
)
