"""What the user's options mean together: renderer, preset and attributes chosen, contradictions refused."""

from dataclasses import fields, replace
from typing import Any

from fadm.attributes.landmark_model import LandmarkModel, hash_numbers, load_landmark_model
from fadm.config import config_from_dict
from fadm.errors import OptionError, WeightsError
from fadm.options import AnimateOptions, EnhanceOptions, Gains, MotionOptions, RefineOptions
from fadm.rendering.options import RendererConfig, RenderOptions
from fadm.rendering.presets import get_preset
from fadm.weights.registry import describe_weights, named_files

RENDERER_KIND, NETWORK_KINDS = "fadm", ("fomm", "face_vid2vid")
DEFAULT_RENDERER, OPEN_RENDERER = "fadm_small", "fadm_open"
TRACKING = ("driving_face", "smoothing", "rate")  # options that a motion file cannot follow any more


def choose_renderer(options: RefineOptions) -> str:
    """Choose the renderer; `auto` is the shipped one for geometric coarse frames and for videos to enhance.

    Where `--commercial` refuses the default, `auto` is the one trained on open terms alone, if it is there.

    Args:
        options: The user's options.

    Returns:
        Name of the weights, a weights file, or none.
    """
    if options.renderer != "auto":
        return options.renderer
    is_network = isinstance(options, AnimateOptions) and options.coarse != "geometric"
    if is_network:
        return "none"
    if options.commercial and not describe_weights(DEFAULT_RENDERER).allows_commercial:
        return OPEN_RENDERER if OPEN_RENDERER in named_files() else DEFAULT_RENDERER
    return DEFAULT_RENDERER


def choose_parts(options: RefineOptions) -> str:
    """Choose the renderer of mouth and eyes; `auto` is the one that belongs to the renderer, NAME_parts, if it has one.

    Only geometric frames come with the landmarks that it needs.

    Args:
        options: The user's options, with a renderer.

    Returns:
        Name of the weights, a weights file, or none.
    """
    if options.parts != "auto":
        return options.parts
    name = f"{choose_renderer(options)}_parts"
    return name if _has_landmarks(options) and name in named_files() else "none"


def check_choices(options: AnimateOptions, *, has_pictures: bool, model: LandmarkModel | None = None) -> None:
    """Check the options against each other before any work.

    Args:
        options: The user's options.
        has_pictures: The driver has pictures: it is no motion file.
        model: The face model; the package's own unless given.

    Raises:
        OptionError: Two options, or an option and the driver, contradict each other.
        WeightsError: Weights are missing, were trained with another face model, or their terms are refused.
        ConfigError: A weights file's configuration is invalid.
    """
    if not has_pictures:
        refuse_tracking(options)
    if options.gap == "source" and options.relative is False:
        raise OptionError("--gap source shows the anchor's pose as the source at rest; --absolute has no anchor")
    kind = options.coarse
    if kind != "geometric":
        kind = _kind_of(kind, "--coarse", NETWORK_KINDS, options.commercial, "--coarse geometric")
        if not has_pictures:
            raise OptionError(f"--coarse {options.coarse} needs the driver's pictures; a motion file has none")
        changed = [f.name for f in fields(Gains) if getattr(options, f.name) != 1]
        if changed:
            raise OptionError(
                f"--{changed[0].replace('_', '-')}: gains act on landmarks; {kind} has none, use --coarse geometric"
            )
        if options.gap == "interpolate":
            raise OptionError(f"--gap interpolate makes numbers, not the pictures that {kind} needs; choose hold")
    for angle in ("yaw", "pitch", "roll"):
        if kind != "face_vid2vid" and getattr(options, angle) is not None:
            raise OptionError(f"--{angle}: only --coarse face_vid2vid has a free view")
    check_refinement(options, model=model)
    if choose_renderer(options) != "none":
        source, attributes_from = choose_attributes(options), render_options(options).attributes_from
        if source == "landmarks" and attributes_from == "coarse" and kind != "geometric":
            raise OptionError(
                f"--preset {choose_preset(options)} takes the attributes of the coarse frame, but {kind} gives no "
                "landmarks; choose --coarse geometric or --preset paper"
            )
        if source == "deca" and attributes_from == "driving" and not has_pictures:
            raise OptionError("--attributes deca needs the driver's pictures; a motion file has none")


def refuse_tracking(options: MotionOptions, *others: str) -> None:
    """Refuse options that say how a driver is tracked, for a motion file.

    Args:
        options: The user's options.
        *others: Names of further ones that say nothing here.

    Raises:
        OptionError: One of them is given.
    """
    changed = [f for f in (*TRACKING, *others) if getattr(options, f) != getattr(MotionOptions, f)]
    if changed:
        raise OptionError(f"--{changed[0].replace('_', '-')} is for tracking; a motion file is tracked already")


