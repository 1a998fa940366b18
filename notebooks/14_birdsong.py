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
# (birdsong)=
# # Birdsong: from sound to a space that the next laboratory finds again
#
# :::{card}
# **Question.** Two laboratories record different birds. Can they speak of the same latent space?
#
# **After this you can** turn recordings and annotations into spectrograms that another laboratory can reproduce to the pixel, distil a space of syllables, see which syllables are held by the points, and say where the method ends.
#
# **Before.** {ref}`mnist`; nothing about birds.
#
# **Time.** Twenty minutes to read, half a minute to run.
#
# **Reproduces.** The birdsong parts of Figures 2 and 4 to 7 and of Tables 1 and 2 of {cite:t}`martinez2021rosetta`; live on synthetic finches, which anyone can generate and listen to, the tables on recorded zebra finches.
# :::

# %% tags=["nbval-skip", "remove-cell"]
import importlib.util

if importlib.util.find_spec("rvae_lite") is None:
    get_ipython().run_line_magic("pip", 'install -q "rvae_lite[notebooks] @ git+REPOSITORY_URL"')

# %% tags=["parameters"]
dataset = "synthetic_finch"
num_examples = 500
network = "patch"
epochs = 40
replicas = 3
rho = 2.75
learning_rate = 1e-2
folder = None

# %%
import numpy as np

from rvae_lite import alignment, fit, select_points
from rvae_lite.reporting import figures
from rvae_lite.reporting.claims import check, fingerprint, provenance
from rvae_lite.studies import bengalese_finch, linear_maps, protocols, rosetta_tables, zebra_finch
from rvae_lite.studies.setup import image_setup, methods_of

figures.use_style()
options = dict(network=network, num_examples=num_examples, keep=folder)
options |= dict(epochs=epochs, replicas=replicas, learning_rate=learning_rate)
options |= dict(loading=dict(size=64 if network == "patch" else 128))
options |= dict(side=32, cosine=True) if dataset == "synthetic_finch" else {}
setting = image_setup(dataset, 64, methods=methods_of(rho=rho), **options)

# %% [markdown]
# ## A song
#
# A zebra finch sings one motif, a few syllables in a fixed order, again and again, with small differences each time.
# Recordings of real birds cannot travel with this page, so it brings birds of its own: each has a motif of four to seven syllables, an introductory note and a rare one.
# They are rendered to sound, and everything from there on is the code that real recordings go through.

# %% tags=["nbval-ignore-output"]
from IPython.display import Audio

from rvae_lite.birdsong import colony, spectrograms
from rvae_lite.studies import song_figures

song = colony.sing(0, song=4)
Audio(song.samples, rate=song.rate)

# %% mystnb={"figure": {"caption": "A synthetic finch sings its motif of a few syllables again and again. The picture is the spectrogram of one song, time across and frequency up. The letters name the syllables; the grey lines mark their duration.", "name": "fig-birdsong-song"}}
_ = song_figures.plot_song(song.samples, song.rate, song.onsets, song.offsets, song.labels)

# %% [markdown]
# ## From sound to an image
#
# A syllable becomes an image in four steps: a short-time Fourier transform, the logarithm of its amplitudes, interpolation to a fixed grid of frequencies and times, and a range that is mapped to 0 and 1,
#
# $$
# \begin{aligned}
# & x(f, t) = \\
# & \mathrm{clip}\!\left(\frac{\log(|S(f, t)| + \epsilon) - \ell}{h - \ell},\, 0,\, 1\right) ,
# \end{aligned}
# $$ (eq-spectrogram)
#
# with $\epsilon = 10^{-12}$.
# Each step has choices in it: the length of the window, the axis of frequencies, whether short syllables are stretched, and above all $\ell$ and $h$.
# The first three steps for one syllable, by hand:

# %%
spec = spectrograms.SpectrogramSpec(num_freqs=64, num_times=64)
onset, offset = song.onsets[3], song.offsets[3]
taper = np.hanning(spec.window + 1)[:-1]
count = int(np.ceil((offset - onset) * song.rate / spec.hop)) + 1
centres = round(onset * song.rate) + spec.hop * np.arange(count)
frames = np.stack([song.samples[c - 256 : c + 256] for c in centres]) * taper
S = np.fft.rfft(32768 * frames / taper.sum())
log_amplitude = np.log(np.abs(S) + 1e-12)  # (frames, frequencies)

