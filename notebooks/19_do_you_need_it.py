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
# (do-you-need-it)=
# # For coordinates a map is enough; for a model, anchor
#
# :::{card}
# **Question.** The receiver of a Rosetta file can also train as usual and fit a map afterwards; when is anchoring worth its trouble?
#
# **Answer.** For coordinates in the sender's space a map, or a regression on the points, is enough. For one model that lives in this space and decodes your own data, anchor. A map behind the anchored training comes nearest of all that train, on most of the six data sets.
# :::

# %% tags=["nbval-skip", "remove-cell"]
import importlib.util

if importlib.util.find_spec("rvae_lite") is None:
    get_ipython().run_line_magic("pip", 'install -q "rvae_lite[notebooks] @ git+REPOSITORY_URL"')

# %% tags=["parameters", "hide-cell"]
dataset = "digits"
num_examples = None
epochs = 15
replicas = 3
learning_rate = 4e-3
num_points = 64
rho = 11.0

# %% tags=["hide-cell"]
import numpy as np
import pandas as pd

from rvae_lite import alignment, coverage, rivals, select_points
from rvae_lite.reporting import figures
from rvae_lite.reporting.claims import answer, check, fingerprint, provenance
from rvae_lite.studies import decoder_targets, fair_rivals, protocols, setup
from rvae_lite.studies.rivals_setup import OURS
from rvae_lite.studies.study import load_results

figures.use_style()
options = dict(epochs=epochs, replicas=replicas, learning_rate=learning_rate)
options |= dict(num_examples=num_examples, methods=setup.methods_of(rho=rho))
setting = setup.image_setup(dataset, num_points, network="mlp", **options)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "A good map brings a plain VAE about as near as anchoring does, and a map behind an anchored training is nearer still on most data sets. A panel is a data set, a line a rival, a dot a run, a stroke the median. Blue are maps behind a plain VAE, green her weights and a regression, red anchored trainings: the paper's, with decoded targets, and these behind a smooth map. The distance is to Alice's latents of her own kind of data, as a share of their variance.", "name": "fig-rivals"}}
own = load_results("fair_rivals")
_ = fair_rivals.study.figure(own)

# %% [markdown]
# :::{dropdown} About this chapter
# **After this you can**
#
# * choose between anchoring, a rotation, a regression and the plain weights;
# * say what your points cover before you train;
# * anchor a model without harming its decoder.
#
# **Before.** {ref}`digits`; {ref}`birdsong` for the recordings.
#
# **Time.** {reading}`half a minute to run`.
#
# **Reproduces.** Nothing: {cite:t}`martinez2021rosetta` compares with models that have no alignment at all. The tables are ours.
# :::

# %% [markdown]
# ## What else one can do with the same file
#
# Alice trains on the digits 0 to 4 and sends 64 Rosetta points.
# Bob has the digits 5 to 9.
# Her kinds of data are called D1, and his kinds D2.
# Bob may anchor his training to the points.
# He may also train as he likes, encode the 64 inputs with his own model, and fit a map from his latents to Alice's.
# A map needs no change of the training, and it takes milliseconds.
#
# Bob has these choices.
#
# * A **rotation** and a shift: Procrustes' problem, solved by one singular value decomposition.
# * A rotation and a **scale**.
# * An **affine** map; with a **ridge** penalty it also works where the points are few for the dimension. The penalty is chosen by leaving out one point after the other.
# * A **smooth** map that may bend: a Gaussian process fitted on the points.
# * **Relative representations** {cite:p}`moschella2023relative`: a datum is described by its cosines with the points' latents, or by its distances to them. No map is needed, and the way back to coordinates is a least-squares problem {cite:p}`maiorca2024inverse`.
# * No training at all: a **regression** of Alice's latents on the points' inputs.
#
# If Alice sends her network too, Bob can use it as it is, go on training from it, or freeze its encoder and train a decoder.
# These choices show what is possible at best, and they tie Bob to Alice's network.
#
# Here are two of the maps, written out.
# The penalty of the ridge map is one per cent of the trace of `gram`, by way of example.

# %%
study = fair_rivals.two_laboratories(setting)
alice, bob, points = study.first, study.fits["VAE"], study.points
source = bob.encode(points.x)[0].double().numpy()  # Bob's latents of the points' inputs
target = points.z.astype(float)  # Alice's

