"""Which parts an animation is built from: networks loaded, parts put together."""

from dataclasses import dataclass, fields

import torch

from fadm.animation.choices import choose_attributes, choose_parts, choose_renderer, render_options
from fadm.animation.part_drawer import PartDrawer
from fadm.animation.refiner import Refiner
from fadm.attributes.anchoring import AnchoredMotion
from fadm.attributes.deca import DECA
from fadm.attributes.landmark_model import LandmarkModel
from fadm.attributes.loading import load_deca
from fadm.attributes.motion import Motion
from fadm.coarse.driver_crops import cut_anchors, cut_face
from fadm.coarse.face_vid2vid.model import FaceVid2Vid
from fadm.coarse.fomm.model import FOMM
from fadm.coarse.generators import CoarseAnimation, GeometricGenerator, NetworkGenerator
from fadm.coarse.loading import load_coarse
from fadm.coarse.source import PreparedSource
from fadm.device import choose_dtype, store_weights
from fadm.media.crop import Square
from fadm.media.frames import FrameSource
from fadm.options import AnimateOptions, Gains, RefineOptions
from fadm.rendering.frame_conditions import (
    AttributeReader,
    ConditionBuilder,
    DecaAttributes,
    MovedAttributes,
    TrackedAttributes,
    read_deca,
)
from fadm.rendering.loading import load_renderer
from fadm.rendering.options import RenderOptions
from fadm.rendering.renderer import DiffusionRenderer


@dataclass(frozen=True)
class Networks:
    """The loaded networks that some options ask for, each None where it is not needed.

    Attributes:
        coarse: The trained coarse generator.
        renderer: The renderer.
        parts: The renderer of mouth and eyes.
        deca: Reads the renderer's attributes, where these are not the landmark model's.
        render: How the renderer renders.
    """

    coarse: FOMM | FaceVid2Vid | None = None
    renderer: DiffusionRenderer | None = None
    parts: DiffusionRenderer | None = None
    deca: DECA | None = None
    render: RenderOptions = RenderOptions()


def load_networks(options: RefineOptions, device: torch.device) -> Networks:
    """Load the networks of an animation.

    Args:
        options: The user's choices.
        device: Where the networks compute.

    Returns:
        The networks.

    Raises:
        WeightsError: Weights are missing, damaged or of another kind, or their terms are refused.
    """
    coarse = None
    if isinstance(options, AnimateOptions) and options.coarse != "geometric":
        coarse = load_coarse(options.coarse, commercial=options.commercial).to(device)
    name = choose_renderer(options)
    if name == "none":
        return Networks(coarse)
    has_deca = choose_attributes(options) == "deca"
    deca = load_deca(commercial=options.commercial).to(device) if has_deca else None
    render = render_options(options)

    def load(name: str) -> DiffusionRenderer:
        renderer = load_renderer(name, commercial=options.commercial)
        return store_weights(renderer.to(device), choose_dtype(device, render.precision))

    parts = choose_parts(options)
    return Networks(coarse, load(name), None if parts == "none" else load(parts), deca, render)


def sees_driver(networks: Networks) -> bool:
    """Tell whether an animation needs the driver's pictures again after its motion was read.

    Args:
        networks: The loaded networks.

    Returns:
        Whether the coarse generator or the attributes are computed from the driver's pictures.
    """
    reads_driver = networks.deca is not None and networks.render.attributes_from == "driving"
    return networks.coarse is not None or reads_driver


def build_animation(
    networks: Networks,
    model: LandmarkModel,
    prepared: PreparedSource,
    anchored: AnchoredMotion,
    options: AnimateOptions,
    driver: FrameSource | None,
    windows: dict[int, Square],
    device: torch.device,
) -> CoarseAnimation:
    """Prepare the coarse generator for a source and let it follow a motion.

    Args:
        networks: The loaded networks.
        model: The face model.
        prepared: The source.
        anchored: The driver's motion.
        options: The user's choices.
        driver: The driver, for generators that see its pictures.
        windows: Windows of the driver's face by shot.
        device: Where frames are made.

    Returns:
        What draws the coarse frames.
    """
    if networks.coarse is None:
        gains = Gains(**{f.name: getattr(options, f.name) for f in fields(Gains)})
        return GeometricGenerator(model, prepared, device).follow(anchored, gains, options.placement)
    assert driver is not None
    given = {"yaw": options.yaw, "pitch": options.pitch, "roll": options.roll}
    angles = {name: angle for name, angle in given.items() if angle is not None}
    anchors = cut_anchors(driver, windows, anchored.anchors)
    return NetworkGenerator(networks.coarse, prepared, device).follow(anchored, anchors, angles)


def build_refiner(
    networks: Networks,
    model: LandmarkModel,
    portrait: PreparedSource,
    motion: Motion,
    device: torch.device,
    *,
    is_animation: bool,
    first_frame: int = 0,
    hidden: str = "",
) -> Refiner | None:
    """Put the renderer of one animation together.

    Args:
        networks: The loaded networks.
        model: The face model.
        portrait: The source.
        motion: The motion that the frames were made from, or that was read from the frames.
        device: Where frames are rendered.
        is_animation: Whether the frames were made from the motion.
        first_frame: Number of the motion's first frame, on which the noise depends.
        hidden: For ablations the condition that is replaced (`ConditionBuilder`).

    Returns:
        The refiner, None without a renderer.
    """
    if networks.renderer is None:
        return None
    attributes_from = networks.render.attributes_from if is_animation else "tracked"
    source, reader = read_source_attributes(networks.deca, model, portrait, motion, attributes_from)
    has_person = networks.renderer.config.use_person
    conditions = ConditionBuilder(portrait, source, reader, device, has_person=has_person, hidden=hidden)
    parts = None if networks.parts is None else PartDrawer(networks.parts, networks.render, portrait, device)
    return Refiner(networks.renderer, networks.render, conditions, first_frame, parts)


def read_source_attributes(
    deca: DECA | None, model: LandmarkModel, portrait: PreparedSource, motion: Motion, attributes_from: str
) -> tuple[torch.Tensor, AttributeReader]:
    """Read the source's attributes and choose who reads the frames' of the same kind.

    Args:
        deca: Reads them from pictures; None takes the landmark model's.
        model: The face model.
        portrait: The source.
        motion: The driver's motion, or the one read from the frames.
        attributes_from: `driving`, `moved` or `coarse` for frames that were made from the motion (RenderOptions);
            `tracked` for a motion that was read from the frames.

    Returns:
        The source's attributes (1, 56), and the reader.
    """
    if deca is not None:
        crop = cut_face(portrait.picture, portrait.crop).to(next(deca.parameters()).device)
        return read_deca(deca, crop), DecaAttributes(deca, from_coarse=attributes_from != "driving")
    source = portrait.face.attributes.vector
    if attributes_from in ("moved", "coarse"):
        return source, MovedAttributes(model, portrait.face.identity, motion)
    return source, TrackedAttributes(motion)
