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
# (rate-and-distortion)=
# # β is the price of a nat
#
# :::{card}
# **Question.** What does $\beta$ choose, and why is one trained VAE only one point of something larger?
#
# **Answer.** $\beta$ is the price of a nat of rate: each price trains one point of a falling curve of distortion over rate, and the slope of the curve at this point is $-\beta$.
# :::

# %% tags=["nbval-skip", "remove-cell"]
import importlib.util

if importlib.util.find_spec("rvae_lite") is None:
    get_ipython().run_line_magic("pip", 'install -q "rvae_lite[notebooks] @ git+REPOSITORY_URL"')

# %% tags=["parameters", "hide-cell"]
dataset = "binary_digits"
latent_dim = 8
hidden_dim = 64
num_betas = 7
lowest = 0.01
highest = 10.0
epochs = 60
learning_rate = 3e-3

# %% tags=["hide-cell"]
import numpy as np
import torch

from rvae_lite import VAE, data, fit, laws
from rvae_lite.metrics import active_units, rate_distortion_curve
from rvae_lite.reporting import figures, tables
from rvae_lite.reporting.claims import answer, check, fingerprint, provenance

figures.use_style()
digits = data.load(dataset)
train, test = digits.x[digits.part == 1], digits.x[digits.part == 3]
D = int(np.prod(train.shape[1:]))

# %% tags=["hide-cell"]
# One training per price, side by side: an ensemble whose replicas differ in beta alone.
model = VAE.mlp(
    train.shape[1:],
    latent_dim,
    hidden=(hidden_dim,),
    likelihood="bernoulli",
    posterior="diagonal",
)
betas = np.append(np.geomspace(lowest, highest, num_betas), D)
ensemble = fit(
    model,
    train,
    replicas=len(betas),
    beta=betas,
    seed=[0] * len(betas),
    epochs=epochs,
    batch_size=64,
    learning_rate=laws.Cosine(learning_rate),
)
seen, held_out = (rate_distortion_curve(ensemble, x) for x in (train, test))
curve = held_out[:num_betas]

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Separate trainings lie on one falling curve, whose slope at each is minus its beta. A dot is one training at its rate and distortion on held-out digits, with its beta beside it. The grey segment through a dot has slope minus beta. On training images the slope is that; on held-out ones it differs where a long training at low beta overfits.", "name": "fig-rate-distortion-curve"}}
ax = figures.plot_rate_distortion({"beta-VAE": curve}, betas="beta-VAE")
_ = figures.plot_tangents(curve, length=0.22, ax=ax)

# %% [markdown]
# :::{dropdown} About this chapter
# **After this you can**
#
# * read a rate-distortion curve, and predict its slope from $\beta$ alone;
# * recognise a collapsed model by a closed form;
# * translate a $\beta$ from one convention to another.
#
# **Before.** {ref}`quickstart` and {ref}`beta-convention`.
#
# **Time.** {reading}`half a minute to run`.
#
# **Reproduces.** The separately trained models of Figure 1 of {cite:t}`bae2023multirate`, in small: the curve, and the images reconstructed along it.
# :::

# %% [markdown]
# ## Two numbers of one model
#
# A VAE sends a datum $x$ through a noisy channel: the encoder turns it into $q_\phi(z \mid x)$, a sample $z$ is drawn, and the decoder says which $x$ it expects.
# Two numbers describe how well the channel works, both in nats.
# The **rate** {eq}`eq-rate` is how far the posterior is from the prior, on average: what the latent costs.
# The **distortion** {eq}`eq-distortion` is how surprised the decoder is by the $x$ that was sent: what the latent did not say.
#
# The two numbers bound what the latent knows, the mutual information $I_q(x; z)$, from both sides {cite:p}`alemi2018fixing`.
# With $H$ the entropy of the data,
#
# $$
# H - \text{distortion} \;\le\; I_q(x; z) \;\le\; \text{rate} .
# $$ (eq-sandwich)
#
# So rate plus distortion can never fall below $H$, whatever the network.
# For a finite training set of black and white images we even know $H$.
# It is $-\sum_i c_i \log c_i$ with $c_i$ the share of each different image, and at most $\log N$.

