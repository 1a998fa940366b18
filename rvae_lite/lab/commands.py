"""The laboratory's commands: distil, train, compare and inspect, files in and files out.

They read, call the library and write; a command's results appear together or not at all.
"""

import json as json_module
import math
import sys
from pathlib import Path
from typing import Annotated

import typer

Option, Argument = typer.Option, typer.Argument
DATA_HELP = ".npy, .npz, .h5, .csv, or a folder of .png/.jpg images or of .npy arrays."
Key = Annotated[
    str | None, Option(help="Which array of a .npz or HDF5 file; for .csv, which columns (a,b,c).")
]
PerFile = Annotated[
    str, Option(help="In a folder of .npy: one example a file, or many (first axis).")
]
Scale = Annotated[float | None, Option(help="Divide the values by this, for example 65535.")]
Network = Annotated[
    str | None, Option(help="mlp, patch, conv, residual or cnn; by default by the data's shape.")
]
LatentDim = Annotated[
    int | None, Option(min=1, help="K; by default the points', else 8, or 2 for few numbers.")
]
Likelihood = Annotated[
    str | None, Option(help="gaussian or bernoulli; by default the points' maker's, or gaussian.")
]
Noise = Annotated[
    float | None,
    Option(help="Gaussian noise, squared data units; by default a tenth of the variance."),
]
Beta = Annotated[
    float | None,
    Option(min=0.0, help="Weight of the rate; each laboratory's own choice, by default 1."),
]
Epochs = Annotated[
    int | None, Option(min=1, help="By default about 2,500 steps, multi-rate twice as many.")
]
BatchSize = Annotated[int | None, Option(min=1, help="By default 64, less for few data.")]
Rate = Annotated[float, Option(help="Learning rate of Adam.")]
Seed = Annotated[int, Option(min=0, help="Of everything random.")]
HeldOut = Annotated[
    float, Option(min=0.0, max=0.9, help="Share of the data that is not trained on but measured.")
]
Prepared = Annotated[
    str | None, Option(help="How the data were made: text, JSON, or a .json file.")
]
Json = Annotated[bool, Option("--json", help="Print JSON to standard output, nothing else.")]
Force = Annotated[bool, Option("--force", help="Replace results that exist.")]
Progress = Annotated[
    bool | None, Option(help="Show a bar with the time left; by default on a terminal.")
]
KNOWN_MAP = "the file's own map between two betas is fitted on the points' curves alone, and holds for models trained with them"


