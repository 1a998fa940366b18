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
# (linear-vae)=
# # The linear VAE, solved exactly
#
# :::{card}
# **Question.** What is the best a VAE can do at each $\beta$, when encoder and decoder are matrices?
#
# **After this you can** derive the optimum in three steps, draw any data set's rate-distortion curve from its eigenvalues, say at which $\beta$ each latent collapses, and tell what turning the latent space costs.
#
# **Before.** {ref}`rate-and-distortion`, and eigenvalues of a covariance.
#
# **Time.** Twenty minutes to read, half a minute to run.
#
# **Reproduces.** The exact answers behind Section 2.2 and Figure 4 of {cite:t}`bae2023multirate`, against which the paper's linear experiment can be judged.
# :::

# %% tags=["nbval-skip", "remove-cell"]
import importlib.util

if importlib.util.find_spec("rvae_lite") is None:
    get_ipython().run_line_magic("pip", 'install -q "rvae_lite[notebooks] @ git+REPOSITORY_URL"')

# %% tags=["parameters"]
dataset = "digits"
latent_dim = 8
noise_variance = 0.1
num_betas = 7
lowest = 0.01
highest = 10.0
epochs = 240
learning_rate = 0.01

# %%
import numpy as np
import torch

from rvae_lite import VAE, data, fit, laws, linear_vae
from rvae_lite.reporting import figures, tables
from rvae_lite.reporting.claims import check, fingerprint, provenance
from rvae_lite.studies.linear import linear_curve

figures.use_style()
digits = data.load(dataset)
x = digits.x.reshape(len(digits.x), -1)
x = x - x.mean(0)
n, K, s2 = x.shape[1], latent_dim, noise_variance

# %% [markdown]
# ## The model
#
# Decoder and encoder are linear, and the posterior's covariance is diagonal and the same for all data {cite:p}`lucas2019blame`:
#
# $$
# \begin{aligned}
# p_\theta(x \mid z) &= \mathcal N(D z + \mu, \sigma^2 I) , \\
# q_\phi(z \mid x) &= \mathcal N(E (x - \mu), C) .
# \end{aligned}
# $$ (eq-linear-vae)
#
# $\mu$ is the mean of the data, which we subtract beforehand, and $\sigma^2$ is fixed.
# All the data have to say is their covariance $\Sigma$: since everything is linear, the expectations in rate and distortion are traces,
#
# $$
# \begin{aligned}
# & \text{rate} = \tfrac12 \bigl( \operatorname{tr} C + \operatorname{tr} E \Sigma E^\top \\
# & \qquad - K - \log \det C \bigr) , \\
# & \text{distortion} = \tfrac{n}{2} \log (2 \pi \sigma^2) \\
# & \qquad + \tfrac{1}{2\sigma^2} \bigl( \operatorname{tr} (I - D E)\, \Sigma\, (I - D E)^\top \\
# & \qquad\qquad + \operatorname{tr} D C D^\top \bigr) ,
# \end{aligned}
# $$ (eq-linear-losses)
#
# with $n$ the number of data dimensions, since the letter $D$ is taken here ({ref}`chapter-notation` lists the letters that this chapter and the next use in a sense of their own).


# %%
def rate_of(Sigma, E, C):
    return 0.5 * (C.sum() + np.trace(E @ Sigma @ E.T) - len(C) - np.log(C).sum())


def distortion_of(Sigma, E, D, C):
    missed = np.eye(len(D)) - D @ E
    error = np.trace(missed @ Sigma @ missed.T) + np.trace((D * C) @ D.T)
    return error / (2 * s2) + len(D) / 2 * np.log(2 * np.pi * s2)


random = np.random.default_rng(0)
Sigma = np.cov(x.T.astype(float), bias=True)
E, decoder = 0.2 * random.normal(size=(K, n)), 0.2 * random.normal(size=(n, K))
C = random.uniform(0.1, 1, K)

