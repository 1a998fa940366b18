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
# (any-architecture)=
# # Five networks land near one space
#
# :::{card}
# **Question.** Must the second laboratory use the first one's network?
#
# **Answer.** No: five networks, from residual ones to a fully connected one, put the data near the same places once they are trained on the same 32 Rosetta points.
# :::

# %% tags=["nbval-skip", "remove-cell"]
import importlib.util

if importlib.util.find_spec("rvae_lite") is None:
    get_ipython().run_line_magic("pip", 'install -q "rvae_lite[notebooks] @ git+REPOSITORY_URL"')

# %% tags=["parameters", "hide-cell"]
dataset = "synthetic_finch"
num_examples = 300
epochs = 30
rho = 2.75
learning_rate = 1e-3

# %% tags=["hide-cell"]
import numpy as np

from rvae_lite import VAE, alignment, fit, select_points
from rvae_lite.reporting import figures
from rvae_lite.reporting.claims import answer, check, fingerprint, provenance
from rvae_lite.studies import any_architecture, live_rivals, rosetta_tables, setup
from rvae_lite.studies.study import load_results

figures.use_style()
options = dict(num_examples=num_examples, side=32, epochs=epochs)
options |= dict(loading=dict(size=64), learning_rate=learning_rate)
setting = setup.image_setup(dataset, 32, **options)

# %% tags=["hide-cell"]
import warnings

from rvae_lite.anchors import PointsNotReached

shape, K, song = setting.model.data_shape, setting.model.latent_dim, setting.dataset
narrow = dict(channels=(6, 12, 24, 48), hidden=(128,), head_dim=32)
noise = dict(noise_variance=setting.model.noise_variance, value_range=(0.0, 1.0))
named = dict(simple=setup.SIMPLE, same=setup.BIRDSONG, complex=setup.COMPLEX)
networks = {name: VAE.residual(shape, K, **how | narrow, **noise) for name, how in named.items()}
patches = dict(patch_size=8, channels=16, hidden=(64,))
networks["patches"] = VAE.patch(shape, K, **patches, **noise)
networks["dense"] = VAE.mlp(shape, K, (128, 64), **noise)

known, own_birds = song.take(song.part == 1), song.take(song.part == 2)
plan = dict(epochs=epochs, batch_size=16, learning_rate=learning_rate)
alice = fit(networks["patches"], known.x, seed=0, **plan | dict(epochs=4 * epochs))
hers = alice.encode(known.x)[0].numpy()
points = select_points(known.x, hers, 32)
joined = np.concatenate([own_birds.x, points.x])
anchors = dict(points=points, rho=rho, seed=1)
with warnings.catch_warnings():
    warnings.simplefilter("ignore", PointsNotReached)  # one stays a little away
    bobs = {name: fit(one, joined, **anchors, **plan) for name, one in networks.items()}
theirs = {name: bob.encode(known.x)[0].numpy() for name, bob in bobs.items()}

# %% mystnb={"figure": {"caption": "Five different networks put the first laboratory's syllables near the same places. The panels are Alice's space and one training of each of Bob's five networks. The window is the plane of Alice's two leading principal components. A dot is one of Alice's syllables; ten colours stand for the kinds in turn.", "name": "fig-architectures-planes"}}
spaces = {"Alice": hers} | {f"Bob, {name}": means for name, means in theirs.items()}
window = figures.plane_of(hers)
_ = figures.plot_spaces(figures.through(window, spaces), known.labels, columns=3)

# %% [markdown]
# :::{dropdown} About this chapter
# **After this you can** train into a colleague's space with a network of your own, and say which part of a model the points constrain and which they leave to you.
#
# **Before.** {ref}`mnist`.
#
# **Time.** {reading}`one minute to run`.
#
# **Reproduces.** Appendix F of {cite:t}`martinez2021rosetta`, Table 10. The live part is on synthetic finches, the table on recorded birds.
# :::
#
# ## Rosetta points name no network
#
# A Rosetta point is an input and a latent.
# The Rosetta penalty asks the decoder to turn $z_r$ into $x_r$, and the encoder to turn $x_r$ into $z_r$.
# The penalty says nothing about the layers in between.
# So two laboratories need to agree on two things only: the shape of an input and the dimension of the latent space.
#
# The paper tries three networks for birdsong.
# The first is the template's own.
# The simpler one lacks the first two residual blocks.
# The more complex one has one block more, between the third and the fourth convolution.
# This chapter has the three at half the width.
# It adds two networks that have no convolutions at all: one cuts the image into patches, and one is fully connected.

