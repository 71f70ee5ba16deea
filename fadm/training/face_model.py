"""Learn the landmark face model from tracked clips: principal components, once for people, once for motion."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fadm.attributes.landmark_model import LandmarkModel, LandmarkModelConfig, pose_landmarks
from fadm.attributes.rotation import cross_matrix, fit_similarity
from fadm.data.shards import TrackedClip
from fadm.errors import InputError
from fadm.face import topology

ALIGN_ROUNDS = 5
FEWEST_FRAMES = 4  # a shorter clip says little of how its person moves


def learn_landmark_model(clips: Sequence[TrackedClip], config: LandmarkModelConfig) -> LandmarkModel:
    """Clips -> mean, identity basis, jaw weights and expression basis.

    Faces are aligned by the landmarks that move with the skull; each is used mirrored as well, so the model
    is symmetric. People differ in their clips' mean faces, expressions are what differs within a clip. Raises
    InputError when all clips are too short.
    """
    tracks = _long_enough(clips)
    mean = _symmetric_mean(tracks)
    aligned = [_align(track, mean) for track in tracks]
    aligned += [_mirror(faces) for faces in aligned]

    persons = torch.stack([faces.mean(0) for faces in aligned])
    identity_basis = _principal_components(persons - mean, config.num_identity)
    motion = torch.cat([faces - faces.mean(0) for faces in aligned])
    motion[:, topology.NUM_SURFACE :] = 0  # the irises follow the gaze, which is counted separately
    pivot = mean[[topology.EAR_RIGHT, topology.EAR_LEFT]].mean(0)
    jaw_weights, jaw_motion = _learn_jaw(motion, mean - pivot)
    expression_basis = _principal_components(motion - jaw_motion, config.num_expression)
    tensors = {
        "mean": mean,
        "identity_basis": identity_basis,
        "expression_basis": expression_basis,
        "jaw_weights": jaw_weights,
        "jaw_pivot": pivot,
    }
    return LandmarkModel(config, {name: tensor.contiguous() for name, tensor in tensors.items()})


def _long_enough(clips: Sequence[TrackedClip]) -> list[Tensor]:
    """Landmarks (T, 478, 3) of the clips that are worth learning from."""
    tracks = [torch.from_numpy(clip.landmarks) for clip in clips if len(clip.landmarks) >= FEWEST_FRAMES]
    if not tracks:
        raise InputError(f"no clip of the {len(clips)} given has at least {FEWEST_FRAMES} frames; give longer ones")
    return tracks


def _symmetric_mean(tracks: Sequence[Tensor]) -> Tensor:
    """Generalised Procrustes mean (478, 3): upright, symmetric, outer eye corners one unit apart."""
    mean = tracks[0][0]
    for _ in range(ALIGN_ROUNDS):
        mean = _stand_upright(torch.stack([_align(track, mean).mean(0) for track in tracks]).mean(0))
        mean = (mean + _mirror(mean)) / 2
    return mean


def _stand_upright(face: Tensor) -> Tensor:
    """Turn, centre and scale a face: x through the eye corners, y from forehead to chin, unit eye distance."""
    right_eye, left_eye = face[topology.UPPER_LID_RIGHT[0]], face[topology.UPPER_LID_LEFT[0]]
    x = torch.nn.functional.normalize(left_eye - right_eye, dim=0)
    down = face[topology.CHIN] - face[topology.FOREHEAD_TOP]
    y = torch.nn.functional.normalize(down - (down @ x) * x, dim=0)
    axes = torch.stack([x, y, torch.linalg.cross(x, y)], dim=1)
    return (face - face[list(topology.STABLE)].mean(0)) @ axes / (left_eye - right_eye).norm()


def _align(faces: Tensor, mean: Tensor) -> Tensor:
    """Bring faces (T, 478, 3) into the mean's frame by their stable landmarks."""
    stable = list(topology.STABLE)
    scale, rotation, translation = fit_similarity(mean[stable].expand(len(faces), -1, -1), faces[:, stable])
    return (faces - translation[:, None]) @ rotation / scale[:, None, None]


def _mirror(faces: Tensor) -> Tensor:
    partners = torch.from_numpy(topology.mirror_partners())
    return faces[..., partners, :] * faces.new_tensor([-1.0, 1.0, 1.0])


def _principal_components(samples: Tensor, count: int) -> Tensor:
    """Samples (N, 478, 3) of zero mean -> components (count, 478, 3), each one standard deviation long."""
    flat = samples.flatten(1)
    variances, components = torch.linalg.eigh(flat.T @ flat / len(flat))  # ascending
    deviations = variances[-count:].clamp(min=0).sqrt()
    return (components[:, -count:] * deviations).T.flip(0).unflatten(1, samples.shape[1:])


def _learn_jaw(motion: Tensor, arms: Tensor) -> tuple[Tensor, Tensor]:
    """Motion (N, 478, 3) and arms from the pivot (478, 3) -> skinning weights (478,), the jaw's part.

    Each frame's small rotation is fitted to the chin as a body; the weight of a landmark is the share of
    that rotation which it makes itself, between 0 and 1.
    """
    axes = cross_matrix(torch.eye(3))
    lever = torch.einsum("kcd,nd->knc", axes, arms)  # (3, 478, 3): motion by a unit turn about each axis
    jaw = list(topology.JAW)
    turns = torch.linalg.lstsq(lever[:, jaw].flatten(1).T, motion[:, jaw].flatten(1).T).solution.T
    full = torch.einsum("bk,knc->bnc", turns, lever)
    weights = ((motion * full).sum((0, 2)) / full.square().sum((0, 2))).clamp(0, 1)
    weights[list(topology.STABLE)] = 0
    weights[topology.NUM_SURFACE :] = 0
    return weights, full * weights[:, None]


@dataclass(frozen=True)
class ExplainedMotion:
    """Mean distance of the surface landmarks from where they were tracked, x and y, in pixels at 256.

    Each clip's own first face is moved as its other frames say: not at all, by head pose and camera alone, with
    the jaw, and with the expression too.
    """

    still: float
    pose: float
    jaw: float
    expression: float


def measure_explained_motion(model: LandmarkModel, clips: Sequence[TrackedClip]) -> ExplainedMotion:
    """How much of the landmarks' motion the model's numbers explain, the mean over clips of their frames' means.

    Raises InputError when all clips are too short.
    """
    errors = []
    for track in _long_enough(clips):
        tracked = 256 * track
        attributes, identity = model.fit(tracked)
        first = model.canonical(tracked[:1], identity)
        jaw = model.displacement(torch.zeros_like(attributes.expression), attributes.jaw)
        full = model.displacement(attributes.expression, attributes.jaw)
        guesses = [tracked[:1].expand_as(tracked)]
        guesses += [pose_landmarks(first + motion - motion[:1], attributes) for motion in (0 * full, jaw, full)]
        surface = slice(topology.NUM_SURFACE)
        errors.append([float((g - tracked)[1:, surface, :2].norm(dim=-1).mean()) for g in guesses])
    return ExplainedMotion(*torch.tensor(errors).mean(0).tolist())
