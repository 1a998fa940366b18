"""The explorer runs in a real browser, from a disk: its numbers are the package's, its hands work."""

import json

import numpy as np
import pytest
import torch
from browsing import Survey
from loading import load_file

pytestmark = [pytest.mark.browser, pytest.mark.slow]

tool = load_file("tools/explorer.py")
PAGE = "book/explorer.html"
INK = """() => { const canvas = document.querySelector(".explorer-picture");
    return [...canvas.getContext("2d").getImageData(0, 0, 28, 28).data].filter((_, i) => !(i % 4));
}"""


@pytest.fixture(scope="module")
def content():
    return json.loads((tool.FOLDER / "explorer.json").read_text())


@pytest.fixture
def page(chromium, book):
    """The page as a file, and what its console says."""
    page = chromium.new_page(viewport=dict(width=1400, height=900))
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.on("console", lambda told: page.errors.extend([told.text] * (told.type == "error")))
    page.goto((book / PAGE).as_uri())
    page.wait_for_function("window.explorerNumbers")
    yield page
    assert page.errors == []
    page.close()


def ink(page):
    return np.array(page.evaluate(INK))


def number(page, name):
    return float(page.locator(f".explorer-{name}").inner_text().split()[0])


def test_the_script_decodes_as_the_package_does(page, content):
    model, random = tool.decoder_of(content), np.random.default_rng(0)
    for beta in (0.03, 0.1234, 1.0, 4.5, 11.0, 29.9):
        z = random.normal(size=(4, content["latent_dim"])).astype(np.float32)
        with torch.no_grad():
            theirs = model.decode(torch.from_numpy(z), beta).flatten(1).numpy()
        call = "([z, beta]) => [...explorerNumbers.decode(z, beta)]"
        ours = np.array([page.evaluate(call, [row.tolist(), beta]) for row in z])
        assert ours.shape == (4, 784) and np.isfinite(ours).all()
        assert np.abs(ours - theirs).max() < 1e-5
        assert np.ptp(ours) > 0.2


def test_numbers_are_those_of_the_table_and_straight_in_log_beta_between(page, content):
    table = content["table"]
    nodes = np.log(table["beta"])
    for beta in (*table["beta"][::8], 0.5, 7.7, 30.0):
        found = page.evaluate("beta => explorerNumbers.measured(beta)", beta)
        for name in ("rate", "distortion"):
            assert found[name] == pytest.approx(np.interp(np.log(beta), nodes, table[name]))
        columns = np.array(table["variance"]).T
        variance = [np.interp(np.log(beta), nodes, column) for column in columns]
        assert found["active"] == (np.array(variance) >= table["threshold"]).sum()


def test_curves_are_those_of_the_points(page, content):
    points = content["points"]
    shape = (len(points["beta"]), len(points["label"]), content["latent_dim"])
    z, nodes = tool.unpacked(points["z"]).view(shape).numpy(), np.log(points["beta"])
    for beta in (0.03, 0.9, 12.3, 30.0):
        for r in (0, 7):
            found = page.evaluate("([r, beta]) => explorerNumbers.latent(r, beta)", [r, beta])
            expected = [np.interp(np.log(beta), nodes, z[:, r, k]) for k in range(shape[2])]
            assert found == pytest.approx(expected, abs=1e-6)


def test_the_slider_moves_numbers_picture_and_curves(page):
    page.locator(".explorer-points button").nth(4).click()
    before = number(page, "rate"), number(page, "distortion"), number(page, "active"), ink(page)
    place = page.locator(".digit").nth(3).get_attribute("x")
    slider = page.locator("#explorer-beta")
    slider.focus()
    slider.press("End")
    assert number(page, "rate") < before[0] and number(page, "distortion") > before[1]
    assert number(page, "active") < before[2]
    assert np.abs(ink(page) - before[3]).max() > 50
    assert page.locator(".digit").nth(3).get_attribute("x") != place
    told = slider.get_attribute("aria-valuetext")
    assert told.startswith("beta 30") and "nats" in told
    slider.press("ArrowLeft")
    assert slider.get_attribute("aria-valuetext") != told


def test_the_ring_follows_the_point_that_was_pressed(page):
    button = page.locator(".explorer-points button").nth(2)
    button.focus()
    button.press("Enter")
    assert button.get_attribute("aria-pressed") == "true"
    assert page.locator(".explorer-points [aria-pressed=true]").count() == 1
    for key in ("Home", "End"):
        page.locator("#explorer-beta").press(key)
        ring, digit = page.locator(".explorer-pad .mark"), page.locator(".digit").nth(1)
        assert ring.get_attribute("cx") == digit.get_attribute("x")
    assert button.evaluate("button => button.getBoundingClientRect().width") >= 40


def test_the_pad_takes_a_pointer(page):
    pad, first = page.locator(".explorer-pad"), ink(page)
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.3 * box["height"])
    page.mouse.down()
    second = ink(page)
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] - 50, steps=3)
    page.mouse.up()
    third, where = ink(page), pad.get_attribute("aria-valuetext")
    assert np.abs(first - second).max() > 50 and np.abs(second - third).max() > 50
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
    assert pad.get_attribute("aria-valuetext") == where


def test_the_pad_takes_arrow_keys(page, content):
    pad, first = page.locator(".explorer-pad"), ink(page)
    start = pad.get_attribute("aria-valuetext")
    pad.focus()
    for key in ("ArrowRight", "ArrowUp", "Shift+ArrowUp", "Shift+ArrowRight"):
        before = pad.get_attribute("aria-valuetext")
        pad.press(key)
        assert pad.get_attribute("aria-valuetext") != before
    assert np.abs(ink(page) - first).max() > 20
    for _ in range(12):
        pad.press("Shift+ArrowLeft")
    assert float(pad.get_attribute("aria-valuenow")) == -content["reach"]
    pad.press("Home")
    assert pad.get_attribute("aria-valuetext") == start and (ink(page) == first).all()


def test_without_scripts_there_is_a_picture(chromium, book):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((book / PAGE).as_uri())
    picture = page.locator("noscript img, img.explorer-still")
    assert picture.is_visible() and len(picture.get_attribute("alt")) > 80
    assert not page.locator("#explorer-app").is_visible()
    context.close()


@pytest.mark.parametrize("script", ["", "window.explorerData = {kind: 'explorer'};"])
def test_missing_or_foreign_data_are_told(chromium, book, script):
    page = chromium.new_page()
    page.route("**/explorer_data.js", lambda route: route.fulfill(body=script))
    page.goto((book / PAGE).as_uri())
    assert "build the book again" in page.locator("#explorer-app").inner_text()
    page.close()


def test_the_page_is_clean_at_every_width_and_theme(chromium, book, address):
    survey = Survey(chromium, book, address)
    survey.visit(PAGE)
    survey.page.close()
    assert survey.console == survey.elsewhere == survey.overflow == survey.serious() == []