# %%
centred, wanted = source - source.mean(0), target - target.mean(0)
u, _, vt = np.linalg.svd(wanted.T @ centred)
rotation = u @ vt
gram = centred.T @ centred
penalty = 0.01 * np.trace(gram) * np.eye(len(gram))
ridge = np.linalg.solve(gram + penalty, centred.T @ wanted).T

# %%
held_out = study.validation
hers_d1, his_d1 = (one.encode(held_out.x[held_out.part == 1])[0].numpy() for one in (alice, bob))
moved = {
    name: (his_d1 - source.mean(0)) @ matrix.T + target.mean(0)
    for name, matrix in dict(rotation=rotation, ridge=ridge).items()
}
off = {name: alignment.mean_squared_distance(z, hers_d1) for name, z in moved.items()}
by_library = rivals.fit_map("rotation", source, target)(his_d1)
difference = np.abs(by_library - moved["rotation"]).max()
check(difference, "difference to the library's rotation", below=1e-8, digits=0)
ratio = off["ridge"] / off["rotation"]
check(ratio, "distance by the ridge map, over that by the rotation", below=1)

# %% tags=["hide-cell"]
fingerprint(bob)

# %% [markdown]
# ## On one pair of laboratories regression is nearest
#
# All of these choices, live.
# The unit of distance is Alice's total variance on her digits: a guess at her mean is 1 away.
# The distance is measured on held-out digits 0 to 4, where Alice knows the truth.

# %%
live = study.table
fair_rivals.beside(live, live["data"].iloc[0])

# %% [markdown]
# *distance*: to Alice's latents, as a share of their variance.
# *labels*: the share of digits whose nearest neighbours in Alice's space name the right digit.
# *her decoder*: its squared error on the rival's latents, as a multiple of its error on her own.

# %%
near = fair_rivals.nearest_of(live).iloc[0]
check(near["R-VAE"] / near["a rotation"], "the R-VAE's distance, over the rotation's", below=1)
added = near["its best map"] / near[OURS]
check(added, "anchoring and a map, over anchoring alone", below=1)
check(near.idxmin(), "what comes nearest", equals="regression")

# %% [markdown]
# Without a map, Bob's plain VAE is farther from Alice's latents than a guess at their mean.
# A rotation helps, and a map that may bend helps more.
# The regression is nearest, although no model of Bob's is involved.
# What a regression cannot do is said below, under {ref}`rivals-decision`.
#
# ## On six data sets a good map is a strong rival
#
# The same comparison at the largest scale of this book has ten runs of each method.
# {numref}`fig-rivals` shows every run.

# %%
fair_rivals.nearest_of(own).round(3)

# %% [markdown]
# **The distance to Alice's latents**, medians over runs and templates, of the best of each kind.
# "Its best map" stands behind {ref}`decoded targets <decoder-targets>`, our form of the R-VAE.
# The best map is chosen by these very numbers, which favours the maps.

# %%
from rvae_lite.reporting.tables import scales

scales(own, "num_data", "num_points", "latent_dim", "epochs", "replicas")

# %%
near = fair_rivals.nearest_of(own)
maps_win = near["the best map"] < near["R-VAE"]
added = near["its best map"] < near["the best map"]
print("a VAE and its best map are nearer than the R-VAE on", list(near.index[maps_win]))
print("anchoring and a map are nearer than a map alone on", list(near.index[added]))
share = near[OURS] / near["a rotation"]
check(share, "distance with decoded targets, over that of a rotation", below=1)
check(maps_win.sum(), "data sets of six where the best map beats the R-VAE", above=3)
check(added.sum(), "data sets of six where anchoring and a map beat the map", above=3)

# %% [markdown]
# The table says three things.
#
# * **A rotation is a weak rival, and a good map a strong one.** The best map behind a plain VAE is nearer than the paper's anchored training on most data sets.
# * **Alignment adds to anchoring.** An anchored space differs from Alice's in a smooth way, and a map takes most of that away. Of all that train, anchoring with a map is nearest on most data sets.
# * **Regression is nearest, or close to it.** Alice's encoder is so smooth that a few dozen of its values tell nearly all others, for data like hers.
#
# How far does this reach?
# Of the images and recordings we have one set at the paper's scale, MNIST, with the paper's form of anchoring.
# There every rival is farther from Alice than in this table, a smooth map behind the VAE is clearly nearer than anchoring, and one behind the anchored model is hardly nearer still ({ref}`mnist`).
# A regression on the 64 points is as near as that, so the points seem to set the limit.
#
# Every number of every rival, with its interquartile range:

# %% tags=["hide-output"]
fair_rivals.study.table(own)

# %% [markdown]
# (rivals-decision)=
# ## The decision depends on more than the distance
#
# A regression has no decoder.
# Alice's own model does not know Bob's data.
# A map leaves Bob with two spaces, his and hers.
# This table has the other columns of the decision.

# %%
decisions = fair_rivals.decisions(own)
decisions.round(2).astype(object).where(decisions.notna(), "—")

# %% [markdown]
# **What each choice needs and reaches.**
# *travels*: what Alice sends.
# *other network*: whether Bob may choose another network.
# *free beta*: whether he may choose his own $\beta$.
# *trained on D2*: what learns Bob's new data.
# The numbers are medians over the six data sets: *distance*, *labels* and *her decoder* as above, and *own error*, the squared error on Bob's new data of the model that he ends with, as a multiple of the plain VAE's.
# The distance of relative representations is one of cosines, as a share of their own variance.

# %%
error = decisions["own error"]
check(error["send the weights"], "own error of Alice's model on new data", above=2)
check(error["anchoring"], "own error of anchoring", below=1.02, digits=3)
drift = fair_rivals.medians(own, "distance").loc["from Alice's weights"] / near["R-VAE"]
check(drift, "distance when going on from her weights, over the R-VAE's", above=1, digits=3)

# %% [markdown]
# In three sentences:
#
# 1. A regression on the points, or a smooth map behind the model that you have, is enough for coordinates in Alice's space and data like hers: you do not need anchoring.
# 2. Anchor if you want *one* model that lives in her space, decodes her latents and your new data, and can be retrained and passed on without a map; add a smooth map from the same file where you can: on five of six data sets it takes three tenths of the distance away, or more.
# 3. Weights travel only between equal networks, and a model that goes on training from them leaves the space.
#
# (decoder-targets)=
# ## Where data are noise around a mean, decoded targets spare the decoder
#
# The paper draws the decoder at $z_r$ to the datum $x_r$.
# A datum has noise that no decoder can know.
# A decoder that is drawn to one noisy datum is drawn away from the mean of its neighbours.
#
# The remedy: Alice also sends $\hat x(z_r)$, what her decoder makes of $z_r$, and Bob's decoder is drawn to that.
# For a decoder equal to Alice's this costs nothing, whatever the noise, so her optimum stays an optimum.
# The gradients at Alice's own decoder show it.

# %%
import torch

template = alice.replica(0)
z_r, recon = torch.as_tensor(points.z), torch.as_tensor(points.recon)
data = torch.as_tensor(points.x / np.float32(255))
pull = {}
for name, aim in (("data", data), ("reconstructions", recon)):
    template.zero_grad()
    (aim - template.decode(z_r)).square().flatten(1).sum(1).mean().backward()
    slopes = [weights.grad.abs().max() for weights in template.decoder.parameters()]
    pull[name] = float(max(slopes))
largest = "largest gradient at Alice's decoder, drawn to"
check(pull["reconstructions"], f"{largest} reconstructions", below=1e-4, digits=0)
check(pull["data"], f"{largest} single data", above=1e-2)

# %% [markdown]
# `select_points(..., decode=fit.decode)` keeps $\hat x(z_r)$ beside $x_r$, and `fit` draws decoders to it.
# `anchors.Weighted(points, target="input")` is the paper's form.
# The R-VAE has the paper's form in all tables of this book that stand beside the paper's.
#
# What does anchoring cost in each form?
# A laboratory retrains ten times on its own data, and is measured on held-out data.

# %% tags=["hide-output"]
targets = load_results("decoder_targets")
shown = decoder_targets.study.table(targets)
shown.round(4)

# %%
excess = decoder_targets.excess(targets)
excess.round(3)

# %% [markdown]
# **What anchoring costs**: the distance to the template as a share of its variance, nats of distortion above the plain VAE's, and the squared error as a multiple of the VAE's.

# %%
ratio, distance = excess["squared error, ratio"][OURS], excess["distance"]
print("nearer with decoded targets:", list(distance.index[distance[OURS] < distance["R-VAE"]]))
check((ratio < 1.0).sum(), "data sets of six with no more squared error than a VAE", equals=5)
clear = ratio[["MNIST", "Bengalese finch"]]
check(clear, "squared error on MNIST and the Bengalese finch, over the VAE's", below=0.95)
chairs = ratio["procedural chairs"]
check(chairs, "squared error on the chairs, over the VAE's", below=1.05, digits=3)
toy = excess["distortion, nats"].loc["8 Gaussians"]
check(toy["R-VAE"], "nats that data cost as targets on 8 Gaussians", above=10, digits=3)
check(toy[OURS], "nats that decoded targets cost there", below=0.5)

