"""Training pairs, made by the animation path."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache

import numpy as np
import torch

from fadm.animation.animator import Animator
from fadm.animation.build import Networks, read_source_attributes, sees_driver
from fadm.attributes.anchoring import AnchoredMotion
from fadm.attributes.face_attributes import FaceAttributes
from fadm.attributes.landmark_model import load_landmark_model
from fadm.attributes.loading import load_deca
from fadm.attributes.motion import make_still_motion
from fadm.coarse.generators import DrawnFrame, GeometricAnimation
from fadm.coarse.loading import load_coarse
from fadm.data.clips import Face, StoredFaces, clip_options, open_pictures
from fadm.data.pairs.fingerprint import take_fingerprint
from fadm.media.crop import to_pixels
from fadm.options import Gains
from fadm.rendering.conditions import Conditions
from fadm.rendering.frame_conditions import ConditionBuilder

GAIN_DEVIATION = 0.15
EXPRESSION_DEVIATION = 0.25  # in standard deviations of the expression basis
ROTATION_DEVIATION = 0.025  # radians
CPU = torch.device("cpu")


@dataclass(frozen=True)
class CoarsePair:
    """The source made to do what the driving frame does.

    Attributes:
        coarse: The coarse frame (S, S, 3) uint8.
        attributes: Of the source and of the driving frame (2, 56): expression, then pose.
        person: Probability of person in the source and in the coarse frame (2, S, S), of 255; None if not asked for.
        confidence: Trust in the coarse frame (S, S), of 255; None if not asked for.
        landmarks: Landmarks (3, 478, 3) in pixels: of the source, moved as in the frame, and moved by the head alone;
            None if not asked for.
        still: The source (S, S, 3) uint8 of a pair of stills, which may have been moved; None for a clip's frame.
    """

    coarse: np.ndarray
    attributes: np.ndarray
    person: np.ndarray | None = None
    confidence: np.ndarray | None = None
    landmarks: np.ndarray | None = None
    still: np.ndarray | None = None


@dataclass(frozen=True)
class PairGenerator:
    """A frozen coarse generator that makes training pairs; it survives being sent to another process.

    Attributes:
        coarse: `geometric`, or the weights of FOMM or Face vid2vid.
        attributes: Whose attributes are stored: `landmarks` (the landmark face model's) or `deca`.
        augmented: Share of the geometric frames whose gains and attributes are jittered. The stored attributes stay
            right, so that a renderer learns to repair a frame whose motion is not.
        layers: What is stored beside the coarse frame: some of `person`, `confidence` and `landmarks`.
        fingerprint: Of everything that the pairs depend on beside clips and options (`take_fingerprint`).
    """

    coarse: str
    attributes: str
    augmented: float
    layers: tuple[str, ...]
    fingerprint: str

    @property
    def name(self) -> str:
        """Everything that the pairs depend on beside clips and options."""
        return json.dumps(asdict(self))

    def __call__(self, source: Face, drivings: Sequence[Face], rng: np.random.Generator) -> Iterator[CoarsePair]:
        """Make the source do what each of the driving frames of the same person does.

        Args:
            source: The source frame.
            drivings: The driving frames.
            rng: Draws the augmentation.

        Yields:
            A pair for each driving frame.
        """
        size = len(source.pixels)
        options = clip_options(size, placement="clip", coarse=self.coarse)
        faces = StoredFaces()
        for face in (source, *drivings):
            faces.add(face.pixels, face.landmarks)
        animator = Animator(device="cpu", make_tracker=faces.make_tracker, model=_landmark_model())
        prepared = animator.prepare(source.pixels, options)
        driver = open_pictures("clip", [lambda face=face: face.pixels for face in drivings], (size, size))  # type: ignore[misc]
        anchored = animator.read_driver(prepared, driver, options).anchored
        networks = _load_networks(self.coarse, self.attributes, self.fingerprint)
        is_seen = sees_driver(networks)
        animation, jobs = animator.follow(networks, prepared, anchored, options, driver if is_seen else None)
        attributes_from = "driving" if is_seen else "moved"
        own, reader = read_source_attributes(networks.deca, animator.model, prepared, anchored.motion, attributes_from)
        conditions = ConditionBuilder(prepared, own, reader, CPU, size=size, has_person="person" in self.layers)
        for index, crop in jobs:
            if isinstance(animation, GeometricAnimation) and rng.random() < self.augmented:
                drawn = _draw_jittered(animation, anchored, index, rng)
            else:
                drawn = animation.draw(index, crop)
            yield self._store(source, conditions.build([replace(drawn, driving=crop)]), drawn)

    def _store(self, source: Face, conditions: Conditions, drawn: DrawnFrame) -> CoarsePair:
        attributes = torch.cat([conditions.attributes_source, conditions.attributes_driving]).numpy()
        person = confidence = landmarks = None
        if conditions.person is not None:
            person = _to_bytes(conditions.person[0])
        if "confidence" in self.layers:
            trust = torch.ones_like(drawn.view[:, :1]) if drawn.confidence is None else drawn.confidence
            confidence = _to_bytes(trust[0, 0])
        if "landmarks" in self.layers:
            assert drawn.landmarks is not None and drawn.carried is not None
            landmarks = np.stack([source.landmarks, drawn.landmarks.numpy(), drawn.carried.numpy()])
        return CoarsePair(to_pixels(conditions.coarse), attributes, person, confidence, landmarks)


def make_pair_generator(
    coarse: str, augmented: float, attributes: str = "landmarks", layers: tuple[str, ...] = ()
) -> PairGenerator:
    """Choose how pairs are made.

    Args:
        coarse: `geometric`, or the name of the weights of FOMM or Face vid2vid.
        augmented: Share of the geometric frames that are jittered.
        attributes: `landmarks` or `deca`.
        layers: What is stored beside the coarse frame: some of `person`, `confidence` and `landmarks`.

    Returns:
        The generator.

    Raises:
        WeightsError: There are no such weights, or they are of another kind.
    """
    weights = [coarse] * (coarse != "geometric") + ["deca"] * (attributes == "deca")
    fingerprint = take_fingerprint(*weights)
    _load_networks(coarse, attributes, fingerprint)  # a mistake is found before the first pair
    return PairGenerator(coarse, attributes, augmented, layers, fingerprint)


# Each process loads them once, not once for each source.
_landmark_model = cache(load_landmark_model)


@cache
def _load_networks(coarse: str, attributes: str, fingerprint: str) -> Networks:
    """fingerprint: other tensors under the same name are another network."""
    return Networks(
        coarse=None if coarse == "geometric" else load_coarse(coarse),
        deca=load_deca() if attributes == "deca" else None,
    )


def _draw_jittered(
    animation: GeometricAnimation, anchored: AnchoredMotion, index: int, rng: np.random.Generator
) -> DrawnFrame:
    """A frame whose motion is not quite right, with the landmarks that it should have."""
    motion = anchored.motion
    driving, gains = _jitter(motion.attributes[[index]], rng)
    shot = int(motion.shot[index])
    still = AnchoredMotion(make_still_motion([driving], motion.identity[shot : shot + 1]), {}, torch.arange(1))
    drawn = animation.generator.follow(still, gains, "clip").draw(0, None)
    landmarks, carried = animation.move(index)
    return replace(drawn, index=index, landmarks=landmarks, carried=carried)


def _jitter(driving: FaceAttributes, rng: np.random.Generator) -> tuple[FaceAttributes, Gains]:
    """Attributes and gains of a motion that is not quite right."""
    expression = driving.expression + _normal(rng, driving.expression.shape, EXPRESSION_DEVIATION)
    turn = torch.cat([_normal(rng, (1, 3), ROTATION_DEVIATION), torch.zeros(1, 3)], 1)
    factors = np.clip(rng.normal(1, GAIN_DEVIATION, 4), 0.5, 1.5)
    names = ("rotation_gain", "mouth_gain", "eyes_gain", "brows_gain")
    gains = Gains(**dict(zip(names, factors.tolist(), strict=True)))
    return replace(driving, expression=expression, pose=driving.pose + turn), gains


def _normal(rng: np.random.Generator, shape: tuple[int, ...], deviation: float) -> torch.Tensor:
    return torch.from_numpy(rng.normal(0, deviation, shape).astype(np.float32))


def _to_bytes(values: torch.Tensor) -> np.ndarray:
    """Values in [0, 1] as bytes, of 255."""
    return (255 * values).round().byte().numpy()
