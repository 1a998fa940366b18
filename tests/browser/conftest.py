"""A browser, and the book as readers get it; skipped where a part is missing."""

import subprocess
import sys
from pathlib import Path

import pytest
from loading import load_file

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def chromium():
    """A browser without a window."""
    from browsing import SWITCHES

    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is missing")
    pytest.importorskip("axe_playwright_python", reason="axe-core is missing")
    try:
        found = load_file("tools/pdf.py").browser()
    except SystemExit as missing:
        pytest.skip(str(missing))
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=found, args=SWITCHES)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def book(tmp_path_factory):
    """The folder of the book's pages, rendered from the committed notebooks without a warning."""
    folder = tmp_path_factory.mktemp("book")
    layout = [sys.executable, ROOT / "tools" / "book.py", "--target", folder / "source"]
    subprocess.run(layout, check=True)
    command = [Path(sys.executable).with_name("jupyter-book"), "build", folder / "source"]
    command += ["--path-output", folder, "-W", "-n", "--keep-going"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return folder / "_build" / "html"


@pytest.fixture(scope="session")
def address(book):
    """Where a server on this machine hands out the book's pages."""
    from browsing import serve

    server, address = serve(book)
    yield address
    server.shutdown()
    server.server_close()
