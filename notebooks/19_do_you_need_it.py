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
# # Do you need it?
#
# :::{card}
# **Question.** Whoever receives a Rosetta file can also fit a map *after* training. When is anchoring worth its trouble?
#
# **After this you can** choose between anchoring, a rotation, a regression and the plain weights; say what your points cover before you train; and anchor a model without harming its decoder.
#
# **Before.** {ref}`digits`; {ref}`birdsong` for the recordings.
#
# **Time.** Fifteen minutes to read, half a minute to run.
#
# **Reproduces.** Nothing: {cite:t}`martinez2021rosetta` compares with models that have no alignment at all. The tables are ours.
# :::

# %% tags=["nbval-skip", "remove-cell"]
import importlib.util

if importlib.util.find_spec("rvae_lite") is None:
    get_ipython().run_line_magic("pip", 'install -q "rvae_lite[notebooks] @ git+REPOSITORY_URL"')

# %% tags=["parameters"]
dataset = "digits"
num_examples = None
epochs = 15
replicas = 3
learning_rate = 4e-3
num_points = 64
rho = 11.0

# %%
import numpy as np
import pandas as pd

from rvae_lite import alignment, coverage, rivals, select_points
from rvae_lite.reporting import figures
from rvae_lite.reporting.claims import check, fingerprint, provenance
from rvae_lite.studies import decoder_targets, fair_rivals, protocols, setup
from rvae_lite.studies.rivals_setup import OURS
from rvae_lite.studies.study import load_results

figures.use_style()
options = dict(epochs=epochs, replicas=replicas, learning_rate=learning_rate)
options |= dict(num_examples=num_examples, methods=setup.methods_of(rho=rho))
setting = setup.image_setup(dataset, num_points, network="mlp", **options)

# %% [markdown]
# ## What else one can do with the same file
#
# Alice trains on the digits 0 to 4 and sends 64 Rosetta points.
# Bob has the digits 5 to 9.
# He may anchor his training to the points.
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
# These choices show the ceiling, and they tie Bob to Alice's network.
#
# Two of the maps, written out:

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
ridge = np.linalg.solve(gram + 0.1 * np.trace(gram) * np.eye(len(gram)), centred.T @ wanted).T
by_library = rivals.fit_map("rotation", source, target)
np.testing.assert_allclose(rotation, by_library.matrix, atol=1e-8)
print("rotation, points off by", f"{np.square(centred @ rotation.T - wanted).sum(1).mean():.2g}")
print("ridge, points off by", f"{np.square(centred @ ridge.T - wanted).sum(1).mean():.2g}")

fingerprint(bob)

# %% [markdown]
# ## One pair of laboratories, live
#
# The unit of distance is Alice's total variance on her digits: a guess at her mean is 1 away.
# We measure on held-out digits 0 to 4, where Alice knows the truth.

# %%
live = study.table
fair_rivals.beside(live, live["data"].iloc[0])

# %% [markdown]
# *distance*: to Alice's latents, as a share of their variance.
# *labels*: the share of digits that their nearest neighbours in Alice's space name rightly.
# *her decoder*: its squared error on the rival's latents, as a multiple of its error on her own.

# %%
near = fair_rivals.nearest_of(live).iloc[0]
print({name: round(value, 3) for name, value in near.items()})
check("anchored, Bob is nearer than by any rotation", near["R-VAE"] < near["a rotation"])
check("a map behind the anchored training brings it nearer", near["its best map"] < near[OURS])
check("regression on the points is nearest of all", near.idxmin() == "regression")

# %% [markdown]
# Without any map a VAE of Bob's is a wild guess.
# A rotation helps, and a map that may bend helps more.
# The last line is the surprise: no model of Bob's is involved at all, and it is the nearest.
# What it cannot do is said below.
#
# ## All six data sets
#
# The same comparison at the largest scale that this book has, ten runs of each method.

# %%
own = load_results("fair_rivals")
fair_rivals.nearest_of(own).round(3)

