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
# # The best linear VAE is PCA with gates
#
# :::{card}
# **Question.** What is the best that a VAE can do at each $\beta$, when its encoder and its decoder are matrices?
#
# **Answer.** It is principal component analysis (PCA) with a gate on each component: $\beta$ sets a water level, and the model gives up every variance below that level.
# :::

# %% tags=["nbval-skip", "remove-cell"]
import importlib.util

if importlib.util.find_spec("rvae_lite") is None:
    get_ipython().run_line_magic("pip", 'install -q "rvae_lite[notebooks] @ git+REPOSITORY_URL"')

# %% tags=["parameters", "hide-cell"]
dataset = "digits"
latent_dim = 8
noise_variance = 0.1
num_betas = 7
lowest = 0.01
highest = 10.0
epochs = 240
learning_rate = 0.01

# %% tags=["hide-cell"]
import numpy as np
import torch

from rvae_lite import VAE, data, fit, laws, linear_vae
from rvae_lite.reporting import figures, tables
from rvae_lite.reporting.claims import answer, check, fingerprint, provenance
from rvae_lite.studies.linear import linear_curve

figures.use_style()
digits = data.load(dataset)
x = digits.x.reshape(len(digits.x), -1)
x = x - x.mean(0)
n, K, s2 = x.shape[1], latent_dim, noise_variance

# %% mystnb={"figure": {"caption": "The water level rises with beta and drowns the principal components, smallest first. A bar is the variance of one of the first twenty principal components of 8×8 digits. The grey part is given up as distortion, the coloured part is kept as rate, and the line is the water level. The model has eight latents, so the components after the eighth are lost at every beta.", "name": "fig-linear-water-filling"}}
Sigma = np.cov(x.T.astype(float), bias=True)
values = np.linalg.eigvalsh(Sigma)[::-1].clip(0)
figure, axes = figures.figure_row(3, width=2.9, height=2.6)
for ax, price in zip(axes, (0.3, 1.5, 4.5), strict=True):
    figures.plot_water_filling(values[:20], price * s2, latent_dim=K, ax=ax)
    ax.set_title(f"β = {price:g}")
_ = axes[0].legend()

# %% [markdown]
# :::{dropdown} About this chapter
# **After this you can** derive the optimum in three steps, draw the rate-distortion curve of a data set from its eigenvalues, say at which $\beta$ each latent collapses, and tell what it costs to turn the latent space.
#
# **Before.** {ref}`rate-and-distortion`, and the eigenvalues of a covariance matrix.
#
# **Time.** {reading}`half a minute to run`.
#
# **Reproduces.** The exact answers behind Section 2.2 and Figure 4 of {cite:t}`bae2023multirate`. The paper's linear experiment can be judged against these answers.
# :::

# %% [markdown]
# ## The model
#
# Most VAEs have no formula for their best weights.
# The linear VAE has one, so it can tell us whether a training is good.
# Its decoder and its encoder are linear, and its posterior has one diagonal covariance for all data {cite:p}`lucas2019blame`:
#
# $$
# \begin{aligned}
# p_\theta(x \mid z) &= \mathcal N(D z + \mu, \sigma^2 I) , \\
# q_\phi(z \mid x) &= \mathcal N(E (x - \mu), C) .
# \end{aligned}
# $$ (eq-linear-vae)
#
# Here $D$ is the decoder's matrix, $E$ the encoder's matrix and $C$ the posterior covariance.
# The vector $\mu$ is the mean of the data, which we subtract beforehand, and $\sigma^2$ is fixed.
# The model sees only one property of the data, their covariance $\Sigma$.
# Rate and distortion are then traces of matrices:
#
# $$
# \begin{aligned}
# & \text{rate} = \tfrac12 \bigl( \operatorname{tr} C + \operatorname{tr} E \Sigma E^\top \\
# & \qquad - K - \log \det C \bigr) , \\
# & \text{distortion} = \tfrac{n}{2} \log (2 \pi \sigma^2) \\
# & \qquad + \tfrac{1}{2\sigma^2} \bigl( \operatorname{tr} (I - D E)\, \Sigma\, (I - D E)^\top \\
# & \qquad\qquad + \operatorname{tr} D C D^\top \bigr) .
# \end{aligned}
# $$ (eq-linear-losses)
#
# The letter $n$ counts the data dimensions, because $D$ is the decoder here.
# {ref}`linear-letters` lists the letters that this chapter and the next use in a sense of their own.