def check_refinement(options: RefineOptions, *, is_needed: bool = False, model: LandmarkModel | None = None) -> None:
    """Check the renderer's options against the renderer.

    Args:
        options: The user's options.
        is_needed: `none` is not allowed.
        model: The face model; the package's own unless given.

    Raises:
        OptionError: An option does not fit the renderer, or there is no renderer.
        WeightsError: Weights are missing, were trained with another face model, or their terms are refused.
        ConfigError: The weights' configuration is invalid.
    """
    renderer = choose_renderer(options)
    if renderer == "none":
        if is_needed:
            raise OptionError("--renderer none leaves nothing to do: leave it out, or name weights (fadm weights list)")
        others = [f for f in fields(RefineOptions) if f.name not in ("renderer", "commercial", "seed", "first_frame")]
        given = [f.name for f in others if getattr(options, f.name) != f.default]
        if given:
            raise OptionError(f"--{given[0].replace('_', '-')} is a renderer's option; name one with --renderer")
        return
    _kind_of(renderer, "--renderer", (RENDERER_KIND,), options.commercial, "" if is_needed else "--renderer none")
    if _config_of(renderer).use_contours:
        raise OptionError(f"--renderer {renderer}: it draws mouth and eyes alone; name it with --parts")
    _check_parts(options, model)
    trained = choose_attributes(replace(options, attributes="auto"))
    if choose_attributes(options) != trained:
        raise OptionError(
            f"--attributes {options.attributes}: {renderer} was trained with attributes of {trained}, "
            "whose numbers mean something else"
        )
    if trained == "deca":
        _kind_of("deca", "--attributes", ("deca",), options.commercial)
    else:
        _check_face_model(renderer, model or load_landmark_model())
    settings, timesteps = render_options(options), _config_of(renderer).timesteps
    if options.eta is not None and settings.sampler != "ddim":
        raise OptionError(f"--eta belongs to --sampler ddim, not {settings.sampler}")
    if settings.num_steps > timesteps:
        raise OptionError(
            f"{settings.num_steps} sampling steps are asked for, but {renderer} has {timesteps} timesteps; "
            f"give --steps from 1 to {timesteps}"
        )


def choose_preset(options: RefineOptions) -> str:
    """Choose the preset; `auto` is `paper` or `released` for weights that predict noise, else `default`.

    Args:
        options: The user's options, with a renderer.

    Returns:
        Name of the preset.

    Raises:
        WeightsError: The renderer's weights are missing.
    """
    if options.preset != "auto":
        return options.preset
    renderer = choose_renderer(options)
    if _config_of(renderer).prediction != "eps":
        return "default"
    return "paper" if "trained_on" in describe_weights(renderer).metadata else "released"


def render_options(options: RefineOptions) -> RenderOptions:
    """Merge the preset's sampling options with the user's.

    Args:
        options: The user's options, with a renderer.

    Returns:
        The sampling options.

    Raises:
        OptionError: The preset is unknown.
        WeightsError: The renderer's weights are missing.
    """
    given = {"sampler": options.sampler, "num_steps": options.steps, "eta": options.eta, "strength": options.strength}
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    return replace(get_preset(choose_preset(options)).render, seed=options.seed, **changes)


def choose_attributes(options: RefineOptions) -> str:
    """Choose whose attributes the renderer is conditioned on.

    Args:
        options: The user's options.

    Returns:
        `landmarks` or `deca`.

    Raises:
        WeightsError: The renderer's weights are missing.
    """
    if options.attributes != "auto":
        return options.attributes
    return describe_weights(choose_renderer(options)).attributes


def _check_parts(options: RefineOptions, model: LandmarkModel | None) -> None:
    """Check the renderer of mouth and eyes. Raises OptionError or WeightsError for one that does not fit."""
    parts = choose_parts(options)
    if parts == "none":
        return
    if not _has_landmarks(options):
        raise OptionError(f"--parts {parts}: mouth and eyes are known in geometric frames alone; leave it out")
    _kind_of(parts, "--parts", (RENDERER_KIND,), options.commercial, "--parts none")
    if not _config_of(parts).use_contours:
        raise OptionError(f"--parts {parts}: this renderer draws whole frames; name it with --renderer")
    if choose_attributes(options) != "landmarks":
        raise OptionError(f"--parts {parts} needs the landmark model's attributes; {options.renderer} is told others")
    _check_face_model(parts, model or load_landmark_model())


def _has_landmarks(options: RefineOptions) -> bool:
    """Whether the frames that are rendered come with landmarks."""
    is_geometric = not isinstance(options, AnimateOptions) or options.coarse == "geometric"
    return is_geometric and not isinstance(options, EnhanceOptions)


def _check_face_model(renderer: str, model: LandmarkModel) -> None:
    """Check what the numbers mean that a renderer is told. Raises WeightsError for those of another face model."""
    if describe_weights(renderer).face_model != hash_numbers(model):
        raise WeightsError(
            f"{renderer} was trained with another face model, whose numbers mean something else; train it on with this "
            "one (fadm train renderer, run.start), or choose another renderer"
        )


def _config_of(renderer: str) -> RendererConfig:
    """What a renderer was made for. Raises ConfigError for a malformed configuration."""
    weights = describe_weights(renderer)
    return config_from_dict(RendererConfig, weights.metadata["config"], source=str(weights.path))


def _kind_of(name: str, flag: str, wanted: tuple[str, ...], commercial: bool, instead: str = "") -> str:
    """The kind of named weights. Raises OptionError for another kind, WeightsError for none or refused terms."""
    kind = describe_weights(name, commercial=commercial, instead=instead).kind
    if kind not in wanted:
        raise OptionError(f"{flag} {name}: these weights are of kind {kind}, {' or '.join(wanted)} is needed")
    return kind
