"""Features of images for Frechet distances, from a small encoder that is trained here.

It is not the Inception network of published distances, and no distance from it compares with them.
Letters: N images, F features.
"""

import numpy as np
import torch
from torch import nn

NUM_FEATURES, EPOCHS, BATCH = 64, 10, 64


def features_of(images, *, reference, labels, seed: int = 0) -> tuple[np.ndarray, str]:
    """Features of images for `metrics.frechet_distance`, and the name of their encoder.

    The encoder is two convolutions of stride 2 and 64 units, trained at every call to classify the
    labelled `reference`.  Report its name: distances of different encoders do not compare.

    Args:
        images: (N, C, H, W), uint8, or floats in [0, 1].
        reference: labelled images that train the encoder, (N', C, H, W); the same for all sets
            compared.
        labels: their classes, (N',) integers.
        seed: of the encoder's weights and batches.

    Returns:
        Features (N, F) float64, and the encoder's name.

    Raises:
        ValueError: images of another kind, or a reference that does not fit them.
    """
    images, reference = _images("images", images), _images("reference", reference)
    labels = np.asarray(labels)
    if labels.shape != (len(reference),) or reference.shape[1:] != images.shape[1:]:
        raise ValueError(
            f"reference must be labelled images like images, not {reference.shape} "
            f"with labels {labels.shape} beside {images.shape}"
        )
    encoder = _trained_encoder(reference, labels, seed)
    starts = range(0, len(images), BATCH)
    with torch.no_grad():
        pieces = [encoder(_units(images[start : start + BATCH])) for start in starts]
    features = torch.cat(pieces).double().numpy()
    return features, f"small classifier of {len(labels):,} images (seed {seed})"


def quarter_turns(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Square images (N, C, H, H) turned by 0 to 3 quarters, (4 N, C, H, H), and how many, (4 N,).

    Telling them apart is a task for an encoder that needs no labels.
    """
    turned = [np.rot90(images, turn, axes=(2, 3)) for turn in range(4)]
    return np.concatenate(turned), np.repeat(np.arange(4), len(images))


def _trained_encoder(images: np.ndarray, labels: np.ndarray, seed: int) -> nn.Module:
    random = torch.Generator().manual_seed(seed)
    classes = torch.from_numpy(np.unique(labels, return_inverse=True)[1])
    # Layers draw from torch's global generator, which is the caller's.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        encoder = nn.Sequential(
            nn.Conv2d(images.shape[1], 16, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 32, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(32 * (images.shape[2] // 4) * (images.shape[3] // 4), NUM_FEATURES),
            nn.ReLU(),
        )
        classifier = nn.Linear(NUM_FEATURES, int(classes.max()) + 1)
    optimiser = torch.optim.Adam([*encoder.parameters(), *classifier.parameters()], lr=1e-3)
    for _ in range(EPOCHS):
        for index in torch.randperm(len(images), generator=random).split(BATCH):
            logits = classifier(encoder(_units(images[index.numpy()])))
            loss = nn.functional.cross_entropy(logits, classes[index])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return encoder.eval()


def _units(batch: np.ndarray) -> torch.Tensor:
    scaled = torch.from_numpy(np.ascontiguousarray(batch)).float()
    return scaled / 255 if batch.dtype == np.uint8 else scaled


def _images(name: str, images) -> np.ndarray:
    images = np.asarray(images.detach().cpu() if hasattr(images, "detach") else images)
    fits = images.ndim == 4 and images.shape[1] in (1, 3)
    fits = fits and min(images.shape) and min(images.shape[2:]) >= 4
    if fits and images.dtype == np.uint8:
        return images
    if not fits or images.dtype.kind != "f" or not (images.min() >= 0 and images.max() <= 1):
        raise ValueError(
            f"{name} must be (N, 1 or 3, H, W), uint8 or floats in [0, 1], "
            f"not {images.dtype} {images.shape}"
        )
    return images
