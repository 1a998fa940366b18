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
# (hierarchy)=
# # Latents at several scales
#
# :::{card}
# **Question.** If a model has coarse and fine latents, which of them speak at which $\beta$, and can one training still cover the whole curve?
#
# **After this you can** write a hierarchical VAE as one path down the scales, take its rate apart by scale, train it at every $\beta$ at once, and see whether its finer scales have collapsed for good.
#
# **Before.** {ref}`multi-rate`.
#
# **Time.** Twenty minutes to read, half a minute to run.
#
# **Reproduces.** The hierarchical model of Section 5.2 and Figure 5 of {cite:t}`bae2023multirate`, made small: a two-scale relative of the NVAE of {cite:t}`vahdat2020nvae`, on binary digits; binary MNIST in the table at the end.
# :::

# %% tags=["nbval-skip", "remove-cell"]
import importlib.util

if importlib.util.find_spec("rvae_lite") is None:
    get_ipython().run_line_magic("pip", 'install -q "rvae_lite[notebooks] @ git+REPOSITORY_URL"')

# %% tags=["parameters"]
dataset = "binary_digits"
coarse_channels = 16
fine_channels = 8
coarse_latents = 2
fine_latents = 1
epochs = 20
batch_size = 64
learning_rate = 6e-3

# %%
import numpy as np
import torch
from torch.distributions import Normal, kl_divergence

from rvae_lite import data, fit, laws, metrics, multirate
from rvae_lite.data.dataset import TEST, TRAIN
from rvae_lite.models.ladder import LadderVAE, rates_by_scale
from rvae_lite.reporting import figures
from rvae_lite.reporting.claims import check, fingerprint, provenance
from rvae_lite.studies import hierarchy, over_beta
from rvae_lite.studies.study import load_results

figures.use_style()

# %% [markdown]
# ## Why more than one scale
#
# A flat VAE draws all its latents independently, whether they are to say which digit this is or where one stroke ends.
# A hierarchy draws the coarse ones first, and the finer ones *given* the coarser:
#
# $$
# \begin{aligned}
# & p(x, z) = p(x \mid z)\, p(z_1) \prod_{l=2}^{L} p(z_l \mid z_{<l}) , \\
# & q(z \mid x) = q(z_1 \mid x) \prod_{l=2}^{L} q(z_l \mid z_{<l}, x) ,
# \end{aligned}
# $$ (eq-ladder)
#
# with $L$ scales counted from the coarsest, $z_{<l} = (z_1, \dots, z_{l-1})$ and $p(z_1) = \mathcal N(0, I)$.
# The rate is then a sum over scales,
#
# $$
# \begin{aligned}
# & \text{rate}(x) = \sum_{l=1}^{L} \mathbb E_{q(z_{<l} \mid x)} \\[-1ex]
# & \quad D_\text{KL}\bigl( q(z_l \mid z_{<l}, x) \,\big\|\, p(z_l \mid z_{<l}) \bigr) ,
# \end{aligned}
# $$ (eq-ladder-rate)
#
# and each summand says what one scale adds to what the coarser ones have already made likely.
# Latents are small images here: of the two scales, the coarse one is a quarter as high as the data, the fine one half.

# %%
whole = data.load(dataset)
train, x = whole.x[whole.part == TRAIN], whole.x[whole.part == TEST]
ladder = LadderVAE(
    whole.x.shape[1:],
    channels=(coarse_channels, fine_channels),
    latent_channels=(coarse_latents, fine_latents),
)
for scale, shape in enumerate(ladder.latent_shapes, start=1):
    print(f"z{scale}: {shape[0]} channels of {shape[1]} x {shape[2]}")

# %% [markdown]
# ## A posterior relative to its prior
#
# Both normals of a scale depend on $z_{<l}$, and the posterior would have to run after a prior that moves while it learns.
# {cite:t}`vahdat2020nvae` let it say only how it *differs* from the prior: per entry, with a shift $\delta$ and a factor $s$,
#
# $$
# p = \mathcal N(\mu, \sigma^2), \quad q = \mathcal N(\mu + \delta,\, s^2 \sigma^2) .
# $$ (eq-residual-normal)
#
# Put into the divergence of two normals, $\log\frac{\sigma_p}{\sigma_q} + \frac{\sigma_q^2 + (\mu_q - \mu_p)^2}{2\sigma_p^2} - \frac12$, the prior's mean cancels and most of its width does:
#
# $$
# \begin{aligned}
# & D_\text{KL}(q \,\|\, p) \\
# & = \tfrac12 \Bigl( \frac{\delta^2}{\sigma^2} + s^2 - 1 \Bigr) - \log s .
# \end{aligned}
# $$ (eq-residual-kl)
#
# Where the network puts out zeros, $\delta = 0$ and $\log s = 0$, the scale is silent and costs nothing.


