"""Lay out the book's sources in _build/src, for Jupyter Book to render.

A file whose content is as before is left alone, so that only pages that changed are read again.

    python tools/book.py                              the committed notebooks
    python tools/book.py --executed FOLDER [NAME ...] with executed copies in their place
"""

import argparse
import io
import zipfile
from pathlib import Path

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
    notebooks = [path for name, path in files.items() if name.startswith("notebooks/")]
    contents = {name: path.read_bytes() for name, path in files.items()}
    contents["book/notebooks.zip"] = archive(notebooks)
    lay_out(contents, options.target)


if __name__ == "__main__":
    main()
