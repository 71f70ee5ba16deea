"""Frozen coarse generators that make training pairs: the geometric one, or a network by the name of its weights."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import torch

from fadm.animation.refiner import read_deca
from fadm.attributes.face_attributes import FaceAttributes
from fadm.attributes.landmark_model import FittedFace, LandmarkModel, fit_face, load_landmark_model
from fadm.attributes.loading import load_deca
from fadm.coarse.face_vid2vid.model import FaceVid2Vid
from fadm.coarse.fomm.model import FOMM
from fadm.coarse.generators import PERSON_SIZE, PreparedSource
from fadm.coarse.geometric.generator import drive_source, prepare_source
from fadm.coarse.geometric.transfer import MotionTransfer
from fadm.coarse.loading import load_coarse
from fadm.data.pairs.store import CoarsePair, Face, PairGenerator
from fadm.errors import OptionError
from fadm.face.segmentation import segment_person
from fadm.media.crop import Square, copy_square, to_pixels, to_tensor
from fadm.options import Gains
from fadm.weights.registry import describe_weights

GAIN_DEVIATION = 0.15
EXPRESSION_DEVIATION = 0.25  # in standard deviations of the expression basis
ROTATION_DEVIATION = 0.025  # radians


@dataclass(frozen=True)
class GeometricPairs:
    """The landmark-driven warp, its motion absolute as within one clip.

    augmented: share of the frames whose gains and attributes are jittered; the attributes that are told stay right, so
    that a renderer learns to repair a frame whose motion is not.
    """

    augmented: float
    name: str = "geometric 2"

    def __call__(self, source: Face, drivings: Sequence[Face], draws: np.random.Generator) -> Iterator[CoarsePair]:
        """See `PairGenerator`."""
        model, side = _load_landmark_model(), len(source.pixels)
        face = fit_face(model, torch.from_numpy(source.landmarks))
        region = PreparedSource(source.pixels, face, is_crop=True, size=side).region
        person = segment_person(copy_square(source.pixels, region, PERSON_SIZE))
        picture = to_tensor(source.pixels)
        state = prepare_source(picture, source.landmarks, person, region, Square(0, 0, side), side)
        landmarks = torch.from_numpy(np.stack([driving.landmarks for driving in drivings]))
        attributes, _ = model.fit(landmarks, face.identity)
        for i in range(len(drivings)):
            moved, carried = _transfer(model, face, Gains()).move(attributes[[i]], face.attributes)
            told, _ = model.fit(moved, face.identity)
            if draws.random() < self.augmented:
                driving, gains = _jitter(attributes[[i]], draws)
                moved, carried = _transfer(model, face, gains).move(driving, face.attributes)
            coarse = drive_source(state, moved[0], carried[0]).frame
            yield CoarsePair(to_pixels(coarse), *(a.vector[0].numpy() for a in (face.attributes, told)))


def _transfer(model: LandmarkModel, face: FittedFace, gains: Gains) -> MotionTransfer:
    """The motion of a person to themselves, however far."""
    return MotionTransfer(model, face, gains, face.identity, reach=float("inf"))


def _jitter(driving: FaceAttributes, draws: np.random.Generator) -> tuple[FaceAttributes, Gains]:
    """Attributes and gains of a motion that is not quite right."""
    expression = driving.expression + _normal(draws, driving.expression.shape, EXPRESSION_DEVIATION)
    turn = torch.cat([_normal(draws, (1, 3), ROTATION_DEVIATION), torch.zeros(1, 3)], 1)
    factors = np.clip(draws.normal(1, GAIN_DEVIATION, 4), 0.5, 1.5)
    names = ("rotation_gain", "mouth_gain", "eyes_gain", "brows_gain")
    gains = Gains(**dict(zip(names, factors.tolist(), strict=True)))
    return replace(driving, expression=expression, pose=driving.pose + turn), gains


def _normal(draws: np.random.Generator, shape: tuple[int, ...], deviation: float) -> torch.Tensor:
    return torch.from_numpy(draws.normal(0, deviation, shape).astype(np.float32))


@dataclass(frozen=True)
class NetworkPairs:
    """FOMM or Face vid2vid with the named weights, on the CPU; nothing is augmented.

    sha256: of the tensors, since a run overwrites the weights of its name.
    """

    weights: str
    sha256: str

    @property
    def name(self) -> str:
        """See `PairGenerator`."""
        return f"network {self.sha256}"

    @torch.inference_mode()
    def __call__(self, source: Face, drivings: Sequence[Face], draws: np.random.Generator) -> Iterator[CoarsePair]:
        """See `PairGenerator`."""
        network, model = _load_network(self.weights, self.sha256), _load_landmark_model()
        face = fit_face(model, torch.from_numpy(source.landmarks))
        state = network.prepare(to_tensor(source.pixels))
        for driving in drivings:
            coarse = network.drive(state, to_tensor(driving.pixels))
            told, _ = model.fit(torch.from_numpy(driving.landmarks)[None], face.identity)
            yield CoarsePair(to_pixels(coarse), *(a.vector[0].numpy() for a in (face.attributes, told)))


@dataclass(frozen=True)
class DecaPairs:
    """Another generator's frames with DECA's attributes of the source's and the driving frame's pictures.

    sha256: of DECA's tensors.
    """

    maker: PairGenerator
    sha256: str

    @property
    def name(self) -> str:
        """See `PairGenerator`."""
        return f"{self.maker.name}, attributes of DECA {self.sha256}"

    def __call__(self, source: Face, drivings: Sequence[Face], draws: np.random.Generator) -> Iterator[CoarsePair]:
        """See `PairGenerator`."""
        deca = _load_network("deca", self.sha256)
        of_source = read_deca(deca, to_tensor(source.pixels))[0].numpy()
        for driving, pair in zip(drivings, self.maker(source, drivings, draws), strict=True):
            of_driving = read_deca(deca, to_tensor(driving.pixels))[0].numpy()
            yield CoarsePair(pair.coarse, of_source, of_driving)


# Each process reads them once, not once for each source.
_load_landmark_model = cache(load_landmark_model)


@cache
def _load_network(weights: str, sha256: str) -> Any:
    """sha256: other tensors under the same name are another network."""
    return load_deca() if weights == "deca" else load_coarse(weights)


def choose_maker(coarse: str, augmented: float, attributes: str = "landmarks") -> PairGenerator:
    """The coarse generator called `geometric`, or the network with the named weights; attributes: landmarks or deca.

    Raises OptionError for weights of another kind, WeightsError where there are none.
    """
    maker: PairGenerator = GeometricPairs(augmented)
    if coarse != "geometric":
        if not isinstance(load_coarse(coarse), FOMM | FaceVid2Vid):
            raise OptionError(f"coarse.generator {coarse!r}: these weights animate nothing; name FOMM or Face vid2vid")
        maker = NetworkPairs(coarse, describe_weights(coarse).sha256)
    return DecaPairs(maker, describe_weights("deca").sha256) if attributes == "deca" else maker