# %% [markdown]
# **The distance to Alice's latents**, medians over runs and templates, of the best of each kind.
# "Its best map" stands behind {ref}`decoded targets <decoder-targets>`, our form of the R-VAE.
# The best map is chosen with these very numbers, which flatters the maps.

# %%
from rvae_lite.reporting.tables import scales

scales(own, "num_data", "num_points", "latent_dim", "epochs", "replicas")

# %% mystnb={"figure": {"caption": "A good map brings a plain VAE about as near as anchoring does, and a map behind an anchored training is nearer still on most data sets. A panel is a data set, a line a rival, a dot a run, a stroke the median. Blue are maps behind a plain VAE, green her weights and a regression, red anchored trainings: the paper's, with decoded targets, and these behind a smooth map. The distance is to Alice's latents of her own kind of data, as a share of their variance.", "name": "fig-rivals"}}
_ = fair_rivals.study.figure(own)

# %%
near = fair_rivals.nearest_of(own)
maps_win = near["the best map"] < near["R-VAE"]
added = near["its best map"] < near["the best map"]
print("a VAE and its best map are nearer than the R-VAE on", list(near.index[maps_win]))
print("an anchored training and its best map are nearest on", list(near.index[added]))
check("decoded targets beat a rotation on all six", (near[OURS] < near["a rotation"]).all())
check("the best map beats anchoring on half of the sets or more", maps_win.sum() >= 3)
check("anchoring and a map beat a map on more than half", added.sum() > 3)

# %% [markdown]
# Three things are to be seen.
#
# * **A rotation is a weak rival, and a good map a strong one.** The best map behind a plain VAE is nearer than the anchored training on most data sets.
# * **Alignment adds to anchoring.** What anchoring leaves is regular enough for a map. Anchoring with a map is the nearest training on most data sets.
# * **Regression is nearest, or close to it.** Alice's encoder is so smooth that a few dozen of its values give nearly all others, for data like hers.
#
# Every number of every rival, with its interquartile range:

# %% tags=["hide-output"]
fair_rivals.study.table(own)

# %% [markdown]
# ## The decision
#
# A distance is one column of a decision.
# A regression has no decoder.
# Alice's own model does not know Bob's data.
# A map leaves Bob with two spaces, his and hers.

# %%
decisions = fair_rivals.decisions(own)
decisions.round(2).astype(object).where(decisions.notna(), "—")

# %% [markdown]
# **What each choice needs and reaches.**
# *travels*: what Alice sends.
# *free beta*: Bob may choose his own $\beta$.
# *trained on D2*: what learns Bob's new data.
# The numbers are medians over the six data sets: *distance*, *labels* and *her decoder* as above, *own error* the squared error on Bob's new data of the model he ends with, as a multiple of the plain VAE's.
# The distance of relative representations is one of cosines, as a share of their own variance.

# %%
check("Alice's own model does badly on new data", decisions["own error"]["send the weights"] > 2)
check("anchoring costs Bob nothing in the median", decisions["own error"]["anchoring"] < 1.02)
drift = fair_rivals.medians(own, "distance").loc["from Alice's weights"]
check("who goes on from her weights drifts away", (drift > near["R-VAE"]).all())

# %% [markdown]
# In three sentences:
#
# 1. For coordinates in Alice's space and data like hers, a regression on the points or a smooth map behind the model that you have is enough: you do not need anchoring.
# 2. For *one* model that lives in her space, decodes her latents and your new data, and can be retrained and passed on without a map, anchor; where the last per cent counts, fit a smooth map from the same file behind it.
# 3. Weights travel only between equal networks, and a model that goes on from them leaves the space.
#
# (decoder-targets)=
# ## A kinder target for the decoder
#
# The paper draws the decoder at $z_r$ to the datum $x_r$.
# A datum has noise that no decoder can know.
# A decoder that is drawn to one noisy datum is drawn away from the mean of its neighbours.
#
# The remedy: Alice sends $\hat x(z_r)$, what her decoder makes of $z_r$, and Bob's decoder is drawn to that.
# A decoder like Alice's then pays nothing, whatever the noise, so her optimum stays an optimum.

