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
# (how-many-points)=
# # Sixteen points bring most of the gain
#
# :::{card}
# **Question.** How many Rosetta points does a laboratory have to send?
#
# **Answer.** Four points already help, and sixteen bring most of the gain on recorded birdsong. From thirty-two points to sixty-four the distance falls by a quarter at best.
# :::

# %% tags=["nbval-skip", "remove-cell"]
import importlib.util

if importlib.util.find_spec("rvae_lite") is None:
    get_ipython().run_line_magic("pip", 'install -q "rvae_lite[notebooks] @ git+REPOSITORY_URL"')

# %% tags=["parameters", "hide-cell"]
dataset = "synthetic_finch"
num_examples = 450
network = "patch"
epochs = 20
replicas = 3
rho = 2.75
learning_rate = 5e-3
folder = None

# %% tags=["hide-cell"]
import numpy as np

from rvae_lite import alignment, fit, select_points
from rvae_lite.reporting import figures
from rvae_lite.reporting.claims import answer, check, fingerprint, provenance
from rvae_lite.studies import eight_gaussians, how_many_points, measure, protocols, rosetta_tables
from rvae_lite.studies.setup import Method, image_setup, train
from rvae_lite.studies.study import load_results

figures.use_style()
methods = {"VAE": Method(), "R-VAE": Method(rho=rho)}
own = load_results("how_many_points")

# %% mystnb={"figure": {"caption": "Sixteen Rosetta points bring most of the gain on recorded zebra finches. The left panel shows the distance to the template on held-out syllables. The right panel shows the share of labels carried over from the first laboratory (D1). A dot is a run of 60 epochs, ten for each of three templates, and a line joins the medians.", "name": "fig-num-points-zebra-finches"}}
_ = how_many_points.study.figure(own)

# %% [markdown]
# :::{dropdown} About this chapter
# **After this you can** count the equations that points write down for a space, read a table whose numbers are relative to one of its own rows, and choose $R$ for your own data.
#
# **Before.** {ref}`eight-gaussians` and {ref}`mnist`.
#
# **Time.** {reading}`half a minute to run`.
#
# **Reproduces.** Appendix D of {cite:t}`martinez2021rosetta`, Tables 3 to 8: 8 Gaussians, MNIST and birdsong. A sweep of our own on synthetic finches runs live.
# :::
#
# ## K + 1 points fix an affine map
#
# A Rosetta point fixes the latent of one input, which is $K$ numbers.
# Suppose that the latents of two trainings already agree up to an affine map, $z' = A z + b$.
# Models of the same data often nearly do.
# The map has $K^2 + K$ unknown numbers in $A$ and $b$, and $R$ points give $R K$ equations for them.
# The equations suffice when
#
# $$
# R \ge K + 1 .
# $$ (eq-enough-points)
#
# With fewer points the map can still turn in some directions.
# With 8 latent dimensions, for example, 8 points leave a gap and 9 points close it.
# Networks add bends and folds to the affine map, and bends take more points.

