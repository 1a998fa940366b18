"""Make what the book's explorer runs on: book/_static/explorer.json and the picture explorer.png.

    RVAE_LITE_DATA=FOLDER python tools/explorer.py [--target FOLDER] [--epochs 20]

A small multi-rate VAE learns MNIST's digits, thresholded, in two to three minutes on one core.  Its
decoder's weights are rounded to 8 bits, its rates and distortions are measured with the rounded
decoder, and twelve Rosetta curves are distilled.  No image of MNIST goes into the files.  The same
seed, versions and machine give the same files.

The JSON holds `made` (what it rests on), `layers` (arrays in base64: `weight` int8 row by row, all
others float32, little-endian; a weight is its int8 times its row's `scale`; `film` gates a layer's
inputs, `gate` its outputs, see `rvae_lite.gates`), `closing` (the latents' gate), `table` (the
measurements, over beta) and `points` (curves, (J, R, K), and which digit each is).
Letters: K latents, J betas, R Rosetta points.
"""

import argparse
import base64
import io
import json
import subprocess
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

import rvae_lite
from rvae_lite import VAE, curve_points, data, engine, fit, metrics
from rvae_lite.fitted import Fit
from rvae_lite.gates import Gated
from rvae_lite.laws import Annealed, Cosine, LogPower
from rvae_lite.multirate import MultiRate, make_multirate
from rvae_lite.publishing import publish

FOLDER = Path(__file__).resolve().parents[1] / "book" / "_static"
SIDE, LATENT_DIM, HIDDEN = 28, 8, (64, 128)  # HIDDEN: the decoder's widths, from the latents on
BETA_RANGE = (0.03, 30.0)
NUM_TRAIN, SEED, NUM_POINTS, NUM_BETAS = 60_000, 0, 12, 41
INK = 128  # pixels of so much ink or more are 1, all others 0
ACTIVE = 0.01  # variance of the mean from which on a latent counts as active
SHOWN = 0.03, 0.3, 3.0, 10.0, 30.0  # betas of the picture, a row each
KIND, SCHEMA_VERSION = "explorer", 1
FILM = ("weight", "bias", "shift_weight", "shift_bias")


def gated_vae(encoder_hidden=(256, 128), hidden=HIDDEN) -> MultiRate:
    """The multi-rate VAE of binary 28x28 images, untrained."""
    options = dict(posterior="diagonal", likelihood="bernoulli", decoder_hidden=hidden)
    model = VAE.mlp((1, SIDE, SIDE), LATENT_DIM, encoder_hidden, **options)
    return make_multirate(model, beta_range=BETA_RANGE)


def train(x, epochs: int) -> Fit:
    """The gated VAE, trained on images x (N, 1, 28, 28)."""
    # More draws of low betas: with equal ones two of the latents never open.
    course = dict(beta=Annealed(LogPower(*BETA_RANGE), share=0.5), learning_rate=Cosine(3e-3))
    course |= dict(epochs=epochs, batch_size=250, seed=SEED)
    return fit(gated_vae(), x, compile=False, device="cpu", progress="explorer", **course)


# ---------------------------------------------------------------- weights


def decoder_layers(model: MultiRate) -> list:
    """The layers of the decoder that have weights, from the latents on, gated or not."""
    kinds = (Gated, torch.nn.Linear)
    return [layer for layer in model.module.decoder if isinstance(layer, kinds)]


def plain(layer) -> torch.nn.Linear:
    """The linear layer itself, without its gates."""
    return layer.layer if isinstance(layer, Gated) else layer


def rounded(found: Fit) -> Fit:
    """The Fit whose decoder has weights of 8 bits."""
    model = found.replica(0)
    with torch.no_grad():
        for layer in map(plain, decoder_layers(model)):
            scale = scales(layer.weight)
            layer.weight.copy_((layer.weight / scale).round() * scale)
    return replace(found, weights=engine.Parameters(model).flatten(model)[None])


def rounding(exact: Fit, found: Fit, x) -> float:
    """The largest change of a pixel's probability by the rounding, over images x and betas."""
    change = 0.0
    for beta in SHOWN:
        z = exact.encode(x, beta=beta)[0]
        pair = (each.decode(z, beta=beta) for each in (exact, found))
        change = max(change, float(torch.sub(*pair).abs().max()))
    return round(change, 4)


