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
# # Two laboratories, one latent space
#
# :::{card}
# **Question.** Can two laboratories that share neither data nor models arrive at the same latent space?
#
# **After this you can** distil a trained space into a small file, train into a space that somebody sent you, and verify that you landed in it.
#
# **Before.** What a variational autoencoder is; {ref}`chapter-papers` recalls it in half a page.
#
# **Time.** Five minutes to read, half a minute to run.
#
# **Reproduces.** The idea of Figure 1 and the first row of Figure 2 of {cite:t}`martinez2021rosetta`, in small.
# :::

# %% tags=["nbval-skip", "remove-cell"]
import importlib.util

if importlib.util.find_spec("rvae_lite") is None:
    get_ipython().run_line_magic("pip", 'install -q "rvae_lite[notebooks] @ git+REPOSITORY_URL"')

# %% tags=["parameters"]
num_examples = 1600
epochs = 40
batch_size = 100
learning_rate = 2e-3
beta = 1.0
rho = 15.0
num_points = 8
seed = 1

# %%
import tempfile
import warnings
from pathlib import Path

import torch

from rvae_lite import VAE, RosettaPoints, alignment, data, fit, losses, select_points
from rvae_lite.reporting import figures
from rvae_lite.reporting.claims import check, fingerprint, provenance

figures.use_style()
folder = Path(tempfile.mkdtemp())
options = dict(epochs=epochs, batch_size=batch_size, beta=beta)
options |= dict(learning_rate=learning_rate)

# %% [markdown]
# ## Two trainings, two maps
#
# Alice and Bob each measure the same kind of thing: vectors of five numbers that fall into eight groups.
# Each draws their own sample, and each trains the same small network, with two latent dimensions.
# Only the random seed differs.

# %%
alice_data = data.load("eight_gaussians", seed=1, num_examples=num_examples)
bob_data = data.load("eight_gaussians", seed=2, num_examples=num_examples)
model = VAE.mlp(5, 2)

alice = fit(model, alice_data.x, seed=seed, **options)
bob = fit(model, bob_data.x, seed=seed + 1, **options)

# %% [markdown]
# To compare two spaces, both encode the *same* data, here Bob's.
# The **unaligned distance** {eq}`eq-unaligned` is the mean squared distance between the two latents of one datum, in units of Alice's total variance: 0 is the same map, and independent maps of one shape come out near 2.

# %% mystnb={"figure": {"caption": "Two trainings with different seeds put the same data in different places. The panels are the latent planes of Alice's training and of Bob's, on one scale. A dot is one of Bob's data, its colour its group.", "name": "fig-quickstart-two-maps"}}
hers = alice.encode(bob_data.x)[0].numpy()
his = bob.encode(bob_data.x)[0].numpy()
apart = alignment.mean_squared_distance(his, hers) / alignment.total_variance(hers)
check(
    "two trainings with different seeds put the same datum in different places",
    apart > 0.3,
)
_ = figures.plot_spaces(
    {"Alice": hers, "Bob, on his own": his}, bob_data.labels, columns=2, size=2.6
)

# %% [markdown]
# Both maps separate the eight groups, yet nothing measured in one can be looked up in the other.

# %% [markdown]
# ## Alice distils her space into a file
#
# She clusters her latents and keeps, for each cluster, the datum nearest to its centre together with its own latent.
# These pairs are the **Rosetta points**: an input that anybody can encode, and where it belongs.
# What her decoder makes of each latent goes along.

# %%
points = select_points(
    alice_data.x,
    alice.encode(alice_data.x)[0],
    num_points,
    decode=alice.decode,
    ids=alice_data.ids,
)
points.save(folder / "alice.npz")
for key in (
    "kind",
    "schema_version",
    "num_points",
    "data_shape",
    "latent_dim",
    "selection_method",
):
    print(f"{key}: {points.header[key]}")

# %% [markdown]
# The file holds arrays and a JSON header, nothing that could run code, and a hash of its content.
# Its format is described in {ref}`rosetta-file`.

# %% [markdown]
# ## Bob trains into Alice's space
#
# Bob loads the file and checks it against his own data first: another resolution or scale would be refused here, before hours are spent.

# %%
received = RosettaPoints.load(folder / "alice.npz")
print(received.check(bob_data.x))

# %% [markdown]
# His loss, {eq}`eq-rosetta-loss`, gains the term with $\rho$ in
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
# The encoder's mean $\mu$ should send each input $x_r$ to its latent $z_r$.
# The decoder $\hat x$ should turn each latent into $\hat x_r$, which is what Alice's decoder makes of it.
# (The paper has the input $x_r$ in its place, whose noise does the decoder no good: {ref}`decoder-targets`.)
# A VAE that is trained so is an **R-VAE**.
# In code the new term is two lines:


# %%
def penalty(model, x, z, t):
    decoder_misses = (t - model.decode(z)).square().sum(1).mean()
    encoder_misses = (z - model.encode(x).mean).square().sum(1).mean()
    return decoder_misses + encoder_misses


bobs_model = bob.replica(0)
x_r, z_r, t_r = map(torch.as_tensor, (received.x, received.z, received.recon))
ours = penalty(bobs_model, x_r, z_r, t_r)
library = sum(
    losses.rosetta_penalty(
        bobs_model.decode(z_r), t_r, bobs_model.encode(x_r).mean, z_r
    )
)
check("these two lines are the library's Rosetta penalty", torch.isclose(ours, library))

