"""The front page's demonstration in a real browser, from a disk: it plays, marks and tells."""

import json

import pytest
from browsing import Survey
from loading import load_file

pytestmark = [pytest.mark.browser, pytest.mark.slow]

tool = load_file("tools/same_map.py")
PAGE = "book/index.html"
# What the page would have played: `play` of every sound is kept in its place.
LISTEN = """window.played = [];
    HTMLMediaElement.prototype.play = function () {
        window.played.push(this.src);
        return Promise.resolve();
    };"""
DEAF = "() => { HTMLMediaElement.prototype.play = () => Promise.reject(new Error('none')); }"


@pytest.fixture(scope="module")
def content():
    text = (tool.FOLDER / "same_map_data.js").read_text()
    return json.loads(text.split(" = ", 1)[1][:-2])


@pytest.fixture
def page(chromium, book):
    """The page as a file, and what its console says."""
    page = chromium.new_page(viewport=dict(width=1400, height=900))
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.on("console", lambda told: page.errors.extend([told.text] * (told.type == "error")))
    page.add_init_script(LISTEN)
    page.goto((book / PAGE).as_uri())
    page.wait_for_selector("#same-map button")
    yield page
    assert page.errors == []
    page.close()


def rings(page):
    """Where the rings are on the three maps."""
    marks = page.locator("#same-map .mark").all()
    return [[float(mark.get_attribute(axis)) for axis in ("cx", "cy")] for mark in marks]


def test_a_pressed_syllable_is_played_marked_and_told(page, content):
    said = page.locator("#same-map [role=status]")
    for number in (0, 5):
        page.locator("#same-map button").nth(number).click()
        chosen = content["syllables"][number]
        for ring, own in zip(rings(page), content["maps"], strict=True):
            (x, y), (left, low, half) = own["z"][chosen["row"]], content["frame"]
            place = [120 * (1 + (x - left) / half), 120 * (1 - (y - low) / half)]
            assert ring == pytest.approx(place, abs=0.01)
        letter = content["types"][content["type"][chosen["row"]]]
        assert said.inner_text().startswith(f"Syllable {letter} lies at (")
        assert page.evaluate("played.at(-1)").endswith(chosen["sound"])
        assert page.locator("#same-map [aria-pressed=true]").count() == 1
    assert page.evaluate("played.length") == 2


def test_the_first_two_maps_agree_and_the_third_does_not(page, content):
    apart = {1: [], 2: []}
    for button in page.locator("#same-map button").all():
        button.click()
        first, *others = rings(page)
        for number, (x, y) in enumerate(others, 1):
            apart[number].append(((x - first[0]) ** 2 + (y - first[1]) ** 2) ** 0.5)
    assert max(apart[1]) < 20 and sorted(apart[2])[len(apart[2]) // 2] > 40


def test_keys_reach_every_syllable(page, content):
    page.locator("#same-map button").first.focus()
    for number in range(len(content["syllables"])):
        page.keyboard.press("Enter" if number % 2 else "Space")
        focused = page.evaluate("document.activeElement.getAttribute('aria-pressed')")
        assert focused == "true" and page.evaluate("played.length") == number + 1
        page.keyboard.press("Tab")
    names = page.locator("#same-map button").evaluate_all("all => all.map(b => b.ariaLabel)")
    assert len(set(names)) == len(names) and all(name.startswith("Play") for name in names)


def test_every_dot_letter_and_point_is_drawn(page, content):
    assert page.locator("#same-map .dot").count() == 3 * len(content["type"])
    assert page.locator("#same-map .point").count() == 2 * len(content["points"])
    assert page.locator("#same-map svg text").count() == 3 * len(content["types"])
    told = page.locator("#same-map figcaption span").all_inner_texts()
    numbers = [f"{100 * each['distance']:.1f} %" for each in content["maps"]]
    assert numbers[1] in told[1] and "best map fitted afterwards" in told[2]


def test_spectrograms_are_drawn_with_low_frequencies_below(page, content):
    import base64

    script = """canvas => [...canvas.getContext("2d").getImageData(0, 0, 32, 32).data]"""
    drawn = page.locator("#same-map canvas").first.evaluate(script)[::4]
    image = base64.b64decode(content["syllables"][0]["image"])
    assert drawn[-32:] == list(image[:32]) and drawn[:32] == list(image[-32:])


def test_a_sound_that_cannot_be_played_is_told(page):
    page.evaluate(DEAF)
    page.locator("#same-map button").first.click()
    page.wait_for_function(
        "document.querySelector('#same-map [role=status]').innerText.includes('could not be')"
    )
    assert rings(page)[0][0] > 0


def test_a_real_sound_loads(chromium, book):
    page = chromium.new_page()
    page.goto((book / PAGE).as_uri())
    page.wait_for_selector("#same-map button")
    length = page.evaluate("""() => new Promise((done, failed) => {
        const sound = new Audio("data:audio/wav;base64," + sameMap.syllables[0].sound);
        sound.onloadedmetadata = () => done(sound.duration);
        sound.onerror = () => failed(sound.error.message);
    })""")
    assert 0.02 < length < 0.6
    page.close()


def test_letters_can_be_read_on_a_telephone(page):
    page.set_viewport_size(dict(width=400, height=900))
    width = page.locator("#same-map svg").first.evaluate("svg => svg.getBoundingClientRect().width")
    assert 20 * width / 240 > 9


def test_without_scripts_there_is_a_picture(chromium, book):
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((book / PAGE).as_uri())
    picture = page.locator("img.same-map-still")
    assert picture.is_visible() and len(picture.get_attribute("alt")) > 80
    assert not page.locator("#same-map").is_visible()
    context.close()


@pytest.mark.parametrize("script", ["", "window.sameMap = {kind: 'same map'};"])
def test_missing_or_foreign_data_are_told(chromium, book, script):
    page = chromium.new_page()
    page.route("**/same_map_data.js", lambda route: route.fulfill(body=script))
    page.goto((book / PAGE).as_uri())
    page.wait_for_selector("#same-map:not([hidden])")
    assert "build the book again" in page.locator("#same-map").inner_text()
    page.close()


def test_the_page_is_clean_at_every_width_and_theme(chromium, book, address):
    survey = Survey(chromium, book, address)
    survey.visit(PAGE)
    survey.page.close()
    assert survey.console == survey.elsewhere == survey.overflow == survey.serious() == []
