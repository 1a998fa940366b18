"""The command extract: sound and annotations, a table, or AVA's files as one HDF5 of syllables."""

import errno
import os
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from rvae_lite.lab.options import Output, Progress, with_options
from rvae_lite.lab.outputs import bar_label, check_outputs, publish_results, say
from rvae_lite.lab.plan import Choice
from rvae_lite.lab.settings import Settings, given_settings, spec_of
from rvae_lite.publishing import expanded, printable

Option, Argument = typer.Option, typer.Argument
TABLES, HDF5 = (".csv", ".tsv", ".txt"), (".h5", ".hdf5")
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
MOST_TOLD = 8  # birds that are named


class Source(NamedTuple):
    """How recordings are read."""

    on_problem: Annotated[
        str, Choice("refuse: name what is wrong, write nothing; skip: leave it out, count it.")
    ] = "refuse"
    problems: Annotated[
        Path | None, Choice("Write all that is wrong here, a line each, .txt; refused or skipped.")
    ] = None
    recordings: Annotated[
        Path | None, Choice("Folder with the recordings of a table; by default the table's.")
    ] = None
    columns: Annotated[
        str | None,
        Choice("Unusual columns of tables: onset=t0,offset=t1; keys also label, file, bird."),
    ] = None
    channel: Annotated[int | None, Choice("Of recordings with several, counted from 0.", min=0)] = (
        None
    )
    workers: Annotated[int | None, Choice("Recordings read at a time.", min=1)] = None
    cache: Annotated[
        Path | None,
        Choice("Folder that keeps what was computed, so that a repeated call goes on there."),
    ] = None


@with_options
def extract(
    sources: Annotated[
        list[str],
        Argument(
            help="Each of one animal: a folder of recordings and annotations; a table of segments "
            "(.csv, .tsv), which may have a column bird; an HDF5 file of AVA or a folder of them. "
            "NAME=PATH names the animal, else the folder does."
        ),
    ],
    out: Annotated[Path, Option("--out", "-o", help="The file to write, .h5.")],
    *,
    settings: Settings,
    source: Source,
    progress: Progress = None,
    output: Output,
):
    """Recordings to spectrograms of their syllables: one HDF5 file in AVA's layout, with labels,
    ids and settings inside, which distil, train and compare read as it is.

    Examples:

    rvae-lite extract finches/blu285 finches/R402 -o finches.h5

    rvae-lite extract alice=segments.csv --recordings wav/ --columns label=type -o alice.h5

    rvae-lite extract bob=sound/ --spec alice.npz -o bob.h5

    rvae-lite extract mouse/ -o mouse.h5 --sample-rate 250000 --axis linear --min-freq 30000
    --max-freq 110000 --max-duration 0.2

    rvae-lite extract canary/ -o canary.h5 --max-duration 0.5 --on-problem skip

    rvae-lite extract bird=ava/specs/ -o bird.h5 --spec parameters.json
    """
    inputs = [text.partition("=")[2] or text for text in sources] + [settings.spec]
    outputs = [out, *([source.problems] if source.problems else [])]
    check_outputs(*outputs, inputs=inputs, force=output.force)
    birds, files = find_sources(sources, source)
    given = given_settings(settings)

    from rvae_lite.birdsong.streaming import Stream, stream_ava, stream_birds

    folder = next(above for above in expanded(out).absolute().parents if above.exists())
    bar = bool(bar_label(progress, "songs"))
    with _told(out), Stream(folder, "float16" if files else "float32") as stream:
        if files:
            _check_alone(source)
            stream_ava(stream, files)
            _describe(stream, given)
        else:
            spec = spec_of(given)
            with _listed(stream, source, output):
                options = dict(on_problem=source.on_problem, channel=source.channel)
                options |= dict(columns=_columns(source), workers=source.workers)
                options |= dict(cache=source.cache, progress=bar)
                stream_birds(stream, birds, spec=spec, **options)
        contents = {out: lambda file: stream.write(file, progress=bar)}
        [out] = publish_results(contents, force=output.force)
        result = dict(file=str(out)) | _described(stream)
    say(result, "\n".join(printable(_in_words(result))), output)


def find_sources(texts: list[str], source: Source) -> tuple[dict, dict]:
    """What is named: bird -> folder or `Segments`, or path of a file of AVA -> bird.

    Raises:
        FileNotFoundError: there is nothing at a path.
        ValueError: two of one name, an unknown kind, both kinds together.
    """
    from rvae_lite.birdsong.ava import ava_files

    birds, files = {}, {}
    for text in texts:
        name, found, path = text.partition("=")
        if not found or os.path.exists(expanded(text)):
            name, path = "", text
        path, suffix = expanded(path), Path(path).suffix.lower()
        if not path.exists():
            raise FileNotFoundError(f"there is nothing at {path}: check the path")
        if path.is_dir() and (specs := ava_files(path)) and not _holds_sound(path):
            files |= dict.fromkeys(specs, name or path.resolve().name)
        elif path.is_dir():
            _add(birds, {name or path.resolve().name: path})
        elif suffix in HDF5:
            files[path] = name or path.stem
        elif suffix in TABLES:
            _add(birds, _segments(path, name, source))
        else:
            kinds = f"a folder, a table ({', '.join(TABLES)}) or AVA's HDF5 ({', '.join(HDF5)})"
            raise ValueError(f"{path} is of no known kind: pass {kinds}")
    if birds and files:
        raise ValueError("sound and HDF5 files go into files of their own: extract them apart")
    return birds, files