# %%
def rate_of(Sigma, E, C):
    return 0.5 * (C.sum() + np.trace(E @ Sigma @ E.T) - len(C) - np.log(C).sum())


def distortion_of(Sigma, E, D, C):
    missed = np.eye(len(D)) - D @ E
    error = np.trace(missed @ Sigma @ missed.T) + np.trace((D * C) @ D.T)
    return error / (2 * s2) + len(D) / 2 * np.log(2 * np.pi * s2)


random = np.random.default_rng(0)
E, decoder = 0.2 * random.normal(size=(K, n)), 0.2 * random.normal(size=(n, K))
C = random.uniform(0.1, 1, K)

# %% [markdown]
# Are the traces right?
# We put random matrices into the package's model, which draws samples.
# For every digit we draw two hundred samples of the posterior and average their distortion.

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
    kl = float(posterior.kl_divergence().mean())
means = torch.stack(means).numpy()
error = means.std(ddof=1) / np.sqrt(len(means))
exact = distortion_of(Sigma, E, decoder, C)
apart = abs(kl / rate_of(Sigma, E, C) - 1)
check(apart, "rate of the model and of the trace, relative difference", below=1e-5, digits=0)
away = abs(means.mean() - exact) / error
check(away, "sampled distortion minus the trace, in standard errors", below=4)
check(error / exact, "a standard error, as a share of the distortion", below=1e-3)

# %% [markdown]
# ## Steps 1 and 2: encoder and posterior follow from the decoder
#
# Only the product of $\beta$ and $\sigma^2$ matters for the weights, so we write $v = \beta \sigma^2$.
#
# :::{prf:lemma} Best answers to a decoder
# :label: lem-best-answers
#
# For a given decoder $D$ with columns $D_k$, the loss is least for
#
# $$
# E = (D^\top D + v I)^{-1} D^\top ,
# $$ (eq-best-encoder)
#
# $$
# C_{kk} = \frac{v}{\lVert D_k \rVert^2 + v} .
# $$ (eq-best-posterior)
# :::
#
# :::{prf:proof}
# The loss is quadratic in $E$, and {eq}`eq-best-encoder` is where its derivative is zero.
# The terms with $C$ are $\tfrac{1}{2\sigma^2} \sum_k C_{kk} \lVert D_k \rVert^2 + \tfrac\beta2 \sum_k (C_{kk} - \log C_{kk})$.
# Each summand is convex in $C_{kk}$ and least at {eq}`eq-best-posterior`. ∎
# :::
#
# Both answers have a plain meaning.
# The encoder is a ridge regression of $z$ on $x$, and the rate plays the part of the penalty.
# The posterior is precise for a latent that the decoder amplifies: a column of length $\lVert D_k \rVert^2 = 9 v$ gives the variance 0.1.
# A latent that the decoder ignores keeps the variance of the prior, 1.


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
check(worse, "extra loss a hundred small steps away from the answers, nats", above=0)

