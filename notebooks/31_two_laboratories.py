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
# (two-laboratories)=
# # Two laboratories share a space by four commands
#
# :::{card}
# **Question.** Two laboratories have different birds, different networks and different values of beta, and neither wants to write Python: what do they type, and what does it cost to keep the recordings at home?
#
# **Answer.** They type `distil`, `train`, `compare` and `inspect`. The second laboratory is then in the first one's space without any map, as far as the points reach. Points whose inputs are decoded keep the recordings at home, and in the one training here lead less far into it.
# :::

# %% tags=["nbval-skip", "remove-cell"]
import importlib.util

if importlib.util.find_spec("rvae_lite") is None:
    get_ipython().run_line_magic("pip", 'install -q "rvae_lite[notebooks] @ git+REPOSITORY_URL"')

# %% tags=["parameters", "hide-cell"]
epochs = 35
batch_size = 16
size = 32
songs_per_bird = 12
beta_bob = 2.0

# %% tags=["hide-cell"]
import contextlib
import functools
import json
import shlex
import tempfile
from pathlib import Path

import numpy as np

from rvae_lite import Fit, RosettaPoints, alignment, cli, data
from rvae_lite.lab import comparing
from rvae_lite.reporting import figures
from rvae_lite.reporting.claims import answer, check, fingerprint, provenance

figures.use_style()

# %% tags=["hide-cell"]
from typer.testing import CliRunner

folder = Path(tempfile.mkdtemp())


@functools.cache
def run(line):
    """What `rvae-lite ...` does in the laboratories' folder; each line is run once."""
    with contextlib.chdir(folder):
        return CliRunner().invoke(cli.app, [*shlex.split(line), "--json"])


def invoke(line):
    print("$ rvae-lite", line)
    return run(line)


def rvae_lite(line):
    """The command, and its result as numbers and words."""
    return json.loads(invoke(line).stdout)


# %% tags=["hide-cell"]
# Two folders of syllables, and the commands that this page explains one by one.
song = data.load("synthetic_finch", size=size, songs_per_bird=songs_per_bird)
for laboratory, part in dict(alice=1, bob=2).items():
    (folder / laboratory).mkdir()
    for number, x in enumerate(song.x[song.part == part]):
        np.save(folder / laboratory / f"{number:04d}.npy", x)
np.save(folder / "everything.npy", song.x)
hers, his = song.part == 1, song.part == 2

plan = f"--epochs {epochs} --batch-size {batch_size}"
own = f"--network mlp --beta {beta_bob}"
held = f"{own} {plan} --seed 1"
distil = f"distil alice -o alice.npz {plan} --licence CC0 --source 'synthetic finches'"
train = f"train bob alice.npz -o bob.model.npz {held}"
K = json.loads(run(distil).stdout)["latent_dim"]
run(train)
alone = f"distil bob -o own.npz {own} --latent-dim {K} {plan} --seed 2"
run(alone)
models = {"Alice": "alice.model.npz", "Bob": "bob.model.npz", "Bob alone": "own.model.npz"}
files = " ".join(f"'{name}={file}'" for name, file in models.items())
compare = f"compare {files} --data alice --points alice.npz -o hers.html --title 'Her birds'"
compared = json.loads(run(compare).stdout)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Rosetta points bring the second laboratory into the first one's space as it is. The left panel shows distances as shares of Alice's variance, the right panel measures of likeness. A dot is a value, a bar its 95 % interval over Alice's syllables. Bob was trained with Alice's points, Bob alone without, one training each.", "name": "fig-laboratories-measures"}}
pairs = {(r["source"], r["metric"]): r for r in compared["pairs"] if r["target"] == "Alice"}
methods = {"Bob": "R-VAE", "Bob alone": "VAE"}


def plot_measures(metrics, *, ax):
    for position, (name, method) in enumerate(methods.items()):
        rows = [pairs[name, metric] for metric in metrics]
        at = np.arange(len(metrics)) + 0.24 * (position - 0.5)
        low, high, middle = ([row[key] for row in rows] for key in ("low", "high", "value"))
        colour = figures.colour_of(method)
        ax.hlines(at, low, high, color=colour, alpha=0.5)
        ax.plot(middle, at, "o", color=colour, label=name)
    labels = [comparing.MEASURES[metric][0].replace(", ", "\n") for metric in metrics]
    ax.set_yticks(range(len(metrics)), labels)
    ax.invert_yaxis()


