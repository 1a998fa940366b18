"""The repository keeps its own promises: pairs in sync, notebooks complete and short, one address, one version."""

import ast
import importlib.util
import os
import re
import subprocess
import tomllib
from pathlib import Path

import nbformat
import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
CODE_LINES, SETUP_LINES, PARAMETERS = 30, 12, 8


def load_tool():
    spec = importlib.util.spec_from_file_location("notebooks_tool", ROOT / "tools" / "notebooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tool = load_tool()
notebook_names = pytest.mark.parametrize("name", tool.names())


def committed(name):
    return nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tagged(notebook, tag):
    return [cell for cell in code_cells(notebook) if tag in cell.metadata.get("tags", [])]


def num_lines(cell):
    return len([line for line in cell.source.splitlines() if line.strip()])


def tracked_files():
    """Files that git tracks or would track, text only, vendored code left out."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if listing.returncode:
        pytest.skip("not a git checkout")
    for name in filter(None, listing.stdout.split("\0")):
        path = ROOT / name
        if "vendor" in path.parts or not path.is_file():
            continue
        try:
            yield name, path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


# ---------------------------------------------------------------- notebooks


def test_every_notebook_has_its_source():
    assert {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")} == set(tool.names())


@notebook_names
def test_a_notebook_is_in_sync_with_its_source(name):
    assert tool.difference(name) is None, "rebuild it with: make notebooks"


@notebook_names
def test_a_notebook_is_in_normal_form(name):
    path = ROOT / "notebooks" / f"{name}.ipynb"
    assert (
        path.read_text(encoding="utf-8") == nbformat.writes(tool.normalise(committed(name))) + "\n"
    )


@notebook_names
def test_a_notebook_was_executed_from_top_to_bottom(name):
    cells = code_cells(committed(name))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert any(cell.outputs for cell in cells)


@notebook_names
def test_a_notebook_holds_no_errors_and_no_standard_error(name):
    outputs = [output for cell in code_cells(committed(name)) for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    assert not [output.text for output in outputs if output.get("name") == "stderr"]


@notebook_names
def test_the_parameters_are_a_few_plain_assignments(name):
    notebook = committed(name)
    cells = tagged(notebook, "parameters")
    assert len(cells) == 1
    assert not tagged(notebook, "injected-parameters"), (
        "committed notebooks run with the defaults of their parameters"
    )
    statements = ast.parse(cells[0].source).body
    assert all(isinstance(statement, ast.Assign | ast.AnnAssign) for statement in statements)
    assert 1 <= len(statements) <= PARAMETERS


@notebook_names
def test_the_setup_is_short(name):
    cells = code_cells(committed(name))
    start = next(i for i, cell in enumerate(cells) if "parameters" in cell.metadata.get("tags", []))
    rest = [
        cell for cell in cells[start + 1 :] if "nbval-skip" not in cell.metadata.get("tags", [])
    ]
    assert num_lines(rest[0]) <= SETUP_LINES


@notebook_names
def test_code_cells_are_short(name):
    assert [
        cell.source for cell in code_cells(committed(name)) if num_lines(cell) > CODE_LINES
    ] == []


@notebook_names
def test_a_notebook_has_one_title(name):
    text = "\n".join(cell.source for cell in committed(name).cells if cell.cell_type == "markdown")
    text = re.sub(r"^(```+|~~~+|:::+).*?^\1", "", text, flags=re.MULTILINE | re.DOTALL)
    assert len(re.findall(r"^# \S", text, flags=re.MULTILINE)) == 1


# ---------------------------------------------------------------- the notebook tool


def markdown_page(source):
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(source)])


def test_a_larger_run_has_labels_of_its_own():
    source = "(chapter-a)=\n# A\n\n$$\na\n$$ (eq-a)\n\nSee {eq}`eq-a`, {eq}`eq-b`, {doc}`../book/notation`."
    text = tool.paper_copy(markdown_page(source), "00_a").cells[0].source
    assert "(chapter-a-paper)=" in text and "$$ (eq-a-paper)" in text
    assert "{eq}`eq-a-paper`, {eq}`eq-b`, {doc}`../notation`" in text
    assert "# A (larger run)" in text


def test_a_larger_run_names_its_parameters_and_drops_remarks_about_the_machine():
    notebook = markdown_page("# A")
    cell = nbformat.v4.new_code_cell(
        "# Parameters\nepochs = 30", metadata=dict(tags=["injected-parameters"])
    )
    log = "W1121 02:45:48.586000 1 torch/utils/cpp.py:183] no CUDA\n"
    log += "/some/tqdm/auto.py:21: TqdmWarning: IProgress not found.\n  from .autonotebook import tqdm\n"
    cell.outputs = [
        nbformat.v4.new_output("stream", name="stderr", text=text)
        for text in (log, log + "a warning\n")
    ]
    copy = tool.paper_copy(nbformat.v4.new_notebook(cells=[*notebook.cells, cell]), "00_a")
    assert "executed with `epochs = 30`" in copy.cells[0].source
    assert [output.text for output in copy.cells[1].outputs] == ["a warning\n"]


def test_pieces_of_one_stream_are_joined():
    pieces = [nbformat.v4.new_output("stream", name="stdout", text=text) for text in ("a\n", "b\n")]
    other = nbformat.v4.new_output("display_data", data={"text/plain": "c"})
    assert [output.get("text") for output in tool.joined([*pieces, other])] == ["a\nb\n", None]


# ---------------------------------------------------------------- book


def toc_files():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    return [toc["root"]] + [
        chapter["file"] for part in toc["parts"] for chapter in part["chapters"]
    ]


def test_every_page_of_the_table_of_contents_exists():
    missing = [
        file
        for file in toc_files()
        if not any((ROOT / f"{file}{end}").exists() for end in (".md", ".ipynb"))
    ]
    assert missing == []


def test_every_notebook_is_in_the_table_of_contents():
    assert {f"notebooks/{name}" for name in tool.names()} <= set(toc_files())


def test_what_draws_formulas_lies_beside_the_book():
    config = yaml.safe_load((ROOT / "_config.yml").read_text())["sphinx"]
    assert config["config"]["html_math_renderer"] == "katex"
    vendored = ROOT / "book" / "_static" / "vendor" / "katex"
    assert {"LICENSE", "katex.min.js", "katex.min.css"} <= {p.name for p in vendored.iterdir()}
    style = (vendored / "katex.min.css").read_text()
    assert all((vendored / name).is_file() for name in re.findall(r"url\(([^)]*)\)", style))


# ---------------------------------------------------------------- whole repository


def test_the_repository_address_stands_in_one_place():
    address = tool.repository_url().split("//")[1]
    holders = [
        name for name, text in tracked_files() if address in text and not name.endswith(".ipynb")
    ]
    assert holders == ["_config.yml"]


def test_no_file_names_a_path_of_one_machine():
    pattern = re.compile(r"(?<![\w.])/(work|root|home|Users)/\w")
    assert [name for name, text in tracked_files() if pattern.search(text)] == []


def test_the_version_is_the_same_everywhere():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f'__version__ = "{version}"' in (ROOT / "rvae_lite" / "__init__.py").read_text()
    assert str(yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"]) == version


def test_continuous_integration_runs_the_same_command_as_a_reader():
    script = ROOT / ".ci" / "run"
    assert "make test" in script.read_text()
    assert os.access(script, os.X_OK)
    assert ".ci/run" in (ROOT / ".github" / "workflows" / "ci.yml").read_text()
