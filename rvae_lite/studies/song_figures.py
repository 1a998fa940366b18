"""Figures of birdsong: a recording with its syllables, and numbers for each type of syllable."""

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
