"""The house keeps its rules: rooms import one way, budgets hold, public names are described."""

import ast
import inspect
import io
import json
import re
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest
from toy import toy_data, toy_model, toy_points

import rvae_lite

PACKAGE = Path(rvae_lite.__file__).parent
README = PACKAGE.parent / "README.md"
FILES = sorted(PACKAGE.rglob("*.py"))

# A room may import only from those before its own; rooms in one set do not know each other.
ROOMS = [{"core"}, {"readers"}, {"data"}, {"birdsong", "text"}, {"reporting"}]
ROOMS += [{"studies", "lab"}, {"cli"}]
# What a first reading skips, beside the core.
LEAVES = {
    "arrays",
    "publishing",
    "rosetta_files",
    "storage",
    "checks",
    "checkpoints",
    "linear_vae",
    "disentanglement",
    "rivals",
    "coverage",
}
LEAVES |= {"models.checks", "models.forms", "models.ladder", "models.lengths", "models.likeness"}
HEAVY = ["crowsetta", "evfuncs", "h5py", "jinja2", "matplotlib", "pandas", "papermill", "PIL"]
HEAVY += ["pooch", "requests", "scipy", "sklearn", "soundfile", "torchvision", "tqdm", "typer"]
HEAVY += ["umap", "urllib3"]
ALLOWED = {"cli": {"typer"}, "lab.commands": {"typer"}, "lab.extracting": {"typer"}}
ALLOWED |= {"lab.estimator": {"sklearn"}}

BUDGETS = dict(
    top_files=27,
    rooms=8,
    package_lines=25_707,
    core_lines=3_282,
    file_lines=350,
    body_lines=40,
    line_characters=100,
    parameters=16,
    arrows=143,
    files_to_the_rosetta_term=7,
    tokens_a_line=24,
)


def name_of(path):
    """The dotted name of a file below the package, without the package's own name."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in FILES}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in MODULES.items()}


def lines_of(path):
    return len(path.read_text(encoding="utf-8").splitlines())


def reading_order():
    """The core's files in the order of reading, as the README lists them."""
    block = re.search(r"<!-- core -->\n```\n(.*?)```", README.read_text(encoding="utf-8"), re.S)
    return [line.split()[0] for line in block.group(1).splitlines() if line.strip()]


CORE = reading_order()


def room_of(name):
    first = name.split(".")[0]
    rooms = set().union(*ROOMS)
    if first == "__main__":
        return "cli"
    return first if first in rooms else "core"


def imported(name):
    """The package's modules that one of them imports anywhere, inside functions too."""
    found = set()
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports relatively: say `from rvae_lite...`"
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    inside = {module.removeprefix("rvae_lite.") for module in found if "rvae_lite" in module}
    return (inside & set(MODULES)) - {name, ""}


@pytest.mark.parametrize("name", MODULES)
def test_nothing_imports_to_the_right(name):
    if not name:
        return  # the package's own door names everything, and loads it when asked
    places = {room: place for place, rooms in enumerate(ROOMS) for room in rooms}
    own = room_of(name)
    wrong = [
        other
        for other in imported(name)
        if room_of(other) != own and places[room_of(other)] >= places[own]
    ]
    assert wrong == []


def test_the_readme_lists_the_core_and_nothing_else():
    files = {name for name in MODULES if room_of(name) == "core"}
    assert set(CORE) == files - LEAVES - {"", "models"}


@pytest.mark.parametrize("name", CORE)
def test_a_core_file_imports_from_lines_above_its_own_alone(name):
    before = set(CORE[: CORE.index(name)]) | LEAVES | {"models"}
    assert imported(name) <= before


def cycles(graph):
    """Those nodes of a graph that lie on a circle."""
    reach = {node: set(graph[node]) for node in graph}
    for middle in graph:
        for node in graph:
            if middle in reach[node]:
                reach[node] |= reach[middle]
    return [node for node in graph if node in reach[node]]


def test_no_file_imports_itself_by_a_detour():
    files = {name: imported(name) for name in MODULES if name}
    # A room's __init__ hands names on; whoever imports a file of a room loads it too.
    assert cycles(files) == []


def arrows():
    """Pairs of the core's files and of rooms of which one imports the other."""
    rooms = set().union(*ROOMS) - {"core", "cli"} | {"models"}

    def node(name):
        first = name.split(".")[0]
        return first if first in rooms else name

    pairs = {(node(name), node(other)) for name in MODULES if name for other in imported(name)}
    return {(one, other) for one, other in pairs if one != other}


def test_few_arrows_join_the_cores_files_and_the_rooms():
    assert len(arrows()) <= BUDGETS["arrows"]


# Budgets


def test_the_top_of_the_package_is_small():
    entries = [path for path in PACKAGE.iterdir() if path.name != "__pycache__"]
    assert len([path for path in entries if path.suffix == ".py"]) <= BUDGETS["top_files"]
    assert len([path for path in entries if path.is_dir()]) <= BUDGETS["rooms"]


def test_the_core_is_read_in_a_sitting():
    assert sum(lines_of(MODULES[name]) for name in CORE) <= BUDGETS["core_lines"]


