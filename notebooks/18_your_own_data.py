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
# # Your own data takes ten lines
#
# :::{card}
# **Question.** You have recordings, or arrays of any kind: what do you type, what do you choose, and what do you send?
#
# **Answer.** Ten lines of Python train on your data and write the file to send. Of the ten wrong choices shown here seven pass without a warning, and every one shows in a number that you can print.
# :::

# %% tags=["nbval-skip", "remove-cell"]
import importlib.util

if importlib.util.find_spec("rvae_lite") is None:
    get_ipython().run_line_magic("pip", 'install -q "rvae_lite[notebooks] @ git+REPOSITORY_URL"')

# %% tags=["parameters", "hide-cell"]
epochs = 24
replicas = 3
rho = 8.0
learning_rate = 4e-3

# %% tags=["hide-cell"]
import functools
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from rvae_lite import VAE, RosettaPoints, alignment, fit, metrics, rivals, select_points
from rvae_lite.birdsong import annotations, ava, colony, playback, spectrograms, syllables
from rvae_lite.reporting import figures, sounds
from rvae_lite.reporting.claims import answer, check, fingerprint, provenance

figures.use_style()
folder = Path(tempfile.mkdtemp())

# %% tags=["hide-cell"]
# Songs of two synthetic finches, and their syllables as images of 16x16 pixels.
birds = colony.write_songs(folder / "songs", num_birds=2, songs_per_bird=10)
spec = spectrograms.SpectrogramSpec(num_freqs=64, num_times=64)
song = syllables.load_birds(birds, spec=spec, progress=False)
here = song.birds == "finch0"  # Alice's bird; the other one is Bob's
ids = song.ids[here]
small = song.spectrograms.reshape(-1, 1, 16, 4, 16, 4).mean((3, 5))
hers, his = small[here], small[~here]
test = np.arange(len(his)) % 4 == 0  # syllables of Bob's that he does not train on

# %% tags=["hide-cell"]
# Bob's trainings with Alice's points: one with the usual choices, others with a wrong one.
from rvae_lite.anchors import PointsNotReached

steps = dict(batch_size=16, learning_rate=learning_rate)
usual = dict(K=8, R=32, rho=rho, beta=1.0, noise_variance=0.1, epochs=40)


@functools.cache
def template(K):
    return fit(VAE.mlp(hers.shape[1:], K, hidden=(64,)), hers, epochs=40, **steps)


@functools.cache
def trial(*, K, R, noise_variance, **choices):
    """Bob's training, Alice's points and latents, and the warnings that were given."""
    alice = template(K)
    z = alice.encode(hers)[0].numpy()
    points = select_points(hers, z, R, decode=alice.decode, ids=ids)
    model = VAE.mlp(hers.shape[1:], K, hidden=(64,), noise_variance=noise_variance)
    own = np.concatenate([his[~test], points.x])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", PointsNotReached)
        bob = fit(model, own, points=points, seed=1, **choices, **steps)
    return bob, points, z, [str(each.message) for each in caught]


# %% tags=["hide-input"] mystnb={"figure": {"caption": "With the usual choices Bob puts Alice's bird where she has it, and a wrong choice shows. Each panel shows the syllables of both birds, Alice's orange and Bob's blue, in the plane of Alice's two leading principal components. The panels are Alice's model and three trainings of Bob's: with the usual choices, with rho too small, and with the noise variance too large. In the last one his own syllables fall into one spot, and hers stay near her points.", "name": "fig-own-data-choices"}}
panels = {"Alice": template(8), "as usual": trial(**usual)[0]}
panels["rho = 0.1"] = trial(**usual | dict(rho=0.1))[0]
panels["noise variance = 10"] = trial(**usual | dict(noise_variance=10.0))[0]
spaces = {name: run.encode(small)[0].numpy() for name, run in panels.items()}
window = figures.plane_of(spaces["Alice"])
_ = figures.plot_spaces(figures.through(window, spaces), here.astype(int))

# %% [markdown]
# :::{dropdown} About this chapter
# **After this you can**
#
# * train on an array, on a folder of recordings or on files of AVA;
# * make a Rosetta file from them, or from any latent space, and listen to what it holds;
# * tell from a symptom which choice was wrong, and mend it;
# * say beforehand how long a million examples take.
#
# **Before.** {ref}`quickstart`.
#
# **Time.** {reading}`one minute to run`.
#
# **Reproduces.** Nothing: this is the page to copy from.
# :::