# %% [markdown]
# Are the traces right?
# We put random matrices into the package's sampled model and let it draw: two hundred samples of the posterior for every digit.

# %%
sampled = VAE.linear(n, K, noise_variance=s2).double()
with torch.no_grad():
    sampled.head.linear.weight.copy_(torch.from_numpy(E))
    sampled.decoder[0].weight.copy_(torch.from_numpy(decoder))
    sampled.head.log_scale.value.copy_(torch.from_numpy(C).log() / 2)
    for bias in (sampled.head.linear.bias, sampled.decoder[0].bias):
        bias.zero_()
    images, noise = torch.from_numpy(x).double(), torch.Generator().manual_seed(0)
    posterior = sampled.encode(images)
    draws = [torch.randn(len(x), K, generator=noise).double() for _ in range(200)]
    means = [sampled.distortion(images, posterior.sample(e)).mean() for e in draws]
    kl = posterior.kl_divergence().mean()
means = torch.stack(means).numpy()
error = means.std(ddof=1) / np.sqrt(len(means))
exact = distortion_of(Sigma, E, decoder, C)
check("the rate is the trace formula", np.isclose(kl, rate_of(Sigma, E, C)))
near = abs(means.mean() - exact) < 4 * error
check("the sampled distortion meets it within four standard errors", near)
check("which are less than a thousandth of it", error < 1e-3 * exact)

# %% [markdown]
# ## Step 1: the best encoder, given the decoder
#
# Hold $D$ fixed and write $v = \beta \sigma^2$, for only this product will matter.
# The loss is quadratic in $E$; setting its derivative to zero,
#
# $$
# E = (D^\top D + v I)^{-1} D^\top ,
# $$ (eq-best-encoder)
#
# a ridge regression of $z$ on $x$ in which the rate plays the penalty.
#
# ## Step 2: the best posterior, given the decoder
#
# $C$ appears in $\tfrac{1}{2\sigma^2} \sum_k C_{kk} \lVert D_k \rVert^2 + \tfrac\beta2 \sum_k (C_{kk} - \log C_{kk})$, with $D_k$ the $k$-th column, so
#
# $$
# C_{kk} = \frac{v}{\lVert D_k \rVert^2 + v} .
# $$ (eq-best-posterior)
#
# A latent that the decoder reads loudly is written precisely; one that it ignores keeps the variance of the prior, 1.


# %%
def best_encoder(D, v):
    return np.linalg.solve(D.T @ D + v * np.eye(D.shape[1]), D.T)


def best_posterior(D, v):
    return v / (np.square(D).sum(0) + v)


def loss(Sigma, E, D, C, beta):
    return distortion_of(Sigma, E, D, C) + beta * rate_of(Sigma, E, C)


beta = 1.0
E1, C1 = best_encoder(decoder, beta * s2), best_posterior(decoder, beta * s2)
answered = loss(Sigma, E1, decoder, C1, beta)
worse = [
    loss(Sigma, E1 + step, decoder, C1 * np.exp(nudge), beta) - answered
    for step, nudge in zip(
        0.01 * random.normal(size=(100, K, n)),
        0.01 * random.normal(size=(100, K)),
        strict=True,
    )
]
check("a hundred small steps away from these answers all cost", min(worse) > 0)

