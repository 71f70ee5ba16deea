"""Face embeddings: vectors that describe a person's identity, by any network."""

from collections.abc import Iterable
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fadm.media.crop import to_pixels


class FaceEmbedder(Protocol):
    """A network that describes a person's identity.

    Attributes:
        name: Name of the network, by which its metrics are called.
        size: Numbers of an embedding.
        digest: SHA-256 of the file that the user provided; empty for a network that a package carries.
    """

    name: str
    size: int
    digest: str

    def embed(self, pixels: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> NDArray[np.float64]:
        """Embed one face.

        Args:
            pixels: The frame (H, W, 3), uint8.
            landmarks: Landmarks of its face (478, 3), in the frame's pixels.

        Returns:
            The embedding (size,).
        """


def embed_pictures(pictures: Iterable[Tensor], landmarks: Tensor, embedder: FaceEmbedder) -> Tensor:
    """Embed the faces of pictures.

    Args:
        pictures: T pictures (3, H, W) in [0, 1].
        landmarks: Their landmarks (T, 478, 3) in pixels, NaN where there is no face.
        embedder: The network.

    Returns:
        Embeddings (T, size), NaN where there is no face.
    """
    rows = []
    for picture, points in zip(pictures, landmarks, strict=True):
        if points.isnan().any():
            rows.append(torch.full((embedder.size,), torch.nan))
        else:
            rows.append(torch.from_numpy(embedder.embed(to_pixels(picture[None]), points.numpy())).float())
    return torch.stack(rows) if rows else torch.empty(0, embedder.size)
