"""Print the rendered book to one file, _build/rvae_lite.pdf, with a contents page and bookmarks.

Chromium prints each page of _build/html that _toc.yml names, in that order; a page that has not
changed since it was last printed is kept.  Links between pages lead to pages of the file.

    python tools/pdf.py
"""

import html
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import unquote, urlsplit

import contents
import yaml
from pypdf import PageObject, PdfReader, PdfWriter
from pypdf.generic import (
    ArrayObject,
    DecodedStreamObject,
    DictionaryObject,
    NameObject,
    NullObject,
)

ROOT = Path(__file__).resolve().parent.parent
HTML, PRINTED = ROOT / "_build" / "html", ROOT / "_build" / "pdf"
BOOK = ROOT / "_build" / "rvae_lite.pdf"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"]
FLAGS += ["--disable-quic", "--disable-background-networking", "--disable-component-update"]
FLAGS += ["--no-pdf-header-footer", "--virtual-time-budget=60000"]  # time for scripts, such as math
STYLE = """
@page { size: A4; margin: 18mm 16mm 14mm; }
body { font: 10.5pt/1.45 system-ui, sans-serif; margin: 0; }
h1 { font-size: 26pt; margin: 0 0 2pt; } h2 { font-size: 11pt; margin: 12pt 0 2pt; }
p { margin: 0; } .row { display: flex; } .row span { flex: 1; }
a { color: inherit; text-decoration: none; }
"""


def browser() -> str:
    """The Chromium to print with: that of the variable CHROMIUM, or the first one installed."""
    names = [os.environ["CHROMIUM"]] if os.environ.get("CHROMIUM") else BROWSERS
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        raise SystemExit(
            f"no Chromium found under {', '.join(names)}: install it (Debian: apt-get install "
            "chromium), or name it with CHROMIUM=/path/to/chrome make pdf"
        )
    return found


def parts() -> list[tuple[str | None, list[Path]]]:
    """The book's parts in order: caption, and the rendered pages."""
    listed = contents.parts()
    return [(caption, [HTML / f"{name}.html" for name in names]) for caption, names in listed]


def title(page: Path) -> str:
    """The text of a page's first heading."""
    found = re.search(
        r"<h1>((?:(?!<h1>).)*?)<a class=\"headerlink\"", page.read_text(encoding="utf-8"), re.S
    )
    return html.unescape(re.sub(r"<[^>]+>", "", found[1])).strip() if found else page.stem


def print_page(chromium: str, page: Path, target: Path) -> None:
    """Print one HTML file as a PDF, in one move."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder, "page.pdf")
        options = [*FLAGS, f"--user-data-dir={folder}/profile", f"--print-to-pdf={result}"]
        process = subprocess.run(
            [chromium, *options, page.as_uri()], capture_output=True, text=True, timeout=300
        )
        if process.returncode or not result.exists():
            raise SystemExit(f"{page.name} was not printed:\n{process.stderr[-2000:]}")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(result, target)


def print_text(chromium: str, body: str) -> PdfReader:
    """The pages of a piece of HTML in the style of the contents page."""
    page = PRINTED / "text.html"
    page.write_text(f"<!doctype html><meta charset=utf-8><style>{STYLE}</style>{body}", "utf-8")
    print_page(chromium, page, page.with_suffix(".pdf"))
    return PdfReader(page.with_suffix(".pdf"))


def print_all(chromium: str, pages: list[Path]) -> list[PdfReader]:
    """Print the pages that changed, and read all."""
    styles = max(path.stat().st_mtime for path in (HTML / "_static").glob("*.css"))
    readers = []
    for count, page in enumerate(pages, 1):
        target = PRINTED / page.relative_to(HTML).with_suffix(".pdf")
        if not target.exists() or target.stat().st_mtime < max(page.stat().st_mtime, styles):
            print(f"  {count} of {len(pages)}: {page.relative_to(HTML)}", flush=True)
            print_page(chromium, page, target)
        readers.append(PdfReader(target))
    return readers


def contents_page(listed, starts: dict[Path, int]) -> str:
    """The contents page: parts, titles, and the numbers of the pages where they start."""
    settings = yaml.safe_load((ROOT / "_config.yml").read_text())
    lines = [f"<h1>{html.escape(settings['title'])}</h1><p>{html.escape(settings['author'])}</p>"]
    for caption, pages in listed:
        lines.append(f"<h2>{html.escape(caption or 'Contents')}</h2>")
        lines += [
            f"<p><a class=row href='{page.as_uri()}'><span>{html.escape(title(page))}</span>"
            f"{starts[page]}</a></p>"
            for page in pages
        ]
    return "\n".join(lines)


def streams(writer: PdfWriter, page: PageObject) -> list:
    """What a page draws, as references to streams."""
    drawn = page.raw_get("/Contents")
    return list(drawn) if isinstance(drawn, ArrayObject) else [drawn]


def number(writer: PdfWriter) -> None:
    """Print its number at the foot of each page, in Helvetica, which readers have themselves."""
    font = dict(Type="/Font", Subtype="/Type1", BaseFont="/Helvetica")
    font = DictionaryObject({NameObject(f"/{k}"): NameObject(v) for k, v in font.items()})
    font = writer._add_object(font)

    def stream(content: str):
        drawn = DecodedStreamObject()
        drawn.set_data(content.encode())
        return writer._add_object(drawn)

    before = stream("q\n")
    for count, page in enumerate(writer.pages, 1):
        fonts = page["/Resources"].get_object().setdefault(NameObject("/Font"), DictionaryObject())
        fonts.get_object()[NameObject("/Number")] = font
        middle = float(page.mediabox.width) / 2 - 2.2 * len(str(count))
        after = stream(f"\nQ BT /Number 8 Tf 0.4 g {middle:.1f} 28 Td ({count}) Tj ET")
        page[NameObject("/Contents")] = ArrayObject([before, *streams(writer, page), after])


def place(writer: PdfWriter, first: int, reader: PdfReader, name: str) -> ArrayObject:
    """Where a link leads: an anchor of a chapter that starts at a page, or that page's top."""
    anchor = reader.named_destinations.get(f"/{name}")
    page = reader.get_destination_page_number(anchor) if anchor else 0
    top = anchor.top if anchor else NullObject()
    target = writer.pages[first + page].indirect_reference
    return ArrayObject([target, NameObject("/XYZ"), NullObject(), top, NullObject()])


