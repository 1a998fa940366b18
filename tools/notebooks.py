"""Build the notebooks from their text sources: notebooks/NN_topic.py -> notebooks/NN_topic.ipynb.

The .py file (percent format) is the only file to edit.
A notebook is executed by papermill in a temporary folder, normalised so that two runs differ in
nothing but their numbers, and copied into place only when every cell has succeeded.

    python tools/notebooks.py build [NAME ...]          rebuild committed notebooks (quick profile)
    python tools/notebooks.py check                     are all pairs in sync?
    python tools/notebooks.py run [NAME ...]            executed copies in _build/run/PROFILE,
                                                        unchanged ones kept
    python tools/notebooks.py paper NAME [--executed FILE]
                                                        book/paper/NAME.ipynb, `cpu` or `paper`
"""

import argparse
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import jupytext
import nbformat
import yaml

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
PAPER = ROOT / "book" / "paper"
RUN = ROOT / "_build" / "run"
ARITHMETIC = ROOT / "tools" / "arithmetic.py"
CELL_METADATA = ("tags", "mystnb", "slideshow")
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python", "pygments_lexer": "ipython3"},
}


# ---------------------------------------------------------------- sources


def names() -> list[str]:
    """Names of all notebook sources, in the order of their numbers."""
    return sorted(path.stem for path in NOTEBOOKS.glob("[0-9][0-9]_*.py"))


def repository_url() -> str:
    """The repository's address, whose one place is _config.yml."""
    return yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]["url"]


def read_source(name: str) -> nbformat.NotebookNode:
    """The notebook of a .py source: no outputs, the repository's address filled in."""
    path = NOTEBOOKS / f"{name}.py"
    if not path.exists():
        raise SystemExit(
            f"no notebook source {path.relative_to(ROOT)}; there are: {', '.join(names())}"
        )
    notebook = jupytext.reads(path.read_text(encoding="utf-8"), fmt="py:percent")
    for cell in notebook.cells:
        cell.source = cell.source.replace("REPOSITORY_URL", repository_url())
    return normalise(notebook)


def cells(notebook: nbformat.NotebookNode) -> list[tuple[str, str, dict]]:
    """What a pair must agree on: type, source and metadata of each cell."""
    return [(cell.cell_type, cell.source.strip(), dict(cell.metadata)) for cell in notebook.cells]


def difference(name: str) -> str | None:
    """One sentence on how NAME.ipynb differs from NAME.py, or None where the pair is in sync."""
    path = NOTEBOOKS / f"{name}.ipynb"
    if not path.exists():
        return f"{name}.ipynb is missing"
    source, committed = cells(read_source(name)), cells(nbformat.read(path, as_version=4))
    for number, (ours, theirs) in enumerate(zip(source, committed, strict=False)):
        if ours != theirs:
            return f"{name}: cell {number} of the .ipynb differs from the .py"
    if len(source) != len(committed):
        return f"{name}: the .py has {len(source)} cells, the .ipynb {len(committed)}"
    return None


# ---------------------------------------------------------------- normal form