mel = lambda hertz: 1127 * np.log1p(hertz / 700)
grid = np.linspace(mel(spec.min_freq), mel(spec.max_freq), spec.num_freqs)
bins = 700 * np.expm1(grid / 1127) * spec.window / song.rate
rows = np.stack([np.interp(bins, np.arange(257), frame) for frame in log_amplitude])

# %% [markdown]
# In time a syllable of $d$ seconds is shown as if it lasted $\sqrt{d\, d_{\max}}$, so that short ones are not lost in a large image and long ones still look long.

# %%
duration = offset - onset
shown = np.sqrt(duration * spec.max_duration)
times = duration / 2 + shown * np.linspace(-0.5, 0.5, spec.num_times)
inside = (times >= 0) & (times <= duration)
frame_times = np.arange(count) * spec.hop / song.rate
by_hand = np.stack([np.interp(times, frame_times, row) for row in rows.T])

recording = spectrograms.Recording(song.samples, song.rate)
images = spectrograms.spectrograms(recording, song.onsets, song.offsets, spec=spec)
gap = np.abs(by_hand - images[3])[:, inside].max()
check("`spectrograms` does the same", gap < 1e-3)

# %% [markdown]
# ## A range that does not depend on the microphone
#
# A microphone twice as near adds 6 dB to every pixel.
# With a fixed range $\ell, h$ that is another image, and another latent, although it is the same bird.
# So by default $\ell$ and $h$ are two percentiles of the bird's own pixels inside syllables, the 25th and the 99.5th, and a gain cancels:

# %%
louder = spectrograms.Recording(4 * song.samples, song.rate)  # + 12 dB
loud = spectrograms.spectrograms(louder, song.onsets, song.offsets, spec=spec)
fixed = spec._replace(log_range=spectrograms.log_range(images, spec))
change = {}
for name, one in {"percentiles": spec, "a fixed range": fixed}.items():
    before = spectrograms.normalise(images, *spectrograms.log_range(images, one))
    after = spectrograms.normalise(loud, *spectrograms.log_range(loud, one))
    change[name] = float(np.abs(after - before).mean())
check("percentiles: a gain of 12 dB changes nothing", change["percentiles"] < 1e-5)
check("a fixed range: it changes every pixel", change["a fixed range"] > 0.05)

# %% [markdown]
# The settings travel with the data, from there into every Rosetta file, and `check` refuses points that were made with others.
#
# ## A colony
#
# One folder a bird: D1 holds some of the birds, D2 the others, as in the paper, where the laboratories' birds are distinct.

# %%
import pandas as pd

syllables = setting.dataset
names = np.array(syllables.info["label_names"])
print(syllables.info["title"], syllables.x.shape, f"{len(names)} types of syllable")
bird, _, kind = np.char.partition(names[syllables.labels], "/").T
pd.crosstab(bird, kind, rownames=["bird"], colnames=["type"])

# %% mystnb={"figure": {"caption": "Syllables of one type look alike, and syllables of different types do not. Each row has eight syllables of one type of one bird. An image is a spectrogram, low frequencies below, brighter where louder.", "name": "fig-birdsong-types"}}
some = [np.flatnonzero(syllables.labels == kind)[:8] for kind in range(4)]
rows = names[:4].tolist()
_ = figures.plot_spectrograms(syllables.x[np.concatenate(some)], columns=8, rows=rows)

# %%
few, quick = syllables.x[:256], dict(epochs=12, batch_size=64)
quick["learning_rate"] = learning_rate
first = fit(setting.model, few, seed=0, **quick)
pairs = select_points(few, first.encode(few)[0], 16, method="random")
anchored = fit(setting.model, few, seed=1, rho=4 * rho, points=pairs, **quick)
fingerprint(first)
fingerprint(anchored)

