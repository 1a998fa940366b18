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
# (quickstart)=
# # Two laboratories land on one map
#
# :::{card}
# **Question.** Can two laboratories that share neither data nor models arrive at the same latent space?
#
# **Answer.** Yes: a file of eight examples with their latents is enough here, and a training that uses the file lands on the sender's map.
# :::

# %% tags=["nbval-skip", "remove-cell"]
import importlib.util

if importlib.util.find_spec("rvae_lite") is None:
    get_ipython().run_line_magic("pip", 'install -q "rvae_lite[notebooks] @ git+REPOSITORY_URL"')

# %% tags=["parameters", "hide-cell"]
num_examples = 1600
epochs = 40
batch_size = 100
learning_rate = 2e-3
beta = 1.0
rho = 15.0
num_points = 8
seed = 1

# %% tags=["hide-cell"]
import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch

from rvae_lite import VAE, RosettaPoints, alignment, data, fit, losses, rivals, select_points
from rvae_lite.reporting import figures
from rvae_lite.reporting.claims import answer, check, fingerprint, provenance

figures.use_style()
folder = Path(tempfile.mkdtemp())
options = dict(epochs=epochs, batch_size=batch_size, beta=beta, learning_rate=learning_rate)

# %% tags=["hide-cell"]
# The whole chapter at once; the sections below do the same step by step.
alice_data = data.load("eight_gaussians", seed=1, num_examples=num_examples)
bob_data = data.load("eight_gaussians", seed=2, num_examples=num_examples)
model = VAE.mlp(5, 2)
alice = fit(model, alice_data.x, seed=seed, **options)
hers = alice.encode(alice_data.x)[0]
points = select_points(alice_data.x, hers, num_points, decode=alice.decode)
bob = fit(model, bob_data.x, seed=seed + 1, **options)
anchored = fit(model, bob_data.x, seed=seed + 1, rho=rho, points=points, **options)
trained = {"Alice": alice, "Bob, on his own": bob, "Bob, with the file": anchored}
spaces = {name: one.encode(bob_data.x)[0].numpy() for name, one in trained.items()}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "With the file of Rosetta points, the second laboratory lands on the first one's map. The panels are the latent planes of one training each, on one scale. A dot is one of Bob's data, its colour its group. The crosses are the eight latents in the file.", "name": "fig-quickstart-landing"}}
_ = figures.plot_spaces(spaces, bob_data.labels, points=points.z, columns=3, size=2.3)

# %% [markdown]
# :::{dropdown} About this chapter
# **After this you can** distil a trained space into a small file, train into a space that somebody sent you, and verify that you landed in it.
#
# **Before.** What a variational autoencoder is; {ref}`chapter-papers` recalls it in half a page.
#
# **Time.** {reading}`half a minute to run`.
#
# **Reproduces.** The idea of Figure 1 and the first row of Figure 2 of {cite:t}`martinez2021rosetta`, in small.
# :::
#
# ## Two trainings give two maps
#
# Alice and Bob measure the same kind of thing: vectors of five numbers that fall into eight groups.
# Alice draws one sample, Bob draws another.
# Both train the same small network, which has two latent dimensions.
# Their trainings start from different random seeds.

# %%
alice_data = data.load("eight_gaussians", seed=1, num_examples=num_examples)
bob_data = data.load("eight_gaussians", seed=2, num_examples=num_examples)
model = VAE.mlp(5, 2)

alice = fit(model, alice_data.x, seed=seed, **options)
bob = fit(model, bob_data.x, seed=seed + 1, **options)

# %% [markdown]
# The first two panels of {numref}`fig-quickstart-landing` are the maps of Alice and of Bob.
# Both maps separate the eight groups.
# The groups lie in other places, so a position that was read off Alice's map means nothing on Bob's.
#
# How far apart are the two maps?
# Both models encode the *same* data, here Bob's.
# The **unaligned distance** {eq}`eq-unaligned` is the mean squared distance between the two latents of one datum, in units of Alice's total variance.
# It is 0 for the same map, and about 2 for two independent maps of one shape.

# %%
hers = alice.encode(bob_data.x)[0].numpy()
his = bob.encode(bob_data.x)[0].numpy()
apart = alignment.mean_squared_distance(his, hers) / alignment.total_variance(hers)
check(apart, "distance of Bob's own map to Alice's", above=0.3)

# %% [markdown]
# ## Alice distils her map into a file
#
# Alice clusters her latents.
# For each cluster she keeps the datum nearest to the centre, together with the latent of that datum.
# Such a pair is a **Rosetta point**: an input that anybody can encode, and the place where it belongs.
# The file also holds what Alice's decoder makes of each latent.

