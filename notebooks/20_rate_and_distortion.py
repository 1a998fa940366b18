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
# # Rate and distortion
#
# :::{card}
# **Question.** What does $\beta$ choose, and why is one trained VAE only one point of something larger?
#
# **After this you can** read a rate-distortion curve, predict its slope from $\beta$ alone, recognise a collapsed model by a closed form, and translate a $\beta$ from one convention to another.
#
# **Before.** {ref}`quickstart` and {ref}`beta-convention`.
#
# **Time.** Fifteen minutes to read, half a minute to run.
#
# **Reproduces.** The separately trained models of Figure 1 of {cite:t}`bae2023multirate`, in small: the curve, and the images reconstructed along it.
# :::

# %% tags=["nbval-skip", "remove-cell"]
import importlib.util

if importlib.util.find_spec("rvae_lite") is None:
    get_ipython().run_line_magic("pip", 'install -q "rvae_lite[notebooks] @ git+REPOSITORY_URL"')

# %% tags=["parameters"]
dataset = "binary_digits"
latent_dim = 8
hidden_dim = 64
num_betas = 7
lowest = 0.01
highest = 10.0
epochs = 60
learning_rate = 3e-3

# %%
import numpy as np
import torch

from rvae_lite import VAE, data, fit, laws
from rvae_lite.metrics import active_units, rate_distortion_curve
from rvae_lite.reporting import figures, tables
from rvae_lite.reporting.claims import check, fingerprint, provenance

figures.use_style()
digits = data.load(dataset)
train, test = digits.x[digits.part == 1], digits.x[digits.part == 3]
D = int(np.prod(train.shape[1:]))

# %% [markdown]
# ## Two numbers of one model
#
# A VAE sends a datum $x$ through a noisy channel: the encoder turns it into $q_\phi(z \mid x)$, a sample $z$ is drawn, and the decoder says which $x$ it expects.
# Two numbers describe how well that goes, both in nats.
# The **rate** {eq}`eq-rate` is how far the posterior is from the prior, on average: what the latent costs.
# The **distortion** {eq}`eq-distortion` is how surprised the decoder is by the $x$ that was sent: what the latent did not say.
#
# They bound what the latent knows, the mutual information $I_q(x; z)$, from both sides {cite:p}`alemi2018fixing`; with $H$ the entropy of the data,
#
# $$
# H - \text{distortion} \;\le\; I_q(x; z) \;\le\; \text{rate} .
# $$ (eq-sandwich)
#
# So rate plus distortion can never fall below $H$, whatever the network.
# For discrete data and a finite training set we even know $H$: $-\sum_i c_i \log c_i$ with $c_i$ the share of each different image, at most $\log N$.

# %%
model = VAE.mlp(
    train.shape[1:],
    latent_dim,
    hidden=(hidden_dim,),
    likelihood="bernoulli",
    posterior="diagonal",
)
pixels = train.reshape(len(train), -1)
share = np.unique(pixels, axis=0, return_counts=True)[1] / len(train)
entropy = -(share * np.log(share)).sum()
print(f"{len(train)} training images, {len(share)} of them different")
print(f"their entropy: {entropy:.2f} nats, {entropy / np.log(2):.1f} bits")
check("that is at most log N", entropy <= np.log(len(train)))

# %% [markdown]
# The images are the 8×8 digits of scikit-learn, black and white, so that the distortion is a binary cross-entropy, *summed* over 64 pixels.
# A few epochs with this chapter's parameters leave a fingerprint:

# %%
ends = dict(replicas=2, beta=[lowest, 1.0], batch_size=64, learning_rate=learning_rate)
first_steps = fit(model, train, epochs=6, **ends)
fingerprint(first_steps, replica=0)
fingerprint(first_steps, replica=1)

# %% [markdown]
# ## What β does
#
# The loss {eq}`eq-beta-loss` is $\text{distortion} + \beta\, \text{rate}$.
# It is the Lagrangian of a constrained problem, the least distortion at a given rate $r$,
#
# $$
# \begin{aligned}
# & \text{distortion}^\star(r) \\
# & = \min_{\phi, \theta} \{ \text{distortion} : \text{rate} \le r \} ,
# \end{aligned}
# $$ (eq-constrained)
#
# and $\beta$ is the price of a nat.
# With $\beta$ near 0 the model buys as many nats as it can use and becomes an autoencoder; where the price exceeds what a nat is worth it buys none.
#
# We train one model per price, all from the same seed and side by side, as one ensemble whose replicas differ in $\beta$ alone.
# One further replica pays $\beta = D = 64$, for a reason to come.

# %%
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

# %%
check("a higher price buys a lower rate", (np.diff(curve.rate) < 0).all())
check("and leaves a higher distortion", (np.diff(curve.distortion) > 0).all())
bound = (seen.rate + seen.distortion).min()
check("rate + distortion never falls below the entropy", bound > entropy)
most = seen.rate.iloc[0]
check("at the lowest price the rate is over four times the entropy", most > 4 * entropy)