# %%
def residual_kl(log_sigma, delta, log_s):
    return 0.5 * ((delta / log_sigma.exp()) ** 2 + (2 * log_s).exp() - 1) - log_s


random = torch.Generator().manual_seed(0)
mu, log_sigma, delta, log_s = torch.randn(4, 1000, generator=random).double()
p = Normal(mu, log_sigma.exp())
q = Normal(mu + delta, (log_sigma + log_s).exp())
ours = residual_kl(log_sigma, delta, log_s)
check(
    "it is the divergence of the two normals",
    (ours - kl_divergence(q, p)).abs().max() < 1e-9,
)
z = q.loc + q.scale * torch.randn(20_000, 1000, generator=random).double()
ratio = (q.log_prob(z) - p.log_prob(z)).mean(1)
off = (ratio - ours.mean()).mean() / (ratio.std() / len(ratio) ** 0.5)
check(
    "and the mean of log q − log p over samples, within 4 standard errors",
    off.abs() < 4,
)

# %% [markdown]
# ## One path down
#
# A bottom-up pass reads the image, once, and leaves its features at every scale.
# Then a single path goes down from the coarsest latents to the pixels, and its state $h$ is shared by three parties: the prior of the next scale reads it, the posterior reads it together with the features, and at the end it is the image.
# To encode, to reconstruct and to draw a sample are one and the same loop; only where $z$ comes from differs.


# %%
def descend(model, noise, image=None):
    features = model.encoder(image) if image is not None else None
    h, kl = None, []
    for scale, eps in enumerate(model.split(noise)):  # coarsest first
        mu = log_sigma = torch.zeros_like(eps)  # p(z_1) = N(0, I)
        if h is not None:
            mu, log_sigma = model.prior[scale - 1](h).chunk(2, dim=1)
        delta = log_s = torch.zeros_like(eps)
        if image is not None:
            seen = features[scale] if h is None else torch.cat([features[scale], h], 1)
            delta, log_s = model.posterior[scale](seen).chunk(2, dim=1)
        log_sigma, log_s = 5 * torch.tanh(log_sigma / 5), 5 * torch.tanh(log_s / 5)
        kl.append(residual_kl(log_sigma, delta, log_s).flatten(1).sum(1))
        z = mu + delta + (log_sigma + log_s).exp() * eps
        h = model.decoder(z, h, scale)  # merge z, residual cells, twice the size
    return h, torch.stack(kl, -1)  # logits and (B, L)


# %% [markdown]
# The $5 \tanh(\cdot / 5)$ keeps log standard deviations within bounds, so that no step of training can make a rate infinite.
# The package's model does the same, and this loop finds its numbers.

# %%
noise = torch.randn(32, ladder.noise_dim, generator=random)
images = torch.from_numpy(train[:32]).float() / 255
with torch.no_grad():
    logits, by_scale = descend(ladder, noise, images)
    distortion, found = ladder.distortion_and_rates(images, noise)
    drawn, silent = descend(ladder, noise)
    same = torch.allclose(drawn.sigmoid(), ladder.sample(noise), atol=1e-6)
check(
    "the rates of the scales are those of the package",
    torch.allclose(by_scale, found, atol=1e-4),
)
check("without an image the loop draws from the prior", same and not silent.any())

# %% [markdown]
# ## Gates that start tilted
#
# The gates are those of {ref}`multi-rate`, on the convolutions of both passes, and here also on the posterior's heads: a closed gate there makes {eq}`eq-residual-normal` the prior, which is just what a scale should do that does not pay at some $\beta$.
#
# Flat gates, the same at every $\beta$, have a problem with hierarchies.
# The fine scale pays only at low $\beta$; on average over $\beta$ it does not, so early in training it is shut at *every* $\beta$.
# Once the decoder ignores it and the posterior equals the prior, nothing calls it back.
# A remedy to try: let the sigmoids start tilted, $w = -2$ in $g(w h + c)$: open at low $\beta$, nearly closed at high.

# %%
tilted = multirate.make_multirate(ladder, tilt=2.0)
flat = multirate.make_multirate(ladder)
gate = tilted.module.posterior[1][-1].gate
with torch.no_grad():
    ends = gate.scale(tilted.h(torch.tensor([0.01, 10.0])))[:, 0]
