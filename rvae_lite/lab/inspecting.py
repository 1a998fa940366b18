"""Look into a file: what a Rosetta file or a saved Fit holds, as a dictionary, a few lines, a picture or a page.

Letters: R Rosetta points, K latent dimension, J betas of curves, M replicas.
"""

import html
import textwrap
from pathlib import Path

import numpy as np

from rvae_lite.fitted import Fit
from rvae_lite.lab import page as pages
from rvae_lite.lab.plan import in_units
from rvae_lite.lab.reading import COLOURS
from rvae_lite.reporting import figures
from rvae_lite.rosetta import RosettaPoints, book_file
from rvae_lite.storage import kind_of, load_arrays, write_atomically

OWN = (
    "preprocessing",
    "licence",
    "source",
    "value_scale",
    "share",
    "model",
    "selection_method",
    "selection_seed",
)
MOST_POINTS = 64
MOST_RECONSTRUCTED, RECONSTRUCTED_AT = 6, 5  # points and betas that are drawn
MOST_LATENTS, MOST_ENTRIES = 8, 10


def file_of(name: str) -> Path:
    """The file that a path or a name such as "book:digits" stands for."""
    return (
        Path(str(book_file(name.removeprefix("book:")))) if name.startswith("book:") else Path(name)
    )


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
    raise ValueError(
        f"{path} is a {kind!r} file, of which nothing more is known: pass a Rosetta file or a saved Fit"
    )


def _common(path, kind: str, header: dict) -> dict:
    described = dict(
        file=Path(path).name, kind=kind, bytes=Path(path).stat().st_size, sha256=header["sha256"]
    )
    return described | dict(schema_version=header["schema_version"])


def _describe_points(points: RosettaPoints, path) -> dict:
    header = points.header
    described = _common(path, "rosetta", header) | dict(
        num_points=len(points), latent_dim=points.z.shape[-1]
    )
    described |= {key: header[key] for key in ("data_shape", "dtype", "value_range")}
    if points.betas is None:
        described |= dict(latent_mean=points.z.mean(0).tolist(), latent_sd=points.z.std(0).tolist())
    else:
        described |= {key: header[key] for key in ("beta_range", "num_betas")}
        described |= dict(
            betas=points.betas.tolist(), total_sd_at_betas=_total_sd(points.z).tolist()
        )
        described |= dict(reconstructions=points.recon is not None)
    described |= {key: header.get(key) for key in OWN}
    rest = header.keys() - {*described, "versions", "kind"}
    return (
        described
        | {key: header[key] for key in sorted(rest)}
        | dict(versions=header.get("versions"))
    )


def _total_sd(z: np.ndarray) -> np.ndarray:
    """The square root of the latents' total variance over the points, (J, R, K) to (J,)."""
    return np.sqrt(z.var(1, dtype=np.float64).sum(1))


def _describe_fit(path) -> dict:
    fit = (
        Fit.load(path)
        if load_arrays(path, kind="fit", version=1)[0]["config"] is not None
        else None
    )
    header, arrays = load_arrays(path, kind="fit", version=1)
    described = _common(path, "fit", header) | dict(
        replicas=len(arrays["rows"]), parameters=arrays["rows"].shape[1]
    )
    if fit is not None:
        described |= dict(latent_dim=fit.model.latent_dim, data_shape=list(fit.model.data_shape))
    if (header["config"] or {}).get("network") == "multirate":
        described |= dict(beta_range=header["config"]["beta_range"])
    else:
        described |= dict(beta=arrays["beta"].tolist())
    described |= dict(
        rho=arrays["rho"].tolist(), epochs=len(arrays["terms"]), seeds=header["seeds"]
    )
    described |= dict(last_loss=arrays["terms"][-1, 0].tolist() if len(arrays["terms"]) else None)
    return described | dict(model=header["config"], training=header["info"])


def as_text(described: dict) -> str:
    """A dictionary as lines of text, a name and a value each; None is said as such."""
    width = max(len(name) for name in described) + 2
    return "\n".join(
        f"{name.replace('_', ' '):{width}}{_short(value)}" for name, value in described.items()
    )


