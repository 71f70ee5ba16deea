"""The only way to prepare and drive a coarse generator: `prepare` a source once, then `draw` frame by frame.

A generator is made for one source. `follow` binds it to one motion and returns an animation that draws the frames.
"""

from dataclasses import dataclass, replace
from typing import Any, Protocol, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from fadm.attributes.anchoring import AnchoredMotion
from fadm.attributes.coefficients import motion_blendshapes
from fadm.attributes.landmark_model import LandmarkModel
from fadm.coarse.driver_crops import cut_face
from fadm.coarse.face_vid2vid.model import FaceVid2Vid
from fadm.coarse.fomm.model import FOMM
from fadm.coarse.geometric.expressions import build_solver
from fadm.coarse.geometric.generator import drive_source, prepare_source
from fadm.coarse.geometric.transfer import MotionTransfer
from fadm.coarse.source import PreparedSource
from fadm.device import count_workers
from fadm.media.crop import Square, to_tensor
from fadm.options import Gains


@dataclass(frozen=True)
class DrawnFrame:
    """One coarse frame in a window of its picture.

    Attributes:
        index: Number of the frame in the motion.
        view: The window's pixels (1, 3, S, S) in [0, 1].
        window: The window of the picture that the view belongs to.
        crop: The window around the face, inside the other; None where there is no face.
        driving: The driver's crop (1, 3, 256, 256), where a network uses it.
        landmarks: Landmarks (478, 3) in the picture's pixels that the frame was made for, where the generator has them.
        carried: The source's landmarks (478, 3) moved by the head alone, where the generator has them.
        confidence: Confidence in the view's detail (1, 1, S, S) in [0, 1], where the generator estimates it.
        flow: Place in the source picture (1, S, S, 2) that each pixel shows, in pixels, where the generator has it.
        picture: The whole frame (H, W, 3) uint8 that the view was cut from, in a video of another tool.
        alpha: The view's alpha (1, 1, S, S) in [0, 1], for a source that keeps its own; the view is over white.
    """

    index: int
    view: Tensor
    window: Square
    crop: Square | None
    driving: Tensor | None = None
    landmarks: Tensor | None = None
    carried: Tensor | None = None
    confidence: Tensor | None = None
    flow: Tensor | None = None
    picture: NDArray[np.uint8] | None = None
    alpha: Tensor | None = None


class CoarseAnimation(Protocol):
    """A coarse generator that follows one motion.

    Attributes:
        workers: Number of threads that may draw frames at once.
    """

    workers: int

    def draw(self, index: int, driving: Tensor | None) -> DrawnFrame:
        """Draw one frame.

        Args:
            index: Number of the frame in the motion.
            driving: The driver's crop (1, 3, 256, 256), for generators that use it.

        Returns:
            The coarse frame.
        """


class GeometricGenerator:
    """Warps the source at its full resolution, by the driver's attributes alone."""

    def __init__(self, model: LandmarkModel, prepared: PreparedSource, device: torch.device) -> None:
        """Prepare the source once for all frames.

        Args:
            model: The face model.
            prepared: The source.
            device: Device on which the picture is warped.
        """
        self.model, self.prepared = model, prepared
        size = prepared.size if prepared.is_crop else prepared.view.side
        person, picture = prepared.person[0, 0].numpy(), to_tensor(prepared.picture).to(device)
        if prepared.alpha is not None:
            picture = torch.cat([picture, to_tensor(prepared.alpha).to(device)], 1)
        landmarks = prepared.face.landmarks[0].numpy()
        self.state = prepare_source(picture, landmarks, person, prepared.region, prepared.view, size)
        self.solver = build_solver(model, prepared.face)

    def follow(self, anchored: AnchoredMotion, gains: Gains, placement: str = "limited") -> "GeometricAnimation":
        """Follow a motion.

        Args:
            anchored: The driver's motion.
            gains: Factors of the parts of the motion.
            placement: `limited`, or `clip` for source and driver from the same clip (AnimateOptions.placement).

        Returns:
            The animation, which draws the frames.
        """
        return GeometricAnimation(self, anchored, gains, placement)


