"""A notebook alone, in an environment without the package: its first cell installs it, all others run."""

import functools
import os
import subprocess
import sys
import sysconfig
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import nbformat
import pytest
from loading import load_file

ROOT = Path(__file__).resolve().parent.parent
tool = load_file("tools/notebooks.py")
BARE = "import importlib.util as u; print(u.find_spec('rvae_lite') is None)"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    """The address of an index of packages on this machine that has the package's wheel alone."""
    folder = tmp_path_factory.mktemp("index")
    files = folder / "simple" / "rvae-lite"
    build = [sys.executable, "-m", "uv", "build", "--wheel", "--offline", "--quiet"]
    build += ["--python", sys.executable, "-o", files, ROOT]
    result = subprocess.run(build, capture_output=True, text=True)
    if result.returncode:
        pytest.skip("no wheel can be built without a network: " + result.stderr[-200:])
    wheel = next(files.glob("*.whl")).name
    (files / "index.html").write_text(f'<a href="{wheel}">{wheel}</a>')
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/simple"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """The Python of an environment that has everything but the package."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", folder / "home"], check=True)
    others = folder / "others"
    others.mkdir()
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if (
            "rvae_lite" not in path.name
            and path.suffix != ".pth"
            and not path.name.startswith("pip")
        ):
            (others / path.name).symlink_to(path)
    site = next((folder / "home").glob("lib/python*/site-packages"))
    (site / "others.pth").write_text(f"{others}\n")
    return folder / "home" / "bin" / "python"


@pytest.mark.slow
def test_a_notebook_installs_the_package_and_runs(index, bare, tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= dict(PIP_INDEX_URL=index, PIP_DISABLE_PIP_VERSION_CHECK="1", OMP_NUM_THREADS="1")
    run = functools.partial(
        subprocess.run, capture_output=True, text=True, env=environment, cwd=tmp_path
    )
    assert run([bare, "-c", BARE]).stdout.strip() == "True"
    notebook = nbformat.read(ROOT / "notebooks" / "00_quickstart.ipynb", as_version=4)
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    assert f" @ git+{tool.repository_url()}" in first.source
    first.source = first.source.replace(f" @ git+{tool.repository_url()}", "")
    nbformat.write(notebook, tmp_path / "a.ipynb")
    command = [bare, "-m", "papermill", "--no-progress-bar", "a.ipynb", "done.ipynb"]
    result = run(command)
    assert result.returncode == 0, result.stderr[-2000:]
    found = run([bare, "-c", "import rvae_lite; print(rvae_lite.__file__)"]).stdout
    assert Path(found).is_relative_to(bare.parents[1])


def test_every_notebook_installs_from_the_same_address():
    cells = set()
    for name in tool.names():
        notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
        cells.add(next(cell.source for cell in notebook.cells if cell.cell_type == "code"))
    assert len(cells) == 1
