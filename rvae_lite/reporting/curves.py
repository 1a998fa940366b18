"""Figures of rate and distortion.

Bae et al. (2023), Figures 1 and 4.  Nats, summed over dimensions and averaged over data; the loss is distortion +
beta * rate.  Letters: M replicas, N data points, D data dimension, K latent dimension, T values of beta.
"""

import numpy as np

from rvae_lite.reporting.figures import INK, colour


def plot_rate_distortion(curves: dict, *, lines=(), betas=None, ax=None):
    """Distortion over rate: name -> table with columns rate and distortion (and beta).

    Args:
        curves: name -> table or NamedTuple of arrays; dots, joined by a thin line.
        lines: names of those drawn as a plain line.
        betas: name of the curve whose dots are labelled by beta.
        ax: axes to draw on; by default new ones.
    """
    ax = _axes(ax)
    for name, curve in curves.items():
        rate, distortion = np.asarray(curve.rate), np.asarray(curve.distortion)
        order = np.argsort(rate)
        ax.plot(rate[order], distortion[order], label=name, **_drawn(name, lines))
        if name == betas:
            for x, y, beta in zip(rate, distortion, curve.beta, strict=True):
                ax.annotate(
                    f"{beta:.2g}", (x, y), xytext=(5, 4), textcoords="offset points", fontsize=8
                )
    ax.set(xlabel="rate in nats", ylabel="distortion in nats (lower is better)")
    if len(curves) > 1:
        ax.legend()
    return ax


def plot_tangents(curve, *, length: float, ax):
    """Through every point of a curve a segment of slope -beta: `length` is its extent, as a share of the axes."""
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    for rate, distortion, beta in zip(curve.rate, curve.distortion, curve.beta, strict=True):
        step = length / np.hypot(1 / (right - left), beta / (high - low)) / 2
        ends = np.array([-step, step])
        ax.plot(rate + ends, distortion - beta * ends, color=INK, linewidth=1.2)
    return ax


def plot_over_beta(curves: dict, *, label: str, lines=(), log: bool = False, ax=None):
    """A quantity over beta on a logarithmic axis: name -> (betas, values), each (T,)."""
    ax = _axes(ax)
    for name, (betas, values) in curves.items():
        ax.plot(np.asarray(betas), np.asarray(values), label=name, **_drawn(name, lines))
    ax.set(xlabel="beta", ylabel=label, xscale="log")
    if log:
        ax.set_yscale("log")
    if len(curves) > 1:
        ax.legend()
    return ax


def plot_water_filling(eigenvalues, level: float, *, latent_dim: int, ax=None):
    """Reverse water-filling: bars of eigenvalues, what lies below the water level beta * s2 is given up.

    Args:
        eigenvalues: variances of the principal components, descending.
        level: beta * s2, in the same squared units.
        latent_dim: K; components beyond it are given up whole.
        ax: axes to draw on; by default new ones.
    """
    ax = _axes(ax)
    values = np.asarray(eigenvalues, dtype=np.float64)
    index = np.arange(1, len(values) + 1)
    lost = np.where(index <= latent_dim, np.minimum(values, level), values)
    ax.bar(index, lost, 0.8, color=INK, alpha=0.45, label="given up: distortion")
    ax.bar(index, values - lost, 0.8, bottom=lost, color=colour("exact"), label="kept: rate")
    ax.axhline(level, color=colour("water"), linewidth=1.6, label="water level")
    ax.set(xlabel="principal component", ylabel="variance")
    return ax


def _drawn(name: str, lines) -> dict:
    """How a curve is drawn: a plain line, or dots that a thin line joins."""
    if name in lines:
        return dict(color=colour(name), linewidth=2)
    return dict(color=colour(name), linewidth=0.8, marker="o", markersize=4)


def _axes(ax):
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=(4.2, 3))[1]
