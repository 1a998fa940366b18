"""One multi-rate training against separate ones for eight epochs, as the authors' code printed it.

Its README has rate and distortion at four beta, of a ResNet on binary MNIST in batches of 64; what
it calls "MR-VAE" has the paper's gates.
"""

from rvae_lite.reporting.tables import NO_NUMBER, format_number, verdict
from rvae_lite.studies import over_beta_tables
from rvae_lite.studies.over_beta import ANNEALED, MR, PAPER, WITH_PAPER_GATES, over_beta, rate_setup
from rvae_lite.studies.study import Study

SEPARATE = "beta-VAE"
METHODS = WITH_PAPER_GATES
BETAS = (0.01, 0.1, 1.0, 10.0)
SMALL = dict(network="resnet", width=1 / 16, num_train=1000, num_test=500, epochs=2, replicas=1)
WHOLE = dict(network="resnet", width=1 / 2, epochs=8, replicas=1)
study = Study(
    "eight_epochs",
    reproduces="the authors' README, a ResNet of 8 epochs",
    chapter="23_multi_rate",
    minutes=dict(cpu=70),
    profiles=dict(
        quick=dict(setup=SMALL),
        cpu=dict(setup=WHOLE),
        paper=dict(setup=dict(WHOLE, width=1, replicas=3)),
    ),
)
study.grid(lambda profile: METHODS)


@study.unit
def unit(profile, method, keep):
    """One method at four beta."""
    options = dict(profile.setup, keep=keep, progress=True, betas=BETAS, batch_size=64)
    return over_beta(rate_setup("binary_mnist", methods={method: METHODS[method]}, **options))


def printed_points(published):
    """The printed rates and distortions, nats: a row per beta, a column per metric and method."""
    rows = published[published.recipe == "eight_epochs"]
    rows = rows.assign(beta=rows.part.astype(float))
    return rows.pivot_table(index="beta", columns=["metric", "method"], values="median")


def printed_excess(published):
    """The printed loss of one training above that of a separate one, nats: a Series over beta."""
    printed = printed_points(published)
    losses = printed.distortion.add(printed.rate.mul(printed.index, axis=0))
    return losses["MR-VAE"] - losses[SEPARATE]


@study.table
def table(own, published):
    """Loss above a separate training, nats, medians over seeds; judged is its sign."""
    import pandas as pd

    printed, rows = printed_excess(published), []
    for method in (PAPER, MR, *ANNEALED):
        above = over_beta_tables.excess(own, method, rival=SEPARATE)
        for beta, here in above.groupby("beta").excess.median().items():
            paper, judged = "—", NO_NUMBER
            if method == PAPER:
                paper = format_number(printed[beta])
                judged = verdict(here, 0, printed[beta], 0, sizes=False)
            rows.append([f"{beta:g}", method, paper, format_number(here), *judged])
    columns = ["beta", "method", "paper", "here", "direction", "size"]
    return pd.DataFrame(rows, columns=columns).set_index("beta")
