"""Train the landmark face model on tracked clips: principal components of identities, and of motion."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import torch
from torch import Tensor

from fadm.attributes.blendshape_map import (
    LEAST_VARIANCE,
    ExplainedBlendshapes,
    measure_explained_blendshapes,
)
from fadm.attributes.coefficients import build_faces, see_blendshapes
from fadm.attributes.face_attributes import FaceAttributes
from fadm.attributes.landmark_model import (
    FittedFace,
    LandmarkModel,
    LandmarkModelConfig,
    add_blendshapes,
    require_map,
    save_landmark_model,
)
from fadm.attributes.rotation import cross_matrix, fit_similarity
from fadm.blendshapes import BLENDSHAPES
from fadm.coarse.geometric.expressions import build_solver
from fadm.coarse.geometric.transfer import MotionTransfer
from fadm.data.provenance import describe_clips
from fadm.data.shards import TrackedClip, find_shards, read_tracked_clips
from fadm.errors import InputError
from fadm.face import topology
from fadm.files import check_folder
from fadm.options import Gains, check_choice
from fadm.training.blendshapes import learn_map, mirror_landmarks, read_performances

ALIGN_ROUNDS = 5


@dataclass(frozen=True)
class ExplainedMotion:
    """Mean distance of the surface landmarks from where they were tracked, x and y, in pixels at 256.

    The first face of each clip is moved as the model's numbers of the other frames say.

    Attributes:
        still: Without motion.
        pose: With head pose and camera alone.
        jaw: With the jaw, too.
        expression: With the expression, too.
        blendshapes: Share of each blendshape coefficient's variance that the moved faces show, in differences from each
            clip's mean; coefficients that the clips hardly use are left out.
    """

    still: float
    pose: float
    jaw: float
    expression: float
    blendshapes: dict[str, float]

    def describe(self) -> dict[str, object]:
        """The numbers as values that JSON holds."""
        shares = {name: round(share, 3) for name, share in self.blendshapes.items()}
        return {n: round(v, 3) for n, v in vars(self).items() if n != "blendshapes"} | {"blendshapes": shares}


@dataclass(frozen=True)
class FaceModelResult:
    """What training the landmark face model gives, beside its file.

    Attributes:
        num_clips: Number of training clips.
        explained: Errors on held-out clips; None without such clips.
        mapped: Shares of variance that the map between blendshapes and numbers explains there; None without such clips.
    """

    num_clips: int
    explained: ExplainedMotion | None
    mapped: ExplainedBlendshapes | None


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
        InputError: A shard cannot be read, or there are no clips of this tier, or all have a single frame.
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
    model = add_blendshapes(model, learn_map(model, clips))
    metadata = {"kind": "landmark face model"} | describe_clips(clips)
    explained = mapped = None
    if validation:
        held_out = list(read_tracked_clips(find_shards(validation)))
        explained = measure_explained_motion(model, held_out)
        performances = read_performances(model, held_out)
        mapped = measure_explained_blendshapes(require_map(model, output.name), performances, model.expression_basis)
        metadata["validation"] = json.dumps({"motion": explained.describe(), "map": mapped.describe()})
    save_landmark_model(model, output, metadata)
    return FaceModelResult(len(clips), explained, mapped)


def learn_landmark_model(clips: Sequence[TrackedClip], config: LandmarkModelConfig) -> LandmarkModel:
    """Compute mean, identity basis, jaw weights and expression basis of tracked clips.

    Faces are aligned by the landmarks that move with the skull; each is used mirrored as well, so the model is
    symmetric. Expressions are what differs within a clip. Identities are what differs between clips: between the mean
    faces of those with several frames, and between single pictures without the expression that the model sees there.

    Args:
        clips: The training clips; those of one frame are portraits.
        config: Numbers of components.

    Returns:
        The model.

    Raises:
        InputError: All clips have a single frame.
    """
    tracks = _with_motion(clips)
    mean = _symmetric_mean(tracks)
    aligned = _align_all(tracks, mean)
    identities = torch.stack([faces.mean(0) for faces in aligned]) - mean
    motion = torch.cat([faces - faces.mean(0) for faces in aligned])
    motion[:, topology.NUM_SURFACE :] = 0  # the irises follow the gaze, which is counted separately
    pivot = mean[[topology.EAR_RIGHT, topology.EAR_LEFT]].mean(0)
    jaw_weights, jaw_motion = _learn_jaw(motion, mean - pivot)
    tensors = {
        "mean": mean,
        "identity_basis": _principal_components(identities, config.num_identity),
        "expression_basis": _principal_components(motion - jaw_motion, config.num_expression),
        "jaw_weights": jaw_weights,
        "jaw_pivot": pivot,
    }
    portraits = [torch.from_numpy(clip.landmarks) for clip in clips if len(clip.landmarks) == 1]
    if portraits:
        model = LandmarkModel(config, tensors)
        faces = torch.cat(_align_all(portraits, mean)) - mean
        identities = torch.cat([identities, faces - model.explain_expression(faces)])
        tensors["identity_basis"] = _principal_components(identities, config.num_identity)
    return LandmarkModel(config, {name: tensor.contiguous() for name, tensor in tensors.items()})


def _with_motion(clips: Sequence[TrackedClip]) -> list[Tensor]:
    """Return the landmarks (T, 478, 3) of the clips that have several frames."""
    tracks = [torch.from_numpy(clip.landmarks) for clip in clips if len(clip.landmarks) > 1]
    if not tracks:
        raise InputError(f"none of the {len(clips)} given clips has more than one frame; give some that show motion")
    return tracks


def _align_all(tracks: Sequence[Tensor], mean: Tensor) -> list[Tensor]:
    """Bring faces into the mean's frame, and after them their mirror images."""
    aligned = [_align(track, mean) for track in tracks]
    return aligned + [mirror_landmarks(faces) for faces in aligned]


