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
# (digits)=
# # Handwritten digits: from a plane to eight dimensions
#
# :::{card}
# **Question.** Does anchoring also work on images, where the latent space has more dimensions than a plot, and more than there are runs?
#
# **After this you can** anchor a model of images, read retraining variability when there are fewer runs than dimensions, and tell what a second laboratory gains that has only ever seen other digits.
#
# **Before.** {ref}`eight-gaussians`.
#
# **Time.** Ten minutes to read, half a minute to run.
#
# **Reproduces.** In small, the MNIST rows of Tables 1 and 2 and of Figure 2 of {cite:t}`martinez2021rosetta`, on the 8×8 digits that scikit-learn ships; with `dataset = "mnist"` the same page runs on MNIST.
# :::

# %% tags=["nbval-skip", "remove-cell"]
import importlib.util

if importlib.util.find_spec("rvae_lite") is None:
    get_ipython().run_line_magic("pip", 'install -q "rvae_lite[notebooks] @ git+REPOSITORY_URL"')

# %% tags=["parameters"]
dataset = "digits"
num_examples = None
epochs = 20
replicas = 3
rho = 2.75
num_points = 64
learning_rate = 4e-3
compiled = False

# %%
import numpy as np

from rvae_lite import RosettaPoints, alignment, fit, select_points
from rvae_lite.reporting import figures
from rvae_lite.reporting.claims import check, fingerprint, provenance
from rvae_lite.studies import digits, fair_rivals, live_rivals, protocols, rosetta_tables
from rvae_lite.studies.setup import image_setup, methods_of, train
from rvae_lite.studies.study import load_results

figures.use_style()
options = dict(epochs=epochs, replicas=replicas, learning_rate=learning_rate)
options |= dict(network="mlp", num_examples=num_examples, compile=compiled)
setting = image_setup(dataset, num_points, methods=methods_of(rho=rho), **options)

# %% [markdown]
# ## The data and the model
#
# Grey images with values between 0 and 1, and a fully connected network.
# The smaller the noise variance of the likelihood, the more the latents have to remember.
# The paper's 0.1 suits 784 pixels; an 8×8 image has 64, and the same value would leave most latent dimensions unused, so the small digits take 0.02.

# %% mystnb={"figure": {"caption": "The data are small grey images of the ten handwritten digits. The first 32 images are shown, from black (0) to white (1).", "name": "fig-digits-data"}}
images = setting.dataset
print(images.info["title"], images.x.shape, "K =", setting.model.latent_dim)
_ = figures.plot_images(images.x[:32])

# %%
few, quick = images.x[:512], dict(batch_size=64, learning_rate=1e-3)
first = fit(setting.model, few, seed=0, epochs=18, **quick)
pairs = select_points(few, first.encode(few)[0], 16, method="random")
anchors = dict(rho=4 * rho, points=pairs)
anchored = fit(setting.model, few, seed=1, epochs=36, **anchors, **quick)
fingerprint(first)
fingerprint(anchored)

# %% [markdown]
# ## Retraining with and without Rosetta points
#
# As on the toy: train a template, cluster its latents by k-means, retrain every method from several seeds.
# These are the points that would travel, each with its latent:

# %% mystnb={"figure": {"caption": "The Rosetta points are typical digits, chosen where the data are dense. An image is the input of one Rosetta point; its latent is not drawn. The points are nearest to the centres of clusters in the template's latent space.", "name": "fig-digits-points"}}
study = protocols.reproducibility(setting)
_ = figures.plot_images(study.points.x)

# %% [markdown]
# They are typical digits, for k-means looks where data are dense: the paper itself warns that rare ways of writing are not anchored.
#
# The space has more than two dimensions, so we look at it through a window: the plane of the template's two leading principal components.
# The window is fitted on the template alone and the same for all panels, so a map that has turned shows as turned.

# %% mystnb={"figure": {"caption": "Anchored training (R-VAE) lands on the template's map; VAE and beta-VAE land elsewhere. The panels show the plane of the template's two leading principal components, one run each. A dot is a held-out image, its colour the digit. The crosses are the Rosetta points' latents.", "name": "fig-digits-planes"}}
validation = study.validation
target = study.target.encode(validation.x)[0].numpy()
window = figures.plane_of(target)
spaces = {"template": window(target)}
for name, runs in study.fits.items():
    spaces[name] = window(runs.encode(validation.x)[0].numpy())
_ = figures.plot_spaces(spaces, validation.labels, points=window(study.points.z))