# %% [markdown]
# ## Sixty-four syllables
#
# A template is trained on all birds, its space distilled, and every method retrained.
# These points are what one laboratory would send to the next:

# %% mystnb={"figure": {"caption": "The Rosetta points are 64 syllables of many types. An image is the spectrogram of one point's input, low frequencies below; every second point is shown. The points are nearest to the centres of clusters in the template's latent space.", "name": "fig-birdsong-points"}}
study = protocols.reproducibility(setting)
_ = figures.plot_spectrograms(study.points.x[::2])

# %% [markdown]
# ## What the points sound like
#
# A Rosetta file holds pictures and no sound, but an id names a row of a recording's annotations, and whoever has the recordings can listen.
# Three sounds belong to a point: its own, one of its cluster, and one of its neighbourhood in a retrained space.
# The cluster is every training syllable whose nearest point this is in the template's space, and its farthest member is played.
# The neighbour is the held-out syllable that the first R-VAE puts nearest to the point.

# %%
import tempfile

from rvae_lite.birdsong import playback
from rvae_lite.reporting import sounds

ids, held_out = study.points.ids, study.validation
training = syllables.take(~np.isin(syllables.ids, held_out.ids))
between = lambda z: np.square(z.numpy()[:, None] - study.points.z).sum(2)  # (N, R)
cluster = between(study.target.encode(training.x)[0])
belongs = cluster.argmin(1)[:, None] == np.arange(len(ids))
farthest = training.ids[np.where(belongs, cluster, -1).argmax(0)]
near = between(study.fits["R-VAE"].encode(held_out.x)[0])
neighbour = held_out.ids[near.argmin(0)]

# %%
row_of = {name: row for row, name in enumerate(syllables.ids)}
heard = np.vectorize(row_of.get)([ids, farthest, neighbour])  # (3, R) rows of the syllables
kinds = names[syllables.labels[heard]]
alike = (kinds[1:] == kinds[0]).mean(1)
check("the farthest of a cluster is of the point's type, for over half", alike[0] > 0.5)
check("so is the nearest neighbour", alike[1] > 0.5)


def listen(chosen):
    """Players of some points; the recordings of real birds do not travel with the page."""
    if dataset != "synthetic_finch":
        return None
    with tempfile.TemporaryDirectory() as place:
        birds = colony.write_songs(place)
        rows = heard[:, chosen].T.ravel()
        cuts = playback.cut(syllables.ids[rows], birds, rate=16_000)
    columns = ["point", "farthest of its cluster", "neighbour, held out"]
    headings = [f"{kinds[0, r]}, point {r + 1}" for r in chosen]
    return sounds.players(cuts, syllables.x[rows], columns=columns, rows=headings)


# %% tags=["nbval-ignore-output"]
listen(np.unique(kinds[0], return_index=True)[1][:6])

# %% [markdown]
# These are one point each of the first six types.
# A row should sound alike from left to right.
# Where it does not, the point stands for syllables of more than one type.
# All 64 are behind the next button.

# %% tags=["nbval-ignore-output", "hide-output"]
listen(np.argsort(kinds[0], kind="stable"))

# %% [markdown]
# ## Retrainings beside the template

# %% mystnb={"figure": {"caption": "Anchored trainings (R-VAE) put held-out syllables where the template has them. The window is the plane of the template's two leading principal components. A dot is a held-out syllable; ten colours stand for the types in turn. The panels are two runs of each method, as in the paper's Figure 2, which has a UMAP.", "name": "fig-birdsong-planes"}}
held_out = study.validation
target = study.target.encode(held_out.x)[0].numpy()
spaces = {"template": target}
for name, runs in study.fits.items():
    means = runs.encode(held_out.x).numpy()
    spaces |= {f"{name}, run {run + 1}": means[run] for run in (0, 1)}
window = figures.plane_of(target)
_ = figures.plot_spaces(figures.through(window, spaces), held_out.labels)

# %%
from rvae_lite.studies import live_rivals

median = rosetta_tables.medians(study.table)
others = ["VAE", "beta-VAE"]
for metric in ("rv", "rv_relative"):
    lower = median.loc["R-VAE", metric] < median.loc[others, metric].min() - 5
    check(f"R-VAE lowest in {metric}, at the points and away from them", lower.all())
