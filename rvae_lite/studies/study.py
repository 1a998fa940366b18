"""Studies: what stands behind one table or figure, cut into units that are kept one by one.

A file of this folder that says `study = Study(...)` is a study of the file's name.  Nothing else
lists it, and no other file imports it, so that it can be deleted with its chapter and its test.
"""

import importlib
import importlib.util
import inspect
import os
import re
from pathlib import Path
from types import SimpleNamespace

import torch

from rvae_lite.fitted import Fit

PROFILES = ("quick", "cpu", "paper")
FOLDER = Path(__file__).parent
OWN_FOLDER = "RVAE_LITE_STUDIES"  # the environment variable that names a folder of more studies
DECLARATION = re.compile(r"^study = Study\(", re.MULTILINE)
# The columns that say what a row is, in this order.
KEYS = ["recipe", "data", "network", "width", "method", "mapping", "against", "beta", "rho"]
KEYS += ["num_points", "template", "seed", "part", "metric", "value"]


class Study:
    """A table or figure: a grid of cells, a unit that trains and measures one cell.

    `study.grid`, `study.unit`, `study.table` and `study.figure` decorate the functions that do it.

    Args:
        name: the name of its file.
        reproduces: which table or figure of a paper.
        profiles: profile -> what grid and unit find as attributes of their `profile`.
        minutes: profile -> minutes on one core, as measured.
        chapter: the notebooks that show it, separated by spaces.
    """

    def __init__(self, name, *, reproduces, profiles, minutes=None, chapter=""):
        self.name, self.reproduces, self.chapter = name, reproduces, chapter
        self.profiles, self.minutes, self._functions = profiles, minutes or {}, {}
        for profile in [*profiles, *self.minutes]:
            if profile not in PROFILES:
                raise ValueError(
                    f"study {name!r} declares the profile {profile!r}: "
                    f"profiles are called {', '.join(PROFILES)}"
                )

    def grid(self, function):
        """Declare the cells: profile -> tuples (or single values) of text and numbers."""
        return self._declare("grid", function)

    def unit(self, function):
        """Declare what is done in a cell: (profile, *cell, keep) -> `Result` or table.

        keep: the folder where the study's trainings are kept.
        """
        return self._declare("unit", function)

    def table(self, own, published=None, **options):
        """Declare (own, published) -> the comparison that a chapter shows; or make it.

        Args:
            own: the function to declare, or the study's table, a pandas DataFrame.
            published: the papers' numbers, by default `load_results("published")`.
            options: of the declared function.
        """
        if callable(own):
            return self._declare("table", own)
        published = load_results("published") if published is None else published
        return self._function("table")(own, published, **options)

    def figure(self, own, **options):
        """Declare own table -> axes, the figure that a chapter shows; or draw it."""
        if callable(own):
            return self._declare("figure", own)
        return self._function("figure")(own, **options)

    def cells(self, profile: str) -> dict[str, tuple]:
        """The grid: unit's name -> cell.

        A name joins the cell's values by "-", each number after the name of the unit's argument.
        """
        arguments = list(inspect.signature(self._function("unit")).parameters)[1:-1]
        cells = {}
        for cell in self._function("grid")(self._profile(profile)):
            values = cell if isinstance(cell, tuple) else (cell,)
            if len(values) != len(arguments):
                counts = f"cells of {len(values)} values, its unit takes {len(arguments)}"
                raise ValueError(f"study {self.name!r} has {counts}: {', '.join(arguments)}")
            pairs = zip(arguments, values, strict=True)
            texts = [value if isinstance(value, str) else f"{key}{value}" for key, value in pairs]
            name = "-".join(re.sub(r"[^\w.]+", "-", text).strip("-") for text in texts)
            if name in cells:
                both = f"{cells[name]} and {values}"
                raise ValueError(
                    f"study {self.name!r} has two cells called {name!r}, {both}: "
                    f"let the grid give each cell once"
                )
            cells[name] = values
        return cells

    def run(self, profile: str, cell: tuple, *, keep=None):
        """Train and measure one cell: a `Result` or a table."""
        return self._function("unit")(self._profile(profile), *cell, keep=keep)

    def _profile(self, name: str) -> SimpleNamespace:
        if name not in self.profiles:
            known = ", ".join(self.profiles)
            raise ValueError(f"study {self.name!r} has no profile {name!r}: it has {known}")
        return SimpleNamespace(name=name, **self.profiles[name])

    def _declare(self, kind, function):
        self._functions[kind] = function
        return function

    def _function(self, kind):
        if kind not in self._functions:
            raise ValueError(f"study {self.name!r} has no {kind}: declare it with @study.{kind}")
        return self._functions[kind]