def distil(
    data: Annotated[Path, Argument(help=DATA_HELP)],
    out: Annotated[Path, Option("--out", "-o", help="The Rosetta file to write, .npz.")],
    model: Annotated[
        Path | None, Option(help="A saved Fit whose space to distil; without it, one is trained.")
    ] = None,
    model_out: Annotated[
        Path | None, Option(help="Where a trained model goes; by default OUT with .model.npz.")
    ] = None,
    num_points: Annotated[
        int | None, Option(min=1, help="R; by default 64, fewer for few data.")
    ] = None,
    method: Annotated[
        str, Option(help="kmeans, gaussian_mixture, agglomerative or random.")
    ] = "kmeans",
    share: Annotated[
        str,
        Option(
            help="inputs: ship the chosen examples; decoded: what the model makes of them (multi-rate: at its lowest "
            "beta), at a cost that is told."
        ),
    ] = "inputs",
    preprocessing: Prepared = None,
    licence: Annotated[
        str | None, Option(help="Of the shipped inputs, kept in the header.")
    ] = None,
    source: Annotated[
        str | None, Option(help="Where the data are from, kept in the header.")
    ] = None,
    key: Key = None,
    per_file: PerFile = "one",
    value_scale: Scale = None,
    network: Network = None,
    latent_dim: LatentDim = None,
    likelihood: Likelihood = None,
    noise_variance: Noise = None,
    multi_rate: Annotated[
        bool,
        Option(
            "--multi-rate",
            help="Train every beta from 0.01 to 10 at once: points become curves over beta.",
        ),
    ] = False,
    beta: Annotated[
        float | None,
        Option(
            min=0.0,
            help="Weight of the rate, by default 1; of a multi-rate model its plain points.",
        ),
    ] = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    learning_rate: Rate = 1e-3,
    held_out: HeldOut = 0.1,
    seed: Seed = 0,
    progress: Progress = None,
    json: Json = False,
    force: Force = False,
):
    """Distil a latent space into a Rosetta file; without --model, train one first and save it too.

    A multi-rate model gives curves, by which every receiver chooses a beta of its own.

    Examples:

    rvae-lite distil spectrograms/ -o alice.npz --preprocessing spec.json --licence CC0

    rvae-lite distil spectrograms/ -o alice.npz --multi-rate

    rvae-lite distil data.npy -o alice.npz --model fit.npz --num-points 32

    rvae-lite distil patients.csv -o alice.npz --share decoded
    """
    from rvae_lite import storage
    from rvae_lite.lab.reading import read_data

    kept = model_out or out.with_suffix(".model.npz")
    storage.check_outputs(out, *([] if model else [kept]), force=force)
    prepared = _preprocessing(preprocessing)
    examples = read_data(data, key=key, per_file=per_file, value_scale=value_scale)

    from rvae_lite.fitted import Fit
    from rvae_lite.lab import laboratory
    from rvae_lite.lab import plan as plans
    from rvae_lite.multirate import is_multirate

    plan = plans.Plan(
        network=network, latent_dim=latent_dim, likelihood=likelihood, noise_variance=noise_variance,
        beta=1.0 if beta is None else beta, beta_range=plans.beta_range_of() if multi_rate else None,
        epochs=epochs, batch_size=batch_size, learning_rate=learning_rate, seed=seed, held_out=held_out,
    )  # fmt: skip
    space, report = (Fit.load(model), {}) if model else (None, None)
    if space is not None and multi_rate and not is_multirate(space.model):
        raise ValueError(
            f"{model} is a plain model, which has no curves: leave --multi-rate or --model out"
        )
    if space is None:
        space, _, report = laboratory.train_space(
            examples.x, plan=plan, progress=_bar(progress, "training")
        )
    header = dict(preprocessing=prepared, licence=licence, source=source, value_scale=value_scale)
    header = {name: value for name, value in header.items() if value is not None}
    points = laboratory.distil_space(
        space,
        examples.x,
        num_points,
        method=method,
        seed=seed,
        ids=examples.ids,
        share=share,
        header=header,
        beta=beta,
    )
    with storage.uninterrupted():
        if not model:
            space.save(kept)
        points.save(out)
    result = dict(
        points=str(out),
        model=str(model or kept),
        num_points=len(points),
        latent_dim=points.z.shape[-1],
    )
    result |= dict(
        beta_range=points.header.get("beta_range"),
        share=points.header["share"],
        training=report,
        notes=examples.notes,
    )
    _say(result, json, laboratory.distil_text(result))