# %% [markdown]
# The last line deserves a thought.
# The training set holds at most $\log N$ nats, so a rate of several times that cannot be information about *which* image it is.
# The excess is the distance between the average posterior and the prior: such a model reconstructs well, and what it draws from the prior resembles nothing.
# This is why a low distortion alone proves little.
#
# ## The curve and its slope
#
# Draw distortion over rate, a dot per model.
# Through each dot goes a line of slope $-\beta$, because all points on it have the same loss, and the optimum at $\beta$ is where the lowest such line touches what is possible.

# %% mystnb={"figure": {"caption": "Separate trainings lie on one falling curve, whose slope at each is minus its beta. A dot is one training at its rate and distortion on held-out digits, with its beta beside it. The grey segment through a dot has slope minus beta.", "name": "fig-rate-distortion-curve"}}
ax = figures.plot_rate_distortion({"beta-VAE": curve}, betas="beta-VAE")
_ = figures.plot_tangents(curve, length=0.22, ax=ax)

# %% [markdown]
# The segments hug the curve although no two of the models know of each other.
#
# There is a proof in two lines.
# Let models 1 and 2 be the optima at $\beta_1 < \beta_2$.
# Neither gains by taking the other's place at its own price:
#
# $$
# \begin{aligned}
# & d_1 + \beta_1 r_1 \le d_2 + \beta_1 r_2 , \\
# & d_2 + \beta_2 r_2 \le d_1 + \beta_2 r_1 \\
# & \Longrightarrow \quad \beta_1 \le -\frac{d_2 - d_1}{r_2 - r_1} \le \beta_2 .
# \end{aligned}
# $$ (eq-slope)
#
# Between two optima the curve falls by an amount between their two prices, and in the limit its slope is $-\beta$.
# Nothing was assumed about the network, so this is a test of any training: where a secant lies outside, one of the two models is not at its optimum.

# %%
fair = seen[:num_betas]
alive = (fair.rate > 0.1).sum()
low, high = betas[: alive - 1], betas[1:alive]
slope = -np.diff(fair.distortion[:alive]) / np.diff(fair.rate[:alive])
inside = (slope > 0.9 * low) & (slope < 1.1 * high)
check(f"{alive - 1} secants lie between their prices, within a tenth", inside.all())

# %% [markdown]
# ## Images along the curve
#
# What does a nat buy?
# Here are twelve held-out digits and their reconstructions, a row per model, cheap nats first.

# %% mystnb={"figure": {"caption": "Reconstructions lose individual strokes and end in one grey ghost as beta grows. The first row is twelve held-out digits. Each other row is their reconstruction by one training, lowest beta first. The rows are the images of the paper's Figure 1, in small.", "name": "fig-rate-distortion-images"}}
x = torch.as_tensor(test[:12]).float() / 255
drawn = [x, *ensemble.reconstruct(test[:12])[:num_betas]]
rows = ["data", *(f"β = {b:.2g}" for b in betas[:num_betas])]
strip = torch.cat([images.clamp(0, 1) for images in drawn])
_ = figures.plot_images(strip, columns=12, rows=rows, size=0.45)

# %% [markdown]
# Strokes first lose their individual shape, then digits of similar form become one, and in the last row all digits are the same grey ghost.
#
# The ghost is no accident.
# A model without a rate can do no better than to predict every pixel by its frequency $p_j$, and then
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
check(f"at β = {highest:g} the rate is below 0.01 nats", last.rate < 0.01)
reached = np.isclose(last.distortion, collapsed, rtol=0.01)
check("and the distortion is that of independent pixels, within 1 %", reached)

# %% [markdown]
# This state is called **posterior collapse**.
# It comes latent by latent, which the count of active units {eq}`eq-active-units` shows: directions in which the posterior mean has a variance of at least 0.01.

# %% mystnb={"figure": {"caption": "The rate falls to zero and all latents fall silent as beta grows. The left panel shows rate (solid) and distortion (dashed) on held-out digits, in nats. The right panel counts active units; a dot is one training. The axis of beta is logarithmic.", "name": "fig-rate-distortion-collapse"}}
figure, (left, right) = figures.figure_row(2, width=3.4)
quantities = {"rate": curve.rate, "distortion": curve.distortion}
for name, values in quantities.items():
    style = "-" if name == "rate" else "--"
    left.plot(betas[:num_betas], values, style, color=figures.colour_of("beta-VAE"))
    left.annotate(
        name, (betas[0], values[0]), xytext=(6, 3), textcoords="offset points"
    )
left.set(xscale="log", xlabel="beta", ylabel="nats")
units = active_units(ensemble.encode(test))[:num_betas]
active = {"beta-VAE": (betas[:num_betas], units)}
_ = figures.plot_over_beta(active, label="active units", ax=right)

# %%
check("all latents are in use at the lowest price", units[0] == latent_dim)
check("none at the highest", units[-1] == 0)
check("and the count never rises on the way", (np.diff(units) <= 0).all())

