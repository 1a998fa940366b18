"""How near a linear multi-rate VAE comes to the exact optimum at every beta, on the 8x8 digits.

    python benchmarks/linear_multirate.py             # about two minutes on one thread

Prints the relative excess of distortion + beta * rate, its constant D/2 log(2 pi s2) left out, over
25 betas in [0.01, 10].  "sampled" is `fit` alone; "exact" goes on with L-BFGS on the expected loss,
divided by its optimum and averaged over 60 other betas.
"""

import argparse

import torch

from rvae_lite import data
from rvae_lite.studies.linear import linear_gaps


def run(x, latent_dim, epochs, iterations=0, label=None, **options):
    table = linear_gaps(x, latent_dim=latent_dim, epochs=epochs, iterations=iterations, **options)
    for training, rows in table.groupby("training", sort=False):
        worst = rows.loc[rows.gap.idxmax()]
        print(
            f"{label or training:24}{latent_dim:4}{100 * worst.gap:10.3f} %{worst.beta:8.3g}"
            f"{100 * rows.gap.mean():10.3f} %{worst.seconds:8.1f}",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--epochs", type=int, default=6000, help="of one batch each")
    parser.add_argument("--iterations", type=int, default=2000, help="of L-BFGS")
    options = parser.parse_args()
    torch.set_num_threads(1)
    x = data.load("digits").x.reshape(-1, 64)
    print(f"{'training':24}{'K':>4}{'worst gap':>12}{'at beta':>8}{'mean gap':>12}{'CPU s':>8}")
    for latent_dim in (16, 32):
        run(x, latent_dim, options.epochs, options.iterations)
    run(x, 16, options.epochs, label="one beta a batch", per="batch")
    run(x, 16, options.epochs, label="sigmoid encoder", gate=("sigmoid", "sqrt"))
    run(x, 16, options.epochs, label="sigmoid, sigmoid", gate="sigmoid")


if __name__ == "__main__":
    main()