def scales(weight: torch.Tensor) -> torch.Tensor:
    """The size of a step of each row of a weight, (outputs, 1): the largest is 127 steps."""
    return weight.abs().amax(1, keepdim=True).clamp(min=1e-12) / 127


def packed(values, dtype: str = "<f4") -> str:
    """Numbers as base64; ValueError where one is not finite."""
    numbers = np.asarray(values.detach() if isinstance(values, torch.Tensor) else values)
    if not np.isfinite(numbers).all():
        raise ValueError("a weight of the decoder is not finite: train with another seed")
    return base64.b64encode(numbers.astype(dtype).tobytes()).decode()


def unpacked(text: str, dtype: str = "<f4") -> torch.Tensor:
    """The numbers of `packed`, as float32."""
    return torch.from_numpy(np.frombuffer(base64.b64decode(text), dtype).astype(np.float32))


def described(layer) -> dict:
    """A layer of the decoder as the JSON holds it."""
    weight, bias = plain(layer).weight, plain(layer).bias
    scale = scales(weight)
    entry = dict(weight=packed((weight / scale).round(), "i1"), scale=packed(scale[:, 0]))
    entry |= dict(bias=packed(bias), film=None, gate=None)
    if isinstance(layer, Gated) and layer.input_gate is not None:
        film = layer.input_gate.film
        entry["film"] = {name: packed(getattr(film, name)) for name in FILM}
    if isinstance(layer, Gated) and layer.gate is not None:
        entry["gate"] = dict(weight=packed(layer.gate.weight), bias=packed(layer.gate.bias))
    return entry


def decoder_of(content: dict) -> MultiRate:
    """The package's own model with the decoder that a JSON holds; its encoder is untrained."""
    entries = content["layers"]
    widths = [len(unpacked(entry["bias"])) for entry in entries]
    model = gated_vae(encoder_hidden=(8,), hidden=widths[:-1])
    with torch.no_grad():
        for layer, entry in zip(decoder_layers(model), entries, strict=True):
            scale = unpacked(entry["scale"])[:, None]
            plain(layer).weight.copy_(unpacked(entry["weight"], "i1").view(len(scale), -1) * scale)
            plain(layer).bias.copy_(unpacked(entry["bias"]))
            gates = [(entry["film"], lambda layer: layer.input_gate.film)]
            gates.append((entry["gate"], lambda layer: layer.gate))
            for numbers, gate_of in gates:
                for name, text in (numbers or {}).items():
                    getattr(gate_of(layer), name).copy_(unpacked(text))
        for name, text in content["closing"].items():
            getattr(model.closing, name).copy_(unpacked(text))
    return model.eval()


# ---------------------------------------------------------------- measurements


def measured(found: Fit, x) -> dict:
    """Rate and distortion in nats, and the variance of the means, (J, K), of test images x."""
    betas = np.geomspace(*BETA_RANGE, NUM_BETAS)
    curve = metrics.rate_distortion_curve(found, x, betas)
    means = [found.encode(x, beta=float(beta))[0].double().numpy() for beta in betas]
    variance = [mean.var(0, ddof=1) for mean in means]
    active = [metrics.active_units(mean, threshold=ACTIVE, axes=True) for mean in means]
    assert [int((own >= ACTIVE).sum()) for own in variance] == active
    table = dict(beta=betas, rate=curve.rate, distortion=curve.distortion, variance=variance)
    listed = {name: np.round(np.asarray(values), 5).tolist() for name, values in table.items()}
    return listed | dict(threshold=ACTIVE)


def distilled(found: Fit, x, labels) -> dict:
    """The Rosetta curves, without their images."""
    points = curve_points(found, x, NUM_POINTS, betas=np.geomspace(*BETA_RANGE, NUM_BETAS))
    digit = [int(labels[int(row)]) for row in points.ids]
    order = np.argsort(digit, kind="stable")
    betas = np.round(points.betas, 5).tolist()
    return dict(beta=betas, label=[digit[r] for r in order], z=packed(points.z[:, order]))


def package_commit() -> str:
    """The last commit that changed the package, which trained and measured the model."""
    command = ["git", "log", "-1", "--format=%h", "--", "rvae_lite"]
    root = Path(__file__).resolve().parents[1]
    return subprocess.run(command, cwd=root, capture_output=True, text=True).stdout.strip()


