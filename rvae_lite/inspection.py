"""Look into a file: what a Rosetta file or a saved Fit holds, as a dictionary, a few lines, a picture or a page.

Letters: R Rosetta points, K latent dimension, M replicas.
"""

import html
from pathlib import Path

import numpy as np

from rvae_lite import pages, plots
from rvae_lite.fitted import Fit
from rvae_lite.rosetta import RosettaPoints, book_file
from rvae_lite.storage import kind_of, load_arrays, write_atomically

OWN = ("preprocessing", "licence", "source", "value_scale", "share", "model", "selection_method", "selection_seed")
MOST_POINTS = 64


def file_of(name: str) -> Path:
    """The file that a path or a name such as "book:digits" stands for."""
    return Path(str(book_file(name.removeprefix("book:")))) if name.startswith("book:") else Path(name)


def describe(path) -> dict:
    """What is in a file of rvae_lite, every byte verified: kind, hash, shapes and what its maker wrote down.

    Raises:
        FileNotFoundError, PermissionError: there is no such file, or it may not be read.
        ValueError: it is damaged or of another kind.
    """
    kind = kind_of(path)
    if kind == "rosetta":
        return _describe_points(RosettaPoints.load(path), path)
    if kind == "fit":
        return _describe_fit(path)
    raise ValueError(f"{path} is a {kind!r} file, of which nothing more is known: pass a Rosetta file or a saved Fit")


def _common(path, kind: str, header: dict) -> dict:
    described = dict(file=Path(path).name, kind=kind, bytes=Path(path).stat().st_size, sha256=header["sha256"])
    return described | dict(schema_version=header["schema_version"])


def _describe_points(points: RosettaPoints, path) -> dict:
    header = points.header
    z = points.z.reshape(-1, points.z.shape[-1])
    described = _common(path, "rosetta", header) | dict(num_points=len(points), latent_dim=z.shape[1])
    described |= {key: header[key] for key in ("data_shape", "dtype", "value_range")}
    described |= dict(latent_mean=z.mean(0).tolist(), latent_sd=z.std(0).tolist())
    described |= {key: header.get(key) for key in OWN}
    rest = header.keys() - {*described, "versions", "kind"}
    return described | {key: header[key] for key in sorted(rest)} | dict(versions=header.get("versions"))


def _describe_fit(path) -> dict:
    fit = Fit.load(path) if load_arrays(path, kind="fit", version=1)[0]["config"] is not None else None
    header, arrays = load_arrays(path, kind="fit", version=1)
    described = _common(path, "fit", header) | dict(replicas=len(arrays["rows"]), parameters=arrays["rows"].shape[1])
    if fit is not None:
        described |= dict(latent_dim=fit.model.latent_dim, data_shape=list(fit.model.data_shape))
    beta = [None if np.isnan(value) else float(value) for value in arrays["beta"]]
    described |= dict(beta=beta, rho=arrays["rho"].tolist(), epochs=len(arrays["terms"]), seeds=header["seeds"])
    described |= dict(last_loss=arrays["terms"][-1, 0].tolist() if len(arrays["terms"]) else None)
    return described | dict(model=header["config"], training=header["info"])


def as_text(described: dict) -> str:
    """A dictionary as lines of text, a name and a value each; None is said as such."""
    width = max(len(name) for name in described) + 2
    return "\n".join(f"{name.replace('_', ' '):{width}}{_short(value)}" for name, value in described.items())


def _short(value) -> str:
    if value is None:
        return "not stated"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_short(entry)}" for name, entry in value.items()) or "nothing"
    if isinstance(value, (list, tuple)):
        shown = ", ".join(_short(entry) for entry in value[:8])
        return f"({shown}{', ...' if len(value) > 8 else ''})"
    return str(value)


def render(path, out) -> None:
    """Draw what is in a file: Rosetta points' inputs and latents, or a Fit's loss, as .png or as an .html page.

    Raises:
        ValueError: `out` ends otherwise; else as `describe`.
    """
    out, described = Path(out), describe(path)
    if out.suffix.lower() not in (".png", ".html"):
        raise ValueError(f"{out} must end in .png or .html: rename it")
    panels = _point_panels(path) if described["kind"] == "rosetta" else _fit_panels(path)
    if out.suffix.lower() == ".html":
        rows = [[name.replace("_", " "), _short(value)] for name, value in described.items()]
        drawn = pages.grid([pages.figure(draw, caption, height=3.8) for draw, caption in panels])
        lead = f'<p class="soft">{html.escape(described["kind"])} file, every byte verified.</p>'
        text = pages.page(described["file"], lead + drawn + "<h2>Header</h2>" + pages.table(rows, ["entry", "value"]))
        write_atomically(out, lambda file: file.write(text.encode()))
    else:
        write_atomically(out, lambda file: _draw_png(panels, file))