# %% [markdown]
# ## Step 3: the best decoder is PCA with gates
#
# :::{prf:theorem} The optimum of the linear VAE
# :label: thm-linear-optimum
#
# Let $\Sigma = U \operatorname{diag}(\lambda) U^\top$ with $\lambda_1 \ge \lambda_2 \ge \dots$, let $U_K$ and $\Lambda$ hold the first $K$ eigenvectors and eigenvalues, and let $G = \operatorname{diag}(g)$ with
#
# $$
# g_i = \sqrt{\max(0,\, 1 - \beta \sigma^2 / \lambda_i)} .
# $$ (eq-best-decoder)
#
# The loss is least for
#
# $$
# \begin{aligned}
# D^\star &= U_K \Lambda^{1/2} G\, Q , \\
# E^\star &= Q^\top \Lambda^{-1/2} G\, U_K^\top , \\
# C^\star &= Q^\top (I - G^2)\, Q ,
# \end{aligned}
# $$ (eq-linear-optimum)
#
# where $Q$ is any **signed permutation**: it reorders the latents and flips their signs.
# If the $\lambda_i$ above the water level $\beta\sigma^2$ are distinct, there is no other optimum.
# :::
#
# :::{prf:proof}
# Allow any covariance $C$ for a moment.
# Then $q$ can be the true posterior of the model with noise variance $v$.
# The loss is $\beta$ times the exact negative log-likelihood of that model, up to a constant:
#
# $$
# \begin{aligned}
# \mathcal L_\beta &= \tfrac\beta2 \bigl( \log \det \Psi + \operatorname{tr} \Psi^{-1} \Sigma \bigr) \\
# & \quad + \text{const} , \\
# \Psi &= D D^\top + v I .
# \end{aligned}
# $$ (eq-ppca)
#
# This is probabilistic PCA with a given noise variance {cite:p}`tipping1999probabilistic`.
# For given eigenvalues of $\Psi$, the trace is least when $\Psi$ has the eigenvectors of $\Sigma$ in the same order (von Neumann's inequality).
# What remains is a sum of $\log \psi_i + \lambda_i / \psi_i$ over the eigenvalues $\psi_i$ of $\Psi$.
# Each term is least at $\psi_i = \lambda_i$, but every $\psi_i$ is at least $v$, and only $K$ of them may exceed $v$.
# So the $K$ leading components get $\psi_i = \max(\lambda_i, v)$ and the others get $v$.
# That is $D = U_K \Lambda^{1/2} G\, O$ with any rotation $O$.
#
# Now remember that $C$ is diagonal.
# The true posterior has the covariance $v (D^\top D + v I)^{-1}$.
# The bound is reached if and only if $D^\top D = O^\top \Lambda G^2 O$ is diagonal too.
# If the active $\lambda_i$ are distinct, $O$ must be a signed permutation $Q$.
# {prf:ref}`lem-best-answers` gives $E^\star$ and $C^\star$, with $\lambda_i g_i^2 + v = \lambda_i$ for active latents. ∎
# :::
#
# The same $g_i$ gates encoder and decoder.
# The posterior variance of a latent is $1 - g_i^2 = \min(1, \beta\sigma^2/\lambda_i)$.


# %%
def optimum_of(Sigma, K, beta):
    values, U = np.linalg.eigh(Sigma)
    values, U = values[::-1][:K], U[:, ::-1][:, :K]
    g = np.sqrt(np.maximum(0, 1 - beta * s2 / values))
    return (U * g / np.sqrt(values)).T, U * np.sqrt(values) * g, 1 - g**2


E_star, D_star, C_star = optimum_of(Sigma, K, beta)
library = linear_vae.optimum(Sigma, latent_dim=K, beta=beta, noise_variance=s2)
difference = np.abs(D_star @ E_star - (library.decoder @ library.encoder).numpy())
name = "decoder times encoder, largest difference from the library's"
check(difference.max(), name, below=1e-8, digits=0)
ours = loss(Sigma, E_star, D_star, C_star, beta)
rivals = []
for scale in np.geomspace(1e-3, 1, 300):
    D_rival = D_star + scale * random.normal(size=D_star.shape)
    answers = best_encoder(D_rival, beta * s2), best_posterior(D_rival, beta * s2)
    rivals.append(loss(Sigma, answers[0], D_rival, answers[1], beta))
