"""Training pairs of stills. A single picture is moved and, from the moved picture, made to do what it did before.

The picture itself is the truth, so it must not be the source: copying it would be the best repair. The source is the
picture moved by what happens between two frames of a clip, and the coarse frame moves this source back. The renderer
learns what it may take from sources, so the moved picture is made as clean as they are: it is drawn at the picture's
own resolution and then reduced, and beside the person it has the picture's own background, not one that bends with the
head. What the motion hides (teeth behind closed lips, irises behind lids, background behind the head) is missing in
the source, as it is in pairs of frames of a clip. Several pictures of one person are pairs as they are.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from fadm.animation.animator import Animator
from fadm.attributes.anchoring import AnchoredMotion
from fadm.attributes.face_attributes import FaceAttributes
from fadm.attributes.landmark_model import load_landmark_model
from fadm.attributes.motion import Motion, make_still_motion
from fadm.coarse.generators import GeometricGenerator
from fadm.data.clips import Face, StoredFaces, clip_options, resize_face
from fadm.data.pairs.generators import CoarsePair, PairGenerator
from fadm.data.shards import TrackedClip, scale_landmarks
from fadm.errors import InputError
from fadm.face.tracker import FaceTracker
from fadm.media.crop import to_pixels
from fadm.options import Gains
from fadm.rendering.frame_conditions import ConditionBuilder, TrackedAttributes

Pixels = NDArray[np.uint8]
FloatArray = NDArray[np.float32]

CPU = torch.device("cpu")
FIT_SIZE = 256  # side of the clips' pictures while faces are fitted, pixels
FRAMES_PER_CLIP = 8  # frames of each clip that motions begin and end with
TRIES = 4  # motions that are drawn until one succeeds
LARGEST_ERROR = 0.03  # of the moved picture's landmarks, mean over them, in widths of the face; more is a failed motion
EDGE = 0.02  # widening of the person's outline, in sides of the picture


@dataclass(frozen=True)
class ClipMotions:
    """What the faces of C clips do.

    Attributes:
        faces: Attributes of some frames of each clip, at least two (C).
        identities: Identity coefficients (1, I) of each clip (C).
    """

    faces: tuple[FaceAttributes, ...]
    identities: tuple[Tensor, ...]

    @property
    def digest(self) -> str:
        """SHA-256 of all numbers, in hexadecimal."""
        numbers = [getattr(faces, field.name) for faces in self.faces for field in fields(FaceAttributes)]
        return hashlib.sha256(b"".join(part.numpy().tobytes() for part in (*numbers, *self.identities))).hexdigest()

    def draw(self, rng: np.random.Generator) -> Motion:
        """Draw two frames of a clip.

        Args:
            rng: Draws them.

        Returns:
            A motion of the two frames.
        """
        clip = int(rng.integers(len(self.faces)))
        faces = self.faces[clip]
        first, second = rng.choice(len(faces), 2, replace=False).tolist()
        return make_still_motion([faces[[first]], faces[[second]]], self.identities[clip])


def read_clip_motions(clips: Sequence[TrackedClip]) -> ClipMotions:
    """Fit the face model to frames of clips.

    Args:
        clips: Videos.

    Returns:
        Their motions.

    Raises:
        InputError: There are no clips.
    """
    if not clips:
        raise InputError("stills are moved as faces in videos move; give shards of videos beside them")
    faces, identities = [], []
    for clip in clips:
        attributes, identity = _landmark_model().fit(torch.from_numpy(scale_landmarks(clip.landmarks, FIT_SIZE)))
        count = len(attributes)
        frames = np.linspace(0, count - 1, min(count, FRAMES_PER_CLIP)).round().astype(int).tolist()
        faces.append(attributes[frames])
        identities.append(identity)
    return ClipMotions(tuple(faces), tuple(identities))


@dataclass(frozen=True)
class StillPairGenerator:
    """Makes training pairs of stills; it survives being sent to another process.

    Attributes:
        make: Makes coarse frames.
        motions: What moves the pictures.
        size: Side of the pairs' pictures, pixels.
    """

    make: PairGenerator
    motions: ClipMotions
    size: int

    @property
    def name(self) -> str:
        """Everything that the pairs depend on beside pictures and options."""
        return json.dumps([self.make.name, self.motions.digest])

    @property
    def layers(self) -> tuple[str, ...]:
        """What is stored beside the coarse frame."""
        return (*self.make.layers, "still")

    def __call__(self, source: Face, drivings: Sequence[Face], rng: np.random.Generator) -> Iterator[CoarsePair]:
        """Make a source do what pictures of the same person do.

        Args:
            source: A picture at its own resolution.
            drivings: Pictures of the same person, or the source itself, which is then moved first.
            rng: Draws motions and augmentation.

        Yields:
            A pair for each driving picture.
        """
        for driving in drivings:
            is_single = np.array_equal(source.landmarks, driving.landmarks)
            first = PictureMover(source).move(self.motions, rng) if is_single else source
            first = resize_face(first, self.size)
            (pair,) = self.make(first, [resize_face(driving, self.size)], rng)
            yield replace(pair, still=first.pixels)


class PictureMover:
    """Moves the face of one picture."""

    def __init__(self, face: Face) -> None:
        """Prepare the picture once.

        Args:
            face: The picture.
        """
        known = StoredFaces()
        known.add(face.pixels, face.landmarks)
        animator = Animator(device="cpu", make_tracker=known.make_tracker, model=_landmark_model())
        self.face, self._side = face, len(face.pixels)
        self._prepared = animator.prepare(face.pixels, clip_options(self._side))
        self._generator = GeometricGenerator(animator.model, self._prepared, CPU)

    def move(self, motions: ClipMotions, rng: np.random.Generator) -> Face:
        """Let the face do what happens between two frames of a clip.

        Args:
            motions: Motions of clips.
            rng: Draws the motion; another one where the moved face does not track as it should.

        Returns:
            The moved picture, with landmarks that were tracked in it; the picture itself where all motions fail.
        """
        for _ in range(TRIES):
            moved = self._follow(motions.draw(rng))
            if moved is not None:
                return moved
        return self.face

    def _follow(self, motion: Motion) -> Face | None:
        """Draw the second frame of a motion that begins at rest; None where it does not track as it should."""
        anchored = AnchoredMotion(motion, {0: 0}, torch.arange(2))
        drawn = self._generator.follow(anchored, Gains()).draw(1, None)
        assert drawn.landmarks is not None
        own, reader = self._prepared.face.attributes.vector, TrackedAttributes(motion)
        conditions = ConditionBuilder(self._prepared, own, reader, CPU, size=self._side, has_person=True)
        built = conditions.build([drawn])
        assert built.person is not None
        near = _widen(built.person.amax(1, keepdim=True), round(EDGE * self._side))
        pixels = to_pixels(torch.lerp(conditions.source(self._side), built.coarse, near))
        return _track(pixels, drawn.landmarks.numpy())


def _widen(mask: Tensor, distance: int) -> Tensor:
    """Widen a mask (1, 1, S, S) by a distance in pixels, with an edge as soft as this."""
    side = 2 * distance + 1
    wide = F.max_pool2d(mask, side, stride=1, padding=distance)
    return F.avg_pool2d(wide, side, stride=1, padding=distance, count_include_pad=False)


def _track(pixels: Pixels, wanted: FloatArray) -> Face | None:
    """Track the face of a moved picture; None where it is not about where it was moved to."""
    with FaceTracker(is_video=False) as tracker:
        faces = [face.landmarks for face in tracker.track(pixels)]
    width = float(np.ptp(wanted[:, 0]))
    for landmarks in faces:
        if np.linalg.norm((landmarks - wanted)[:, :2], axis=1).mean() < LARGEST_ERROR * width:
            return Face(pixels, landmarks)
    return None


_landmark_model = cache(load_landmark_model)  # read once in each process
