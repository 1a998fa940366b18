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
# # Your own data: what to type, choose and send
#
# :::{card}
# **Question.** You have recordings, or any arrays at all. What do you type, what do you choose, how long does it take, and what do you send to whom?
#
# **After this you can**
#
# * train on an array, a folder of recordings or files of AVA, and make a Rosetta file from them or from any latent space;
# * listen to the syllables that you send;
# * tell from a symptom which choice was wrong, and mend it;
# * say beforehand what a million examples take.
#
# **Before.** {ref}`quickstart`.
#
# **Time.** Fifteen minutes to read, one minute to run.
#
# **Reproduces.** Nothing: this is the page to copy from.
# :::

# %% tags=["nbval-skip", "remove-cell"]
import importlib.util

if importlib.util.find_spec("rvae_lite") is None:
    get_ipython().run_line_magic("pip", 'install -q "rvae_lite[notebooks] @ git+REPOSITORY_URL"')

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

from rvae_lite import VAE, RosettaPoints, alignment, fit, metrics, rivals, select_points
from rvae_lite.birdsong import annotations, ava, colony, playback, spectrograms, syllables
from rvae_lite.reporting import figures, sounds
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
# ## Listen to what you send
#
# A Rosetta file holds pictures and latents, and no sound.
# Your own recordings hold the sound, and the ids of the points say where: `finch0/song003.wav:7` is row 7 of that recording's annotation.
# `playback.cut` takes ids and folders, and gives each syllable at 22 kHz.
#
# Three sounds belong to a point: its own, one from its cluster, and its nearest neighbour in the other bird.
# A cluster is every syllable of Alice's whose nearest point this is; its farthest member tells how much the cluster holds together.

# %%
points = RosettaPoints.load(file)
others = alice.encode(song.spectrograms[~here])[0].numpy()
between = lambda z: np.square(z[:, None] - points.z).sum(2)  # (N, R)
cluster, near = between(means.numpy()), between(others)
belongs = cluster.argmin(1)[:, None] == np.arange(len(points.z))
farthest = ids[np.where(belongs, cluster, -1).argmax(0)]
neighbour = song.ids[~here][near.argmin(0)]
label_of = dict(zip(song.ids, song.labels, strict=True))
types, shown = np.unique([label_of[name] for name in points.ids], return_index=True)

# %% tags=["nbval-ignore-output"]
names = np.stack([points.ids, farthest, neighbour], 1)[shown[:6]].ravel()
row_of = {name: row for row, name in enumerate(song.ids)}
pictures = song.spectrograms[[row_of[name] for name in names]]
columns = ["point", "farthest of its cluster", "neighbour in finch1"]
heard = playback.cut(names, birds)
table = sounds.players(heard, pictures, columns=columns, rows=types[:6].tolist())
print(f"{len(heard)} sounds, {len(table.html) / 1000:.0f} kB in this page")
table

# %% [markdown]
# A row is the first point of each type.
# The middle column should sound like the left one.
# Where it does not, two types share a point, and a larger $R$ parts them ({ref}`lab-choices`).
# The right column is another bird: the space puts it there because it *looks* alike, and you hear whether you agree.

# %%
alike = np.mean([label_of[a] == label_of[b] for a, b in zip(points.ids, farthest)])
check("the farthest of a cluster is of the point's type, for over two thirds", alike > 2 / 3)

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
# ## Points from any latent space
#
# `select_points` takes data and latents, and asks nobody where the latents come from.
# Here they are principal components of scikit-learn, eight numbers for an image of 256 pixels.
# One factor brings their variance to that of the prior, 1 in each direction on average.

# %%
from sklearn.decomposition import PCA

small = song.spectrograms.reshape(-1, 1, 16, 4, 16, 4).mean((3, 5))  # 16x16 pixels
hers, his = small[here], small[~here]
pca = PCA(8, random_state=0).fit(hers.reshape(len(hers), -1))
scale = np.sqrt(8 / pca.explained_variance_.sum())
of_pca = lambda x: scale * pca.transform(x.reshape(len(x), -1))
decode = lambda z: pca.inverse_transform(z / scale).reshape(-1, 1, 16, 16)
sent = select_points(hers, of_pca(hers), 32, decode=decode, ids=ids)

