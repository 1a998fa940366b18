"""Make what the front page's demonstration runs on: same_map_data.js and same_map.svg.

    python tools/same_map.py [--target FOLDER] [--epochs 80]

A synthetic finch sings, and its syllables are mapped to a plane three times: by a first VAE, by an
R-VAE of another seed that is held by the first one's Rosetta points, and by a plain VAE of that
other seed.  Everything that is shown was held out from all three trainings.  It takes half a minute
on one core.  The same seed, versions and machine give the same files.

The script hands over one object: `made` (what it rests on), `types` (a letter each), `type` (which
of them each syllable is, (N,)), `maps` (of each training its name, its places, (N, 2), and its
distance to the first map), `frame` (middle and half side of what is shown), `points` (Rosetta
points, (R, 2)) and `syllables` (those that can be heard: their row, a spectrogram of SIDE rows of
bytes, low frequencies first, and a WAV; base64).
Letters: N held-out syllables, R Rosetta points.
"""

import argparse
import base64
import io
import json
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
from scipy.io import wavfile

import rvae_lite
from rvae_lite import VAE, fit, rivals, select_points
from rvae_lite.alignment import mean_squared_distance
from rvae_lite.birdsong import colony, playback
from rvae_lite.data.dataset import Dataset
from rvae_lite.laws import Cosine
from rvae_lite.publishing import publish

FOLDER = Path(__file__).resolve().parents[1] / "book" / "_static"
COLONY = dict(num_birds=2, songs_per_bird=40)
BIRD, SIDE, SEED, NUM_POINTS, RHO = "finch0", 32, 1, 24, 5.0
HEARD, RATE = 2, 16_000  # syllables of each type that can be heard; samples a second
FIRST, ANCHORED, PLAIN = "first training", "R-VAE, another training", "VAE, another training"
KIND, SCHEMA_VERSION = "same map", 1
# Read on light and dark pages; a type each.
TINTS = ("#3b8fd4", "#e08a00", "#12a57c", "#c772a3", "#d8613a", "#7d8590")


class Maps(NamedTuple):
    """Held-out syllables, the Rosetta points, and name -> (places (N, 2), distance, mapped)."""

    held_out: Dataset
    points: rvae_lite.RosettaPoints
    found: dict


# ---------------------------------------------------------------- training


def sung() -> tuple[Dataset, Dataset]:
    """The finch's syllables: three quarters to train on, one to show."""
    syllables = colony.load_synthetic_finch(size=SIDE, **COLONY)
    names = np.array(syllables.info["label_names"])[syllables.labels]
    own = syllables.take(np.char.startswith(names, f"{BIRD}/"))
    order = np.random.default_rng(SEED).permutation(len(own.x))
    first = 3 * len(order) // 4
    return own.take(np.sort(order[:first])), own.take(np.sort(order[first:]))


def trained(epochs: int) -> Maps:
    """The three maps, and how far each is from the first one."""
    training, held_out = sung()
    model = VAE.mlp(training.x.shape[1:], 2, (128, 64), posterior="diagonal")
    course = dict(epochs=epochs, batch_size=64, learning_rate=Cosine(5e-3), beta=1.0)
    course |= dict(compile=False, device="cpu")
    first = fit(model, training.x, seed=0, progress=FIRST, **course)
    z = first.encode(training.x)[0]
    points = select_points(training.x, z, NUM_POINTS, decode=first.decode)
    course |= dict(seed=SEED)
    fits = {FIRST: first}
    held = dict(points=points, rho=RHO, progress=ANCHORED)
    fits[ANCHORED] = fit(model, training.x, **held, **course)
    fits[PLAIN] = fit(model, training.x, progress=PLAIN, **course)
    target, found = first.encode(held_out.x)[0].numpy(), {}
    for name, own in fits.items():
        z = own.encode(held_out.x)[0].numpy()
        mapped = [far(move(z), target) for move in moves(own.encode(points.x)[0].numpy(), points.z)]
        found[name] = (z, far(z, target), min(mapped))
    return Maps(held_out, points, found)


def far(z, target) -> float:
    """Mean squared distance to the first map, a share of the first map's variance."""
    return float(mean_squared_distance(z, target) / target.var(0).sum())


def moves(source, target) -> list:
    """Every map that can be fitted on the points after a training, from source to target."""
    return [rivals.fit_map(name, source, target) for name in rivals.MAPS]


# ---------------------------------------------------------------- files


def packed(content: bytes) -> str:
    return base64.b64encode(content).decode()


def sound(recording) -> bytes:
    """A WAV of one channel and 16 bits, as loud as every other."""
    loudest, file = max(np.abs(recording.samples).max(), 1e-12), io.BytesIO()
    whole = np.rint(recording.samples * (0.8 * 32767 / loudest)).astype(np.int16)
    wavfile.write(file, recording.rate, whole)
    return file.getvalue()


