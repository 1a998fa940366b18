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
# # Any architecture
#
# :::{card}
# **Question.** Must the second laboratory use the first one's network?
#
# **After this you can** train into a colleague's space with a network of your own, and say which part of a model the points constrain and which they leave to you.
#
# **Before.** {ref}`mnist`.
#
# **Time.** Eight minutes to read, one minute to run.
#
# **Reproduces.** Appendix F of {cite:t}`martinez2021rosetta`, Table 10; the live part on synthetic finches, the table on recorded birds.
# :::

# %% tags=["nbval-skip", "remove-cell"]
import importlib.util

if importlib.util.find_spec("rvae_lite") is None:
    get_ipython().run_line_magic("pip", 'install -q "rvae_lite[notebooks] @ git+REPOSITORY_URL"')

# %% tags=["parameters"]
dataset = "synthetic_finch"
num_examples = 300
epochs = 30
rho = 2.75
learning_rate = 1e-3

# %%
import numpy as np

from rvae_lite import VAE, alignment, fit, select_points
from rvae_lite.reporting import figures
from rvae_lite.reporting.claims import check, fingerprint, provenance
from rvae_lite.studies import any_architecture, live_rivals, rosetta_tables, setup
from rvae_lite.studies.study import load_results

figures.use_style()
options = dict(num_examples=num_examples, side=32, epochs=epochs)
options |= dict(loading=dict(size=64), learning_rate=learning_rate)
setting = setup.image_setup(dataset, 32, **options)
shape, K = setting.model.data_shape, setting.model.latent_dim

# %% [markdown]
# ## What the points say, and what they do not
#
# A Rosetta point is an input and a latent.
# The penalty asks the decoder to turn $z_r$ into $x_r$ and the encoder to turn $x_r$ into $z_r$; how they do it is not its business.
# So nothing in a Rosetta file names a network, and the only agreement that two laboratories need is the shape of an input and the dimension of the latent space.
#
# The paper tries three networks for birdsong: the template's own, a simpler one without its first two residual blocks, and a more complex one with one block more, between the third and the fourth convolution.
# The live part of this page has them at half the width and adds two networks that have no convolutions at all.

# %%
narrow = dict(channels=(6, 12, 24, 48), hidden=(128,), head_dim=32)
noise = dict(noise_variance=setting.model.noise_variance, value_range=(0.0, 1.0))
named = dict(simple=setup.SIMPLE, same=setup.BIRDSONG, complex=setup.COMPLEX)
networks, blocks = {}, {}
for name, how in named.items():
    networks[name] = VAE.residual(shape, K, **how | narrow, **noise)
patches = dict(patch_size=8, channels=16, hidden=(64,))
networks["patches"] = VAE.patch(shape, K, **patches, **noise)
networks["dense"] = VAE.mlp(shape, K, (128, 64), **noise)
for name, network in networks.items():
    count = sum(type(m).__name__ == "ResidualBlock" for m in network.encoder)
    size = sum(parameter.numel() for parameter in network.parameters())
    print(f"{name:8} {count} residual blocks in the encoder, {size:>9,} parameters")
    blocks[name] = count
check("simple 2, same 4, complex 5 blocks", [blocks[n] for n in named] == [2, 4, 5])

# %%
song = setting.dataset
few, quick = song.x[:256], dict(epochs=12, batch_size=64, learning_rate=learning_rate)
first = fit(networks["patches"], few, seed=0, **quick)
pairs = select_points(few, first.encode(few)[0], 16, method="random")
anchored = fit(networks["dense"], few, seed=1, rho=4 * rho, points=pairs, **quick)
fingerprint(first)
fingerprint(anchored)

# %% [markdown]
# The second of these two trainings already took the points of the first, a network of patches, into a fully connected one.
#
# ## Five networks, one space
#
# Alice trains the network of patches, long enough to tell her syllables apart, and sends 32 points; Bob trains each of the five on them and on his own birds.
# The networks differ in speed, and the small images of this page keep all of them below a few seconds a training.

# %%
import warnings

from rvae_lite.anchors import PointsNotReached

known, own_birds = song.take(song.part == 1), song.take(song.part == 2)
plan = dict(epochs=epochs, batch_size=16, learning_rate=learning_rate)
alice = fit(networks["patches"], known.x, seed=0, **plan | dict(epochs=4 * epochs))
points = select_points(known.x, alice.encode(known.x)[0], 32)
joined = np.concatenate([own_birds.x, points.x])
anchors = dict(points=points, rho=rho, seed=1)
with warnings.catch_warnings():
    warnings.simplefilter("ignore", PointsNotReached)  # one stays a little away
    bobs = {name: fit(one, joined, **anchors, **plan) for name, one in networks.items()}