# %% [markdown]
# ## Ten lines for an array
#
# Rows are examples; the rest of the shape is up to you.
# The noise variance of the likelihood says how much of each number may be lost.
# Here each number may be off by 0.1, so the noise variance is 0.01.

# %%
angle = np.random.default_rng(0).uniform(0, 2 * np.pi, 600)
x = np.stack([np.cos(angle), np.sin(angle), np.cos(2 * angle)], 1).astype(np.float32)

plan = dict(batch_size=64, learning_rate=learning_rate)
model = VAE.mlp(3, 2, noise_variance=0.01)
mine = fit(model, x, epochs=epochs, seed=1, **plan)
points = select_points(x, mine.encode(x)[0], 16, decode=mine.decode)
points.save(folder / "mine.npz")

# %% [markdown]
# A colleague receives the file, checks it against the data, and trains with it.

# %%
received = RosettaPoints.load(folder / "mine.npz")
yours = fit(model, x, epochs=epochs, seed=2, points=received, rho=30.0, **plan)
distance = alignment.mean_squared_distance(yours.encode(x)[0], mine.encode(x)[0])
variance = alignment.total_variance(mine.encode(x)[0])
check(len(received.check(x).errors), "errors that the file finds in the colleague's data", equals=0)
check(
    distance / variance,
    "squared distance of the two spaces, as a share of their variance",
    below=0.1,
)

# %% tags=["hide-cell"]
fingerprint(fit(model, x, epochs=12, seed=1, **plan))

# %% [markdown]
# Choose the weight `rho` of the points together with the noise variance.
# The squared error is divided by twice the noise variance ({ref}`rosetta-loss`), so a smaller noise variance needs a larger `rho`.
# Here the noise variance is a tenth of the paper's 0.1, and `rho` is ten times as large.
# After every anchored training `fit` measures how near the points' inputs came to their latents, and warns if they stayed away.
#
# ## A folder of recordings becomes images
#
# The reader wants two things: sound files, and a table of onsets, offsets and labels.
# Sound files are `.wav`, or `.cbin` of Evsonganaly.
# The table may be one for all files or one beside each; Audacity's labels and Evsonganaly's `.not.mat` do as well.
# With `crowsetta` installed, so does everything that `crowsetta` reads.
#
# This page brings no recordings, so it has written the songs of two synthetic finches.
# Alice has the first bird and Bob the second.

# %%
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
# From here on a syllable is an image, and the ten lines are the same.
# Only the header is new ({ref}`rosetta-file`).
# It says how the inputs were made, and Bob's program can compare that with his own settings.

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
# The sound is in your recordings, and the ids of the points say where.
# For example, `finch0/song003.wav:7` is row 7 of that recording's annotation.
# `playback.cut` takes ids and folders, and gives each syllable at 22 kHz.
#
# You hear three sounds for each point.
#
# * The point itself.
# * The farthest member of its cluster. The cluster is every syllable of Alice's that lies nearer to this point than to any other.
# * Its nearest neighbour among the syllables of Bob's bird.

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
# The right column is the other bird.
# The space puts this syllable near the point because the two *look* alike, and you hear whether you agree.

# %%
alike = np.mean([label_of[a] == label_of[b] for a, b in zip(points.ids, farthest)])
check(alike, "share of clusters whose farthest member is of the point's type", above=2 / 3)

# %% [markdown]
# ## A check before training finds what does not fit
#
# Before Bob trains for hours, `points.check` compares his data with the points.
# It looks at shapes, scales and the settings of the spectrograms, and at whether his data lie where the points' inputs lie.

# %%
received = RosettaPoints.load(file)
print(received, "made from", received.header["source"])
own = song.spectrograms[~here]
print(received.check(own, preprocessing=song.info["preprocessing"]))

# %% [markdown]
# Bob's bird sings other syllables than Alice's, so both warnings are right.
# For the same bird they would mean that the syllables were prepared in another way.
#
# (mistake-settings)=
# ### Other settings of the spectrogram are refused
#
# Bob takes a linear axis of frequency where Alice took a mel axis.
# The header of her file tells.

# %%
linear = syllables.load_birds(birds, spec=spec._replace(axis="linear"), progress=False)
wrong = received.check(linear.spectrograms, preprocessing=linear.info["preprocessing"])
print(wrong)
check(len(wrong.errors), "errors where the axis differs", equals=1)