model = VAE.mlp(hers.shape[1:], 8, hidden=(64,))
steps = dict(batch_size=16, learning_rate=learning_rate)
joined = np.concatenate([his, sent.x])
learner = fit(model, joined, points=sent, rho=rho, epochs=40, seed=1, **steps)

# %%
unseen = ~np.isin(ids, sent.ids)
target = of_pca(hers[unseen])
away = alignment.mean_squared_distance(learner.encode(hers[unseen])[0], target)
away /= alignment.total_variance(target)
check("syllables that no training saw: within 5 % of the components' variance", away < 0.05)

# %% [markdown]
# Bob now has a VAE, with a likelihood and samples, whose latents are the principal components that Alice has published.
# UMAP, an autoencoder of another library or a table of measured features would do as well.
# A space without a decoder leaves `decode` out, and the inputs are then what Bob's decoder is drawn to.

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
# (lab-choices)=
# ## What to choose
#
# There are six numbers to choose.
# Alice chooses $K$ and $R$; each laboratory chooses its own $\rho$, $\beta$, noise variance and epochs.
# Each can be wrong in a way that has a look of its own.
# To see them all, Bob trains on the small images of the section before, once with usual choices and once for each mistake.
# A training takes about a second.

# %%
import functools

from rvae_lite.anchors import PointsNotReached

test = np.arange(len(his)) % 4 == 0  # syllables of Bob's that he does not train on
usual = dict(K=8, R=32, rho=rho, beta=1.0, noise_variance=0.1, epochs=40)


@functools.cache
def template(K):
    return fit(VAE.mlp(hers.shape[1:], K, hidden=(64,)), hers, epochs=40, **steps)


@functools.cache
def trial(*, K, R, noise_variance, **choices):
    """Bob's training with Alice's points, what it shows, and the warnings."""
    alice = template(K)
    z = alice.encode(hers)[0].numpy()
    points = select_points(hers, z, R, decode=alice.decode, ids=ids)
    model = VAE.mlp(hers.shape[1:], K, hidden=(64,), noise_variance=noise_variance)
    own = np.concatenate([his[~test], points.x])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", PointsNotReached)
        bob = fit(model, own, points=points, seed=1, **choices, **steps)
    return bob, look_at(bob, points, z), [str(each.message) for each in caught]


# %% [markdown]
# Six numbers tell how a training went, all on syllables that it has not seen, but for the first.


# %%
def look_at(bob, points, z):
    means, away = bob.encode(his[test])[0], ~np.isin(ids, points.ids)
    left = np.square(bob.reconstruct(his[test])[0].numpy() - his[test]).sum()
    moved = alignment.mean_squared_distance(bob.encode(hers[away])[0], z[away])
    return {
        "distance at the points": bob.anchor_distance(points)[0],
        "distance elsewhere": moved / alignment.total_variance(z),
        "squared error": left / np.square(his[test] - his[~test].mean(0)).sum(),
        "rate": bob.evaluate(his[test]).rate[0],
        "share of latents in use": metrics.active_units(means) / means.shape[1],
        "variance of latents": alignment.total_variance(means),
    }


reference, well, _ = trial(**usual)
symptoms = {
    "points not reached": ("distance at the points", lambda value: value > 0.1),
    "other syllables elsewhere": ("distance elsewhere", lambda value: value > 0.08),
    "worse reconstruction": ("squared error", lambda value: value > 1.5 * well["squared error"]),
    "rate 0": ("rate", lambda value: value < 0.1),
    "rate far too high": ("rate", lambda value: value > 3 * well["rate"]),
    "latents unused": ("share of latents in use", lambda value: value < 0.4),
    "everything in one spot": ("variance of latents", lambda value: value < 0.3),
}
seen = [name for name, (number, holds) in symptoms.items() if holds(well[number])]
check("the usual choices show none of the seven symptoms", not seen)

