"""The laboratory's commands: distil, train, compare and inspect, files in and files out.

They read, call the library and write; a command's results appear together or not at all.
Heavy modules are imported when a command has found its files, so that errors of use come at once.
"""

from pathlib import Path
from typing import Annotated

import typer

from rvae_lite.lab.options import (
    Given,
    Header,
    Output,
    Preprocessing,
    Progress,
    Reading,
    Showing,
    check_only_distilled,
    read_preprocessing,
    with_options,
)
from rvae_lite.lab.outputs import (
    as_json,
    bar_label,
    beside,
    check_outputs,
    in_words,
    publish_results,
    say,
)
from rvae_lite.lab.plan import RHO, Choice, Plan, Seed, beta_range_of
from rvae_lite.publishing import printable

Option, Argument = typer.Option, typer.Argument
DATA_HELP = (
    "what extract wrote; .npy, .npz, .h5, .csv, .tsv, or a folder of .png/.jpg images or of .npy "
    "arrays."
)
Data = Annotated[Path, Argument(help=DATA_HELP)]
ELSEWHERE = "book:digits, or an address with its checksum, such as doi:DOI/FILE#sha256=..."
NAMES_TRAVEL = "the {} of the chosen {} travel with the points: --ids none leaves them out"
TOLD = ("latent_dim", "beta_range", "share", "covering", "latents")  # of a header, by distil


@with_options
def distil(
    data: Data,
    out: Annotated[Path, Option("--out", "-o", help="The Rosetta file to write, .npz.")],
    *,
    model: Annotated[
        Path | None, Choice("A saved Fit whose space to distil; without it, one is trained.")
    ] = None,
    given: Given,
    model_out: Annotated[
        Path | None, Choice("Where a trained model goes; by default OUT with .model.npz.")
    ] = None,
    num_points: Annotated[
        int | None, Choice("R; by default 64, fewer for few data.", min=1)
    ] = None,
    method: Annotated[
        str,
        Choice(
            "kmeans, gaussian_mixture, agglomerative, random, farthest_first (reaches all data, "
            "outliers too) or d_optimal (pins an affine map down)."
        ),
    ] = "kmeans",
    share: Annotated[
        str,
        Choice(
            "inputs: ship the chosen examples; decoded: what the model makes of them "
            "(multi-rate: at its lowest beta), at a cost that is told."
        ),
    ] = "inputs",
    ids: Annotated[
        str, Choice("names: of files or rows, which travel with the points; none: leave them out.")
    ] = "names",
    header: Header,
    reading: Reading,
    multi_rate: Annotated[
        bool, Choice("Train every beta from 0.01 to 10 at once: points become curves over beta.")
    ] = False,
    beta: Annotated[
        float | None,
        Choice(
            "Weight of the rate, by default 1; of a multi-rate model its plain points.", min=0.0
        ),
    ] = None,
    plan: Plan,
    progress: Progress = None,
    output: Output,
):
    """Distil a latent space into a Rosetta file; without --model, train one first and save it too.

    A multi-rate model gives curves, by which every receiver chooses a beta of its own.

    --latents distils the space of any other model, without decoder targets, as the file says.

    Examples:

    rvae-lite distil spectrograms/ -o alice.npz --preprocessing spec.json --licence CC0

    rvae-lite distil spectrograms/ -o alice.npz --multi-rate

    rvae-lite distil data.npy -o alice.npz --model fit.npz --num-points 32

    rvae-lite distil patients.csv -o alice.npz --share decoded

    rvae-lite distil syllables.h5 --key specs -o ava.npz --latents ava.h5 --latents-key latent_means

    rvae-lite distil x.npy -o pca.npz --latents pca.csv --latents-from "PCA of 1,797 digits"
    """
    if ids not in ("names", "none"):
        raise ValueError(f"--ids must be names or none, not {ids!r}")
    options = dict(model=model, share=share, model_out=model_out)
    check_only_distilled(given, plan, multi_rate=multi_rate, beta=beta, **options)
    kept = model_out or beside(out, ".model.npz")
    trains = model is None and given.latents is None
    inputs = [data, model, given.latents, header.preprocessing]
    check_outputs(out, *[kept] * trains, inputs=inputs, force=output.force)
    preprocessing = read_preprocessing(header.preprocessing)
    examples = reading.read(data)
    preprocessing = reading.made_by(data, examples, preprocessing, named=ids == "names")
    header = header._replace(preprocessing=preprocessing)

    from rvae_lite.lab.distilling import distil_space, load_space
    from rvae_lite.lab.training import train_space

    space, report, called = None, {}, ("names", "files") if data.is_dir() else ()
    if given.latents is not None:
        means, examples, known = given.read(data, examples, memory=reading.memory)
        called = called or (("ids", "examples") if known else ())
    elif model:
        space = load_space(model, multi_rate=multi_rate)
    else:
        plan = plan._replace(beta=beta, beta_range=beta_range_of() if multi_rate else None)
        options = dict(names=examples.names, progress=bar_label(progress, "training"))
        space, _, report = train_space(examples.x, plan=plan, **options)
    told = header.told(value_scale=reading.value_scale, names=examples.names)
    names = examples.ids if ids == "names" else [""] * len(examples.ids)
    options = dict(method=method, seed=plan.seed, ids=names, header=told)
    if space is None:
        points = given.distil(examples.x, means, num_points, **options)
    else:
        points = distil_space(space, examples.x, num_points, share=share, beta=beta, **options)
    contents = {out: points.save} | ({kept: space.save} if trains else {})
    out, kept = [*publish_results(contents, force=output.force), model][:2]
    travel = points.ids[0] and (called or examples.ids[0] != "0")  # else rows are numbered
    notes = examples.notes + [NAMES_TRAVEL.format(*called or ("ids", "examples"))] * bool(travel)
    result = dict(points=str(out), model=kept and str(kept), num_points=len(points))
    result |= {name: points.header.get(name) for name in TOLD} | dict(training=report, notes=notes)
    say(result, in_words("distil", result), output)