print(
    f"a sigmoid gate at β = 0.01 and 10, before training: {ends[0]:.2f}, {ends[1]:.2f}"
)
gated = set(tilted.config["layers"])
check("the posterior's heads are gated", {"posterior.0.2", "posterior.1.2"} < gated)
check("the priors are not", not any(name.startswith("prior") for name in gated))

# %% [markdown]
# ## One training against two
#
# We train four models for as many epochs each: the tilted multi-rate ladder, the flat one, and plain ladders at $\beta = 0.1$ and $1$.

# %%
law, apart = multirate.LogUniform(0.01, 10.0), (0.1, 1.0)
options = dict(batch_size=batch_size, learning_rate=laws.Cosine(learning_rate))
fingerprint(fit(tilted, train[:512], beta=law, epochs=3, **options))
options |= dict(epochs=epochs)
multi = fit(tilted, train, beta=law, **options)
no_tilt = fit(flat, train, beta=law, **options)
plain = fit(ladder, train, replicas=2, beta=apart, seed=[0, 0], **options)

# %% mystnb={"figure": {"caption": "Tilted gates let one training reach low distortions that flat gates do not reach. The left panel shows distortion over rate on test digits, as in the paper's Figure 5. The right panel shows the loss that each was trained for, over beta. Lines are multi-rate trainings, dots separate trainings labelled by beta, with one run per model.", "name": "fig-hierarchy-curve"}}
betas = np.geomspace(0.01, 10, 13)
lines = ("MR-VAE", "MR-VAE, no tilt")
pairs = zip(lines, (multi, no_tilt), strict=True)
table = {name: metrics.rate_distortion_curve(one, x, betas) for name, one in pairs}
separate = metrics.rate_distortion_curve(plain, x)
figure, (left, right) = figures.figure_row(2, width=3.6)
figures.plot_rate_distortion(table, lines=lines, ax=left)
losses = {name: (curve.beta, curve.loss) for name, curve in table.items()}
label = "distortion + beta · rate,\nnats (lower is better)"
figures.plot_over_beta(losses, label=label, lines=lines, ax=right)
dots = dict(color=figures.colour_of("beta-VAE"), label="beta-VAE")
left.plot(separate.rate, separate.distortion, "o", **dots)
for row in separate.itertuples():
    left.annotate(f"{row.beta:g}", (row.rate, row.distortion + 1))
right.plot(separate.beta, separate.loss, "o", **dots)
_ = [ax.legend() for ax in (left, right)]

# %% [markdown]
# At $\beta = 0.1$ the separate training is still the better one: all its steps were for that $\beta$.

# %%
tilt, none = (table[name] for name in lines)
check("tilted, the rates reach further", tilt.rate.max() > 1.2 * none.rate.max())
low = (tilt.loss / none.loss)[betas < 0.11]
check("and at every β up to 0.1 the loss is lower by a fifth", low.max() < 0.8)
at = {beta: float(tilt.loss[np.isclose(betas, beta)].iloc[0]) for beta in (0.1, 1.0)}
check("at β = 0.1 the separate training is better", separate.loss[0] < at[0.1])
for beta in (0.01, 1.0):
    folded = multi.at_beta(beta)
    gap = (folded.encode(x) - multi.encode(x, beta=beta)).abs().max()
    check(f"at β = {beta:g} the gates fold into an ordinary ladder", gap < 1e-4)

# %% [markdown]
# ## Which scale speaks at which β
#
# `rates_by_scale` takes {eq}`eq-ladder-rate` apart, and `Fit.measure` averages it over the data.

# %% mystnb={"figure": {"caption": "The fine scale speaks at low beta and is silent at high beta with tilted gates. The panels show the rate of each scale over beta, with tilted gates and with flat ones. Lines are one multi-rate training each, dots the separate trainings, with one run each.", "name": "fig-hierarchy-scales"}}
names = ("coarse", "fine")
figure, axes = figures.figure_row(2, width=3.4)
shares = {}
for ax, name, trained in zip(axes, lines, (multi, no_tilt), strict=True):
    by_beta = [trained.measure(rates_by_scale, x, beta=float(b))[0] for b in betas]
    shares[name] = np.array(by_beta)  # (T, L)
    both = {scale: (betas, shares[name][:, i]) for i, scale in enumerate(names)}
    figures.plot_over_beta(both, label="rate of a scale in nats", lines=names, ax=ax)
    for i, scale in enumerate(names):
        alone = plain.measure(rates_by_scale, x)[:, i]
        ax.plot(apart, alone, "o", color=figures.colour_of(scale), markersize=5)
    ax.set_title(name)
    ax.set_ylim(-1, 1.05 * shares["MR-VAE"].max())