# %% mystnb={"figure": {"caption": "Five different networks put the first laboratory's syllables near the same places. The panels are Alice's space and one training of each of Bob's five networks. The window is the plane of Alice's two leading principal components. A dot is one of Alice's syllables; ten colours stand for the kinds in turn.", "name": "fig-architectures-planes"}}
hers = alice.encode(known.x)[0].numpy()
spaces = {"Alice": hers}
spaces |= {f"Bob, {n}": bob.encode(known.x)[0].numpy() for n, bob in bobs.items()}
window = figures.plane_of(hers)
_ = figures.plot_spaces(figures.through(window, spaces), known.labels, columns=3)

# %%
away = [alignment.mean_squared_distance(means, hers) for means in spaces.values()]
farthest = max(away) / alignment.total_variance(hers)
check("every network within half of Alice's variance", farthest < 1 / 2)

# %% [markdown]
# Without the points' latents, even Alice's very own network would land elsewhere:

# %%
lonely = fit(networks["patches"], joined, seed=1, **plan)
means = lonely.encode(known.x)[0].numpy()
distance = alignment.mean_squared_distance(means, hers)
check(
    "a VAE that was given the inputs only: beyond all of her variance",
    distance > alignment.total_variance(hers),
)

# %% [markdown]
# The latents can also enter after the training, through a map from the VAE's space to hers, fitted on the 32 points.
# Such a map does not mind networks either:

# %%
by_map = live_rivals.distance_by("smooth", lonely, known.x, points, hers)
anchored = away[list(spaces).index("Bob, patches")] / alignment.total_variance(hers)
check(f"the VAE by a smooth map {by_map:.2g}, anchored without one {anchored:.2g}", by_map < 1 / 3)
how = (bobs["patches"], known.x, points, hers)
both = live_rivals.distance_by("smooth", *how)
check(f"anchored and mapped {both:.2g}", both < min(by_map, anchored))

# %% [markdown]
# ## Against the paper
#
# Table 10: R-VAEs after sequential training on birdsong, relative to the median R-VAE with the template's own architecture.
# Ours is on three zebra finches with the paper's three networks, at the image size and scale printed below; the dense layer between convolutions and heads is 128 wide instead of 1,568, to match images with a sixteenth of the pixels.

# %%
own = load_results("any_architecture")
any_architecture.study.table(own, metric="LSD")

# %% [markdown]
# **Table 10, log distortion.**
# All differences are within the interquartile ranges, where a direction is a matter of chance ({ref}`eight-gaussians` has the rule).

# %%
any_architecture.study.table(own, metric="RV")

# %% [markdown]
# **Table 10, retraining variability**, rank-safe; the paper's interquartile ranges of about 20 to 30 nats are those of singular log determinants, whose sizes do not compare.

# %%
closeness = any_architecture.closeness(own)
closeness.round(3)

# %%
print(rosetta_tables.scale_of(own, "spectrograms averaged to 32×32"))
within = (closeness["unaligned_first", "D1"] < 0.5).all()
check("ten runs: no architecture strays beyond half of Alice's variance", within)

# %% [markdown]
# ## Take-aways
#
# * A Rosetta file says nothing about networks, and Bob is free to take a smaller, a larger or an altogether different one.
# * A map after training is as free: in short trainings it comes as near as anchoring, and both together nearest.
# * What must agree is the input's shape and preparation, and $K$.
#
# That ends the paper's experiments; {ref}`your-own-data` is the page to copy from.
#
# ## Exercises
#
# **Compute.** Do the five decoders agree about what lies between two anchors?
#
# ```{dropdown} Solution
# They draw much the same on the way, although nothing asked them to: the ends are held, and the data do the rest.
# ```

# %% tags=["hide-cell"]
middle = points.z[:1] / 2 + points.z[1:2] / 2
drawn = np.stack([bob.decode(middle)[0, 0].numpy() for bob in bobs.values()])
everyday = np.square(known.x - known.x.mean(0)).mean()
assert np.square(drawn - drawn.mean(0)).mean() < everyday

# %% [markdown]
# **Change.** Give Bob a latent space of another dimension.
#
# ```{dropdown} Solution
# There is no way to compare: `fit` refuses with one sentence.
# ```

# %% tags=["hide-cell"]
wider = VAE.mlp(shape, K + 1, (64,), **noise)
try:
    fit(wider, few, epochs=1, batch_size=64, rho=rho, points=pairs)
    refused = False
except ValueError as error:
    refused = str(K + 1) in str(error)
assert refused

# %% [markdown]
# **Think.** May Bob's likelihood differ from Alice's, say Bernoulli against Gaussian?
#
# ```{dropdown} Solution
# The z-term does not care, the x-term compares the decoder's mean with the input and works for both.
# The balance between rate and distortion changes, though, and with it how far from the prior's scale the latents want to lie; the points then pull against it.
# `protocols.distil` writes the likelihood into the header of its points.
# ```

# %% tags=["hide-cell"]
assert setting.model.likelihood == "gaussian"

# %% [markdown]
# ## References
#
# {cite:t}`martinez2021rosetta`; the {doc}`bibliography <../book/bibliography>` has the details.

# %%
provenance(
    data=song.info["title"],
    source=song.info["source"],
    runs=f"one of {epochs} epochs for each of five networks",
)