def train(
    data: Annotated[Path, Argument(help=DATA_HELP)],
    points: Annotated[
        str, Argument(help="The Rosetta file, or points of the book such as book:digits.")
    ],
    out: Annotated[Path, Option("--out", "-o", help="The model to write, .npz (a saved Fit).")],
    report: Annotated[
        Path | None,
        Option(help="Report to write, .json or .txt; by default OUT with .report.json."),
    ] = None,
    rho: Annotated[float, Option(min=0.0, help="Weight of the points.")] = 2.75,
    preprocessing: Prepared = None,
    key: Key = None,
    per_file: PerFile = "one",
    value_scale: Scale = None,
    network: Network = None,
    latent_dim: LatentDim = None,
    likelihood: Likelihood = None,
    noise_variance: Noise = None,
    multi_rate: Annotated[
        bool,
        Option(
            "--multi-rate",
            help="Train every beta of the points' range at once, held at each by curves.",
        ),
    ] = False,
    beta: Beta = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    learning_rate: Rate = 1e-3,
    held_out: HeldOut = 0.1,
    seed: Seed = 0,
    progress: Progress = None,
    json: Json = False,
    force: Force = False,
):
    """Train one's own data into the space of a Rosetta file, and say whether its points were reached.

    Where the points are curves over beta, a plain model is held by what they are at its own --beta.

    Examples:

    rvae-lite train recordings/ alice.npz -o bob.model.npz

    rvae-lite train recordings/ alice.npz -o bob.model.npz --beta 0.1

    rvae-lite train recordings/ alice.npz -o bob.model.npz --multi-rate

    rvae-lite train digits.h5 book:digits -o mine.npz --key images --network mlp
    """
    from rvae_lite import storage
    from rvae_lite.lab.reading import read_data

    if multi_rate and beta is not None:
        raise ValueError("--multi-rate trains every beta at once: leave --beta out")
    report = report or out.with_suffix(".report.json")
    storage.check_outputs(out, report, force=force)
    prepared = _preprocessing(preprocessing)
    examples = read_data(data, key=key, per_file=per_file, value_scale=value_scale)

    from rvae_lite.lab import laboratory
    from rvae_lite.lab import plan as plans
    from rvae_lite.rosetta import RosettaPoints

    received = RosettaPoints.load(points)
    plan = plans.Plan(
        network=network, latent_dim=latent_dim, likelihood=likelihood, noise_variance=noise_variance,
        beta=1.0 if beta is None else beta, beta_range=plans.beta_range_of(received) if multi_rate else None,
        rho=rho, epochs=epochs, batch_size=batch_size, learning_rate=learning_rate, seed=seed, held_out=held_out,
    )  # fmt: skip
    trained = laboratory.train_space(
        examples.x,
        points=received,
        plan=plan,
        preprocessing=prepared,
        progress=_bar(progress, "training"),
    )
    result = dict(model=str(out), points=points, **trained.report, notes=examples.notes)
    text = laboratory.train_text(result)
    content = (_as_json(result) if report.suffix == ".json" else text) + "\n"
    with storage.uninterrupted():
        trained.fit.save(out)
        storage.write_atomically(report, lambda file: file.write(content.encode()))
    _say(result, json, text + f"\nwritten: {out} and {report}")


def compare(
    spaces: Annotated[
        list[str],
        Argument(
            help="Two or more saved Fits, or .npy arrays of means (N, K); NAME=FILE names one, FILE@BETA says at which "
            "beta."
        ),
    ],
    out: Annotated[Path, Option("--out", "-o", help="The report to write, .html.")],
    data: Annotated[
        Path | None, Option(help=f"The common data, which Fits encode: {DATA_HELP}")
    ] = None,
    points: Annotated[
        str | None, Option(help="A Rosetta file whose inputs are the anchors.")
    ] = None,
    num_points: Annotated[
        int | None, Option(min=1, help="Without points, so many anchors chosen by k-means.")
    ] = None,
    beta: Annotated[
        float | None,
        Option(min=0.0, help="At which multi-rate Fits are read, where no @BETA says otherwise."),
    ] = None,
    title: Annotated[str, Option(help="Of the report.")] = "Latent spaces compared",
    key: Key = None,
    per_file: PerFile = "one",
    value_scale: Scale = None,
    seed: Seed = 0,
    progress: Progress = None,
    json: Json = False,
    force: Force = False,
):
    """Compare latent spaces of the same data in one self-contained HTML report; the first is the reference.

    Where the points are curves over beta, spaces of several betas are also compared by the map between them that the
    file itself tells.

    Examples:

    rvae-lite compare alice.model.npz bob.model.npz --data alice/ --points alice.npz -o report.html

    rvae-lite compare alice.model.npz@1 bob.model.npz@0.1 --data alice/ --points alice.npz -o report.html

    rvae-lite compare alice=a.npy bob=b.npy carol=c.npy -o report.html
    """
    from rvae_lite import storage
    from rvae_lite.lab.reading import read_data

    storage.check_outputs(out, force=force)
    named = _named(spaces)
    x = (
        read_data(data, key=key, per_file=per_file, value_scale=value_scale).x
        if data is not None
        else None
    )

    from rvae_lite.lab import comparing
    from rvae_lite.lab import page as pages
    from rvae_lite.lab.spaces import gather_spaces, known_maps
    from rvae_lite.rosetta import RosettaPoints

    anchors = RosettaPoints.load(points) if points is not None else None
    found = gather_spaces(named, x=x, points=anchors, beta=beta, seed=seed)
    maps = known_maps(anchors, found.betas) if anchors is not None else {}
    compared = comparing.compare_spaces(
        found.means, anchors=found.anchors, anchor_spaces=found.anchor_means, num_anchors=num_points,
        known_maps=maps, seed=seed, progress=_bar(progress, "comparing"),
    )  # fmt: skip
    notes = found.notes + [KNOWN_MAP] * bool(maps)
    page = pages.comparison_page(compared, title=title, notes=notes, over_beta=found.over_beta)
    with storage.uninterrupted():
        storage.write_atomically(out, lambda file: file.write(page.encode()))
    said = comparing.verdicts(compared)
    result = dict(
        report=str(out), spaces=list(found.means), num_examples=len(found.rows), verdicts=said
    )
    result |= dict(pairs=compared.pairs.to_dict("records"), group=compared.group.to_dict("records"))
    over_beta = {
        name: dict(beta=betas, unaligned=shares)
        for name, (betas, shares) in found.over_beta.items()
    }
    result |= dict(betas=found.betas, over_beta=over_beta, notes=[*notes, *compared.notes])
    _say(
        result,
        json,
        "\n".join([*(f"{name}: {text}" for name, text in said.items()), f"written: {out}"]),
    )


