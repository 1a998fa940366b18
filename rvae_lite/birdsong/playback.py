"""The sound of syllables, cut from their recordings by the ids that travel with Rosetta points.

Letters: T samples.
"""

from math import gcd

import numpy as np

from rvae_lite.birdsong.recordings import Recording, read_recording
from rvae_lite.birdsong.songs import Song
from rvae_lite.birdsong.syllables import songs_of

RATE = 22_050  # Hz, of what a page plays
MARGIN = 0.01  # s of the recording on either side, in which the sound fades in and out


def cut(
    ids,
    birds: dict,
    *,
    rate: int = RATE,
    channel: int | None = None,
    columns: dict | None = None,
) -> list[Recording]:
    """The sound of each syllable, from 10 ms before its onset to 10 ms after its offset.

    Args:
        ids: `bird/file:row` of each, as in `Syllables.ids` and in the ids of Rosetta points.
        birds, channel, columns: where the recordings are, in folders, lists or `Segments`, as for
            `syllables.load_birds`.
        rate: samples a second; a recording with fewer keeps its own.

    Raises:
        ValueError: birds is no dictionary, rate is no positive integer, an id is of no annotated
            syllable in the folders, or its times are not in the recording.
        FileNotFoundError: a folder or recording is not there.

    Example:
        >>> cut(points.ids[:6], {"R402": "zebra_finch/R402_avn"})[0].rate  # doctest: +SKIP
        22050
    """
    if not isinstance(rate, (int, np.integer)) or isinstance(rate, bool) or rate < 1:
        raise ValueError(f"rate must be a positive integer, in samples a second, not {rate!r}")
    found, _ = songs_of(birds, columns=columns)
    songs, recordings, sounds = {f"{song.bird}/{song.name}": song for song in found}, {}, []
    for name in map(str, ids):
        place, _, row = name.rpartition(":")
        song = songs.get(place)
        at = [] if song is None else np.flatnonzero(song.annotations.rows.astype(str) == row)
        if not len(at):
            remedy = "name the folders that the syllables were loaded from"
            raise ValueError(f"no syllable {name!r} in the folders of {', '.join(birds)}: {remedy}")
        if place not in recordings:
            recordings[place] = read_recording(song.audio, channel=channel)
        sounds.append(_piece(recordings[place], song, int(at[0]), rate))
    return sounds


def _piece(recording: Recording, song: Song, at: int, rate: int) -> Recording:
    """One syllable of a recording at no more than `rate`, faded in and out in its margins."""
    from scipy.signal import resample_poly

    onset, offset = (float(times[at]) for times in song.annotations[:2])
    if not 0 <= onset < offset or onset >= recording.duration:
        row = song.annotations.rows[at]
        wrong = f"a syllable from {onset:.6g} to {offset:.6g} s"
        raise ValueError(f"{song.source}, row {row}: {wrong} is not in the recording: correct it")
    first, last = (round(time * recording.rate) for time in (onset - MARGIN, offset + MARGIN))
    samples = recording.samples[max(first, 0) : last].astype(np.float64)
    ramp = np.clip(np.arange(len(samples)) / (MARGIN * recording.rate), 0, 1)
    samples *= ramp * ramp[::-1]
    new = min(rate, recording.rate)
    common = gcd(new, recording.rate)
    samples = resample_poly(samples, new // common, recording.rate // common)
    return Recording(samples.astype(np.float32), int(new))
