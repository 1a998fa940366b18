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
# (one-space-every-rate)=
# # One map at every rate, held by curves
#
# :::{card}
# **Question.** Can two laboratories agree on one latent space and still choose their own $\beta$ afterwards?
#
# **Answer.** Yes, if each Rosetta point is a curve over $\beta$: on the eight Gaussians, runs held by curves stay less than a hundredth as far from the template as runs without points, at every $\beta$ up to 5.
# :::

# %% tags=["nbval-skip", "remove-cell"]
import importlib.util

if importlib.util.find_spec("rvae_lite") is None:
    get_ipython().run_line_magic("pip", 'install -q "rvae_lite[notebooks] @ git+REPOSITORY_URL"')

# %% tags=["parameters", "hide-cell"]
num_examples = 500
num_points = 8
epochs = 40
replicas = 3
rho = 15.0
learning_rate = 5e-3
iterations = 50

# %% tags=["hide-cell"]
import warnings

import numpy as np
import torch

from rvae_lite import VAE, anchors, curve_points, data, fit, laws, linear_vae
from rvae_lite.multirate import LogUniform, make_multirate
from rvae_lite.reporting import figures
from rvae_lite.reporting.claims import answer, check, fingerprint, provenance
from rvae_lite.studies import linear, one_space
from rvae_lite.studies.study import load_results

# %% tags=["hide-cell"]
figures.use_style()
warnings.simplefilter("ignore", anchors.PointsNotReached)
betas = np.geomspace(0.01, 10.0, 10)
toy = data.load("eight_gaussians", num_examples=num_examples)
toy = toy._replace(x=toy.x / 40)  # in units of the circle's radius
x, labels = toy.x, toy.labels
law, gated = LogUniform(0.01, 10.0), make_multirate(VAE.mlp(5, 2))
course = dict(beta=law, batch_size=100, compile=False)
course["learning_rate"] = laws.Cosine(learning_rate)

# %% tags=["hide-cell"]
template = fit(gated, x, epochs=epochs, **course)
points = curve_points(template, x, num_points)
arms = {"MR-VAE": (None, 0.0), "plain points": (points.at_beta(1.0), rho)}
arms["curves"] = (points, rho)
runs = {}
for seed, (name, (held, weight)) in enumerate(arms.items(), start=1):
    ensemble = dict(replicas=replicas, seed=seed, points=held, rho=weight)
    runs[name] = fit(gated, x, epochs=epochs, **ensemble, **course)

# %% mystnb={"figure": {"caption": "Runs held by curves repeat the template's map at every beta, and a run without points draws another map. Each panel is the latent plane of one model at one beta, on one scale. A line is the curve of one Rosetta point from beta = 0.01 (outside) to 10 (inside). A ring marks where the point stands at the panel's beta. The colours are the eight groups of the 8 Gaussians.", "name": "fig-one-space-planes"}}
shown, planes = (0.01, 0.5, 3.0), {}
rows = {"template": (template, 0), "no points": (runs["MR-VAE"], 0)}
rows |= {f"curves, run {m + 1}": (runs["curves"], m) for m in (0, 1)}
for name, (run, m) in rows.items():
    for beta in shown:
        means = run.encode(x, beta=beta)[m].numpy()
        planes[f"{name}, β = {beta:g}"] = means
figure = figures.plot_spaces(planes, labels, columns=3, size=2.1)
for ax, beta in zip(figure.axes, shown * len(rows)):
    ax.plot(points.z[..., 0], points.z[..., 1], color=figures.INK, linewidth=0.8)
    ax.scatter(*points.z_at(beta).T, s=60, color="none", edgecolor=figures.INK)