# %% [markdown]
# (mistake-scales)=
# ### Values on another scale are refused
#
# Alice's spectrograms run from 0 to 1.
# Bytes run from 0 to 255, and it is easy to forget to divide.

# %%
bytes_of = received.check(255 * own)
print(bytes_of)
check(len(bytes_of.errors), "errors where the scale differs", equals=1)

# %% [markdown]
# (mistake-transposed)=
# ### Transposed images give a warning, if the bird is the same
#
# A spectrogram with time and frequency exchanged has the right shape and the right scale.
# `check` tries this exchange and a few others, and warns where the points' inputs lie far nearer to the changed data.
# It notices the exchange on further syllables of Alice's bird.
# It does not notice it on Bob's bird, whose syllables are far from the points either way.

# %%
turned = {
    "Alice's bird": x[~np.isin(ids, received.ids)].swapaxes(2, 3),
    "Bob's bird": own.swapaxes(2, 3),
}
notices = {name: received.check(images.copy()).warnings for name, images in turned.items()}
found = {name: [text for text in notices[name] if "transposed" in text] for name in notices}
print("warning:", *found["Alice's bird"])
told = {name: len(texts) for name, texts in found.items()}
check(told["Alice's bird"], "such warnings for Alice's bird, transposed", equals=1)
check(told["Bob's bird"], "such warnings for Bob's bird, transposed", equals=0)

# %% [markdown]
# ## With points, Bob puts Alice's bird where she does
#
# Bob trains on his own bird and on the points.
# For comparison he trains once more on the same data without the anchoring loss.

# %%
plan |= dict(replicas=replicas, epochs=epochs)
joined = np.concatenate([own, received.x])
bob = fit(songs, joined, points=received, rho=rho, **plan)
lonely = fit(songs, joined, seed=9, **plan)
z, away = means.numpy(), {}
for name, runs in {"with points": bob, "without": lonely}.items():
    distances = [alignment.mean_squared_distance(run, z) for run in runs.encode(x)]
    away[name] = np.median(distances) / alignment.total_variance(z)
share = "Bob's distance for Alice's bird, as a share of her variance"
check(away["with points"], f"with points, {share}", below=1 / 3)
check(away["without"], f"without, {share}", above=1)

# %% [markdown]
# The file has a second use.
# Bob can train as he likes and fit a map from his space to Alice's on the points, after the training:

# %%
by_map = {}
for name, runs in {"with points": bob, "without": lonely}.items():
    run = runs.select([0])
    mapping = rivals.fit_map("smooth", run.encode(received.x)[0], received.z)
    moved = mapping(run.encode(x)[0])
    by_map[name] = alignment.mean_squared_distance(moved, z) / alignment.total_variance(z)
    check(by_map[name], f"{name}, the same distance after a map", below=0.1)
both = by_map["with points"] / by_map["without"]
check(both, "distance with points and a map, over that with the map alone", below=1)

# %% [markdown]
# Choose the map if your models are trained already.
# Choose the points if later users are to need no map.
# {ref}`do-you-need-it` weighs the two.
#
# ## Points from any latent space
#
# `select_points` takes data and latents, wherever the latents come from.
# Here they are principal components of scikit-learn, eight numbers for each syllable of 16×16 pixels.
# The array `hers` holds the syllables of Alice's bird, and `his` those of Bob's.
# One factor brings the components' variance to that of the prior, 1 in each direction on average.

# %%
from sklearn.decomposition import PCA

pca = PCA(8, random_state=0).fit(hers.reshape(len(hers), -1))
scale = np.sqrt(8 / pca.explained_variance_.sum())
of_pca = lambda x: scale * pca.transform(x.reshape(len(x), -1))
decode = lambda z: pca.inverse_transform(z / scale).reshape(-1, 1, 16, 16)
sent = select_points(hers, of_pca(hers), 32, decode=decode, ids=ids)

model = VAE.mlp(hers.shape[1:], 8, hidden=(64,))
joined = np.concatenate([his, sent.x])
learner = fit(model, joined, points=sent, rho=rho, epochs=40, seed=1, **steps)

# %%
unseen = ~np.isin(ids, sent.ids)
target = of_pca(hers[unseen])
gap = alignment.mean_squared_distance(learner.encode(hers[unseen])[0], target)
gap /= alignment.total_variance(target)
check(gap, "distance of Bob's latents to the components, as a share of their variance", below=0.05)