# %%
blocks = {}
for name, network in networks.items():
    blocks[name] = sum(type(m).__name__ == "ResidualBlock" for m in network.encoder)
    size = sum(parameter.numel() for parameter in network.parameters())
    print(f"{name:8} {size:>9,} parameters")
found = ", ".join(f"{name} {blocks[name]}" for name in named)
check(found, "residual blocks in the encoder", equals="simple 2, same 4, complex 5")

# %% tags=["hide-cell"]
few, quick = song.x[:256], dict(epochs=12, batch_size=64, learning_rate=learning_rate)
first = fit(networks["patches"], few, seed=0, **quick)
pairs = select_points(few, first.encode(few)[0], 16, method="random")
anchored = fit(networks["dense"], few, seed=1, rho=4 * rho, points=pairs, **quick)
fingerprint(first)
fingerprint(anchored)

# %% [markdown]
# ## Five networks land near Alice
#
# Alice is the first laboratory and Bob the second.
# Alice trains the network of patches, long enough to tell her syllables apart, and sends 32 points.
# Bob trains each of the five networks on these points and on his own birds.
# The folded cells at the top do this, and {numref}`fig-architectures-planes` shows the result.

# %%
variance = alignment.total_variance(hers)
away = {
    name: alignment.mean_squared_distance(means, hers) / variance for name, means in theirs.items()
}
check(list(away.values()), "five networks: distance to Alice / her variance", below=1 / 2)

# %% [markdown]
# Without the latents of the points, even Alice's own network lands elsewhere.
# Here Bob trains it as a VAE, on the inputs of the points and on his birds:

# %%
lonely = fit(networks["patches"], joined, seed=1, **plan)
means = lonely.encode(known.x)[0].numpy()
distance = alignment.mean_squared_distance(means, hers) / variance
check(distance, "VAE with the inputs only: distance to Alice / her variance", above=1)

# %% [markdown]
# ## A map after training is as free
#
# The latents can also enter after the training.
# A map from the VAE's space to Alice's, fitted on the 32 points, does not depend on the networks either.

# %%
by_map = live_rivals.distance_by("smooth", lonely, known.x, points, hers)
check(by_map, "VAE after a smooth map: distance to Alice / her variance", below=1 / 3)
check(away["patches"], "R-VAE without a map: distance to Alice / her variance", below=1 / 2)
check(by_map / away["patches"], "the first over the second", between=(0.5, 1.5), digits=0)
how = (bobs["patches"], known.x, points, hers)
both = live_rivals.distance_by("smooth", *how) / min(by_map, away["patches"])
check(both, "R-VAE after a smooth map, as a share of the nearer of the two", below=1)

# %% [markdown]
# After this short training the map comes as near as the anchored training does.
# Both together come nearest.
#
# ## Against the paper
#
# Table 10 has R-VAEs after sequential training on birdsong.
# Its numbers are relative to the median R-VAE with the template's own architecture.
# Our numbers are on three zebra finches with the paper's three networks, from ten runs of each on each of three templates.
# The dense layer between convolutions and heads is 128 wide instead of 1,568, because our images have a sixteenth of the pixels.

# %%
own = load_results("any_architecture")
print(rosetta_tables.scale_of(own, "spectrograms averaged to 32×32"))
any_architecture.study.table(own, metric="LSD")

# %% [markdown]
# **Table 10, log distortion.**
# The median differences are within the interquartile ranges, and each changes its side from template to template, as the column "range" shows.
# So their direction is a matter of chance ({ref}`verdicts` has the rule).

# %%
named = any_architecture.by_architecture(own)
each = rosetta_tables.medians(named, columns=["metric", "part", "template"])["lsd"]
each = np.log(each / each.loc["same architecture"]).drop("same architecture")
by_part = each.T.groupby("part")
name = "log distortion over the same architecture's, each network and part"
check(by_part.min(), f"{name}, the lowest of three templates", below=0)
check(by_part.max(), f"{name}, the highest", above=0)

# %%
any_architecture.study.table(own, metric="RV")

