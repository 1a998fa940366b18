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
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
MOST_TOLD = 8  # birds that are named


class Source(NamedTuple):
    """How recordings are read."""

    on_problem: Annotated[
        str, Choice("refuse: name what is wrong, write nothing; skip: leave it out, count it.")
    ] = "refuse"
    problems: Annotated[
        Path | None,
        Choice(
            "All that is wrong, refused or skipped, a line each, .txt; an earlier list is replaced."
        ),
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
            help="Each a folder of recordings and annotations, a table of segments (.csv, .tsv, "
            ".txt; a column bird may name several animals), or AVA's HDF5, a file or a folder of "
            "them. NAME=PATH names the animal; else the column, or the name of the folder or file, "
            "does."
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
    birds, files, named = find_sources(sources, source)
    outputs = [out, *([source.problems] if source.problems else [])]
    inputs = [settings.spec, *_inputs(birds, files, outputs)]
    check_outputs(out, inputs=inputs, force=output.force)
    check_outputs(*outputs, inputs=inputs, force=True)  # problems are those of the last run
    given = given_settings(settings)
    if files:
        _check_options(settings, given)

    from rvae_lite.birdsong.streaming import Stream, stream_ava, stream_birds

    folder = next(above for above in expanded(out).absolute().parents if above.exists())
    bar = bool(bar_label(progress, "songs"))
    with _told(out), Stream(folder, "float16" if files else "float32") as stream:
        if files:
            stream_ava(stream, files, named=named)
            _describe(stream, given)
        else:
            spec = spec_of(given)
            with _listed(stream, source):
                options = dict(on_problem=source.on_problem, channel=source.channel)
                options |= dict(columns=_columns(source), workers=source.workers)
                options |= dict(cache=source.cache, progress=bar)
                stream_birds(stream, birds, spec=spec, **options)
        contents = {out: lambda file: stream.write(file, progress=bar)}
        [out] = publish_results(contents, force=output.force)
        result = dict(file=str(out)) | _described(stream)
    say(result, "\n".join(printable(_in_words(result))), output)


def find_sources(texts: list[str], source: Source) -> tuple[dict, dict, set]:
    """What is named: bird -> folder or `Segments`; path of a file of AVA -> bird, and those of
    them whose bird is named by the user.

    Raises:
        FileNotFoundError: there is nothing at a path.
        ValueError: two of one name, an unknown kind, both kinds together, an option of another.
    """
    from rvae_lite.birdsong.annotations import TABLES
    from rvae_lite.birdsong.ava import ava_files
    from rvae_lite.birdsong.songs import AUDIO
    from rvae_lite.readers.hdf5 import HDF5

    birds, files, named = {}, {}, set()
    for text in texts:
        name, sign, path = text.partition("=")
        if not sign or os.path.exists(expanded(text)):
            name, path = "", text
        path, suffix = expanded(path), Path(path).suffix.lower()
        if not path.exists():
            raise FileNotFoundError(f"there is nothing at {path}: check the path")
        found = {}
        specs = ava_files(path)
        if specs and not any(each.suffix.lower() in AUDIO for each in path.rglob("*")):
            found = dict.fromkeys(specs, name or path.resolve().name)
        elif path.is_dir():
            _add(birds, {name or path.resolve().name: path})
        elif suffix in HDF5:
            found = {path: name or path.stem}
        elif suffix in TABLES:
            _add(birds, _segments(path, name, source))
        else:
            kinds = f"a folder, a table ({', '.join(TABLES)}) or AVA's HDF5 ({', '.join(HDF5)})"
            raise ValueError(f"{path} is of no known kind: pass {kinds}")
        files |= found
        named |= found.keys() if name else set()
    if birds and files:
        raise ValueError("sound and HDF5 files go into files of their own: extract them apart")
    if files:
        _check_alone(source)
    elif source.recordings is not None and all(isinstance(at, Path) for at in birds.values()):
        raise ValueError("--recordings is for tables, and there is none: leave it out")
    return birds, files, named


def _inputs(birds: dict, files: dict, outputs: list[Path]) -> list[Path]:
    """Files and tables that are read, and outputs that are sound or annotation in a folder."""
    from rvae_lite.birdsong.songs import AUDIO, ENDING, SHARED

    sources = birds.values()
    found = [*files, *(source.table for source in sources if not isinstance(source, Path))]
    folders = {os.path.realpath(getattr(source, "folder", source)) for source in sources}
    for output in outputs:
        path = Path(os.path.realpath(expanded(output)))
        if path.is_file() and folders & set(map(str, path.parents)):
            suffix, near = path.suffix.lower(), path.parent.iterdir()
            stems = tuple(f"{each.stem}." for each in near if each.suffix.lower() in AUDIO)
            known = suffix in (*AUDIO, ".rec") or ENDING.search(path.name)
            if suffix in SHARED or (known and path.name.startswith(stems)):
                found.append(path)
    return found


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
    for name, value in source._asdict().items():
        if value != Source._field_defaults[name]:
            option = f"--{name.replace('_', '-')}"
            raise ValueError(f"{option} is for recordings, and these are HDF5: leave it out")


def _check_options(settings: Settings, given: dict) -> None:
    """Refuse options that no spectrogram has; the file of --spec may describe AVA's as it likes."""
    band = {"sample_rate", "min_freq", "max_freq"}
    told = {name for name, value in settings._asdict().items() if value is not None} - {"spec"}
    spec_of({name: given[name] for name in (told if band <= told else told - band)})


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
def _listed(stream, source: Source):
    """Write all problems of a stream to the file that was asked for, whether refused or skipped."""
    try:
        with warnings.catch_warnings():  # the command tells what was left out
            warnings.filterwarnings("ignore", message="left out")
            yield
    except ValueError as error:
        more = len(stream.problems) > 1 and source.problems is None
        told = str(error).replace("on_problem='skip'", "--on-problem skip")
        raise ValueError(told + "; --problems FILE lists all" * more) from error
    finally:
        if source.problems is not None:
            lines = [printable(f"{reason}: {text}") for reason, text, _ in stream.problems]
            content = "".join(f"{line}\n" for line in lines).encode()
            contents = {source.problems: lambda file: file.write(content)}
            publish_results(contents, force=True)


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
    from rvae_lite.birdsong.syllables import MOST_SHOWN

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
        lines += [f"  {problem['text']}" for problem in result["problems"][:MOST_SHOWN]]
        more = len(result["problems"]) - MOST_SHOWN
        lines += [f"  and {more} more"] * (more > 0)
    if result["preprocessing"] is None:
        lines.append("settings not stated: --spec tells how the files' spectrograms were made")
    return [*lines, f"written: {result['file']}"]