# %% [markdown]
# :::{dropdown} About this chapter
# **After this you can** say why posterior means shrink as $\beta$ grows, and by how much; distil a multi-rate model into Rosetta points that are curves over $\beta$; and train other models into the same space at every rate at once.
#
# **Before.** {ref}`multi-rate` for gates, {ref}`linear-vae` for the exact optimum, {ref}`rosetta-loss` for the anchors.
#
# **Time.** {reading}`half a minute to run`.
#
# **Reproduces.** Nothing. Neither paper joins the two ideas, so the results are checked against an exact solution.
# :::
#
# ## Means shrink as β grows
#
# A Rosetta point is a pair $(x_r, z_r)$: a datum and its place in the latent space.
# A multi-rate model is many models in one, a model for each $\beta$.
# A datum has another place in each of these models.
# Which place should the pair name?
#
# The linear VAE answers exactly.
# At its optimum each latent has the variance 1 of the prior, taken over data *and* posterior.
# The variance has two parts: the spread of the posterior means over the data, and the posterior's own noise.
#
# $$
# \begin{gathered}
# \underbrace{\operatorname{Var}_x \mu_i(x)}_{g_i^2} + \underbrace{C_{ii}}_{\min(1,\, \beta\sigma^2/\lambda_i)} = 1 , \\
# g_i = \sqrt{\max\bigl(0,\, 1 - \beta\sigma^2 / \lambda_i\bigr)} .
# \end{gathered}
# $$ (eq-shared-variance)
#
# The noise grows with $\beta$, so the means must shrink.
# With $E^\star$ of {ref}`linear-vae`, the place of a datum $x_r$ is a *curve* over $\beta$:
#
# $$
# \begin{aligned}
# z_r(\beta) &= \Lambda^{-1/2}\, G(\beta)\, U^\top (x_r - \mu) , \\
# \hat x_r(\beta) &= \mu + U\, G(\beta)^2\, U^\top (x_r - \mu) .
# \end{aligned}
# $$ (eq-anchor-curve)
#
# Each latent shrinks by its own factor $g_i$, and weak latents shrink first.
# At $\beta = \lambda_i / \sigma^2$ the latent $i$ is gone.
# The two equations are two lines of code:


# %%
def anchor_curve(x, mean, eigenvalues, directions, beta, noise_variance):
    gate = np.sqrt(np.maximum(0, 1 - beta * noise_variance / eigenvalues))  # (K,)
    components = (x - mean) @ directions  # (R, K)
    z = gate * components / np.sqrt(eigenvalues)
    return z, mean + (gate**2 * components) @ directions.T


digits = data.load("digits").x.reshape(-1, 64).astype(np.float64)
mean, covariance = digits.mean(0), np.cov(digits, rowvar=False, bias=True)
options = dict(latent_dim=2, noise_variance=0.1)
exact, recon = linear_vae.anchor_curve(
    covariance, digits[:8], betas=betas, mean=mean, **options
)
values, vectors = np.linalg.eigh(covariance)
values, vectors = values[:-3:-1], vectors[:, :-3:-1]
own = [anchor_curve(digits[:8], mean, values, vectors, beta, 0.1) for beta in betas]
own_z, own_recon = (np.array(part) for part in zip(*own))

# %%
off = np.abs(np.abs(own_z) - np.abs(exact.numpy()))
check(off, "our curves z, their distance from the package's", below=1e-8, digits=0)
off = np.abs(own_recon - recon.numpy())
check(off, "our reconstructions, the same distance", below=1e-8, digits=0)
best = linear_vae.optimum(covariance, beta=float(betas[6]), **options)
encoded = (digits[:8] - mean) @ best.encoder.numpy().T
off = np.abs(encoded - exact[6].numpy())
check(off, "curves against what the optimum encodes", below=1e-8, digits=0)

# %% mystnb={"figure": {"caption": "The place of a datum in the latent space depends on beta. The left panel shows the exact curves of eight digits, a dot for each of ten betas. They run from beta = 0.01 (outside) to 10 (towards the cross, the origin). The right panel shows the factor by which each latent shrinks as beta grows.", "name": "fig-one-space-anchor-curves"}}
figure, (left, right) = figures.figure_row(2, width=3.6, height=3)
for r in range(8):
    left.plot(*exact[:, r].T, color=figures.GROUPS[r % 5], marker="o", markersize=3)