# %%
pixels = train.reshape(len(train), -1)
share = np.unique(pixels, axis=0, return_counts=True)[1] / len(train)
entropy = -(share * np.log(share)).sum()
print(f"{len(train)} training images, {len(share)} of them different")
most = np.log(len(train))
check(entropy, "entropy of the training images, in nats", at_most=most, digits=3)

# %% [markdown]
# The images are the 8×8 digits of scikit-learn in black and white.
# So the distortion is a binary cross-entropy, *summed* over 64 pixels.

# %% tags=["hide-cell"]
ends = dict(replicas=2, beta=[lowest, 1.0], batch_size=64, learning_rate=learning_rate)
first_steps = fit(model, train, epochs=6, **ends)
fingerprint(first_steps, replica=0)
fingerprint(first_steps, replica=1)

# %% [markdown]
# ## A higher price buys a lower rate
#
# The loss {eq}`eq-beta-loss` is $\text{distortion} + \beta\, \text{rate}$.
# It is the Lagrangian of a constrained problem: the least distortion for a budget of $u$ nats,
#
# $$
# \begin{aligned}
# & \text{distortion}^\star(u) \\
# & = \min_{\phi, \theta} \{ \text{distortion} : \text{rate} \le u \} ,
# \end{aligned}
# $$ (eq-constrained)
#
# and $\beta$ is the price of a nat.
# With $\beta$ near 0 the model buys as many nats as it can use, and becomes an autoencoder.
# Where the price exceeds what a nat is worth, the model buys none.
#
# The trainings of {numref}`fig-rate-distortion-curve` are one per price, all from the same seed.
# They run side by side, as one ensemble whose replicas differ in $\beta$ alone.
# One further replica pays $\beta = D = 64$; it belongs to {ref}`the commonest mistake <mean-reduction>`.

# %%
check(np.diff(curve.rate), "changes of the rate from price to price", below=0)
check(np.diff(curve.distortion), "changes of the distortion", above=0)
bound = (seen.rate + seen.distortion).min()
check(bound, "lowest rate + distortion, in nats, held against the entropy", above=entropy)
most = seen.rate.iloc[0]
check(most / entropy, "rate at the lowest price, over the entropy", above=4)

# %% [markdown]
# At the lowest price the rate is several times the entropy.
# The training set holds no more nats than its entropy, so the excess cannot be information about *which* image was sent.
# The excess is the distance between the average posterior and the prior.
# Such a model reconstructs well, and what it draws from the prior resembles nothing.
# So a low distortion alone proves little.
#
# ## The slope of the curve is minus β
#
# {numref}`fig-rate-distortion-curve` draws distortion over rate, a dot per model.
# Through each dot goes a segment of slope $-\beta$.
# All points on such a line have the same loss, and the optimum at $\beta$ is where the lowest line touches what is possible.
# So the segments are tangents of the curve, although each model was trained on its own.
#
# The proof has two lines.
# Let models 1 and 2 be the optima at $\beta_1 < \beta_2$.
# Neither model gains by taking the other's place at its own price:
#
# $$
# \begin{aligned}
# & \text{distortion}_1 + \beta_1 \, \text{rate}_1 \\
# & \quad \le \text{distortion}_2 + \beta_1 \, \text{rate}_2 , \\
# & \text{distortion}_2 + \beta_2 \, \text{rate}_2 \\
# & \quad \le \text{distortion}_1 + \beta_2 \, \text{rate}_1 , \\
# & \beta_1 \le -\frac{\text{distortion}_2 - \text{distortion}_1}{\text{rate}_2 - \text{rate}_1} \le \beta_2 .
# \end{aligned}
# $$ (eq-slope)
#
# The last line follows from the two inequalities.
# Between two optima the curve falls, for each nat, by an amount between their two prices, and in the limit its slope is $-\beta$.
# The proof assumes nothing about the network, so it gives a test of any training.
# Where the slope between two models lies outside their prices, one of the two is not at its optimum.

# %%
fair = seen[:num_betas]
alive = (fair.rate > 0.1).sum()
low, high = betas[: alive - 1], betas[1:alive]
slope = -np.diff(fair.distortion[:alive]) / np.diff(fair.rate[:alive])
check(slope / low, "fall between two models, over the lower price", above=0.9)
check(slope / high, "the same fall, over the higher price", below=1.1)