def test_the_package_is_compact():
    assert sum(map(lines_of, FILES)) <= BUDGETS["package_lines"]


@pytest.mark.parametrize("name", MODULES)
def test_files_and_lines_are_short(name):
    lines = MODULES[name].read_text(encoding="utf-8").splitlines()
    assert len(lines) <= BUDGETS["file_lines"]
    assert max(map(len, lines), default=0) <= BUDGETS["line_characters"]


def functions(tree):
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


@pytest.mark.parametrize("name", MODULES)
def test_function_bodies_are_short(name):
    for function in functions(TREES[name]):
        body = function.body[bool(ast.get_docstring(function)) :]
        length = body[-1].end_lineno - body[0].lineno + 1 if body else 0
        assert length <= BUDGETS["body_lines"], function.name


@pytest.mark.parametrize("name", MODULES)
def test_public_signatures_are_short(name):
    for function in functions(TREES[name]):
        if function.name.startswith("_") and function.name != "__init__":
            continue
        given = function.args
        positional = [a.arg for a in given.posonlyargs + given.args if a.arg not in ("self", "cls")]
        assert len(positional) + len(given.kwonlyargs) <= BUDGETS["parameters"], function.name


def tokens_of_lines(path):
    """How many tokens stand on each line of code; docstrings and comments count as none."""
    skipped = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    counts = {}
    text = path.read_text(encoding="utf-8")
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        long_text = token.type == tokenize.STRING and token.string.startswith('"""')
        if token.type not in skipped and token.type != tokenize.ENDMARKER and not long_text:
            counts[token.start[0]] = counts.get(token.start[0], 0) + 1
    return counts.values()


def test_the_cores_lines_breathe():
    each = sorted(count for name in CORE for count in tokens_of_lines(MODULES[name]))
    assert each[round(0.9 * len(each))] <= BUDGETS["tokens_a_line"]  # nine lines of ten


def test_few_files_lie_between_fit_and_the_rosetta_term(monkeypatch):
    seen, original = [], rvae_lite.losses.rosetta_penalty

    def penalty(*arguments, **options):
        seen.append({frame.filename for frame in inspect.stack()})
        return original(*arguments, **options)

    monkeypatch.setattr("rvae_lite.objective.rosetta_penalty", penalty)
    options = dict(epochs=1, batch_size=50, rho=1.0, points=toy_points(), compile=False)
    with pytest.warns(rvae_lite.anchors.PointsNotReached):
        rvae_lite.fit(toy_model(), toy_data(), **options)
    ours = {file for file in seen[0] if Path(file).is_relative_to(PACKAGE)}
    assert 3 <= len(ours | {rvae_lite.losses.__file__}) <= BUDGETS["files_to_the_rosetta_term"]


# What an import loads


def loaded_by(statement, names):
    """Which of the named modules a fresh Python has loaded after a statement."""
    script = f"import sys; {statement}; import json; print(json.dumps(sorted(sys.modules)))"
    command = [sys.executable, "-c", script]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return set(json.loads(output)) & set(names)


def test_help_needs_neither_torch_nor_numpy():
    script = "from typer.testing import CliRunner; from rvae_lite.cli import app"
    script += "; assert 'distil' in CliRunner().invoke(app, ['--help']).output"
    assert loaded_by(script, ["torch", "numpy"]) == set()


@pytest.mark.slow
def test_importing_the_package_needs_torch_and_numpy_alone():
    before = loaded_by("import torch, numpy", HEAVY)
    assert loaded_by("import torch, numpy, rvae_lite", HEAVY) - before == set()


@pytest.mark.slow
def test_a_training_loads_no_room():
    rooms = {f"rvae_lite.{room}" for room in set().union(*ROOMS) - {"core"}}
    assert loaded_by("import rvae_lite.train", rooms) == set()


@pytest.mark.parametrize("name", MODULES)
def test_heavy_packages_are_imported_by_the_functions_that_need_them(name):
    top = [node for node in TREES[name].body if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = {alias.name for node in top if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in top if isinstance(node, ast.ImportFrom)}
    heavy = {found.split(".")[0] for found in names} & set(HEAVY)
    assert heavy <= ALLOWED.get(name, set())


# What is public


def silent_definitions(body, prefix):
    """The public functions, classes and methods in a piece of source that have no docstring."""
    for node in body:
        public = isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_")
        if not public:
            continue
        # A module's forward is what its class describes.
        if ast.get_docstring(node) is None and node.name != "forward":
            yield f"{prefix}.{node.name}"
        if isinstance(node, ast.ClassDef):
            yield from silent_definitions(node.body, f"{prefix}.{node.name}")


@pytest.mark.parametrize("name", MODULES)
def test_everything_public_has_a_docstring(name):
    assert ast.get_docstring(TREES[name])
    assert list(silent_definitions(TREES[name].body, name)) == []


@pytest.mark.slow
def test_the_names_that_the_package_exports_exist():
    for name in rvae_lite.__all__:
        assert getattr(rvae_lite, name).__doc__


def test_the_promised_modules_are_where_they_were():
    promised = "alignment data disentanglement fitted gaussian linear_vae losses metrics models"
    for name in [*promised.split(), "multirate", "rosetta", "train"]:
        assert name in MODULES