def _short(value) -> str:
    if value is None:
        return "not stated"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_short(entry)}" for name, entry in value.items()) or "nothing"
    if isinstance(value, (list, tuple)):
        shown = ", ".join(_short(entry) for entry in value[:MOST_ENTRIES])
        return f"({shown}{', ...' if len(value) > MOST_ENTRIES else ''})"
    return str(value)


def render(path, out) -> None:
    """Draw what is in a file as .png or as an .html page.

    Of Rosetta points the inputs and latents, of curves the latents over beta and reconstructions; of a Fit the loss.

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
        text = pages.page(
            described["file"],
            lead + drawn + "<h2>Header</h2>" + pages.table(rows, ["entry", "value"], numbers=False),
        )
        write_atomically(out, lambda file: file.write(text.encode()))
    else:
        write_atomically(out, lambda file: _draw_png(panels, file))


def _draw_png(panels: list, file) -> None:
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        figures.use_style()
        rows = -(-len(panels) // 2)
        canvas = Figure(figsize=(9.2, 4.2 * rows), dpi=130, facecolor="white", layout="constrained")
        axes = canvas.subplots(rows, 2, squeeze=False).ravel()
        for ax, (draw, caption) in zip(axes, panels, strict=False):
            draw(ax)
            ax.set_title("\n".join(textwrap.wrap(caption, 60)), fontsize=9)
        for ax in axes[len(panels) :]:
            ax.set_axis_off()
        canvas.savefig(file, format="png", facecolor="white")


def _point_panels(path) -> list:
    """Pairs of a function that draws and a caption."""
    points = RosettaPoints.load(path)
    count = min(len(points), MOST_POINTS)
    some = f"the first {count} of {len(points)}" if count < len(points) else f"all {count}"
    what = (
        "decoded inputs"
        if (points.header.get("share") or {}).get("inputs") == "decoded"
        else "inputs"
    )
    if points.x.ndim == 4 and points.x.shape[1] in COLOURS:
        inputs = (lambda ax: _draw_mosaic(ax, points.x[:count]), f"The points' {what}, {some}.")
    else:
        inputs = (
            lambda ax: _draw_rows(ax, points.x[:count]),
            f"The points' {what} as rows, {some}.",
        )
    return [inputs, *(_plain_panels(points) if points.betas is None else _curve_panels(points))]


def _plain_panels(points: RosettaPoints) -> list:
    return [
        (
            lambda ax: _draw_latents(ax, points.z),
            f"Their latents, {_plane(points.z)}, each with its number.",
        )
    ]


def _curve_panels(points: RosettaPoints) -> list:
    span = "beta {:g} to {:g}".format(*points.header["beta_range"])
    latents = f"Their latents as curves over {span}, {_plane(points.z)}."
    panels = [(lambda ax: _draw_curves(ax, points), latents)]
    panels.append(
        (lambda ax: _draw_spread(ax, points), "How much of each latent is left as beta grows.")
    )
    if points.recon is not None:
        made = (
            f"What their maker's decoder makes of them: a row a point, its input and then {span}."
        )
        panels.append((lambda ax: _draw_reconstructions(ax, points), made))
    return panels


def _draw_mosaic(ax, images: np.ndarray, columns: int | None = None) -> int:
    """Images (R, C, H, W) as one picture, a square one unless told how many columns; returns a column's width."""
    columns = columns or int(np.ceil(np.sqrt(len(images))))
    low, top = (
        min(0.0, float(images.min())),
        255 if images.dtype == np.uint8 else max(1.0, float(images.max())),
    )
    shades = (images.astype(np.float32) - low) / (top - low)
    gap = max(1, images.shape[-1] // 16)
    shades = np.pad(
        shades, ((0, -len(images) % columns), (0, 0), (0, gap), (0, gap)), constant_values=0.5
    )
    shades[len(images) :] = 0.5
    colours, height, width = shades.shape[1:]
    rows = shades.reshape(-1, columns, colours, height, width).transpose(
        0, 3, 1, 4, 2
    )  # (rows, H, columns, W, C)
    picture = rows.reshape(-1, columns * width, colours)[:-gap, :-gap]
    ax.imshow(
        picture[..., 0] if colours == 1 else picture,
        cmap="gray",
        vmin=0,
        vmax=1,
        interpolation="nearest",
    )
    ax.set_axis_off()
    return width


def _draw_rows(ax, x: np.ndarray) -> None:
    image = ax.imshow(x.reshape(len(x), -1), aspect="auto", cmap="viridis", interpolation="nearest")
    ax.set(xlabel="number", ylabel="point")
    ax.figure.colorbar(image, ax=ax, label="value")


def _plane(z: np.ndarray) -> str:
    num_latents = z.shape[-1]
    return f"K = {num_latents}" + (", two leading principal components" if num_latents > 2 else "")


def _in_plane(z: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Latents (..., K) in the plane in which `like`, (R, K), is shown: (..., 2)."""
    if z.shape[-1] == 1:
        return np.concatenate([z, 0 * z], -1)
    if z.shape[-1] == 2:
        return z
    return figures.plane_of(like)(z.reshape(-1, z.shape[-1])).reshape(*z.shape[:-1], 2)


def _draw_latents(ax, z: np.ndarray) -> None:
    plane = _in_plane(z, z)
    ax.scatter(*plane.T, s=10, color=figures.GROUPS[1])
    _number(ax, plane)


def _number(ax, plane: np.ndarray) -> None:
    for number, place in enumerate(plane[:MOST_POINTS]):
        ax.annotate(
            str(number),
            place,
            fontsize=7,
            color=figures.INK,
            xytext=(2, 2),
            textcoords="offset points",
        )
    ax.set(aspect="equal", xlabel="first", ylabel="second")


def _draw_curves(ax, points: RosettaPoints) -> None:
    plane = _in_plane(points.z, points.z[0])  # (J, R, 2)
    ax.plot(plane[..., 0], plane[..., 1], color=figures.INK, linewidth=0.7, alpha=0.6)
    betas = np.repeat(points.betas, len(points))
    dots = ax.scatter(
        *plane.reshape(-1, 2).T, c=betas, s=9, cmap=figures.warmth(), norm="log", zorder=3
    )
    ax.figure.colorbar(dots, ax=ax, label="beta")
    _number(ax, plane[0])


def _draw_spread(ax, points: RosettaPoints) -> None:
    """Standard deviations of the latents' principal components of the lowest beta, at every beta."""
    z = points.z.astype(np.float64)
    axes = np.linalg.svd(z[0] - z[0].mean(0), full_matrices=False)[2][:MOST_LATENTS]
    for spread in (z @ axes.T).std(1).T:
        ax.plot(points.betas, spread, "o-", markersize=3, linewidth=1, color=figures.GROUPS[1])
    ax.set(xlabel="beta", ylabel="standard deviation over the points", xscale="log", ylim=(0, None))


def _draw_reconstructions(ax, points: RosettaPoints) -> None:
    betas = np.geomspace(points.betas[0], points.betas[-1], RECONSTRUCTED_AT)
    rows = slice(0, MOST_RECONSTRUCTED)
    columns = [in_units(points.x)[rows], *(points.recon_at(beta)[rows] for beta in betas)]
    shown = np.stack(columns, 1)  # (points, columns, *data)
    if points.x.ndim == 4 and points.x.shape[1] in COLOURS:
        width = _draw_mosaic(ax, shown.reshape(-1, *points.x.shape[1:]), columns=len(columns))
    else:
        gap = max(1, shown[0, 0].size // 10)
        flat = np.pad(
            shown.reshape(*shown.shape[:2], -1), ((0, 0), (0, 0), (0, gap)), constant_values=np.nan
        )
        _draw_rows(ax, flat)
        width = flat.shape[-1]
    centres = width * (np.arange(len(columns)) + 0.5) - 1
    ax.set_axis_on()
    ax.set_xticks(centres, ["input", *(f"{beta:.2g}" for beta in betas)])
    ax.set(yticks=[], xlabel="beta", ylabel="")
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def _fit_panels(path) -> list:
    fit_terms = load_arrays(path, kind="fit", version=1)[1]["terms"]
    epochs = np.arange(1, len(fit_terms) + 1)

    def draw(term, label):
        def panel(ax):
            ax.plot(epochs, fit_terms[:, term], color=figures.GROUPS[1], linewidth=1.2)
            ax.set(xlabel="epoch", ylabel=label)

        return panel

    return [
        (
            draw(1, "distortion in nats (lower is better)"),
            "Distortion over the epochs, a line a replica.",
        ),
        (draw(2, "rate in nats"), "Rate over the epochs, a line a replica."),
    ]
