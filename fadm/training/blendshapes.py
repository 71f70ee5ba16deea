"""Learn the map between blendshapes and a face model's numbers on tracked clips."""

from collections.abc import Sequence

import torch
from torch import Tensor

from fadm.attributes.blendshape_map import BlendshapeMap, Performance, join_numbers, learn_blendshape_map
from fadm.attributes.coefficients import see_blendshapes
from fadm.attributes.landmark_model import LandmarkModel
from fadm.blendshapes import BLENDSHAPES, mirror_blendshape
from fadm.coarse.geometric.transfer import region_shares
from fadm.data.shards import TrackedClip
from fadm.face import topology

SMALL_TURN = 1e-3  # radians, at which the jaw's motion is linear
# Deviation of landmarks that count as equal, in model units, when a part of a movement is expressed in numbers: larger
# than for tracked landmarks, since the edge of the part is no movement of a face.
PART_NOISE = 0.01


def learn_map(model: LandmarkModel, clips: Sequence[TrackedClip]) -> BlendshapeMap:
    """Learn the map of a face model; each clip counts mirrored, too, so that both sides of a face are alike.

    Args:
        model: The face model.
        clips: The training clips; portraits of one frame are left out.

    Returns:
        The map.
    """
    return learn_blendshape_map(read_performances(model, clips, with_mirrored=True), upper_part(model))


def read_performances(
    model: LandmarkModel, clips: Sequence[TrackedClip], *, with_mirrored: bool = False
) -> list[Performance]:
    """Describe what the people of clips do, in the model's numbers and in blendshape coefficients.

    Args:
        model: The model.
        clips: Tracked clips; portraits of one frame are left out.
        with_mirrored: Each clip is followed by its mirror image.

    Returns:
        One performance for each clip.
    """
    order = [BLENDSHAPES.index(mirror_blendshape(name)) for name in BLENDSHAPES]
    performances = []
    for clip in clips:
        if len(clip.landmarks) > 1:
            landmarks = torch.from_numpy(256 * clip.landmarks)
            blendshapes = see_blendshapes(landmarks)
            performances.append(Performance(join_numbers(model.fit(landmarks)[0]), blendshapes))
            if with_mirrored:
                mirrored = model.fit(mirror_landmarks(landmarks))[0]
                performances.append(Performance(join_numbers(mirrored), blendshapes[:, order]))
    return performances


def upper_part(model: LandmarkModel) -> Tensor:
    """Compute what numbers do above the mouth's region.

    Args:
        model: The face model.

    Returns:
        A matrix (E + 7, E + 7): of numbers it makes those that move the upper part alike and leave the lower one.
    """
    count = model.config.num_expression
    still = torch.zeros(3, count)
    turned = model.displacement(still, SMALL_TURN * torch.eye(3)) / SMALL_TURN  # by a radian, linearly
    scales = torch.cat([torch.ones(count), torch.full((3,), model.config.jaw_deviation)])[:, None]
    basis = torch.cat([model.expression_basis, turned])[:, : topology.NUM_SURFACE]
    upper = basis * (1 - region_shares(model.mean)[0])[: topology.NUM_SURFACE, None]
    matrix = scales * basis.flatten(1)
    gram = matrix @ matrix.T + PART_NOISE**2 * torch.eye(len(matrix))
    kept = scales * torch.linalg.solve(gram, matrix @ upper.flatten(1).T)
    return torch.block_diag(kept, torch.eye(4))  # the gaze is of the upper part


def mirror_landmarks(faces: Tensor) -> Tensor:
    """Mirror faces about x = 0.

    Args:
        faces: Landmarks (..., 478, 3).

    Returns:
        The landmarks of the mirror images.
    """
    partners = torch.from_numpy(topology.mirror_partners())
    return faces[..., partners, :] * faces.new_tensor([-1.0, 1.0, 1.0])