# %% [markdown]
# With flat gates the fine scale is lost at every $\beta$, and the coarse one has to say everything.

# %%
coarse, fine = shares["MR-VAE"].T
check("at the lowest β the fine scale carries the most", fine[0] > coarse[0])
check("at the highest β neither has more than a nat", max(coarse[-1], fine[-1]) < 1)
check("without a tilt the fine scale is silent", shares[lines[1]][:, 1].max() < 1)
check("both fall with β, end to end", coarse[0] > coarse[-1] and fine[0] > fine[-1])
total = shares["MR-VAE"].sum(1)
check("the scales sum to the rate", np.allclose(total, tilt.rate, rtol=1e-4))

# %% [markdown]
# ## Samples over β, and from one coarse latent
#
# Above all it is one model: the same standard normal noise, sent down the path at ten rates, gives ten relatives of one image.

# %% mystnb={"figure": {"caption": "An image drawn from one model loses its detail and then its identity as beta grows. Each row is one draw of noise, decoded at seven values of beta. The values run from 0.01 (left) to 10 (right).", "name": "fig-hierarchy-one-draw"}}
noise = torch.randn(4, ladder.noise_dim, generator=random)
shown = betas[::2]
strip = torch.stack([multi.sample(noise, beta=float(b))[0] for b in shown], 1)
rows = [f"draw {i + 1}" for i in range(len(noise))]
strip = strip.flatten(0, 1).numpy()
_ = figures.plot_images(strip, columns=len(shown), rows=rows, size=0.8)

# %% [markdown]
# A hierarchy can do what a flat model cannot: hold the coarse latents and draw the fine ones anew.

# %% mystnb={"figure": {"caption": "New fine latents change an image whose coarse latents are held. The images of a row differ in the fine latents alone, at beta = 0.01. The three rows are three draws of the coarse latents.", "name": "fig-hierarchy-fine-latents"}}
size = int(np.prod(ladder.latent_shapes[0]))
held = noise[:3].repeat_interleave(7, 0)
held[:, size:] = torch.randn(21, ladder.noise_dim - size, generator=random)
strip = multi.sample(held, beta=0.01)[0].numpy()
rows = [f"coarse latents {i + 1}" for i in range(3)]
_ = figures.plot_images(strip, columns=7, rows=rows, size=0.8)


# %%
def within(beta):
    """Share of the variance of samples that the fine latents alone account for."""
    coarse_noise = torch.randn(100, 1, ladder.noise_dim, generator=random)
    held = coarse_noise.repeat(1, 10, 1)
    held[..., size:] = torch.randn(100, 10, ladder.noise_dim - size, generator=random)
    drawn = multi.sample(held.flatten(0, 1), beta=beta)[0].unflatten(0, (100, 10))
    return float(drawn.var(1).mean() / drawn.flatten(0, 1).var(0).mean())


share = {beta: within(beta) for beta in (0.01, 1.0)}
check("at β = 0.01 fine latents matter", share[0.01] > 0.2)
check("more than at β = 1", share[0.01] > share[1.0])

# %% [markdown]
# ## Against the paper
#
# The paper gives no number for its hierarchical models, only the curves of Figure 5 and the statement that one training is competitive with separate ones, on MNIST better.
# Ours is a much smaller network on part of binary MNIST:

# %% mystnb={"figure": {"caption": "One multi-rate training is behind separate ones at the lowest beta, on binary MNIST. The left panel, the paper's Figure 5, shows distortion over rate; separate trainings are labelled by beta. The right panel shows each scale's rate: solid with tilt, dotted without, dots for separate trainings. Values are medians over three seeds of 40 epochs.", "name": "fig-hierarchy-larger"}}
own = load_results("hierarchy")
scale = own[own.method == "MR-VAE"].iloc[0]
print(
    f"{scale.num_data} training and {scale.num_test} test images, {scale.width} of 64 and 32 channels, "
    f"{scale.latent_dim} latent entries, {scale.epochs} epochs, batch {scale.batch_size}, "
    f"{own.seed.nunique()} seeds, {scale.device}"
)
_ = hierarchy.study.figure(own)

# %%
several = over_beta.curve_of(own, "beta-VAE")
small = hierarchy.excess(own).excess / np.ptp(several.distortion)
check("the excess is below a tenth of the distortions' range", (small < 0.1).all())
hierarchy.study.table(own)

