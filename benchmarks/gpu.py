"""What a CUDA device is good for: checks, ratios, then the studies at the scale of the papers.

    python benchmarks/gpu.py --out gpu                    # at most ten minutes; call again to go on
    python benchmarks/gpu.py --out gpu --minutes 60
    python benchmarks/gpu.py --out gpu --device cpu --quick      # at toy scale, under a minute

In this order:

1. checks: the same training on the CPU and on the device, to a tolerance; files and checkpoints of
   the one, read by the other.
2. ensembles: M replicas side by side against one after the other.
3. options: TF32, channels_last, torch.compile and CUDA graphs, as ratios to a plain step.  The
   studies then train with TF32 and compilation where these were faster, and say so in their
   columns tf32 and compile; `fit` has no option for the others, which are only measured.
4. studies, unit by unit: `mnist` with 64 points; of `multi_rate` the ResNet on binary MNIST, one
   seed, one multi-rate training and four separate ones (both annealed); `zebra_finch` (128x128);
   `mnist` with 32 points.

Every part runs in a process of its own, which ends with the time; a training that it interrupts
goes on from its checkpoint in the next call.  A part that is finished is written to its own file,
as a whole or not at all, and is not run again.

In the folder then stand gpu.csv, with the columns gpu, torch, part, case, metric and value, and a
table of every study of which a unit is finished, with a column gpu.  Exits with an error where a
check fails.
"""

import argparse
import copy
import re
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from rvae_lite import VAE, Fit, RosettaPoints, fit
from rvae_lite.anchors import PointsNotReached
from rvae_lite.multirate import LogUniform, make_multirate
from rvae_lite.publishing import write_atomically
from rvae_lite.studies.study import find_study, stamp

SHAPE, LATENT_DIM, BATCH_SIZE = (1, 28, 28), 16, 256
COUNTS = (1, 2, 5, 10)
TOLERANCES = {torch.float64: 1e-7, torch.float32: 1e-3}  # of weights, relative to the largest
STUDIES = [  # in the order of their worth, each with a pattern that its units' names hold
    ("mnist", "R64"),
    ("multi_rate", "binary_mnist-resnet-(MR-VAE|beta-VAE-annealed)$"),
    ("zebra_finch", ""),
    ("mnist", "R32"),
]
# What differs from a study's own setup.
CHANGES = dict(multi_rate=dict(replicas=1, betas=(0.01, 0.1, 1.0, 10.0)))
TOY = "eight_gaussians"  # the study of --quick
TOY_SETUP = dict(epochs=1, replicas=2, num_examples=400)
AT_LEAST = 20  # seconds: with less, no part is begun


def images(num_data):
    """Random images of bytes, (N, 1, 28, 28)."""
    random = np.random.default_rng(0)
    return random.integers(0, 256, (num_data, *SHAPE), dtype=np.uint8)


def network(quick):
    """The network of the study `mnist` at the scale of the paper; a small one of --quick."""
    options = dict(noise_variance=0.1, value_range=(0.0, 1.0))
    if quick:
        options.update(channels=(4, 8), blocks=(0, 1), hidden=(16,))
    return VAE.residual(SHAPE, LATENT_DIM, **options)


def clock(device):
    """Wall-clock seconds, all work of the device done."""
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def allow_tf32(allowed):
    """Allow TF32 in matrix products and in convolutions, or forbid it in both."""
    torch.backends.cuda.matmul.allow_tf32 = allowed
    torch.backends.cudnn.allow_tf32 = allowed


# 1. Checks


def trainings(quick):
    """Name -> a training: a function of its options."""
    x = images(16 if quick else 1024)
    rows = np.random.default_rng(1).standard_normal((100, 5))
    points = RosettaPoints(rows[:8], rows[:8, :2])
    pairs = dict(replicas=2, seed=[3, 4], batch_size=32, compile=False)
    held = dict(pairs, epochs=3, points=points, rho=[0.0, 1.0])
    shown = dict(pairs, epochs=1)
    drawn = dict(shown, beta=LogUniform(0.01, 10.0))
    gated = make_multirate(VAE.cnn(SHAPE, 4, width=0.02 if quick else 0.1))
    precise_net = network(quick).double()
    return {
        "points, float64": lambda **o: fit(VAE.mlp(5, 2).double(), rows, **held | o),
        "images, float64": lambda **o: fit(precise_net, x, **shown | o),
        "images, float32": lambda **o: fit(network(quick), x, **shown | o),
        "multi-rate, float32": lambda **o: fit(gated, x, **drawn | o),
    }


def difference(one, other):
    """The largest difference of two Fits' weights, relative to the largest weight."""
    gap = (one.weights - other.weights).abs().max()
    return float(gap / other.weights.abs().max())


def check_trainings(device, quick):
    """CPU against device, from the same seeds."""
    allow_tf32(False)
    rows = []
    for name, train in trainings(quick).items():
        expected, found = train(device="cpu"), train(device=device)
        limit = TOLERANCES[expected.weights.dtype]
        gap = difference(found, expected)
        losses = np.abs(found.terms["loss"] / expected.terms["loss"] - 1).max()
        passed = float(gap <= limit)
        rows.append(dict(case=name, difference=gap, of_losses=losses, limit=limit, passed=passed))
    return rows


