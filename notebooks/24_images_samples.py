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
# # What the rate does to images
#
# :::{card}
# **Question.** What does one see when $\beta$ is turned like a knob: in the latent units, in the quality of samples, in the images themselves?
#
# **After this you can** count active units, compare sets of images by the Fréchet distance without fooling yourself, and draw one latent at every $\beta$ from a single model.
#
# **Before.** {ref}`multi-rate`.
#
# **Time.** Ten minutes to read, under a minute to run.
#
# **Reproduces.** Figures 6 and 7 of {cite:t}`bae2023multirate` on binary digits; Figure 6 on binary MNIST and Omniglot from committed tables.
# :::

# %% tags=["nbval-skip", "remove-cell"]
import importlib.util

if importlib.util.find_spec("rvae_lite") is None:
    get_ipython().run_line_magic("pip", 'install -q "rvae_lite[notebooks] @ git+REPOSITORY_URL"')

# %% tags=["parameters"]
dataset = "binary_digits"
network = "mlp"
width = 0.5
latent_dim = 8
epochs = 60
batch_size = 64
learning_rate = 6e-3

# %%
import numpy as np
import torch

from rvae_lite import metrics
from rvae_lite.reporting import figures, tables
from rvae_lite.reporting.claims import check, fingerprint, provenance
from rvae_lite.studies import colour, features, multi_rate, over_beta
from rvae_lite.studies.setup import PAPER_GATES
from rvae_lite.studies.study import load_results

figures.use_style()
options = dict(network=network, width=width, latent_dim=latent_dim, epochs=epochs)
options |= dict(batch_size=batch_size, learning_rate=learning_rate, replicas=1)
options |= dict(methods={"MR-VAE": PAPER_GATES} | over_beta.PLAIN, num_images=359)

# %% [markdown]
# ## One training against ten
#
# The models are those of {ref}`multi-rate`: one multi-rate VAE, and ten plain ones at ten log-spaced $\beta$.
# It has the paper's gates, because the paper's figures are of those; with latents that close it collapses at high $\beta$ as the plain ones do.

# %%
setting = over_beta.rate_setup(dataset, **options)
few = setting._replace(dataset=setting.dataset.take(slice(0, 512)), epochs=5)
fingerprint(over_beta.train_curve(few, "MR-VAE", seed=0))
study = over_beta.over_beta(setting)
multi, plain = study.fits["MR-VAE"][0], study.fits["beta-VAE"][0]
betas, x = np.array(setting.betas), setting.test

# %% [markdown]
# ## Active units
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
# The others have collapsed: they equal the prior, cost no rate and say nothing.
# The variance of the prior, 1, is the scale of the threshold.


# %%
def active(fit, **at):
    means = fit.encode(x, **at)[0].double()  # (N, K)
    return int((means.var(0) >= 0.01).sum())


units = {
    "MR-VAE": [active(multi, beta=float(beta)) for beta in betas],
    "beta-VAE": [active(plain.select([i])) for i in range(len(betas))],
}
counted = over_beta.curve_of(study.table, "beta-VAE").active_units
check("the study's table counts the same", list(counted) == units["beta-VAE"])
check("at the lowest β all units are active", units["beta-VAE"][0] == latent_dim)
check("at the highest β the plain VAE has collapsed", units["beta-VAE"][-1] == 0)
check("the multi-rate VAE has not", units["MR-VAE"][-1] > 0)

# %% [markdown]
# Counting axes is right only if the axes mean something, as with the diagonal posterior of these models.
# A full posterior covariance lets the latent space turn for free ({ref}`cost-of-a-rotation`), and a turned space shows variance on every axis; `metrics.active_units` counts eigenvalues of the means' covariance then.

# %%
means = multi.encode(x, beta=10.0)[0].double().numpy()
turn = np.linalg.qr(np.random.default_rng(0).normal(size=(latent_dim, latent_dim)))[0]
eigen = [metrics.active_units(m) for m in (means, means @ turn)]
check("eigenvalues do not notice a turn", eigen[0] == eigen[1])

# %% [markdown]
# ## How good are the images?
#
# The Fréchet distance compares two sets of images by the mean and covariance of their features {cite:p}`heusel2017gans`:
#
# $$
# \begin{aligned}
# d^2 & = |m_a - m_b|^2 \\
# & \quad + \operatorname{tr}\bigl( S_a + S_b - 2 (S_a S_b)^{1/2} \bigr) .
# \end{aligned}
# $$ (eq-frechet)
#
# Everything hangs on the features.
# The customary ones come from an Inception network trained on photographs, which has no opinion on binary digits.
# Ours come from a small network that has learned to tell which way up an image stands; it is trained once and used for all sets.
# Such distances rank models of one page; they do not compare with anyone else's.