# %% [markdown]
# With decoded targets a retraining reconstructs no worse than a plain VAE on five sets, and clearly better on two.
# The 8 Gaussians, whose data are noise around eight means, gain most over raw inputs.
# The template's decoder is a teacher, and a teacher can be a poor one.
# The template of the chairs is among the worse trainings on these data, and the decoders that are drawn to it learn its fault.
# On both finches the inputs themselves reconstruct better, and hold the space better.

# %%
error = targets[(targets.metric == "squared_error") & (targets.part == "rest")]
layout = dict(index=["data", "template"], columns="method", values="value")
error = error.pivot_table(aggfunc="median", **layout)
raw = error["R-VAE"] / error[OURS]
finches = raw[["zebra finches", "Bengalese finch"]]
check(finches, "finches, squared error of raw over decoded, each template", below=1)
check(raw["8 Gaussians"], "the same on the 8 Gaussians, each template", above=1.3)

# %% [markdown]
# ## What do the points promise?
#
# The paper leaves open how many points are enough.
# Two statements answer this with numbers that can be computed, one before the training and one after it.
#
# ### Before the training: what is covered
#
# Let $d(x)$ be the distance of an example to the nearest input of a point.
# The file states how far Alice's own data lie from the points; the largest of these distances is the *covering radius*.
# Bob counts which of his examples lie within it.

# %%
shares = {}
for part in (1, 2):
    told = points.check(held_out.x[held_out.part == part]).covering
    shares[part] = told.share
    print(f"D{part}:", told)
check(shares[1] - shares[2], "share covered of D1, minus that of D2", above=0)

# %% [markdown]
# Does this distance tell how far Bob's latents will be from Alice's?

# %% mystnb={"figure": {"caption": "The farther an example lies from its nearest point, the farther Bob puts it from where Alice does. A dot is a held-out digit, in one anchored training. D1 are the digits 0 to 4, which Alice knows, and D2 the digits 5 to 9, which are new to her.", "name": "fig-rivals-covered"}}
x, hers = held_out.x, alice.encode(held_out.x)[0].numpy()
his = study.fits[OURS].encode(x)[0].numpy()
away = np.linalg.norm(his - hers, axis=1)
nearest = coverage.distances_to_anchors(x, points.x)
_ = fair_rivals.plot_covered(nearest, away, held_out.part)

# %%
ranks = own[own.metric == "covered_rank"]
ranks = ranks.pivot_table(
    index=["data", "method"], columns="part", values="value", aggfunc="median", sort=False
)
ranks.round(2)

# %% [markdown]
# **Rank correlation** of $d(x)$ with the distance to Alice's latent, over held-out data: of her kinds (D1), of Bob's (D2), of both.
# Where D2 holds new kinds, the distance tells which part to trust.
# Much of that correlation is the step from D1 to D2, and within a part it tells less.
# It tells little on the chairs and the Bengalese finch, which have the same kinds in both parts.
# The points do not hold a plain VAE, and there even the sign changes from set to set.

# %%
anchored = ranks["all"].xs(OURS, level="method")
same_kinds = anchored.index.isin(["procedural chairs", "Bengalese finch"])
check(anchored[~same_kinds], "rank correlation on the sets with new kinds", above=0.5)
parts = ranks[["D1", "D2"]].xs(OURS, level="method")[~same_kinds]
share = parts.div(anchored[~same_kinds], axis=0)
check(share, "the same within a part, a share of that over both", below=1)