# %% [markdown]
# ## Step 3: the decoder
#
# Allow any covariance $C$ for a moment.
# Then $q$ can be the true posterior of the model with noise variance $v$, and the loss is $\beta$ times that model's exact negative log-likelihood, up to a constant:
#
# $$
# \begin{aligned}
# \mathcal L_\beta &= \tfrac\beta2 \bigl( \log \det S + \operatorname{tr} S^{-1} \Sigma \bigr) \\
# & \quad + \text{const} , \\
# S &= D D^\top + v I .
# \end{aligned}
# $$ (eq-ppca)
#
# This is probabilistic PCA with a given noise variance {cite:p}`tipping1999probabilistic`.
# Let $\Sigma = U \operatorname{diag}(\lambda) U^\top$ with $\lambda_1 \ge \lambda_2 \ge \dots$
# For given eigenvalues of $S$ the trace is least when $S$ has the eigenvectors of $\Sigma$, in the same order (von Neumann's inequality), and what remains is a sum of $\log s_i + \lambda_i / s_i$.
# Each term is least at $s_i = \lambda_i$, but $s_i \ge v$, and only $K$ of the $s_i$ may exceed $v$.
# So the $K$ leading components get $s_i = \max(\lambda_i, v)$ and the others $v$, which says
#
# $$
# \begin{aligned}
# D &= U_K \Lambda^{1/2} G\, R , \\
# g_i &= \sqrt{\max(0,\, 1 - \beta \sigma^2 / \lambda_i)} ,
# \end{aligned}
# $$ (eq-best-decoder)
#
# where $G = \operatorname{diag}(g)$ and $R$ is any rotation.
# Now recall that $C$ must be diagonal.
# The true posterior's covariance is $v (D^\top D + v I)^{-1}$, so the bound is reached if and only if $D^\top D = R^\top \Lambda G^2 R$ is diagonal too.
# If the active $\lambda_i$ are distinct, $R$ can do no more than reorder latents and flip their signs: it is a **signed permutation** $Q$.
# Put back into steps 1 and 2, with $\lambda_i g_i^2 + v = \lambda_i$ for active latents,
#
# $$
# \begin{aligned}
# D^\star &= U_K \Lambda^{1/2} G\, Q , \\
# E^\star &= Q^\top \Lambda^{-1/2} G\, U_K^\top , \\
# C^\star &= Q^\top (I - G^2)\, Q .
# \end{aligned}
# $$ (eq-linear-optimum)
#
# The same $g_i$ gates encoder and decoder, and $1 - g_i^2 = \min(1, \beta\sigma^2/\lambda_i)$ is the variance.


# %%
def optimum_of(Sigma, K, beta):
    values, U = np.linalg.eigh(Sigma)
    values, U = values[::-1][:K], U[:, ::-1][:, :K]
    g = np.sqrt(np.maximum(0, 1 - beta * s2 / values))
    return (U * g / np.sqrt(values)).T, U * np.sqrt(values) * g, 1 - g**2


E_star, D_star, C_star = optimum_of(Sigma, K, beta)
library = linear_vae.optimum(Sigma, latent_dim=K, beta=beta, noise_variance=s2)
products = np.allclose(D_star @ E_star, library.decoder @ library.encoder)
check("three lines give the library's optimum", products)
ours = loss(Sigma, E_star, D_star, C_star, beta)
rivals = []
for scale in np.geomspace(1e-3, 1, 300):
    D_rival = D_star + scale * random.normal(size=D_star.shape)
    answers = best_encoder(D_rival, beta * s2), best_posterior(D_rival, beta * s2)
    rivals.append(loss(Sigma, answers[0], D_rival, answers[1], beta))
check("300 other decoders with their best answers all cost more", min(rivals) > ours)

# %% [markdown]
# ## Reverse water-filling
#
# Insert {eq}`eq-linear-optimum` into {eq}`eq-linear-losses`:
#
# $$
# \begin{aligned}
# & \text{rate} = \tfrac12 \sum_{i \le K} \max\Bigl(0, \log \frac{\lambda_i}{\beta\sigma^2}\Bigr) , \\
# & \text{distortion} = \tfrac n2 \log(2\pi\sigma^2) \\
# & + \tfrac{1}{2\sigma^2} \Bigl( \sum_{i \le K} \min(\lambda_i, \beta\sigma^2) + \sum_{i > K} \lambda_i \Bigr) .
# \end{aligned}
# $$ (eq-exact-curve)
#
# This is Shannon's rate-distortion function of a Gaussian source, cut off at $K$ components {cite:p}`cover2006elements`.
# Think of the eigenvalues as a row of bars, flooded up to the **water level** $\beta\sigma^2$: what is under water is given up, and what stands out is transmitted, at half a nat for each factor of $e$.


