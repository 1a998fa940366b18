"""A table of players: what is heard and seen is what was given, and every cell has its name."""

import base64
import io
import re
import wave
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from rvae_lite.reporting.sounds import PEAK, Players, players

RATE = 22_050
HEADINGS = dict(columns=["point", "neighbour"], rows=["a & b"])


@pytest.fixture(scope="module")
def sounds():
    time = np.arange(2000) / RATE
    return [(volume * np.sin(2 * np.pi * 900 * time), RATE) for volume in (0.01, 0.7)]


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).random((2, 1, 16, 20))


def contents(page, tag):
    found = re.findall(rf'<{tag}[^>]*src="data:[^;]*;base64,([^"]*)"', page.html)
    return [base64.b64decode(each) for each in found]


def test_what_is_played_is_the_sound_as_loud_as_the_others(sounds, images):
    page = players(sounds, images, **HEADINGS)
    for content, (samples, rate) in zip(contents(page, "audio"), sounds, strict=True):
        with wave.open(io.BytesIO(content)) as file:
            assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, rate)
            played = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32767
        assert np.abs(played - PEAK * samples / np.abs(samples).max()).max() < 1e-4


def test_a_picture_has_low_frequencies_below_and_the_colours_of_the_figures(sounds, images):
    from matplotlib import colormaps

    page = players(sounds, images, **HEADINGS)
    for content, image in zip(contents(page, "img"), images[:, 0], strict=True):
        shown = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
        levels = np.rint(255 * image[::-1]).astype(int)
        assert np.array_equal(shown, colormaps["magma"](levels, bytes=True)[..., :3])


def test_every_player_and_picture_has_the_name_of_its_row_and_column(sounds, images):
    page = players(sounds, images, **HEADINGS)
    names = ["a &amp; b, point", "a &amp; b, neighbour"]
    assert re.findall(r'aria-label="([^"]*)"', page.html) == names
    assert re.findall(r'alt="spectrogram: ([^"]*)"', page.html) == names
    assert repr(page) == "Players(2 sounds)" and page._repr_html_() == page.html


def test_the_table_is_closed_and_asks_no_other_host(sounds, images):
    opened = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag, attributes):
            if tag != "img":
                opened.append(tag)

        def handle_endtag(self, tag):
            assert opened.pop() == tag

    page = players(sounds, images, **HEADINGS)
    Parser().feed(page.html)
    assert opened == [] and "http" not in page.html and "<script" not in page.html


def test_names_cannot_break_out_of_the_table(sounds, images):
    page = players(sounds, images, columns=["x", "y"], rows=['"><script>'])
    assert isinstance(page, Players) and "<script" not in page.html


def test_silence_is_played_as_silence(images):
    page = players([(np.zeros(100), RATE)], images[:1], columns=["point"], rows=["a"])
    with wave.open(io.BytesIO(contents(page, "audio")[0])) as file:
        assert set(file.readframes(100)) == {0}


def test_counts_that_do_not_fit_are_refused(sounds, images):
    needed = r"^1 rows and 2 columns need 2 sounds and images, \(n, 1, F, T\), not "
    for wrong in ((sounds[:1], images), (sounds, images[:1]), (sounds, images[:, 0])):
        with pytest.raises(ValueError, match=needed):
            players(*wrong, **HEADINGS)


@pytest.mark.parametrize("samples", [np.zeros(0), np.zeros((2, 3))])
def test_a_sound_that_is_none_is_refused(images, samples):
    with pytest.raises(ValueError, match=r"^a sound must be samples \(T,\), not of shape"):
        players([(samples, RATE)], images[:1], columns=["point"], rows=["a"])