name = "extra loss of 300 other decoders with their best answers, nats"
check(np.array(rivals) - ours, name, above=0)

# %% [markdown]
# ## The rate is reverse water-filling
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
# {numref}`fig-linear-water-filling` shows it for the digits.
# The eigenvalues are a row of bars, and the water stands at the **water level** $\beta\sigma^2$.
# The model gives up what is under water and transmits what stands out.
# A bar that is $e$ times as high as the water costs half a nat.


# %%
def water_filling(values, K, beta):
    level = beta * s2
    kept, dropped = values[:K], values[K:]
    rate = 0.5 * np.maximum(0, np.log(kept / level)).sum()
    lost = np.minimum(kept, level).sum() + dropped.sum()
    constant = len(values) / 2 * np.log(2 * np.pi * s2)
    return rate, lost / (2 * s2) + constant


rate, distortion = water_filling(values, K, beta)
apart = abs(rate / rate_of(Sigma, E_star, C_star) - 1)
check(apart, "rate by the level and by matrices, relative difference", below=1e-8, digits=0)
apart = abs(distortion / distortion_of(Sigma, E_star, D_star, C_star) - 1)
check(apart, "distortion by the level and by matrices, relative difference", below=1e-8, digits=0)

# %% [markdown]
# ## The exact curve has slope −β
#
# An active latent loses $\tfrac{1}{2\beta}$ of rate for each unit of $\beta$ and adds $\tfrac12$ of distortion.
# So the slope of the curve is $-\beta$, as {eq}`eq-slope` says.
# A latent collapses when the water reaches it, at
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
ratio = -slope / dense[alive][1:-1]
check(ratio, "minus the slope, as a multiple of β", near=1, within=0.02, digits=4)
gone = linear_vae.collapse_betas(Sigma, **options).numpy()
counted = np.array([(gone > b).sum() for b in dense])
name = "active units minus the latents that have not collapsed, largest difference"
check(np.abs(active - counted).max(), name, equals=0)
print("the latents collapse at β =", ", ".join(f"{b:.2f}" for b in gone))

# %% [markdown]
# ## Trained models land on it
#
# Do trainings find the optimum?
# We train linear VAEs by sampling and Adam, one replica for each $\beta$.

# %% tags=["hide-cell"]
model = VAE.linear(n, K, noise_variance=s2)
betas = np.geomspace(lowest, highest, num_betas)
plan = dict(replicas=num_betas, beta=betas, batch_size=100, compile=False)
plan |= dict(learning_rate=laws.Cosine(learning_rate))
first_steps = fit(model, x[:1000], epochs=20, **plan)
for replica in (0, num_betas - 1):
    fingerprint(first_steps, replica=replica)

# %% mystnb={"figure": {"caption": "Trained linear VAEs land on the closed form. The lines are the exact solution, the dots are seven trainings at seven values of beta. The panels show distortion over rate, the rate, and the active units, on 8×8 digits.", "name": "fig-linear-trained"}}
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
# How close are the dots to the line, in numbers?
# The constant $\tfrac n2 \log(2\pi\sigma^2)$ is negative here and lets the loss pass through zero.
# A relative gap means nothing near zero, so we leave the constant out:
#
# $$
# \text{gap}(\beta) = \frac{\mathcal L_\beta - \tfrac n2 \log(2\pi\sigma^2)}{\mathcal L_\beta^\star - \tfrac n2 \log(2\pi\sigma^2)} - 1 .
# $$ (eq-relative-gap)
#
# A gap of 0.02 is a loss 2 per cent above the optimum.

# %%
constant = n / 2 * np.log(2 * np.pi * s2)
optimal = (best.distortion + torch.from_numpy(betas) * best.rate).numpy()
gap = ((reached.loss - constant) / (optimal - constant) - 1).to_numpy()
check(gap, "gaps of the seven trainings", above=0, digits=0)
check(100 * gap.max(), "largest gap, per cent", below=5)
check(100 * gap[betas > 0.09].max(), "largest gap where β is 0.1 or more, per cent", below=2)
check(100 * gap[betas > 0.9].max(), "largest gap where β is 1 or more, per cent", below=0.2)