_, (left, right) = figures.figure_row(2, width=4.4, height=2.6)
plot_measures(["unaligned", "procrustes", "affine", "smooth"], ax=left)
plot_measures(["r_squared", "cka", "neighbours"], ax=right)
left.set(xscale="log", xlabel="share of Alice's variance (lower is better)")
right.set(xlim=(0, 1.05), xlabel="likeness to Alice (higher is better)")
_ = right.legend(loc="upper left")

# %% [markdown]
# :::{dropdown} About this chapter
# **After this you can**
#
# * distil, train, inspect and compare from a command line;
# * read each number of the comparison report, and say what agreement between two laboratories does and does not mean;
# * ship a space without shipping data.
#
# **Before.** {ref}`quickstart`, {ref}`your-own-data`.
#
# **Time.** {reading}`one minute to run`.
#
# **Reproduces.** Nothing: the papers have no command line. Their own comparison of laboratories is in {ref}`birdsong`.
# :::

# %% [markdown]
# ## Two folders of arrays
#
# A command is typed in a terminal.
# On this page the same commands run within Python, so that the page can check what it says.
# A line that begins with a dollar sign is what you would type.
#
# Alice has two synthetic finches and Bob two others, and no syllable of one is in the folder of the other.
# A file is a spectrogram.
# Images (`.png`), a `.npy` or `.npz` file, HDF5 or a `.csv` table would do as well.

# %%
print("files:", {name: len(list((folder / name).iterdir())) for name in ("alice", "bob")})

