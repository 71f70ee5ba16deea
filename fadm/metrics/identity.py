"""Identity distances: how similar two face embeddings are, named after the network that computes them.

Papers measure identity with other networks (CSIM mostly with ArcFace, AED with OpenFace), so the numbers of one
network compare only with its own.
"""

import torch.nn.functional as F
from torch import Tensor


def csim(a: Tensor, b: Tensor) -> Tensor:
    """Cosine similarity of embeddings.

    Args:
        a: Embeddings (T, D).
        b: Embeddings (T, D), or one (1, D) for all.

    Returns:
        Similarities (T,), 1 for the same direction.
    """
    return F.cosine_similarity(a, b, dim=1)


def aed_l2(a: Tensor, b: Tensor) -> Tensor:
    """Euclidean distance of embeddings; its mean over frames is FOMM's average Euclidean distance (arXiv 2003.00196).

    Args:
        a: Embeddings (T, D).
        b: Embeddings (T, D), or one (1, D) for all.

    Returns:
        Distances (T,).
    """
    return (a - b).norm(dim=1)


def aed_squared(a: Tensor, b: Tensor) -> Tensor:
    """Squared Euclidean distance of embeddings, which the smaller AED figures of the field suggest.

    Args:
        a: Embeddings (T, D).
        b: Embeddings (T, D), or one (1, D) for all.

    Returns:
        Squared distances (T,).
    """
    return (a - b).square().sum(dim=1)


DISTANCES = {"csim": csim, "aed_l2": aed_l2, "aed_squared": aed_squared}  # a metric's name also has the network's