# %%
def water_filling(values, K, beta):
    level = beta * s2
    kept, dropped = values[:K], values[K:]
    rate = 0.5 * np.maximum(0, np.log(kept / level)).sum()
    lost = np.minimum(kept, level).sum() + dropped.sum()
    constant = len(values) / 2 * np.log(2 * np.pi * s2)
    return rate, lost / (2 * s2) + constant


values = np.linalg.eigvalsh(Sigma)[::-1].clip(0)
rate, distortion = water_filling(values, K, beta)
check("rate as from the matrices", np.isclose(rate, rate_of(Sigma, E_star, C_star)))
matrices = distortion_of(Sigma, E_star, D_star, C_star)
check("distortion as from the matrices", np.isclose(distortion, matrices))

# %% mystnb={"figure": {"caption": "The water level rises with beta and drowns the principal components, smallest first. A bar is the variance of one of the first twenty principal components of the digits. Grey is given up as distortion, colour is kept as rate, the line is the level. The model has eight latents, so components beyond the eighth are always lost.", "name": "fig-linear-water-filling"}}
figure, axes = figures.figure_row(3, width=2.9, height=2.6)
for ax, price in zip(axes, (0.3, 1.5, 4.5), strict=True):
    figures.plot_water_filling(values[:20], price * s2, latent_dim=K, ax=ax)
    ax.set_title(f"β = {price:g}")
_ = axes[0].legend()

# %% [markdown]
# From left to right the water rises and the components drown, smallest first.
# Those beyond the eighth have no latent and are lost at any price.
#
# ## The exact curve
#
# As $\beta$ grows, each active latent loses rate at $\tfrac{1}{2\beta}$ and adds distortion at $\tfrac12$, so the slope is $-\beta$ as {eq}`eq-slope` demands.
# A latent goes when the water reaches it, at
#
# $$
# \beta_i = \lambda_i / \sigma^2 .
# $$ (eq-collapse)

# %%
dense = np.geomspace(lowest, highest, 400)
options = dict(latent_dim=K, noise_variance=s2)
exact = linear_vae.rate_distortion(Sigma, betas=dense, **options)
active = exact.active_units.numpy()
alive = active > 0
fall, rise = (np.gradient(v.numpy()[alive]) for v in (exact.distortion, exact.rate))
slope = (fall / rise)[1:-1]
close = np.allclose(slope, -dense[alive][1:-1], rtol=0.02)
check("the slope of the exact curve is −β, to within 2 % by differences", close)
gone = linear_vae.collapse_betas(Sigma, **options).numpy()
counted = [(gone > b).sum() for b in dense]
check("active units count the prices that are not reached", (active == counted).all())
print("collapse at β =", ", ".join(f"{b:.2f}" for b in gone))

# %% [markdown]
# ## A trained model lands on it
#
# Now the test of the engine: linear VAEs trained by sampling and Adam, in ignorance of all this, one replica per $\beta$.
# A short training first, for the fingerprint:

# %%
model = VAE.linear(n, K, noise_variance=s2)
betas = np.geomspace(lowest, highest, num_betas)
plan = dict(replicas=num_betas, beta=betas, batch_size=100, compile=False)
plan |= dict(learning_rate=laws.Cosine(learning_rate))
first_steps = fit(model, x[:1000], epochs=20, **plan)
for replica in (0, num_betas - 1):
    fingerprint(first_steps, replica=replica)