def normalise(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Number the cells, keep the metadata that matters, join what one stream printed in pieces."""
    kept = {key: notebook.metadata[key] for key in ("arithmetic",) if key in notebook.metadata}
    notebook.metadata = nbformat.from_dict(METADATA | kept)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:03d}"
        cell.metadata = nbformat.from_dict(
            {key: cell.metadata[key] for key in CELL_METADATA if cell.metadata.get(key)}
        )
        if cell.cell_type == "code":
            cell.outputs = joined(cell.outputs)
    return notebook


def joined(outputs: list) -> list:
    """The outputs with each run of pieces of one stream joined into one output."""
    result = []
    for output in outputs:
        last = result[-1] if result else None
        if last and output.output_type == last.output_type == "stream" and output.name == last.name:
            last.text += output.text
        else:
            result.append(output)
    return result


def write(notebook: nbformat.NotebookNode, path: Path) -> None:
    """Write a valid notebook in one move, and leave an equal file alone."""
    nbformat.validate(notebook)
    text = nbformat.writes(notebook) + "\n"
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


# ---------------------------------------------------------------- execution


def executed(
    notebook: nbformat.NotebookNode, name: str, parameters: dict | None = None
) -> nbformat.NotebookNode:
    """The notebook as papermill executes it, with notebooks/ as its working directory.

    Its metadata keep the digest of the arithmetic: with another one its numbers differ.
    """
    sources = [cell.source for cell in notebook.cells]
    for cell in notebook.cells:  # the package is here already; an install line is for Colab
        cell.source = re.sub(r"^%pip install.*$", "pass", cell.source, flags=re.MULTILINE)
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder, f"{name}.ipynb"), Path(folder, "executed.ipynb")
        nbformat.write(notebook, before)
        command = [
            sys.executable,
            "-m",
            "papermill",
            str(before),
            str(after),
            "--kernel",
            "python3",
        ]
        command += ["--cwd", str(NOTEBOOKS), "--no-progress-bar", "--log-level", "ERROR"]
        if parameters:
            Path(folder, "parameters.yml").write_text(yaml.safe_dump(parameters))
            command += ["--parameters_file", str(Path(folder, "parameters.yml"))]
        environment = {"OMP_NUM_THREADS": "1"} | dict(os.environ)
        process = subprocess.run(command, env=environment, capture_output=True, text=True)
        if process.returncode:
            raise RuntimeError(f"{name} failed:\n{process.stderr[-6000:]}")
        result = nbformat.read(after, as_version=4)
    result.metadata["arithmetic"] = arithmetic()
    ours = [
        cell for cell in result.cells if "injected-parameters" not in cell.metadata.get("tags", [])
    ]
    for cell, source in zip(ours, sources, strict=True):
        cell.source = source
    return normalise(result)


@cache
def arithmetic() -> str:
    """The digest of the arithmetic that notebooks are executed with."""
    return subprocess.check_output([sys.executable, str(ARITHMETIC)], text=True).strip()


def run_all(
    chosen: list[str],
    folder: Path,
    jobs: int,
    *,
    profile: str = "quick",
    keys: dict[str, str] | None = None,
) -> None:
    """Execute notebooks side by side into a folder; given keys are kept beside the copies."""

    def one(name: str) -> str | None:
        start = time.monotonic()
        try:
            notebook = executed(read_source(name), name, parameters(name, profile))
        except RuntimeError as error:
            return str(error)
        write(without_remarks(notebook), folder / f"{name}.ipynb")
        if keys:
            (folder / f"{name}.key").write_text(keys[name])
        print(f"  {name}: {time.monotonic() - start:.0f} s", flush=True)
        return None

    with ThreadPoolExecutor(jobs) as pool:
        errors = [error for error in pool.map(one, chosen) if error]
    if errors:
        raise SystemExit("\n\n".join(errors))


def parameters(name: str, profile: str) -> dict:
    """A notebook's parameters in a profile, beyond the defaults that it states itself."""
    profiles = {"quick": {}} | yaml.safe_load((NOTEBOOKS / "profiles.yml").read_text())
    if profile not in profiles:
        raise SystemExit(f"no profile {profile}; there are: {', '.join(profiles)}")
    return profiles[profile].get(name, {})


def key(name: str, profile: str) -> str:
    """A digest of a notebook's source, parameters, the package, tables and versions."""
    digest = hashlib.sha256(nbformat.writes(read_source(name)).encode())
    digest.update(repr(parameters(name, profile)).encode())
    package = sorted(
        p for p in (ROOT / "rvae_lite").rglob("*") if p.is_file() and "__pycache__" not in p.parts
    )
    for path in [
        *package,
        *sorted((ROOT / "results").glob("*.*")),
        ROOT / "requirements.lock",
        Path(__file__),
    ]:
        digest.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return digest.hexdigest()


# ---------------------------------------------------------------- copies at a larger scale

LABELS = re.compile(
    r"^\(([\w:-]+)\)=$|^:(?:label|name): *([\w:-]+)|^\$\$ *\(([\w:-]+)\)", flags=re.MULTILINE
)


def relabelled(source: str, labels: set[str]) -> str:
    """Markdown whose own labels end in -paper, and whose links fit the deeper folder."""
    for label in labels:
        pattern = rf"([(`<]|:(?:label|name): *|\{{solution\}} *){label}([)`>]|$)"
        source = re.sub(pattern, rf"\1{label}-paper\2", source, flags=re.MULTILINE)
    return source.replace("../book/", "../")


def paper_copy(notebook: nbformat.NotebookNode, name: str) -> nbformat.NotebookNode:
    """The page of an executed chapter beside the chapter: its own labels, title and opening."""
    injected = [
        cell for cell in notebook.cells if "injected-parameters" in cell.metadata.get("tags", [])
    ]
    changed = [line for cell in injected for line in cell.source.splitlines() if "=" in line]
    opening = (
        f"```{{admonition}} A larger run\n"
        f"This is {{doc}}`the chapter <../../notebooks/{name}>`, executed with "
        f"{', '.join(f'`{line}`' for line in changed) or 'the parameters of its own'}.\n"
        "The text is the chapter's; the outputs are of this run.\n```"
    )
    labels = {
        label
        for cell in notebook.cells
        for found in LABELS.findall(cell.source)
        for label in found
        if label
    }
    figures = [
        cell.metadata.mystnb.figure
        for cell in notebook.cells
        if "figure" in cell.metadata.get("mystnb", {})
    ]
    labels |= {figure.name for figure in figures if "name" in figure}
    for figure in figures:
        if "name" in figure:
            figure.name += "-paper"
    titled = False
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = relabelled(cell.source, labels)
            if not titled and (title := re.search(r"^# .+$", cell.source, flags=re.MULTILINE)):
                line = title.group()
                cell.source = cell.source.replace(line, f"{line} (larger run)\n\n{opening}", 1)
                titled = True
    return normalise(without_remarks(notebook))


REMARKS = re.compile(r"^[WI]\d{4} .*\n?|^.*TqdmWarning: .*\n(?:  .*\n?)?", flags=re.MULTILINE)


def without_remarks(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """A notebook without the remarks of torch.compile and tqdm; warnings of ours stay."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                output.text = REMARKS.sub("", output.text)
        if "outputs" in cell:
            cell.outputs = [output for output in cell.outputs if output.get("text") != ""]
    return notebook


# ---------------------------------------------------------------- command line


def build(chosen: list[str], jobs: int) -> None:
    run_all(chosen or names(), NOTEBOOKS, jobs)


def check() -> None:
    problems = [problem for name in names() if (problem := difference(name))]
    if problems:
        raise SystemExit("\n".join(problems) + "\nRebuild with: make notebooks")
    print(f"{len(names())} pairs in sync")


def run(chosen: list[str], profile: str, jobs: int) -> None:
    folder = RUN / profile
    keys = {name: key(name, profile) for name in chosen or names()}
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():  # notebooks whose source is gone
        if path.stem not in names():
            path.unlink()

    def fresh(name: str) -> bool:
        path = folder / f"{name}.key"
        return (
            path.exists() and path.with_suffix(".ipynb").exists() and path.read_text() == keys[name]
        )

    stale = [name for name in keys if not fresh(name)]
    print(f"{len(stale)} of {len(keys)} notebooks to execute, {jobs} at a time", flush=True)
    run_all(stale, folder, jobs, profile=profile, keys=keys)


def paper(name: str, given: Path | None, done: Path | None, profile: str) -> None:
    if done:
        notebook = nbformat.read(done, as_version=4)
    else:
        chosen = yaml.safe_load(given.read_text()) if given else parameters(name, profile)
        notebook = executed(read_source(name), name, chosen)
    write(paper_copy(notebook, name), PAPER / f"{name}.ipynb")
    print(f"book/paper/{name}.ipynb written; its entry in _toc.yml is: file: book/paper/{name}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser(
        "build", help="rebuild the committed notebooks from their sources"
    )
    command.add_argument("names", nargs="*", help="such as 00_quickstart; all when none is named")
    command.add_argument(
        "--profile", choices=["quick"], default="quick", help="committed notebooks are always quick"
    )
    command.add_argument("--jobs", type=int, default=2, help="notebooks executed at a time")
    commands.add_parser("check", help="compare each notebook with its source")
    command = commands.add_parser(
        "run", help="write executed copies to _build/run, keeping unchanged ones"
    )
    command.add_argument("names", nargs="*", help="such as 00_quickstart; all when none is named")
    command.add_argument("--profile", default="quick", help="quick, or one of profiles.yml")
    command.add_argument("--jobs", type=int, default=2, help="notebooks executed at a time")
    command = commands.add_parser("paper", help="write book/paper/NAME.ipynb")
    command.add_argument("name")
    command.add_argument(
        "--profile", choices=["cpu", "paper"], default="cpu", help="of profiles.yml"
    )
    command.add_argument("--parameters", type=Path, help="YAML file instead of a profile")
    command.add_argument(
        "--executed", type=Path, help="a notebook that already ran at the papers' scale elsewhere"
    )
    options = parser.parse_args()
    if options.command == "build":
        build([Path(name).stem for name in options.names], options.jobs)
    elif options.command == "check":
        check()
    elif options.command == "run":
        run([Path(name).stem for name in options.names], options.profile, options.jobs)
    else:
        paper(Path(options.name).stem, options.parameters, options.executed, options.profile)


if __name__ == "__main__":
    main()
