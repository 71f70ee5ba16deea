"""Face embeddings: vectors that describe a person's identity, by any network."""

from collections.abc import Iterable
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fadm.media.crop import to_pixels


class FaceEmbedder(Protocol):
    """A network that describes whose face it is."""

    name: str
    size: int
    digest: str  # of the file that the user gave, empty for a network that a package carries

    def embed(self, pixels: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> NDArray[np.float64]:
        """Frame (H, W, 3) and its face's landmarks (478, 3) in pixels -> embedding (size,)."""


def embed_pictures(pictures: Iterable[Tensor], landmarks: Tensor, embedder: FaceEmbedder) -> Tensor:
    """Embeddings of the faces: pictures (3, H, W) in [0, 1], landmarks (T, 478, 3) -> (T, size), NaN without a face."""
    rows = []
    for picture, points in zip(pictures, landmarks, strict=True):
        if points.isnan().any():
            rows.append(torch.full((embedder.size,), torch.nan))
        else:
            rows.append(torch.from_numpy(embedder.embed(to_pixels(picture[None]), points.numpy())).float())
    return torch.stack(rows) if rows else torch.empty(0, embedder.size)