# %%
median = rosetta_tables.medians(study.table)
apart = median["unaligned"]
check(
    "R-VAE: at the points, within 5 % of the template's variance",
    apart.loc["R-VAE", "R1"] < 0.05,
)
check("R-VAE: on held-out digits, within a third", apart.loc["R-VAE", "rest"] < 1 / 3)
check(
    "VAE and beta-VAE, untouched: farther than the template's whole variance",
    (apart.drop("R-VAE") > 1).all(axis=None),
)
how = (validation.x, study.points, target)
for name, runs in study.fits.items():
    rotated, mapped = (live_rivals.distance_by(m, runs, *how) for m in ("rotation", "smooth"))
    print(f"{name}: {apart['rest'][name]:.2g}, rotated {rotated:.2g}, by a smooth map {mapped:.2g}")
    check("the smooth map from the points brings it within a quarter", mapped < 0.25)

# %% [markdown]
# The rotation and the smooth map are fitted after the training, on what a model makes of the 64 points and where the template has them.
# Such a map is the rival of an anchored training: it needs the same file.
# The smooth map brings the untouched VAEs about as near as anchoring does, and it brings the R-VAE nearer too.
# All distances are squared: a quarter of the variance is a half in length.
#
# ## More dimensions than runs
#
# Retraining variability {eq}`eq-rv` is a log determinant of each datum's covariance over $M$ runs.
# That matrix has rank $M - 1$ at most; with fewer runs than dimensions its determinant is zero, and what a computer prints for its logarithm is rounding noise:

# %%
means = study.fits["VAE"].encode(validation.x).double().numpy()
centred = means - means.mean(axis=0)  # (M, N, K)
covariances = np.einsum("mnk,mnl->nkl", centred, centred) / (len(means) - 1)
eigenvalues = np.linalg.eigvalsh(covariances)[:, ::-1]
rank = min(len(means) - 1, means.shape[2])
check(
    "beyond M - 1, eigenvalues are nothing but rounding",
    (np.abs(eigenvalues[:, rank:]) < 1e-9).all(),
)
leading = np.log(eigenvalues[:, :rank]).sum(1).mean()
result = alignment.retraining_variability(means)
check(
    "the library uses the leading eigenvalues",
    np.isclose(result.value, leading, rtol=1e-6),
)
check("and says how many", result.rank == rank)

# %%
gain = median.loc["R-VAE"] - median.loc["VAE"]
check("R-VAE below VAE at the points and away from them", (gain["rv"] < -2 * rank).all())
check("in the scale-free form as well", (gain["rv_relative"] < -2 * rank).all())
free = median["rv_relative"]
check("R-VAE below the beta-VAE", (free.loc["R-VAE"] < free.loc["beta-VAE"]).all())
check(
    "within-datum share of the variance under 5 % at the points",
    median["within_fraction", "R1"]["R-VAE"] < 0.05,
)

# %% [markdown]
# ## Does it still reconstruct?
#
# The paper says that the R-VAE reconstructs as well as the VAE.
# In the pictures the first row is held-out digits; then VAE, beta-VAE and R-VAE, one run each.

# %% mystnb={"figure": {"caption": "The R-VAE reconstructs held-out digits about as well as the VAE. The first row is eight held-out images. The other rows are reconstructions by VAE, beta-VAE and R-VAE, one run each.", "name": "fig-digits-reconstructions"}}
some = validation.x[:8]
scale = 255 if some.dtype == np.uint8 else 1
rows = [some / scale]
rows += [runs.select([0]).reconstruct(some)[0] for runs in study.fits.values()]
_ = figures.plot_images(np.clip(np.concatenate(rows), 0, 1), columns=8)

# %% mystnb={"figure": {"caption": "The R-VAE's distortion is no worse than the VAE's; the beta-VAE's is clearly higher. The panels show distortion and rate on held-out digits, in nats. A dot is a run, a bar the median of the runs.", "name": "fig-digits-rate-distortion"}}
figure, axes = figures.figure_row(2)
panels = dict(
    distortion="distortion in nats (lower is better)",
    rate="rate in nats",
)
for ax, (metric, label) in zip(axes, panels.items(), strict=True):
    how = dict(metric=metric, part="rest", label=label)
    figures.plot_by_method(study.table, ax=ax, **how)

# %% [markdown]
# In numbers, median and interquartile range over the runs; the verdict is "as well" where the medians ± half a range overlap:

# %%
price = rosetta_tables.reconstruction(study.table)
held = (price.verdict != "worse").all()
check("the R-VAE reconstructs as well as the VAE, or better", held)
distortion = median["distortion", "rest"]
check("the beta-VAE reconstructs worse", distortion["beta-VAE"] > distortion["VAE"])
price

# %% [markdown]
# ## A second laboratory with other digits
#
# Alice has the digits 0 to 4, Bob 5 to 9.
# Bob receives Alice's points and never sees her images; the control meets the points' images just as often, without their latents.