def relink(writer: PdfWriter, chapters: dict[Path, tuple[int, PdfReader]]) -> None:
    """Let links to the book's pages lead into the file; other links to files go."""
    opening = PRINTED / "text.html"
    chapters = {opening: (0, PdfReader(opening.with_suffix(".pdf")))} | chapters
    for own, (first, reader) in chapters.items():
        for page in writer.pages[first : first + len(reader.pages)]:
            kept = ArrayObject()
            for reference in page.get("/Annots", ArrayObject()):
                link = reference.get_object()
                action = link.get("/A", {})
                if "/Dest" in link:
                    file, name = own, str(link["/Dest"]).removeprefix("/")
                else:
                    address = urlsplit(action.get("/URI", ""))
                    file, name = Path(unquote(address.path)), unquote(address.fragment)
                    if address.scheme != "file":
                        kept.append(reference)
                        continue
                if file in chapters:
                    link.pop("/A", None)
                    link[NameObject("/Dest")] = place(writer, *chapters[file], name)
                    kept.append(reference)
            page[NameObject("/Annots")] = kept


def join(listed, readers: dict[Path, PdfReader], opening: PdfReader) -> PdfWriter:
    """One file of the contents page and the chapters, with bookmarks, links and page numbers."""
    writer, chapters = PdfWriter(), {}
    for page in opening.pages:
        writer.add_page(page)
    for caption, pages in listed:
        parent = None
        for page in pages:
            chapters[page] = (len(writer.pages), readers[page])
            for sheet in readers[page].pages:
                writer.add_page(sheet)
            if caption and parent is None:
                parent = writer.add_outline_item(title=caption, page_number=chapters[page][0])
            writer.add_outline_item(title=title(page), page_number=chapters[page][0], parent=parent)
    relink(writer, chapters)
    number(writer)
    return writer


def main() -> None:
    chromium, listed = browser(), parts()
    pages = [page for _, chapter in listed for page in chapter]
    PRINTED.mkdir(parents=True, exist_ok=True)
    readers = dict(zip(pages, print_all(chromium, pages), strict=True))
    num_opening = 1
    while True:  # the numbers on the contents page count its own pages
        starts, first = {}, num_opening + 1
        for page in pages:
            starts[page], first = first, first + len(readers[page].pages)
        opening = print_text(chromium, contents_page(listed, starts))
        if len(opening.pages) == num_opening:
            break
        num_opening = len(opening.pages)
    writer = join(listed, readers, opening)
    writer.compress_identical_objects(remove_duplicates=True, remove_unreferenced=True)
    temporary = BOOK.with_suffix(".tmp")
    writer.write(temporary)
    temporary.replace(BOOK)
    print(f"{BOOK}: {len(writer.pages)} pages, {BOOK.stat().st_size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