# %%
import torch

template = alice.replica(0)
z_r, recon = torch.as_tensor(points.z), torch.as_tensor(points.recon)
data = torch.as_tensor(points.x / np.float32(255))
pull = {}
for name, wanted in (("data", data), ("reconstructions", recon)):
    template.zero_grad()
    (wanted - template.decode(z_r)).square().flatten(1).sum(1).mean().backward()
    slopes = [weights.grad.abs().max() for weights in template.decoder.parameters()]
    pull[name] = float(max(slopes))
check("reconstructions pull at nothing", pull["reconstructions"] < 1e-4)
check("single data do", pull["data"] > 1e-2)

# %% [markdown]
# `select_points(..., decode=fit.decode)` keeps $\hat x(z_r)$ beside $x_r$, and `fit` draws decoders to it.
# `anchors.Weighted(points, target="input")` is the paper's form, which the R-VAE has in all tables of this book that stand beside the paper's.
#
# A laboratory retrains ten times on its own data, in both forms; held-out data:

# %%
targets = load_results("decoder_targets")
shown = decoder_targets.study.table(targets)
shown.round(4)

# %%
excess = decoder_targets.excess(targets)
excess.round(3)

# %% [markdown]
# **What anchoring costs** on held-out data: nats of distortion above the plain VAE's, squared error as a multiple of the VAE's, and the distance to the template, as a share of its variance.

# %%
ratio, distance = excess["squared error, ratio"][OURS], excess["distance"]
print("nearer with decoded targets:", list(distance.index[distance[OURS] < distance["R-VAE"]]))
check("decoded targets cost nothing on five sets", (ratio < 1.0).sum() == 5)
check("and below 5 % on the chairs", ratio["procedural chairs"] < 1.05)
toy = excess["distortion, nats"].loc["8 Gaussians"]
check("8 Gaussians: data cost 10 nats, decoded targets none", toy["R-VAE"] > 10 and toy[OURS] < 0.5)

# %% [markdown]
# Decoded targets reconstruct better than a plain VAE on five sets: the template's decoder is a teacher.
# A teacher can be a poor one.
# The chairs' template is among the worse of its trainings, and the decoders that are drawn to it share its fault.
# On the finches, whose trainings are short, single syllables teach more than their reconstructions, and they hold the space better.
#
# ## What do the points promise?
#
# The paper leaves open how many points are enough.
# Two statements give an answer that can be computed before or after a training.
#
# **Before: what is covered.**
# Let $d(x)$ be the distance of an example to its nearest point's input.
# The file states how far Alice's own data lie from the points; its largest value is the *covering radius*.
# Bob counts which of his examples lie within it.

# %%
held_out, shares = study.validation, {}
for part in (1, 2):
    told = points.check(held_out.x[held_out.part == part]).covering
    shares[part] = told.share
    print(f"D{part}:", told)
check("more of her kinds are covered than of new kinds", shares[1] > shares[2])

# %% [markdown]
# Does this distance tell how far Bob's latents will be from Alice's?

# %% mystnb={"figure": {"caption": "The farther an example lies from its nearest point, the farther Bob puts it from where Alice does. A dot is a held-out digit, in one anchored training. Digits 0 to 4 are Alice's, 5 to 9 are new to her.", "name": "fig-rivals-covered"}}
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
# Where D2 holds new kinds, the covering distance of an anchored training tells well which data to trust.
# The chairs and the Bengalese finch have the same kinds in both parts, and there it tells little.
# For a plain VAE, which the points do not hold, even its sign changes from set to set.

# %%
anchored = ranks["all"].xs(OURS, level="method")
same_kinds = anchored.index.isin(["procedural chairs", "Bengalese finch"])
check("new kinds: the covered are nearer, by rank", (anchored[~same_kinds] > 0.5).all())

