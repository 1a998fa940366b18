"""What a replica-epoch costs: `fit`, eager and compiled, against one model after the other.

    python benchmarks/replicas.py                 # about ten minutes
    python benchmarks/replicas.py --rounds 1 --replicas 10 --threads 2

Every method trains the same fully connected VAE (5-64-64-2 and its mirror) on the same 8,000 points
of the 8 Gaussians, batch 128, Adam.  "loop" is the usual way to write it: a DataLoader and an
optimiser per model, one model after the other.  "pythae" is the TrainingPipeline of that library
with the same network (diagonal posterior, which is all it has), measured where it is installed:
`pip install pythae`, version 0.1.2.

Each case runs in a process of its own, and the cases take turns, round after round, so that a
machine that slows down slows them all: the ratios are medians over rounds of ratios within a round.
CPU time is `time.process_time()` of an epoch; the first epoch, which compiles or warms up, is left
out of it, and the compile time stands apart.
"""

import argparse
import importlib.util
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time

NUM_DATA, BATCH_SIZE, LEARNING_RATE = 8000, 128, 1e-3
MOST_MODELS = 10  # methods that train one model after the other train at most so many of the M
METHODS = ("loop", "pythae", "eager", "compiled")


class Clock:
    """Collects the CPU and wall time at the start of every epoch and at the end of the last."""

    def __init__(self):
        self.stamps = []

    def tick(self):
        self.stamps.append((time.process_time(), time.perf_counter()))

    def seconds(self):
        """CPU and wall seconds of each epoch."""
        pairs = zip(self.stamps[:-1], self.stamps[1:], strict=True)
        return [(end[0] - start[0], end[1] - start[1]) for start, end in pairs]


def load_data():
    """The training data, (8000, 5) float32."""
    from rvae_lite import data

    return data.load("eight_gaussians", num_per_class=NUM_DATA // 8).x


def run_fit(replicas, epochs, *, compiled):
    """Our `fit`: the epochs of one ensemble."""
    from rvae_lite import VAE, engine, fit

    clock, run_epoch = Clock(), engine.Trainer.run_epoch

    def timed_epoch(self, state, epoch):
        clock.tick()
        return run_epoch(self, state, epoch)

    engine.Trainer.run_epoch = timed_epoch
    options = dict(
        batch_size=BATCH_SIZE, learning_rate=LEARNING_RATE, device="cpu", compile=compiled
    )
    space = fit(VAE.mlp(5, 2), load_data(), replicas=replicas, epochs=epochs, **options)
    clock.tick()
    assert space.info["engine"] == ("compiled" if compiled else "eager")
    return [clock.seconds()], replicas


def run_loop(replicas, epochs):
    """A DataLoader loop, one model after the other."""
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    from rvae_lite import VAE

    dataset, timings = TensorDataset(torch.from_numpy(load_data())), []
    for m in range(min(replicas, MOST_MODELS)):
        torch.manual_seed(m)
        model, clock = VAE.mlp(5, 2), Clock()
        loader = DataLoader(dataset, batch_size=BATCH_SIZE, shuffle=True)
        optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
        for _ in range(epochs):
            clock.tick()
            for (x,) in loader:
                posterior = model.encode(x)
                z = posterior.sample(torch.randn(len(x), 2))
                loss = (model.distortion(x, z) + posterior.kl_divergence()).mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        clock.tick()
        timings.append(clock.seconds())
    return timings, 1


def run_pythae(replicas, epochs):
    """pythae's TrainingPipeline on the same network, one model after the other."""
    import logging

    import torch
    from pythae.models import VAE, VAEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from pythae.pipelines import TrainingPipeline
    from pythae.trainers import BaseTrainerConfig
    from pythae.trainers.training_callbacks import TrainingCallback
    from torch import nn

    class Encoder(BaseEncoder):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(nn.Linear(5, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU())
            self.mean, self.log_variance = nn.Linear(64, 2), nn.Linear(64, 2)

        def forward(self, x):
            features = self.layers(x)
            return ModelOutput(
                embedding=self.mean(features), log_covariance=self.log_variance(features)
            )

    class Decoder(BaseDecoder):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(
                nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 5)
            )

        def forward(self, z):
            return ModelOutput(reconstruction=self.layers(z))

    class Timer(TrainingCallback):
        def __init__(self, clock):
            self.clock = clock

        def on_epoch_begin(self, training_config, **kwargs):
            self.clock.tick()

        def on_train_end(self, training_config, **kwargs):
            self.clock.tick()

    logging.disable(logging.WARNING)
    x, timings = torch.from_numpy(load_data()), []
    with tempfile.TemporaryDirectory() as folder:
        for m in range(min(replicas, MOST_MODELS)):
            clock = Clock()
            model = VAE(
                VAEConfig(input_dim=(5,), latent_dim=2), encoder=Encoder(), decoder=Decoder()
            )
            training = dict(
                per_device_train_batch_size=BATCH_SIZE,
                learning_rate=LEARNING_RATE,
                no_cuda=True,
                seed=m,
            )
            config = BaseTrainerConfig(output_dir=f"{folder}/{m}", num_epochs=epochs, **training)
            TrainingPipeline(model=model, training_config=config)(
                train_data=x, callbacks=[Timer(clock)]
            )
            timings.append(clock.seconds())
    return timings, 1


def run_case(method, replicas, epochs):
    """One case, in this process: what `measure` reads from its last line of output."""
    import torch

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    runs = dict(
        loop=run_loop,
        pythae=run_pythae,
        eager=lambda m, e: run_fit(m, e, compiled=False),
        compiled=lambda m, e: run_fit(m, e, compiled=True),
    )
    timings, together = runs[method](replicas, epochs)
    steady = [seconds for run in timings for seconds in run[1:]]
    cpu, wall = (statistics.median(part) for part in zip(*steady, strict=True))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        2**20 if sys.platform == "darwin" else 2**10
    )
    return dict(
        cpu=1000 * cpu / together,
        wall=1000 * wall / together,
        first=timings[0][0][1] - wall,
        peak=peak,
        trained=len(timings) * together,
    )