# %% mystnb={"figure": {"caption": "The two laboratories' birds sing different syllables. Each row shows fourteen syllables of one laboratory, low frequencies below.", "name": "fig-laboratories-data"}}
chosen = [np.flatnonzero(part)[:: part.sum() // 14][:14] for part in (hers, his)]
both = song.x[np.concatenate(chosen)]
_ = figures.plot_spectrograms(both, columns=14, rows=["Alice", "Bob"])

# %% [markdown]
# ## Alice distils
#
# `distil` trains a VAE, unless it is given one, and writes two files: the model, which stays, and the Rosetta file, which travels.
# Network, noise and number of points follow from the shape and spread of the data.
# The header of the file tells what was decided.

# %%
distilled = rvae_lite(distil)
print(distilled["num_points"], "points, K =", distilled["latent_dim"])

# %% tags=["hide-cell"]
_ = rvae_lite(f"distil alice -o short.npz --epochs 3 --batch-size {batch_size}")
fingerprint(Fit.load(folder / "short.model.npz"))

# %% [markdown]
# `inspect` verifies every byte of a file and says what its maker wrote down.

# %%
seen = rvae_lite("inspect alice.npz")
for entry in ("kind", "num_points", "data_shape", "dtype", "licence", "source"):
    print(f"{entry:12}", seen[entry])
print("network     ", seen["model"]["network"])
check(str(seen["preprocessing"]), "what the header says about the preprocessing", equals="None")

# %% [markdown]
# Alice has left out how the inputs were made.
# With `--preprocessing spec.json` Bob's program could have compared his settings with hers.
#
# ## Bob trains
#
# Bob has another network and another beta than Alice.
# $K$, the noise and the points come with the file.

# %%
joined = rvae_lite(train)
print(joined["verdict"].split(":")[0])

# %% [markdown]
# *Reached* means that the points' inputs land within a tenth of their latents' variance of where Alice has them, without any alignment.
#
# For comparison Bob also goes without the file: `distil` on his own data trains a space of his own.

# %%
_ = rvae_lite(alone)

# %% [markdown]
# ## Four answers to how alike two spaces are
#
# The report has several measures side by side, because each of them overlooks something.
#
# * The **plain squared distance**, as a share of Alice's variance, overlooks nothing. It is 0 in the same space, and about 2 between unrelated ones.
# * **LSD** and the share of variance explained ($R^2$) allow any affine map between the two. $R^2$ is measured on each syllable by the map that all others give, since a map with enough numbers fits anything.
# * **The nearest neighbours** that a syllable has in both spaces need no map at all.
# * **Centred kernel alignment** (CKA) {cite:p}`kornblith2019` allows rotations and one common scale.
#
# CKA compares the products $G = Z Z^\top$ and $G' = Z' Z'^\top$ of the means of the same $N$ data.
# The diagonal of a product is large for any space, and would make spaces of noise look alike.
# So the diagonals are set to 0, and with $\mathbf 1$ a vector of ones
#
# $$
# \begin{aligned}
# \langle G, G' \rangle &= \operatorname{tr} G G' + \frac{\mathbf 1^\top G \mathbf 1 \, \mathbf 1^\top G' \mathbf 1}{(N - 1)(N - 2)} \\
# & \quad - \frac{2}{N - 2} \mathbf 1^\top G G' \mathbf 1 , \\
# \mathrm{CKA} &= \frac{\langle G, G' \rangle}{\sqrt{\langle G, G \rangle \langle G', G' \rangle}} .
# \end{aligned}
# $$ (eq-cka)


# %%
def product(g, other):
    n, sums = len(g), g.sum() * other.sum()
    return np.sum(g * other) + sums / (n - 1) / (n - 2) - 2 / (n - 2) * g.sum(0) @ other.sum(0)


def cka(z, z_other):
    g, other = z @ z.T, z_other @ z_other.T
    np.fill_diagonal(g, 0)
    np.fill_diagonal(other, 0)
    return product(g, other) / np.sqrt(product(g, g) * product(other, other))


spaces = {
    name: Fit.load(folder / file).encode(song.x)[0].double().numpy()
    for name, file in models.items()
}
turned = spaces["Alice"] @ np.linalg.qr(np.random.default_rng(0).normal(size=(K, K)))[0]
close = dict(within=1e-5, digits=0)
check(cka(spaces["Alice"], 3 * turned), "CKA of Alice, turned and enlarged", near=1, **close)
difference = cka(spaces["Bob"], spaces["Alice"]) - comparing.linear_cka(
    spaces["Bob"], spaces["Alice"]
)
check(difference, "difference to the report's own CKA", near=0, **close)
noise = np.random.default_rng(1).normal(size=(2, len(turned), K))
check(abs(cka(*noise)), "CKA of noise", below=0.1, digits=0)

# %% [markdown]
# `compare` computes all measures, with 95 % intervals from resampling the syllables.
# It writes one HTML file that opens without a network.
# The file shows two linked maps: point at a syllable in the first, and the second shows where it lies, with its picture, after the map that you choose.

# %%
compared = rvae_lite(compare)
page = (folder / "hers.html").read_text()
check(page.count("://"), "addresses that the page would load from", equals=0)

# %% [markdown]
# ## With points, Bob is in Alice's space as it is
#
# {numref}`fig-laboratories-measures` shows what the report found.


# %%
def value(name, metric):
    return pairs[name, metric]["value"]


anchored, lone = value("Bob", "unaligned"), value("Bob alone", "unaligned")
check(anchored, "Bob's distance, as a share of Alice's variance", below=0.3)
check(lone, "Bob alone: distance, as a share of Alice's variance", above=1)
explained = value("Bob alone", "r_squared")
check(explained, "share of variance that an affine map explains, Bob alone", above=0.6)
ratio = value("Bob", "affine") / value("Bob alone", "affine")
check(ratio, "distance after an affine map, over that of Bob alone", below=1)
bent, both = value("Bob alone", "smooth"), value("Bob", "smooth")
check(bent, "distance of Bob alone, after a smooth map from the points", below=0.3)
ratio = both / min(bent, anchored)
check(ratio, "distance with points and map, over the better of the two alone", below=1)

# %% [markdown]
# The smooth map is the rival of anchoring: Bob fits it on Alice's file after a training of his own.
# The smooth map brings him near her space too, and points and map together bring him nearest ({ref}`do-you-need-it`).
#
# An interval says how sure the number is for *these* two trainings.
# {ref}`birdsong` measures how much trainings differ among themselves.
#
# ## They agree where the points are
#
# The file holds syllables of Alice's birds and none of Bob's.
# How far do the two agree on Bob's birds?

# %% mystnb={"figure": {"caption": "The laboratories agree where the Rosetta points are, and drift apart where there are none. A dot is a syllable in the plane of Alice's two leading principal components. Its colour is the squared distance between its two places, as a share of Alice's variance. All points come from Alice's birds, on the left.", "name": "fig-laboratories-reach"}}
variance = alignment.total_variance(spaces["Alice"])
apart = np.square(spaces["Bob"] - spaces["Alice"]).sum(1) / variance
plane = figures.plane_of(spaces["Alice"])(spaces["Alice"])
low, high = plane.min(0) - 0.2, plane.max(0) + 0.2
limits = dict(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
_, axes = figures.figure_row(2, width=4, height=3.2)
for ax, part, title in zip(axes, (hers, his), ("Alice's birds", "Bob's birds"), strict=True):
    dots = dict(c=apart[part], s=7, cmap=figures.warmth(), vmin=0, vmax=2)
    shown = ax.scatter(*plane[part].T, **dots)
    ax.set(title=title, aspect="equal", xticks=[], yticks=[], **limits)
_ = axes[1].figure.colorbar(shown, ax=axes, label="squared distance / variance")

# %%
ratio = apart[his].mean() / apart[hers].mean()
check(ratio, "distance on Bob's birds, over that on Alice's", above=2)
received = RosettaPoints.load(folder / "alice.npz")
from_her = {x.tobytes() for x in song.x[hers]}
foreign = {x.tobytes() for x in received.x} - from_her
check(len(foreign), "points that are no syllable of Alice's birds", equals=0)

# %% [markdown]
# ## Listen to the points
#
# Alice's recordings stay at home, and she can hear what she sent.
# You hear three sounds for each point: the point, the farthest member of its cluster, and its nearest neighbour among Bob's birds.
# The cluster is every syllable of Alice's that lies nearer to this point than to any other, in her space.
# The neighbour is chosen in *Bob's* space as it is, so it shows where his model puts his own birds among her points.

# %%
from rvae_lite.birdsong import colony, playback
from rvae_lite.reporting import sounds

between = lambda z: np.square(z[:, None] - received.z).sum(2)  # (N, R)
cluster = between(spaces["Alice"][hers])
belongs = cluster.argmin(1)[:, None] == np.arange(len(received.z))
row_of = {x.tobytes(): row for row, x in enumerate(song.x)}
point = np.array([row_of[x.tobytes()] for x in received.x])
farthest = np.flatnonzero(hers)[np.where(belongs, cluster, -1).argmax(0)]
neighbour = np.flatnonzero(his)[between(spaces["Bob"][his]).argmin(0)]
heard = np.stack([point, farthest, neighbour])  # (3, R) rows of the syllables
kinds = np.array(song.info["label_names"])[song.labels[heard]]
alike = (kinds[1] == kinds[0]).mean()
check(alike, "share of clusters whose farthest member is of the point's type", above=0.5)


def listen(chosen):
    recorded = folder / "recordings"
    birds = colony.write_songs(recorded, songs_per_bird=songs_per_bird)
    rows = heard[:, chosen].T.ravel()
    cuts = playback.cut(song.ids[rows], birds, rate=16_000)
    columns = ["point", "farthest of its cluster", "neighbour, Bob's bird"]
    headings = [f"{kinds[0, r]}, point {r + 1}" for r in chosen]
    return sounds.players(cuts, song.x[rows], columns=columns, rows=headings)


# %% tags=["nbval-ignore-output"]
listen(np.unique(kinds[0], return_index=True)[1][:6])

# %% [markdown]
# These are one point each of six types.
# The first two columns should sound alike.
# The third is another bird, and no point holds a syllable of that bird.
# Bob's model puts the syllable near this point, and you hear whether it has a reason.
# All points are behind the next button.

# %% tags=["nbval-ignore-output", "hide-output"]
listen(np.argsort(kinds[0], kind="stable"))

# %% [markdown]
# A space is shared as far as its points reach.
# Two laboratories that want to share all of it distil from the data of both, or exchange two files.
#
# (mistake-one-beta)=
# ## Two values of beta need curves in the place of points
#
# Plain points are the latents of one $\beta$, and latents shrink as $\beta$ grows.
# So points that were made at one $\beta$ hold a training at another $\beta$ in the wrong places.
#
# With `--multi-rate` Alice trains every $\beta$ at once, and her file holds curves $z_r(\beta)$ ({ref}`one-space-every-rate`).
# Bob, again with another network, trains a plain model at $\beta = 10$ and is held by $z_r(10)$.
# Alice reads her own model at $\beta = 0.01$.
# The curves alone tell how his space becomes hers:
#
# $$
# \begin{aligned}
# & A, b \\
# & = \operatorname*{argmin}_{A, b} \sum_r \bigl\lVert A\, z_r(10) + b - z_r(0.01) \bigr\rVert^2 .
# \end{aligned}
# $$ (eq-known-map)

# %%
faster = f"{plan} --learning-rate 0.003"
hers_all = f"distil alice -o curves.npz --multi-rate --network mlp {faster}"
curves = rvae_lite(f"{hers_all} --noise-variance 0.1")
print("curves over beta from", *curves["beta_range"])
his_own = f"train bob curves.npz -o far.npz --network patch --beta 10 {faster}"
print(rvae_lite(f"{his_own} --seed 1")["verdict"].split(":")[0])
across = rvae_lite(
    "compare Alice=curves.model.npz@0.01 Bob=far.npz --data alice --points curves.npz -o across.html"
)
to_alice = {r["metric"]: r["value"] for r in across["pairs"] if r["target"] == "Alice"}

# %% mystnb={"figure": {"caption": "The second laboratory's space is the first one's drawn smaller, and the file's map enlarges it. The panels are Alice at beta 0.01, Bob at beta 10, and Bob after the map. A dot is one of Alice's syllables in her leading principal plane, coloured by type. All panels have one scale, with one training each.", "name": "fig-laboratories-two-betas"}}
points = RosettaPoints.load(folder / "curves.npz")
A_b = alignment.linear_map(points.z_at(10.0), points.z_at(0.01))
low = Fit.load(folder / "curves.model.npz").encode(song.x[hers], beta=0.01)[0]
high = Fit.load(folder / "far.npz").encode(song.x[hers])[0]
window = figures.plane_of(low.numpy())
shown = {"Alice, beta 0.01": low, "Bob, beta 10": high, "Bob by the map": A_b(high)}
planes = {name: window(np.asarray(z)) for name, z in shown.items()}
_ = figures.plot_spaces(planes, song.labels[hers], columns=3, size=2.6)

# %%
sent = {x.tobytes() for x in points.x}
others = [x.tobytes() not in sent for x in song.x[hers]]  # the points' own inputs were trained on
moved = alignment.mean_squared_distance(A_b(high)[others], low[others])
moved /= alignment.total_variance(low)
check(moved / to_alice["known"], "distance by this map, over the report's", near=1, **close)
share = to_alice["known"] / to_alice["unaligned"]
check(share, "distance with the map, over that without", below=1 / 1.5)

# %% [markdown]
# With `train --multi-rate` Bob would be held at every $\beta$, and `compare` would draw the distance over $\beta$.
#
# ## Decoded inputs keep the recordings at home
#
# The inputs in a Rosetta file are data, and the data may not be Alice's to send.
# `--share decoded` ships what her decoder makes of each latent, $\hat x_r = \mathrm{decode}(z_r)$, in place of $x_r$, and no names.

# %%
cost = rvae_lite("distil alice -o veiled.npz --model alice.model.npz --share decoded")["share"]
plain, veiled = (RosettaPoints.load(folder / f"{name}.npz") for name in ("alice", "veiled"))
error = np.square(veiled.x - plain.x).sum((1, 2, 3)).mean()
ratio = error / cost["squared_error"]
check(ratio, "squared error of the inputs, over the header's", near=1, within=1e-4, digits=0)
check(np.abs(plain.z - veiled.z).max(), "difference of the latents", equals=0)
check(sum(map(bool, veiled.ids)), "names of recordings that travel", equals=0)

# %% mystnb={"figure": {"caption": "Decoded inputs keep what the model keeps and lose the rest. The upper row shows the inputs of the first fourteen Rosetta points, low frequencies below. The lower row shows what Alice's decoder makes of their latents.", "name": "fig-laboratories-decoded"}}
pictures = np.concatenate([plain.x[:14], veiled.x[:14]])
_ = figures.plot_spectrograms(pictures, columns=14, rows=["inputs", "decoded"])

# %% [markdown]
# Three things are lost.
#
# * Detail.
# * A little of the agreement between $x_r$ and $z_r$. Alice's own encoder puts $\hat x_r$ beside $z_r$ and not on it.
# * Some of the way into her space, as far as one training of each kind can tell. Bob's encoder learns from pictures that are cleaner than any recording.

# %%
_ = rvae_lite(f"train bob veiled.npz -o veiled.model.npz {held}")
again = rvae_lite("compare Alice=alice.model.npz Bob=veiled.model.npz --data alice -o veiled.html")
to_alice = {r["metric"]: r["value"] for r in again["pairs"] if r["target"] == "Alice"}
away = to_alice["unaligned"]
moved = cost["moved_share"]
check(moved, "how far Alice's encoder moves, as a share of variance", between=(0, 0.3))
check(away / anchored, "distance with decoded points, over that with recorded ones", above=1)
check(lone / away, "distance without points, over that with decoded ones", above=2)

# %% [markdown]
# It is another question whether decoded inputs are private.
# They are what the model kept of particular examples, and no proof says that this is nothing.
#
# ## A refusal is one sentence with the remedy
#
# The exit code of a refused command is 1; an interrupt exits with 130.
# A result is written whole or not at all.

# %%
for line in (
    "train bobs alice.npz -o new.npz",
    "train bob alice.npz -o bob.model.npz",
    "train bob alice.model.npz -o new.npz",
    "train everything.npy alice.npz -o new.npz --value-scale 255",
):
    print("rvae-lite:", invoke(line).exception)
check(len(list(folder.glob("new*"))), "files that the refused commands wrote", equals=0)

# %% [markdown]
# ## Take-aways
#
# * `distil`, `train`, `compare`, `inspect`: files in, files out, and the defaults follow from the data.
# * $R^2$ and CKA say that two spaces are *like* each other. Only the unaligned distance says that they are *the same*.
# * A space is shared where its points are.
# * A file of curves lets each laboratory choose its own beta, and tells the map between any two.
# * Decoded inputs share a space without the data, and the header names the price.

# %% [markdown]
# ## Exercises
#
# :::{exercise} Compute
# :label: ex-two-laboratories-compute
# Two unrelated spaces have the same mean and the same isotropic variance. How far apart are they, unaligned, as a share of the variance?
# Draw two arrays of normal numbers, and round to a whole number.
# :::

# %% tags=["hide-cell"]
one, other = np.random.default_rng(0).standard_normal((2, 20_000, 3))
share = alignment.mean_squared_distance(one, other) / alignment.total_variance(other)
expected = round(float(share))

# %%
yours = None  # one line of yours
answer(yours, expected)

# %% [markdown]
# :::{solution} ex-two-laboratories-compute
# :class: dropdown
# $\mathbb{E}\lVert z - z' \rVert^2 = \mathbb{E}\lVert z \rVert^2 + \mathbb{E}\lVert z' \rVert^2$ about their common mean: twice the variance.
# :::

# %% tags=["hide-cell"]
one, other = np.random.default_rng(1).standard_normal((2, 20_000, 3))
yours = round(float(np.square(one - other).sum(1).mean() / other.var(0).sum()))
answer(yours, expected)
assert abs(share - 2) < 0.1

# %% [markdown]
# :::{exercise} Change
# :label: ex-two-laboratories-change
# A laboratory may send latents without its model. Save `spaces["Alice"]` and `spaces["Bob"]` with `np.save`, and compare the two files with `--num-points 64`. How far apart are the two, as a share of Alice's variance?
# :::

# %% tags=["hide-cell"]
for name in ("Alice", "Bob"):
    np.save(folder / f"{name}.npy", spaces[name])
sent = rvae_lite("compare Alice.npy Bob.npy -o sent.html --num-points 64")
rows = {r["metric"]: r["value"] for r in sent["pairs"] if r["target"] == "Alice"}
expected = rows["unaligned"]

# %%
yours = None  # one line of yours
answer(yours, expected, digits=2)

# %% [markdown]
# :::{solution} ex-two-laboratories-change
# :class: dropdown
# `compare Alice.npy Bob.npy -o sent.html --num-points 64` chooses 64 anchors in the first space, because the arrays come without points.
# The distance is larger than on this page, because the arrays hold Bob's birds as well.
# :::

# %% tags=["hide-cell"]
yours = float(apart.mean())
answer(yours, expected, digits=2)
assert set(sent["verdicts"]) == {"Bob"} and (folder / "sent.html").exists()
assert expected > anchored

# %% [markdown]
# :::{exercise} Think
# :label: ex-two-laboratories-think
# Bob's report says $R^2 = 0.99$ and an unaligned distance of one variance. What can he publish, and what must he not?
# :::
#
# :::{solution} ex-two-laboratories-think
# :class: dropdown
# He can publish whatever survives an affine map: neighbourhoods up to stretching, clusters, linear decoding.
# He must not publish coordinates, distances or directions as those of Alice's space: they are his map's.
# :::

# %% tags=["hide-cell"]
stretched = spaces["Alice"] * np.linspace(0.2, 3, K) + 1
fitted = alignment.linear_map(stretched, spaces["Alice"])
assert alignment.r_squared(fitted(stretched), spaces["Alice"]) > 0.999
assert alignment.mean_squared_distance(stretched, spaces["Alice"]) > 0.5 * variance

# %% [markdown]
# ## References
#
# {cite:t}`martinez2021rosetta`, {cite:t}`kornblith2019`; the {doc}`bibliography <../book/bibliography>` has the details.

# %% tags=["hide-cell"]
provenance(data="synthetic finch", runs=f"one each, of {epochs} epochs")