def heard(held_out: Dataset, kinds) -> list[dict]:
    """The first syllables of each type, (N,), with their sounds."""
    rows = [row for kind in np.unique(kinds) for row in np.flatnonzero(kinds == kind)[:HEARD]]
    with TemporaryDirectory() as folder:
        birds = colony.write_songs(folder, **COLONY)
        cuts = playback.cut(held_out.ids[rows], birds, rate=RATE)
    images = np.rint(255 * held_out.x[rows, 0]).astype(np.uint8)
    parts = zip(rows, images, cuts, strict=True)
    return [
        dict(row=int(row), image=packed(image.tobytes()), sound=packed(sound(cut)))
        for row, image, cut in parts
    ]


def content_of(maps: Maps, epochs: int) -> dict:
    """All that the page needs."""
    held_out, points, found = maps
    names = np.array(held_out.info["label_names"])[held_out.labels]
    types, kinds = np.unique(np.char.partition(names, "/")[:, 2], return_inverse=True)
    places = np.concatenate([z for z, *_ in found.values()])
    if not np.isfinite(places).all():
        raise ValueError("a place on a map is not finite: train with another seed")
    made = dict(by="tools/same_map.py", version=rvae_lite.__version__, epochs=epochs, seed=SEED)
    made |= dict(data=held_out.info["title"], num_points=NUM_POINTS, rho=RHO)
    low, high = places.min(0), places.max(0)
    # One frame for all maps: its middle, and half its side.
    frame = [*(low + high) / 2, 1.1 * (high - low).max() / 2]
    rounded = dict(maps=[], frame=np.round(frame, 2).tolist())
    for name, (z, distance, mapped) in found.items():
        entry = dict(name=name, distance=round(distance, 4), mapped=round(mapped, 4))
        rounded["maps"].append(entry | dict(z=np.round(z, 3).tolist()))
    content = dict(kind=KIND, schema_version=SCHEMA_VERSION, made=made, side=SIDE, tints=TINTS)
    content |= dict(types=types.tolist(), type=kinds.tolist(), **rounded)
    content |= dict(points=np.round(points.z, 3).tolist())
    return content | dict(syllables=heard(held_out, kinds))


def picture(content: dict) -> str:
    """The three maps as an SVG, for pages without scripts."""
    wide, titles = 240, ("a first training", "an R-VAE, trained anew", "a VAE, trained anew")
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {3 * wide} {wide + 30}">']
    lines.append(
        "<style>text { font: 600 17px system-ui, sans-serif; text-anchor: middle; }</style>"
    )
    for number, (own, title) in enumerate(zip(content["maps"], titles, strict=True)):
        lines.append(f'<g transform="translate({number * wide} 0)">')
        lines.append(
            '<rect x="4" y="4" width="232" height="232" rx="8" fill="none" stroke="#7d8590"/>'
        )
        z, kinds = np.array(own["z"]), np.array(content["type"])
        *middle, half = content["frame"]
        at = np.rint(wide / 2 * (1 + (z - middle) * [1, -1] / half)).astype(int)
        for kind, letter in enumerate(content["types"]):
            lines.append(f'<g fill="{content["tints"][kind]}">')
            here = at[kinds == kind]
            lines += [f'<circle cx="{x}" cy="{y}" r="3" fill-opacity="0.6"/>' for x, y in here]
            x, y = np.median(here, axis=0).astype(int)
            lines.append(f'<text x="{x}" y="{y - 12}">{letter}</text></g>')
        lines.append(f'<text x="{wide // 2}" y="{wide + 20}" fill="#7d8590">{title}</text></g>')
    return "\n".join([*lines, "</svg>\n"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", type=Path, default=FOLDER, help="by default book/_static")
    parser.add_argument("--epochs", type=int, default=80, help="passes over the syllables")
    options = parser.parse_args()
    if options.epochs < 1:
        parser.error(f"--epochs must be 1 or more, not {options.epochs}")
    if options.target.exists() and not options.target.is_dir():
        parser.error(f"--target must be a folder, and {options.target} is a file")
    content = content_of(trained(options.epochs), options.epochs)
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    files = {"same_map_data.js": f"window.sameMap = {text};\n", "same_map.svg": picture(content)}
    writers = {options.target / name: partial(_write, own.encode()) for name, own in files.items()}
    publish(writers, replace=True)
    print(", ".join(f"{name}: {len(own):,} bytes" for name, own in files.items()))
    for own in content["maps"]:
        behind = f"{own['mapped']:.2%} behind the best map fitted after training"
        print(f"{own['name']}: {own['distance']:.2%} of the variance away, {behind}")


def _write(own: bytes, file) -> None:
    file.write(own)


if __name__ == "__main__":
    main()