apart = median["unaligned"]
check(
    "R-VAE: held-out syllables within a quarter of the template's variance",
    apart.loc["R-VAE", "rest"] < 0.25,
)
check("VAE and beta-VAE as they come: beyond all of it", (apart.loc[others] > 1).all(axis=None))
for name in ("VAE", "beta-VAE", "R-VAE"):
    how = (study.fits[name], held_out.x, study.points, target)
    mapped = live_rivals.distance_by("smooth", *how)
    check(f"{name}, behind a smooth map from the points: {mapped:.2g}", mapped < 0.25)

# %% [markdown]
# A VAE that is left as it comes is a weak rival.
# The last lines are the fair one: a map from each space to the template's, fitted after the training on the same 64 pairs, `rivals.smooth_map`.

# %% [markdown]
# ## Which syllables are held?
#
# The mean over all syllables hides that some types have many points and some none.
# For every type: its number of points, and how far its held-out syllables are from the template's place, as a share of the template's variance.

# %% mystnb={"figure": {"caption": "Every type of syllable is nearer to the template with Rosetta points than without, where no map is fitted. A dot is the median over held-out syllables of one type, for VAE or R-VAE. Distances are means over runs, as a share of the template's variance, on a logarithmic axis. The number in brackets counts the type's Rosetta points.", "name": "fig-birdsong-by-type"}}
label_of = dict(zip(syllables.ids, syllables.labels, strict=True))
points_of = np.bincount([label_of[i] for i in study.points.ids], minlength=len(names))
far = {}
for name in ("VAE", "R-VAE"):
    runs = study.fits[name].encode(held_out.x).numpy()
    distance = np.square(runs - target).sum(-1).mean(0) / target.var(0).sum()
    far[name] = [np.median(distance[held_out.labels == k]) for k in range(len(names))]
by_type = pd.DataFrame(far | {"points": points_of}, index=names)
label = "distance to the template\n/ its variance (lower is better)"
_ = song_figures.plot_by_type(by_type, label=label)

# %%
nearer = by_type["R-VAE"] < by_type["VAE"]
check("without a map every type is nearer with the points than without", nearer.all())

# %% [markdown]
# ## The second laboratory
#
# Alice records the birds of D1, Bob those of D2.
# He receives 32 syllables of birds that he has never heard, and trains on these and on his own.

# %% mystnb={"figure": {"caption": "A linear map brings every method's syllables near the joint model's places. The upper row, the paper's Figure 5, has the joint model and Bob's spaces without a map. The lower row, its Figure 4, has Bob's spaces after the best linear map of each. Dots are held-out syllables in the joint model's window, coloured by type, one run each.", "name": "fig-birdsong-joint-window"}}
import warnings

from rvae_lite.anchors import PointsNotReached

methods = setting.methods | protocols.REPEATED_ANCHORS
plan = setting._replace(num_points=32, methods=methods)
with warnings.catch_warnings():
    # A run or two of so few epochs stays a little away.
    warnings.simplefilter("ignore", PointsNotReached)
    sequel = protocols.sequential(plan)
held_out = sequel.validation
joint = sequel.target.encode(held_out.x)[0].numpy()
alice = sequel.first.encode(held_out.x)[0].numpy()
bob = {n: sequel.fits[n].encode(held_out.x)[0].numpy() for n in ("R-VAE", *others)}
corrected = {}
for name, means in bob.items():
    mapping = alignment.linear_map(means, joint)
    corrected[f"{name}, corrected"] = mapping(means)
window = figures.window_of(joint)
spaces = figures.through(window, {"joint": joint} | bob | {"joint ": joint} | corrected)
_ = figures.plot_spaces(spaces, held_out.labels)

# %% [markdown]
# The space that Bob can share is Alice's, on her birds, first without any map:

# %% mystnb={"figure": {"caption": "Without a map, anchored training (R-VAE) puts the first laboratory's syllables where that laboratory has them. The panels show Alice and one run of each of Bob's methods, on her held-out syllables. The window is fitted on Alice's latents: a plane, or UMAP in a large run. Colours are types.", "name": "fig-birdsong-first-window"}}
hers = held_out.part == 1
spaces = {"Alice": alice[hers]} | {name: means[hers] for name, means in bob.items()}
window = figures.window_of(alice[hers])
_ = figures.plot_spaces(figures.through(window, spaces), held_out.labels[hers])

# %%
median = rosetta_tables.medians(sequel.table)
away, carried = median["unaligned_first", "D1"], median["label_transfer", "D1"]
check(
    "Bob's R-VAE puts Alice's syllables within a third of her variance",
    away["R-VAE"] < 1 / 3,
)
check("the others without a map: beyond all of it", (away.drop("R-VAE") > 1).all())
check(
    "without a map her labels carry over twice as often as by any other method",
    carried["R-VAE"] > 2 * carried.drop("R-VAE").max(),
)

# %% [markdown]
# Then with the best of seven maps that Bob can fit on the 32 points after the training, judged on Alice's held-out syllables:

# %%
reached = live_rivals.reached(sequel)
mapped, labelled = reached["distance by it"], reached["labels by it"]
rival = mapped.drop("R-VAE").min()
check(f"with a map the others come within {rival:.2g}", rival < 1 / 3)
print(f"the R-VAE is within {away['R-VAE']:.2g}, and within {mapped['R-VAE']:.2g} by a map")
check("by a map the R-VAE is the nearest", mapped["R-VAE"] < min(rival, away["R-VAE"]))
check("by maps half of her labels carry over by every method", labelled.min() > 0.5)
reached.round(3)

# %% [markdown]
# A map after training brings the others near Alice, and an anchored training behind a map is nearest of all.

# %% [markdown]
# ## Where it ends
#
# The points hold Alice's birds.
# Two laboratories that both train on her points and on Bob's birds: do they agree about *his*?
# For each part of the data, the variance over runs as a share of all variance; 1 means that runs know nothing of each other.

# %% mystnb={"figure": {"caption": "Rosetta points hold the first laboratory's birds more firmly than the second's. A bar is the variance over runs as a share of all variance. Unrelated runs have a share of about 1. The Rosetta points come from the first laboratory's birds (D1), none from the second's (D2).", "name": "fig-birdsong-limit"}}
within = median["within_fraction"]
label = "variance over runs / total\n(lower is better)"
_ = figures.plot_groups(within.loc[list(setting.methods)], label=label)

# %%
gain = within.loc["R-VAE"] / within.loc["VAE"]
check("new birds are held less than the birds of the points", gain["D2"] > gain["D1"])

# %% [markdown]
# New syllables are placed by whatever else the models learn, as new digits were in {ref}`digits`.
# The remedy is a file with points of both laboratories' birds, which takes a model that has seen both; {ref}`two-laboratories` shows on a map how far one file reaches.
#
# ## Against the paper
#
# Three zebra finches, one in D1 and two in D2 ({ref}`chapter-data` has their sources); ten runs of each method on spectrograms of 64×64 pixels, with the network of this page; scale below.
# The paper's birds are others and more, its spectrograms 128×128, its network larger.

# %%
from rvae_lite.studies.study import load_results

own = load_results("zebra_finch")
zebra_finch.study.table(own, number=1)

# %% [markdown]
# **Table 1, birdsong**, retraining variability.
# Ours is over the $\min(K, M - 1)$ leading eigenvalues; the paper's log determinants of ten runs in 32 dimensions are singular, so that sizes do not compare ({ref}`eight-gaussians` has the rule).
# "Same seed" is −∞ on a CPU, so that row compares with nothing.

# %%
zebra_finch.study.table(own, number=2)

# %% [markdown]
# **Table 2, birdsong**, log latent space distortion.
# The last row is the control: a VAE that meets the points' inputs as often, without their latents.

# %%
rosetta_tables.summary(own)

# %% [markdown]
# The control says what the distortion after a linear map measures: having *seen* Alice's birds.
# Whether Bob is in her space shows in the distance without any map and in the labels that carry over.