def measure(method, replicas, epochs, environment):
    """One case in a process of its own."""
    command = [sys.executable, __file__, "--case", method, str(replicas), str(epochs)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{method} with M = {replicas} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def median_ratio(rounds, above, below):
    """The median over rounds of one case's CPU time over another's in the same round."""
    return statistics.median(results[above]["cpu"] / results[below]["cpu"] for results in rounds)


def report(rounds, methods, counts):
    """Print the table and the ratios."""
    columns = f"{'CPU ms':>9}{'wall ms':>9}{'speed-up':>10}{'peak MB':>9}{'compile s':>14}"
    print(f"{'method':10}{'M':>4}{'trained':>10}{columns}")
    for method in methods:
        for count in counts:
            results = [results[method, count] for results in rounds]
            middle = {
                key: statistics.median(result[key] for result in results) for key in results[0]
            }
            trained = f"{middle['trained']:.0f} of {count}"
            speed_up = median_ratio(rounds, ("loop", count), (method, count))
            later = min(result["first"] for result in results[1:] or results)
            compiling = f"{results[0]['first']:.1f} ({later:.1f})" if method == "compiled" else ""
            print(
                f"{method:10}{count:4}{trained:>10}{middle['cpu']:9.2f}{middle['wall']:9.2f}{speed_up:10.2f}"
                f"{middle['peak']:9.0f}{compiling:>14}"
            )
    print(
        "CPU ms, wall ms: median milliseconds a replica-epoch; "
        "speed-up: in CPU time, over the loop at the same M;"
    )
    print(
        "compile s: seconds of the first round, whose cache is empty, and (in brackets) of "
        "a later one."
    )
    if "pythae" in methods:
        ratios = [
            f"{median_ratio(rounds, ('pythae', m), ('compiled', m)):.1f} at M = {m}" for m in counts
        ]
        print(f"compiled over pythae in CPU time: {', '.join(ratios)}")
    else:
        print("pythae not installed: pip install pythae")
    if {10, 40} <= set(counts):
        for method in ("eager", "compiled"):
            print(
                f"cost(M=40) / cost(M=10), {method}: "
                f"{4 * median_ratio(rounds, (method, 40), (method, 10)):.2f}"
            )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=1, help="OpenMP threads of each process")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--epochs", type=int, default=8, help="of each training; the first is not timed"
    )
    parser.add_argument("--replicas", type=int, nargs="+", default=[1, 10, 40], help="values of M")
    parser.add_argument("--case", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        method, replicas, epochs = options.case
        print(json.dumps(run_case(method, int(replicas), int(epochs))))
        return
    if options.epochs < 2:
        parser.error("--epochs must be at least 2: the first is not timed")
    methods = [m for m in METHODS if m != "pythae" or importlib.util.find_spec("pythae")]
    with tempfile.TemporaryDirectory() as cache:
        threads = dict(OMP_NUM_THREADS=str(options.threads), MKL_NUM_THREADS=str(options.threads))
        environment = os.environ | threads | dict(TORCHINDUCTOR_CACHE_DIR=cache)
        rounds = []
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
            cases = [(method, count) for count in options.replicas for method in methods]
            rounds.append({case: measure(*case, options.epochs, environment) for case in cases})
    from importlib.metadata import version

    print(
        f"{platform.machine()}, Python {platform.python_version()}, torch {version('torch')}, "
        f"{options.threads} thread(s); N = {NUM_DATA}, batch {BATCH_SIZE}, "
        f"{options.epochs} epochs, "
        f"{options.rounds} round(s)"
    )
    report(rounds, methods, options.replicas)


if __name__ == "__main__":
    main()
