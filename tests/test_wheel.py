"""The package as its users install it: a wheel in an environment of its own, away from the checkout."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TRAINING = """
import rvae_lite
from rvae_lite import data

x = data.load("eight_gaussians").x
fit = rvae_lite.fit(rvae_lite.VAE.mlp(5, 2), x, epochs=2, batch_size=100)
print(rvae_lite.__file__, fit.encode(x)[0].shape[-1])
"""


def run(*command, **options):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    result = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, env=environment, **options
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def uv():
    found = shutil.which(
        "uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    )
    return found or pytest.skip("uv is not here")


@pytest.fixture(scope="module")
def wheel(uv, tmp_path_factory):
    """The built wheel; what builds it comes from the cache that installing the checkout has left."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [uv, "build", "--wheel", "--offline", "--quiet", "--python", sys.executable]
    result = subprocess.run([*command, "-o", folder, ROOT], capture_output=True, text=True)
    if "network was disabled" in result.stderr or "not found in the cache" in result.stderr:
        pytest.skip("the build system is not in uv's cache")
    assert result.returncode == 0, result.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(uv, wheel):
    """The folder of programs of a fresh environment that borrows the packages of this one."""
    home = wheel.parent / "home"
    run(uv, "venv", "--offline", "--quiet", "--python", sys.executable, home)
    python = home / "bin" / "python"
    options = ["--offline", "--quiet", "--no-deps", "--python", python]
    run(uv, "pip", "install", *options, wheel)
    site = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    Path(site, "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python.parent


def test_the_wheel_holds_the_package_and_its_tables_alone(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"rvae_lite"}
    tables = {path.name for path in (ROOT / "results").glob("*.csv")} | {"explorer.json"}
    assert tables <= {Path(name).name for name in names if "studies/results/" in name}


@pytest.mark.slow
def test_the_installed_package_trains(installed):
    file, dim = run(installed / "python", "-c", TRAINING, cwd=installed).split()
    assert dim == "2" and Path(file).is_relative_to(installed.parent)


@pytest.mark.slow
def test_the_installed_command_helps_and_lists_its_studies(installed):
    assert "distil" in run(installed / "rvae-lite", "--help", cwd=installed)
    listed = run(installed / "rvae-lite", "study", cwd=installed)
    others = {"published", "sizes"}
    studies = {path.stem for path in (ROOT / "results").glob("*.csv")} - others
    assert len(studies) > 10
    assert studies <= set(re.findall(r"^\w+", listed, re.MULTILINE))
    script = "from rvae_lite.studies.study import load_results; print(len(load_results('digits')))"
    assert int(run(installed / "python", "-c", script, cwd=installed)) > 10


# ---------------------------------------------------------------- what it asks for


def requirements():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def imported():
    """The distributions' modules that the package's files import, anywhere."""
    text = "\n".join(path.read_text() for path in (ROOT / "rvae_lite").rglob("*.py"))
    return set(re.findall(r"^\s*(?:import|from) (\w+)", text, re.MULTILINE))


MODULES = {"scikit-learn": "sklearn", "pillow": "PIL", "pyyaml": "yaml", "umap-learn": "umap"}


def test_every_dependency_is_imported():
    names = [re.match(r"[\w-]+", line)[0] for line in requirements()["dependencies"]]
    assert {MODULES.get(name, name) for name in names} <= imported()


@pytest.mark.parametrize(
    "package, call, extra",
    [
        ("umap", "figures.umap_of(np.zeros((9, 2)))", "umap"),
        ("papermill", "cli.run()", "notebooks"),
    ],
)
def test_a_missing_extra_is_named(package, call, extra, monkeypatch):
    import numpy as np

    from rvae_lite import cli
    from rvae_lite.reporting import figures

    assert extra in requirements()["optional-dependencies"]
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf'pip install "rvae_lite\[{extra}\]"'):
        eval(call, dict(np=np, cli=cli, figures=figures))