def inspect(
    file: Annotated[
        str,
        Argument(help="A Rosetta file, points of the book such as book:digits, or a saved Fit."),
    ],
    render: Annotated[Path | None, Option(help="Draw it, to .png or .html.")] = None,
    json: Json = False,
    force: Force = False,
):
    """Say what is in a file, every byte verified: hash, shapes, preprocessing, licence; draw it with --render.

    Examples:

    rvae-lite inspect alice.npz

    rvae-lite inspect alice.npz --render alice.html
    """
    from rvae_lite import storage
    from rvae_lite.lab import inspecting

    path = inspecting.file_of(file)
    described = inspecting.describe(path)
    if render is not None:
        storage.check_outputs(render, force=force)
        with storage.uninterrupted():
            inspecting.render(path, render)
    _say(described, json, inspecting.as_text(described))


def _preprocessing(text: str | None):
    """A text as it is; JSON, or the content of a .json file, as what it stands for."""
    if text is None:
        return None
    try:
        if text.endswith(".json"):
            return json_module.loads(Path(text).read_text(encoding="utf-8"))
        return json_module.loads(text) if text.lstrip()[:1] in ("{", "[") else text
    except ValueError as error:
        raise ValueError(
            f"--preprocessing is no valid JSON ({error}): correct it, or pass plain text"
        ) from error


def _named(spaces: list[str]) -> dict:
    from rvae_lite.lab.spaces import split_beta

    named = {}
    for text in spaces:
        name, found, path = text.partition("=")
        if not found:
            path, (file, beta) = text, split_beta(text)
            name = Path(file).name.removesuffix(".npz").removesuffix(".npy").removesuffix(".model")
            name += "" if beta is None else f" at {beta:g}"
        if name in named:
            raise ValueError(f"two spaces are called {name}: name them as in alice={path}")
        named[name] = path
    return named


def _bar(progress: bool | None, label: str) -> str | bool:
    return label if progress or (progress is None and sys.stderr.isatty()) else False


def _say(result: dict, json: bool, text: str) -> None:
    typer.echo(_as_json(result) if json else text)


def _as_json(value) -> str:
    """JSON of dictionaries, lists and numbers; NaN and infinities become null."""

    def plain(value):
        if isinstance(value, dict):
            return {str(key): plain(entry) for key, entry in value.items()}
        if isinstance(value, (list, tuple)):
            return [plain(entry) for entry in value]
        return None if isinstance(value, float) and not math.isfinite(value) else value

    return json_module.dumps(plain(value), indent=2)
