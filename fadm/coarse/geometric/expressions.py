"""Let a face show given blendshape coefficients in its own proportions.

A first guess of the face is corrected by regularised least squares along what coefficients do in clips, and along lids
and irises. The coefficient network ends in a logistic function, so its slopes are taken of the logits, once, at the
source's rest, and each is scaled by the secant between the coefficient that is seen and the wanted one (Gauss-Newton
with secants).
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fadm.attributes.face_attributes import FaceAttributes
from fadm.attributes.landmark_model import FittedFace, LandmarkModel, pose_landmarks
from fadm.blendshapes import BLENDSHAPES, NUM_BLENDSHAPES, UNSEEN_BLENDSHAPES
from fadm.face import topology
from fadm.face.coefficients import estimate_blendshapes

FloatArray = NDArray[np.floating]

NUM_STEPS = 2
PRIOR = 0.3  # standard deviation of what a coefficient is corrected by
LARGEST = 2.0  # greatest correction along a direction, in standard deviations
EYE_PRIOR = 0.04  # standard deviations of a lid's and an iris's correction, in model units
NOISE = 0.08  # standard deviation of a coefficient as it is seen
RANGE = (0.01, 0.99)  # of coefficients whose logits are compared
SLOPE_STEP = 0.1  # standard deviations along a direction over which its slopes are measured
# Weights of the coefficients: those of movements that people see most, the small ones of jaw and mouth aside, the rest.
SEEN_MOST = (
    "eyeBlink", "eyeLook", "brow", "jawOpen", "mouthSmile", "mouthPucker", "mouthFunnel", "mouthLowerDown",
    "mouthUpperUp",
)  # fmt: skip
ASIDE = ("jawLeft", "jawRight", "mouthLeft", "mouthRight")
WEIGHT_ASIDE, WEIGHT_OTHERS = 3.0, 0.3
NO_DIRECTION = ("eye", "cheek", "nose", "jawForward", "tongue")  # beginnings of names


@dataclass(frozen=True)
class ExpressionSolver:
    """Corrects the expressions of one source.

    Attributes:
        directions: Displacements (K, 478, 3) of one standard deviation, in model units.
        slopes: Change of the coefficients' logits along them at the source's rest (52, K).
        rest: The source's own coefficients (1, 52).
        canonical: The source without pose (1, 478, 3), in model units.
    """

    directions: Tensor
    slopes: FloatArray
    rest: Tensor
    canonical: Tensor

    def correct(self, shape: Tensor, posed: FaceAttributes, wanted: Tensor, seen: float = 1.0) -> Tensor:
        """Find the displacement that brings faces nearer to coefficients.

        Args:
            shape: First guess of B faces (B, 478, 3), in model units.
            posed: Head and camera of the B faces.
            wanted: Coefficients (B, 52).
            seen: Share of a face's movement that is seen of it.

        Returns:
            Displacements (B, 478, 3), in model units, to be added to the first guess.
        """
        found = [
            self._correct_one(face[None], posed[[i]], target.numpy(), seen)
            for i, (face, target) in enumerate(zip(shape, wanted, strict=True))
        ]
        return torch.einsum("bk,knc->bnc", torch.from_numpy(np.stack(found)), self.directions)

    def _correct_one(self, shape: Tensor, posed: FaceAttributes, wanted: FloatArray, seen: float) -> FloatArray:
        """Find the shares of the directions (K,) for one face (1, 478, 3)."""
        wanted = wanted.clip(*RANGE)
        shares = np.zeros(len(self.directions), np.float32)
        for _ in range(NUM_STEPS):
            face = shape + torch.einsum("k,knc->nc", torch.from_numpy(shares), self.directions)
            face = self.canonical + seen * (face - self.canonical)
            present = estimate_blendshapes(pose_landmarks(face, posed)[0].numpy()).clip(*RANGE)
            matrix = WEIGHTS[:, None] * _secants(present, wanted)[:, None] * seen * self.slopes
            missing = WEIGHTS * (wanted - present) + matrix @ shares
            gram = matrix.T @ matrix + NOISE**2 * np.eye(len(shares))
            shares = np.linalg.solve(gram, matrix.T @ missing).clip(-LARGEST, LARGEST).astype(np.float32)
        return shares


def build_solver(model: LandmarkModel, source: FittedFace) -> ExpressionSolver:
    """Measure what the coefficients of a source do where its face moves.

    Args:
        model: The face model.
        source: The source's fitted face.

    Returns:
        The solver.
    """
    directions = _find_directions(model, model.shape(source.identity)[0])
    rest = estimate_blendshapes(source.landmarks[0].numpy())
    moved = pose_landmarks(source.canonical + SLOPE_STEP * directions, source.attributes)
    logits = np.stack([_logits(estimate_blendshapes(face)) for face in moved.numpy()], axis=1)
    slopes = (logits - _logits(rest)[:, None]) / SLOPE_STEP
    return ExpressionSolver(directions, slopes, torch.from_numpy(rest)[None], source.canonical)


def _find_directions(model: LandmarkModel, neutral: Tensor) -> Tensor:
    """Find the displacements (K, 478, 3) along which a neutral face (478, 3) is corrected."""
    learned = model.blendshape_map
    if learned is None:
        moved = model.expression_basis.clone()
    else:
        chosen = [i for i, name in enumerate(BLENDSHAPES) if not name.startswith(NO_DIRECTION)]
        change = learned.to_change(PRIOR * torch.eye(NUM_BLENDSHAPES)[chosen])
        moved = model.displacement(change.expression, change.jaw)
    eyes = []
    for upper, lower, iris in topology.EYES:
        lid, opposite, ring = list(upper[1:-1]), list(lower[1:-1]), list(iris)
        inside = lid + opposite + ring
        moved[:, inside] = moved[:, [upper[0], upper[-1]]].mean(1, keepdim=True)
        profile = neutral[lid] - neutral[opposite]
        opened, turned = torch.zeros_like(neutral), torch.zeros(2, *neutral.shape)
        opened[lid] = EYE_PRIOR * profile / profile.norm(dim=1).mean()
        for axis in (0, 1):
            turned[axis, ring, axis] = EYE_PRIOR
        eyes += [opened[None], turned]
    return torch.cat([moved, *eyes])


def _weigh(name: str) -> float:
    if name in UNSEEN_BLENDSHAPES:
        return 0.0
    if name in ASIDE:
        return WEIGHT_ASIDE
    return 1.0 if name.startswith(SEEN_MOST) else WEIGHT_OTHERS


WEIGHTS = np.array([_weigh(name) for name in BLENDSHAPES], np.float32)


def _logits(coefficients: FloatArray) -> FloatArray:
    coefficients = coefficients.astype(np.float64).clip(1e-6, 1 - 1e-6)
    return np.log(coefficients / (1 - coefficients))


def _secants(present: FloatArray, wanted: FloatArray) -> FloatArray:
    """Slopes of coefficients over their logits, from the present ones to the wanted ones."""
    change, logits = wanted - present, _logits(wanted) - _logits(present)
    is_near = np.abs(change) < 1e-3
    return np.where(is_near, present * (1 - present), change / np.where(is_near, 1.0, logits))