# %% mystnb={"figure": {"caption": "Without a map, anchored training (R-VAE) places the first laboratory's digits as that laboratory does. The upper panels show latent space distortion and distance to Alice, on her digits (D1). The lower panels show labels carried over on D1, and distance to the joint model on D2. A dot is a run, a bar the median of the runs.", "name": "fig-digits-second-laboratory"}}
plan = setting._replace(methods=setting.methods | protocols.REPEATED_ANCHORS)
sequel = protocols.sequential(plan)
figure, axes = figures.figure_row(4)
panels = dict(
    lsd=("D1", "LSD on D1 (lower is better)"),
    unaligned_first=("D1", "distance to Alice on D1\n/ her variance"),
    label_transfer=("D1", "labels carried over\n(higher is better)"),
    unaligned=("D2", "distance to joint on D2\n/ its variance"),
)
for ax, (metric, (part, label)) in zip(axes, panels.items(), strict=True):
    figures.plot_by_method(sequel.table, metric=metric, part=part, label=label, ax=ax)

# %%
median = rosetta_tables.medians(sequel.table)
away, carried = median["unaligned_first", "D1"], median["label_transfer", "D1"]
check(
    "Bob's R-VAE puts Alice's digits where she does, within a quarter of her variance",
    away["R-VAE"] < 0.25,
)
check("her labels carry over for more than 80 %", carried["R-VAE"] > 0.8)
lost = (away.drop("R-VAE") > 1) & (carried.drop("R-VAE") < 0.5)
check("without a map the others miss her variance and half of the labels", lost.all())
lsd = median["lsd"]
check(
    "R-VAE's distortion lies below the VAE's on D1",
    lsd.loc["R-VAE", "D1"] < lsd.loc["VAE", "D1"],
)
check(
    "so does the control's",
    lsd.loc["VAE, anchors repeated", "D1"] < lsd.loc["VAE", "D1"],
)
nowhere = (median["unaligned", "D2"] > 1).all()
check("without a map, D2 is off by more than the joint variance everywhere", nowhere)

# %% [markdown]
# How near do the others come *with* a map that Bob fits on the 64 points, after the training?
# For each method, the best of seven maps, judged on Alice's held-out digits:

# %%
reached = live_rivals.reached(sequel)
mapped, labelled = reached["distance by it"], reached["labels by it"]
rival = mapped.drop("R-VAE").min()
check(f"the others come within {rival:.2g}, a quarter or less", rival < 0.25)
print(f"the R-VAE is within {away['R-VAE']:.2g}, and within {mapped['R-VAE']:.2g} by a map")
check("the R-VAE with a map is nearer than either", mapped["R-VAE"] < min(rival, away["R-VAE"]))
check("with maps her labels carry over by every method for 80 %", labelled.min() > 0.8)
reached.round(3)

# %% [markdown]
# Bob's encoder has seen 64 of Alice's images, and puts hundreds of others where she would.
# A smooth map fitted on the same 64 pairs after the training does at least as well in these short runs.
# The two add up: an anchored training behind a map is nearest.
# On $\mathcal D_2$, where nobody anchored anything, every method is off by more than the joint model's whole variance: anchors do not pin what the sender never saw.
# And up to a linear map the control gains as well, without having received a single latent, which is the lesson of {ref}`eight-gaussians` once more: distortion rewards having seen the inputs, whether or not the latents were kept.
#
# ## Against the paper
#
# Medians and interquartile ranges relative to the median plain VAE.
# The paper's column is MNIST with convolutional networks, 200 epochs and ten runs; the scale here is printed below the tables.
# For the small digits the tables come from the committed results, so the comparison is of directions only.

# %%
import pandas as pd

live = pd.concat([study.table, sequel.table])
own = load_results("digits") if dataset == "digits" else live
digits.study.table(own, number=1)

# %% [markdown]
# **Table 1, MNIST**, retraining variability.
# The paper's log determinants of ten runs in sixteen dimensions are singular, ours are of rank $\min(K, M - 1)$: their sizes do not compare, their directions do ({ref}`eight-gaussians` has the rule).
# "Same seed" is −∞ on a CPU, so that row compares with nothing.

# %%
digits.study.table(own, number=2)

# %% [markdown]
# **Table 2, MNIST**, log latent space distortion after sequential training.

# %%
price = rosetta_tables.reconstruction(own)
if dataset == "digits":
    judged = price.verdict.droplevel("metric")
    check("the same digits: as well", judged["reproducibility", "rest"] == "as well")
    check("Bob's own digits: worse", judged["sequential", "D2"] == "worse")
print(rosetta_tables.scale_of(own, "images"), "fully connected network", sep=", ")
price