# %%
median = rosetta_tables.medians(own, columns=["recipe", "metric", "part"])
once, twice = median["reproducibility"], median["sequential"]
for metric in ("rv", "rv_relative"):
    lower = once.loc["R-VAE", metric] < once.loc[others, metric].min()
    check(f"zebra finches: R-VAE below VAE and beta-VAE in {metric}", lower.all())
carried = twice["label_transfer", "D1"]
check(
    "zebra finches: labels carry over by the R-VAE for more than 90 %",
    carried["R-VAE"] > 0.9,
)
check("without a map by no other method for half", carried.drop("R-VAE").max() < 0.5)
print(rosetta_tables.scale_of(own, "syllables"))

# %% [markdown]
# The same on the recordings of one Bengalese finch, a random half of its recordings on each side:

# %%
bengalese = load_results("bengalese_finch")
bengalese_finch.study.table(bengalese)

# %% [markdown]
# Figures 6 and 7 of the paper are on the linear maps from Bob's spaces onto the joint one, $A = UP$ with a shift $b$ ({ref}`eight-gaussians` has them on a plane).
# First the zebra finches, then the Bengalese finch:

# %% mystnb={"figure": {"caption": "On zebra finches the linear map stretches the R-VAE's leading directions least, and is as far from the identity as the others. The left panel shows eigenvalues of the stretch; runs are thin, medians bold. The other panels show distance to the identity and shift; dots are runs, bars medians. The panels are the paper's Figures 6 and 7, from ten runs; the first and the last axis are logarithmic.", "name": "fig-birdsong-zebra-maps"}}
_ = zebra_finch.study.figure(own)

# %% mystnb={"figure": {"caption": "On the Bengalese finch, too, the map stretches the R-VAE's leading directions least, and all methods' maps are equally far from the identity. The panels are those of the figure before. Two runs of the beta-VAE hardly use some directions, which the map stretches a thousandfold and more.", "name": "fig-birdsong-bengalese-maps"}}
_ = bengalese_finch.study.figure(bengalese)

# %%
songs = {"zebra finches": own, "Bengalese finch": bengalese}
level = ["distance_to_identity"]  # comparable, by the paper
maps = {}
for name, rows in songs.items():
    maps[name] = linear_maps.against_paper(rows, level=level)
maps = pd.concat(maps, names=["data"])
flat = maps.xs("flatness", level="quantity").direction
check("on both birds the R-VAE's spectrum is the flattest", set(flat) == {"same"})
turns = pd.concat({name: linear_maps.unturned(rows) for name, rows in songs.items()})
check("every method's map is turned as if at random", turns.abs().max() < 0.1)
maps

# %% [markdown]
# **Figures 6 and 7, birdsong**, medians and interquartile ranges over the runs; {ref}`mnist` says what flatness is.
# The paper finds the methods comparable in the distance to the identity on birdsong, so that row lies on no side.
# Here, too, it tells little: every map is turned as if at random against the joint space, and a steep spectrum leaves all of them near $\sqrt{32}$ from the identity.

# %% [markdown]
# **Every rival from the same file**, on the zebra finches and then on the Bengalese finch: ten runs of the same network, 32 points.
# Distances are to Alice's latents of her birds, squared, as a share of her variance; labels are those that carry over; the last column is the error of *her* decoder on these latents, as a multiple of that on her own.

# %%
from rvae_lite.studies import fair_rivals

rows, tables = load_results("fair_rivals"), {}
for title in ("zebra finches", "Bengalese finch"):
    tables[title] = fair_rivals.beside(rows, title)
    near = tables[title].distance
    both, by_map = near[f"{fair_rivals.OURS}, smooth"], near["VAE, smooth"]
    print(title, f"VAE {near['VAE']:.2g}, by a smooth map {by_map:.2g}", end=", ")
    print(f"R-VAE {near['R-VAE']:.2g}, an anchored training behind a map {both:.2g}")
    check("a smooth map takes away nine tenths of the VAE's distance", by_map < near["VAE"] / 10)
    check("and a rotation less", by_map < near["VAE, rotation"])
    check("a map adds to anchoring", both < near[fair_rivals.OURS])
    check("an anchored training behind a map is nearer than a VAE behind one", both < by_map)
