"""Pages that the command line writes are clean in a real browser."""

import numpy as np
import pytest
from browsing import Survey, serve
from workbench import LONGER, MANY, circle, four_spaces

from rvae_lite.lab import drawing, inspecting
from rvae_lite.lab.comparing import compare_spaces
from rvae_lite.lab.distilling import distil_space
from rvae_lite.lab.report import comparison_page
from rvae_lite.lab.training import train_space

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A report on four spaces, and pages on points, curves and a Fit."""
    folder = tmp_path_factory.mktemp("pages")
    compared = compare_spaces(four_spaces(), anchors=np.arange(0, 150, 10))
    (folder / "report.html").write_text(comparison_page(compared, notes=["made up"]))
    for name, plan in dict(plain=LONGER, many=MANY).items():
        fit = train_space(circle(), plan=plan).fit
        fit.save(folder / f"{name}_fit.npz")
        distil_space(fit, circle(), 9).save(folder / f"{name}_points.npz")
    for path in list(folder.glob("*.npz")):
        drawing.render(inspecting.open_file(path), path.with_suffix(".html"))
    return folder


@pytest.fixture(scope="module")
def survey(chromium, folder):
    server, address = serve(folder)
    survey = Survey(chromium, folder, address)
    for path in sorted(folder.glob("*.html")):
        survey.visit(path.name)
    survey.page.close()
    server.shutdown()
    server.server_close()
    return survey


def test_pages_report_no_error_and_ask_nobody(survey):
    assert len(survey.weights) == 5
    assert survey.console == survey.elsewhere == []


def test_pages_fit_the_window(survey):
    assert survey.overflow == []


def test_axe_finds_nothing_serious(survey):
    assert survey.serious() == []


def test_headers_of_tables_say_something(survey):
    assert survey.empty_headers() == []