class GeometricAnimation:
    """A geometric generator along one motion; see `CoarseAnimation`."""

    def __init__(self, generator: GeometricGenerator, anchored: AnchoredMotion, gains: Gains, placement: str) -> None:
        self.workers = count_workers()
        self.generator, self._anchored, self._gains = generator, anchored, gains
        self._is_clip = placement == "clip"
        self._blendshapes = motion_blendshapes(anchored.motion, generator.model)
        self._transfers: dict[int, MotionTransfer] = {}

    def move(self, index: int) -> tuple[Tensor, Tensor]:
        """Move the source's landmarks as the motion does.

        Args:
            index: Frame of the motion.

        Returns:
            New landmarks (478, 3), and the source's landmarks moved by the head alone (478, 3), both in the source's
            pixels.
        """
        motion, anchors = self._anchored.motion, self._anchored.anchors
        shot = int(motion.shot[index])
        anchor, blendshapes = None, None
        if self._is_clip:  # the source is itself a frame of the driver's clip
            anchor = self.generator.prepared.face.attributes
        elif anchors:
            anchor, blendshapes = motion.attributes[[anchors[shot]]], self._blendshapes[[anchors[shot]]]
        driving = motion.attributes[[index]]
        if self._anchored.camera is not None:
            driving = replace(driving, camera=self._anchored.camera[[index]])
        landmarks, carried = self._transfer_of(shot).move(driving, anchor, self._blendshapes[[index]], blendshapes)
        return torch.lerp(landmarks[0], carried[0], self.generator.state.held), carried[0]

    def draw(self, index: int, driving: Tensor | None) -> DrawnFrame:
        """See `CoarseAnimation`."""
        prepared, (landmarks, carried) = self.generator.prepared, self.move(index)
        coarse = drive_source(self.generator.state, landmarks, carried)
        known = (landmarks, carried, coarse.confidence, coarse.flow)
        return DrawnFrame(index, coarse.frame, prepared.view, prepared.crop, driving, *known, alpha=coarse.alpha)

    def _transfer_of(self, shot: int) -> MotionTransfer:
        """Build the transfer of a shot once; another shot may show another person."""
        if shot not in self._transfers:
            generator = self.generator
            identity = self._anchored.motion.identity[shot : shot + 1]
            reach = None if self._is_clip else generator.state.mesh.reach
            face = generator.prepared.face
            self._transfers[shot] = MotionTransfer(
                generator.model, face, generator.solver, self._gains, identity, reach
            )
        return self._transfers[shot]


class NetworkGenerator:
    """FOMM or Face vid2vid on 256-pixel crops."""

    def __init__(self, network: FOMM | FaceVid2Vid, prepared: PreparedSource, device: torch.device) -> None:
        """Encode the source once.

        Args:
            network: The network.
            prepared: The source.
            device: Device of the network.
        """
        self.network = cast(Any, network.to(device))  # the two networks' states are of different types
        self.prepared, self.device = prepared, device
        with torch.inference_mode():
            self.state = self.network.prepare(cut_face(prepared.picture, prepared.crop).to(device))

    def follow(
        self, anchored: AnchoredMotion, anchor_crops: dict[int, Tensor], angles: dict[str, float]
    ) -> "NetworkAnimation":
        """Follow a motion.

        Args:
            anchored: The driver's motion, of which only the shots are used.
            anchor_crops: The driver's crop (1, 3, 256, 256) at the anchor of each shot; none for absolute motion.
            angles: Yaw, pitch and roll of Face vid2vid's free view, in degrees.

        Returns:
            The animation, which draws the frames.
        """
        return NetworkAnimation(self, anchored, anchor_crops, angles)


class NetworkAnimation:
    """A trained generator along one motion; see `CoarseAnimation`."""

    def __init__(
        self,
        generator: NetworkGenerator,
        anchored: AnchoredMotion,
        anchor_crops: dict[int, Tensor],
        angles: dict[str, float],
    ) -> None:
        self.workers = 1  # the network itself computes in many threads
        self._generator, self._angles, self._shot = generator, angles, anchored.motion.shot
        network, state, device = generator.network, generator.state, generator.device
        with torch.inference_mode():
            self._states = {shot: network.anchor(state, crop.to(device)) for shot, crop in anchor_crops.items()}

    @torch.inference_mode()
    def draw(self, index: int, driving: Tensor | None) -> DrawnFrame:
        """See `CoarseAnimation`."""
        assert driving is not None
        generator, prepared = self._generator, self._generator.prepared
        state = self._states.get(int(self._shot[index]), generator.state)
        coarse = generator.network.drive(state, driving.to(generator.device), **self._angles)
        side = prepared.size if prepared.is_crop else prepared.crop.side
        view = F.interpolate(coarse, size=(side, side), mode="bicubic", align_corners=False, antialias=True)
        return DrawnFrame(index, view.clamp(0, 1), prepared.crop, prepared.crop, driving)
