"""The repository keeps its own promises: pairs in sync, notebooks complete and short, one address, one version."""

import ast
import io
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import nbformat
import pytest
import yaml
from loading import load_file

ROOT = Path(__file__).resolve().parent.parent
CODE_LINES, SETUP_LINES, PARAMETERS = 30, 12, 8


tool, layout = load_file("tools/notebooks.py"), load_file("tools/book.py")
contents = load_file("tools/contents.py")
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
def test_a_notebook_keeps_the_digest_of_its_arithmetic(name):
    assert re.fullmatch("[0-9a-f]{12}", committed(name).metadata["arithmetic"])


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
    source += "\n:::{exercise} B\n:label: ex-a\n:::\n:::{solution} ex-a\n:::\n"
    text = tool.paper_copy(markdown_page(source), "00_a").cells[0].source
    assert "(chapter-a-paper)=" in text and "$$ (eq-a-paper)" in text
    assert "{eq}`eq-a-paper`, {eq}`eq-b`, {doc}`../notation`" in text
    assert ":label: ex-a-paper" in text and "{solution} ex-a-paper" in text
    assert "# A (larger run)" in text
    source = "# A\n:::{exercise} Think\n:label: ex-a\n:::\n\n:::{solution} ex-a\n:::"
    text = tool.paper_copy(markdown_page(source), "00_a").cells[0].source
    assert ":label: ex-a-paper\n" in text and "{solution} ex-a-paper\n" in text


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


def test_every_page_of_the_table_of_contents_exists():
    missing = [
        file
        for file in contents.pages()
        if not any((ROOT / f"{file}{end}").exists() for end in (".md", ".ipynb"))
    ]
    assert missing == []


def test_every_notebook_is_in_the_table_of_contents():
    assert {f"notebooks/{name}" for name in tool.names()} <= set(contents.pages())


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


# ---------------------------------------------------------------- make


def make(*arguments):
    return subprocess.run(["make", *arguments], cwd=ROOT, capture_output=True, text=True)


@pytest.fixture
def environment(tmp_path):
    """An installed environment by its stamp, whose Python is this one."""
    (tmp_path / "bin").mkdir()
    python = tmp_path / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    (tmp_path / ".installed").touch()
    return f"VENV={tmp_path}"


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (["NB=no_such"], r"no notebook source notebooks/no_such.py; there are: 00_quickstart, .*"),
        (["PROFILE=huge"], r"no profile huge; there are: quick, cpu, paper"),
    ],
)
def test_make_run_refuses_in_one_sentence(environment, arguments, sentence):
    result = make("run", environment, *arguments)
    said = [line for line in result.stderr.splitlines() if not line.startswith("make")]
    assert result.returncode and re.fullmatch(sentence, "\n".join(said))


def test_make_refuses_an_old_python_in_one_sentence(tmp_path):
    python = tmp_path / "python"
    script = "import sys; sys.version_info = (3, 10, 0); exec(sys.argv[1])"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{script}" "$2"\n')
    python.chmod(0o755)
    result = make("env", f"VENV={tmp_path}/env", f"PYTHON={python}")
    said = [line for line in result.stderr.splitlines() if not line.startswith("make")]
    assert result.returncode and not (tmp_path / "env").exists()
    assert len(said) == 1 and "needs Python 3.11 or newer" in said[0]


def test_make_pdf_names_the_remedy_where_there_is_no_browser(tmp_path, monkeypatch):
    monkeypatch.setenv("CHROMIUM", str(tmp_path / "nowhere"))
    command = [sys.executable, "tools/pdf.py"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 1 and len(result.stderr.splitlines()) == 1
    assert "no Chromium" in result.stderr and "install it" in result.stderr


@pytest.mark.parametrize("state", ["unfinished", "python gone"])
def test_a_broken_environment_is_installed_again(environment, tmp_path, state):
    if state == "unfinished":
        (tmp_path / ".unfinished").touch()
        (tmp_path / ".installed").unlink()
    else:
        (tmp_path / "bin" / "python").unlink()
        (tmp_path / "bin" / "python").symlink_to(tmp_path / "nowhere")
    assert "-m venv --clear" in make("-n", "env", environment).stdout


def test_make_book_executes_nothing(environment):
    commands = make("-n", "book", environment).stdout
    assert "jupyter-book build" in commands and "notebooks.py" not in commands


def test_help_lists_every_target():
    text = (ROOT / "Makefile").read_text()
    targets = set(re.search(r"^.PHONY: (.*)$", text, re.MULTILINE)[1].split()) - {"lint"}
    assert set(re.findall(r"^  (\w+) ", make("help").stdout, re.MULTILINE)) == targets


def test_sources_are_laid_out_again_only_where_they_changed(tmp_path):
    contents = {"a.md": b"a", "book/b.md": b"b"}
    layout.lay_out(contents, tmp_path)
    os.utime(tmp_path / "a.md", (1, 1))
    os.utime(tmp_path / "book" / "b.md", (1, 1))
    layout.lay_out({"book/b.md": b"c"}, tmp_path)
    assert not (tmp_path / "a.md").exists() and (tmp_path / "book/b.md").stat().st_mtime > 1
    os.utime(tmp_path / "book" / "b.md", (1, 1))
    layout.lay_out({"book/b.md": b"c"}, tmp_path)
    assert (tmp_path / "book/b.md").stat().st_mtime == 1


def test_the_archive_of_notebooks_is_the_same_for_the_same_notebooks():
    notebooks = sorted((ROOT / "notebooks").glob("0*.ipynb"))
    archive = layout.archive(notebooks)
    assert archive == layout.archive(notebooks)
    inside = zipfile.ZipFile(io.BytesIO(archive)).namelist()
    assert inside == [f"rvae_lite/{path.name}" for path in notebooks]


def test_the_front_page_cites_as_the_bibliography_does():
    entries = re.search(r"```bibtex\n(.*?)```", (ROOT / "book/index.md").read_text(), re.S)[1]
    papers, software = entries.split("@software")
    known = (ROOT / "book" / "references.bib").read_text()
    assert all(entry in known for entry in papers.strip().split("\n\n"))
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    for value in (citation["version"], citation["license"], citation["title"]):
        assert f"{{{value}}}" in software.replace("\\_", "_")


def test_the_card_for_links_has_its_size():
    from PIL import Image

    path = ROOT / "book" / "_static" / "card.png"
    with Image.open(path) as card:
        assert card.size == (1200, 630) and path.stat().st_size < 100_000


def test_continuous_integration_runs_the_same_command_as_a_reader():
    script = ROOT / ".ci" / "run"
    assert "make test" in script.read_text()
    assert os.access(script, os.X_OK)
    assert ".ci/run" in (ROOT / ".github" / "workflows" / "ci.yml").read_text()
