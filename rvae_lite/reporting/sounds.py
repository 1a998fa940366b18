"""Sounds in a page: a table of spectrograms with a player below each, without script or network."""

import base64
import html
import io
import wave
from collections.abc import Sequence

import numpy as np

WIDTH = 112  # pixels of a picture and its player: narrower ones have no button to play in Chromium
PEAK = 0.8  # of full scale, in every sound
STYLE = f"display:block;width:{WIDTH}px;max-width:none;margin:0.2em auto"


class Players:
    """A table that a notebook shows as HTML; `html` is its text."""

    def __init__(self, html: str):
        self.html = html

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return f"Players({self.html.count('<audio')} sounds)"


def players(sounds: Sequence, images, *, columns: Sequence[str], rows: Sequence[str]) -> Players:
    """A table whose every cell is a spectrogram with a player, row by row.

    Args:
        sounds: (samples in [-1, 1], rate in Hz) of each cell, as from `birdsong.playback.cut`;
            each is played as loud as the others.
        images: the spectrograms in [0, 1], (n, 1, F, T), low frequencies first.
        columns, rows: headings; len(columns) * len(rows) is n.

    Raises:
        ValueError: counts that do not fit, or a sound without samples.
    """
    images = np.asarray(images)
    num = len(columns) * len(rows)
    if len(sounds) != num or images.ndim != 4 or len(images) != num:
        needed = f"{len(rows)} rows and {len(columns)} columns need {num} sounds and images"
        found = f"not {len(sounds)} sounds and images of shape {images.shape}"
        raise ValueError(f"{needed}, (n, 1, F, T), {found}")
    head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in columns)
    # Where a page is narrow the table scrolls by itself, by keys as well.
    lines = ['<div style="overflow-x:auto" tabindex="0"><table>']
    lines.append(f"<thead><tr><td></td>{head}</tr></thead><tbody>")
    for place, row in enumerate(rows):
        lines.append(f'<tr><th scope="row">{html.escape(row)}</th>')
        for number, column in enumerate(columns, place * len(columns)):
            name = html.escape(f"{row}, {column}", quote=True)
            lines.append(f"<td>{_cell(sounds[number], images[number, 0], name)}</td>")
        lines.append("</tr>")
    return Players("\n".join([*lines, "</tbody></table></div>"]))


def _cell(sound, image, name: str) -> str:
    """A picture with a player below it; `name` is what both are called."""
    picture = f'<img alt="spectrogram: {name}" src="{_png(image)}" style="{STYLE}">'
    player = f'<audio controls aria-label="{name}" src="{_wav(*sound)}" style="{STYLE}"></audio>'
    return picture + player


def _png(image) -> str:
    """A spectrogram, (F, T), as a picture of 256 colours, low frequencies below."""
    from matplotlib import colormaps
    from PIL import Image

    levels = np.rint(255 * np.clip(image[::-1], 0, 1)).astype(np.uint8)
    picture, file = Image.fromarray(levels).convert("P"), io.BytesIO()
    colours = colormaps["magma"](np.arange(256), bytes=True)[:, :3]
    picture.putpalette(colours.tobytes())
    picture.save(file, format="png", optimize=True)
    return _inline("image/png", file.getvalue())


def _wav(samples, rate: int) -> str:
    """One channel of 16 bits, as loud as every other."""
    samples, file = np.asarray(samples, np.float64), io.BytesIO()
    if samples.ndim != 1 or not samples.size:
        raise ValueError(f"a sound must be samples (T,), not of shape {samples.shape}")
    loudest = max(np.abs(samples).max(), 1e-12)
    whole = np.rint(samples * (PEAK * 32767 / loudest)).astype("<i2")
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(int(rate))
        out.writeframes(whole.tobytes())
    return _inline("audio/wav", file.getvalue())


def _inline(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
