"""`RosettaVAE`: the anchored VAE in scikit-learn's manner, for pipelines, grids of parameters and clones.

Martinez & Pearson (2021), Section 3; one replica of `rvae_lite.fit`.  This module alone imports scikit-learn at its
top, since an estimator has to be one.  Letters: N examples, D numbers an example, K latent dimension, R Rosetta points.
"""

import copy
import math
import warnings

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from rvae_lite.anchors import curve_points
from rvae_lite.fitted import Fit
from rvae_lite.lab.plan import NETWORKS, Plan, build_model
from rvae_lite.models.vae import VAE
from rvae_lite.multirate import LogUniform, is_multirate, make_multirate
from rvae_lite.points import select_points
from rvae_lite.rosetta import RosettaPoints
from rvae_lite.train import UNREACHED
from rvae_lite.train import fit as fit_replicas


class RosettaVAE(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """A variational autoencoder whose latent space can be that of somebody else's Rosetta points.

    Args:
        latent_dim: K.
        hidden: widths of the fully connected network's hidden layers.
        network: "mlp", or with `data_shape` another of `plans.NETWORKS`, such as "patch" for images.
        data_shape: shape of one example where the D numbers of a row are an image, (C, H, W).
        beta: weight of the rate; rho: of the points.
        beta_range: None, or the (lowest, highest) beta of a multi-rate model: it is trained over all of them, and read
            at `beta`, which may be set anew after training.
        likelihood: "gaussian" or "bernoulli".
        noise_variance: of the Gaussian likelihood, squared units of X; scale X, or set it.
        posterior: "full", "diagonal" or "low_rank".
        epochs, batch_size, learning_rate: of the training.
        points: Rosetta points, a `RosettaPoints` or the path of one; None for a space of one's own.
        random_state: an integer, a `numpy.random.RandomState`, or None for another training each time.

    Attributes:
        fit_: the trained `Fit`, one replica.
        points_: the points that were used, or None.
        anchor_distance_: mean squared distance of the encoded anchors to their latents at `beta` over the latents'
            variance, or None.
        n_features_in_: D.

    Differs from the paper: the half of the Rosetta term that concerns inputs is weighted by 0.1 / noise_variance, so
    that rho means the same in all units.

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
        rho=2.75,
        likelihood="gaussian",
        noise_variance=0.1,
        posterior="full",
        epochs=50,
        batch_size=64,
        learning_rate=1e-3,
        points=None,
        random_state=0,
    ):
        self.latent_dim, self.hidden, self.network, self.data_shape = (
            latent_dim,
            hidden,
            network,
            data_shape,
        )
        self.beta, self.beta_range, self.rho = beta, beta_range, rho
        self.likelihood, self.noise_variance = likelihood, noise_variance
        self.posterior, self.epochs, self.batch_size = posterior, epochs, batch_size
        self.learning_rate, self.points, self.random_state = learning_rate, points, random_state

    def fit(self, X, y=None, points=None):
        """Train on X (N, D), and into the space of the points where there are some.

        Args:
            X: data; rows are examples.
            y: ignored.
            points: in place of those given to the constructor.

        Raises:
            ValueError: X, points and parameters do not fit.

        Warns:
            RuntimeWarning: the points were not reached.
        """
        X = validate_data(self, X, dtype=[np.float64, np.float32], ensure_min_samples=2)
        self.points_ = self._points(self.points if points is None else points)
        x, rho = self._examples(X), 0.0 if self.points_ is None else self.rho
        if self.points_ is not None:
            x = np.concatenate([x, self.points_.x])
        options = dict(
            epochs=self.epochs, batch_size=self.batch_size, learning_rate=self.learning_rate
        )
        with warnings.catch_warnings():  # named in this estimator's own words
            warnings.filterwarnings(
                "ignore", "replicas .* did not reach the Rosetta points", RuntimeWarning
            )
            self.fit_: Fit = fit_replicas(
                self._model(), x, beta=self._rates(), rho=rho, points=self.points_, seed=self._seed(),
                x_weight=0.1 / self.noise_variance, **options,
            )  # fmt: skip
        self._n_features_out = self.latent_dim
        self.anchor_distance_ = None
        if self.points_ is not None:
            self.anchor_distance_ = float(
                self.fit_.anchor_distance(self.points_, beta=self._read_at())[0]
            )
            self._warn_if_far()
        return self

    def transform(self, X):
        """Posterior means of X (N, D): (N, K), in the floating type of X."""
        X = self._checked(X)
        return self.fit_.encode(self._examples(X), beta=self._read_at())[0].numpy().astype(X.dtype)

    def inverse_transform(self, X):
        """The likelihood's mean at latents (N, K): (N, D)."""
        check_is_fitted(self)
        X = check_array(X, dtype=[np.float64, np.float32], input_name="X")
        return self.fit_.decode(X, beta=self._read_at())[0].flatten(1).numpy().astype(X.dtype)

    def score(self, X, y=None):
        """Minus the loss of X, distortion + beta * rate, nats per example; at beta = 1 the ELBO.  Higher is better."""
        x = self._examples(self._checked(X))
        return -float(self.fit_.evaluate(x, beta=self._read_at()).loss(self.beta)[0])

    def select_points(
        self, X, num_points: int, *, method: str = "kmeans", seed: int = 0, ids=None, header=None
    ):
        """Distil this space: Rosetta points from X (N, D), as `rvae_lite.select_points`, or as `curve_points`."""
        X = self._checked(X)
        options = dict(method=method, seed=seed, ids=ids, header=header)
        if is_multirate(self.fit_.model):
            return curve_points(self.fit_, self._examples(X), num_points, **options)
        return select_points(self._examples(X), self.transform(X), num_points, **options)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "fit_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.non_deterministic = self.random_state is None
        return tags

    def _checked(self, X) -> np.ndarray:
        check_is_fitted(self)
        return validate_data(self, X, dtype=[np.float64, np.float32], reset=False)

    def _shape(self) -> tuple[int, ...]:
        shape = (self.n_features_in_,) if self.data_shape is None else tuple(self.data_shape)
        if math.prod(shape) != self.n_features_in_:
            raise ValueError(
                f"data_shape {shape} does not hold the {self.n_features_in_} features of X: correct it"
            )
        return shape

    def _examples(self, X: np.ndarray) -> np.ndarray:
        return X.astype(np.float32).reshape(len(X), *self._shape())

    def _model(self):
        options = dict(likelihood=self.likelihood, noise_variance=self.noise_variance)
        if self.network == "mlp":
            hidden = tuple(self.hidden)
            model = VAE.mlp(
                self._shape(), self.latent_dim, hidden, posterior=self.posterior, **options
            )
            return (
                model
                if self.beta_range is None
                else make_multirate(model, beta_range=self.beta_range)
            )
        if self.network not in NETWORKS:
            raise ValueError(f"network must be one of {sorted(NETWORKS)}, not {self.network!r}")
        plan = Plan(
            network=self.network, latent_dim=self.latent_dim, beta_range=self.beta_range, **options
        )
        return build_model(self._shape(), plan, bounded=False, posterior=self.posterior)

    def _rates(self):
        return self.beta if self.beta_range is None else LogUniform(*self.beta_range)

    def _read_at(self) -> float | None:
        return self.beta if is_multirate(self.fit_.model) else None

    def _points(self, points) -> RosettaPoints | None:
        """The points with inputs as floats of the shape that the examples have."""
        if points is None:
            return None
        points = points if isinstance(points, RosettaPoints) else RosettaPoints.load(points)
        x = (
            points.x.astype(np.float32) / np.float32(255)
            if points.x.dtype == np.uint8
            else points.x
        )
        if math.prod(x.shape[1:]) != self.n_features_in_:
            raise ValueError(
                f"the points' inputs have shape {x.shape[1:]}, X has {self.n_features_in_} features: prepare both alike"
            )
        shaped = copy.copy(points)
        shaped.x = x.reshape(len(x), *self._shape())
        if points.recon is not None:
            shaped.recon = points.recon.reshape(*points.recon.shape[:2], *self._shape())
        return shaped

    def _seed(self) -> int:
        if self.random_state is None:
            return int(np.random.default_rng().integers(2**31))
        if isinstance(self.random_state, (int, np.integer)):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31))

    def _warn_if_far(self) -> None:
        if self.anchor_distance_ > UNREACHED:
            warnings.warn(
                f"the Rosetta points were not reached ({100 * self.anchor_distance_:.2g} % of their variance away): "
                f"raise epochs or rho, or lower beta",
                RuntimeWarning,
                stacklevel=3,
            )
