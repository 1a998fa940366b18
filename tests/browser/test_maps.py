"""The maps of a comparison in a real browser: hover, toggles, keys, and nobody asked for anything."""

import numpy as np
import pytest
from workbench import draw, explored, floats, four_spaces

from rvae_lite.lab.comparing import compare_spaces
from rvae_lite.lab.exploring import Examples
from rvae_lite.lab.report import comparison_page

pytestmark = [pytest.mark.browser, pytest.mark.slow]
WICKED = "</script><img src=x onerror=window.hurt=1><script>window.hurt=2</script>"
# The colours of a canvas: how many different ones there are, and a sum that tells pictures apart.
PIXELS = """id => {
    const canvas = document.getElementById(id), {width, height} = canvas;
    const bytes = canvas.getContext("2d").getImageData(0, 0, width, height).data;
    return [new Set(new Uint32Array(bytes.buffer)).size,
        bytes.reduce((sum, byte, k) => (sum + byte * (k % 9973)) % 1e12, 0)];
}"""


@pytest.fixture(scope="module")
def page_text():
    """A report on four spaces of labelled pictures; some names would hurt as markup."""
    shades = np.linspace(20, 255, 150).astype(np.uint8)
    x = np.broadcast_to(shades[:, None, None, None], (150, 1, 8, 8)).copy()
    x[:, :, :4] //= 4  # darker above
    ids = np.array([f"{WICKED}{number}" for number in range(150)])
    labels = np.array(["finch", WICKED, "wren"] * 50)
    spaces = four_spaces() | {WICKED: draw(150, 2, seed=5)}
    compared = compare_spaces(spaces, anchors=np.arange(0, 150, 10))
    return comparison_page(compared, title=WICKED, examples=Examples(ids, labels, x))


@pytest.fixture
def page(chromium, tmp_path, page_text):
    """The report, opened as a file; a test fails by any error or request."""
    (tmp_path / "report.html").write_text(page_text)
    address = (tmp_path / "report.html").as_uri()
    page, wrong = chromium.new_page(viewport=dict(width=1200, height=900)), []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text))
    page.on("request", lambda request: wrong.append(request.url))
    page.goto(address)
    page.wait_for_function("document.getElementById('told').textContent")
    page.locator("#explorer").scroll_into_view_if_needed()
    yield page
    asked = [each for each in wrong if not each.startswith(("data:", address))]
    asked = [each for each in asked if "getImageData" not in each]  # these tests read often
    assert asked == [] and page.evaluate("window.hurt") is None
    page.close()


def told(page):
    return page.locator("#told").inner_text()


def pixels(page, name):
    return page.evaluate(PIXELS, name)


def place_of(page, page_text, number, side="left"):
    """Where an example lies on the screen of a map with the reference's plane, raw."""
    data = explored(page_text)
    own = floats(data["dots"]).reshape(-1, 2)
    other = floats(data["spaces"][0]["maps"]["unaligned"]["dots"]).reshape(-1, 2)
    order = np.sort(other, 0)
    low = np.minimum(own.min(0), order[int(0.005 * 150)])
    high = np.maximum(own.max(0), order[int(0.995 * 150)])
    box = page.locator(f"#{side}").bounding_box()
    size = np.array([box["width"], box["height"]])
    scale = 0.9 * (size / (high - low)).min()
    dot = (own if side == "left" else other)[number]
    x, y = size / 2 + scale * (dot - (low + high) / 2) * [1, -1]
    return box["x"] + x, box["y"] + y


