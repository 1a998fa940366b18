"""The pages of the book in the order of its table of contents."""

from pathlib import Path

import yaml

TOC = Path(__file__).resolve().parent.parent / "_toc.yml"


def parts(toc: Path = TOC) -> list[tuple[str | None, list[str]]]:
    """The parts of a table of contents: caption, and the names of the pages; the root comes first.

    A name is a path without its suffix, for example "notebooks/00_quickstart".
    """
    listed = yaml.safe_load(toc.read_text())
    found = [(None, [listed["root"]])]
    for part in listed["parts"]:
        pages = []
        for chapter in part["chapters"]:
            pages += [page["file"] for page in (chapter, *chapter.get("sections", []))]
        found.append((part.get("caption"), pages))
    return found


def pages(toc: Path = TOC) -> list[str]:
    """The names of all pages of a table of contents."""
    return [page for _, names in parts(toc) for page in names]