# %% [markdown]
# Distances are squared, as a share of Alice's variance; the squared error is a share of the variance of Bob's syllables; the rate is in nats.
# The first symptom comes with a warning, the others you have to look for.

# %% tags=["nbval-ignore-output"]
weak, _, warned = trial(**usual | dict(rho=0.1))
print(warned[0])

# %% [markdown]
# Now a mistake at a time: what was chosen, what it looks like, and the training that mends it.

# %%
choices = [
    (dict(K=1), "worse reconstruction", dict(K=8)),
    (dict(K=32), "latents unused", dict(K=8)),
    (dict(R=2), "other syllables elsewhere", dict(R=32)),
    (dict(rho=0.1), "points not reached", dict(rho=rho)),
    (dict(rho=1000.0), "worse reconstruction", dict(rho=rho)),
    (dict(beta=100.0), "rate 0", dict(beta=1.0)),
    (dict(beta=0.01), "rate far too high", dict(beta=1.0)),
    (dict(noise_variance=10.0), "everything in one spot", dict(noise_variance=0.1)),
    (dict(noise_variance=0.001), "points not reached", dict(rho=100 * rho)),
    (dict(epochs=3), "worse reconstruction", dict(epochs=40)),
]
spell = lambda chosen: ", ".join(f"{name} = {value:g}" for name, value in chosen.items())
rows = []
for wrong, symptom, remedy in choices:
    mended = well if usual == usual | wrong | remedy else trial(**usual | wrong | remedy)[1]
    number, holds = symptoms[symptom]
    ill = trial(**usual | wrong)[1]
    rows.append((spell(wrong), symptom, number, ill[number], spell(remedy), mended[number]))
    claim = f"{spell(wrong)}: {symptom}; {spell(remedy)}: no longer"
    check(claim, holds(ill[number]) and not holds(mended[number]))

# %% tags=["nbval-ignore-output"]
columns = ["choice", "symptom", "number", "then", "remedy", "with it"]
pd.DataFrame(rows, columns=columns).set_index("choice").map(
    lambda cell: cell if isinstance(cell, str) else f"{cell:.2g}"
)

# %% mystnb={"figure": {"caption": "Three trainings of one laboratory look different in the first laboratory's plane. Each panel shows the syllables of both birds, coloured by bird, in the plane of Alice's two leading principal components. The panels are Alice, Bob with the usual choices, Bob with rho too small, and Bob with the noise variance too large: his own syllables fall into one spot, and hers stay near her points.", "name": "fig-own-data-choices"}}
loud = trial(**usual | dict(noise_variance=10.0))[0]
panels = {"Alice": template(8), "as usual": reference}
panels |= {"rho = 0.1": weak, "noise variance = 10": loud}
spaces = {name: run.encode(small)[0].numpy() for name, run in panels.items()}
window = figures.plane_of(spaces["Alice"])
_ = figures.plot_spaces(figures.through(window, spaces), here.astype(int))

# %% [markdown]
# Four rules come out of the table.
#
# * **Choose $\rho$ by the noise variance.** Distortion is a squared error over twice that variance, so it decides what $\rho$ and $\beta$ weigh. At a hundredth of the variance the points need a hundred times the $\rho$.
# * **Look at the rate before the reconstruction.** A rate near 0 means that $\beta$, or the noise variance, is far too large. A loss that is averaged over pixels is the commonest cause ({ref}`mean-reduction`).
# * **Raise $K$ until the error stops falling, and stop there.** One latent is too few; thirty-two leave more than half unused.
# * **Two points reach themselves and nothing else.** Take at least as many points as there are types of syllable; {ref}`how-many-points` measures what each further point buys.
#
# ## Time and memory
#
# How long do a hundred thousand examples take?
# `benchmarks/sizes.py` measured it with this page's network on images of 64×64 bytes, batches of 128, $K = 8$, $R = 32$.
# Times are processor time of one thread; memory leaves out the pages of the file, which is read from the disk as it is needed.