def test_an_example_that_is_pointed_at_is_shown_in_both_maps(page, page_text):
    before = pixels(page, "left"), pixels(page, "right")
    own = floats(explored(page_text)["dots"]).reshape(-1, 2)
    alone = int(np.abs(own - own.mean(0)).sum(1).argmax())
    page.mouse.move(*place_of(page, page_text, alone))
    assert told(page).startswith(f"Example {WICKED}{alone}; label ")
    assert pixels(page, "left") != before[0] and pixels(page, "right") != before[1]
    assert page.locator("#picture").get_attribute("aria-label").endswith(str(alone))
    shade = int(np.linspace(20, 255, 150).astype(np.uint8)[alone])
    below = "c => [...c.getContext('2d').getImageData(136, 200, 1, 1).data]"
    assert page.locator("#picture").evaluate(below) == [shade] * 3 + [255]
    page.check("#turned")
    assert page.locator("#picture").evaluate(below) == [shade // 4] * 3 + [255]
    page.mouse.move(*place_of(page, page_text, alone, "right"))
    assert told(page).startswith("Example ")


def test_a_click_holds_an_example(page, page_text):
    page.mouse.click(*place_of(page, page_text, 3))
    held = told(page)
    assert "held: a click or Escape lets go" in held
    page.mouse.move(*place_of(page, page_text, 80))
    assert told(page) == held
    page.keyboard.press("Escape")
    assert told(page) == "No example is chosen."
    page.mouse.click(*place_of(page, page_text, 3))
    page.locator("#left").click(position=dict(x=2, y=2))  # empty ground
    assert told(page) == "No example is chosen."


def test_each_map_moves_the_right_side_and_says_its_distance(page, page_text):
    seen, maps = set(), explored(page_text)["spaces"][0]["maps"]
    for metric, side in maps.items():
        page.check(f"[name=map][value={metric}]")
        seen.add(tuple(pixels(page, "right")))
        assert side["told"] in page.locator("#measured").inner_text()
    assert len(seen) >= len(maps) - 1  # rotation with and without scale may agree to a pixel
    assert page.locator("[name=map]").count() == len(maps) + 1
    assert not page.locator("[value=known]").is_visible()


def test_each_colour_has_a_legend_of_its_own(page):
    seen = set()
    for colour in ("turn", "labels", "far", "spread", "covering"):
        page.check(f"[name=colour][value={colour}]")
        seen.add((page.locator("#legend").inner_text(), tuple(pixels(page, "left"))))
    assert len({text for text, _ in seen}) == len({drawn for _, drawn in seen}) == 5
    page.check("[value=labels]")
    assert f"{WICKED} (50)" in page.locator("#legend").inner_text()


def test_anchors_can_be_taken_away(page):
    before = pixels(page, "left")
    page.uncheck("#anchors")
    assert pixels(page, "left") != before
    page.check("#anchors")
    assert pixels(page, "left") == before


def test_a_space_of_another_k_is_not_measured_where_it_cannot_be(page):
    page.select_option("#space", label=WICKED)
    assert "K differs" in page.locator("#measured").inner_text()
    assert (
        page.locator("[value=far]").is_disabled()
        and page.locator("[value=procrustes]").is_disabled()
    )
    page.check("[value=affine]")
    assert page.locator("[value=far]").is_enabled()
    page.check("[value=far]")
    page.check("[value=unaligned]")
    assert page.locator("[value=turn]").is_checked()


def test_keys_go_from_example_to_example(page):
    page.locator("#left").focus()
    page.keyboard.press("Home")
    assert told(page).startswith(f"Example {WICKED}0; ") and "an anchor" in told(page)
    page.keyboard.press("PageDown")
    assert told(page).startswith(f"Example {WICKED}1; ") and "an anchor" not in told(page)
    page.keyboard.press("End")
    assert told(page).startswith(f"Example {WICKED}149; ")
    seen = [told(page)]
    for _ in range(400):
        page.keyboard.press("ArrowRight")
        if told(page) == seen[-1]:
            break
        seen.append(told(page))
    assert 1 < len(seen) == len(set(seen))  # to the right edge, and nobody twice
    page.keyboard.press("ArrowLeft")
    assert told(page) != seen[-1]
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowUp")
    assert page.evaluate("document.activeElement.id") == "right"
    assert page.locator("#told").get_attribute("role") == "status"


def test_without_scripts_there_are_pictures(chromium, tmp_path, page_text):
    (tmp_path / "report.html").write_text(page_text)
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((tmp_path / "report.html").as_uri())
    assert not page.locator("#explorer").is_visible()
    assert page.locator("noscript img").count() == 5
    assert page.locator("noscript img").first.bounding_box()["width"] > 200
    context.close()