# %% [markdown]
# **After: what is certain.**
#
# :::{admonition} Covering bound
# :class: note
# Let $f$ and $g$ have the Lipschitz constants $L$ and $L'$, and let $\lVert f(a_r) - g(a_r) \rVert \le e_r$ at the points' inputs $a_r$.
# Then for every $x$
#
# $$ \lVert f(x) - g(x) \rVert \le \min_r \bigl( e_r + (L + L') \lVert x - a_r \rVert \bigr) \le \max_r e_r + (L + L') \, d(x) . $$
# :::
#
# *Proof.* $\lVert f(x) - g(x) \rVert \le \lVert f(a_r) - g(a_r) \rVert + \lVert f(x) - f(a_r) \rVert + \lVert g(x) - g(a_r) \rVert$ for every $r$.
# No smaller bound follows from these numbers: the middle expression is itself a function of Lipschitz constant $L + L'$ that is at most $e_r$ at the points, and two maps can share it out between them.
#
# A network brings a certified constant along: the product of its layers' norms, `coverage.lipschitz_bound`.
#
# :::{admonition} Affine bound
# :class: note
# Let $f$ and $g$ be affine maps of one latent space, with $\lVert f(z_r) - g(z_r) \rVert \le e_r$ at $R$ points that span it.
# Let $v(z) = (1, z)$, let $V$ have the rows $v(z_r)$, and let $h(z) = v^\top (V^\top V)^{-1} v$ be the leverage of $z$.
# Then with $w = V (V^\top V)^{-1} v$, for which $\lVert w \rVert^2 = h(z)$,
#
# $$ \lVert f(z) - g(z) \rVert \le \sum_r \lvert w_r \rvert \, e_r \le \sqrt{R \, h(z)} \; \sqrt{\tfrac 1 R \textstyle\sum_r e_r^2} . $$
# :::
#
# *Proof.* $V^\top w = v(z)$ says that $\sum_r w_r = 1$ and $\sum_r w_r z_r = z$.
# The difference $\delta = f - g$ is affine and keeps such sums, so $\delta(z) = \sum_r w_r \delta(z_r)$.
# The triangle inequality gives the first bound, Cauchy and Schwarz the second.
# If $\delta$ is within $s$ of an affine map, add $s$ to every $e_r$ and to the sum.

# %%
run = study.fits[OURS].select([0])
errors = np.linalg.norm(run.encode(points.x)[0].numpy() - points.z, axis=1)
constant = coverage.lipschitz_bound(run.replica(0)) + coverage.lipschitz_bound(template)
certain = coverage.covering_bound(x, points.x, errors, constant=constant)
check("no example is beyond the covering bound", (away <= certain).all())
print(f"the bound is {np.median(certain / away):.0f} times the distance in the median")

# %%
factors = own[own.metric.isin(["bound_factor", "affine_bound_factor"])]
wide = dict(index=["data", "method"], columns="metric", values="value", sort=False)
factors.pivot_table(aggfunc="median", **wide).round(1)

# %% [markdown]
# **How loose the bounds are**: bound over distance, medians over examples and runs.
# They hold for every example of every data set.
# The covering bound is a guarantee and no prediction: a network's certified constant is far above the slopes that data meet.
# The affine bound takes $s$ from both encoders, so here it checks the arithmetic.
# The finches have no affine bound, because 32 points do not span 32 dimensions.
#
# ### Choosing points for a statement
#
# Two ways of choosing make the two bounds small.
# *Farthest first* adds the datum that lies farthest from those chosen; its covering radius is at most twice the best that any $R$ points have {cite:p}`gonzalez1985clustering`.
# *D-optimal* adds the datum of largest leverage, so that $h$ stays small everywhere {cite:p}`kiefer1960equivalence`.

# %%
d1 = protocols.halves(setting)[0]
d1 = d1.take(d1.part == 1)
means = alice.encode(d1.x)[0].numpy()
rows = {}
for way in ("kmeans", "farthest_first", "d_optimal"):
    chosen = select_points(d1.x, means, num_points, method=way)
    most = coverage.leverage(means, chosen.z).max()
    rows[way] = (chosen.header["covering"]["radius"], np.sqrt(num_points * most))