# %% [markdown]
# *Excess distortion* is the mean over the rates that both reach, above straight lines through the four separate trainings; *below at* is the share of these rates at which the one training lies lower; *highest rate* is a share of the separate trainings' highest.
# The verdict is on the word "competitive": as in {ref}`text`, it agrees where the one training lies lower at half of the common rates or more.
# Ours lies lower at far fewer, by an excess that is small beside the distortions' whole range.
# Lines between four points lie above a convex curve, which flatters the one training; and the two excesses are over different ranges of rates, so they do not compare with each other.

# %%
opened = hierarchy.fine_rates(own) > 1
check("apart, β = 0.01 opens the fine scale with every seed", opened["beta-VAE"].all())
for name in lines:
    check(f"{name}: with two seeds of three", opened[name].sum() == 2)
one, flat_one, several = (over_beta.curve_of(own, name) for name in (*lines, "beta-VAE"))
check("at the lowest β one training is behind", one.loss[0] > 1.2 * several.loss[0])
check("there tilted gates are ahead of flat ones", one.loss[0] < flat_one.loss[0])
ratio = one.loss[np.isclose(one.beta, 1)].iloc[0] / several.loss[2]
within = abs(ratio - 1) < 0.07
check("at β = 1 the losses of one training and of its own are within 7 %", within)

# %% [markdown]
# So on MNIST the seed decides more than the tilt: with one of three no multi-rate training, tilted or not, finds the fine scale, nor do the separate ones but at the lowest $\beta$; with the other two all find it.
# The tilt helps where the fine scale is found: the rates reach as far, and at low $\beta$ the loss is lower.
#
# *Deviations.* The paper's NVAE has many groups of latents at each scale, batch norm, squeeze and excitation, and trains for 400 epochs on all images, with the rates of the scales balanced against each other in a warm-up; ours has one group a scale and none of these.
# The paper leaves heads without gates and starts gates in PyTorch's way; ours gates the posterior's heads and starts the sigmoids tilted.
# Whether every seed opens the fine scale after the paper's many more steps, these runs cannot say.
# There are no annealed separate trainings.
#
# ## Take-aways
#
# * In a hierarchy the rate is a sum over scales, each the exact divergence of two normals.
# * A posterior relative to its prior costs nothing where it is silent, and a closed gate makes it so.
# * Fine scales speak at low $\beta$ only, so a training over all $\beta$ at once may shut them early and for good.
#   Gates that start tilted prevent it on the digits, not with every seed on MNIST: look at the rate of every scale before you trust a curve.
#
# {ref}`colour` takes the curve to colour images.
#
# ## Exercises
#
# **Compute.** How many nats does it cost to move the posterior by one standard deviation of the prior, width unchanged? And to halve the width?
#
# ```{dropdown} Solution
# Half a nat, and $\log 2 - \tfrac38$, from {eq}`eq-residual-kl`.
# ```

# %% tags=["hide-cell"]
zero, one = torch.zeros(1), torch.ones(1)
assert residual_kl(zero + 3, one * np.exp(3), zero).sub(0.5).abs() < 1e-5
halved = residual_kl(zero, zero, zero - np.log(2))
assert (halved - (np.log(2) - 3 / 8)).abs() < 1e-5

# %% [markdown]
# **Change.** At $\beta = 0.01$, take the fine latents from their prior's mean instead of the posterior's. What does the image lose?
#
# ```{dropdown} Solution
# Much of the detail that the fine scale's rate pays for: the distortion more than doubles.
# ```

# %% tags=["hide-cell"]
model, target = multi.at_beta(0.01).replica(0), torch.from_numpy(x).float() / 255
with torch.no_grad():
    posterior = model.encode(target)
    coarse_only = posterior.mean.clone()
    coarse_only[:, size:] = posterior.prior_mean[:, size:]
    full, less = (
        model.distortion(target, z).mean() for z in (posterior.mean, coarse_only)
    )
assert less > 2 * full

# %% [markdown]
# **Think.** Fine latents could be measured in other units, say ten times as large, with prior and decoder adapted. What would happen to the rate?
#
# ```{dropdown} Solution
# Nothing: the divergence of two distributions does not depend on the units of their variable. In {eq}`eq-residual-kl`, $\delta$ and $\sigma$ grow together and $s$ is a ratio.
# ```

# %% tags=["hide-cell"]
scaled = residual_kl(log_sigma + np.log(10), 10 * delta, log_s)
assert (scaled - ours).abs().max() < 1e-6 * ours.abs().max()

# %% [markdown]
# ## References
#
# {cite:t}`bae2023multirate`, {cite:t}`vahdat2020nvae`; the {doc}`bibliography <../book/bibliography>` has the details.

# %%
provenance(
    data=whole.info["title"],
    source=whole.info["source"],
    runs=f"one of {epochs} epochs per model",
)