# %% [markdown]
# ## One model is one point
#
# Now suppose that you have trained at $\beta = 1$ and find the reconstructions too coarse.
# Nothing in the trained model helps: its neighbours on the curve have other weights, and each costs a training of its own.
# People train five or ten models over a grid of $\beta$ {cite:p}`higgins2017beta,alemi2018fixing`, as we have just done, and choose.
# The idea of {cite:t}`bae2023multirate` is to learn the weights *as a function of* $\beta$, all of the curve in one training.
# Which function that has to be can be worked out by hand for a linear model; {ref}`linear-vae` does it, and {ref}`theorem-one` tests what the paper says about it.
#
# (mean-reduction)=
# ## The commonest mistake
#
# Deep-learning libraries average a loss over all elements unless told otherwise, and the rate is usually written out by hand, as a sum.
# Put together, they are another loss than the one intended:
#
# $$
# \begin{aligned}
# & \tfrac1D \, \text{distortion} + \beta \, \text{rate} \\
# & = \tfrac1D \bigl( \text{distortion} + D \beta \, \text{rate} \bigr) .
# \end{aligned}
# $$ (eq-mean-reduction)
#
# The factor in front changes nothing, the one inside everything: the price of a nat is $D$ times the one on the label.

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
same = torch.isclose(mistaken, intended, rtol=1e-3)
check(f"with the mean taken, a β of 1 is a β of {D}", same)

# %% [markdown]
# So what does a user get who asks for $\beta = 1$ in this way?
# The replica that paid $\beta = D$ knows:

# %%
labelled = ["summed, as meant", "averaged, by mistake"]
at_one = int(np.argmin(np.abs(betas - 1)))
both = held_out.iloc[[at_one, len(betas) - 1]]
print(f"{'distortion':22}{'beta in effect':>15}{'rate':>12}")
for name, row in zip(labelled, both.itertuples(), strict=True):
    rate = f"{row.rate:.0f}" if row.rate > 0.5 else "below 0.5"
    print(f"{name:22}{row.beta:>15.3g}{rate:>12}")
check("the mistake costs the whole latent space", both.rate.iloc[1] < 0.01)

# %% [markdown]
# No error is raised, the loss falls, and the samples look like blurred digits, which is what many people expect of a VAE.
# On images of 28×28 the factor is 784.
# The test is quick: **print the rate**, and if it is near 0, look for a mean.
#
# (two-conventions)=
# ## Two conventions for the same curve
#
# For a Gaussian likelihood with variance $\sigma^2$ there is one more source of confusion.
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
# This package keeps $\sigma^2$ in the likelihood as `noise_variance` and lets $\beta$ multiply the rate, {eq}`eq-beta-loss`, so that $\beta = 1$ is always the ELBO; only the product $\beta \sigma^2$ matters for the weights.

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
check("β = σ² where the ½ is kept", torch.isclose(half, variance * elbo, rtol=1e-4))
check("β = 2σ² where not", torch.isclose(whole, 2 * variance * elbo, rtol=1e-4))

# %% [markdown]
# ## Against the paper
#
# Figure 1 prints no numbers and shows other data and deeper networks, so what can be compared is what it says.

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
check("all four statements hold here", all(told.values()))

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
#
# ## Exercises
#
# **Compute.** Which of the models has the best held-out ELBO, and how many bits does its latent carry at most?
#
# ```{dropdown} Solution
# The negative ELBO is rate + distortion, and {eq}`eq-sandwich` bounds the information by the rate; a bit is $\log 2$ nats.
# The winner is the model that was trained for it, $\beta = 1$.
# ```

# %% tags=["hide-cell"]
winner = int(best.argmin())
assert np.isclose(betas[winner], 1) and 4 < held_out.rate[winner] / np.log(2) < 12

# %% [markdown]
# **Change.** Some code averages the rate over the $K$ latents as well, and sums the distortion. Which $\beta$ is in effect when the label says 1, and is that model's rate higher or lower?
#
# ```{dropdown} Solution
# The price falls by $K$, to $\beta = 1/8$: a higher rate. Interpolate in the curve to see how much.
# ```

# %% tags=["hide-cell"]
interpolated = np.interp(np.log([1 / latent_dim, 1]), np.log(curve.beta), curve.rate)
assert interpolated[0] > 2 * interpolated[1]

# %% [markdown]
# **Think.** A colleague's model has half the distortion of yours, on the same data. Is it the better model?
#
# ```{dropdown} Solution
# Not by that alone: it may sit further along the same curve.
# Here the model at the lowest price has a fraction of the distortion of the model at $\beta = 1$ and yet the worse ELBO.
# Compare whole curves, or losses at one $\beta$.
# ```

# %% tags=["hide-cell"]
assert held_out.distortion[0] < 0.8 * held_out.distortion[winner]
assert best[0] > best[winner]

# %% [markdown]
# ## References
#
# {cite:t}`bae2023multirate`, {cite:t}`alemi2018fixing`, {cite:t}`higgins2017beta`; the {doc}`bibliography <../book/bibliography>` has the details.

# %%
provenance(
    data=digits.info["title"],
    source=digits.info["source"],
    runs=f"{len(betas)} of {epochs} epochs, MLP {D}-{hidden_dim}-{latent_dim}",
)