def _holds_sound(folder: Path) -> bool:
    from rvae_lite.birdsong.songs import AUDIO

    return any(path.suffix.lower() in AUDIO for path in folder.iterdir())


def _add(birds: dict, found: dict) -> None:
    for name in found.keys() & birds.keys():
        raise ValueError(f"two sources are called {name}: name them as in alice=PATH")
    birds |= found


def _segments(path: Path, name: str, source: Source) -> dict:
    from rvae_lite.birdsong.segments import read_segments

    folder = None if source.recordings is None else expanded(source.recordings)
    options = dict(folder=folder, columns=_columns(source))
    return read_segments(path, bird=name or None, **options)


def _columns(source: Source) -> dict | None:
    """--columns as `read_annotations` has it; an empty name is None."""
    if source.columns is None:
        return None
    pairs = [part.partition("=") for part in source.columns.split(",")]
    if not all(key.strip() and found for key, found, _ in pairs):
        expected = "KEY=NAME, separated by commas, such as onset=t0"
        raise ValueError(f"--columns must be {expected}, not {source.columns!r}")
    return {key.strip(): name.strip() or None for key, _, name in pairs}


def _check_alone(source: Source) -> None:
    """Refuse options of recordings where files of AVA are read."""
    names = ["problems", "recordings", "columns", "channel", "workers", "cache"]
    if given := [name for name in names if getattr(source, name) is not None]:
        raise ValueError(f"--{given[0]} is for recordings, and these are HDF5: leave it out")


def _describe(stream, given: dict) -> None:
    """Keep the settings that describe AVA's files; refuse those that contradict their own."""
    from rvae_lite.storage import differences

    own = stream.info.get("preprocessing")
    known = dict(zip(("num_freqs", "num_times"), stream.shape, strict=True)) | (own or {})
    checked = given.keys() if own else given.keys() & known.keys()
    told = [{name: each.get(name) for name in checked} for each in (given, known)]
    if differing := "; ".join(differences(*told)):
        wrong = f"the settings given contradict the files' own ({differing})"
        raise ValueError(f"{wrong}: correct them, they describe the files")
    if own is None and given:
        stream.info["preprocessing"] = given


@contextmanager
def _listed(stream, source: Source, output: Output):
    """Write all problems of a stream to the file that was asked for, whether refused or skipped."""
    try:
        with warnings.catch_warnings():  # the command tells what was left out
            warnings.filterwarnings("ignore", message="left out")
            yield
    except ValueError as error:
        if len(stream.problems) > 1 and source.problems is None:
            raise ValueError(f"{error}; --problems FILE lists all") from error
        raise
    finally:
        if source.problems is not None:
            lines = [printable(f"{reason}: {text}") for reason, text, _ in stream.problems]
            content = "".join(f"{line}\n" for line in lines).encode()
            contents = {source.problems: lambda file: file.write(content)}
            publish_results(contents, force=output.force)


@contextmanager
def _told(out: Path):
    """Say of a full disk which file could not be written."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL or str(error.strerror).startswith("cannot write"):
            raise
        wrong = f"cannot write {out} ({error.strerror})"
        raise OSError(error.errno, f"{wrong}: free some space or choose another path") from error


def _described(stream) -> dict:
    """What went into the file, as JSON."""
    problems = [problem._asdict() for problem in stream.problems]
    described = dict(num_syllables=len(stream), birds=stream.birds, num_labels=stream.labels)
    described |= dict(shape=list(stream.shape), skipped=stream.info["skipped"], problems=problems)
    described |= dict(clipped=stream.info.get("clipped", 0))
    return described | dict(preprocessing=stream.info.get("preprocessing"))


def _in_words(result: dict) -> list[str]:
    birds, skipped = result["birds"], result["skipped"]
    named = ", ".join(f"{bird} {count:,}" for bird, count in list(birds.items())[:MOST_TOLD])
    named += ", ..." * (len(birds) > MOST_TOLD)
    counted = f"{result['num_syllables']:,} syllables of {len(birds)} "
    counted += f"{'animal' if len(birds) == 1 else 'animals'} ({named})"
    size = "{} x {} pixels, {} labels".format(*result["shape"], result["num_labels"])
    lines = [f"{counted}, {size}"]
    if skipped:
        reasons = ", ".join(f"{reason}: {count}" for reason, count in skipped.items())
        lines.append(f"left out: {sum(skipped.values())} ({reasons})")
        lines += [f"  {problem['text']}" for problem in result["problems"]]
    if result["preprocessing"] is None:
        lines.append("settings not stated: --spec tells how the files' spectrograms were made")
    return [*lines, f"written: {result['file']}"]