# %%
from rvae_lite.studies.study import load_results

sizes = load_results("sizes")
train, encode, choose = (
    sizes[sizes.step == step].set_index("examples") for step in ("training", "encoding", "points")
)
epoch = train.seconds / train.epochs
print("machine:", sizes.machine.iloc[0])
taken = {"one epoch, s": epoch, "24 epochs, min": 24 * epoch / 60}
taken |= {"encoding, s": encode.seconds, "choosing points, s": choose.seconds}
taken |= {"memory, MB": sizes.groupby("examples").megabytes.max()}
taken |= {"file, MB": train.file_megabytes}
pd.DataFrame(taken).round(1)

# %% [markdown]
# All 24 epochs were run on ten thousand examples, three on a hundred thousand, and one on a million; what 24 take is computed from these.
# Time grows in proportion to the examples, and memory hardly grows.

# %%
ratio = epoch[10**6] / epoch[10**4]
check(f"an epoch of 100 times the examples: {ratio:.0f} times as long", 80 < ratio < 125)
most = taken["memory, MB"] / 1000
claim = f"memory: {most[10**4]:.2f} GB for ten thousand examples, {most[10**6]:.2f} for a million"
check(claim, most[10**6] < 2 * most[10**4])
share = (choose.seconds + encode.seconds) / (24 * epoch)
check(f"choosing points takes {share[10**6]:.1%} of 24 epochs of a million", share[10**6] < 0.1)

# %% [markdown]
# Replicas multiply the time: ten trainings side by side take at most ten times one (`benchmarks/growth.py`).
# A file of more than your memory is opened with `np.load(path, mmap_mode="r")` and passed to `fit` as it is.
#
# ## What to send, what not, and to whom
#
# | to | send | keep |
# |---|---|---|
# | a colleague who will train | the Rosetta file; $K$ comes with it, network, $\beta$ and $\rho$ are theirs to choose ({ref}`any-architecture`) | recordings, model |
# | a colleague who has trained already | the same file: a map is fitted on its points | recordings, model |
# | a colleague who repeats your training | batch size, epochs, $\beta$, noise variance and seed as well | recordings |
# | a referee, or yourself a year on | *witnesses*: held-out pairs of input and latent that no training meets | |
# | readers of your paper | Rosetta file and witnesses in an archive, with a licence | whatever the licence does not cover |
# | a colleague who wants to decode your latents | the model's file as well | recordings |
# | anybody, where the inputs may not be shown | decoded inputs and no ids ({ref}`two-laboratories`) | inputs |
#
# The inputs of the points are data, and ids are names of files of yours.
# Look into the file before you send it: 32 syllables out of 127 are a quarter of this bird.

# %%
left = np.flatnonzero(~np.isin(ids, points.ids))[::4]
RosettaPoints(x[left], means[left], header=header).save(folder / "witnesses.npz")
alice.save(folder / "alice.model.npz")
kinds = {"alice.npz": "send", "witnesses.npz": "send", "alice.model.npz": "on request"}
recordings = sum(path.stat().st_size for path in birds["finch0"].glob("*.wav"))
for name, what in kinds.items():
    print(f"{name:16} {(folder / name).stat().st_size / 1e6:5.1f} MB  {what}")
print(f"{'recordings':16} {recordings / 1e6:5.1f} MB  keep")
words = " ".join([str(points.header), *points.ids])
check("the Rosetta file names no folder of yours", str(folder) not in words)
check("but its ids name recordings", "finch0/song0" in words)

# %% [markdown]
# ## Take-aways
#
# * Arrays, folders, AVA files and any latent space end in the same ten lines.
# * The header is what makes a file useful in a year's time.
# * If something is wrong, it is named; if something is left out, it is counted.
# * Seven symptoms tell which of six choices was wrong; only one of them comes with a warning.
# * Time grows with the examples, memory does not.
#
# {ref}`two-laboratories` does the same from a terminal, without a line of Python.
# What $\beta$ does is the subject of the next part, which begins with {ref}`rate-and-distortion`.
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