# %% [markdown]
# The syllables of this check were in no training of Bob's.
# So Bob now has a VAE, with a likelihood and samples, whose latents are Alice's principal components.
# UMAP, an autoencoder of another library or a table of measured features would do as well.
# A space without a decoder leaves `decode` out, and Bob's decoder is then drawn to the inputs themselves.
#
# ## Files of AVA
#
# Autoencoded Vocal Analysis {cite:p}`goffinet2021` keeps spectrograms in HDF5 files.
# The files do not say with which settings they were made, so write the settings into the header yourself.

# %%
ava.write_ava(folder / "specs", song)
print(sorted(path.name for path in (folder / "specs").iterdir())[:3], "...")
again = ava.read_ava(folder / "specs")
moved = np.abs(np.sort(again.onsets) - np.sort(song.onsets)).max()
check(moved, "seconds by which an onset differs once written and read", below=1e-6, digits=0)

# %% [markdown]
# ## A broken folder is named, file and row
#
# The reader names everything that is wrong with a folder in one message.
# It leaves nothing out unless you say so.
# Here one syllable ends before it begins.

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
check(len(song.labels) - len(rest.labels), "syllables that are left out", equals=1)

# %% [markdown]
# (lab-choices)=
# ## What to choose: ten mistakes and their symptoms
#
# There are six numbers to choose.
# Alice chooses the number of latents $K$ and the number of points $R$.
# Each laboratory chooses its own weight $\rho$, price $\beta$, noise variance and number of epochs.
# A choice can be too small or too large, and most mistakes show only if you look.
#
# To show them, Bob trains on the images of 16×16 pixels: once with the usual choices, and once for each mistake.
# A training takes about a second.
# He prints six numbers of each training.
# All but the first are measured on syllables that the training has not seen.


# %%
def look_at(bob, points, z):
    means, unsent = bob.encode(his[test])[0], ~np.isin(ids, points.ids)
    left = np.square(bob.reconstruct(his[test])[0].numpy() - his[test]).sum()
    moved = alignment.mean_squared_distance(bob.encode(hers[unsent])[0], z[unsent])
    return {
        "distance at the points": bob.anchor_distance(points)[0],
        "distance elsewhere": moved / alignment.total_variance(z),
        "squared error": left / np.square(his[test] - his[~test].mean(0)).sum(),
        "rate": bob.evaluate(his[test]).rate[0],
        "share of latents in use": metrics.active_units(means) / means.shape[1],
        "variance of latents": alignment.total_variance(means),
    }


well = look_at(*trial(**usual)[:3])
symptoms = {  # symptom: the number that shows it, and from where on
    "points not reached": ("distance at the points", dict(above=0.1)),
    "other syllables elsewhere": ("distance elsewhere", dict(above=0.08)),
    "worse reconstruction": ("squared error", dict(above=1.5 * well["squared error"])),
    "rate near 0": ("rate", dict(below=0.1)),
    "rate far too high": ("rate", dict(above=3 * well["rate"])),
    "latents unused": ("share of latents in use", dict(below=0.4)),
    "everything in one spot": ("variance of latents", dict(below=0.3)),
}


# %% [markdown]
# The two distances are squared, as shares of Alice's variance.
# The squared error is a share of the variance of Bob's syllables.
# The rate is in nats.


# %%
def towards(number, above=None, below=None):
    """The number as a share of its limit, or the reverse: above 1 where the symptom shows."""
    return number / above if above else below / number


shares = [towards(well[number], **limit) for number, limit in symptoms.values()]
check(shares, "the seven numbers of the usual training, as shares of their limits", below=1)

# %% [markdown]
# (mistake-not-reached)=
# ### Points that are not reached give a warning
#
# With a $\rho$ of 0.1 the points hardly count.
# Bob's space stays his own, as the third panel of {numref}`fig-own-data-choices` shows, and `fit` says so:

# %% tags=["nbval-ignore-output"]
print(*trial(**usual | dict(rho=0.1))[3])

# %% [markdown]
# ### Most mistakes give no warning
#
# Here is one mistake after another.
# Each line tells the wrong choice, the symptom, and the number that shows it.