# %% [markdown]
# And the latents?
# They should be single principal components up to order and sign, not only span them.
# We take for each latent the component that is nearest to its column of $D$.

# %%
U = np.linalg.eigh(Sigma)[1][:, ::-1][:, :K]


def nearest_components(replica):
    weights = trained.replica(replica).decoder[0].weight.detach().double().numpy()
    cosine = np.abs(U.T @ weights) / np.linalg.norm(weights, axis=0)
    return cosine.max(0), cosine.argmax(0)


at_one = int(np.argmin(np.abs(betas - 1)))
cosines, found = nearest_components(at_one)
check(cosines, "β = 1: cosine of each latent with its component", above=0.9)
check(len(set(found)), "β = 1: different components among the latents", equals=K)
mixed = nearest_components(0)[0].min()
check(mixed, "lowest β: the smallest such cosine", below=0.85)

# %% [markdown]
# At the lowest $\beta$ the loss is within a few per cent of the optimum, and yet some latents are mixtures of components.
# The next section says why.
#
# (cost-of-a-rotation)=
# ## Turning the latents costs little
#
# What fixes the axes is that $C$ is diagonal.
#
# :::{prf:proposition} The cost of a rotation
# :label: prop-rotation
#
# Turn the latents of the optimum by a rotation $O$ and give encoder and posterior their best answers.
# The loss rises by
#
# $$
# \begin{aligned}
# \Delta \mathcal L &= \tfrac\beta2 \Bigl( \sum_k \log A_{kk} - \log \det A \Bigr) , \\
# A &= O^\top \operatorname{diag}\bigl(\tfrac{\max(\lambda_i, v)}{v}\bigr) O ,
# \end{aligned}
# $$ (eq-rotation)
#
# which is zero if and only if $A$ is diagonal.
# :::
#
# :::{prf:proof}
# The rotated decoder has $D^\top D / v + I = A$.
# With a full covariance the loss would be {eq}`eq-ppca`, which the rotation leaves alone.
# The diagonal posterior of {prf:ref}`lem-best-answers` has the log determinant $-\sum_k \log A_{kk}$ in place of $-\log \det A$, and all other terms agree.
# Hadamard's inequality says that the difference is not negative, and zero only for a diagonal $A$. ∎
# :::
#
# With two latents at 45 degrees the cost is $\beta$ times the logarithm of a ratio: the arithmetic over the geometric mean of the two variances.


# %%
def turned(i, j, angle):
    turn = np.eye(K)
    c, s = np.cos(angle), np.sin(angle)
    turn[[i, i, j, j], [i, j, i, j]] = c, -s, s, c
    return turn


def cost_of(turn, beta):
    v = beta * s2
    decoder = optimum_of(Sigma, K, beta)[1] @ turn
    A = turn.T @ np.diag(np.maximum(values[:K], v) / v) @ turn
    formula = beta / 2 * (np.log(np.diag(A)).sum() - np.linalg.slogdet(A)[1])
    answers = best_encoder(decoder, v), best_posterior(decoder, v)
    by_loss = loss(Sigma, answers[0], decoder, answers[1], beta)
    by_loss -= loss(Sigma, *optimum_of(Sigma, K, beta), beta)
    return formula, by_loss


angles = np.linspace(0, np.pi, 61)
costs, by_loss = np.array([cost_of(turned(0, K - 1, a), beta) for a in angles]).T
name = "formula minus difference of losses, largest, nats"
check(np.abs(costs - by_loss).max(), name, below=1e-9, digits=0)
name = "cost of no turn, a quarter turn and a half turn, nats"
check(np.abs(costs[[0, 30, 60]]), name, below=1e-9, digits=0)
pair = np.maximum(values[[0, K - 1]], beta * s2)
ratio = pair.mean() / np.sqrt(pair.prod())
name = "cost of 45 degrees, nats, beside β log(arithmetic / geometric mean)"
check(costs[15], name, near=beta * np.log(ratio), within=1e-8)