# %%
turned, turns = features.quarter_turns(setting.train[:1024])
sets = [x[:179], x[180:], 255 * np.random.default_rng(0).integers(0, 2, x.shape)]
sets = [images.astype(np.float32) / 255 for images in sets]
together = np.concatenate(sets)
found, encoder = features.features_of(together, reference=turned, labels=turns)
half, other, noise = np.split(found, np.cumsum([len(s) for s in sets])[:-1])
check(
    "half of the test set is nearer to the other half than noise is, a tenth at most",
    metrics.frechet_distance(half, other) < metrics.frechet_distance(half, noise) / 10,
)

# %% [markdown]
# Note that the distance between two halves of one data set is not 0: few images bias it upwards.
# All sets below have as many images as the test set, so the bias is the same.

# %% mystnb={"figure": {"caption": "The multi-rate VAE keeps active units where separate trainings have collapsed. The panels show active units and the Fréchet distances of samples and of reconstructions, over beta. The dots are one multi-rate training read off at ten betas, and ten separate trainings. The panels follow the paper's Figure 6, in small.", "name": "fig-images-quality"}}
figure, axes = figures.figure_row(3, width=2.8)
counts = {name: (betas, values) for name, values in units.items()}
figures.plot_over_beta(counts, label="active units", ax=axes[0])
at = {}
for name in setting.methods:
    at[name] = over_beta.curve_of(study.table, name).dropna(subset="frechet_samples")
for ax, kind in zip(axes[1:], ("samples", "reconstructions")):
    values = {name: (curve.beta, curve[f"frechet_{kind}"]) for name, curve in at.items()}
    label = f"Fréchet distance of {kind}\n(lower is better)"
    figures.plot_over_beta(values, label=label, ax=ax)

# %% [markdown]
# Reconstructions get worse with every step of $\beta$, since less is said about the image.
# Samples of the plain models have an optimum in between: at low $\beta$ the posteriors fill only a part of the prior, from which samples are drawn, and at high $\beta$ the decoder has nothing to go by.
# The multi-rate model's curve is flatter, better at the far end and worse at the optimum, since its range of rates is narrower.