def content_of(found: Fit, change: float, digits) -> dict:
    """All that the page needs of a trained and rounded Fit."""
    model = found.replica(0)
    table = measured(found, digits.x[NUM_TRAIN:])
    points = distilled(found, digits.x[:NUM_TRAIN], digits.labels)
    z = unpacked(points["z"]).view(-1, NUM_POINTS, LATENT_DIM)
    # The plane: the two latents that hold most over the whole range, in the order of their numbers.
    plane = sorted(np.argsort(np.sum(table["variance"], axis=0))[-2:].tolist())
    reach = round(1.15 * float(z[..., plane].abs().max()), 2)
    closing = dict(weight=packed(model.closing.weight), bias=packed(model.closing.bias))
    made = dict(by="tools/explorer.py", version=rvae_lite.__version__, commit=package_commit())
    made |= dict(torch=torch.__version__, numpy=np.__version__, seed=SEED, rounding=change)
    made |= dict(data=f"MNIST, a pixel 1 where its ink is {INK} or more of 255, else 0")
    made |= dict(num_train=NUM_TRAIN, num_test=len(digits.x) - NUM_TRAIN)
    kept = ("epochs", "batch_size", "beta", "schedule", "device")
    made |= {name: found.info[name] for name in kept}
    content = dict(kind=KIND, schema_version=SCHEMA_VERSION, made=made)
    content |= dict(beta_range=BETA_RANGE, latent_dim=LATENT_DIM, side=SIDE)
    content |= dict(plane=plane, reach=reach, closing=closing, table=table, points=points)
    return content | dict(layers=[described(layer) for layer in decoder_layers(model)])


def picture(content: dict) -> bytes:
    """A PNG: what the decoder draws along the plane's first latent (columns) at betas (rows)."""
    from PIL import Image

    model, rows = decoder_of(content), []
    z = torch.zeros(9, LATENT_DIM)
    z[:, content["plane"][0]] = torch.linspace(-2.4, 2.4, 9)
    for beta in SHOWN:
        with torch.no_grad():
            tiles = model.decode(z, beta)[:, 0]
        framed = torch.nn.functional.pad(tiles, (1, 1, 1, 1), value=0.35)
        rows.append(torch.cat(list(framed), dim=1))
    pixels = (255 * torch.cat(rows)).round().byte().numpy()
    file = io.BytesIO()
    Image.fromarray(pixels).quantize(32).save(file, format="png", optimize=True)
    return file.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", type=Path, default=FOLDER, help="by default book/_static")
    parser.add_argument("--epochs", type=int, default=20, help="passes over the images")
    options = parser.parse_args()
    if options.epochs < 1:
        parser.error(f"--epochs must be 1 or more, not {options.epochs}")
    if options.target.exists() and not options.target.is_dir():
        parser.error(f"--target must be a folder, and {options.target} is a file")
    try:
        grey = data.load("mnist")
    except (OSError, ValueError) as error:
        parser.error(str(error))
    digits = grey._replace(x=np.where(grey.x >= INK, 255, 0).astype(np.uint8))
    exact = train(digits.x[:NUM_TRAIN], options.epochs)
    found = rounded(exact)
    change = rounding(exact, found, digits.x[NUM_TRAIN : NUM_TRAIN + 2000])
    content = content_of(found, change, digits)
    text = json.dumps(content, indent=1, allow_nan=False) + "\n"
    files = {"explorer.json": text.encode(), "explorer.png": picture(content)}
    writers = {options.target / name: partial(_write, own) for name, own in files.items()}
    publish(writers, replace=True)
    table = content["table"]
    print(f"{', '.join(f'{name}: {len(own):,} bytes' for name, own in files.items())}")
    for j in range(0, NUM_BETAS, 5):
        active = sum(own >= ACTIVE for own in table["variance"][j])
        numbers = f"rate {table['rate'][j]:.1f}, distortion {table['distortion'][j]:.1f} nats"
        print(f"beta {table['beta'][j]:.3g}: {numbers}, {active} of {LATENT_DIM} latents active")


def _write(own: bytes, file) -> None:
    file.write(own)


if __name__ == "__main__":
    main()
