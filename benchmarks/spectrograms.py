"""Seconds of recording turned into spectrograms in a second, by the clock and of processor time.

    python benchmarks/spectrograms.py                        on the zebra finches in RVAE_LITE_DATA
    python benchmarks/spectrograms.py FOLDER FOLDER ...      on folders of one bird each

Reading, resampling, checks and normalisation are included; medians over repeats, after one that
warms up.
"""

import argparse
import os
import statistics
import time
import warnings
from pathlib import Path

from rvae_lite.birdsong.recordings import read_recording
from rvae_lite.birdsong.songs import find_songs
from rvae_lite.birdsong.spectrograms import SpectrogramSpec
from rvae_lite.birdsong.syllables import load_birds
from rvae_lite.data.folders import data_root


def measure(birds, spec, workers, repeats):
    """Median seconds of wall clock and of processor time, and the syllables."""
    times = []
    for _ in range(repeats + 1):
        wall, busy = time.perf_counter(), time.process_time()
        syllables = load_birds(birds, spec=spec, on_problem="skip", workers=workers, progress=False)
        times.append((time.perf_counter() - wall, time.process_time() - busy))
    return *(statistics.median(column) for column in zip(*times[1:], strict=True)), syllables


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="*", type=Path, help="of one bird each")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # of clipped syllables
    folders = options.folders or sorted(
        path for path in (data_root() / "zebra_finch").glob("*") if path.is_dir()
    )
    if not folders:
        parser.error(f"there are no birds in {data_root() / 'zebra_finch'}: name their folders")
    birds = {folder.name: folder for folder in folders}
    songs = [song for bird, folder in birds.items() for song in find_songs(bird, folder)[0]]
    recorded = sum(read_recording(song.audio).duration for song in songs)
    print(
        f"{len(songs)} recordings of {len(birds)} birds, {recorded:.0f} s; "
        f"{os.cpu_count()} processors"
    )
    print("times real time, of recordings (and of syllables alone)")
    print(f"{'size':>10}{'workers':>9}{'seconds':>9}{'wall clock':>18}{'processor':>18}")
    for size in (64, 128):
        spec = SpectrogramSpec(num_freqs=size, num_times=size)
        for workers in sorted({1, os.cpu_count()}):
            wall, busy, syllables = measure(birds, spec, workers, options.repeats)
            sung = float((syllables.offsets - syllables.onsets).sum())
            ratios = [
                f"{recorded / seconds:.0f} ({sung / seconds:.0f})" for seconds in (wall, busy)
            ]
            print(f"{f'{size}x{size}':>10}{workers:>9}{wall:>9.2f}{ratios[0]:>18}{ratios[1]:>18}")


if __name__ == "__main__":
    main()
