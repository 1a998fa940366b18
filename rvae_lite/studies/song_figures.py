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
    """Numbers of each type of syllable: a dot per row and method; "points" joins the row's name."""
    ax = figures.figure_row(1, width=8, height=3)[1] if ax is None else ax
    for method in frame.columns.drop("points"):
        colour = figures.colour_of(method)
        ax.scatter(range(len(frame)), frame[method], s=16, color=colour, label=method)
    names = [f"{name} ({count})" for name, count in zip(frame.index, frame["points"], strict=True)]
    ax.set_xticks(range(len(frame)), names, rotation=90)
    ax.set(xlabel="type (number of points)", ylabel=label, yscale="log")
    ax.legend()
    return ax