# %% [markdown]
# **Reconstruction**, at the scale of the tables: distortion in nats on held-out digits, in the reproducibility experiment, and of Bob's own digits in the sequential one.

# %% [markdown]
# **Every rival from the same file**, on the 8×8 digits: ten runs of the network of this page.
# Distances are to Alice's latents of her digits, squared, as a share of her variance; labels are those that carry over; the last column is the error of *her* decoder on these latents, as a multiple of that on her own.

# %%
beside = fair_rivals.beside(load_results("fair_rivals"), "scikit-learn digits")
near = beside.distance
anchored, by_map = near["R-VAE"], near["VAE, smooth"]
print(f"VAE {near['VAE']:.2g}, by a smooth map {by_map:.2g}, R-VAE {anchored:.2g}")
both = near[f"{fair_rivals.OURS}, smooth"]
check(f"an anchored training behind a map: {both:.2g}", both < min(anchored, by_map))
check("a map takes away nine tenths of the VAE's distance", by_map < near["VAE"] / 10)
check("and leaves less than twice the R-VAE's", anchored < by_map < 2 * anchored)
check("and carries over 95 % of the labels", beside.labels["VAE, smooth"] > 0.95)
check("a regression on the points is nearest", near[fair_rivals.REGRESSION] < both)
beside

# %% [markdown]
# An anchored training is nearer than the best map after training, by less than a factor of two.
# Anchoring and a map together are nearest of all that train.
# A regression of Alice's latents on the 64 images, without any training, is nearer still for digits like hers, and is no model of Bob's digits ({ref}`do-you-need-it`).
#
# ## Is your map the book's map?
#
# A last training into the book's own space of digits, verified at witness points that take no part in it.
# The book ships points for the small digits only, so on MNIST this cell has nothing to check.

# %%
if dataset == "digits":
    book = RosettaPoints.load("book:digits")
    witness = RosettaPoints.load("book:digits_witness")
    anchors = dict(rho=rho, points=book)
    yours = train(setting, validation.x, seed=1, label="book", **anchors)
    there = yours.encode(witness.x)[0]
    distance = alignment.mean_squared_distance(there, witness.z)
    distance /= alignment.total_variance(witness.z)
    check(
        f"your space is the book's at {len(witness)} witness points, within a quarter of the variance",
        distance < 0.25,
    )

# %% [markdown]
# ## Take-aways
#
# * On images, too, a few dozen anchors fix the whole space. A smooth map fitted on the same pairs after training comes near it, and both together are nearest.
# * Trained again on the same digits, the R-VAE reconstructs as well as the VAE. On digits that the anchors do not show it reconstructs worse.
# * Where there are more dimensions than runs, a log determinant needs a stated rank; the share of variance within a datum needs nothing and is easier to read.
# * Anchors pin what the sender knew. New classes find their own place, which may differ from laboratory to laboratory.
#
# The network of this page is small and fully connected; {ref}`mnist` takes the paper's own.
#
# ## Exercises
#
# **Compute.** How many of the template's latent dimensions are in use, counted by eigenvalues of the covariance of the means of at least 0.01?
#
# ```{dropdown} Solution
# A posterior with full covariance may rotate the space freely, so axes mean nothing and eigenvalues do.
# ```

# %% tags=["hide-cell"]
used = int((np.linalg.eigvalsh(np.cov(target.T)) >= 0.01).sum())
assert 2 < used <= setting.model.latent_dim

# %% [markdown]
# **Change.** Select the points at random instead of by k-means. Are all ten digits still among them?
#
# ```{dropdown} Solution
# With 64 points, yes, by either method; with ten points it becomes a matter of luck.
# ```

# %% tags=["hide-cell"]
ids = np.arange(len(target))
at_random = select_points(validation.x, target, 64, method="random", ids=ids)
assert len(np.unique(validation.labels[at_random.ids.astype(int)])) == 10

# %% [markdown]
# **Think.** Why does a plain nearest-neighbour look-up fail between two VAEs that both separate the ten digits well?
#
# ```{dropdown} Solution
# Each digit has its island in both maps, but the islands lie in other places, so labels are carried over at about the rate of chance; a rotation fitted on the anchors repairs a part of it, a map that bends most of it.
# ```

# %% tags=["hide-cell"]
assert median["orthogonal_first", "D1"]["VAE"] < median["unaligned_first", "D1"]["VAE"]

# %% [markdown]
# ## References
#
# {cite:t}`martinez2021rosetta`; the {doc}`bibliography <../book/bibliography>` has the details.

# %%
provenance(
    data=images.info["title"],
    source=images.info["source"],
    runs=f"{replicas} of {epochs} epochs",
)