# %% [markdown]
# ### After the training: what is certain
#
# :::{admonition} Covering bound
# :class: note
# Let $f$ and $g$ have the Lipschitz constants $L$ and $L'$, and let $\lVert f(x_r) - g(x_r) \rVert \le e_r$ at the points' inputs $x_r$.
# Then for every $x$
#
# $$ \lVert f(x) - g(x) \rVert \le \min_r \bigl( e_r + (L + L') \lVert x - x_r \rVert \bigr) \le \max_r e_r + (L + L') \, d(x) . $$
# :::
#
# *Proof.* $\lVert f(x) - g(x) \rVert \le \lVert f(x_r) - g(x_r) \rVert + \lVert f(x) - f(x_r) \rVert + \lVert g(x) - g(x_r) \rVert$ for every $r$.
# No smaller bound follows from these numbers.
# The middle expression is itself a function with Lipschitz constant $L + L'$ that is at most $e_r$ at the points, so two maps can differ by just this function.
#
# A network brings a certified constant along: the product of its layers' norms, `coverage.lipschitz_bound`.
#
# :::{admonition} Affine bound
# :class: note
# Let $f$ and $g$ be affine maps of one latent space, with $\lVert f(z_r) - g(z_r) \rVert \le e_r$ at $R$ points that span it.
# Let $v(z) = (1, z)$, let $V$ have the rows $v(z_r)$, and let $\ell(z) = v^\top (V^\top V)^{-1} v$ be the leverage of $z$.
# Then with $w = V (V^\top V)^{-1} v$, for which $\lVert w \rVert^2 = \ell(z)$,
#
# $$ \lVert f(z) - g(z) \rVert \le \sum_r \lvert w_r \rvert \, e_r \le \sqrt{R \, \ell(z)} \; \sqrt{\tfrac 1 R \textstyle\sum_r e_r^2} . $$
# :::
#
# *Proof.* $V^\top w = v(z)$ says that $\sum_r w_r = 1$ and $\sum_r w_r z_r = z$.
# The difference $\delta = f - g$ is affine and keeps such sums, so $\delta(z) = \sum_r w_r \delta(z_r)$.
# The triangle inequality gives the first bound, and the Cauchy-Schwarz inequality the second.
# If $\delta$ is within $\epsilon$ of an affine map, add $\epsilon$ to every $e_r$ and to the sum.

# %%
run = study.fits[OURS].select([0])
errors = np.linalg.norm(run.encode(points.x)[0].numpy() - points.z, axis=1)
constant = coverage.lipschitz_bound(run.replica(0)) + coverage.lipschitz_bound(template)
certain = coverage.covering_bound(x, points.x, errors, constant=constant)
check(certain / away, "covering bound over distance, of every held-out digit", at_least=1)

# %%
factors = own[own.metric.isin(["bound_factor", "affine_bound_factor"])]
wide = dict(index=["data", "method"], columns="metric", values="value", sort=False)
factors.pivot_table(aggfunc="median", **wide).round(1)

# %% [markdown]
# **How loose the bounds are**: bound over distance, medians over examples and runs.
# They hold for every example of every data set.
# The covering bound is a guarantee, and too loose for a prediction: the certified constant of a network is far above the slopes that data meet.
# The affine bound takes $\epsilon$ from both encoders, so here it only checks the arithmetic.
# The finches have no affine bound, because 32 points do not span 32 dimensions.
#
# ### Two ways of choosing points make the bounds small
#
# *Farthest first* adds the datum that lies farthest from those chosen.
# Its covering radius is at most twice the best that any $R$ points have {cite:p}`gonzalez1985clustering`.
# *D-optimal* adds the datum of largest leverage, so that $\ell$ stays small everywhere {cite:p}`kiefer1960equivalence`.

# %%
d1 = protocols.halves(setting)[0]
d1 = d1.take(d1.part == 1)
means = alice.encode(d1.x)[0].numpy()
rows = {}
for way in ("kmeans", "farthest_first", "d_optimal"):
    chosen = select_points(d1.x, means, num_points, method=way)
    most = coverage.leverage(means, chosen.z).max()
    rows[way] = (chosen.header["covering"]["radius"], np.sqrt(num_points * most))
columns = ["covering radius", "largest factor of the affine bound"]
chosen = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
chosen.round(2)

# %%
radius, factor = (chosen[name] for name in columns)
smallest = radius.drop("farthest_first").min()
check(radius["farthest_first"] / smallest, "radius of farthest first, over the next", at_most=1)
smallest = factor.drop("d_optimal").min()
check(factor["d_optimal"] / smallest, "factor of D-optimal points, over the next", at_most=1)