def check_files(device, quick):
    """Fits and checkpoints of one device, read by the other."""
    allow_tf32(False)
    train, limit = trainings(quick)["points, float64"], TOLERANCES[torch.float64]
    x = np.random.default_rng(2).standard_normal((50, 5))
    whole, rows = train(device="cpu"), []
    with tempfile.TemporaryDirectory() as folder:
        for first, second in ((device, "cpu"), ("cpu", device)):
            path = Path(folder) / f"{first} {second}.npz"
            saved = train(device=first)
            saved.save(path)
            gap = float((Fit.load(path).encode(x) - saved.encode(x)).abs().max())
            path.unlink()
            train(device=first, epochs=1, checkpoint=path)
            resumed = difference(train(device=second, checkpoint=path), whole)
            case = f"{first}, then {second}"
            passed = float(max(gap, resumed) <= limit)
            rows.append(dict(case=case, loaded=gap, resumed=resumed, limit=limit, passed=passed))
    return rows


# 2. Ensembles


def measure_ensembles(device, quick):
    """Seconds of M trainings side by side, and of M alone, per epoch."""
    x = images(16 if quick else 16 * BATCH_SIZE)
    rounds, epochs = (1, 1) if quick else (3, 3)
    counts = COUNTS[:2] if quick else COUNTS
    networks = dict(
        residual=network(quick), mlp=VAE.mlp(SHAPE, LATENT_DIM, (16,) if quick else (256, 128))
    )
    batch_size = 8 if quick else BATCH_SIZE
    options = dict(epochs=epochs, batch_size=batch_size, device=device, compile=False)

    def seconds(model, replicas):
        began = clock(device)
        fit(model, x, replicas=replicas, **options)
        return (clock(device) - began) / epochs

    rows = []
    for name, model in networks.items():
        seconds(model, 1)  # warms up
        times = [[seconds(model, count) for count in counts] for _ in range(rounds)]
        for position, count in enumerate(counts):
            each = statistics.median(row[position] for row in times)
            ratio = statistics.median(count * row[0] / row[position] for row in times)
            rows.append(dict(case=f"{name}, M = {count}", seconds=each, speed_up=ratio))
    return rows


# 3. Options


def step_of(device, quick, *, channels_last=False, compiled=None, graph=False):
    """A function that takes one step of a hand-written loop."""
    model = network(quick).to(device).train()
    layout = torch.channels_last if channels_last else torch.contiguous_format
    model = model.to(memory_format=layout)
    x = torch.rand(8 if quick else BATCH_SIZE, *SHAPE, device=device)
    x = x.contiguous(memory_format=layout)
    noise = torch.randn(len(x), model.noise_dim, device=device)
    adam = torch.optim.Adam(model.parameters(), lr=1e-3, capturable=graph, foreach=True)

    def loss():
        distortion, rate = model.distortion_and_rate(x, noise)
        return (distortion + rate).mean()

    loss_of = loss if compiled is None else torch.compile(loss, mode=compiled)

    def step():
        adam.zero_grad()
        loss_of().backward()
        adam.step()

    return captured(step) if graph else step


def captured(step):
    """The step as a CUDA graph."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def measure_options(device, quick):
    """Each option's seconds a step, and its ratio to the plain step of the same round."""
    rounds, count = (2, 1) if quick else (7, 20)
    ways = dict(plain={}, channels_last=dict(channels_last=True))
    if device == "cuda":
        ways["tf32"] = {}
        ways["compile"] = dict(compiled="default")
        ways["compile, reduce-overhead"] = dict(compiled="reduce-overhead")
        ways["CUDA graph"] = dict(graph=True)
    steps = {name: step_of(device, quick, **options) for name, options in ways.items()}
    times = {name: [] for name in ways}
    for _ in range(rounds + 1):
        for name, step in steps.items():
            allow_tf32(name == "tf32")
            began = clock(device)
            for _ in range(count):
                step()
            times[name].append((clock(device) - began) / count)
    rows = []
    for name, seconds in times.items():
        pairs = zip(seconds[1:], times["plain"][1:], strict=True)
        ratio = statistics.median(one / plain for one, plain in pairs)
        rows.append(dict(case=name, seconds=statistics.median(seconds[1:]), ratio=ratio))
    return rows


# 4. Studies, and the parts one after the other

PARTS = {
    "check trainings": check_trainings,
    "check files": check_files,
    "ensembles": measure_ensembles,
    "options": measure_options,
}


def parts(quick):
    """The names of all parts in their order: those of PARTS, then "study/unit"."""
    names = list(PARTS)
    studies, profile = ([(TOY, "")], "quick") if quick else (STUDIES, "paper")
    for name, pattern in studies:
        units = [unit for unit in find_study(name).cells(profile) if re.search(pattern, unit)]
        names += [f"{name}/{unit}" for unit in units]
    return names[: len(PARTS) + 1] if quick else names