# %% mystnb={"figure": {"caption": "Trained linear VAEs land on the closed form. The lines are the exact solution, the dots seven trainings at seven values of beta. The panels show distortion over rate, the rate, and the latents in use, on 8×8 digits.", "name": "fig-linear-trained"}}
trained = fit(model, x, epochs=epochs, **plan)
reached = linear_curve(trained, x)
best = linear_vae.rate_distortion(Sigma, betas=betas, **options)
figure, (left, middle, right) = figures.figure_row(3, width=3.0)
ways = {"exact": exact, "beta-VAE": reached}
figures.plot_rate_distortion(ways, lines=["exact"], ax=left)
rates = {"exact": (dense, exact.rate), "beta-VAE": (betas, reached.rate)}
figures.plot_over_beta(rates, label="rate in nats", lines=["exact"], ax=middle)
means = trained.encode(x).numpy()
used = [(np.var(m, axis=0) > 0.01).sum() for m in means]
units = {"exact": (dense, active), "beta-VAE": (betas, used)}
_ = figures.plot_over_beta(units, label="active units", lines=["exact"], ax=right)

# %% [markdown]
# How close, in numbers?
# The constant $\tfrac n2 \log(2\pi\sigma^2)$ is negative here and lets the loss pass through zero, where a relative gap means nothing; we leave it out of
#
# $$
# \text{gap}(\beta) = \frac{\mathcal L_\beta - \tfrac n2 \log(2\pi\sigma^2)}{\mathcal L_\beta^\star - \tfrac n2 \log(2\pi\sigma^2)} - 1 .
# $$ (eq-relative-gap)

# %%
constant = n / 2 * np.log(2 * np.pi * s2)
optimal = (best.distortion + torch.from_numpy(betas) * best.rate).numpy()
gap = (reached.loss - constant) / (optimal - constant) - 1
check("no training beats the closed form", (gap > 0).all())
check("for β ≥ 0.1 the gap is below 2 %", gap[betas > 0.09].max() < 0.02)
check("at all β below 5 %", gap.max() < 0.05)
check("and at β ≥ 1 below 0.2 %", gap[betas > 0.9].max() < 0.002)

# %% [markdown]
# And the latents themselves?
# Up to order and sign they should be principal components, not just span them.
# We take for each latent in use the component that is nearest to its column of $D$.

# %%
U = np.linalg.eigh(Sigma)[1][:, ::-1][:, :K]


def nearest_components(replica):
    weights = trained.replica(replica).decoder[0].weight.detach().double().numpy()
    cosine = np.abs(U.T @ weights) / np.linalg.norm(weights, axis=0)
    return cosine.max(0).min(), cosine.argmax(0)


at_one = int(np.argmin(np.abs(betas - 1)))
worst, found = nearest_components(at_one)
check("β = 1: every latent is one component, cosine above 0.9", worst > 0.9)
check("and no two are the same one", len(set(found)) == K)
mixed = nearest_components(0)[0]
check(f"β = {lowest:g}: some latent mixes components, cosine below 0.85", mixed < 0.85)

# %% [markdown]
# At small $\beta$ the model is within a few per cent of the best loss and yet not at its axes.
# The next section says why it may.
#
# %% [markdown]
# (cost-of-a-rotation)=
# ## What a rotation costs
#
# The diagonal $C$ is what fixes the axes.
# Turn the latents of the optimum by any $R$, adapt encoder and posterior by steps 1 and 2, and the loss rises by
#
# $$
# \begin{aligned}
# \Delta \mathcal L &= \tfrac\beta2 \Bigl( \sum_k \log M_{kk} - \log \det M \Bigr) , \\
# M &= R^\top \operatorname{diag}\bigl(\tfrac{\max(\lambda_i, v)}{v}\bigr) R .
# \end{aligned}
# $$ (eq-rotation)
#
# For any decoder $M$ is $D^\top D / v + I$.
# The cost is never negative, by Hadamard's inequality, and zero only for diagonal $M$.
# In two dimensions, at 45 degrees, it is $\beta$ times the logarithm of the arithmetic over the geometric mean of the two variances.