left.plot(0, 0, "+", color=figures.INK, markersize=10)
left.set(xlabel="latent 1", ylabel="latent 2", aspect="equal")
fine = np.geomspace(0.01, 10, 200)
gates = np.sqrt(np.maximum(0, 1 - fine[:, None] * 0.1 / values))
for i, name in enumerate(("latent 1", "latent 2")):
    right.plot(fine, gates[:, i], color=figures.GROUPS[i + 1], label=name)
right.set(xscale="log", xlabel="beta", ylabel="size of the means, g")
_ = right.legend()

# %% [markdown]
# ## Curves leave a linear model no freedom
#
# So the Rosetta file holds the curve.
# We read a multi-rate template off at ten log-spaced $\beta$.
# Between these, $z_r(\beta)$ and $\hat x_r(\beta)$ are interpolated linearly in $\log\beta$.
# Each training step draws a $\beta$ for each Rosetta point, as it does for each datum:
#
# $$
# \begin{gathered}
# \mathbb E_\beta \bigl[ \mathcal L_\beta + \tfrac\rho R \textstyle\sum_r \lVert \hat x_r(\beta) - \hat x(z_r(\beta);\, \beta) \rVert^2 \\
# {} + \lVert z_r(\beta) - \mu(x_r;\, \beta) \rVert^2 \bigr] .
# \end{gathered}
# $$ (eq-curve-loss)
#
# The decoder is drawn to the template's *reconstruction* $\hat x_r(\beta)$, not to the datum $x_r$.
# No decoder of a model with $\beta > 0$ reproduces its data.
# The datum $x_r$ would therefore ask the decoder for something that the loss does not want.
#
# The linear model shows both effects.
# The Rosetta term is 0 at the exact optimum {eq}`eq-anchor-curve`, so a linear model held by curves should lose nothing.
# It should also have no freedom left, not even in the signs and the order of its latents.

# %% mystnb={"figure": {"caption": "Curves hold a linear model near its exact optimum, and raw inputs leave larger errors. The panels show relative errors of loss, encoder and decoder against the closed form, over beta. The model is a multi-rate VAE with three latents in six dimensions. It is trained on 400 data, 64 of them Rosetta points.", "name": "fig-one-space-linear"}}
random = torch.Generator().manual_seed(0)
drawn = torch.randn(400, 6, generator=random)
drawn = drawn * torch.tensor([3.0, 2.0, 1.4, 0.5, 0.4, 0.3])
settings = dict(latent_dim=3, learning_rate=0.1, rho=15.0)
settings |= dict(epochs=2 * iterations, iterations=iterations)
held = linear.anchored_gaps(drawn, target="recon", **settings)
raw = linear.anchored_gaps(drawn, target="x", **settings)
figure, axes = figures.figure_row(3, width=2.8)
for ax, name in zip(axes, ("loss", "encoder", "decoder")):
    pairs = {"curves": (held.beta, held[name]), "raw inputs": (raw.beta, raw[name])}
    figures.plot_over_beta(pairs, label=f"{name}, relative error", log=True, ax=ax)

# %%
check(held.loss.max(), "held by curves: largest error of the loss", below=0.01)
check(held.encoder.max(), "held by curves: largest error of the encoder", below=0.05)
check(raw.decoder.max(), "raw inputs: largest error of the decoder", above=0.05)

# %% [markdown]
# A larger run on the digits with four latents says the same.
# The table holds the worst relative error over five $\beta$, in per cent.

# %%
results = load_results("one_space")
errors = one_space.linear_errors(results)
check(errors.recon["loss"], "held by curves: error of the loss, %", below=0.1)
space = errors[["recon", "z"]].to_numpy()
check(space, "points with curves z: all errors, %", below=0.1)
check(errors.x["decoder"], "raw inputs: error of the decoder, %", above=15)
errors.round(2)