# %%
choices = [
    (dict(K=1), "worse reconstruction", dict(K=8)),
    (dict(K=32), "latents unused", dict(K=8)),
    (dict(R=2), "other syllables elsewhere", dict(R=32)),
    (dict(rho=0.1), "points not reached", dict(rho=rho)),
    (dict(rho=1000.0), "worse reconstruction", dict(rho=rho)),
    (dict(beta=100.0), "rate near 0", dict(beta=1.0)),
    (dict(beta=0.01), "rate far too high", dict(beta=1.0)),
    (dict(noise_variance=10.0), "everything in one spot", dict(noise_variance=0.1)),
    (dict(noise_variance=0.001), "points not reached", dict(rho=100 * rho)),
    (dict(epochs=3), "worse reconstruction", dict(epochs=40)),
]
spell = lambda chosen: ", ".join(f"{name} = {value:g}" for name, value in chosen.items())
rows, warned, mended = [], 0, []
for wrong, symptom, remedy in choices:
    number, limit = symptoms[symptom]
    *ill, messages = trial(**usual | wrong)
    ill, cured = look_at(*ill), look_at(*trial(**usual | wrong | remedy)[:3])
    claim = f"{spell(wrong)}, {symptom}, {number}"
    check(ill[number], claim, above=limit.get("above"), below=limit.get("below"))
    rows.append((spell(wrong), symptom, number, ill[number], spell(remedy), cured[number]))
    mended.append(towards(cured[number], **limit))
    warned += bool(messages)
check(mended, "the ten numbers with the remedy, as shares of their limits", below=1)
check(len(choices) - warned, "mistakes that gave no warning", equals=7)

# %% tags=["nbval-ignore-output"]
columns = ["choice", "symptom", "number", "then", "remedy", "with it"]
pd.DataFrame(rows, columns=columns).set_index("choice").map(
    lambda cell: cell if isinstance(cell, str) else f"{cell:.2g}"
)

# %% [markdown]
# Four rules come out of the table.
#
# * **Choose $\rho$ by the noise variance.** The noise variance divides the squared error, so it decides what $\rho$ and $\beta$ weigh. At a hundredth of the noise variance the points need a hundred times the $\rho$.
# * **Look at the rate before the reconstruction.** A rate near 0 means that $\beta$ or the noise variance is far too large. The commonest cause is a loss that is averaged over pixels ({ref}`mean-reduction`).
# * **Raise $K$ until the error stops falling, and stop there.** One latent is too few. Thirty-two leave more than half unused.
# * **Take at least as many points as there are types of syllable.** Two points are reached, and the syllables elsewhere are not held. {ref}`how-many-points` measures what each further point buys.
#
# ## Time grows with the examples, memory hardly
#
# How long do a million examples take?
# `benchmarks/sizes.py` has measured it with the small network of this page, on images of 64×64 bytes, with batches of 128, $K = 8$ and $R = 32$.
# Times are processor time of one thread.
# Memory leaves out the pages of the file, which is read from the disk as it is needed.

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
# All 24 epochs were run on ten thousand examples, three on a hundred thousand, and one on a million.
# What 24 epochs take is computed from these.

# %%
check(
    epoch[10**6] / epoch[10**4],
    "an epoch of 100 times the examples, times",
    between=(80, 125),
    digits=3,
)
most = taken["memory, MB"]
check(most[10**6] / most[10**4], "memory of 10⁶ images, over that of 10⁴", below=2)
share = (choose.seconds + encode.seconds) / (24 * epoch)
check(share[10**6], "encoding a million and choosing points, as a share of 24 epochs", below=0.1)

# %% [markdown]
# Replicas multiply the time: ten trainings side by side take at most ten times one (`benchmarks/growth.py`).
# Open a file that is larger than your memory with `np.load(path, mmap_mode="r")`, and pass it to `fit` as it is.
#
# ## What to send, what not, and to whom
#
# | to | send | keep |
# |---|---|---|
# | a colleague who will train | the Rosetta file; $K$ comes with it, network, $\beta$ and $\rho$ are the colleague's to choose ({ref}`any-architecture`) | recordings, model |
# | a colleague who has trained already | the same file: a map is fitted on its points | recordings, model |
# | a colleague who repeats your training | batch size, epochs, $\beta$, noise variance and seed as well | recordings |
# | a referee, or yourself a year on | *witnesses*: held-out pairs of input and latent that no training meets | |
# | readers of your paper | Rosetta file and witnesses in an archive, with a licence | whatever the licence does not cover |
# | a colleague who wants to decode your latents | the model's file as well | recordings |
# | anybody, where the inputs may not be shown | decoded inputs and no ids ({ref}`two-laboratories`) | inputs |
#
# The inputs of the points are data, and the ids are names of your files.
# Look into the file before you send it.
# Here 32 syllables out of 127 are a quarter of this bird.

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
check(words.count(str(folder)), "times that the Rosetta file names a folder of yours", equals=0)
named = sum(name.startswith("finch0/song0") for name in points.ids)
check(named, "ids that name a recording of yours", equals=32)