# %% [markdown]
# ## As nats get dear, digits lose their strokes
#
# What does a nat buy?
# Here are twelve held-out digits and their reconstructions, a row per model, from the lowest price to the highest.

# %% mystnb={"figure": {"caption": "Reconstructions lose individual strokes and end in one grey ghost as beta grows. The first row is twelve held-out digits. Each other row is their reconstruction by one training, lowest beta first. The rows are the images of the paper's Figure 1, in small.", "name": "fig-rate-distortion-images"}}
x = torch.as_tensor(test[:12]).float() / 255
drawn = [x, *ensemble.reconstruct(test[:12])[:num_betas]]
rows = ["data", *(f"β = {b:.2g}" for b in betas[:num_betas])]
strip = torch.cat([images.clamp(0, 1) for images in drawn])
_ = figures.plot_images(strip, columns=12, rows=rows, size=0.45)

# %% [markdown]
# Strokes first lose their individual shape.
# Then digits of similar form become one.
# In the last row all digits are the same grey ghost.
#
# The ghost has a closed form.
# A model with a rate of 0 can do no better than to predict every pixel $j$ by its frequency $p_j$, and then
#
# $$
# \begin{aligned}
# & \text{distortion} = - \sum_{j=1}^{D} \bigl( p_j \log p_j \\[-1ex]
# & \qquad\quad {} + (1 - p_j) \log (1 - p_j) \bigr) .
# \end{aligned}
# $$ (eq-collapsed)

# %%
p = (train.reshape(len(train), D) / 255).mean(0).clip(1e-12, 1 - 1e-12)
collapsed = -(p * np.log(p) + (1 - p) * np.log(1 - p)).sum()
last = fair.iloc[-1]
check(last.rate, "rate at the highest price, in nats", below=0.01, digits=0)
reached = last.distortion / collapsed
check(reached, "highest β: distortion, over that of independent pixels", near=1, within=0.01)

# %% [markdown]
# This state is called **posterior collapse**.
# It comes latent by latent.
# The count of active units {eq}`eq-active-units` shows how many are left: directions in which the posterior mean has a variance of at least 0.01.

# %% mystnb={"figure": {"caption": "The rate falls to zero and all latents fall silent as beta grows. The left panel shows rate (solid) and distortion (dashed) on held-out digits, in nats. The right panel counts active units; a dot is one training. The axis of beta is logarithmic.", "name": "fig-rate-distortion-collapse"}}
figure, (left, right) = figures.figure_row(2, width=3.4)
quantities = {"rate": curve.rate, "distortion": curve.distortion}
for name, values in quantities.items():
    style = "-" if name == "rate" else "--"
    left.plot(betas[:num_betas], values, style, color=figures.colour_of("beta-VAE"))
    left.annotate(name, (betas[0], values[0]), xytext=(6, 3), textcoords="offset points")
left.set(xscale="log", xlabel="beta", ylabel="nats")
units = active_units(ensemble.encode(test))[:num_betas]
active = {"beta-VAE": (betas[:num_betas], units)}
_ = figures.plot_over_beta(active, label="active units", ax=right)

# %%
check(units[0], "active units at the lowest price", equals=latent_dim)
check(units[-1], "active units at the highest price", equals=0)
check(np.diff(units), "changes of the count from price to price", at_most=0)

# %% [markdown]
# ## One model is one point
#
# Suppose that you have trained at $\beta = 1$ and find the reconstructions too coarse.
# Nothing in the trained model helps: its neighbours on the curve have other weights, and each costs a training of its own.
# People train five or ten models over a grid of $\beta$ {cite:p}`higgins2017beta,alemi2018fixing`, as we have just done, and choose.
# The idea of {cite:t}`bae2023multirate` is to learn the weights *as a function of* $\beta$, and so the whole curve in one training.
# For a linear model this function can be worked out by hand; {ref}`linear-vae` does it, and {ref}`theorem-one` tests what the paper says about it.
#
# (mean-reduction)=
# ## The commonest mistake: a mean in the place of a sum
#
# Deep-learning libraries average a loss over all elements unless told otherwise, and the rate is usually written out by hand, as a sum.
# Put together, the two give another loss than the one intended:
#
# $$
# \begin{aligned}
# & \tfrac1D \, \text{distortion} + \beta \, \text{rate} \\
# & = \tfrac1D \bigl( \text{distortion} + D \beta \, \text{rate} \bigr) .
# \end{aligned}
# $$ (eq-mean-reduction)
#
# The factor $1/D$ in front changes nothing.
# The factor $D$ inside changes everything: the price of a nat is $D$ times the one on the label.