def choices(folder):
    """Whether TF32 and compilation were faster than a plain step, where that was measured."""
    if not done(folder, "options"):
        return {}
    table = pd.read_csv(file_of(folder, "options"))
    ratios = table[table.metric == "ratio"].set_index("case").value
    return {name: bool(ratios[name] < 1) for name in ("tf32", "compile") if name in ratios}


def run_unit(part, quick, folder):
    """The table of a study's unit, by what was faster; its trainings are kept in the folder."""
    name, unit = part.split("/")
    study, profile = find_study(name), "quick" if quick else "paper"
    setup = dict(study.profiles[profile]["setup"])
    setup.update(TOY_SETUP if quick else CHANGES.get(name, {}))
    chosen = choices(folder)
    if "tf32" in chosen:
        allow_tf32(chosen["tf32"])
    if "compile" in chosen:
        setup["compile"] = "auto" if chosen["compile"] else False
    changed = dict(study.profiles[profile], setup=setup)
    study = copy.copy(study)
    study.profiles = study.profiles | {profile: changed}
    keep = folder / "trainings" / name
    result = study.run(profile, study.cells(profile)[unit], keep=keep)
    return stamp(getattr(result, "table", result), profile=profile, **chosen)


def tidy(rows):
    """A row for every number."""
    long = pd.DataFrame(rows).melt(id_vars="case", var_name="metric")
    return long.dropna(subset="value")


def run_part(part, options, folder):
    """Run one part here and write its file."""
    began = time.perf_counter()
    if part in PARTS:
        table = tidy(PARTS[part](options.device, options.quick))
    else:
        table = run_unit(part, options.quick, folder)
    seconds = time.perf_counter() - began
    table = table.assign(part=part, part_seconds=seconds, gpu=gpu_name(options.device))
    write_table(file_of(folder, part), table.assign(torch=torch.__version__))


def write_table(path, table):
    """Write a CSV as a whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = table.to_csv(index=False, float_format="%.7g", lineterminator="\n")
    write_atomically(path, lambda file: file.write(text.encode()))


def file_of(folder, part):
    """Where a finished part is kept."""
    return folder / "parts" / f"{part.replace('/', '--').replace(' ', '_')}.csv"


def gpu_name(device):
    """What the device calls itself."""
    return torch.cuda.get_device_name() if device == "cuda" else "CPU"


def gather(folder, names):
    """Write gpu.csv and the studies' tables out of the finished parts; returns gpu.csv's."""
    columns = ["gpu", "torch", "part", "case", "metric", "value"]
    found = {name: pd.read_csv(file_of(folder, name)) for name in names if done(folder, name)}
    pieces, studies = [pd.DataFrame(columns=columns)], {}
    for name, table in found.items():
        if name in PARTS:
            pieces.append(table[columns])
            continue
        study, _, unit = name.partition("/")
        studies.setdefault(study, []).append(table.drop(columns="part"))
        first = table.iloc[0]
        row = dict(gpu=first.gpu, torch=first.torch, part=study, case=unit)
        row.update(metric="seconds", value=first.part_seconds)
        pieces.append(pd.DataFrame([row]))
    whole = pd.concat([piece for piece in pieces if len(piece)] or pieces, ignore_index=True)
    write_table(folder / "gpu.csv", whole)
    for study, tables in studies.items():
        write_table(folder / f"{study}.csv", pd.concat(tables, ignore_index=True))
    return whole


def done(folder, part):
    """Whether a part is finished."""
    return file_of(folder, part).is_file()


def attempt(part, options, folder, seconds):
    """Run a part, in a process of its own except for --quick; says how it ended."""
    if options.quick:
        run_part(part, options, folder)
        return "done"
    command = [sys.executable, __file__, *sys.argv[1:], "--part", part]
    try:
        return "failed" if subprocess.run(command, timeout=seconds).returncode else "done"
    except subprocess.TimeoutExpired:
        return "out of time: call again to go on"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the tables")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--quick", action="store_true", help="at toy scale")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        sys.exit("there is no CUDA device: run it where there is one, or with --device cpu --quick")
    if options.device == "cpu":
        torch.set_num_threads(1)
    began, names = time.monotonic(), parts(options.quick)
    warnings.simplefilter("ignore", PointsNotReached)  # of short trainings
    if options.part:
        run_part(options.part, options, options.out)
        return
    for part in names:
        left = 60 * options.minutes - (time.monotonic() - began)
        if done(options.out, part):
            print(f"{part}: done before")
        elif left > AT_LEAST:
            how = attempt(part, options, options.out, left)
            print(f"{part}: {how}, {time.monotonic() - began:.0f} s in all", flush=True)
    table = gather(options.out, names)
    print(table.to_string(index=False, float_format="{:.4g}".format))
    missing = [name for name in names if not done(options.out, name)]
    if missing:
        print(f"{len(missing)} parts of {len(names)} are left, {missing[0]} next: call again")
    if (table[table.metric == "passed"].value == 0).any():
        sys.exit("the device's numbers are not those of the CPU: see the rows `passed`")


if __name__ == "__main__":
    main()
