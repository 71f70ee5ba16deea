"""Which parts an animation is built from: the user's choices checked, weights loaded, parts put together."""

from dataclasses import fields, replace
from typing import Any

import torch

from fadm.animation.refiner import (
    AttributeReader,
    DecaAttributes,
    MovedAttributes,
    Refiner,
    TrackedAttributes,
    read_deca,
)
from fadm.attributes.landmark_model import LandmarkModel
from fadm.attributes.loading import load_deca
from fadm.attributes.motion import Motion
from fadm.coarse.generators import (
    AnchoredMotion,
    CoarseGenerator,
    GeometricAnimation,
    NetworkAnimation,
    PreparedSource,
    cut_anchors,
    cut_face,
)
from fadm.coarse.loading import load_coarse
from fadm.config import config_from_dict
from fadm.errors import OptionError
from fadm.media.crop import Square, to_tensor
from fadm.media.frames import FrameSource
from fadm.options import AnimateOptions, Gains, RefineOptions
from fadm.rendering.loading import load_renderer
from fadm.rendering.options import RendererConfig, RenderOptions
from fadm.rendering.presets import get_preset
from fadm.weights.registry import find_weights
from fadm.weights.store import read_metadata

RENDERER_KIND, NETWORK_KINDS = "fadm", ("fomm", "face_vid2vid")
DEFAULT_RENDERER = "fadm_small"


def choose_renderer(options: RefineOptions) -> str:
    """The renderer that is meant by `auto`: ours, for the geometric frames that it learned from and for any video."""
    if options.renderer != "auto":
        return options.renderer
    is_network = isinstance(options, AnimateOptions) and options.coarse != "geometric"
    return "none" if is_network else DEFAULT_RENDERER


def check_choices(options: AnimateOptions, *, has_pictures: bool) -> None:
    """Refuse combinations that make no sense, with the reason, before any work.

    has_pictures: the driver is more than a motion file. Raises OptionError, or WeightsError for missing weights.
    """
    if not has_pictures:
        changed = [
            f for f in ("driving_face", "smoothing", "rate") if getattr(options, f) != getattr(AnimateOptions, f)
        ]
        if changed:
            raise OptionError(f"--{changed[0].replace('_', '-')} is for tracking; a motion file is tracked already")
    if options.gap == "source" and options.relative is False:
        raise OptionError("--gap source shows the anchor's pose as the source at rest; --absolute has no anchor")
    kind = "geometric" if options.coarse == "geometric" else _kind_of(options.coarse, "--coarse", NETWORK_KINDS)
    if kind != "geometric":
        if not has_pictures:
            raise OptionError(f"--coarse {options.coarse} looks at the driver's pictures; a motion file has none")
        changed = [f.name for f in fields(Gains) if getattr(options, f.name) != 1]
        if changed:
            raise OptionError(
                f"--{changed[0].replace('_', '-')}: gains act on landmarks; {kind} has none, use --coarse geometric"
            )
        if options.gap == "interpolate":
            raise OptionError(f"--gap interpolate makes numbers, not the pictures that {kind} looks at; choose hold")
    for angle in ("yaw", "pitch", "roll"):
        if kind != "face_vid2vid" and getattr(options, angle) is not None:
            raise OptionError(f"--{angle}: only --coarse face_vid2vid has a free view")
    check_refinement(options)
    if choose_renderer(options) != "none":
        source, attributes_from = _attributes_of(options), render_options(options).attributes_from
        if source == "landmarks" and attributes_from == "coarse" and kind != "geometric":
            raise OptionError(
                f"--preset {choose_preset(options)} takes the attributes of the coarse frame, of which {kind} knows no "
                "landmarks; choose --coarse geometric or --preset paper"
            )
        if source == "deca" and attributes_from == "driving" and not has_pictures:
            raise OptionError("--attributes deca looks at the driver's pictures; a motion file has none")


def check_refinement(options: RefineOptions, *, is_needed: bool = False) -> None:
    """Refuse a renderer's options without a renderer, or against it. Raises OptionError, WeightsError, ConfigError."""
    renderer = choose_renderer(options)
    if renderer == "none":
        if is_needed:
            raise OptionError("--renderer none leaves nothing to do: leave it out, or name weights (fadm weights list)")
        others = [f for f in fields(RefineOptions) if f.name not in ("renderer", "seed")]
        given = [f.name for f in others if getattr(options, f.name) != f.default]
        if given:
            raise OptionError(f"--{given[0]} is a renderer's option; name one with --renderer")
        return
    _kind_of(renderer, "--renderer", (RENDERER_KIND,))
    trained = _attributes_of(replace(options, attributes="auto"))
    if _attributes_of(options) != trained:
        raise OptionError(
            f"--attributes {options.attributes}: {renderer} was trained with attributes of {trained}, "
            "whose numbers mean something else"
        )
    if trained == "deca":
        _kind_of("deca", "--attributes", ("deca",))
    settings, timesteps = render_options(options), _config_of(renderer).timesteps
    if options.eta is not None and settings.sampler != "ddim":
        raise OptionError(f"--eta belongs to --sampler ddim, not {settings.sampler}")
    if settings.num_steps > timesteps:
        raise OptionError(
            f"{settings.num_steps} sampling steps are asked for, but {renderer} has {timesteps} timesteps; "
            f"give --steps from 1 to {timesteps}"
        )