# %%
points = select_points(
    alice_data.x,
    alice.encode(alice_data.x)[0],
    num_points,
    decode=alice.decode,
    ids=alice_data.ids,
)
points.save(folder / "alice.npz")
for key in ("kind", "num_points", "data_shape", "latent_dim", "selection_method"):
    print(f"{key}: {points.header[key]}")

# %% [markdown]
# The file holds arrays, a JSON header and a hash of its content.
# It holds nothing that could run as code.
# {ref}`rosetta-file` describes the format.
#
# ## Bob trains into Alice's space
#
# Bob loads the file and first checks it against his own data.
# Points of another resolution or scale are refused here, before hours of training are spent.

# %%
received = RosettaPoints.load(folder / "alice.npz")
report = received.check(bob_data.x)
print(str(report).splitlines()[0])
check(report.covering.share, "share of Bob's data near one of the inputs in the file", above=0.95)

# %% [markdown]
# Bob's loss {eq}`eq-rosetta-loss` has one more term, the one with $\rho$:
#
# ```{math}
# :label: eq-quickstart
# \begin{aligned}
# \mathcal L = {}& \text{distortion} + \beta \, \text{rate} \\
# & {}+ \frac \rho R \sum_r \Bigl( \lVert \hat x_r - \hat x(z_r) \rVert^2 \\[-2ex]
# & \phantom{{}+ \frac \rho R \sum_r \Bigl(} {} + \lVert z_r - \mu(x_r) \rVert^2 \Bigr) .
# \end{aligned}
# ```
#
# The encoder's mean $\mu$ is drawn to send each input $x_r$ to its latent $z_r$.
# The decoder $\hat x$ is drawn to turn each latent into $\hat x_r$, which is what Alice's decoder makes of it.
# The paper has the noisy input $x_r$ in the place of $\hat x_r$; {ref}`decoder-targets` compares the two.
# A VAE trained with this term is an **R-VAE**.
# In code the new term is two lines:


# %%
def penalty(model, x, z, t):
    decoder_misses = (t - model.decode(z)).square().sum(1).mean()
    encoder_misses = (z - model.encode(x).mean).square().sum(1).mean()
    return decoder_misses + encoder_misses


bobs_model = bob.replica(0)
x_r, z_r, t_r = map(torch.as_tensor, (received.x, received.z, received.recon))
ours = penalty(bobs_model, x_r, z_r, t_r)
terms = losses.rosetta_penalty(bobs_model.decode(z_r), t_r, bobs_model.encode(x_r).mean, z_r)
check((ours / sum(terms)).item(), "our penalty over the library's", near=1, within=1e-5, digits=0)

# %% [markdown]
# The training itself takes two more arguments, `rho` and `points`:

# %%
anchored = fit(model, bob_data.x, rho=rho, points=received, seed=seed + 1, **options)
landed = anchored.encode(bob_data.x)[0].numpy()
left = alignment.mean_squared_distance(landed, hers) / alignment.total_variance(hers)
check(left, "distance of Bob's map with the file to Alice's", below=0.01, digits=0)
check(np.log10(apart / left), "powers of ten that the file takes off the distance", above=2)
carried = alignment.label_transfer(
    alice.encode(alice_data.x)[0], alice_data.labels, landed, bob_data.labels
)
check(carried, "share of Bob's data that Alice's labels name rightly", above=0.99)

# %% [markdown]
# The third panel of {numref}`fig-quickstart-landing` shows the result.
# Bob's data fell into place around the eight crosses, although Alice has never seen one of his data.
# The last check looks up each of Bob's data on Alice's map and gives it the label of its nearest neighbour there.
# Distances are squared: two powers of ten are one power of ten in length.
#
# ## A map after the training is the rival
#
# Bob can use the same file in another way.
# He trains on his own, encodes the eight inputs, and fits a map that carries his eight latents to Alice's.
# A rotation with a shift is the simplest map.
# A smooth map, which may bend, comes nearer:

# %%
anchors = bob.encode(received.x)[0]
rotated, bent = (rivals.fit_map(m, anchors, received.z)(his) for m in ("rotation", "smooth"))
after_rotation, after_bend = (
    alignment.mean_squared_distance(mapped, hers) / alignment.total_variance(hers)
    for mapped in (rotated, bent)
)
check(after_rotation, "distance of Bob's own map to Alice's after a rotation", above=left, below=apart)
check(after_bend, "distance after a smooth map", below=0.01, digits=0)
check(after_bend / after_rotation, "that of the smooth map over that of the rotation", below=1, digits=0)
check(np.log10(apart / after_bend), "powers of ten that the smooth map takes off", above=2)

