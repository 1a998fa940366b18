"""What the book's experiments are run on: data, network, batch, beta and rho, as the paper has them.

Martinez & Pearson (2021), Appendices A to C.
"""

from typing import NamedTuple

from rvae_lite.data import Dataset, load
from rvae_lite.data.images import averaged
from rvae_lite.models.vae import VAE
from rvae_lite.studies.protocols import Setting, methods_of


def toy_setting(num_points: int = 8, *, methods: dict | None = None, **changes) -> Setting:
    """8 Gaussians as the paper trains them (Appendix A; batch, beta and rho from the authors' code)."""
    setting = Setting(
        dataset=load("eight_gaussians"),
        model=VAE.mlp(5, 2),
        num_points=num_points,
        epochs=200,
        batch_size=100,
        methods=methods_of() if methods is None else methods,
    )
    return setting._replace(**changes)


class Images(NamedTuple):
    """How a set of images is modelled.

    latent_dim, batch_size, noise_variance: K and the paper's choices.
    hidden: widths of the fully connected network.
    patch, residual: options of the network of patches and of the residual one.
    inverted: dark on white becomes bright on black.

    A white background would have to come out of the decoder's last layer, and early in training latents that are the
    same for all images serve it as a bias: they then take most of the rate and say nothing.
    """

    latent_dim: int = 16
    batch_size: int = 256
    noise_variance: float = 0.1
    hidden: tuple[int, ...] = (256, 128)
    patch: dict = {}
    residual: dict = {}
    inverted: bool = False


# Figure 3 and Appendix F: residual blocks after each of four convolutions.
BIRDSONG = dict(channels=(12, 24, 48, 96), blocks=(0, 2, 0, 2), hidden=(1568,))
SIMPLE = BIRDSONG | dict(blocks=(0, 0, 0, 2))
COMPLEX = BIRDSONG | dict(blocks=(0, 2, 1, 2))

# The paper's batch of 256 would leave four steps an epoch of a thousand syllables.
FINCH = Images(
    latent_dim=32,
    batch_size=64,
    patch=dict(patch_size=8, channels=16, hidden=(128,)),
    residual=BIRDSONG,
)

IMAGES = dict(
    # With 64 pixels in place of 784, the paper's noise variance would leave five of eight dimensions collapsed.
    digits=Images(latent_dim=8, batch_size=64, noise_variance=0.02, hidden=(128,)),
    mnist=Images(),
    procedural_chairs=Images(patch=dict(patch_size=8, channels=16, hidden=(64,)), inverted=True),
    chairs=Images(patch=dict(patch_size=8, channels=16, hidden=(64,)), inverted=True),
    synthetic_finch=Images(
        latent_dim=8,
        batch_size=64,
        patch=dict(patch_size=8, channels=16, hidden=(64,)),
        residual=BIRDSONG,
    ),
    zebra_finch=FINCH,
    bengalese_finch=FINCH,
)


def image_setting(
    name: str,
    num_points: int = 64,
    *,
    network: str = "residual",
    num_examples: int | None = None,
    side: int | None = None,
    loading: dict | None = None,
    **changes,
) -> Setting:
    """A set of grey images, spectrograms among them, with one of three networks.

    Args:
        name: one of `IMAGES`, for example "digits" (8x8, scikit-learn's), "mnist" or "chairs".
        num_points: R.
        network: "residual", the paper's convolutional one; "patch" or "mlp", faster on a CPU.
        num_examples: images drawn at random; by default all.
        side: pixels to which larger images are averaged down; by default they stay.
        loading: options of `data.load`, for example the chairs' partition or the spectrograms' size.
        changes: other fields of `Setting`.
    """
    if name not in IMAGES:
        raise ValueError(f"name must be one of {sorted(IMAGES)}, not {name!r}")
    how = IMAGES[name]
    images = load(name, num_examples=num_examples, **loading or {})
    images = _prepared(images, inverted=how.inverted, side=side)
    shape, options = (
        images.x.shape[1:],
        dict(noise_variance=how.noise_variance, value_range=(0.0, 1.0)),
    )
    networks = dict(
        residual=lambda: VAE.residual(shape, how.latent_dim, **how.residual, **options),
        patch=lambda: VAE.patch(shape, how.latent_dim, **how.patch, **options),
        mlp=lambda: VAE.mlp(shape, how.latent_dim, how.hidden, **options),
    )
    if network not in networks:
        raise ValueError(f"network must be one of {sorted(networks)}, not {network!r}")
    setting = Setting(
        dataset=images,
        model=networks[network](),
        num_points=num_points,
        epochs=200,
        batch_size=how.batch_size,
        methods=methods_of(rho=2.75),
    )
    return setting._replace(**changes)


def _prepared(images: Dataset, *, inverted: bool, side: int | None) -> Dataset:
    """Images inverted and averaged down, and a note of it where a colleague's program will look."""
    steps = dict(inverted=True) if inverted else {}
    if side not in (None, images.x.shape[-1]):
        steps["averaged_to"] = side
    if not steps:
        return images
    before = images.info.get("preprocessing", {})
    before = before if isinstance(before, dict) else dict(images=before)
    x = averaged(255 - images.x if inverted else images.x, side)
    return images._replace(x=x, info=images.info | dict(preprocessing=before | steps))