# %%
options = dict(network=network, num_examples=num_examples, keep=folder, side=32)
options |= dict(epochs=epochs, replicas=replicas, learning_rate=learning_rate)
setting = image_setup(dataset, methods=methods, loading=dict(size=64), **options)
K = setting.model.latent_dim
random = np.random.default_rng(0)
z, A, b = (random.normal(size=size) for size in ((500, K), (K, K), K))
mapped, error = z @ A.T + b, {}
for R in (K // 2, K, K + 1, 2 * K):
    fitted = alignment.linear_map(z[:R], mapped[:R])
    error[R] = alignment.mean_squared_distance(fitted(z), mapped)
check([error[K // 2], error[K]], "error of an affine map fitted on K/2 or K points", above=0.01)
enough = [error[K + 1], error[2 * K]]
check(enough, "error of an affine map fitted on K + 1 or 2K points", below=1e-12, digits=0)

# %% tags=["hide-cell"]
import warnings

from rvae_lite.anchors import PointsNotReached

# `fit` warns where a short training stays away from points: expected here.
warnings.simplefilter("ignore", PointsNotReached)
song = setting.dataset
few, quick = song.x[:256], dict(epochs=3, batch_size=64, learning_rate=learning_rate)
first = fit(setting.model, few, seed=0, **quick)
pairs = select_points(few, first.encode(few)[0], 16, method="random")
anchored = fit(setting.model, few, seed=1, rho=4 * rho, points=pairs, **quick)
fingerprint(first)
fingerprint(anchored)

# %% [markdown]
# ## Four points more than halve the distance
#
# We train a template on one half of the data and distil points from it.
# Then we train VAEs and R-VAEs with 4, 16 and 32 points and compare them with the template on held-out syllables.
# The inputs of the points join the training data of every method.
# So each $R$ has VAEs of its own to be compared with.

# %%
import pandas as pd

counts = (4, 16, 32) if len(song.x) < 1000 else (4, 8, 16, 32, 64)
training, held_out = protocols.halves(setting)
template = train(setting, training.x, seed=0, label="template 0")
target = template.encode(held_out.x)[0].numpy()
points, trained, rows = {}, {}, []
for R in counts:
    points[R] = protocols.distil(setting._replace(num_points=R), template, training)
    how = dict(template=0, label=f"reproducibility 0 R{R}")
    trained[R] = protocols.train_methods(setting, training.x, points[R], **how)
    for name, runs in trained[R].items():
        keys = dict(method=name, num_points=R, part="rest")
        means = runs.encode(held_out.x).numpy()
        rows += measure.distance_rows(means, target, runs.seeds, **keys)
        rows += measure.quality_rows(runs, held_out.x, **keys)
sweep = pd.DataFrame(rows)

# %% mystnb={"figure": {"caption": "Four Rosetta points more than halve the distance to the template, and R-VAEs reconstruct as well as VAEs. The left panel shows that distance on held-out syllables, the right panel the squared error. A dot is a run, a line joins the medians of the runs. The dotted line marks one point more than there are latent dimensions.", "name": "fig-num-points-live"}}
figure, (left, right) = figures.figure_row(2, width=3.4)
how = dict(metric="unaligned", part="rest", ax=left)
label = "distance to the template\n/ its variance (lower is better)"
figures.plot_runs_over_points(sweep, label=label, **how)
left.axvline(K + 1, color=figures.INK, linewidth=0.8, linestyle="dotted")
how = dict(metric="squared_error", part="rest", ax=right)
label = "squared error\n(lower is better)"
_ = figures.plot_runs_over_points(sweep, label=label, **how)

# %% [markdown]
# The left panel of {numref}`fig-num-points-live` has the distances.
# A distance of 1 means that a model is as far from the template as the template's own variance.

# %%
over_points = ["metric", "part", "num_points"]
median = rosetta_tables.medians(sweep, columns=over_points)
apart, squared = median["unaligned", "rest"], median["squared_error", "rest"]
check(apart.loc["VAE"], "VAE, each R: distance to the template / its variance", above=1)
share = apart.loc["R-VAE", 4] / apart.loc["VAE", 4]
check(share, "R-VAE with four points: distance, as a share of the VAE's", below=1 / 2)
share = apart.loc["R-VAE", 32] / apart.loc["R-VAE", 4]
check(share, "R-VAE with 32 points: distance, as a share of that with four", below=1)
cost = squared.loc["R-VAE"] / squared.loc["VAE"]
check(cost, "R-VAE, each R: squared error, as a share of the VAE's", below=1.05, digits=3)

# %% [markdown]
# ## A map does more with few points
#
# The rival of an anchored training is a map after a plain training, fitted on the same $R$ points.
# The smooth map of `rivals` has a penalty on bends, and it also works where $R$ is below $K$.

# %%
from rvae_lite.studies import live_rivals

behind = pd.DataFrame(index=["VAE", "R-VAE"], columns=list(counts), dtype=float)
for R in counts:
    for name, runs in trained[R].items():
        how = (runs, held_out.x, points[R], target)
        behind.loc[name, R] = live_rivals.distance_by("smooth", *how)
share = behind.loc["VAE"] / apart.loc["VAE"]
check(share, "VAE, each R: distance after the map, as a share of that before", below=1 / 4)
share = behind.loc["R-VAE"] / apart.loc["R-VAE"]
check(share, "R-VAE, each R: distance after the map, as a share of that before", below=1)
share = behind.loc["VAE", 4] / apart.loc["R-VAE", 4]
check(share, "four points: VAE after the map, as a share of the R-VAE before", below=1)

# %% [markdown]
# In these short trainings the map gets more out of few points than anchoring does.
# With four points, for example, a VAE with a map is nearer to the template than an R-VAE without one.
# The map has a price: every later latent has to go through the map.
#
# An affine map without a penalty needs more points.
# Fitted on 16 points, the affine map still leaves the VAE farther away than the R-VAE:

# %%
left_over = {}
for name, runs in trained[16].items():
    fitted = alignment.linear_map(runs.encode(points[16].x)[0].numpy(), points[16].z)
    mapped = fitted(runs.encode(held_out.x)[0].numpy())
    left_over[name] = alignment.mean_squared_distance(mapped, target)
share = left_over["R-VAE"] / left_over["VAE"]
check(share, "R-VAE after an affine map: distance, as a share of the VAE's after one", below=1)

# %% [markdown]
# ## Against the paper
#
# The paper varies $R$ on three data sets.
# The table of the 8 Gaussians is at the paper's own scale, with five templates; it is Table 3 of {ref}`eight-gaussians` once more.
# MNIST and birdsong are at the scales printed above each table.
# Every number is relative to the median VAE that was trained with the same $R$, so the VAE's own rows are zero.
# Numbers are medians over runs and templates, with interquartile ranges in brackets.

# %%
toy = load_results("eight_gaussians")
print(rosetta_tables.scale_of(toy))
eight_gaussians.study.table(toy, number=3)

# %% [markdown]
# **Table 3, 8 Gaussians.** Retraining variability on held-out data.

# %%
eight_gaussians.study.table(toy, number=6)

# %% [markdown]
# **Table 6, 8 Gaussians.** Log distortion on the data of the first laboratory (D1) and of the second (D2).
# The text of the paper that we have shows nothing on D2.

# %%
images = load_results("mnist")
print(rosetta_tables.scale_of(images))
how_many_points.study.table(images)

# %% [markdown]
# **Tables 4 and 7, MNIST.**
# These numbers, and those of birdsong, have no verdict.
# In the text of the paper that we have, the columns of Tables 4, 5, 7 and 8 do not line up with their headings.
# For example, one column of Table 5 is the birdsong column of Table 1, and the two columns of Table 8 are the two parts of Table 2.

# %%
print(rosetta_tables.scale_of(own))
how_many_points.study.table(own)

# %% [markdown]
# **Tables 5 and 8, birdsong.**
#
# ### Sixteen points go most of the way on birdsong
#
# The paper does not show the unaligned distance {eq}`eq-unaligned`.
# {numref}`fig-num-points-zebra-finches` shows it, because it says most plainly what the number of points buys.

# %%
recorded = rosetta_tables.medians(own, columns=over_points)
apart = recorded["unaligned", "rest"]
share = apart.loc["R-VAE"] / apart.drop("R-VAE").min()
check(share, "R-VAE, each R: distance, as a share of the next method's, no maps", below=1)
share = apart.loc["R-VAE", 16] / apart.loc["R-VAE", 4]
check(share, "R-VAE with 16 points: distance, as a share of that with 4", below=1 / 10)
share = apart.loc["R-VAE", 64] / apart.loc["R-VAE", 32]
check(share, "R-VAE with 64 points: distance, as a share of that with 32", between=(0.8, 1.25))
each = rosetta_tables.medians(own, columns=["template", *over_points])
columns = {f"template {t + 1}": each[t, "unaligned", "rest"].loc["R-VAE"] for t in range(3)}
by_template = pd.DataFrame(columns)
share = by_template.loc[16] / by_template.loc[4]
name = "each template, R-VAE with 16 points: distance, as a share of that with 4"
check(share, name, below=1 / 4)
share = by_template.loc[64] / by_template.loc[32]
name = "each template, R-VAE with 64 points: distance, as a share of that with 32"
check(share, name, between=(0.7, 1.1))
by_template.round(3)

# %% [markdown]
# The table has the R-VAE's distance with each template in a column of its own.
# R-VAEs stay farther from the third template with every $R$.
# We do not know why.
# The choice of the template changes the distance more than the step from 32 points to 64.
#
# $K$ is 32 here, so an affine map has far more unknowns than sixteen points have equations {eq}`eq-enough-points`.
# Sixteen points go most of the way all the same: few of the 32 directions carry most of what the models tell apart.
# Retraining variability on held-out data says the same.
# Log distortion changes less with $R$, because a linear map has helped it already.
#
# ### Anchoring and a map together are nearest
#
# A map makes the contest closer.
# The next table is on D1 in the sequential experiment.
# Its first column is the best of the other methods after a rotation or an affine map, fitted on the same points.
# The last is the R-VAE after the better of these two maps.

# %%
def contest(medians):
    """Distances to the first laboratory on its own data (D1), a row for each number of points."""
    by_map = [medians[f"{kind}_first", "D1"] for kind in ("orthogonal", "affine")]
    nearest = pd.concat(by_map).groupby(level=0).min()
    mine = medians["unaligned_first", "D1"].loc["R-VAE"]
    found = {"the others by a map": nearest.drop("R-VAE").min(), "R-VAE, no map": mine}
    return pd.DataFrame(found | {"R-VAE by a map": nearest.loc["R-VAE"]})


pair = contest(recorded)
share = pair["R-VAE, no map"] / pair["the others by a map"]
check(share.loc[8:], "8 points or more: R-VAE's distance, as a share of the best map's", below=1)
nearest = pair.drop(columns="R-VAE by a map").min(axis=1)
share = pair["R-VAE by a map"] / nearest
check(share, "each R: R-VAE by a map, as a share of the nearer of the others", below=1)
four = pd.DataFrame([contest(each[t]).loc[4] for t in range(3)])
share = four["R-VAE, no map"] / four["the others by a map"]
name = "4 points: templates of three whose R-VAE without a map is nearer"
check((share < 1).sum(), name, equals=2)
pair.round(3)

# %% [markdown]
# From eight points on the R-VAE without a map is nearer than the others behind one.
# With four points that is so with two templates of three.
# With a map the R-VAE is nearest at every $R$.
#
# With 32 points affine maps do badly.
# There are as many points as latent dimensions, so such a map meets every point exactly and carries over poorly to other syllables.
# A map with a penalty does better than these two where points are few ({ref}`do-you-need-it`).
#
# ### What points cost in reconstruction
#
# The next table has the distortion of R-VAE and VAE on held-out data, in nats, in the reproducibility experiment.
# Each number is a median over the runs, with the interquartile range in brackets.
# The verdict is "as well" where the medians ± half a range overlap.

# %%
prices = {}
for name, table in {"8 Gaussians": toy, "zebra finches": own}.items():
    rows = table[(table.metric == "distortion") & (table.recipe == "reproducibility")]
    for R, some in rows.groupby("num_points"):
        prices[name, R] = rosetta_tables.reconstruction(some)
prices = pd.concat(prices, names=["data", "points"])
prices = prices.droplevel(["metric", "recipe", "part"])
judged = prices.verdict
found = " or ".join(set(judged["zebra finches"]))
check(found, "zebra finches, each R: the R-VAE's distortion", equals="better")
dear = " or ".join(set(judged["8 Gaussians"][[8, 16]]))
check(dear, "8 Gaussians, 8 or 16 points: the R-VAE's distortion", equals="worse")
prices

# %% [markdown]
# ## Take-aways
#
# * Four points already help, as the paper says. On birds sixteen points bring the distance to a tenth of that, and with each template to less than a quarter.
# * On birds no number of points costs reconstruction in these short trainings. On the 8 Gaussians 8 and 16 points do.
# * A map fitted on the same points after a plain training also gains with more points. In the short live trainings a map is the better use of four points; on recorded birds neither wins with every template. Anchoring and a map together are nearest.
# * $K + 1$ points determine an affine map. That is a safe number for a file that you send, and often more than needed.
# * A table relative to its own VAE hides how far a space is from the template's. Look at the distance as well.
#
# The points of this chapter were chosen by clustering. {ref}`which-points` asks whether the choice matters.
#
# ## Exercises
#
# :::{exercise} Compute
# :label: ex-how-many-points-compute
# From 4 to 64 points $R$ doubles four times.
# By which factor does the R-VAE's distance change at each doubling, as a geometric mean?
# The table `apart` has a row for each method and a column for each $R$.
# Write your answer in the line below.
# :::

# %% tags=["hide-cell"]
expected = (apart.loc["R-VAE", 64] / apart.loc["R-VAE", 4]) ** (1 / 4)

# %%
yours = None  # one line of yours
answer(yours, expected)

# %% [markdown]
# :::{solution} ex-how-many-points-compute
# :class: dropdown
# The fourth root of the ratio of the two ends: on average a doubling halves the distance.
# The mean hides that the first two doublings did nearly all of it.
# :::

# %% tags=["hide-cell"]
yours = (apart.loc["R-VAE", 64] / apart.loc["R-VAE", 4]) ** 0.25
answer(yours, expected)
assert 0.4 < yours < 0.6

# %% [markdown]
# :::{exercise} Change
# :label: ex-how-many-points-change
# Send 16 points chosen at random instead of by clustering, with `setting._replace(selection="random")`.
# Is the R-VAE still nearer to the template than the VAE with 16 points? Write True or False.
# :::

# %% tags=["hide-cell"]
one = setting._replace(num_points=16, selection="random")
one = one._replace(methods={"R-VAE": methods["R-VAE"]}, replicas=1)
drawn = protocols.distil(one, template, training)
anchored = protocols.train_methods(one, training.x, drawn, template=0, label="random")
means = anchored["R-VAE"].encode(held_out.x)[0].numpy()
distance = alignment.mean_squared_distance(means, target) / alignment.total_variance(target)
expected = bool(distance < median["unaligned", "rest"].loc["VAE", 16])

# %%
yours = None  # one line of yours
answer(yours, expected)

# %% [markdown]
# :::{solution} ex-how-many-points-change
# :class: dropdown
# Yes. A random choice follows the density of the data, and it may leave out a rare syllable altogether; {ref}`which-points` is about that.
# :::

# %% tags=["hide-cell"]
yours = True
answer(yours, expected)
assert yours == expected

# %% [markdown]
# :::{exercise} Think
# :label: ex-how-many-points-think
# `check` warns about a file with no more points than latent dimensions, and does not refuse it. Why?
# :::
#
# :::{solution} ex-how-many-points-think
# :class: dropdown
# Even four points pull two spaces together, as the sweep shows. They only cannot fix every direction.
# :::

# %% tags=["hide-cell"]
report_of_few = points[4].check(song.x)
assert not report_of_few.errors and "cannot pin down" in report_of_few.warnings[0]

# %% [markdown]
# ## References
#
# {cite:t}`martinez2021rosetta`; the {doc}`bibliography <../book/bibliography>` has the details.

# %% tags=["hide-cell"]
provenance(
    data=song.info["title"],
    source=song.info["source"],
    runs=f"{replicas} of {epochs} epochs, {network} network",
)