# %% mystnb={"figure": {"caption": "Turning two latents of the optimum against each other costs less than a nat. The lines show the extra loss at beta = 1 over the angle of the turn. The solid line turns the first and the last latent, the dashed line the first two. A quarter turn swaps two latents and costs nothing.", "name": "fig-linear-rotation"}}
ax = figures.figure_row(1, width=4.2)[1]
for name, (i, j) in {f"1 and {K}": (0, K - 1), "1 and 2": (0, 1)}.items():
    extra = [cost_of(turned(i, j, a), beta)[0] for a in angles]
    style = "-" if j > 1 else "--"
    ax.plot(np.degrees(angles), extra, style, color=figures.colour_of("exact"), label=name)
ax.set(xlabel="rotation in degrees", ylabel="extra loss at β = 1, nats")
ax.set_xticks([0, 45, 90, 135, 180])
_ = ax.legend(title="latents turned")

# %% [markdown]
# A turn costs a fraction of a nat, and less for components of similar variance.
# The cost falls with $\beta$, so the axes are hardly held at a low $\beta$.
# That explains the mixed latents of the training at the lowest $\beta$: {eq}`eq-rotation`, with $A = D^\top D / v + I$ of its decoder, says how little their mixture costs.

# %%
weights = trained.replica(0).decoder[0].weight.detach().double().numpy()
A = weights.T @ weights / (lowest * s2) + np.eye(K)
mixing = lowest / 2 * (np.log(np.diag(A)).sum() - np.linalg.slogdet(A)[1])
share = mixing / (optimal[0] - constant)
check(share, "lowest β: cost of the mixture, as a share of the loss", below=1e-3)

# %% [markdown]
# With a *full* covariance $C$ nothing holds the axes.
# Every rotation $O$ then reaches the bound {eq}`eq-ppca`, and two trainings differ by an arbitrary rotation.
# Rosetta points take this freedom away ({ref}`eight-gaussians`).
# It is also why `metrics.active_units` counts eigenvalues and not axes.

# %%
turn = np.linalg.qr(random.normal(size=(K, K)))[0]
v, decoder = beta * s2, optimum_of(Sigma, K, beta)[1] @ turn
full = torch.from_numpy(v * np.linalg.inv(decoder.T @ decoder + v * np.eye(K)))
matrices = [torch.from_numpy(m) for m in (best_encoder(decoder, v), decoder)]
total = linear_vae.expected_distortion(
    Sigma, *matrices, posterior=full, noise_variance=s2
) + beta * linear_vae.expected_rate(Sigma, matrices[0], full)
extra = abs(float(total) - ours)
check(extra, "cost of a random rotation with a full covariance, nats", below=1e-8, digits=0)
check(cost_of(turn, beta)[1], "turned optimum: cost with a diagonal covariance, nats", above=0.01)