# %%
def turned(i, j, angle):
    R = np.eye(K)
    c, s = np.cos(angle), np.sin(angle)
    R[[i, i, j, j], [i, j, i, j]] = c, -s, s, c
    return R


def cost_of(R, beta, full=False):
    v = beta * s2
    decoder = optimum_of(Sigma, K, beta)[1] @ R
    M = R.T @ np.diag(np.maximum(values[:K], v) / v) @ R
    formula = beta / 2 * (np.log(np.diag(M)).sum() - np.linalg.slogdet(M)[1])
    answers = best_encoder(decoder, v), best_posterior(decoder, v)
    by_loss = loss(Sigma, answers[0], decoder, answers[1], beta)
    by_loss -= loss(Sigma, *optimum_of(Sigma, K, beta), beta)
    return formula, by_loss


angles = np.linspace(0, np.pi, 61)
pairs = np.array([cost_of(turned(0, K - 1, a), beta) for a in angles])
check("the formula is the difference of losses", np.allclose(*pairs.T, atol=1e-9))
free = np.allclose(pairs[[0, 30, 60], 0], 0, atol=1e-9)
check("a quarter turn, which swaps two latents, costs nothing", free)
pair = np.maximum(values[[0, K - 1]], beta * s2)
means_ratio = pair.mean() / np.sqrt(pair.prod())
peak = np.isclose(pairs[15, 0], beta * np.log(means_ratio))
check("45 degrees cost β log (arithmetic / geometric mean)", peak)

# %% mystnb={"figure": {"caption": "Turning two latents of the optimum against each other costs a fraction of a nat. The lines show the extra loss at beta = 1 over the angle of the turn. The solid line turns the first and the last latent, the dashed line the first two. A quarter turn swaps two latents and costs nothing.", "name": "fig-linear-rotation"}}
ax = figures.figure_row(1, width=4.2)[1]
for name, (i, j) in {f"1 and {K}": (0, K - 1), "1 and 2": (0, 1)}.items():
    costs = [cost_of(turned(i, j, a), beta)[0] for a in angles]
    style = "-" if j > 1 else "--"
    ax.plot(np.degrees(angles), costs, style, color=figures.colour_of("exact"), label=name)
ax.set(xlabel="rotation in degrees", ylabel="extra loss at β = 1, nats")
ax.set_xticks([0, 45, 90, 135, 180])
_ = ax.legend(title="latents turned")

# %% [markdown]
# The price of the turn is a fraction of a nat, smaller still for components of similar variance, and it vanishes with $\beta$: at small $\beta$ the axes are held by a thread.
# So much for the mixed latents: their decoder's $M$, put into {eq}`eq-rotation`, tells what their axes cost.
#

# %%
weights = trained.replica(0).decoder[0].weight.detach().double().numpy()
M = weights.T @ weights / (lowest * s2) + np.eye(K)
mixing = lowest / 2 * (np.log(np.diag(M)).sum() - np.linalg.slogdet(M)[1])
share = mixing / (optimal[0] - constant)
check(f"β = {lowest:g}: mixing costs less than 0.1 % of the loss", share < 1e-3)

# %% [markdown]
# With a *full* covariance $C$ nothing holds them.
# The bound {eq}`eq-ppca` is then reached for every $R$, and two trainings differ by an arbitrary rotation.
# That is the freedom which Rosetta points take away (see {ref}`eight-gaussians`), and why `metrics.active_units` counts eigenvalues rather than axes.

# %%
R = np.linalg.qr(random.normal(size=(K, K)))[0]
v, decoder = beta * s2, optimum_of(Sigma, K, beta)[1] @ R
full = torch.from_numpy(v * np.linalg.inv(decoder.T @ decoder + v * np.eye(K)))
matrices = [torch.from_numpy(m) for m in (best_encoder(decoder, v), decoder)]
total = linear_vae.expected_distortion(
    Sigma, *matrices, posterior=full, noise_variance=s2
) + beta * linear_vae.expected_rate(Sigma, matrices[0], full)
check("with a full covariance a random rotation is free", np.isclose(total, ours))
check("with a diagonal one it is not", cost_of(R, beta)[1] > 0.01)

