"""Any number of syllables as one HDF5 file: spectrograms go to disk as they are made.

The file has AVA's layout, with labels, ids, birds and settings inside, see `ava`.  Letters: n
syllables.
"""

import json
import os
import tempfile
from contextlib import suppress

import numpy as np

from rvae_lite.arrays import pieces
from rvae_lite.birdsong.ava import read_files
from rvae_lite.birdsong.quantiles import Percentiles
from rvae_lite.birdsong.spectrograms import SpectrogramSpec, check_range, normalise
from rvae_lite.birdsong.syllables import (
    DEFAULT,
    check_options,
    columns_of,
    extracts,
    no_syllable,
    report,
    songs_of,
    warn_of_clipped,
)

NAMES = ("labels", "ids", "birds", "onsets", "offsets", "audio_filenames")
BLOCK = 2**22  # numbers of a spectrogram that are in memory together


class Stream:
    """Spectrograms in a nameless file on disk, and what is known of each; closed by `with`.

    folder: of the file; dtype: of its numbers, float32 before normalisation, float16 after it.

    Attributes:
        info: as of `Syllables`.
        problems: what was left out, or is refused.
    """

    def __init__(self, folder, dtype):
        self.file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        self.dtype, self.shape, self.count, self.columns = np.dtype(dtype), None, 0, []
        self.ranges, self.spans, self.info, self.problems = {}, {}, {}, []

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_) -> None:
        with suppress(OSError):  # a full disk; what it holds is not wanted any more
            self.file.close()

    def __len__(self) -> int:
        return self.count

    @property
    def birds(self) -> dict[str, int]:
        """name -> number of its syllables."""
        names, counts = np.unique(self.column("birds"), return_counts=True)
        return dict(zip(names.tolist(), counts.tolist(), strict=True))

    @property
    def labels(self) -> int:
        """How many different ones there are, but for empty ones."""
        return len(set(self.column("labels").tolist()) - {""})

    def column(self, name: str) -> np.ndarray:
        """One of `NAMES`, (n,)."""
        return np.concatenate([columns[NAMES.index(name)] for columns in self.columns])

    def add(self, images: np.ndarray, columns: tuple) -> None:
        """Syllables more: images, (n, num_freqs, num_times); columns as `NAMES`."""
        self.shape = images.shape[1:]
        self.columns.append(columns)
        self.count += len(images)
        for piece in pieces(images):
            self.file.write(np.ascontiguousarray(piece, self.dtype).data)

    def blocks(self, start: int, stop: int):
        """(first row, images) of the rows from start to stop, some at a time."""
        size = int(np.prod(self.shape))
        step = max(1, BLOCK // size)
        self.file.seek(start * size * self.dtype.itemsize)
        for row in range(start, stop, step):
            count = min(step, stop - row)
            content = self.file.read(count * size * self.dtype.itemsize)
            yield row, np.frombuffer(content, self.dtype).reshape(count, *self.shape)

    def write(self, file, *, progress: bool = False) -> None:
        """Write all into a binary file that is open for writing, as `publish` hands out.

        The numbers of `specs` are float16 and lie in one piece, so that they can be mapped.
        """
        import h5py
        from tqdm import tqdm

        bar = dict(total=len(self), desc="writing", unit="syllable", disable=not progress)
        with os.fdopen(os.dup(file.fileno()), "r+b") as both, h5py.File(both, "w") as target:
            for name in NAMES:
                column = self.column(name)
                text = column.dtype.kind == "U"
                target[name] = np.char.encode(column, "utf-8") if text else column
            if "preprocessing" in self.info:
                target.attrs["preprocessing"] = json.dumps(self.info["preprocessing"])
            specs = target.create_dataset("specs", (len(self), *self.shape), np.float16)
            with tqdm(**bar) as shown:
                for bird, (start, stop) in self.spans.items():
                    for row, images in self.blocks(start, stop):
                        if bird in self.ranges:
                            images = normalise(images, *self.ranges[bird])
                        specs[row : row + len(images)] = images
                        shown.update(len(images))


def stream_birds(
    stream: Stream,
    birds: dict,
    *,
    spec: SpectrogramSpec = DEFAULT,
    on_problem: str = "refuse",
    channel: int | None = None,
    columns: dict | None = None,
    workers: int | None = None,
    cache=None,
    progress: bool = True,
) -> None:
    """Fill an empty stream with the syllables of some birds, each normalised by itself.

    Arguments and errors as for `load_birds`; the numbers are the same.
    """
    check_options(on_problem, workers)
    songs, problems = songs_of(birds, columns=columns)
    options = dict(spec=spec, channel=channel, workers=workers, cache=cache, progress=progress)
    quantiles, clipped = {bird: Percentiles(spec.percentiles) for bird in birds}, 0
    for song, extract in extracts(songs, **options):
        start = len(stream)
        stream.add(extract.images, columns_of(song, extract.kept))
        quantiles[song.bird].count(extract.images)
        first, _ = stream.spans.get(song.bird, (start, start))
        stream.spans[song.bird] = first, len(stream)
        clipped += int(extract.clipped.sum())
        problems += extract.problems
    stream.problems += problems
    skipped = report(problems, on_problem)
    for bird in birds:
        start, stop = stream.spans.get(bird, (0, 0))
        if start == stop:
            raise no_syllable(bird)
        stream.ranges[bird] = spec.log_range or _range(stream, quantiles[bird], bird)
    ranges = {bird: [float(end) for end in ends] for bird, ends in stream.ranges.items()}
    preprocessing = {**spec.as_dict(), "normalisation": ranges}
    stream.info |= dict(preprocessing=preprocessing, value_range=(0.0, 1.0))
    stream.info |= dict(skipped=skipped, clipped=clipped)
    warn_of_clipped(clipped, len(stream))


def _range(stream: Stream, percentiles: Percentiles, bird: str) -> tuple[float, float]:
    """The log-amplitudes of one bird that become 0 and 1."""
    for _, images in stream.blocks(*stream.spans[bird]):
        percentiles.refine(images)
    try:
        return check_range(*percentiles.values())
    except ValueError as error:
        raise ValueError(f"bird {bird}: {error}") from error


def stream_ava(stream: Stream, files: dict, *, named=()) -> None:
    """Fill an empty stream with the syllables of AVA's files, one after the other.

    files: as for `ava.read_files`, whose errors it has.
    named: those whose bird must have the name in `files`.

    Raises:
        ValueError: two syllables have one id; there are none; a file tells of other birds than
            it is named for.
    """
    for (path, bird), syllables in zip(files.items(), read_files(files), strict=True):
        if path in named and (others := sorted(set(syllables.birds.tolist()) - {bird})):
            told = ", ".join(others[:5])
            raise ValueError(f"{path} names its birds itself ({told}): leave the name {bird} out")
        labels, ids, birds = syllables.labels, syllables.ids, syllables.birds
        columns = (labels, ids, birds, syllables.onsets, syllables.offsets, syllables.files)
        stream.add(syllables.spectrograms[:, 0], columns)
        stream.info |= syllables.info
    if not len(stream):
        raise ValueError(f"{', '.join(map(str, list(files)[:5]))}: no syllables: check the files")
    stream.spans["all"] = (0, len(stream))
    ids, counts = np.unique(stream.column("ids"), return_counts=True)
    if (counts > 1).any():
        wrong = f"two syllables are called {ids[counts.argmax()]}"
        raise ValueError(f"{wrong}: leave out the file that holds them again")