# %% [markdown]
# ## Take-aways
#
# * Arrays, folders, AVA files and any latent space end in the same ten lines.
# * The header says how the inputs were made; without it, other settings are not noticed.
# * `points.check` finds other scales, shapes and settings before hours of training.
# * Six numbers show whether a choice was wrong. Most mistakes give no warning, so print the six numbers.
# * Time grows with the examples, and memory hardly grows.
#
# {ref}`two-laboratories` does the same from a terminal, without a line of Python.
# What $\beta$ does is the subject of the next part, which begins with {ref}`rate-and-distortion`.

# %% [markdown]
# ## Exercises
#
# :::{exercise} Compute
# :label: ex-your-own-data-compute
# How far does Bob put those of Alice's syllables that are not among her points, as a share of her variance?
# Take the first run of `bob`, the syllables `x`, Alice's latents `z`, and `received.ids`.
# :::

# %% tags=["hide-cell"]
witnesses = ~np.isin(song.ids[here], received.ids)
apart = alignment.mean_squared_distance(bob.encode(x[witnesses])[0], z[witnesses])
expected = float(apart / alignment.total_variance(z))

# %%
yours = None  # one line of yours
answer(yours, expected, digits=2)

# %% [markdown]
# :::{solution} ex-your-own-data-compute
# :class: dropdown
# Select the syllables whose id is not among the points' ids, encode them with Bob's first run, and divide the mean squared distance by the total variance of `z`.
# These syllables are witnesses: no training of Bob's has met them.
# :::

# %% tags=["hide-cell"]
rest = np.array([name not in set(received.ids) for name in ids])
differences = bob.encode(x[rest])[0].numpy() - z[rest]
yours = float(np.square(differences).sum(1).mean() / z.var(0).sum())
answer(yours, expected, digits=2)
assert yours < 1 / 2

# %% [markdown]
# :::{exercise} Change
# :label: ex-your-own-data-change
# The table `odd.csv` names its columns `from` and `to`, and `read_annotations` refuses it.
# Read it with `columns=`. When does its first syllable end, in seconds?
# :::

# %% tags=["hide-cell"]
odd = folder / "odd.csv"
odd.write_text("from,to,label\n0.10,0.25,a\n0.30,0.42,b\n")
expected = 0.25

# %%
try:
    annotations.read_annotations(odd)
except ValueError as error:
    print(str(error).replace(str(folder), "..."))
yours = None  # one line of yours
answer(yours, expected)

# %% [markdown]
# :::{solution} ex-your-own-data-change
# :class: dropdown
# `columns=dict(onset="from", offset="to")` tells the reader two names that it does not know.
# :::

# %% tags=["hide-cell"]
read = annotations.read_annotations(odd, columns=dict(onset="from", offset="to"))
yours = float(read.offsets[0])
answer(yours, expected)
assert yours == expected and list(read.labels) == ["a", "b"]

# %% [markdown]
# :::{exercise} Think
# :label: ex-your-own-data-think
# Your points show recordings of people. May you send the file?
# :::
#
# :::{solution} ex-your-own-data-think
# :class: dropdown
# The inputs are the data themselves.
# Choose points that may be shown, or send decoded means in the place of inputs and say so in the header.
# Decoded means are what the model keeps of the inputs.
# `rvae-lite distil --share decoded` sends them, and {ref}`two-laboratories` measures what that costs.
# :::

# %% tags=["hide-cell"]
decoded = np.clip(alice.decode(received.z)[0].numpy(), 0, 1)
stand_in = RosettaPoints(decoded, received.z, header=received.header)
again = alice.encode(stand_in.x)[0].numpy()
share = np.square(again - received.z).sum(1).mean() / received.z.var(0).sum()
assert not np.array_equal(stand_in.x, received.x) and share < 0.5

# %% [markdown]
# ## References
#
# {cite:t}`martinez2021rosetta`, {cite:t}`goffinet2021`; the {doc}`bibliography <../book/bibliography>` has the details.

# %% tags=["hide-cell"]
provenance(data="synthetic finch, and a circle", runs=f"{replicas} of {epochs} epochs")