ahead = {name: t.distance["R-VAE"] < t.distance["VAE, smooth"] for name, t in tables.items()}
check("zebra finches: anchoring alone is nearer than the smooth map", ahead["zebra finches"])
check("Bengalese finch: the map is nearer", not ahead["Bengalese finch"])
pd.concat(tables)

# %% [markdown]
# In 32 dimensions 32 points do not determine an affine map, and a rotation leaves much of the distance; maps with a penalty, ridge and smooth, close most of the gap.
# Which of the two is nearer depends on the data: the zebra finches of D2 are other birds, the Bengalese finch is one bird whose recordings were halved at random.
# Anchoring and a map together are nearest of all that train.
# A regression of Alice's latents on her 32 syllables is the rival without any training, for birds that she knows ({ref}`do-you-need-it`).
#
# Does the R-VAE reconstruct as well as the VAE?
# Distortion in nats and squared error, of held-out syllables in the reproducibility experiment, and of Bob's own in the sequential one; "as well" is where medians ± half an interquartile range overlap:

# %%
birds = {"zebra finches": own, "Bengalese finch": bengalese}
prices = {name: rosetta_tables.reconstruction(table) for name, table in birds.items()}
prices = pd.concat(prices, names=["data"])
check("as well or better on both kinds of finches", (prices.verdict != "worse").all())
prices

# %% [markdown]
# ## Take-aways
#
# * A spectrogram is a choice; the settings travel in the Rosetta file, and percentiles per bird make recordings of different loudness comparable.
# * Syllables that a model has never seen land where the template puts their kind, by anchoring or by a smooth map fitted on the same points. Both together are nearest.
# * Points hold the birds that they come from; wholly new birds they hold less.
#
# How many syllables to send, which ones, and to which networks are the questions of {ref}`how-many-points`, {ref}`which-points` and {ref}`any-architecture`.
# With recordings of your own, {ref}`your-own-data` is the shortest way.
#
# ## Exercises
#
# **Compute.** How much does time stretching change, for a short and for a long syllable?
#
# ```{dropdown} Solution
# A syllable of d seconds fills √(d / 0.35) of the image instead of d / 0.35: a short one gains most.
# ```

# %% tags=["hide-cell"]
filled = {}
for time in ("stretch", "pad"):
    padded = spec._replace(time=time)
    one = spectrograms.spectrograms(recording, [onset], [offset], spec=padded)[0]
    filled[time] = np.isfinite(one).any(0).mean()
assert abs(filled["stretch"] - np.sqrt(duration / 0.35)) < 0.05
assert filled["pad"] < filled["stretch"]

# %% [markdown]
# **Change.** Alice's points with a linear frequency axis, Bob's data on the mel axis.
#
# ```{dropdown} Solution
# `check` compares the settings and names the one that differs.
# ```

# %% tags=["hide-cell"]
bobs = syllables.info["preprocessing"]
other = study.points.check(syllables.x, preprocessing=bobs | dict(axis="linear"))
assert not study.points.check(syllables.x, preprocessing=bobs).errors
assert "axis" in other.errors[0]

# %% [markdown]
# **Think.** A colleague wants to hear the syllables between two of yours. What would have to change?
#
# ```{dropdown} Solution
# A spectrogram of amplitudes has lost the phase, and 64 rows have lost pitch: sound would have to be estimated anew. Walks between points can be looked at, not listened to.
# ```

# %% tags=["hide-cell"]
z = study.points.z
path = z[0] + np.linspace(0, 1, 10)[:, None] * (z[1] - z[0])
walk = np.clip(study.fits["R-VAE"].decode(path)[0].numpy(), 0, 1)
assert np.abs(np.diff(walk, axis=0)).max() < np.abs(walk[0] - walk[-1]).max()

# %% [markdown]
# ## References
#
# {cite:t}`martinez2021rosetta`, {cite:t}`goffinet2021`; the {doc}`bibliography <../book/bibliography>` has the details.

# %%
provenance(
    data=syllables.info["title"],
    source=syllables.info["source"],
    runs=f"{replicas} of {epochs} epochs, {network} network",
)
