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
# # Two laboratories and four commands
#
# :::{card}
# **Question.** Two laboratories have different birds, different networks and different tastes in beta, and neither wants to write Python. What do they type, what do they learn, and what does it cost to keep the recordings at home?
#
# **After this you can** distil, train, inspect and compare from a command line; read each number of the comparison report; say what agreement between two laboratories does and does not mean; ship a space without shipping data.
#
# **Before.** {ref}`quickstart`, {ref}`your-own-data`.
#
# **Time.** Twenty minutes to read, one minute to run.
#
# **Reproduces.** Nothing: the papers have no command line. Their own comparison of laboratories is in {ref}`birdsong`.
# :::

# %% tags=["nbval-skip", "remove-cell"]
import importlib.util

if importlib.util.find_spec("rvae_lite") is None:
    get_ipython().run_line_magic("pip", 'install -q "rvae_lite[notebooks] @ git+REPOSITORY_URL"')

# %% tags=["parameters"]
epochs = 35
batch_size = 16
size = 32
songs_per_bird = 12
beta_bob = 2.0

# %%
import contextlib
import json
import shlex
import tempfile
from pathlib import Path

import numpy as np
from typer.testing import CliRunner

from rvae_lite import Fit, RosettaPoints, alignment, cli, data
from rvae_lite.lab import comparing
from rvae_lite.reporting import figures
from rvae_lite.reporting.claims import check, fingerprint, provenance

figures.use_style()


# %% [markdown]
# A command is typed in a terminal; so that this page can check what it says, the same command runs here within Python.
# With `--json` it prints its result for a program to read, and nothing else.


# %%
folder = Path(tempfile.mkdtemp())


def invoke(line):
    """What `rvae-lite ...` does in the laboratories' folder."""
    print("$ rvae-lite", line)
    with contextlib.chdir(folder):
        return CliRunner().invoke(cli.app, [*shlex.split(line), "--json"])


def rvae_lite(line):
    return json.loads(invoke(line).stdout)


# %% [markdown]
# ## Two folders of arrays
#
# Alice has two synthetic finches and Bob two others, and no syllable of one is in the folder of the other.
# A file is a spectrogram; `.png` images, a `.npy` or `.npz` file, HDF5 or a `.csv` table would do as well.

# %%
song = data.load("synthetic_finch", size=size, songs_per_bird=songs_per_bird)
for laboratory, part in dict(alice=1, bob=2).items():
    (folder / laboratory).mkdir()
    for number, x in enumerate(song.x[song.part == part]):
        np.save(folder / laboratory / f"{number:04d}.npy", x)
np.save(folder / "everything.npy", song.x)
hers, his = song.part == 1, song.part == 2
print(
    "files:", {name: len(list((folder / name).iterdir())) for name in ("alice", "bob")}
)

