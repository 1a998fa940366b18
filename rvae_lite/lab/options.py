"""Options of the commands, each declared once; those that commands share are fields of a group."""

import inspect
import json
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import Annotated, NamedTuple, get_type_hints

from rvae_lite.lab.outputs import uninterrupted
from rvae_lite.lab.plan import Choice, Plan

Preprocessing = Annotated[
    str | None, Choice("How the data were made: text, JSON, or a .json file.")
]
Progress = Annotated[
    bool | None, Choice("Show a bar with the time left; by default on a terminal.")
]


class Reading(NamedTuple):
    """How data are read."""

    key: Annotated[
        str | None, Choice("Which array of a .npz or HDF5 file; of a table, which columns (a,b,c).")
    ] = None
    per_file: Annotated[
        str, Choice("In a folder of .npy: one example a file, or many (first axis).")
    ] = "one"
    value_scale: Annotated[
        float | None, Choice("Divide the values by this, for example 65535.")
    ] = None
    memory: Annotated[
        float | None,
        Choice("GiB that data may unfold to; by default 0.5 or 4 times the size of the files."),
    ] = None
    header: Annotated[
        bool | None, Choice("The first row of a table names its columns; by default found out.")
    ] = None

    def read(self, path):
        """The examples at a path, as `reading.read_data` reads them."""
        from rvae_lite.lab.reading import read_data

        found = read_data(path, **self._asdict())
        with uninterrupted():  # an interrupt while PyTorch is loaded may abort the process
            import_module("torch")
        return found

    def made_by(self, path, examples, given, *, named: bool = True):
        """How the examples were made, see `reading.agreed_preprocessing`; named: with animals."""
        from rvae_lite.lab.reading import agreed_preprocessing

        found = agreed_preprocessing(path, examples, given)
        if named or not isinstance(found, dict):
            return found
        return {key: value for key, value in found.items() if key != "normalisation"}

    def arrange(self, examples, header: dict):
        """Examples as the header of a Rosetta file has them, see `reading.arranged`."""
        from rvae_lite.lab.reading import arranged

        return arranged(examples, header, value_scale=self.value_scale)


class Header(NamedTuple):
    """What the maker of a Rosetta file tells of the data."""

    preprocessing: Preprocessing = None
    licence: Annotated[str | None, Choice("Of the shipped inputs, kept in the header.")] = None
    source: Annotated[str | None, Choice("Where the data are from, kept in the header.")] = None
    citation: Annotated[
        str | None, Choice("How the points are to be cited: a line, or BibTeX.")
    ] = None

    def told(self, **more) -> dict:
        """The entries of the header that are given, with some more."""
        entries = self._asdict() | more
        return {name: value for name, value in entries.items() if value is not None}


class Given(NamedTuple):
    """Latents that are there already, of any model."""

    latents: Annotated[
        Path | None,
        Choice(
            "Distil these latents, (N, K), a row for each example: of AVA, PCA, UMAP or any model; "
            ".npy, .npz, .h5, .csv.  Nothing is trained."
        ),
    ] = None
    latents_key: Annotated[
        str | None, Choice("Which array or columns of the file are the latents.")
    ] = None
    latents_from: Annotated[
        str | None, Choice("How the latents were made, kept in the header.")
    ] = None

    def read(self, data, examples, *, memory: float | None = None):
        """What `latents.read_latents` gives."""
        from rvae_lite.lab.latents import read_latents

        return read_latents(self.latents, data, examples, key=self.latents_key, memory=memory)

    def distil(self, x, means, num_points: int | None, **options):
        """What `latents.distil_latents` makes of them, with a header that tells their origin."""
        from rvae_lite.lab.latents import distil_latents

        origin = dict(file=self.latents.name, origin=self.latents_from)
        return distil_latents(x, means, num_points, made_by=origin, **options)