def _draw_png(panels: list, file) -> None:
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        plots.use_style()
        canvas = Figure(figsize=(4.6 * len(panels), 4.2), dpi=130, facecolor="white")
        for ax, (draw, caption) in zip(canvas.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
            draw(ax)
            ax.set_title(caption, wrap=True)
        canvas.savefig(file, format="png", facecolor="white")


def _point_panels(path) -> list:
    """Pairs of a function that draws and a caption."""
    points = RosettaPoints.load(path)
    z = points.z.reshape(-1, points.z.shape[-1])
    count = min(len(points), MOST_POINTS)
    some = f"the first {count} of {len(points)}" if count < len(points) else f"all {count}"
    what = "decoded inputs" if (points.header.get("share") or {}).get("inputs") == "decoded" else "inputs"
    if points.x.ndim == 4 and points.x.shape[1] in (1, 3):
        inputs = (lambda ax: _draw_mosaic(ax, points.x[:count]), f"The points' {what}, {some}.")
    else:
        inputs = (lambda ax: _draw_rows(ax, points.x[:count]), f"The points' {what} as rows, {some}.")
    return [inputs, (lambda ax: _draw_latents(ax, z), _latent_caption(z))]


def _draw_mosaic(ax, images: np.ndarray) -> None:
    """Images (R, C, H, W) as one square picture."""
    columns = int(np.ceil(np.sqrt(len(images))))
    colours, height, width = images.shape[1:]
    filled = np.zeros((columns * columns, colours, height, width), images.dtype)
    filled[: len(images)] = images
    rows = filled.reshape(columns, columns, colours, height, width).transpose(0, 3, 1, 4, 2)  # (rows, H, columns, W, C)
    used = -(-len(images) // columns)
    picture = rows.reshape(columns * height, columns * width, colours)[: used * height]
    top = 255 if images.dtype == np.uint8 else max(1.0, float(images.max()))
    low = 0 if images.min() >= 0 else float(images.min())
    picture = (picture.astype(np.float32) - low) / (top - low)
    ax.imshow(picture[..., 0] if colours == 1 else picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    ax.set_axis_off()


def _draw_rows(ax, x: np.ndarray) -> None:
    image = ax.imshow(x.reshape(len(x), -1), aspect="auto", cmap="viridis", interpolation="nearest")
    ax.set(xlabel="number", ylabel="point")
    ax.figure.colorbar(image, ax=ax, label="value")


def _latent_caption(z: np.ndarray) -> str:
    plane = "dimensions" if z.shape[1] <= 2 else "leading principal components"
    return f"Their latents, K = {z.shape[1]}: two {plane}, each with its number."


def _draw_latents(ax, z: np.ndarray) -> None:
    z = z if z.shape[1] > 1 else np.column_stack([z, 0 * z])
    plane = z if z.shape[1] == 2 else plots.plane_of(z)(z)
    ax.scatter(*plane.T, s=10, color=plots.GROUPS[1])
    for number, place in enumerate(plane[:MOST_POINTS]):
        ax.annotate(str(number), place, fontsize=7, color=plots.INK, xytext=(2, 2), textcoords="offset points")
    ax.set(aspect="equal", xlabel="first", ylabel="second")


def _fit_panels(path) -> list:
    fit_terms = load_arrays(path, kind="fit", version=1)[1]["terms"]
    epochs = np.arange(1, len(fit_terms) + 1)

    def draw(term, label):
        def panel(ax):
            ax.plot(epochs, fit_terms[:, term], color=plots.GROUPS[1], linewidth=1.2)
            ax.set(xlabel="epoch", ylabel=label)

        return panel

    return [
        (draw(1, "distortion in nats (lower is better)"), "Distortion over the epochs, a line a replica."),
        (draw(2, "rate in nats"), "Rate over the epochs, a line a replica."),
    ]