# %% [markdown]
# ## Against the paper
#
# The paper states that the linear VAE has analytic solutions.
# Its Figure 4 plots a trained curve beside trained points, without numbers.
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
# *Deviations.* The data are digits of 8×8 pixels, the paper's are MNIST.
# Our $K$ is 8 and the paper's is 32; we have one matrix on either side and the paper has two; we compute full expectations and the paper uses a test set.
#
# ## Take-aways
#
# * At every $\beta$ the best linear VAE is PCA. Encoder and decoder scale component $i$ by one and the same gate, $g_i = \sqrt{\max(0, 1 - \beta\sigma^2/\lambda_i)}$.
# * Rate and distortion follow from a water level $\beta\sigma^2$. Latent $i$ collapses at $\beta = \lambda_i/\sigma^2$, when the water covers its variance.
# * The diagonal covariance fixes the axes up to order and sign, and it holds them weakly: a turn costs less than a nat.
# * The formula is a yardstick for every training procedure. Seven trainings came within five per cent of the optimal loss, and within 0.2 per cent where $\beta$ is 1 or more.
#
# {ref}`theorem-one` compares the gates of the multi-rate VAE with this optimum.
# {ref}`one-space-every-rate` uses it to say where a Rosetta point stands at each $\beta$.
#
# ## Exercises
#
# :::{exercise} Compute
# :label: ex-linear-vae-compute
# For which $\sigma^2$ is the last of the eight latents about to collapse at $\beta = 1$?
# Write your answer in the line below; `values` holds the eigenvalues, largest first.
# :::

# %% tags=["hide-cell"]
unit_noise = dict(latent_dim=K, noise_variance=1.0)
critical = float(linear_vae.collapse_betas(Sigma, **unit_noise)[-1])

# %%
yours = None  # one line of yours
answer(yours, critical)

# %% [markdown]
# :::{solution} ex-linear-vae-compute
# :class: dropdown
# By {eq}`eq-collapse` the latent collapses at $\beta = 1$ when $\sigma^2 = \lambda_8$.
# :::

# %% tags=["hide-cell"]
yours = values[K - 1]
answer(yours, critical)
count = lambda variance: int(
    linear_vae.rate_distortion(
        Sigma, betas=[1.0], latent_dim=K, noise_variance=variance
    ).active_units
)
assert count(0.99 * yours) == K and count(1.01 * yours) == K - 1

# %% [markdown]
# :::{exercise} Change
# :label: ex-linear-vae-change
# Double $\sigma^2$ and halve $\beta$.
# How many of the five quantities $D$, $E$, $C$, rate and distortion change?
# Compare two calls of `linear_vae.optimum`.
# :::

# %% tags=["hide-cell"]
one, other = (
    linear_vae.optimum(Sigma, latent_dim=K, beta=b, noise_variance=s)
    for b, s in ((1.0, s2), (0.5, 2 * s2))
)
equal = {name: torch.allclose(getattr(one, name), getattr(other, name)) for name in one._fields}
changed = [name for name in equal if not equal[name]]

# %%
yours = None  # one line of yours
answer(yours, len(changed))

# %% [markdown]
# :::{solution} ex-linear-vae-change
# :class: dropdown
# One.
# {eq}`eq-linear-optimum` depends on the product $\beta\sigma^2$ alone, so the weights and the rate stay.
# The distortion changes, because $\sigma^2$ sets its unit.
# :::

# %% tags=["hide-cell"]
yours = 1
answer(yours, len(changed))
assert changed == ["distortion"]

# %% [markdown]
# :::{exercise} Think
# :label: ex-linear-vae-think
# Two eigenvalues of your data are equal.
# What does the optimum leave open?
# :::
#
# :::{solution} ex-linear-vae-think
# :class: dropdown
# Any rotation of the two latents, because {eq}`eq-rotation` is then zero at every angle.
# :::

# %% tags=["hide-cell"]
equal = np.array([3.0, 3.0]) / 0.1
turn = turned(0, 1, 0.7)[:2, :2]
A = turn.T @ np.diag(equal) @ turn
assert np.isclose(np.log(np.diag(A)).sum(), np.linalg.slogdet(A)[1])

# %% [markdown]
# ## References
#
# {cite:t}`bae2023multirate`, {cite:t}`lucas2019blame`, {cite:t}`tipping1999probabilistic`, {cite:t}`cover2006elements`; the {doc}`bibliography <../book/bibliography>` has the details.

# %% tags=["hide-cell"]
provenance(
    data=digits.info["title"],
    source=digits.info["source"],
    runs=f"{num_betas} of {epochs} epochs, linear, K = {K}",
)