# %% [markdown]
# The columns say what the decoder is drawn to: `recon` is the reconstruction, `x` the raw input, `z` nothing (that half of the Rosetta term is left out).
#
# ## Curves hold a network at every rate
#
# The first figure shows an ordinary network on the 8 Gaussians.
# The data are in units of the circle's radius, so that high rates of compression collapse.
# The folded cell before the figure trains a multi-rate template and distils eight Rosetta points from it.
# It then trains three ensembles of fresh seeds: without points (MR-VAE), held by plain points of $\beta = 1$, and held by curves.

# %% tags=["hide-cell"]
fingerprint(fit(gated, x, epochs=10, **course))

# %%
sizes = (len(points.betas), num_points, 2)
check(points.z.shape, "the file's latents, over β, points and dimensions", equals=sizes)
clusters = set(labels[points.ids.astype(int)])
check(len(clusters), "clusters that have a point", equals=8)

# %% [markdown]
# Between two of the ten $\beta$, a latent lies on a straight line over $\log\beta$:


# %%
def z_at(points, beta):
    nodes, at = np.log(points.betas), np.log(beta)
    j = np.clip(np.searchsorted(nodes, at), 1, len(nodes) - 1)
    share = (at - nodes[j - 1]) / (nodes[j] - nodes[j - 1])
    return (1 - share) * points.z[j - 1] + share * points.z[j]


off = [np.abs(z_at(points, beta) - points.z_at(beta)).max() for beta in (0.02, 0.3, 7)]
check(off, "our z_at, its distance from points.z_at", below=1e-6, digits=0)
size = np.square(points.z).sum(-1).mean(-1)
check(size[-1] / size[0], "squared size of the points, β = 10 over 0.01", below=0.3)

# %% [markdown]
# In the first figure both kinds of run shrink towards high $\beta$.
# The runs held by curves put each group of data where the template has it; the run without points does not.
#
# We measure three things at ten $\beta$.
# The retraining variability says how far runs differ from each other, relative to the spread of all their latents.
# The distance to the template is taken without any map, as a share of the template's variance.
# The extra loss is what a run pays compared with runs without points.

# %%
measured = one_space.measure(template, runs, toy, betas=betas)
metrics = ("rv_relative", "unaligned", "loss")
found = one_space.typical(measured, *metrics)
rv, distance, loss = (found.xs(metric, level="metric") for metric in metrics)
costs = loss.sub(loss["MR-VAE"], axis=0)
panels = {"RV, relative (lower is better)": rv}
panels["distance to template / variance\n(lower is better)"] = distance
panels["extra loss in nats\n(lower is better)"] = costs

# %% mystnb={"figure": {"caption": "Curves hold the space at every beta, plain points only near their own beta. The panels show retraining variability (RV), distance to the template, and loss against runs without points. A dot is the median over the runs at one of ten betas; RV is over all runs. The data are the 8 Gaussians; the distance has a logarithmic axis.", "name": "fig-one-space-live"}}
figure, axes = figures.figure_row(3, width=2.9)
for ax, (label, part) in zip(axes, panels.items()):
    lines = {name: (betas, part[name]) for name in runs}
    figures.plot_over_beta(lines, label=label, log=part is distance, ax=ax)
_ = [ax.get_legend().remove() for ax in axes[1:]]

# %%
near = distance[betas < 5]
share = (near.curves / near["MR-VAE"]).max()
check(share, "curves: largest distance as a share of no points', β up to 5", below=0.01)
far = (distance["plain points"] / distance.curves).to_numpy()[[0, -1]]
check(
    far,
    "plain points' distance over that of curves, at both ends of β",
    above=1,
    digits=3,
)
more = costs.iloc[-1]["plain points"] - costs.iloc[-1].curves
check(more, "loss of plain points above that of curves at β = 10, nats", above=0)

