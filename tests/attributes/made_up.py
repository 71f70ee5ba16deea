"""Made-up faces: attributes, and the landmarks that they stand for."""

from dataclasses import replace

import torch
from torch import Tensor

from fadm.attributes.blendshape_map import BlendshapeMap, Performance
from fadm.attributes.directions import find_expression
from fadm.attributes.face_attributes import NUM_EXPRESSION, FaceAttributes
from fadm.attributes.landmark_model import LandmarkModel, add_blendshapes, pose_landmarks
from fadm.attributes.rotation import axis_angle_to_matrix, matrix_to_axis_angle
from fadm.blendshapes import BLENDSHAPES, NUM_BLENDSHAPES
from fadm.face import topology
from fadm.face.topology import EYES

LARGEST_TURN, LARGEST_JAW = 0.4, 0.2  # radians


def make_attributes(num_frames: int, *, seed: int = 0, expression: float = 1.0) -> FaceAttributes:
    """Faces about 90 pixels between the eyes, in the middle of 256x256; every frame another head and jaw."""
    generator = torch.Generator().manual_seed(seed)
    head = LARGEST_TURN * (2 * torch.rand(num_frames, 3, generator=generator) - 1) / 3**0.5
    jaw = torch.zeros(num_frames, 3)
    jaw[:, 0] = LARGEST_JAW * torch.rand(num_frames, generator=generator)
    return FaceAttributes(
        expression=expression * torch.randn(num_frames, NUM_EXPRESSION, generator=generator),
        pose=torch.cat([head, jaw], 1),
        camera=torch.tensor([[90.0, 128, 120]]) + 3 * torch.randn(num_frames, 3, generator=generator),
        gaze=0.02 * torch.randn(num_frames, 4, generator=generator),
        lids=torch.zeros(num_frames, 2),
    )


def make_identity(model: LandmarkModel, *, seed: int = 0) -> Tensor:
    return torch.randn(1, model.config.num_identity, generator=torch.Generator().manual_seed(1000 + seed))


def make_landmarks(model: LandmarkModel, attributes: FaceAttributes, identity: Tensor) -> Tensor:
    """The landmarks (B, 478, 3) in pixels that a perfect tracker would see; the irises go with the eyes' corners."""
    motion = model.displacement(attributes.expression, attributes.jaw)
    for (upper, _, iris), gaze in zip(EYES, attributes.gaze.split(2, dim=1), strict=True):
        motion[:, list(iris)] = motion[:, [upper[0], upper[-1]]].mean(1, keepdim=True)
        motion[:, list(iris), :2] += gaze[:, None]
    return pose_landmarks(model.shape(identity) + motion, attributes)


def degrees_between(head: Tensor, other: Tensor) -> Tensor:
    """Angles (B,) between head rotations (B, 3)."""
    turn = axis_angle_to_matrix(head).transpose(1, 2) @ axis_angle_to_matrix(other)
    return matrix_to_axis_angle(turn).norm(dim=1).rad2deg()


def make_performance(
    model: LandmarkModel, num_frames: int, *, seed: int = 0, noise: float = 0.0, part: str = ""
) -> Performance:
    """A person who makes every movement whose name begins so at random, from a resting face of their own."""
    generator = torch.Generator().manual_seed(seed)
    blendshapes = torch.rand(num_frames, NUM_BLENDSHAPES, generator=generator)
    blendshapes[:, [name == "tongueOut" or not name.startswith(part) for name in BLENDSHAPES]] = 0
    numbers = blendshapes @ true_slopes(model).T + torch.randn(1, NUM_EXPRESSION + 7, generator=generator)
    return Performance(numbers + noise * torch.randn(numbers.shape, generator=generator), blendshapes)


def true_slopes(model: LandmarkModel) -> Tensor:
    """How made-up people make the 52 movements (57, 52): some as their names say, the others at random."""
    slopes = torch.randn(NUM_EXPRESSION + 7, NUM_BLENDSHAPES, generator=torch.Generator().manual_seed(7))
    slopes[NUM_EXPRESSION:] = 0
    slopes *= 0.1
    opening = {"right": (topology.UPPER_LID_RIGHT, topology.LOWER_LID_RIGHT)}
    opening["left"] = (topology.UPPER_LID_LEFT, topology.LOWER_LID_LEFT)
    measures = {"browInnerUp": {"brows_up": 0.07}, "mouthPucker": {"pucker": 0.13}}
    for side, (upper, lower) in opening.items():
        height = float((model.mean[list(lower[2:7]), 1] - model.mean[list(upper[2:7]), 1]).mean())
        measures[f"eyeBlink{side.capitalize()}"] = {f"blink_{side}": height}
        measures[f"mouthSmile{side.capitalize()}"] = {"smile": 0.05}
    for name, measure in measures.items():
        slopes[:NUM_EXPRESSION, BLENDSHAPES.index(name)] = find_expression(model, measure)[0]
    for name in ("jawOpen", *(name for name in BLENDSHAPES if "Look" in name)):
        slopes[:, BLENDSHAPES.index(name)] = 0
    slopes[NUM_EXPRESSION, BLENDSHAPES.index("jawOpen")] = 0.22  # radians
    for eye, (name, outwards) in enumerate({"Right": -0.06, "Left": 0.06}.items()):  # their left is the picture's right
        x, y = NUM_EXPRESSION + 3 + 2 * eye, NUM_EXPRESSION + 4 + 2 * eye
        for way, axis, shift in (("Out", x, outwards), ("In", x, -outwards), ("Up", y, -0.06), ("Down", y, 0.06)):
            slopes[axis, BLENDSHAPES.index(f"eyeLook{way}{name}")] = shift
    return slopes


def make_mapped_model(model: LandmarkModel) -> LandmarkModel:
    """The model with the map of made-up people."""
    slopes = true_slopes(model)
    means = torch.zeros(len(slopes)), torch.zeros(NUM_BLENDSHAPES)
    return add_blendshapes(model, BlendshapeMap(slopes, torch.linalg.pinv(slopes), *means))


def without_map(model: LandmarkModel) -> LandmarkModel:
    """The model as one that was learned without blendshapes."""
    return LandmarkModel(replace(model.config, has_blendshapes=False), dict(model.named_buffers()))
