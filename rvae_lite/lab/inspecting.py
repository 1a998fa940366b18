"""Look into a file: what a Rosetta file or a saved Fit holds, in words.

Of a Rosetta file it is told at once, without PyTorch.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from rvae_lite.publishing import expanded, printable
from rvae_lite.readers.downloads import sha256_of
from rvae_lite.rosetta import RosettaPoints
from rvae_lite.rosetta_files import is_address, located
from rvae_lite.storage import kind_of

SHAPES = (
    "num_points",
    "latent_dim",
    "data_shape",
    "dtype",
    "value_range",
    "beta_range",
    "num_betas",
)
MAKER = ("licence", "preprocessing", "source", "value_scale", "share", "model")
SELECTION = ("selection_method", "selection_seed", "covering")
TARGETS = {True: "the reconstructions", False: "absent: decoders are drawn to the inputs"}
MOST_ENTRIES, WIDEST_NAME, MOST_CHARACTERS = 10, 24, 1000


class Opened(NamedTuple):
    """A file of rvae_lite, read and verified: its header, and the points or the arrays of a Fit.

    name: what it is called, or its address.
    model: that of the Fit, None where it was not made by a constructor of `VAE`.
    """

    path: Path
    name: str
    header: dict
    points: RosettaPoints | None = None
    arrays: dict | None = None
    model: object = None


def open_file(name) -> Opened:
    """Read a Rosetta file or a saved Fit: of a path, an address, or of the book ("book:digits").

    Raises:
        OSError: there is no such file, it may not be read or does not come.
        ValueError: it is damaged or of another kind, or an address has no checksum.
    """
    path = expanded(located(name))
    name = name.partition("#")[0] if is_address(name) else path.name
    kind = kind_of(path)
    if kind == "rosetta":
        points = RosettaPoints.load(path)
        return Opened(path, name, points.header, points=points)
    if kind == "fit":
        from rvae_lite.checkpoints import load_fit
        from rvae_lite.fitted import Fit

        header, arrays = load_fit(path)
        arrays["terms"] = dict(zip(header["terms"], arrays["terms"].swapaxes(0, 1), strict=True))
        model = None if header["config"] is None else Fit.load(path).model
        return Opened(path, name, header, arrays=arrays, model=model)
    remedy = "pass a Rosetta file or a saved Fit"
    raise ValueError(f"{path} is a {kind!r} file, of which nothing more is known: {remedy}")


def describe(file: Opened) -> dict:
    """What is in a file: kind, hash, shapes and what its maker wrote down."""
    described = dict(
        file=file.name,
        kind="fit" if file.points is None else "rosetta",
        bytes=file.path.stat().st_size,
        file_sha256=sha256_of(file.path),
        sha256=file.header["sha256"],
        schema_version=file.header["schema_version"],
    )
    if file.points is None:
        return described | _fit_entries(file)
    return described | _point_entries(file.points, known=described.keys())


def _point_entries(points: RosettaPoints, *, known) -> dict:
    header, z = points.header, points.z
    entries = {key: header[key] for key in SHAPES if key in header}
    if points.betas is None:
        entries |= dict(latent_mean=z.mean(0).tolist(), latent_sd=z.std(0).tolist())
    else:
        total_sd = np.sqrt(z.var(1, dtype=np.float64).sum(1))  # (J,)
        entries |= dict(betas=points.betas.tolist(), total_sd_at_betas=total_sd.tolist())
    entries["reconstructions"] = points.recon is not None
    entries["decoder_targets"] = TARGETS[entries["reconstructions"]]
    entries["citation"] = citation_of(header)
    entries |= {key: header.get(key) for key in MAKER + SELECTION}
    rest = sorted(header.keys() - {*known, *entries, "versions", "kind"})
    return entries | {key: header.get(key) for key in [*rest, "versions"]}


def citation_of(header: dict) -> str | None:
    """How a header asks to be cited: its entry `citation`, or creator, year, title and doi."""
    if header.get("citation") is not None:
        return " ".join(short(header["citation"]).split())  # BibTeX on one line is BibTeX
    creator = header.get("creator")
    creator = ", ".join(map(short, creator)) if isinstance(creator, list) else creator
    told = dict(creator=creator, year=header.get("year"), title=header.get("title"))
    parts = [short(value).rstrip(".") for value in told.values() if value is not None]
    if header.get("doi") is not None:
        parts.append(f"https://doi.org/{short(header['doi'])}")
    return ". ".join(parts) or None


def _fit_entries(file: Opened) -> dict:
    header, arrays = file.header, file.arrays
    config = header["config"] or {}
    entries = dict(zip(("replicas", "parameters"), arrays["rows"].shape, strict=True))
    if file.model is not None:
        data_shape = list(file.model.data_shape)
        entries |= dict(latent_dim=file.model.latent_dim, data_shape=data_shape)
    if config.get("network") == "multirate":
        entries["beta_range"] = config["beta_range"]
    else:
        entries["beta"] = arrays["beta"].tolist()
    loss = arrays["terms"]["loss"]  # (epochs, M)
    entries |= dict(rho=arrays["rho"].tolist(), epochs=len(loss), seeds=header["seeds"])
    entries["last_loss"] = loss[-1].tolist() if len(loss) else None
    return entries | dict(model=header["config"], training=header["info"])


def as_text(described: dict) -> str:
    """A dictionary as lines of text, a name and a value each; None is said as such."""
    described = printable(described)
    width = min(max(map(len, described)), WIDEST_NAME) + 2
    lines = [f"{name.replace('_', ' '):{width}}{short(value)}" for name, value in described.items()]
    return "\n".join(lines)


def short(value) -> str:
    """A value of a header in words."""
    if value is None:
        return "not stated"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return ", ".join(f"{name} {short(entry)}" for name, entry in value.items()) or "nothing"
    if isinstance(value, (list, tuple)):
        shown = ", ".join(short(entry) for entry in value[:MOST_ENTRIES])
        return f"({shown}{', ...' if len(value) > MOST_ENTRIES else ''})"
    text = str(value)
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]} ..."