# %% [markdown]
# Plain points are right at $\beta = 1$, where they come from.
# At other $\beta$ they ask for latents of the wrong size.
# At $\beta = 10$ their latents are too large, and the loss pays for it.
#
# {ref}`one-space-real-data` repeats the comparison on digits, MNIST and zebra finches.
# It also shows data on which plain points do better than curves.
#
# ## Take-aways
#
# * Posterior means shrink as $\beta$ grows. A Rosetta point of a multi-rate model is therefore a curve $z_r(\beta)$, and for the linear model the curve is known exactly.
# * The decoder is drawn to the template's reconstruction at each $\beta$. The raw datum would bias it.
# * Runs held by curves share one map at every rate. On the 8 Gaussians of radius 1 plain points hold it only near their own $\beta$.
#
# ## Exercises
#
# :::{exercise} Compute
# :label: ex-one-space-every-rate-compute
# At which $\beta$ does the second latent of the linear model on the digits collapse, with $\sigma^2 = 0.1$? Where do all curves stand from then on? The array `values` holds the two eigenvalues. Write your answer in the line below.
# :::

# %% tags=["hide-cell"]
expected = float(linear_vae.collapse_betas(covariance, **options)[1])

# %%
yours = None  # one line of yours
answer(yours, expected)

# %% [markdown]
# :::{solution} ex-one-space-every-rate-compute
# :class: dropdown
# The second latent collapses at $\lambda_2 / \sigma^2$. From there on, all curves stand on the axis of the first latent.
# :::

# %% tags=["hide-cell"]
yours = values[1] / 0.1
answer(yours, expected)
gone, _ = linear_vae.anchor_curve(
    covariance, digits[:8], betas=[1.01 * expected], mean=mean, **options
)
assert np.isclose(yours, expected)
assert not gone[..., 1].any() and gone[..., 0].any()

# %% [markdown]
# :::{exercise} Change
# :label: ex-one-space-every-rate-change
# Hold an ordinary VAE at $\beta = 3$ by the plain points of $\beta = 0.01$, and another by the curves. Which one has the higher loss? Write "plain points" or "curves" in the line below.
# :::

# %% tags=["hide-cell"]
single = dict(course, beta=3.0, epochs=epochs, rho=rho, seed=5)
pair = {"plain points": points.at_beta(0.01), "curves": points}
ends = {name: fit(VAE.mlp(5, 2), x, points=p, **single) for name, p in pair.items()}
lost = {name: float(end.evaluate(x).loss(3.0)[0]) for name, end in ends.items()}
expected = max(lost, key=lost.get)

# %%
yours = None  # one line of yours
answer(yours, expected)

# %% [markdown]
# :::{solution} ex-one-space-every-rate-change
# :class: dropdown
# The VAE held by plain points pays. At $\beta = 3$ its latents should be smaller than the points of $\beta = 0.01$ let them be.
# :::

# %% tags=["hide-cell"]
yours = "plain points"
answer(yours, expected)
assert lost["curves"] < lost["plain points"]

# %% [markdown]
# :::{exercise} Think
# :label: ex-one-space-every-rate-think
# A colleague distils her plain VAE, trained at $\beta = 1$, and you anchor a multi-rate model to her points. At which $\beta$ is your space most like hers? What could she send you instead?
# :::
#
# :::{solution} ex-one-space-every-rate-think
# :class: dropdown
# Near $\beta = 1$. At other $\beta$ the points ask for latents of another size. She could train a multi-rate model held by her own points at $\beta = 1$ and send its curves.
# :::

# %% tags=["hide-cell"]
closest = distance["plain points"].to_numpy().argmin()
assert 0.05 < betas[closest] < 10

# %% [markdown]
# ## References
#
# {cite:t}`martinez2021rosetta`; {cite:t}`bae2023multirate`; the {doc}`bibliography <../book/bibliography>` has the details.

# %% tags=["hide-cell"]
provenance(
    data=toy.info["title"],
    source=toy.info["source"],
    runs=f"{replicas} of {epochs} epochs per method, fully connected network",
)
