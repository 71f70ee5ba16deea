"""Whether it is still the same person: distances of face embeddings, named after the network that makes them.

Papers measure identity with other networks (CSIM mostly with ArcFace, AED with OpenFace), so the numbers of one
network compare only with its own.
"""

import torch.nn.functional as F
from torch import Tensor


def csim(a: Tensor, b: Tensor) -> Tensor:
    """Cosine similarity of embeddings: (T, D), (T or 1, D) -> (T,), 1 for the same direction."""
    return F.cosine_similarity(a, b, dim=1)


def aed_l2(a: Tensor, b: Tensor) -> Tensor:
    """Average Euclidean distance, before the averaging: (T, D), (T or 1, D) -> (T,) (FOMM, arXiv 2003.00196)."""
    return (a - b).norm(dim=1)


def aed_squared(a: Tensor, b: Tensor) -> Tensor:
    """The squared Euclidean distance, which the smaller AED figures of the field suggest; as `aed_l2`."""
    return (a - b).square().sum(dim=1)


DISTANCES = {"csim": csim, "aed_l2": aed_l2, "aed_squared": aed_squared}  # each under its name and the network's
