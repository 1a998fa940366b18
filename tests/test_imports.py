"""Imports point one way, `import rvae_lite` is light, and everything public says what it is."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import rvae_lite

PACKAGE = Path(rvae_lite.__file__).parent
MODULES = sorted(path.stem for path in PACKAGE.glob("*.py") if path.stem != "__init__")

# A module may import only from lines above its own.
LAYERS = [
    {
        "gaussian",
        "losses",
        "networks",
        "schedules",
        "storage",
        "alignment",
        "rendering",
        "disentanglement",
    },
    {"linear_vae", "metrics", "datasets", "files", "folders", "syrinx", "grammar", "vocabulary"},
    {"recordings", "annotations"},
    {"synthetic", "chairs", "gates", "pictures", "songs", "spectrograms", "sprites", "texts"},
    {"extraction"},
    {"birdsong"},
    {"ava", "birds", "finch"},
    {"data"},
    {"models", "hierarchical", "rosetta"},
    {"text", "selection", "gate_layers"},
    {"multirate"},
    {"replicas", "checkpoints", "checks"},
    {"fitted"},
    {"anchors", "rows"},
    {"train", "plots", "report", "comparison", "spaces"},
    {"plans"},
    {"laboratory", "pages", "estimator"},
    {"inspection"},
    {"recipes", "curves", "rates", "linear_rates"},
    {"settings"},
    {"disentanglement_study"},
    {"rate_experiments", "text_rates", "one_space"},
    {"frontier"},
    {"experiments"},
    {"commands"},
    {"cli"},
    {"__main__"},
]
HEAVY = (
    "matplotlib pandas sklearn scipy torchvision tqdm pooch h5py papermill typer umap PIL".split()
)


def imported_modules(name):
    """The package's modules that one of them imports anywhere, inside functions too."""
    found, prefix = set(), "rvae_lite."
    for node in ast.walk(ast.parse((PACKAGE / f"{name}.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {
                alias.name.removeprefix(prefix)
                for alias in node.names
                if alias.name.startswith(prefix)
            }
        elif isinstance(node, ast.ImportFrom) and node.module == "rvae_lite":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(prefix):
            found.add(node.module.removeprefix(prefix))
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports relatively: say `from rvae_lite...`"
    return found & set(MODULES)


def layer_of(name):
    layers = [i for i, layer in enumerate(LAYERS) if name in layer]
    assert len(layers) == 1, f"module {name} belongs to no layer, or to several: add it to LAYERS"
    return layers[0]


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_only_from_lower_layers(name):
    upward = [other for other in imported_modules(name) if layer_of(other) >= layer_of(name)]
    assert upward == []


def test_the_layers_name_no_module_that_is_gone():
    assert set().union(*LAYERS) <= set(MODULES)


def loaded_by(statement):
    """Which of the heavy packages a fresh Python has loaded after a statement."""
    script = f"import sys; {statement}; import json; print(json.dumps([m for m in {HEAVY} if m in sys.modules]))"
    output = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout
    return set(json.loads(output))


def test_importing_the_package_needs_torch_and_numpy_alone():
    assert loaded_by("import torch, numpy, rvae_lite") - loaded_by("import torch, numpy") == set()


@pytest.mark.parametrize("name", MODULES)
def test_heavy_packages_are_imported_by_the_functions_that_need_them(name):
    allowed = {"cli": {"typer"}, "commands": {"typer"}, "estimator": {"sklearn"}}.get(name, set())
    tree = ast.parse((PACKAGE / f"{name}.py").read_text(encoding="utf-8"))
    top = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = {alias.name for node in top if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in top if isinstance(node, ast.ImportFrom)}
    assert {imported.split(".")[0] for imported in names} & set(HEAVY) <= allowed


def silent_definitions(body, prefix):
    """The public functions, classes and methods in a piece of source that have no docstring."""
    for node in body:
        if not isinstance(node, (ast.FunctionDef, ast.ClassDef)) or node.name.startswith("_"):
            continue
        if (
            ast.get_docstring(node) is None and node.name != "forward"
        ):  # a module's forward is what its class describes
            yield f"{prefix}.{node.name}"
        if isinstance(node, ast.ClassDef):
            yield from silent_definitions(node.body, f"{prefix}.{node.name}")


@pytest.mark.parametrize("name", [*MODULES, "__init__"])
def test_everything_public_has_a_docstring(name):
    tree = ast.parse((PACKAGE / f"{name}.py").read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    assert list(silent_definitions(tree.body, name)) == []


def test_the_names_that_the_package_exports_exist():
    for name in rvae_lite.__all__:
        assert getattr(rvae_lite, name).__doc__
