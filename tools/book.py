"""Lay out the book's sources in _build/src, for Jupyter Book to render.

A file whose content is as before is left alone, so that only pages that changed are read again.
Before that, what a reader would miss is refused in a sentence: a chapter without its source, a
claim without a bound, a figure without its picture.

    python tools/book.py                              the committed notebooks
    python tools/book.py --executed FOLDER [NAME ...] with executed copies in their place
"""

import argparse
import ast
import io
import json
import re
import sys
import zipfile
from pathlib import Path

import contents

from rvae_lite.reporting.claims import BOUNDS

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "_build" / "src"


def sources() -> dict[str, Path]:
    """The book's files, path in the book -> file: settings, pages, notebooks."""
    files = [ROOT / "_config.yml", ROOT / "_toc.yml", *(ROOT / "notebooks").glob("*.ipynb")]
    files += [path for path in (ROOT / "book").rglob("*") if path.is_file()]
    found = {path.relative_to(ROOT).as_posix(): path for path in sorted(files)}
    return {
        name: path for name, path in found.items() if "__pycache__" not in name and "/." not in name
    }


def archive(notebooks: list[Path]) -> bytes:
    """A zip file of notebooks, equal for equal content."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        for path in notebooks:
            entry = zipfile.ZipInfo(f"rvae_lite/{path.name}")
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            file.writestr(entry, path.read_bytes())
    return content.getvalue()


def lay_out(files: dict[str, bytes], target: Path) -> None:
    """Make a folder hold these files and no others; files with the same content stay untouched."""
    for path in target.rglob("*"):
        if path.is_file() and path.relative_to(target).as_posix() not in files:
            path.unlink()
    for name, content in files.items():
        path = target / name
        if not (path.is_file() and path.read_bytes() == content):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def missing_sources(files: dict[str, Path]) -> list[str]:
    """Chapters of the table of contents that are not there."""
    names = contents.pages(files["_toc.yml"])
    absent = [name for name in names if not {f"{name}.md", f"{name}.ipynb"} & set(files)]
    remedy = "write that page, or take its line out"
    return [f"_toc.yml: {name} has neither {name}.md nor {name}.ipynb: {remedy}" for name in absent]


def claims_without_bound(name: str, path: Path) -> list[str]:
    """The cells of a notebook whose `check` is told no bound."""
    found = []
    for cell in json.loads(path.read_text())["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] != "code" or "check(" not in source:
            continue
        for call in ast.walk(ast.parse(source)):
            named = isinstance(call, ast.Call) and getattr(call.func, "id", "") == "check"
            given = {keyword.arg for keyword in getattr(call, "keywords", ())}
            if named and not (BOUNDS | {None}) & given:  # None: bounds by **
                claim = ast.unparse(call.args[-1] if call.args else call)
                found.append(f"{name}: the claim {claim} has no bound: give below=, above=, ...")
    return found


def figures_without_picture(name: str, path: Path) -> list[str]:
    """The figures of a notebook that no output shows, and the images of a page that are absent."""
    if path.suffix == ".md":
        pattern = r"^\s*[`:]{3,}\{(?:image|figure)\} +(\S+)"
        images = re.findall(pattern, path.read_text(), flags=re.MULTILINE)
        absent = [image for image in images if not (path.parent / image).is_file()]
        return [f"{name}: its picture {image} is absent: make it, or drop it" for image in absent]
    found = []
    for cell in json.loads(path.read_text())["cells"]:
        figure = cell["metadata"].get("mystnb", {}).get("figure")
        kinds = [kind for output in cell.get("outputs", ()) for kind in output.get("data", ())]
        if figure and not any(kind.startswith("image/") for kind in kinds):
            found.append(f"{name}: no cell has drawn {figure['name']}: execute the notebook again")
    return found


def faults(files: dict[str, Path]) -> list[str]:
    """What keeps the book from being rendered, a sentence each."""
    found = missing_sources(files)
    for name, path in files.items():
        if path.suffix == ".ipynb":
            found += claims_without_bound(name, path)
        if path.suffix in (".ipynb", ".md"):
            found += figures_without_picture(name, path)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="executed notebooks to take; by default all")
    parser.add_argument("--executed", type=Path, help="folder of executed copies")
    parser.add_argument("--target", type=Path, default=TARGET, help="by default _build/src")
    options = parser.parse_args()
    files = sources()
    if options.executed:
        for path in sorted(options.executed.glob("*.ipynb")):
            if not options.names or path.stem in options.names:
                files[f"notebooks/{path.name}"] = path
    if found := faults(files):
        sys.exit("\n".join(found))
    notebooks = [path for name, path in files.items() if name.startswith("notebooks/")]
    contents = {name: path.read_bytes() for name, path in files.items()}
    contents["book/notebooks.zip"] = archive(notebooks)
    lay_out(contents, options.target)


if __name__ == "__main__":
    main()