# %%
one = ensemble.replica(int(np.argmin(np.abs(betas - 1))))
images = torch.as_tensor(train[:200]).float() / 255
with torch.no_grad():
    posterior = one.encode(images)
    rate, z = posterior.kl_divergence().mean(), posterior.mean
    recon = one.decode(z)
    averaged = torch.nn.functional.binary_cross_entropy(recon, images)
    summed = one.distortion(images, z).mean()
mistaken, intended = averaged + 1.0 * rate, (summed + D * 1.0 * rate) / D
same = float(mistaken / intended)
check(same, "averaged loss at β = 1, over that at β = D", near=1, within=1e-3, digits=0)

# %% [markdown]
# A user who asks for $\beta = 1$ in this way gets the replica that paid $\beta = D$.

# %%
at_one = int(np.argmin(np.abs(betas - 1)))
check(held_out.rate[at_one], "rate at β = 1, summed, in nats", above=4)
averaged_by_mistake = held_out.rate.iloc[-1]
check(averaged_by_mistake, "rate at β = 1, averaged by mistake", below=0.01, digits=0)

# %% [markdown]
# The mistake costs the whole latent space.
# No error is raised, the loss falls, and the samples look like blurred digits, as many people expect of a VAE.
# On images of 28×28 the factor is 784.
# The test is quick: **print the rate**, and if the rate is near 0, look for a mean.
#
# (two-conventions)=
# ## Two conventions for the same curve
#
# A Gaussian likelihood with variance $\sigma^2$ has one more source of confusion.
# Multiply the negative ELBO by $\sigma^2$, or by $2 \sigma^2$, and drop the constant:
#
# $$
# \begin{aligned}
# \tfrac12 \lVert x - \hat x \rVert^2 &+ \sigma^2 \, \text{rate} , \\
# \lVert x - \hat x \rVert^2 &+ 2 \sigma^2 \, \text{rate} .
# \end{aligned}
# $$ (eq-two-conventions)
#
# The same model is at "$\beta = \sigma^2$" for those who keep the ½ with the squared error and at "$\beta = 2\sigma^2$" for those who drop it.
# The paper has both, the first in its analysis of the linear model and the second in its experiments on colour images.
# This package keeps $\sigma^2$ in the likelihood as `noise_variance` and lets $\beta$ multiply the rate, {eq}`eq-beta-loss`, so that $\beta = 1$ is always the ELBO.
# Only the product $\beta \sigma^2$ matters for the weights.

# %%
variance = 0.1
gaussian = VAE.linear(5, 2, noise_variance=variance)
x = torch.randn(50, 5, generator=torch.Generator().manual_seed(0))
with torch.no_grad():
    posterior = gaussian.encode(x)
    z = posterior.mean
    rate, distortion = (
        posterior.kl_divergence().mean(),
        gaussian.distortion(x, z).mean(),
    )
    squared = (x - gaussian.decode(z)).square().sum(1).mean()
constant = 5 / 2 * np.log(2 * np.pi * variance)
elbo = distortion + rate - constant
half, whole = squared / 2 + variance * rate, squared + 2 * variance * rate
one, two = float(half / (variance * elbo)), float(whole / (2 * variance * elbo))
close = dict(within=1e-4, digits=0)
check(one, "loss at β = σ² with the ½ kept, over σ² times the ELBO", near=1, **close)
check(two, "loss at β = 2σ² with the ½ dropped, over 2σ² times the ELBO", near=1, **close)

# %% [markdown]
# ## Against the paper
#
# Figure 1 prints no numbers and shows other data and deeper networks.
# So its statements are compared.