# %% mystnb={"figure": {"caption": "The two laboratories' birds sing different syllables. Each row shows fourteen syllables of one laboratory, low frequencies below.", "name": "fig-laboratories-data"}}
chosen = [np.flatnonzero(part)[:: part.sum() // 14][:14] for part in (hers, his)]
both = song.x[np.concatenate(chosen)]
_ = figures.plot_spectrograms(both, columns=14, rows=["Alice", "Bob"])

# %% [markdown]
# ## Alice distils
#
# `distil` trains a VAE, unless it is given one, and writes two files: the model, which stays, and the Rosetta file, which travels.
# Network, noise and number of points follow from the data's shape and spread; what it decides is in the header.

# %%
plan = f"--epochs {epochs} --batch-size {batch_size}"
distilled = rvae_lite(
    f"distil alice -o alice.npz {plan} --licence CC0 --source 'synthetic finches'"
)
print(distilled["num_points"], "points, K =", distilled["latent_dim"])
_ = rvae_lite(f"distil alice -o short.npz --epochs 3 --batch-size {batch_size}")
fingerprint(Fit.load(folder / "short.model.npz"))

# %% [markdown]
# `inspect` verifies every byte of a file and says what its maker wrote down.

# %%
seen = rvae_lite("inspect alice.npz")
for entry in ("kind", "num_points", "data_shape", "dtype", "licence", "source"):
    print(f"{entry:12}", seen[entry])
print("network     ", seen["model"]["network"])
check("nobody said how the inputs were made", seen["preprocessing"] is None)

# %% [markdown]
# The last line is a reproach: with `--preprocessing spec.json` Bob's program could have compared his settings with hers.
#
# ## Bob trains
#
# His network is another one and his beta is his own; K, the noise and the points come with the file.
# As a control he also goes without the file: `distil` on his own data trains a space of his own.

# %%
own = f"--network mlp --beta {beta_bob}"
held = f"{own} {plan} --seed 1"
joined = rvae_lite(f"train bob alice.npz -o bob.model.npz {held}")
print("points", joined["verdict"].split(":")[0])
print("measured on", joined["held_out"]["on"], sorted(joined["held_out"])[:2])
K = distilled["latent_dim"]
alone = rvae_lite(f"distil bob -o own.npz {own} --latent-dim {K} {plan} --seed 2")
check("Bob reached Alice's points", joined["reached"])

# %% [markdown]
# *Reached* means that the points' inputs land within a tenth of their latents' variance of where Alice has them, without any alignment.
#
# ## How alike are two spaces?
#
# The report puts several answers side by side, since each is blind to something.
# LSD and its $R^2$ allow any affine map between the two; $R^2$ is measured on each syllable by the map that all others give, since a map with enough numbers fits anything.
# The nearest neighbours of a syllable do not care about maps at all.
# Centred kernel alignment {cite:p}`kornblith2019` allows rotations and one common scale.
# It compares the products $Z Z^\top$ and $Z' Z'^\top$ of the means of the same $N$ data with each other.
# The diagonal of a product is large for any space, and makes spaces of noise look alike.
# So the diagonals are set to 0, in $K$ and $L$, and with $\mathbf 1$ a vector of ones
#
# $$
# \langle K, L \rangle = \operatorname{tr} K L + \frac{\mathbf 1^\top K \mathbf 1 \, \mathbf 1^\top L \mathbf 1}{(N - 1)(N - 2)} - \frac{2}{N - 2} \mathbf 1^\top K L \mathbf 1 , \qquad
# \mathrm{CKA} = \frac{\langle K, L \rangle}{\sqrt{\langle K, K \rangle \langle L, L \rangle}} .
# $$ (eq-cka)


# %%
def product(k, other):
    n, sums = len(k), k.sum() * other.sum()
    return np.sum(k * other) + sums / (n - 1) / (n - 2) - 2 / (n - 2) * k.sum(0) @ other.sum(0)


def cka(z, z_other):
    k, other = z @ z.T, z_other @ z_other.T
    np.fill_diagonal(k, 0)
    np.fill_diagonal(other, 0)
    return product(k, other) / np.sqrt(product(k, k) * product(other, other))


models = {
    "Alice": "alice.model.npz",
    "Bob": "bob.model.npz",
    "Bob alone": "own.model.npz",
}
spaces = {
    name: Fit.load(folder / file).encode(song.x)[0].double().numpy()
    for name, file in models.items()
}
turned = spaces["Alice"] @ np.linalg.qr(np.random.default_rng(0).normal(size=(K, K)))[0]
check("CKA does not see a rotation", np.isclose(cka(spaces["Alice"], 3 * turned), 1))
same = comparing.linear_cka(spaces["Bob"], spaces["Alice"])
check("and is the report's own", np.isclose(cka(spaces["Bob"], spaces["Alice"]), same))
noise = np.random.default_rng(1).normal(size=(2, len(turned), K))
check("CKA of noise", abs(cka(*noise)) < 0.1)

# %% [markdown]
# What sees everything is the plain squared distance, as a share of Alice's variance: 0 in the same space, about 2 between unrelated ones.
# `compare` computes all of them, with 95 % intervals from resampling the syllables, and writes one HTML file that opens without network.
# Its two maps are linked: what one points at in the first is shown in the second, with its picture, after the map that one chooses.

# %%
files = " ".join(f"'{name}={file}'" for name, file in models.items())
compared = rvae_lite(
    f"compare {files} --data alice --points alice.npz -o hers.html --title 'Her birds'"
)
page = (folder / "hers.html").read_text()
check("the page loads nothing from outside", "://" not in page)
pairs = {
    (row["source"], row["metric"]): row
    for row in compared["pairs"]
    if row["target"] == "Alice"
}


# %% mystnb={"figure": {"caption": "Rosetta points bring the second laboratory into the first one's space as it is. The left panel shows distances as shares of Alice's variance, the right panel measures of likeness. A dot is a value, a bar its 95 % interval over Alice's syllables. Bob was trained with Alice's points, Bob alone without, one training each.", "name": "fig-laboratories-measures"}}
def plot_measures(metrics, *, ax, names=("Bob", "Bob alone")):
    for position, name in enumerate(names):
        rows = [pairs[name, metric] for metric in metrics]
        at = np.arange(len(metrics)) + 0.24 * (position - 0.5)
        low, high = ([row[end] for row in rows] for end in ("low", "high"))
        ax.hlines(at, low, high, color=figures.GROUPS[4 - 3 * position], alpha=0.5)
        ax.plot(
            [r["value"] for r in rows],
            at,
            "o",
            color=figures.GROUPS[4 - 3 * position],
            label=name,
        )
    labels = [comparing.MEASURES[metric][0].replace(", ", "\n") for metric in metrics]
    ax.set_yticks(range(len(metrics)), labels)
    ax.invert_yaxis()


_, (left, right) = figures.figure_row(2, width=4.4, height=2.6)
plot_measures(["unaligned", "procrustes", "affine", "smooth"], ax=left)
plot_measures(["r_squared", "cka", "neighbours"], ax=right)
left.set(xscale="log", xlabel="share of Alice's variance (lower is better)")
right.set(xlim=(0, 1.05), xlabel="likeness to Alice (higher is better)")
_ = right.legend(loc="lower left")


# %%
def value(name, metric):
    return pairs[name, metric]["value"]


check("with points, Bob is in Alice's space", value("Bob", "unaligned") < 0.3)
check("alone he is nowhere near it", value("Bob alone", "unaligned") > 1)
check("yet the best affine map finds most of it", value("Bob alone", "r_squared") > 0.6)
check(
    "and on the anchors alone, a map from Bob is better too",
    value("Bob", "affine") < value("Bob alone", "affine"),
)
bent, anchored = value("Bob alone", "smooth"), value("Bob", "unaligned")
check(f"alone, behind a smooth map from the points: {bent:.2g}", bent < 0.3)
both = value("Bob", "smooth")
check(f"with points {anchored:.2g}, and with both {both:.2g}", both < min(bent, anchored))

# %% [markdown]
# The smooth map is the rival of anchoring: Bob fits it on Alice's file after a training of his own.
# It brings him near her space too, and the two together bring him nearest ({ref}`do-you-need-it`).
#
# An interval says how sure the number is for *these* two trainings; how much trainings differ among themselves is the business of {ref}`birdsong`.
#
# ## What they do not agree on
#
# The file holds syllables of Alice's birds and of nobody else's. What of Bob's?

# %% mystnb={"figure": {"caption": "The laboratories agree where the Rosetta points are, and drift apart where there are none. A dot is a syllable in the plane of Alice's two leading principal components. Its colour is the squared distance between its two places, as a share of Alice's variance. All points come from Alice's birds, on the left.", "name": "fig-laboratories-reach"}}
variance = alignment.total_variance(spaces["Alice"])
apart = np.square(spaces["Bob"] - spaces["Alice"]).sum(1) / variance
plane = figures.plane_of(spaces["Alice"])(spaces["Alice"])
low, high = plane.min(0) - 0.2, plane.max(0) + 0.2
limits = dict(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
_, axes = figures.figure_row(2, width=4, height=3.2)
for ax, part, title in zip(
    axes, (hers, his), ("Alice's birds", "Bob's birds"), strict=True
):
    dots = dict(c=apart[part], s=7, cmap=figures.warmth(), vmin=0, vmax=2)
    shown = ax.scatter(*plane[part].T, **dots)
    ax.set(title=title, aspect="equal", xticks=[], yticks=[], **limits)
_ = axes[1].figure.colorbar(shown, ax=axes, label="squared distance / variance")

# %%
check(
    "they agree on her birds several times better than on his",
    2 * apart[hers].mean() < apart[his].mean(),
)
received = RosettaPoints.load(folder / "alice.npz")
from_her = {x.tobytes() for x in song.x[hers]}
check("and every point is hers", {x.tobytes() for x in received.x} <= from_her)

# %% [markdown]
# ## Listen to the points
#
# Her recordings stay at home, and she can hear what she sent: a point, the farthest member of its cluster, and its nearest neighbour among Bob's birds.
# The cluster is every syllable of hers whose nearest point this is in her space.
# The neighbour is chosen in *Bob's* space, as it is, so that it lies where his model puts his own birds among her points.

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
check("the farthest of a cluster is of the point's type, for over half", alike > 0.5)


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
# The third is another bird, of which no point holds anything: its model puts it there, and you hear whether it has a reason.
# All points are behind the next button.

# %% tags=["nbval-ignore-output", "hide-output"]
listen(np.argsort(kinds[0], kind="stable"))

# %% [markdown]
# A space is shared as far as its points reach. Two laboratories that want to share all of it distil from the data of both, or exchange two files.
#
# ## Each choosing its own beta
#
# Plain points are the latents of one $\beta$, and latents shrink as $\beta$ grows.
# With `--multi-rate` Alice trains every $\beta$ at once and her file holds curves $z_r(\beta)$, see {ref}`one-space-every-rate`.
# Bob, again with another network, trains a plain model at $\beta = 10$ and is held by $z_r(10)$; Alice reads hers at 0.01.
# The curves alone tell how his space becomes hers:
#
# $$
# A, b = \operatorname*{argmin}_{A, b} \sum_r \bigl\lVert A\, z_r(10) + b - z_r(0.01) \bigr\rVert^2 .
# $$ (eq-known-map)

# %%
faster = f"{plan} --learning-rate 0.003"
hers_all = f"distil alice -o curves.npz --multi-rate --network mlp {faster}"
curves = rvae_lite(f"{hers_all} --noise-variance 0.1")
print("curves over beta from", *curves["beta_range"])
his_own = f"train bob curves.npz -o far.npz --network patch --beta 10 {faster}"
print("points", rvae_lite(f"{his_own} --seed 1")["verdict"].split(":")[0])
across = rvae_lite(
    "compare Alice=curves.model.npz@0.01 Bob=far.npz --data alice --points curves.npz -o across.html"
)
to_alice = {r["metric"]: r["value"] for r in across["pairs"] if r["target"] == "Alice"}

# %% mystnb={"figure": {"caption": "The second laboratory's space is the first one's drawn smaller, and the file's map enlarges it. The panels are Alice at beta 0.01, Bob at beta 10, and Bob after the map. A dot is one of Alice's syllables in her leading principal plane, coloured by type. All panels have one scale, with one training each.", "name": "fig-laboratories-two-betas"}}
points = RosettaPoints.load(folder / "curves.npz")
A_b = alignment.linear_map(points.z_at(10.0), points.z_at(0.01))
low = Fit.load(folder / "curves.model.npz").encode(song.x[hers], beta=0.01)[0]
high = Fit.load(folder / "far.npz").encode(song.x[hers])[0]
sent = {x.tobytes() for x in points.x}
others = [x.tobytes() not in sent for x in song.x[hers]]  # the points' own inputs were trained on
apart = alignment.mean_squared_distance(A_b(high)[others], low[others])
away = apart / alignment.total_variance(low)
check("the report uses the file's own map", np.isclose(away, to_alice["known"]))
check(
    "it takes away at least a third of Bob's distance",
    to_alice["known"] < to_alice["unaligned"] / 1.5,
)
window = figures.plane_of(low.numpy())
shown = {"Alice, beta 0.01": low, "Bob, beta 10": high, "Bob by the map": A_b(high)}
planes = {name: window(np.asarray(z)) for name, z in shown.items()}
_ = figures.plot_spaces(planes, song.labels[hers], columns=3, size=2.6)

# %% [markdown]
# With `train --multi-rate` Bob would be held at every $\beta$, and `compare` would draw the distance over $\beta$.
#
# ## Keeping the recordings at home
#
# The inputs in a Rosetta file are data, and data may not be anybody's to send.
# `--share decoded` ships what Alice's decoder makes of each latent, $\hat x_r = \mathrm{decode}(z_r)$, in place of $x_r$, and no names.

# %% mystnb={"figure": {"caption": "Decoded inputs keep what the model keeps and lose the rest. The upper row shows the inputs of the first fourteen Rosetta points, low frequencies below. The lower row shows what Alice's decoder makes of their latents.", "name": "fig-laboratories-decoded"}}
veil = "distil alice -o veiled.npz --model alice.model.npz --share decoded"
cost = rvae_lite(veil)["share"]
print("the header says what it costs:", sorted(cost))
plain, veiled = (
    RosettaPoints.load(folder / f"{name}.npz") for name in ("alice", "veiled")
)
error = np.square(veiled.x - plain.x).sum((1, 2, 3)).mean()
check(
    "the squared error is that of the inputs",
    np.isclose(error, cost["squared_error"], rtol=1e-4),
)
check("the latents are the same", np.array_equal(plain.z, veiled.z))
check("and no name of a recording travels", set(veiled.ids) == {""})
_ = figures.plot_spectrograms(
    np.concatenate([plain.x[:14], veiled.x[:14]]),
    columns=14,
    rows=["inputs", "decoded"],
)

# %% [markdown]
# Three things are lost: detail; a little of the agreement between $x_r$ and $z_r$, since Alice's own encoder puts $\hat x_r$ beside $z_r$ and not on it; and, since Bob's encoder learns from pictures cleaner than any recording, some of the way into her space.

# %%
rvae_lite(f"train bob veiled.npz -o veiled.model.npz {held}")
again = rvae_lite(
    "compare Alice=alice.model.npz Bob=veiled.model.npz --data alice -o veiled.html"
)
away = next(
    row["value"]
    for row in again["pairs"]
    if row["metric"] == "unaligned" and row["target"] == "Alice"
)
check("Alice's encoder moves a little", 0 < cost["moved_share"] < 0.3)
check("decoded points lead less far into her space", away > value("Bob", "unaligned"))
check("but far further than none", away < value("Bob alone", "unaligned") / 2)

# %% [markdown]
# Whether decoded inputs are private is another question: they are what the model kept of particular examples, and no proof says that this is nothing.
#
# ## When something is wrong
#
# Every refusal is one sentence that names the thing and the remedy, and the exit code is 1; an interrupt exits with 130. A result is written whole or not at all.

# %%
for line in (
    "train bobs alice.npz -o new.npz",
    "train bob alice.npz -o bob.model.npz",
    "train bob alice.model.npz -o new.npz",
    "train everything.npy alice.npz -o new.npz --value-scale 255",
):
    print("rvae-lite:", invoke(line).exception)
check("nothing was written", not (folder / "new.npz").exists())

# %% [markdown]
# ## Take-aways
#
# * `distil`, `train`, `compare`, `inspect`: files in, files out, and the defaults follow from the data.
# * $R^2$ and CKA say that two spaces are *like* each other; only the unaligned distance says that they are *the same*.
# * A space is shared where its points are.
# * A file of curves lets each laboratory choose its own beta, and tells the map between any two.
# * Decoded inputs share a space without the data, at a price that the header names.
#
# ## Exercises
#
# **Compute.** Two unrelated spaces with the same mean and the same isotropic variance: how far apart are they, unaligned, as a share of the variance?
#
# ```{dropdown} Solution
# $\mathbb{E}\lVert z - z' \rVert^2 = \mathbb{E}\lVert z \rVert^2 + \mathbb{E}\lVert z' \rVert^2$ about their common mean: twice the variance.
# ```

# %% tags=["hide-cell"]
one, other = np.random.default_rng(0).standard_normal((2, 20_000, 3))
share = alignment.mean_squared_distance(one, other) / alignment.total_variance(other)
assert abs(share - 2) < 0.1

# %% [markdown]
# **Change.** Compare encoded arrays of means rather than models, as a laboratory would that does not send its model either.
#
# ```{dropdown} Solution
# Save the means with `np.save` and give the files to `compare`; without points it chooses anchors in the first space.
# ```

# %% tags=["hide-cell"]
for name in ("Alice", "Bob"):
    np.save(folder / f"{name}.npy", spaces[name])
sent = rvae_lite("compare Alice.npy Bob.npy -o sent.html --num-points 64")
assert set(sent["verdicts"]) == {"Bob"} and (folder / "sent.html").exists()

# %% [markdown]
# **Think.** Bob's report says $R^2 = 0.99$ and an unaligned distance of one variance. What can he publish, and what must he not?
#
# ```{dropdown} Solution
# Whatever survives an affine map: neighbourhoods up to stretching, clusters, linear decoding. Not coordinates, distances or directions as such: they are his map's, not Alice's.
# ```

# %% tags=["hide-cell"]
stretched = spaces["Alice"] * np.linspace(0.2, 3, K) + 1
fitted = alignment.linear_map(stretched, spaces["Alice"])
assert alignment.r_squared(fitted(stretched), spaces["Alice"]) > 0.999
assert alignment.mean_squared_distance(stretched, spaces["Alice"]) > 0.5 * variance

# %% [markdown]
# ## References
#
# {cite:t}`martinez2021rosetta`, {cite:t}`kornblith2019`; the {doc}`bibliography <../book/bibliography>` has the details.

# %%
provenance(data="synthetic finch", runs=f"one each, of {epochs} epochs")
