"""Figures of birdsong: a recording, numbers of each type of syllable, syllables in two spaces.

Letter: N syllables.
"""

import numpy as np

from rvae_lite.reporting import figures


def plot_song(samples, rate: int, onsets, offsets, labels, *, ax=None):
    """A recording (T,) as a spectrogram, its syllables' names above and a line below each.

    Args:
        samples: fractions of full scale, (T,).
        rate: samples a second.
        onsets, offsets: of the syllables, seconds, (n,).
        labels: their names, (n,).
        ax: axes to draw on; by default new ones.
    """
    ax = figures.figure_row(1, width=9, height=2.4)[1] if ax is None else ax
    ax.specgram(samples, NFFT=512, Fs=rate, noverlap=384, cmap="magma", vmin=-110)
    for onset, offset, label in zip(onsets, offsets, labels, strict=True):
        ax.text((onset + offset) / 2, 10_400, label, ha="center")
        ax.hlines(250, onset, offset, color=figures.INK, linewidth=3)
    ax.set(ylim=(0, 10_000), xlabel="seconds", ylabel="frequency, kHz")
    ax.set_yticks([0, 2000, 4000, 6000, 8000, 10_000], [0, 2, 4, 6, 8, 10])
    return ax


def plot_by_type(frame, *, label: str, ax=None):
    """Numbers of each type of syllable, a line each: a dot per method; "points" joins its name."""
    height = 1 + 0.17 * len(frame)
    ax = figures.figure_row(1, width=5, height=height)[1] if ax is None else ax
    for method in frame.columns.drop("points"):
        colour = figures.colour_of(method)
        ax.scatter(frame[method], range(len(frame)), s=16, color=colour, label=method)
    names = [f"{name} ({count})" for name, count in zip(frame.index, frame["points"], strict=True)]
    ax.set_yticks(range(len(frame)), names)
    ax.invert_yaxis()
    ax.set(xlabel=label, ylabel="type (number of points)", xscale="log")
    ax.legend()
    return ax


def plot_moves(home, moved: dict, birds, kinds, *, across: str = "spaces", size: float = 2.2):
    """Where the syllables of each bird lie at home and in other spaces, a panel for each pair.

    A ring is a syllable at home, the dot at the other end of its line the same one elsewhere.

    Args:
        home: places in the first space, in one window, (N, 2).
        moved: name of another space -> places in the same window, (N, 2).
        birds, kinds: names of the syllables' birds and types, (N,).
        across: what the columns are, "spaces" or "birds".
        size: inches of a panel.

    Raises:
        ValueError: `across` is something else.
    """
    import matplotlib.pyplot as plt

    if across not in ("spaces", "birds"):
        raise ValueError(f"across must be 'spaces' or 'birds', not {across!r}")
    rows, columns = list(np.unique(birds)), list(moved)
    if across == "birds":
        rows, columns = columns, rows
    size = (size * len(columns), size * len(rows))
    figure, axes = plt.subplots(len(rows), len(columns), figsize=size, squeeze=False)
    for line, row in zip(axes, rows, strict=True):
        for ax, column in zip(line, columns, strict=True):
            bird, space = (row, column) if across == "spaces" else (column, row)
            here = np.asarray(birds) == bird
            _draw_moves(ax, home[here], moved[space][here], np.asarray(kinds)[here])
            _show_square(ax, np.concatenate([home[here], *(one[here] for one in moved.values())]))
        line[0].set_ylabel(row)
    for ax, column in zip(axes[0], columns, strict=True):
        ax.set_title(column)
    return figure


def _draw_moves(ax, home, away, kinds) -> None:
    """Draw one panel: lines from home to away, each type named above a typical place at home."""
    import matplotlib.pyplot as plt
    from matplotlib.collections import LineCollection

    types, number = np.unique(kinds, return_inverse=True)
    colours = plt.get_cmap("tab10")(number % 10)
    lines = np.stack([home, away], axis=1)  # (N, 2 ends, 2)
    ax.add_collection(LineCollection(lines, colors=figures.INK, linewidths=0.6, alpha=0.35))
    ax.scatter(*home.T, s=16, facecolors="none", edgecolors=colours, linewidths=0.9)
    ax.scatter(*away.T, s=6, c=colours, linewidths=0)
    for kind in types:
        places = home[kinds == kind]
        typical = places[np.square(places - np.median(places, axis=0)).sum(1).argmin()]
        where = dict(xytext=(0, 5), textcoords="offset points", ha="center")
        ax.annotate(kind, typical, fontsize=12, fontweight="bold", **where)


def _show_square(ax, places) -> None:
    """Show the square around all places, (N, 2), with room for names at the top."""
    low, high = places.min(axis=0), places.max(axis=0)
    (x, y), half = (low + high) / 2, 0.6 * (high - low).max()
    ax.set(xlim=(x - half, x + half), ylim=(y - half, y + half))
    ax.set(aspect="equal", xticks=[], yticks=[])