@with_options
def train(
    data: Data,
    points: Annotated[str, Argument(help=f"The Rosetta file, {ELSEWHERE}.")],
    out: Annotated[Path, Option("--out", "-o", help="The model to write, .npz (a saved Fit).")],
    *,
    report: Annotated[
        Path | None, Choice("Report to write, .json or .txt; by default OUT with .report.json.")
    ] = None,
    rho: Annotated[float, Choice("Weight of the points.", min=0.0)] = RHO,
    preprocessing: Preprocessing = None,
    reading: Reading,
    multi_rate: Annotated[
        bool, Choice("Train every beta of the points' range at once, held at each by curves.")
    ] = False,
    beta: Annotated[
        float | None,
        Choice("Weight of the rate; each laboratory's own choice, by default 1.", min=0.0),
    ] = None,
    plan: Plan,
    progress: Progress = None,
    output: Output,
):
    """Train one's own data into the space of a Rosetta file, and say whether its points were
    reached.

    Where the points are curves over beta, a plain model is held by what they are at its own --beta.

    Examples:

    rvae-lite train recordings/ alice.npz -o bob.model.npz

    rvae-lite train recordings/ alice.npz -o bob.model.npz --beta 0.1

    rvae-lite train recordings/ alice.npz -o bob.model.npz --multi-rate

    rvae-lite train digits.h5 book:digits -o mine.npz --key images --network mlp
    """
    if multi_rate and beta is not None:
        raise ValueError("--multi-rate trains every beta at once: leave --beta out")
    report = report or beside(out, ".report.json")
    check_outputs(out, report, inputs=[data, points, preprocessing], force=output.force)
    preprocessing = read_preprocessing(preprocessing)
    examples = reading.read(data)
    preprocessing = reading.made_by(data, examples, preprocessing)

    from rvae_lite.lab.training import train_space
    from rvae_lite.rosetta import RosettaPoints

    received = RosettaPoints.load(points)
    examples = reading.arrange(examples, received.header)
    beta_range = beta_range_of(received) if multi_rate else None
    plan = plan._replace(beta=beta, beta_range=beta_range, rho=rho)
    options = dict(preprocessing=preprocessing, names=examples.names)
    options["progress"] = bar_label(progress, "training")
    trained = train_space(examples.x, points=received, plan=plan, **options)
    result = dict(model=str(out), points=points, **trained.report, notes=examples.notes)
    text = in_words("train", result)
    content = (as_json(result) if report.suffix.lower() == ".json" else text) + "\n"
    contents = {out: trained.fit.save, report: lambda file: file.write(content.encode())}
    written = publish_results(contents, force=output.force)
    result["model"] = str(written[0])
    say(result, f"{text}\nwritten: {printable(' and '.join(map(str, written)))}", output)