class Showing(NamedTuple):
    """What a report shows of single examples."""

    labels: Annotated[
        Path | None,
        Choice(
            "A label an example, .npy or a text with one a line, to colour by; by default the "
            "file's own, or the folders that files lie in."
        ),
    ] = None
    no_pictures: Annotated[
        bool, Choice("Leave names, folders and pictures of the examples out; labels stay.")
    ] = False

    def read(self):
        """The labels, (N,), or None."""
        from rvae_lite.lab.exploring import read_labels

        return None if self.labels is None else read_labels(self.labels)


class Output(NamedTuple):
    """How results are said and kept."""

    json: Annotated[bool, Choice("Print JSON to standard output, nothing else.")] = False
    force: Annotated[bool, Choice("Replace results that exist.")] = False


def with_options(command):
    """The command as typer takes it: a parameter that is a NamedTuple becomes its fields' options.

    Fields without a `Choice` are not offered; the group is built with their defaults.
    """
    groups, parameters = {}, []
    hints = get_type_hints(command, include_extras=True)
    for parameter in inspect.signature(command).parameters.values():
        hint = hints[parameter.name]
        if hasattr(hint, "_fields"):
            options = _options_of(hint)
            groups[parameter.name] = (hint, [option.name for option in options])
            parameters += options
        else:
            parameters.append(_parameter(parameter.name, hint, parameter.default))

    @wraps(command)
    def called(**given):
        built = {
            name: group(**{field: given.pop(field) for field in fields})
            for name, (group, fields) in groups.items()
        }
        command(**given, **built)  # a group may have the name of another one's field

    called.__signature__ = inspect.Signature(parameters)
    return called


def _options_of(group) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    offered = [name for name in group._fields if hasattr(hints[name], "__metadata__")]
    return [_parameter(name, hints[name], group._field_defaults[name]) for name in offered]


def _parameter(name: str, hint, default) -> inspect.Parameter:
    """A parameter whose `Choice`, if it has one, is an option of typer; a bool is a flag."""
    from typer import Option

    told = getattr(hint, "__metadata__", (None,))[0]
    if isinstance(told, Choice):
        kind = hint.__origin__
        flag = [f"--{name.replace('_', '-')}"] if kind is bool else []
        hint = Annotated[kind, Option(*flag, **told._asdict())]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=hint, default=default)


def check_only_distilled(given: Given, plan: Plan, *, model, share: str, **trained) -> None:
    """Raises ValueError where a space is only distilled, but options of a training are given.

    trained: the values of options that a training has, by name; nothing where they are not given.
    """
    trained |= {
        k: getattr(plan, k)
        for k in plan._fields
        if k != "seed" and getattr(plan, k) != getattr(Plan(), k)
    }
    if given.latents is None and any(given):
        raise ValueError("--latents-key and --latents-from tell of --latents: pass it, or neither")
    if given.latents is not None and share == "decoded":
        wrong = "--share decoded needs a decoder, which latents come without"
        raise ValueError(f"{wrong}: leave it out, or pass --model instead of --latents")
    if given.latents is not None:
        trained["model"] = model
    elif model:
        trained |= dict(multi_rate=False, beta=None)  # at which it is read
    wrong = [k for k, value in trained.items() if value is not None and value is not False]
    wrong = [f"--{name.replace('_', '-')}" for name in wrong]
    if wrong and (model or given.latents is not None):
        by = "--model" if given.latents is None else "--latents"
        reason = f"nothing is trained where {by} is given"
        raise ValueError(f"{', '.join(wrong)}: {reason}: leave one out")


def read_preprocessing(text: str | None, option: str = "--preprocessing"):
    """A text as it is; JSON, or the content of a .json file, as what it stands for."""
    if text is None:
        return None
    from rvae_lite.storage import without_repeats

    is_file = text.endswith(".json")
    if not is_file and text.lstrip()[:1] not in ("{", "["):
        return text
    try:
        content = _read_text(Path(text), option) if is_file else text
        return json.loads(content, object_pairs_hook=without_repeats)
    except (ValueError, RecursionError) as error:
        what = text if is_file else option
        reason = f"is no valid JSON ({error})"
        raise ValueError(f"{what} {reason}: correct it, or pass plain text") from error


def _read_text(path: Path, option: str) -> str:
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}: check {option}")
    return path.read_text(encoding="utf-8-sig")