def study_files() -> dict[str, Path]:
    """Name -> file of every study, without loading any."""
    folders, files = [FOLDER, os.environ.get(OWN_FOLDER)], {}
    for folder in filter(None, folders):
        if not Path(folder).is_dir():
            raise ValueError(f"{OWN_FOLDER} names {folder}, which is no folder: name another")
        for path in sorted(Path(folder).glob("*.py")):
            if not DECLARATION.search(path.read_text(encoding="utf-8")):
                continue
            if path.stem in files:
                both = f"{files[path.stem]} and {path}"
                raise ValueError(f"two studies are called {path.stem!r}, {both}: rename one")
            files[path.stem] = path
    return files


def find_study(name: str) -> Study:
    """The study of that name; no other file is loaded."""
    files = study_files()
    if name not in files:
        raise ValueError(f"name must be one of {', '.join(sorted(files))}, not {name!r}")
    path = files[name]
    if path.parent == FOLDER:
        module = importlib.import_module(f"rvae_lite.studies.{name}")
    else:
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    if module.study.name != name:
        raise ValueError(f"the study in {path} is called {module.study.name!r}: call it {name!r}")
    return module.study


def all_studies() -> list[Study]:
    """Every study, in the order of the chapters."""
    studies = [find_study(name) for name in study_files()]
    return sorted(studies, key=lambda study: (study.chapter or "~", study.name))


def study_lines(columns=("reproduces", "chapter", "name", "minutes")) -> list[list[str]]:
    """A line of texts for every study, by default those of the README."""
    lines = []
    for study in all_studies():
        minutes = [f"{profile} {count} min" for profile, count in study.minutes.items()]
        texts = dict(vars(study), minutes=", ".join(minutes))
        lines.append([texts[column] for column in columns])
    return lines


def readme_table() -> str:
    """The README's table from paper to chapter, in Markdown."""
    head = "| in the paper | `notebooks/` | `rvae-lite study` | one core |"
    lines = [head, "|---|---|---|---|"]
    files = study_files()
    for reproduces, chapter, name, minutes in study_lines():
        if files[name].parent != FOLDER:
            continue
        chapters = chapter.replace(" ", "`, `")
        lines.append(f"| {reproduces} | `{chapters}` | `{name}` | {minutes} |")
    return "\n".join(lines)


def results_folder() -> Path:
    """The folder of the committed tables: beside the package, or inside it once installed."""
    inside = FOLDER / "results"
    return inside if inside.is_dir() else FOLDER.parents[1] / "results"


def load_results(name: str):
    """A committed table, for example "eight_gaussians" or "published": a pandas DataFrame."""
    path = results_folder() / f"{name}.csv"
    if not path.is_file():
        known = sorted(file.stem for file in results_folder().glob("*.csv"))
        raise ValueError(f"there is no table {name!r} in results/; there are {known}")
    return read_rows(path)


def read_rows(source):
    """A study's table from its file, path or open: a pandas DataFrame.

    A commit is text: a hash such as 18e6000 reads as a number, and is infinite.
    """
    import pandas as pd

    return pd.read_csv(source, dtype=dict(commit=str))


def stamp(rows, *, trained: Fit | None = None, **columns):
    """Rows as a tidy table with what is the same in all of them.

    Args:
        rows: dictionaries or a pandas DataFrame; a column that they have already stays.
        trained: one of the trainings, for the device that it ran on.
        columns: name -> value: data, scale, profile, ...
    """
    import pandas as pd

    table = pd.DataFrame(rows)
    if trained is not None:
        columns["device"] = trained.info["device"].split(":")[0]
    columns["torch"] = torch.__version__.split("+")[0]
    for name, value in columns.items():
        if name not in table:
            table[name] = value
    if "seed" in table:
        table["seed"] = table.seed.astype("Int64")
    first = [key for key in KEYS if key in table]
    return table[first + [name for name in table if name not in first]]