columns = ["covering radius", "largest root of R h"]
pd.DataFrame.from_dict(rows, orient="index", columns=columns).round(2)

# %%
check(
    "farthest first covers best",
    rows["farthest_first"][0] <= min(radius for radius, _ in rows.values()),
)
check(
    "D-optimal points have the smallest leverages",
    rows["d_optimal"][1] <= min(root for _, root in rows.values()),
)

# %% [markdown]
# The two disagree, and neither looks at density as k-means does.
# Farthest first takes outliers; D-optimal sits at the edges and may miss whole groups.
#
# ## Related work
#
# *Relative representations* {cite:p}`moschella2023relative` and their inverse {cite:p}`maiorca2024inverse` compare spaces by their similarities to anchors, without training.
# *Stitching* {cite:p}`lenc2015understanding` joins the encoder of one network to the decoder of another by a map; "her decoder" above is such a stitch.
# *Hyperalignment* {cite:p}`haxby2011common` rotates the responses of many brains into one space, by common stimuli in the place of our points.
# *Centred kernel alignment* {cite:p}`kornblith2019` and canonical correlations {cite:p}`raghu2017svcca` measure likeness up to a rotation or a linear map, which is what one wants where no map is to be kept.
# *Coresets* {cite:p}`bachem2017practical` choose few data that stand for many in a loss; Rosetta points stand for a map.
# *Continual learning* by rehearsal {cite:p}`rebuffi2017icarl` keeps a few examples, and what the old model made of them, so that a network does not forget; anchoring is rehearsal between laboratories.
#
# ## Take-aways
#
# * For her coordinates alone, fit a regression on the points or a map behind your model.
# * For one model of her space and your data, anchor; a smooth map from the same file brings it nearer still.
# * Let the points carry reconstructions: on five of six sets anchoring then costs the decoder nothing.
#
# ## Exercises
#
# **Compute.** How near does the ridge map bring Bob's plain VAE with 16 of the 64 points?
#
# ```{dropdown} Solution
# Farther than with all of them: the penalty keeps the map from blowing up, and the map knows less.
# ```

# %% tags=["hide-cell"]
hers_d1, his_d1 = (one.encode(held_out.x[held_out.part == 1])[0].numpy() for one in (alice, bob))
errors = {}
for count in (16, 64):
    mapping = rivals.fit_map("ridge affine", source[:count], target[:count])
    errors[count] = alignment.mean_squared_distance(mapping(his_d1), hers_d1)
assert errors[64] < errors[16]

# %% [markdown]
# **Change.** Ask for a map that 64 points cannot determine.
#
# ```{dropdown} Solution
# An affine map of 8 dimensions needs 9 points; with 5 of them `fit_map` refuses and names maps that need fewer.
# ```

# %% tags=["hide-cell"]
try:
    rivals.fit_map("affine", source[:5], target[:5])
    refused = ""
except ValueError as error:
    refused = str(error)
print(refused)
assert "ridge affine" in refused

# %% [markdown]
# **Think.** Regression is nearest. Why does Bob not use it for his new digits?
#
# ```{dropdown} Solution
# It gives the latents that Alice's encoder would give, and her encoder has never seen his digits.
# Her decoder cannot draw them; the next cell compares its error with that of Bob's own anchored model.
# ```

# %% tags=["hide-cell"]
new = held_out.x[held_out.part == 2]
sent, own_model = alice.evaluate(new), study.fits[OURS].evaluate(new)
assert sent.squared_error[0] > 1.5 * np.median(own_model.squared_error)

# %% [markdown]
# ## References
#
# {cite:t}`martinez2021rosetta`, {cite:t}`moschella2023relative`, {cite:t}`maiorca2024inverse`; the {doc}`bibliography <../book/bibliography>` has the details.

# %%
provenance(
    data=setting.dataset.info["title"],
    runs=f"{replicas} of {epochs} epochs for each method",
)