# %% mystnb={"figure": {"caption": "The second laboratory lands on the first one's map with the file of Rosetta points. The panels are the latent planes of one training each, on one scale. A dot is one of Bob's data, its colour its group. The crosses are the eight latents that travelled.", "name": "fig-quickstart-landing"}}
anchored = fit(model, bob_data.x, rho=rho, points=received, seed=seed + 1, **options)
landed = anchored.encode(bob_data.x)[0].numpy()
left = alignment.mean_squared_distance(landed, hers) / alignment.total_variance(hers)
check("with the file, Bob lands within one hundredth of Alice's variance", left < 0.01)
check("his map without the file is over a hundred times farther, squared", left < apart / 100)
spaces = {"Alice": hers, "Bob, on his own": his, "Bob, with the file": landed}
_ = figures.plot_spaces(spaces, bob_data.labels, points=received.z, columns=3, size=2.3)

# %% [markdown]
# A factor of 100 in a squared distance is a factor of 10 in length.
# The rival is Bob on his own with a map to Alice's space that he fits on the file's pairs after his training; the first exercise looks at two such maps, and {ref}`do-you-need-it` at all.
#
# The crosses are the eight latents that travelled.
# Bob's own 6,400 data fell into place around them, although Alice has never seen one of them.

# %%
carried = alignment.label_transfer(
    alice.encode(alice_data.x)[0], alice_data.labels, landed, bob_data.labels
)
check(
    "Alice's labels, looked up by nearest neighbour, name more than 99 % of Bob's data",
    carried > 0.99,
)

# %% [markdown]
# ## Is your map the book's map?
#
# This book ships Rosetta points of its own, and everybody who runs this page trains into the book's latent space.
# The next cell verifies it on *witness points*: pairs from the book's model that take no part in the training.

# %% mystnb={"figure": {"caption": "A training anchored to the book's Rosetta points lands in the book's latent space. A dot is a fresh datum in that training's latent plane, its colour its group. The crosses are the latents of the book's Rosetta points.", "name": "fig-quickstart-book"}}
book = RosettaPoints.load("book:eight_gaussians")
witness = RosettaPoints.load("book:eight_gaussians_witness")
yours = fit(model, alice_data.x, rho=rho, points=book, seed=seed, **options)
at_witnesses = yours.encode(witness.x)[0].numpy()
distance = alignment.mean_squared_distance(
    at_witnesses, witness.z
) / alignment.total_variance(witness.z)
check(f"your space is the book's at {len(witness)} witness points", distance < 0.02)
labels = data.load("eight_gaussians", seed=3)
_ = figures.plot_space(
    yours.encode(labels.x)[0],
    labels.labels,
    points=book.z,
    title="your map, the book's crosses",
)

# %% [markdown]
# The first steps of a training have a fingerprint; it changes when the method does.

# %%
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # too short to reach the points, and it says so
    steps = options | dict(epochs=12, seed=seed, rho=rho, points=book)
    first_steps = fit(model, alice_data.x[:960], **steps)
fingerprint(first_steps)

# %% [markdown]
# ## Take-aways
#
# * A retrained VAE is a new map of the same country; as they come, numbers read off one mean nothing in the other.
# * A handful of (input, latent) pairs and one extra term in the loss make two trainings land on one map.
# * The exchange is one small file, checked on arrival, without data sets, models or code.
#
# How strong the effect is, against which controls, and what the paper found is the subject of {ref}`eight-gaussians`; whether a map after training would do is asked in {ref}`do-you-need-it`.
# Whoever has data at hand may go straight to {ref}`your-own-data`, or to {ref}`two-laboratories`, which needs no Python.
#
# ## Exercises
#
# **Compute.** How far apart are Alice's map and Bob's own after the best rotation and shift, and after a map that bends, fitted on the file's eight pairs?
#
# ```{dropdown} Solution
# `alignment.orthogonal_map(his, hers)` gives the rotation, `rivals.fit_map` the other map; the next cell applies both.
# The rotation, although fitted on all data, comes not as near as the file does.
# The map that bends does: each of the eight groups has a point.
# ```

# %% tags=["hide-cell"]
from rvae_lite import rivals

rotated = alignment.orthogonal_map(his, hers)(his)
after_rotation = alignment.mean_squared_distance(
    rotated, hers
) / alignment.total_variance(hers)
check(
    "a rotation brings Bob's own map closer, and not as close as the file does",
    left < after_rotation < apart,
)
bent = rivals.fit_map("smooth", bob.encode(received.x)[0], received.z)(his)
after_map = alignment.mean_squared_distance(bent, hers) / alignment.total_variance(hers)
check("a map that bends, from the eight pairs, brings it within a hundredth", after_map < 0.01)

# %% [markdown]
# **Change.** Train Bob with a file of only two points. Does he still land?
#
# ```{dropdown} Solution
# Two points leave a reflection free in two dimensions, and `check` says so; the next cell shows its warning.
# ```

# %% tags=["hide-cell"]
two = select_points(alice_data.x, alice.encode(alice_data.x)[0], 2)
warned = two.check(bob_data.x)
print(warned)
assert warned.warnings and not warned.errors

# %% [markdown]
# **Think.** Bob's data come in other units, a hundred times larger. What should happen?
#
# ```{dropdown} Solution
# Anchors in other units are anchors for another problem, so the file must be refused; it is.
# ```

# %% tags=["hide-cell"]
refused = received.check(100 * bob_data.x).errors
print(refused[0])
assert len(refused) == 1

# %% [markdown]
# ## References
#
# {cite:t}`martinez2021rosetta`; the {doc}`bibliography <../book/bibliography>` has the details.

# %%
provenance(data="8 Gaussians, generated", profile="quick" if num_examples else "paper")