# %% [markdown]
# **Table 10, retraining variability**, computed in a way that holds for singular covariances.
# The paper's interquartile ranges of about 20 to 30 nats are those of singular log determinants, whose sizes do not compare.
#
# The next table has the labels carried over, the share of variance explained (R²), and the distance to Alice.

# %%
closeness = any_architecture.closeness(own)
close = closeness["unaligned_first", "D1"]
check(close, "each architecture, thirty runs: distance to Alice / her variance", below=0.1)
closeness.round(3)

# %% [markdown]
# ## Take-aways
#
# * A Rosetta file says nothing about networks. Bob may take a smaller, a larger or an altogether different one.
# * A map after training is as free. It comes near, and both together come nearest.
# * Two things must agree: the input, in shape and preparation, and the latent dimension $K$.
#
# That ends the paper's experiments; {ref}`your-own-data` is the page to copy from.
#
# ## Exercises
#
# :::{exercise} Compute
# :label: ex-any-architecture-compute
# Take the latent halfway between the first two points, `points.z[:1] / 2 + points.z[1:2] / 2`, and decode it with each of `bobs`.
# Is the variance among the five images smaller than the variance of Alice's data, each averaged over pixels?
# Write True or False in the line below.
# :::

# %% tags=["hide-cell"]
middle = points.z[:1] / 2 + points.z[1:2] / 2
drawn = np.stack([bob.decode(middle)[0, 0].numpy() for bob in bobs.values()])
among = np.square(drawn - drawn.mean(0)).mean()
everyday = np.square(known.x - known.x.mean(0)).mean()
expected = bool(among < everyday)

# %%
yours = None  # one line of yours
answer(yours, expected)

# %% [markdown]
# :::{solution} ex-any-architecture-compute
# :class: dropdown
# Yes. The five decoders draw much the same on the way, although nothing asked them to. The points hold the two ends, and the data do the rest.
# :::

# %% tags=["hide-cell"]
yours = True
answer(yours, expected)
assert among < everyday

# %% [markdown]
# :::{exercise} Change
# :label: ex-any-architecture-change
# Give Bob a latent space of one dimension more, with `VAE.mlp(shape, K + 1, (64,), **noise)`, and train it on Alice's points.
# Which exception does `fit` raise? Write its name as a text.
# :::

# %% tags=["hide-cell"]
wider = VAE.mlp(shape, K + 1, (64,), **noise)
expected, sentence = None, ""
try:
    fit(wider, few, epochs=1, batch_size=64, rho=rho, points=pairs)
except ValueError as error:
    expected, sentence = type(error).__name__, str(error)

# %%
yours = None  # one line of yours
answer(yours, expected)

# %% [markdown]
# :::{solution} ex-any-architecture-change
# :class: dropdown
# A ValueError. Two spaces of different dimension cannot be compared, and `fit` refuses with one sentence that names both dimensions.
# :::

# %% tags=["hide-cell"]
yours = "ValueError"
answer(yours, expected)
assert str(K + 1) in sentence

# %% [markdown]
# :::{exercise} Think
# :label: ex-any-architecture-think
# May Bob's likelihood differ from Alice's, for example Bernoulli against Gaussian?
# :::
#
# :::{solution} ex-any-architecture-think
# :class: dropdown
# Yes, at a price.
# The z-term of the penalty does not use the likelihood. The x-term compares the decoder's mean with the input, which works for both.
# The balance between rate and distortion changes, though. With it changes how far from the prior's scale the latents want to lie, and then the points pull against it.
# `protocols.distil` writes the likelihood into the header of its points.
# :::

# %% tags=["hide-cell"]
bits = VAE.mlp(shape, K, (64,), likelihood="bernoulli")
either = [fit(bits, few, seed=1, **quick, **how) for how in (dict(points=pairs, rho=40 * rho), {})]
apart = [np.square(one.encode(pairs.x)[0].numpy() - pairs.z).sum(1).mean() for one in either]
assert apart[0] < apart[1] / 2

# %% [markdown]
# ## References
#
# {cite:t}`martinez2021rosetta`; the {doc}`bibliography <../book/bibliography>` has the details.

# %% tags=["hide-cell"]
provenance(
    data=song.info["title"],
    source=song.info["source"],
    runs=f"one of {epochs} epochs for each of five networks",
)