# %% [markdown]
# On this toy the smooth map does as well as anchoring, since each of the eight groups has a point.
# {ref}`do-you-need-it` compares the two on six data sets.
#
# ## Is your map the book's map?
#
# The book ships Rosetta points of its own.
# Every run of this page trains into the space that they define.
# The next cell verifies it on *witness points*: pairs from the book's model that take no part in the training.

# %% mystnb={"figure": {"caption": "A training anchored to the book's Rosetta points lands in the book's latent space. A dot is a fresh datum in that training's latent plane, its colour its group. The crosses are the latents of the book's Rosetta points.", "name": "fig-quickstart-book"}}
book = RosettaPoints.load("book:eight_gaussians")
witness = RosettaPoints.load("book:eight_gaussians_witness")
yours = fit(model, alice_data.x, rho=rho, points=book, seed=seed, **options)
there = yours.encode(witness.x)[0].numpy()
distance = alignment.mean_squared_distance(there, witness.z) / alignment.total_variance(witness.z)
check(len(witness), "witness points", equals=64)
check(distance, "distance of your space to the book's, at these points", below=0.02, digits=0)
fresh = data.load("eight_gaussians", seed=3)
title = "your map, the book's crosses"
_ = figures.plot_space(yours.encode(fresh.x)[0], fresh.labels, points=book.z, title=title)

# %% [markdown]
# The next cell prints a fingerprint of a training's first steps.
# It changes when the method does.

# %% tags=["hide-cell"]
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # too short to reach the points, and it says so
    steps = options | dict(epochs=12, seed=seed, rho=rho, points=book)
    first_steps = fit(model, alice_data.x[:960], **steps)
fingerprint(first_steps)

# %% [markdown]
# ## Take-aways
#
# * A VAE that is trained again draws a new map. Positions on one map mean nothing on the other.
# * Eight pairs of input and latent, and one more term in the loss, make two trainings land on one map.
# * The laboratories exchange one small file, which is checked on arrival. Data sets, models and code stay at home.
# * A smooth map fitted on the same pairs after the training is the rival, and as good on this toy.
#
# {ref}`eight-gaussians` measures the effect over many trainings and beside the paper.
# {ref}`do-you-need-it` asks whether a map after the training is enough.
# {ref}`your-own-data` is for readers with data at hand, and {ref}`two-laboratories` needs no Python.

# %% tags=["hide-cell"]
numbers_sent = received.x.size + received.z.size + received.recon.size
two = select_points(alice_data.x, alice.encode(alice_data.x)[0], 2)
objections = two.check(bob_data.x)
fewest = received.z.shape[1] + 1

# %% [markdown]
# ## Exercises
#
# :::{exercise} Compute
# :label: ex-quickstart-compute
# How many numbers travel in Alice's file, if each point has an input, a latent and a decoded latent? Write your answer in the line below.
# :::

# %%
yours = None  # one line of yours
answer(yours, numbers_sent)

# %% [markdown]
# :::{solution} ex-quickstart-compute
# :class: dropdown
# Each point has 5 + 2 + 5 numbers.
# Alice's data set has many more, so the file is a small part of it.
# :::

# %% tags=["hide-cell"]
yours = num_points * (5 + 2 + 5)
answer(yours, numbers_sent)
assert yours == numbers_sent
check(yours / alice_data.x.size, "the file as a share of Alice's data", below=0.1)

# %% [markdown]
# :::{exercise} Change
# :label: ex-quickstart-change
# Alice sends two points in place of eight. How many points does `check` ask for at least?
# :::

# %%
yours = None  # one line of yours: two.check(bob_data.x) has the answer
answer(yours, fewest)

# %% [markdown]
# :::{solution} ex-quickstart-change
# :class: dropdown
# Two points leave a reflection free in two dimensions, so `check` asks for three.
# :::

# %% tags=["hide-cell"]
yours = 3
answer(yours, fewest)
print(objections.warnings[0])
assert f"select at least {fewest}" in objections.warnings[0] and not objections.errors

# %% [markdown]
# :::{exercise} Think
# :label: ex-quickstart-think
# Bob's data come in other units and are a hundred times larger. What should happen?
# :::
#
# :::{solution} ex-quickstart-think
# :class: dropdown
# Points in other units belong to another problem.
# `check` refuses the file and says why.
# :::

# %% tags=["hide-cell"]
refused = received.check(100 * bob_data.x).errors
print(refused[0])
assert len(refused) == 1

# %% [markdown]
# ## References
#
# {cite:t}`martinez2021rosetta`; the {doc}`bibliography <../book/bibliography>` has the details.

# %% tags=["hide-cell"]
provenance(data="8 Gaussians, generated", profile="quick" if num_examples else "paper")