# %% [markdown]
# ## Against the paper
#
# The paper states that the linear VAE has analytic solutions, and plots a trained curve beside trained points in its Figure 4, with no numbers.
# Here the points are compared with the solution itself.

# %%
near, collapsed = gap.max() < 0.05, used[-1] < used[0]
rows = {
    "linear VAE has a closed form": ("Section 2.2", "derived, checked", True),
    "separate trainings give its curve": ("Figure 4", "gap < 5 %", near),
    "the posterior collapses as β grows": ("Section 2.1", "exact β", collapsed),
}
tables.statements(rows)

# %% [markdown]
# *Deviations.* Digits of 8×8 pixels instead of MNIST, $K = 8$ instead of 32, one matrix on either side instead of two, full expectations instead of a test set.
#
# ## Take-aways
#
# * At every $\beta$ the optimum is PCA, each component gated by $g_i = \sqrt{\max(0, 1 - \beta\sigma^2/\lambda_i)}$, in the encoder and in the decoder alike.
# * Rate and distortion are reverse water-filling with level $\beta\sigma^2$; latent $i$ collapses at $\beta = \lambda_i/\sigma^2$.
# * The axes are fixed, up to order and sign, by the diagonal covariance alone, and only weakly.
# * The closed form is a yardstick for any training procedure.
#
# {ref}`theorem-one` holds the gates of the multi-rate VAE against it, and {ref}`one-space-every-rate` reads off it where a Rosetta point has to stand at each $\beta$.
#
# ## Exercises
#
# **Compute.** For which $\sigma^2$ is the last of the eight latents about to collapse at $\beta = 1$?
#
# ```{dropdown} Solution
# By {eq}`eq-collapse`, when $\sigma^2 = \lambda_8$.
# ```

# %% tags=["hide-cell"]
count = lambda variance: int(
    linear_vae.rate_distortion(
        Sigma, betas=[1.0], latent_dim=K, noise_variance=variance
    ).active_units
)
assert count(0.99 * values[K - 1]) == K and count(1.01 * values[K - 1]) == K - 1

# %% [markdown]
# **Change.** Double $\sigma^2$ and halve $\beta$. Which of $D$, $E$, $C$, rate and distortion change?
#
# ```{dropdown} Solution
# Only the product is in {eq}`eq-linear-optimum`, so the weights and the rate stay; the distortion is measured in other units.
# ```

# %% tags=["hide-cell"]
one, other = (
    linear_vae.optimum(Sigma, latent_dim=K, beta=b, noise_variance=s)
    for b, s in ((1.0, s2), (0.5, 2 * s2))
)
assert torch.allclose(one.decoder, other.decoder)
assert torch.isclose(one.rate, other.rate)
assert not torch.isclose(one.distortion, other.distortion)

# %% [markdown]
# **Think.** Two eigenvalues of your data are equal. What does the optimum leave open?
#
# ```{dropdown} Solution
# Any rotation of the two latents: {eq}`eq-rotation` is then zero at every angle.
# ```

# %% tags=["hide-cell"]
equal = np.array([3.0, 3.0]) / 0.1
R2 = turned(0, 1, 0.7)[:2, :2]
M = R2.T @ np.diag(equal) @ R2
assert np.isclose(np.log(np.diag(M)).sum(), np.linalg.slogdet(M)[1])

# %% [markdown]
# ## References
#
# {cite:t}`bae2023multirate`, {cite:t}`lucas2019blame`, {cite:t}`tipping1999probabilistic`, {cite:t}`cover2006elements`; the {doc}`bibliography <../book/bibliography>` has the details.

# %%
provenance(
    data=digits.info["title"],
    source=digits.info["source"],
    runs=f"{num_betas} of {epochs} epochs, linear, K = {K}",
)