# %%
one = at["beta-VAE"]
best = one.frechet_samples.to_numpy().argmin()
check("the best samples are at neither end", 0 < best < len(betas) - 1)
recon = one.frechet_reconstructions.to_numpy()
check("the best reconstructions are at low β", recon.argmin() < len(betas) // 2)
check("and the worst at high β", recon.argmax() > len(betas) // 2)
multi_samples = at["MR-VAE"].frechet_samples
spread = [c.max() / c.min() for c in (multi_samples, one.frechet_samples)]
check("the multi-rate model's samples vary less over β", spread[0] < spread[1] / 2)
better = multi_samples.iloc[-1] < one.frechet_samples.iloc[-1]
check("at the highest β its samples are better", better)
check("at the best β they are worse", multi_samples.min() > one.frechet_samples.min())

# %% [markdown]
# ## One latent, ten rates
#
# The prior does not depend on $\beta$, so one may draw a $z$ and decode it at every rate.
# With separate trainings the ten decoders have nothing to do with each other; the multi-rate model has one set of weights.

# %% mystnb={"figure": {"caption": "One latent decoded at ten rates stays one digit in the multi-rate VAE alone. Each row is one latent, decoded at ten values of beta from 0.01 (left) to 10 (right). The upper rows are one multi-rate training, the lower rows ten separate ones. The rows follow the paper's Figure 7, in small.", "name": "fig-images-one-latent"}}
_ = colour.plot_samples({"MR-VAE": multi, "beta-VAE": plain}, betas)

# %% [markdown]
# Along a row of the multi-rate model the image stays one digit that fades into the average of all; along a row of the plain ones, neighbours need not have anything in common.
# Over many latents, how much do neighbouring $\beta$ differ?


# %%
def step(images):
    """Mean squared difference between neighbours in beta, as a share of the variance."""
    moves = (images[1:] - images[:-1]).square().mean()
    return float(moves / images.var(1).mean())


z = torch.randn(500, latent_dim, generator=torch.Generator().manual_seed(1))
drawn = torch.stack([multi.decode(z, beta=float(b))[0] for b in betas])
apart = torch.stack([plain.select([i]).decode(z)[0] for i in range(len(betas))])
check("multi-rate: a tenth of the variance at most", step(drawn) < 0.1)
check("separate trainings: five times as much", step(apart) > 5 * step(drawn))

# %% [markdown]
# ## The same for reconstructions
#
# Eight test images, above, and what remains of them as $\beta$ grows:

# %% mystnb={"figure": {"caption": "Reconstructions of one multi-rate training blur as beta grows. The first row is eight test images. Each other row is their reconstruction at the beta named.", "name": "fig-images-reconstructions"}}
shown = x[:8]
again = [multi.reconstruct(shown, beta=float(b))[0].numpy() for b in betas[::2]]
strip = np.concatenate([shown.astype(np.float32) / 255, *again])
names = ["data", *[f"β = {beta:.2g}" for beta in betas[::2]]]
_ = figures.plot_images(strip, columns=8, rows=names)

# %%
errors = [multi.evaluate(x, beta=float(b)).squared_error[0] for b in betas]
check("the squared error is lowest at a low β", np.argmin(errors) < 5)
check("and at least doubles up to the highest", errors[-1] > 2 * min(errors))

# %% [markdown]
# ## Against the paper
#
# Binary MNIST and Omniglot, medians over seeds; the networks and their scale are those of {ref}`multi-rate`.

# %% mystnb={"figure": {"caption": "The multi-rate VAE keeps more active units at the highest beta than separate trainings. The panels show active units over beta, for two data sets and two networks. A dot is the median over three seeds.", "name": "fig-images-active-units"}}
own = load_results("multi_rate")
_ = multi_rate.study.figure(own, metric="active_units", label="active units")

# %% mystnb={"figure": {"caption": "The quality of samples changes less over beta in the multi-rate VAE than in separate trainings. The panels show the Fréchet distance of samples over beta, for two data sets and two networks. A dot is the median over three seeds; lower is better.", "name": "fig-images-frechet"}}
label = "Fréchet distance of samples"
_ = multi_rate.study.figure(own, metric="frechet_samples", label=label)

# %%
held = multi_rate.ends(own)
told = {name: ("Figure 6", held[name].to_numpy()) for name in held}
consistent = np.array([step(drawn) < step(apart)])
told["samples consistent over β"] = ("Figure 7", consistent)
verdicts = {1.0: "agrees", 0.0: "differs"}
for name, (where, cases) in told.items():
    verdict = verdicts.get(cases.mean(), "mixed")
    told[name] = (where, f"{cases.sum()} of {len(cases)}", verdict)
columns, name = ["paper", "here, cases"], "the multi-rate VAE has"
tables.statements(told, columns=columns, name=name)

# %% [markdown]
# *Deviations.* The paper's Figure 6 shows colour photographs with Inception features, Figure 7 SVHN and CelebA; ours are binary images with features of their own, and what is compared are the decoder's probabilities, which are grey where the model is unsure.
# Figure 7 is on binary digits; {ref}`colour` has it in colour.
#
# ## Take-aways
#
# * Active units fall as $\beta$ grows; the multi-rate VAE keeps some where separate trainings have collapsed.
# * Samples are best at a $\beta$ in between, reconstructions at a low one.
# * One latent decoded at many $\beta$ gives one image at many rates, which separate trainings cannot offer.
# * A Fréchet distance without its features and its number of images says nothing.
#
# All of this was for one range of $\beta$ and one kind of gate; {ref}`sensitivity` varies them.
#
# ## Exercises
#
# **Compute.** How far are two sets of 50 test images apart, compared with two sets of 170?
#
# ```{dropdown} Solution
# Further: the bias grows as sets get smaller, though all come from one distribution.
# ```

# %% tags=["hide-cell"]
data = np.concatenate([half, other])
small = metrics.frechet_distance(data[:50], data[-50:])
assert small > metrics.frechet_distance(data[:170], data[-170:])

# %% [markdown]
# **Change.** Decode at a high $\beta$ what was encoded at a low one. Is the reconstruction better than that of the model wholly at the high one?
#
# ```{dropdown} Solution
# Yes: the encoder says more, and the decoder, made for less, can use some of it.
# ```

# %% tags=["hide-cell"]
crossed = multi.decode(multi.encode(x, beta=0.05), beta=5.0)[0].numpy()
target = x.astype(np.float32) / 255
crossed = np.square(crossed - target).sum((1, 2, 3)).mean()
assert crossed < multi.evaluate(x, beta=5.0).squared_error[0]

# %% [markdown]
# **Think.** At $\beta = 10$ the plain VAE has no active units, yet its Fréchet distance is finite. What does it draw?
#
# ```{dropdown} Solution
# One image, the pixelwise average of the data, whatever the latent.
# ```

# %% tags=["hide-cell"]
average = setting.train.astype(np.float32).mean(0) / 255
assert np.abs(apart[-1].numpy() - average).max() < 0.1

# %% [markdown]
# ## References
#
# {cite:t}`bae2023multirate`, {cite:t}`burda2016importance`, {cite:t}`heusel2017gans`; the {doc}`bibliography <../book/bibliography>` has the details.

# %%
provenance(
    data=setting.dataset.info["title"],
    source=setting.dataset.info["source"],
    runs=f"one of {epochs} epochs per curve, {network} network",
)
