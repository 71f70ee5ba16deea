"""Train the landmark face model on tracked clips: principal components of identities, and of motion."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from fadm.attributes.landmark_model import LandmarkModel, LandmarkModelConfig, pose_landmarks, save_landmark_model
from fadm.attributes.rotation import cross_matrix, fit_similarity
from fadm.data.provenance import describe_clips
from fadm.data.shards import TrackedClip, find_shards, read_tracked_clips
from fadm.errors import InputError
from fadm.face import topology
from fadm.files import check_folder
from fadm.options import check_choice

ALIGN_ROUNDS = 5
FEWEST_FRAMES = 4  # a shorter clip shows too little motion


@dataclass(frozen=True)
class ExplainedMotion:
    """Mean distance of the surface landmarks from where they were tracked, x and y, in pixels at 256.

    The first face of each clip is moved as the model's numbers of the other frames say.

    Attributes:
        still: Without motion.
        pose: With head pose and camera alone.
        jaw: With the jaw, too.
        expression: With the expression, too.
    """

    still: float
    pose: float
    jaw: float
    expression: float


@dataclass(frozen=True)
class FaceModelResult:
    """What training the landmark face model gives, beside its file.

    Attributes:
        num_clips: Number of training clips.
        explained: Errors on held-out clips; None without such clips.
    """

    num_clips: int
    explained: ExplainedMotion | None


def train_face_model(
    shards: Sequence[Path], output: Path, *, validation: Sequence[Path] = (), tier: str = "open"
) -> FaceModelResult:
    """Train the landmark face model and write it to a file.

    Args:
        shards: Shards with training clips, or their folders.
        output: The model file, .safetensors.
        validation: Shards with clips of held-out identities, or their folders, to measure the model on.
        tier: Training clips: `open` (free terms only) or `all`.

    Returns:
        Number of clips, and the errors on held-out clips.

    Raises:
        OptionError: The tier is unknown.
        InputError: A shard cannot be read, or there are no clips of this tier, or all clips are too short.
        OutputError: The file cannot be written.
    """
    check_choice("--tier", tier, ("open", "all"))
    check_folder(output)
    clips = [clip for clip in read_tracked_clips(find_shards(shards)) if tier in ("all", clip.info.get("tier"))]
    if not clips:
        raise InputError(
            f"no clip of tier {tier} in {', '.join(map(str, shards))}: give --tier all, or prepare clips under free "
            "terms with `fadm data prepare --tier open`"
        )
    model = learn_landmark_model(clips, LandmarkModelConfig())
    save_landmark_model(model, output, {"kind": "landmark face model"} | describe_clips(clips))
    held_out = list(read_tracked_clips(find_shards(validation)))
    return FaceModelResult(len(clips), measure_explained_motion(model, held_out) if validation else None)


def learn_landmark_model(clips: Sequence[TrackedClip], config: LandmarkModelConfig) -> LandmarkModel:
    """Compute mean, identity basis, jaw weights and expression basis of tracked clips.

    Faces are aligned by the landmarks that move with the skull; each is used mirrored as well, so the model is
    symmetric. Identities are what differs between the mean faces of clips, expressions what differs within a clip.

    Args:
        clips: The training clips.
        config: Numbers of components.

    Returns:
        The model.

    Raises:
        InputError: All clips are too short.
    """
    tracks = _long_enough(clips)
    mean = _symmetric_mean(tracks)
    aligned = [_align(track, mean) for track in tracks]
    aligned += [_mirror(faces) for faces in aligned]

    identities = torch.stack([faces.mean(0) for faces in aligned])
    identity_basis = _principal_components(identities - mean, config.num_identity)
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
    """Return the landmarks (T, 478, 3) of the clips that are long enough."""
    tracks = [torch.from_numpy(clip.landmarks) for clip in clips if len(clip.landmarks) >= FEWEST_FRAMES]
    if not tracks:
        raise InputError(f"no clip of the {len(clips)} given has at least {FEWEST_FRAMES} frames; give longer ones")
    return tracks


def _symmetric_mean(tracks: Sequence[Tensor]) -> Tensor:
    """Compute the generalised Procrustes mean (478, 3): upright, symmetric, outer eye corners one unit apart."""
    mean = tracks[0][0]
    for _ in range(ALIGN_ROUNDS):
        mean = _stand_upright(torch.stack([_align(track, mean).mean(0) for track in tracks]).mean(0))
        mean = (mean + _mirror(mean)) / 2
    return mean


def _stand_upright(face: Tensor) -> Tensor:
    """Turn, centre and scale a face (478, 3): x through the eye corners, y from forehead to chin, unit eye distance."""
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
    """Compute components (count, 478, 3), each one standard deviation long, of samples (N, 478, 3) of zero mean."""
    flat = samples.flatten(1)
    variances, components = torch.linalg.eigh(flat.T @ flat / len(flat))  # ascending
    deviations = variances[-count:].clamp(min=0).sqrt()
    return (components[:, -count:] * deviations).T.flip(0).unflatten(1, samples.shape[1:])


def _learn_jaw(motion: Tensor, arms: Tensor) -> tuple[Tensor, Tensor]:
    """Split motion (N, 478, 3) with arms from the pivot (478, 3) into skinning weights (478,) and the jaw's part.

    Each frame's small rotation is fitted to the chin as a rigid body; the weight of a landmark, from 0 to 1, is the
    share of that rotation which it makes.
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


def measure_explained_motion(model: LandmarkModel, clips: Sequence[TrackedClip]) -> ExplainedMotion:
    """Measure how much of the landmarks' motion the model's numbers explain.

    Args:
        model: The model.
        clips: Clips of held-out identities.

    Returns:
        Mean over clips of their frames' mean distances.

    Raises:
        InputError: All clips are too short.
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