# %%
best = held_out.distortion + held_out.rate
convex = np.diff(-np.diff(curve.distortion) / np.diff(curve.rate))
told = {
    "lower β, higher rate, lower distortion": (np.diff(curve.rate) < 0).all(),
    "convex: each nat buys less than the one before": (convex > 0).all(),
    "reconstructions blur as β grows": (np.diff(curve.squared_error) > 0).all(),
    "large β collapses to the prior": curve.rate.iloc[-1] < 0.01,
}
shared = ("Figure 1, Section 2.1", f"{num_betas} trainings")
tables.statements({name: (*shared, holds) for name, holds in told.items()})

# %%
check(sum(told.values()), "statements of the figure that hold here", equals=len(told))

# %% [markdown]
# *Deviations.* Digits of 8×8 pixels and one hidden layer instead of colour images and residual networks; seven models instead of ten; one seed.
#
# ## Take-aways
#
# * Rate is what the latent costs, distortion what it leaves unsaid; their sum is bounded below by the entropy of the data.
# * $\beta$ is the price of a nat, and minus the slope of the curve at the model it trains.
# * One training gives one point. A low distortion says little without the rate beside it.
# * A reconstruction loss averaged over $D$ elements multiplies $\beta$ by $D$; print the rate.
#
# There is one VAE whose curve can be written down without any training: {ref}`linear-vae`.
# To see many $\beta$ from one training of an ordinary network, go on to {ref}`multi-rate`.

# %% [markdown]
# ## Exercises
#
# :::{exercise} Compute
# :label: ex-rate-and-distortion-compute
# How many bits does the latent of the model with the best held-out ELBO carry at most?
# The table `held_out` has a row per model and the columns `rate` and `distortion`, in nats.
# :::

# %% tags=["hide-cell"]
winner = int(best.argmin())
expected = float(held_out.rate[winner] / np.log(2))

# %%
yours = None  # one line of yours
answer(yours, expected, digits=2)

# %% [markdown]
# :::{solution} ex-rate-and-distortion-compute
# :class: dropdown
# The negative ELBO is rate + distortion, and {eq}`eq-sandwich` bounds the information by the rate; a bit is $\log 2$ nats.
# The winner is the model that was trained for the ELBO, at $\beta = 1$.
# :::

# %% tags=["hide-cell"]
losses = held_out.rate + held_out.distortion
yours = float(held_out.rate[losses.idxmin()] / np.log(2))
answer(yours, expected, digits=2)
assert np.isclose(betas[winner], 1) and 4 < yours < 12

# %% [markdown]
# :::{exercise} Change
# :label: ex-rate-and-distortion-change
# Some code averages the rate over the $K$ latents and sums the distortion. Which $\beta$ is in effect when the label says 1?
# :::

# %% tags=["hide-cell"]
expected = 1 / latent_dim

# %%
yours = None  # one line of yours
answer(yours, expected)

# %% [markdown]
# :::{solution} ex-rate-and-distortion-change
# :class: dropdown
# The price falls by the factor $K$, to $\beta = 1/8$, and the rate rises.
# Interpolate in the curve to see how much: the next cell finds more than twice the rate.
# :::

# %% tags=["hide-cell"]
yours = 1 / latent_dim
answer(yours, expected)
interpolated = np.interp(np.log([yours, 1]), np.log(curve.beta), curve.rate)
assert interpolated[0] > 2 * interpolated[1]

# %% [markdown]
# :::{exercise} Think
# :label: ex-rate-and-distortion-think
# A colleague's model has half the distortion of yours, on the same data. Is it the better model?
# :::
#
# :::{solution} ex-rate-and-distortion-think
# :class: dropdown
# Not by that alone: it may sit further along the same curve.
# Here the model at the lowest price has a lower distortion than the model at $\beta = 1$, and a worse ELBO.
# Compare whole curves, or losses at one $\beta$.
# :::

# %% tags=["hide-cell"]
assert held_out.distortion[0] < 0.8 * held_out.distortion[winner]
assert best[0] > best[winner]

# %% [markdown]
# ## References
#
# {cite:t}`bae2023multirate`, {cite:t}`alemi2018fixing`, {cite:t}`higgins2017beta`; the {doc}`bibliography <../book/bibliography>` has the details.

# %% tags=["hide-cell"]
provenance(
    data=digits.info["title"],
    source=digits.info["source"],
    runs=f"{len(betas)} of {epochs} epochs, MLP {D}-{hidden_dim}-{latent_dim}",
)
