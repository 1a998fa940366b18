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
# (your-own-data)=
# # Your own data, in ten lines
#
# :::{card}
# **Question.** You have recordings, or any arrays at all. What do you type, what do you check, and what do you send to a colleague?
#
# **After this you can** train on a numpy array, on a folder of sound files with annotations and on files of AVA, make a Rosetta file from any of them, and read what the checks say.
#
# **Before.** {ref}`quickstart`.
#
# **Time.** Ten minutes to read, half a minute to run.
#
# **Reproduces.** Nothing: this is the page to copy from.
# :::

# %% tags=["nbval-skip", "remove-cell"]
import sys

if "google.colab" in sys.modules:
    get_ipython().run_line_magic("pip", "install -q git+REPOSITORY_URL")

# %% tags=["parameters"]
epochs = 24
replicas = 3
rho = 8.0
learning_rate = 4e-3

# %%
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from rvae_lite import VAE, RosettaPoints, alignment, fit, rivals, select_points
from rvae_lite.birdsong import annotations, ava, colony, spectrograms, syllables
from rvae_lite.reporting import figures
from rvae_lite.reporting.claims import check, fingerprint, provenance

figures.use_style()
folder = Path(tempfile.mkdtemp())

# %% [markdown]
# ## An array
#
# Rows are examples; the rest of the shape is up to you.
# Say which range the values keep to, and choose the noise variance of the likelihood as the variance of what you are willing to lose in each number.

# %%
angle = np.random.default_rng(0).uniform(0, 2 * np.pi, 600)
x = np.stack([np.cos(angle), np.sin(angle), np.cos(2 * angle)], 1).astype(np.float32)

plan = dict(batch_size=64, learning_rate=learning_rate)
model = VAE.mlp(3, 2, noise_variance=0.01)
mine = fit(model, x, epochs=epochs, seed=1, **plan)
points = select_points(x, mine.encode(x)[0], 16, decode=mine.decode)
points.save(folder / "mine.npz")

# %%
received = RosettaPoints.load(folder / "mine.npz")
yours = fit(model, x, epochs=epochs, seed=2, points=received, rho=30.0, **plan)
check("your colleague's data fit the points", not received.check(x).errors)
distance = alignment.mean_squared_distance(yours.encode(x)[0], mine.encode(x)[0])
variance = alignment.total_variance(mine.encode(x)[0])
check("and your colleague is in your space", distance < 0.1 * variance)
fingerprint(fit(model, x, epochs=12, seed=1, **plan))

# %% [markdown]
# The weight `rho` has to be read against the distortion, whose squared error is divided by twice the noise variance ({ref}`rosetta-loss`); where that variance is a tenth of the paper's 0.1, `rho` is ten times as large.
# After every anchored training `fit` looks how near the points' inputs came to their latents, and warns if they stayed away.
#
# ## A folder of recordings
#
# Sound files (`.wav`, or `.cbin` of Evsonganaly) and where the syllables are: a table of onsets, offsets and labels, for all files or one beside each, Audacity's labels, or Evsonganaly's `.not.mat`; with `crowsetta` installed, whatever that reads.
# This page has no recordings, so it writes some: songs of synthetic finches.

# %%
birds = colony.write_songs(folder / "songs", num_birds=2, songs_per_bird=10)
for name, place in birds.items():
    print(name, sorted(path.name for path in place.iterdir())[:4], "...")
print((birds["finch0"] / "song000.csv").read_text()[:90])

# %%
spec = spectrograms.SpectrogramSpec(num_freqs=64, num_times=64)
song = syllables.load_birds(birds, spec=spec, progress=False)
pd.crosstab(song.birds, song.labels, rownames=["bird"], colnames=["type"])

# %% mystnb={"figure": {"caption": "Syllables with one label look alike once they are spectrograms of equal size. Each row has twelve syllables with the label named, low frequencies below. They are read from the sound files that this page has written.", "name": "fig-own-data-syllables"}}
some = [np.flatnonzero(song.labels == label)[:12] for label in "abc"]
shown = song.spectrograms[np.concatenate(some)]
_ = figures.plot_spectrograms(shown, columns=12, rows=["a", "b", "c"])

# %% [markdown]
# From here on a syllable is an image, and the rest is the same ten lines.
# What is new is the header ({ref}`rosetta-file`): say how the inputs were made, and the next laboratory's program can check it.

# %%
patches = dict(patch_size=8, channels=16, hidden=(64,))
songs = VAE.patch(song.spectrograms.shape[1:], 8, **patches)
here = song.birds == "finch0"
plan["batch_size"] = 16  # or a few hundred examples would make few steps
x, ids = song.spectrograms[here], song.ids[here]
alice = fit(songs, x, epochs=epochs, seed=1, **plan)
header = dict(preprocessing=song.info["preprocessing"], licence="CC0", source="synthetic")
means = alice.encode(x)[0]
file = folder / "alice.npz"
select_points(x, means, 32, decode=alice.decode, ids=ids, header=header).save(file)
print(f"{file.name}: {file.stat().st_size / 1000:.0f} kB")

# %% [markdown]
# ## What the colleague checks
#
# Before hours are spent: shape, scale, the settings of the spectrograms, and whether the data lie where the points' inputs lie.
# Another bird sings other syllables, so the warnings below are expected here; of the same bird they would say that something was prepared otherwise.

# %%
received = RosettaPoints.load(file)
print(received, "made from", received.header["source"])
own = song.spectrograms[~here]
print(received.check(own, preprocessing=song.info["preprocessing"]))
linear = syllables.load_birds(birds, spec=spec._replace(axis="linear"), progress=False)
wrong = received.check(linear.spectrograms, preprocessing=linear.info["preprocessing"])
print(wrong)
check("points made with another axis are refused", bool(wrong.errors))