# %% [markdown]
# The two ways disagree, and unlike k-means they ignore the density of the data.
# Farthest first takes outliers.
# D-optimal takes data at the edges and may miss whole groups.
#
# ## Related work
#
# *Relative representations* {cite:p}`moschella2023relative` and their inverse {cite:p}`maiorca2024inverse` compare spaces by their similarities to anchors, without training.
# *Stitching* {cite:p}`lenc2015understanding` joins the encoder of one network to the decoder of another by a map; "her decoder" above is such a stitch.
# *Hyperalignment* {cite:p}`haxby2011common` rotates the responses of many brains into one space, by common stimuli in the place of our points.
# *Centred kernel alignment* {cite:p}`kornblith2019` and canonical correlations {cite:p}`raghu2017svcca` measure likeness up to a rotation or a linear map, for uses that need no map.
# *Coresets* {cite:p}`bachem2017practical` choose few data that stand for many in a loss; Rosetta points stand for a map.
# *Continual learning* by rehearsal {cite:p}`rebuffi2017icarl` keeps a few examples, and what the old model made of them, so that a network does not forget; anchoring is rehearsal between laboratories.
#
# ## Take-aways
#
# * Fit a regression on the points, or a map behind your model, if you want coordinates in her space alone.
# * Anchor if you want one model of her space and your data. A smooth map from the same file brings it nearer still.
# * Let the points carry reconstructions where data are noisy. On both finches the inputs themselves reconstruct better.

# %% [markdown]
# ## Exercises
#
# :::{exercise} Compute
# :label: ex-do-you-need-it-compute
# How near does `rivals.fit_map("ridge affine", ...)` bring Bob's plain VAE with the first 16 of the 64 points?
# Fit it from `source` to `target`, apply it to `his_d1`, and divide the mean squared distance to `hers_d1` by the total variance of `hers_d1`.
# :::

# %% tags=["hide-cell"]
reached = {}
for count in (16, 64):
    mapping = rivals.fit_map("ridge affine", source[:count], target[:count])
    gap = alignment.mean_squared_distance(mapping(his_d1), hers_d1)
    reached[count] = float(gap / alignment.total_variance(hers_d1))
expected = reached[16]

# %%
yours = None  # one line of yours
answer(yours, expected, digits=2)

# %% [markdown]
# :::{solution} ex-do-you-need-it-compute
# :class: dropdown
# The map is farther off than with all 64 points.
# The penalty keeps the map from blowing up, and 16 points say less about it.
# :::

# %% tags=["hide-cell"]
mapped = rivals.fit_map("ridge affine", source[:16], target[:16])(his_d1)
yours = float(np.square(mapped - hers_d1).sum(1).mean() / hers_d1.var(0).sum())
answer(yours, expected, digits=2)
assert reached[64] < reached[16]

# %% [markdown]
# :::{exercise} Change
# :label: ex-do-you-need-it-change
# `rivals.fit_map` refuses an affine map that the points do not determine.
# How many of `source` and `target` does it need at least?
# :::

# %% tags=["hide-cell"]
expected = source.shape[1] + 1

# %%
yours = None  # one line of yours
answer(yours, expected)

# %% [markdown]
# :::{solution} ex-do-you-need-it-change
# :class: dropdown
# An affine map of 8 dimensions has a matrix of 8 columns and a shift, so it needs 9 points.
# The error names maps that need fewer.
# :::

# %% tags=["hide-cell"]
for yours in range(2, len(source)):
    try:
        rivals.fit_map("affine", source[:yours], target[:yours])
        break
    except ValueError as error:
        refused = str(error)
print(refused)
answer(yours, expected)
assert yours == expected and "ridge affine" in refused

# %% [markdown]
# :::{exercise} Think
# :label: ex-do-you-need-it-think
# Regression is nearest. Why does Bob not use it for his new digits?
# :::
#
# :::{solution} ex-do-you-need-it-think
# :class: dropdown
# A regression gives the latents that Alice's encoder would give, and her encoder has never seen his digits.
# Her decoder cannot draw them either; the next cell compares its error with that of Bob's own anchored model.
# :::

# %% tags=["hide-cell"]
new = held_out.x[held_out.part == 2]
sent, own_model = alice.evaluate(new), study.fits[OURS].evaluate(new)
assert sent.squared_error[0] > 1.5 * np.median(own_model.squared_error)

# %% [markdown]
# ## References
#
# {cite:t}`martinez2021rosetta`, {cite:t}`moschella2023relative`, {cite:t}`maiorca2024inverse`; the {doc}`bibliography <../book/bibliography>` has the details.

# %% tags=["hide-cell"]
provenance(
    data=setting.dataset.info["title"],
    runs=f"{replicas} of {epochs} epochs for each method",
)
