"""How a coarse generator follows a driver: absolute within one clip, relative or absolute between two people."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch

from fadm.attributes.face_attributes import FaceAttributes
from fadm.attributes.landmark_model import FittedFace, LandmarkModel, fit_face, load_landmark_model
from fadm.attributes.motion import find_anchors, make_still_motion
from fadm.coarse.face_vid2vid.model import FaceVid2Vid
from fadm.coarse.fomm.model import FOMM
from fadm.coarse.generators import PERSON_SIZE, PreparedSource
from fadm.coarse.geometric.generator import GeometricSource, drive_source, prepare_source
from fadm.coarse.geometric.transfer import MotionTransfer
from fadm.coarse.loading import load_coarse
from fadm.data.pairs.generators import GeometricPairs
from fadm.data.pairs.store import CoarsePair, Face
from fadm.errors import OptionError
from fadm.evaluation.features import ClipFrames
from fadm.evaluation.pairs import Case
from fadm.face.segmentation import segment_person
from fadm.media.crop import Square, copy_square, to_pixels, to_tensor
from fadm.options import Gains

# A source and the cases that it has -> their coarse frames, one after the other, over all cases.
Drive = Callable[[Face, Sequence[Case], ClipFrames], Iterator[CoarsePair]]


def choose_drive(coarse: str, motion: str, *, has_truth: bool) -> Drive:
    """The coarse generator called `geometric`, or the network with the named weights.

    has_truth: source and driver are one clip, whose motion is taken absolutely, as training pairs are made; else
    motion says how. Raises OptionError for weights of another kind, WeightsError where there are none.
    """
    maker, network = GeometricPairs(augmented=0.0), None
    if coarse != "geometric":
        network = load_coarse(coarse)
        if not isinstance(network, FOMM | FaceVid2Vid):
            raise OptionError(f"{coarse}: these weights animate nothing; name those of a coarse generator")

    def drive(source: Face, cases: Sequence[Case], frames: ClipFrames) -> Iterator[CoarsePair]:
        if network is None and has_truth:
            drivings = [face for case in cases for face in frames.faces(case.driving_clip, case.driving_frames)]
            yield from maker(source, drivings, np.random.default_rng(0))
            return
        for case in cases:
            if network is None:
                yield from _follow_geometric(motion, source, case, frames)
            else:
                yield from _follow_network(network, "absolute" if has_truth else motion, source, case, frames)

    return drive


def _follow_geometric(motion: str, source: Face, case: Case, frames: ClipFrames) -> Iterator[CoarsePair]:
    model = load_landmark_model()
    face, state = _prepare_geometric(model, source)
    attributes, identity = _read_driver(model, case, frames)
    start = _find_start(model, attributes, identity, face.attributes, motion)
    anchor = None if start is None else attributes[[start]]
    transfer = MotionTransfer(model, face, Gains(), identity, state.mesh.reach)
    for index in range(len(case.driving_frames)):
        moved, carried = transfer.move(attributes[[index]], anchor)
        frame = drive_source(state, moved[0], carried[0]).frame
        told, _ = model.fit(moved, face.identity)
        yield CoarsePair(to_pixels(frame), *(a.vector[0].numpy() for a in (face.attributes, told)))


def _prepare_geometric(model: LandmarkModel, source: Face) -> tuple[FittedFace, GeometricSource]:
    side = len(source.pixels)
    face = fit_face(model, torch.from_numpy(source.landmarks))
    region = PreparedSource(source.pixels, face, is_crop=True, size=side).region
    person = segment_person(copy_square(source.pixels, region, PERSON_SIZE))
    whole = Square(0, 0, side)
    return face, prepare_source(to_tensor(source.pixels), source.landmarks, person, region, whole, side)


@torch.inference_mode()
def _follow_network(network: Any, motion: str, source: Face, case: Case, frames: ClipFrames) -> Iterator[CoarsePair]:
    model = load_landmark_model()
    face = fit_face(model, torch.from_numpy(source.landmarks))
    same = face.identity if case.source_clip == case.driving_clip else None
    attributes, identity = _read_driver(model, case, frames, same)
    state = network.prepare(to_tensor(source.pixels))
    start = _find_start(model, attributes, identity, face.attributes, motion)
    if start is not None:
        state = network.anchor(state, frames.look(case.driving_clip, case.driving_frames[start]).picture)
    for index, number in enumerate(case.driving_frames):
        frame = network.drive(state, frames.look(case.driving_clip, number).picture)
        yield CoarsePair(to_pixels(frame), face.attributes.vector[0].numpy(), attributes.vector[index].numpy())


def _read_driver(
    model: LandmarkModel, case: Case, frames: ClipFrames, identity: torch.Tensor | None = None
) -> tuple[FaceAttributes, torch.Tensor]:
    """Attributes (T) of the driving frames and the driver's identity (1, I), unless known, by the stored landmarks."""
    return model.fit(torch.from_numpy(frames.landmarks(case.driving_clip, case.driving_frames)), identity)


def _find_start(
    model: LandmarkModel, driver: FaceAttributes, identity: torch.Tensor, source: FaceAttributes, motion: str
) -> int | None:
    """The driver's frame from which its motion is measured; None for absolute motion."""
    if motion == "absolute":
        return None
    moving = make_still_motion([driver[[index]] for index in range(len(driver))], identity)
    return find_anchors(moving, model, source, "auto" if motion == "best" else "first")[0]