def choose_preset(options: RefineOptions) -> str:
    """The preset that is meant by `auto`: of weights that learned to predict noise one of the paper's, else ours."""
    if options.preset != "auto":
        return options.preset
    renderer = choose_renderer(options)
    if _config_of(renderer).prediction != "eps":
        return "default"
    return "paper" if "trained_on" in read_metadata(find_weights(renderer)) else "released"


def render_options(options: RefineOptions) -> RenderOptions:
    """The preset's way of rendering with the user's changes."""
    given = {"sampler": options.sampler, "num_steps": options.steps, "eta": options.eta, "strength": options.strength}
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    return replace(get_preset(choose_preset(options)).render, seed=options.seed, **changes)


def sees_driver(options: AnimateOptions) -> bool:
    """Whether these choices look at the driver's pictures again after its motion was read."""
    if options.coarse != "geometric":
        return True
    if choose_renderer(options) == "none" or _attributes_of(options) == "landmarks":
        return False
    return render_options(options).attributes_from == "driving"


def build_generator(
    model: LandmarkModel,
    prepared: PreparedSource,
    anchored: AnchoredMotion,
    options: AnimateOptions,
    driver: FrameSource | None,
    windows: dict[int, Square],
    device: torch.device,
) -> CoarseGenerator:
    """The coarse generator of one animation; windows: of the driver's face, by shot."""
    if options.coarse == "geometric":
        return GeometricAnimation(model, prepared, anchored, options, device)
    network = load_coarse(options.coarse)
    assert driver is not None
    given = {"yaw": options.yaw, "pitch": options.pitch, "roll": options.roll}
    angles = {name: angle for name, angle in given.items() if angle is not None}
    anchors = cut_anchors(driver, windows, anchored.anchors)
    return NetworkAnimation(network, prepared, anchored, anchors, angles, device)


def build_refiner(
    model: LandmarkModel,
    portrait: PreparedSource,
    motion: Motion,
    options: RefineOptions,
    device: torch.device,
    *,
    is_animation: bool,
) -> Refiner | None:
    """The renderer of one animation, or None; portrait: the source.

    is_animation: the frames were made from the motion; otherwise the motion was read from the frames.
    """
    name = choose_renderer(options)
    if name == "none":
        return None
    renderer, settings = load_renderer(name), render_options(options)
    from_coarse = settings.attributes_from != "driving"
    reader: AttributeReader
    if _attributes_of(options) == "deca":
        deca = load_deca().to(device)
        source = read_deca(deca, cut_face(portrait.picture, portrait.crop).to(device))
        reader = DecaAttributes(deca, from_coarse or not is_animation)
    else:
        source, reader = portrait.face.attributes.vector, TrackedAttributes(motion)
        if from_coarse and is_animation:
            reader = MovedAttributes(model, portrait.face.identity, motion)
    picture = to_tensor(portrait.picture), portrait.crop, portrait.region
    return Refiner(renderer.to(device), settings, picture, source, reader, device)


def _attributes_of(options: RefineOptions) -> str:
    """Where the renderer's attributes come from; a file that does not say is a released one."""
    if options.attributes != "auto":
        return options.attributes
    return str(read_metadata(find_weights(choose_renderer(options))).get("attributes", "deca"))


def _config_of(renderer: str) -> RendererConfig:
    """What a renderer was made for. Raises ConfigError for a malformed configuration."""
    path = find_weights(renderer)
    return config_from_dict(RendererConfig, read_metadata(path)["config"], source=str(path))


def _kind_of(name: str, flag: str, wanted: tuple[str, ...]) -> str:
    """The kind of named weights. Raises OptionError for another kind, WeightsError when there are none."""
    kind = str(read_metadata(find_weights(name)).get("kind"))
    if kind not in wanted:
        raise OptionError(f"{flag} {name}: these weights are of kind {kind}, {' or '.join(wanted)} is needed")
    return kind