@with_options
def compare(
    spaces: Annotated[
        list[str],
        Argument(
            help="Two or more saved Fits, or .npy arrays of means (N, K); NAME=FILE names one, "
            "FILE@BETA says at which beta."
        ),
    ],
    out: Annotated[Path, Option("--out", "-o", help="The report to write, .html.")],
    *,
    data: Annotated[Path | None, Choice(f"The common data, which Fits encode: {DATA_HELP}")] = None,
    points: Annotated[
        str | None, Choice(f"A Rosetta file, {ELSEWHERE}, whose inputs are the anchors.")
    ] = None,
    num_points: Annotated[
        int | None, Choice("Without points, so many anchors chosen by k-means.", min=1)
    ] = None,
    beta: Annotated[
        float | None,
        Choice("At which multi-rate Fits are read, where no @BETA says otherwise.", min=0.0),
    ] = None,
    title: Annotated[str, Choice("Of the report.")] = "Latent spaces compared",
    showing: Showing,
    reading: Reading,
    seed: Seed = 0,
    progress: Progress = None,
    output: Output,
):
    """Compare latent spaces of the same data in one self-contained HTML report; the first is the
    reference.

    Where the points are curves over beta, spaces of several betas are also compared by the map
    between them that the file itself tells.

    Examples:

    rvae-lite compare alice.model.npz bob.model.npz --data alice/ --points alice.npz -o report.html

    rvae-lite compare alice.model.npz@1 bob.model.npz@0.1 --data alice/ --points alice.npz
    -o report.html

    rvae-lite compare alice=a.npy bob=b.npy carol=c.npy -o report.html
    """
    if points is not None and num_points is not None:
        raise ValueError("--points are the anchors: leave --num-points out")
    check_outputs(out, inputs=[data, points, showing.labels], force=output.force)
    examples, labels = None if data is None else reading.read(data), showing.read()

    from rvae_lite.lab.comparing import compare_spaces
    from rvae_lite.lab.exploring import examples_of
    from rvae_lite.lab.report import as_result, comparison_page
    from rvae_lite.lab.spaces import KNOWN_MAP, gather_spaces, known_maps, name_sources, split_beta
    from rvae_lite.rosetta import RosettaPoints

    named = name_sources(spaces)
    paths = [split_beta(source)[0] for source in named.values()]
    check_outputs(out, inputs=paths, force=output.force)
    anchors = None if points is None else RosettaPoints.load(points)
    if examples is not None and anchors is not None:
        examples = reading.arrange(examples, anchors.header)
    x = None if examples is None else examples.x
    columns = None if examples is None else examples.names
    options = dict(points=anchors, beta=beta, names=columns, seed=seed)
    found = gather_spaces(named, x=x, **options)
    options = dict(points=anchors, labels=labels, pictures=not showing.no_pictures)
    shown = examples_of(examples, found, **options)
    maps = {} if anchors is None else known_maps(anchors, found.betas)
    anchored = dict(anchors=found.anchors, anchor_spaces=found.anchor_means, known_maps=maps)
    options = dict(num_anchors=num_points, seed=seed, progress=bar_label(progress, "comparing"))
    compared = compare_spaces(found.means, **anchored, **options)
    notes = found.notes + [KNOWN_MAP] * bool(maps) + shown.notes()
    told = dict(title=title, notes=notes, over_beta=found.over_beta)
    page = comparison_page(compared, examples=shown, **told)
    contents = {out: lambda file: file.write(page.encode("utf-8", "backslashreplace"))}
    [out] = publish_results(contents, force=output.force)
    result = dict(report=str(out), **as_result(compared, found, notes))
    lines = [f"{name}: {text}" for name, text in result["verdicts"].items()]
    lines.append(f"written: {out}")
    say(result, "\n".join(printable(lines)), output)


@with_options
def inspect(
    file: Annotated[
        str,
        Argument(help=f"A Rosetta file or a saved Fit, {ELSEWHERE}."),
    ],
    *,
    render: Annotated[Path | None, Choice("Draw it, to .png or .html.")] = None,
    output: Output,
):
    """Say what is in a file, every byte verified: hash, shapes, preprocessing, citation, licence;
    draw it with --render.

    An address is taken with the SHA-256 that its maker reads off as "file sha256" here.

    Examples:

    rvae-lite inspect alice.npz

    rvae-lite inspect "doi:10.5281/zenodo.123/alice.npz#sha256=..."

    rvae-lite inspect alice.npz --render alice.html
    """
    from rvae_lite.lab import inspecting

    opened = inspecting.open_file(file)
    described = inspecting.describe(opened)
    if render is not None:
        check_outputs(render, inputs=[file], force=output.force)
        from rvae_lite.lab.drawing import render as draw

        draw(opened, render)
    say(described, inspecting.as_text(described), output)
