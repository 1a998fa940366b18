"""`RosettaVAE`: the anchored VAE in scikit-learn's manner, for pipelines, grids and clones.

Martinez & Pearson (2021), Section 3; one replica of `rvae_lite.fit`.  An estimator has to import
scikit-learn at its top.
Letters: N examples, D numbers an example, K latent dimension, R Rosetta points.
"""

import math
import warnings

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from rvae_lite.anchors import PointsNotReached
from rvae_lite.arrays import as_array, as_float32, check_kept, in_units, is_number, is_tensor
from rvae_lite.lab.plan import RHO, Plan, build_model
from rvae_lite.lab.training import train_into
from rvae_lite.multirate import is_multirate
from rvae_lite.points import curve_points, select_points
from rvae_lite.rosetta import RosettaPoints
from rvae_lite.train import UNREACHED

FLOATS = [np.float64, np.float32]


class RosettaVAE(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """A variational autoencoder whose latent space can be that of somebody else's Rosetta points.

    Args:
        latent_dim: K.
        hidden: widths of the fully connected network's hidden layers.
        network: "mlp", or with `data_shape` another of `plan.NETWORKS`, such as "patch" for images.
        data_shape: shape of one example where the D numbers of a row are an image, (C, H, W).
        beta: weight of the rate; rho: of the points.
        beta_range: None, or the (lowest, highest) beta of a multi-rate model: it is trained over
            all of them, and read at `beta`, which may be set anew after training.
        likelihood: "gaussian" or "bernoulli".
        noise_variance: of the Gaussian likelihood, squared units of X; scale X, or set it.
        posterior: "full", "diagonal" or "low_rank".
        epochs, batch_size, learning_rate: of the training.
        points: a `RosettaPoints` or the path of one; None for a space of one's own.
        score_beta: weight of the rate in `score`, whatever `beta` is.
        random_state: an integer, a `numpy.random.RandomState`, or None for another training each
            time.

    Attributes:
        fit_: the trained `Fit`, one replica.
        points_: the points that were used, or None.
        anchor_distance_: mean squared distance of the encoded anchors to their latents at `beta`
            over the latents' variance, or None.
        n_features_in_: D.
        feature_names_in_: names of a table's columns, which the points made here carry.

    Differs from the paper: see `training.train_into`.

    Example:
        >>> from sklearn.datasets import load_iris
        >>> X = load_iris().data
        >>> RosettaVAE(latent_dim=2, epochs=2).fit(X).transform(X).shape
        (150, 2)
    """

    def __init__(
        self,
        *,
        latent_dim=2,
        hidden=(64, 64),
        network="mlp",
        data_shape=None,
        beta=1.0,
        beta_range=None,
        rho=RHO,
        likelihood="gaussian",
        noise_variance=0.1,
        posterior="full",
        epochs=50,
        batch_size=64,
        learning_rate=1e-3,
        points=None,
        score_beta=1.0,
        random_state=0,
    ):
        self.latent_dim, self.hidden = latent_dim, hidden
        self.network, self.data_shape = network, data_shape
        self.beta, self.beta_range, self.rho = beta, beta_range, rho
        self.likelihood, self.noise_variance = likelihood, noise_variance
        self.posterior, self.epochs, self.batch_size = posterior, epochs, batch_size
        self.learning_rate, self.points = learning_rate, points
        self.score_beta, self.random_state = score_beta, random_state

    def fit(self, X, y=None, points=None):
        """Train on X (N, D), and into the space of the points where there are some.

        Args:
            X: data; rows are examples.
            y: ignored.
            points: in place of those given to the constructor.

        Raises:
            ValueError: X, points and parameters do not fit.

        Warns:
            PointsNotReached: the points were not reached.
        """
        self._checked_score_beta()
        X = validate_data(self, _plain(X), dtype=FLOATS, ensure_min_samples=2)
        check_kept("X", X)
        self.points_ = self._points(self.points if points is None else points)
        x, plan = self._examples(X), self._plan()
        if self.points_ is not None:
            check = self.points_.check(x, names=self._names().get("names"))
            if check.errors:
                raise ValueError("points do not fit the data: " + "; ".join(check.errors))
            for doubt in check.warnings:
                warnings.warn(f"the Rosetta points and X: {doubt}", UserWarning, stacklevel=2)
        sizes = dict(posterior=self.posterior)
        if self.network == "mlp":
            sizes["hidden"] = tuple(np.atleast_1d(self.hidden).tolist())
        model = build_model(x.shape[1:], plan, bounded=False, **sizes)
        self.fit_ = train_into(self.points_, model, x, plan)
        self._n_features_out, self.anchor_distance_ = self.latent_dim, None
        if self.points_ is not None:
            distance = self.fit_.anchor_distance(self.points_, beta=self._read_at())
            self.anchor_distance_ = float(distance[0])
            if self.anchor_distance_ > UNREACHED:
                share = f"{100 * self.anchor_distance_:.2g} % of their variance away"
                message = f"the Rosetta points were not reached ({share}): raise epochs or rho"
                warnings.warn(f"{message}, or lower beta", PointsNotReached, stacklevel=2)
        return self

    def transform(self, X):
        """Posterior means of X (N, D): (N, K), in the floating type of X.

        After `set_output(transform="pandas")` they are a table with the index of X.
        """
        return self._means(self._checked(X))

    def inverse_transform(self, X):
        """The likelihood's mean at latents (N, K): (N, D)."""
        check_is_fitted(self)
        X = check_array(_plain(X), dtype=FLOATS, input_name="X")
        decoded = self.fit_.decode(X, beta=self._read_at())[0]
        return decoded.flatten(1).numpy().astype(X.dtype)

    def score(self, X, y=None):
        """-(distortion + score_beta * rate) of X (N, D), nats per example; higher is better.

        At score_beta = 1 it is the ELBO.  A grid over `beta`, or over `noise_variance`, compares
        its models at this one weight, not each at its own; the points do not enter.
        """
        beta = self._checked_score_beta()
        terms = self.fit_.evaluate(self._examples(self._checked(X)), beta=self._read_at())
        return -float(terms.loss(beta)[0])

    def select_points(
        self, X, num_points: int, *, method: str = "kmeans", seed: int = 0, ids=None, header=None
    ):
        """Distil this space: Rosetta points from X (N, D), curves where it is multi-rate.

        ids: names of the rows, (N,); by default a table's index.
        """
        ids = getattr(X, "index", None) if ids is None and hasattr(X, "columns") else ids
        X, header = self._checked(X), self._names() | (header or {})
        options = dict(method=method, seed=seed, ids=ids, header=header)
        if is_multirate(self.fit_.model):
            return curve_points(self.fit_, self._examples(X), num_points, **options)
        options["decode"] = self.fit_.decode
        return select_points(self._examples(X), self._means(X), num_points, **options)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "fit_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.non_deterministic = self.random_state is None
        return tags

    def _checked(self, X) -> np.ndarray:
        check_is_fitted(self)
        return validate_data(self, _plain(X), dtype=FLOATS, reset=False)

    def _checked_score_beta(self) -> float:
        if not is_number(self.score_beta) or not 0 <= self.score_beta < math.inf:
            expected = "score_beta must be a finite number from 0 upwards"
            raise ValueError(f"{expected}, not {self.score_beta!r}")
        return self.score_beta

    def _names(self) -> dict:
        """The names of the columns of the table that X was, as a header has them."""
        known = self.data_shape is None and hasattr(self, "feature_names_in_")
        return dict(names=self.feature_names_in_.tolist()) if known else {}

    def _means(self, X: np.ndarray) -> np.ndarray:
        means = self.fit_.encode(self._examples(X), beta=self._read_at())[0]
        return means.numpy().astype(X.dtype)

    def _shape(self) -> tuple[int, ...]:
        shape = (self.n_features_in_,) if self.data_shape is None else tuple(self.data_shape)
        if math.prod(shape) != self.n_features_in_:
            features = f"the {self.n_features_in_} features of X"
            raise ValueError(f"data_shape {shape} does not hold {features}: correct it")
        return shape

    def _examples(self, X: np.ndarray) -> np.ndarray:
        return as_float32("X", X).reshape(len(X), *self._shape())

    def _plan(self) -> Plan:
        if self.random_state is None:
            seed = np.random.default_rng().integers(2**31)
        elif isinstance(self.random_state, (int, np.integer)):
            seed = self.random_state
        else:
            seed = check_random_state(self.random_state).randint(2**31)
        given = {name: getattr(self, name) for name in Plan._fields if hasattr(self, name)}
        return Plan(seed=int(seed), **given)

    def _read_at(self) -> float | None:
        return self.beta if is_multirate(self.fit_.model) else None

    def _points(self, points) -> RosettaPoints | None:
        """The points with inputs as floats of the shape that the examples have."""
        if points is None:
            return None
        points = points if isinstance(points, RosettaPoints) else RosettaPoints.load(points)
        if math.prod(points.x.shape[1:]) != self.n_features_in_:
            found = f"{points.x.shape[1:]}, X has {self.n_features_in_} features"
            raise ValueError(f"the points' inputs have shape {found}: prepare both alike")
        shape, recon = self._shape(), points.recon
        x = in_units(points.x).reshape(len(points), *shape)
        if recon is not None:
            recon = recon.reshape(*recon.shape[: recon.ndim - points.x.ndim], *x.shape)
        kept = dict(betas=points.betas, ids=points.ids, header=points.header)
        return RosettaPoints(x, points.z, recon=recon, **kept)


def _plain(X):
    """X without what scikit-learn overlooks, masks (ValueError), or cannot read, some tensors."""
    return as_array("X", X) if is_tensor(X) or isinstance(X, np.ma.MaskedArray) else X