# %%
plan |= dict(replicas=replicas, epochs=epochs)
joined = np.concatenate([own, received.x])
bob = fit(songs, joined, points=received, rho=rho, **plan)
lonely = fit(songs, joined, seed=9, **plan)
z, away = means.numpy(), {}
for name, runs in {"with points": bob, "without": lonely}.items():
    distances = [alignment.mean_squared_distance(run, z) for run in runs.encode(x)]
    away[name] = np.median(distances) / alignment.total_variance(z)
check(
    "with points: Bob puts Alice's bird within a third of her variance",
    away["with points"] < 1 / 3,
)
check("without, and as it comes: beyond all of it", away["without"] > 1)

# %% [markdown]
# The file has a second use.
# A map from any trained space to Alice's can be fitted on its points, after the training:

# %%
by_map = {}
for name, runs in {"with points": bob, "without": lonely}.items():
    run = runs.select([0])
    mapping = rivals.fit_map("smooth", run.encode(received.x)[0], received.z)
    moved = mapping(run.encode(x)[0])
    by_map[name] = alignment.mean_squared_distance(moved, z) / alignment.total_variance(z)
    check(f"{name}: {away[name]:.2g} as it comes, {by_map[name]:.2g} by a map", by_map[name] < 0.1)
check("points and a map together are nearest", by_map["with points"] < by_map["without"])

# %% [markdown]
# Choose the map if your models are trained already.
# Choose the points if later users are to need no map; {ref}`do-you-need-it` weighs the two.

# %% [markdown]
# ## Files of AVA
#
# Autoencoded Vocal Analysis {cite:p}`goffinet2021` keeps spectrograms in HDF5 files.
# They do not say with which settings they were made, so you have to.

# %%
ava.write_ava(folder / "specs", song)
print(sorted(path.name for path in (folder / "specs").iterdir())[:3], "...")
again = ava.read_ava(folder / "specs")
same = np.allclose(np.sort(again.onsets), np.sort(song.onsets))
check("what was written is read back", same)

# %% [markdown]
# ## When something is wrong
#
# Everything that is wrong with a folder is named at once, by file and row, and nothing is left out unless you say so.

# %%
table = birds["finch0"] / "song003.csv"
lines = table.read_text().splitlines()
onset, offset, label = lines[2].split(",")
lines[2] = f"{offset},{onset},{label}"
table.write_text("\n".join(lines))
try:
    syllables.load_birds(birds, spec=spec, progress=False)
except ValueError as error:
    print(str(error).replace(str(folder), "..."))

# %%
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    rest = syllables.load_birds(birds, spec=spec, on_problem="skip", progress=False)
print("left out:", rest.info["skipped"])
check("one syllable fewer", len(rest.labels) == len(song.labels) - 1)

# %% [markdown]
# ## What to send
#
# * The Rosetta file: it holds the points' inputs, their latents, the settings and the licence. Look into it before you send it: the inputs are data.
# * Your $K$, batch size, epochs, $\beta$ and noise variance, for whoever wants the same fit; the network is theirs to choose ({ref}`any-architecture`).
# * A few held-out pairs of input and latent as *witnesses*: points that no training uses can tell your colleague whether it worked.
#
# ## Take-aways
#
# * Arrays, folders and AVA files end in the same ten lines.
# * The header is what makes a file useful in a year's time.
# * If something is wrong, it is named; if something is left out, it is counted.
#
# The same from a terminal, without a line of Python, is {ref}`two-laboratories`.
# What remains to be chosen is $\beta$, the subject of the next part, which begins with {ref}`rate-and-distortion`.
#
# ## Exercises
#
# **Compute.** Is Bob in Alice's space by the judgement of witnesses?
#
# ```{dropdown} Solution
# Take syllables of hers that are not points, and compare.
# ```

# %% tags=["hide-cell"]
witnesses = ~np.isin(song.ids[here], received.ids)
apart = alignment.mean_squared_distance(bob.encode(x[witnesses])[0], z[witnesses])
assert apart < alignment.total_variance(z) / 2

# %% [markdown]
# **Change.** Half of the rows of a table have no label. Read it with other column names.
#
# ```{dropdown} Solution
# `columns=dict(onset="from", offset="to")` maps names that the reader does not know; it names the columns that it found.
# ```

# %% tags=["hide-cell"]
odd = folder / "odd.csv"
odd.write_text("from,to,label\n0.1,0.2,a\n")
try:
    annotations.read_annotations(odd)
    named = False
except ValueError as error:
    named = "columns" in str(error)
assert named

# %% [markdown]
# **Think.** Your points show recordings of people. May you send the file?
#
# ```{dropdown} Solution
# The inputs are the data themselves. Choose points that may be shown, or send decoded means in place of inputs and say so in the header: they are what the model keeps of them. `rvae-lite distil --share decoded` does so, and {ref}`two-laboratories` measures what it costs.
# ```

# %% tags=["hide-cell"]
decoded = np.clip(alice.decode(received.z)[0].numpy(), 0, 1)
stand_in = RosettaPoints(decoded, received.z, header=received.header)
assert stand_in.x.shape == received.x.shape

# %% [markdown]
# ## References
#
# {cite:t}`martinez2021rosetta`, {cite:t}`goffinet2021`; the {doc}`bibliography <../book/bibliography>` has the details.

# %%
provenance(data="synthetic finch, and a circle", runs=f"{replicas} of {epochs} epochs")