def _symmetric_mean(tracks: Sequence[Tensor]) -> Tensor:
    """Compute the generalised Procrustes mean (478, 3): upright, symmetric, outer eye corners one unit apart."""
    mean = tracks[0][0]
    for _ in range(ALIGN_ROUNDS):
        mean = _stand_upright(torch.stack([_align(track, mean).mean(0) for track in tracks]).mean(0))
        mean = (mean + mirror_landmarks(mean)) / 2
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


def _principal_components(samples: Tensor, count: int) -> Tensor:
    """Compute components (count, 478, 3), each one standard deviation long, of samples (N, 478, 3) of zero mean.

    The largest coordinate of each is positive: the sign, which the decomposition leaves open, is the same every time.
    """
    flat = samples.flatten(1)
    variances, components = torch.linalg.eigh(flat.T @ flat / len(flat))  # ascending
    deviations = variances[-count:].clamp(min=0).sqrt()
    vectors = (components[:, -count:] * deviations).T.flip(0)
    largest = vectors.gather(1, vectors.abs().argmax(1, keepdim=True))
    return (vectors * largest.sign()).unflatten(1, samples.shape[1:])


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
    """Measure how much of the faces' motion the model's numbers carry.

    The first face of each clip is moved by the numbers of the others, as animation moves a source.

    Args:
        model: The model.
        clips: Clips of held-out identities; portraits of one frame are left out.

    Returns:
        Mean over clips of their frames' mean distances, and the shares of the blendshapes' variance.

    Raises:
        InputError: All clips have a single frame.
    """
    errors, seen, shown = [], [], []
    surface = slice(topology.NUM_SURFACE)
    for track in _with_motion(clips):
        tracked = 256 * track
        attributes, identity = model.fit(tracked)
        source = FittedFace(tracked[:1], model.canonical(tracked[:1], identity), attributes[:1], identity)
        transfer = MotionTransfer(model, source, build_solver(model, source), Gains(), identity, reach=None)
        still = FaceAttributes(*(getattr(attributes[:1], f.name).expand(len(track), -1) for f in fields(attributes)))
        pose = replace(still, pose=torch.cat([attributes.head, still.jaw], 1), camera=attributes.camera)
        jaw = replace(pose, pose=attributes.pose)
        guesses = []
        for numbers in (still, pose, jaw, attributes):
            blendshapes = see_blendshapes(build_faces(numbers, identity, model))
            guesses.append(transfer.move(numbers, attributes[:1], blendshapes, None)[0])
        errors.append([float((guess - tracked)[1:, surface, :2].norm(dim=-1).mean()) for guess in guesses])
        seen.append(see_blendshapes(tracked))
        shown.append(see_blendshapes(guesses[-1]))
    still_error, pose_error, jaw_error, error = torch.tensor(errors).mean(0).tolist()
    return ExplainedMotion(still_error, pose_error, jaw_error, error, _share_of_variance(seen, shown))


def _share_of_variance(seen: Sequence[Tensor], shown: Sequence[Tensor]) -> dict[str, float]:
    """Share of each coefficient's variance within clips (T, 52) that others show, by name."""
    true, guess = (torch.cat([clip - clip.mean(0) for clip in clips]) for clips in (seen, shown))
    variance, rest = true.square().mean(0), (true - guess).square().mean(0)
    named = zip(BLENDSHAPES, variance.tolist(), rest.tolist(), strict=True)
    return {name: 1 - left / whole for name, whole, left in named if whole > LEAST_VARIANCE}
