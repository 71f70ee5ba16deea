from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch

from fadm.animation.animator import Animator
from fadm.animation.build import load_networks, sees_driver
from fadm.animation.choices import (
    DEFAULT_RENDERER,
    OPEN_RENDERER,
    check_choices,
    check_refinement,
    choose_parts,
    choose_renderer,
    render_options,
)
from fadm.animation.driver import anchor_motion
from fadm.animation.files import animate_file
from fadm.attributes.landmark_model import LandmarkModel
from fadm.attributes.motion_files import save_motion
from fadm.errors import FadmError, OptionError, WeightsError
from fadm.media.reader import open_frames
from fadm.options import AnimateOptions, EditOptions, EnhanceOptions
from fadm.rendering.presets import get_preset
from fadm.rendering.renderer import DiffusionRenderer
from tests.clips import carphone_frames, write_clip
from tests.media.samples import ASTRONAUT
from tests.tiny_networks import (
    BY_DECA,
    BY_LANDMARKS,
    PART_RENDERER,
    PARTS,
    RENDERER,
    TOLD_LANDMARKS,
    make_renderer,
    save_network,
    tiny_networks,
)

COARSE, PRESETS = ("geometric", "fomm", "face_vid2vid"), ("default", "paper", "released")
SENSELESS = [(coarse, BY_LANDMARKS, "released") for coarse in COARSE[1:]]
SENSIBLE = [
    *((coarse, "none", "auto") for coarse in COARSE),
    *(chosen for chosen in product(COARSE, (BY_LANDMARKS, BY_DECA), PRESETS) if chosen not in SENSELESS),
]
NUM_FRAMES, SIZE = 2, 64
CPU = torch.device("cpu")
FREE = {"licence": "Apache-2.0"}


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    with tiny_networks(home):
        short = DiffusionRenderer(replace(RENDERER, timesteps=30))
        save_network(home, "short", short, TOLD_LANDMARKS)
        save_network(home, "free", make_renderer(), TOLD_LANDMARKS | FREE)
        save_network(home, "free_by_deca", make_renderer(), {"kind": "fadm"} | FREE)
        yield home


@pytest.fixture(scope="module")
def animator():
    return Animator(device="cpu")


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    return open_frames(write_clip(tmp_path_factory.mktemp("driver") / "a.mp4", carphone_frames()[:NUM_FRAMES]))


@pytest.fixture(scope="module")
def motion(animator, driver):
    return animator.read_motion(driver, AnimateOptions())[0]


@pytest.fixture(scope="module")
def motion_file(motion, tmp_path_factory):
    path = tmp_path_factory.mktemp("motion") / "a.json"
    save_motion(motion, path)
    return path


@pytest.fixture(scope="module")
def sources(animator):
    return {crop: animator.prepare(ASTRONAUT, AnimateOptions(crop=crop, size=SIZE)) for crop in (True, False)}


def render(animator, sources, motion, options, driver=None):
    check_choices(options, has_pictures=driver is not None)
    prepared = sources[options.crop]
    return list(animator.render(prepared, anchor_motion(animator.model, prepared, motion, options), options, driver))


@pytest.mark.parametrize("crop", [True, False], ids=["crop", "full"])
@pytest.mark.parametrize(("coarse", "renderer", "preset"), SENSIBLE)
def test_every_combination_that_makes_sense(animator, sources, motion, driver, coarse, renderer, preset, crop):
    steps = None if renderer == "none" else 1
    options = AnimateOptions(coarse=coarse, renderer=renderer, preset=preset, steps=steps, crop=crop, size=SIZE)
    frames = render(animator, sources, motion, options, driver)
    picture = sources[crop].picture
    expected = (SIZE, SIZE, 3) if crop else picture.shape
    assert [(f.shape, f.dtype) for f in frames] == [(expected, np.uint8)] * NUM_FRAMES
    if not crop:  # what is far from the face is the source's
        assert all(np.array_equal(f[-8:], picture[-8:]) for f in frames)
        assert any(not np.array_equal(f, picture) for f in frames)


@pytest.mark.parametrize(
    ("renderer", "preset"),
    [("none", "auto"), (BY_LANDMARKS, "paper"), (BY_LANDMARKS, "released"), (BY_DECA, "released")],
)
def test_a_motion_file_is_enough_where_no_picture_is_looked_at(animator, sources, motion, renderer, preset):
    steps = None if renderer == "none" else 1
    options = AnimateOptions(renderer=renderer, preset=preset, steps=steps, crop=True, size=SIZE)
    assert len(render(animator, sources, motion, options)) == NUM_FRAMES


NO_PICTURES = "needs the driver's pictures; a motion file has none"
TRAINED = "was trained with attributes of"
REFUSED = [
    ({"coarse": "fomm", "gap": "interpolate"}, "choose hold"),
    ({"coarse": "fomm"}, f"--coarse fomm {NO_PICTURES}"),
    (
        {"coarse": "fomm", "gaze_gain": 0.0},
        "--gaze-gain: gains act on landmarks; fomm has none, use --coarse geometric",
    ),
    ({"yaw": 0.0}, "--yaw: only --coarse face_vid2vid has a free view"),
    ({"coarse": "fomm", "roll": 5.0}, "--roll: only --coarse face_vid2vid has a free view"),
    ({"coarse": BY_DECA}, "--coarse by_deca: these weights are of kind fadm, fomm or face_vid2vid is needed"),
    ({"coarse": "face_vid3vid"}, "no weights are named 'face_vid3vid': did you mean 'face_vid2vid'"),
    ({"renderer": "fomm"}, "--renderer fomm: these weights are of kind fomm, fadm is needed"),
    ({"renderer": "by_landmark"}, "no weights are named 'by_landmark': did you mean 'by_landmarks'"),
    ({"renderer": "lost.safetensors"}, "there is no weights file lost.safetensors"),
    ({"renderer": BY_LANDMARKS, "attributes": "deca"}, f"--attributes deca: {BY_LANDMARKS} {TRAINED} landmarks"),
    ({"renderer": BY_DECA, "attributes": "landmarks"}, f"--attributes landmarks: {BY_DECA} {TRAINED} deca"),
    ({"renderer": BY_DECA, "eta": 0.5, "preset": "paper"}, "--eta belongs to --sampler ddim, not ddpm"),
    (
        {"renderer": BY_DECA, "steps": 101},
        "101 sampling steps .* by_deca has 100 timesteps; give --steps from 1 to 100",
    ),
    ({"renderer": "short", "preset": "paper"}, "100 sampling steps are asked for, but short has 30 timesteps"),
    (
        {"renderer": BY_LANDMARKS, "coarse": "fomm", "preset": "released"},
        "--preset released takes the attributes of the coarse frame, but fomm gives no landmarks; "
        "choose --coarse geometric or --preset paper",
    ),
    ({"renderer": BY_DECA, "preset": "paper"}, f"--attributes deca {NO_PICTURES}"),
    *(
        ({"renderer": "none", name: value}, f"--{name} is a renderer's option; name one with --renderer")
        for name, value in (
            ("sampler", "ddim"),
            ("steps", 4),
            ("eta", 0.0),
            ("strength", 0.5),
            ("attributes", "landmarks"),
            ("preset", "paper"),
        )
    ),
    ({"renderer": PARTS}, f"--renderer {PARTS}: it draws mouth and eyes alone; name it with --parts"),
    ({"parts": BY_LANDMARKS}, f"--parts {BY_LANDMARKS}: this renderer draws whole frames; name it with --renderer"),
    (
        {"renderer": BY_DECA, "parts": PARTS},
        f"--parts {PARTS} needs the landmark model's attributes; {BY_DECA}",
    ),
    ({"renderer": BY_LANDMARKS, "coarse": "fomm", "parts": PARTS}, f"--parts {PARTS}: mouth and eyes are known in geo"),
    ({"parts": "fomm"}, "--parts fomm: these weights are of kind fomm, fadm is needed"),
    (
        {"commercial": True},
        "^--commercial refuses fadm_small, whose terms are: research and non-commercial use; choose others that "
        "`fadm weights list` marks for commercial use, or --renderer none$",
    ),
    ({"commercial": True, "renderer": BY_LANDMARKS}, "refuses by_landmarks, whose terms are: not stated; .*none$"),
    ({"commercial": True, "renderer": "free", "parts": "short"}, "refuses short, .*, or --parts none$"),
    ({"commercial": True, "coarse": "fomm"}, "refuses fomm, .*, or --coarse geometric$"),
    ({"commercial": True, "renderer": "free_by_deca"}, "refuses deca, whose terms are: not stated; "),
]


@pytest.mark.parametrize(("given", "message"), REFUSED)
def test_what_makes_no_sense_is_refused_before_any_work(tmp_path, driver, motion_file, given, message):
    def make_tracker(*, is_video: bool):
        pytest.fail("the work began although it was in vain")

    idle = Animator(device="cpu", make_tracker=make_tracker)
    driving = motion_file if NO_PICTURES in message else driver.path
    with pytest.raises(FadmError, match=message):
        animate_file(idle, ASTRONAUT, driving, tmp_path / "out.mp4", AnimateOptions(**given))
    assert list(tmp_path.iterdir()) == []


def test_a_renderer_trained_with_deca_needs_deca(home, tmp_path, monkeypatch):
    monkeypatch.setenv("FADM_HOME", str(tmp_path))
    with pytest.raises(WeightsError, match=r"no weights are named 'deca'.*`fadm weights import FILE`"):
        check_refinement(EnhanceOptions(renderer=str(home / "weights" / f"{BY_DECA}.safetensors")))


@pytest.mark.parametrize("told", [{}, {"face_model": "0" * 64}])
def test_a_renderer_of_another_face_model_is_refused(home, animator, driver, tmp_path, told):
    save_network(home, "older", make_renderer(), {"kind": "fadm", "attributes": "landmarks"} | told)
    message = "older was trained with another face model, .*fadm train renderer, run.start"
    with pytest.raises(WeightsError, match=message):
        animate_file(animator, ASTRONAUT, driver.path, tmp_path / "out.mp4", AnimateOptions(renderer="older"))
    with pytest.raises(WeightsError, match=message):
        check_refinement(EnhanceOptions(renderer="older"))
    tensors = animator.model.state_dict()
    other = LandmarkModel(animator.model.config, tensors | {"mean": 2 * tensors["mean"]})
    with pytest.raises(WeightsError, match=f"{BY_LANDMARKS} was trained with another face model"):
        check_refinement(EnhanceOptions(renderer=BY_LANDMARKS), model=other)
    check_refinement(EnhanceOptions(renderer=BY_DECA), model=other)


def test_enhancing_needs_a_renderer():
    without = EnhanceOptions(renderer="none")
    with pytest.raises(OptionError, match="leaves nothing to do: leave it out, or name weights"):
        check_refinement(without, is_needed=True)
    check_refinement(without)
    check_refinement(EnhanceOptions(), is_needed=True)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (AnimateOptions(), DEFAULT_RENDERER),
        (EnhanceOptions(), DEFAULT_RENDERER),
        (AnimateOptions(coarse="fomm"), "none"),  # whose frames it never saw
        (AnimateOptions(coarse="fomm", renderer=DEFAULT_RENDERER), DEFAULT_RENDERER),
        (AnimateOptions(renderer="none"), "none"),
    ],
)
def test_a_fresh_install_renders(options, expected):
    assert choose_renderer(options) == expected
    assert not sees_driver(load_networks(AnimateOptions(), CPU))  # a motion file is enough


def test_a_renderers_own_parts_are_drawn_in_geometric_frames(home, tmp_path, monkeypatch):
    monkeypatch.setenv("FADM_HOME", str(tmp_path))
    save_network(tmp_path, "mine", make_renderer(), TOLD_LANDMARKS)
    assert choose_parts(AnimateOptions(renderer="mine")) == "none"
    save_network(tmp_path, "mine_parts", DiffusionRenderer(PART_RENDERER), TOLD_LANDMARKS)
    assert choose_parts(AnimateOptions(renderer="mine")) == "mine_parts"
    assert choose_parts(EditOptions(renderer="mine")) == "mine_parts"
    assert load_networks(AnimateOptions(renderer="mine"), CPU).parts is not None
    for other in (AnimateOptions(renderer="mine", coarse="fomm"), EnhanceOptions(renderer="mine")):
        assert choose_parts(other) == "none"
    assert choose_parts(AnimateOptions(renderer="mine", parts="none")) == "none"


def test_weights_of_free_terms_are_used_commercially(animator, sources, motion):
    for renderer in ("free", "none"):
        options = AnimateOptions(renderer=renderer, commercial=True, crop=True, size=SIZE)
        assert len(render(animator, sources, motion, options)) == NUM_FRAMES


@pytest.mark.parametrize("given", [{}, {"coarse": "fomm"}, {"renderer": "free", "parts": "short"}])
def test_refused_weights_are_not_loaded_either(given):
    with pytest.raises(WeightsError, match="--commercial refuses"):
        load_networks(AnimateOptions(commercial=True, **given), CPU)


def test_enhancing_cannot_do_without_a_renderer_of_free_terms():
    with pytest.raises(WeightsError, match=r"--commercial refuses fadm_small, .* for commercial use$"):
        check_refinement(EnhanceOptions(commercial=True), is_needed=True)
    check_refinement(EnhanceOptions(commercial=True, renderer="free"), is_needed=True)


def test_auto_takes_the_renderer_of_open_terms_where_only_that_one_may_be_used(home, tmp_path, monkeypatch):
    monkeypatch.setenv("FADM_HOME", str(tmp_path))
    commercial = EnhanceOptions(commercial=True)
    assert choose_renderer(commercial) == DEFAULT_RENDERER  # there is no other to take
    save_network(tmp_path, OPEN_RENDERER, make_renderer(), TOLD_LANDMARKS | FREE)
    assert choose_renderer(commercial) == OPEN_RENDERER
    check_refinement(commercial, is_needed=True)
    assert choose_renderer(EnhanceOptions()) == DEFAULT_RENDERER
    assert choose_renderer(EnhanceOptions(commercial=True, renderer=DEFAULT_RENDERER)) == DEFAULT_RENDERER
    save_network(tmp_path, DEFAULT_RENDERER, make_renderer(), TOLD_LANDMARKS | FREE)
    assert choose_renderer(commercial) == DEFAULT_RENDERER


@pytest.mark.parametrize(
    ("changes", "metadata", "preset"),
    [
        ({"prediction": "eps"}, {}, "released"),
        ({"prediction": "eps"}, {"trained_on": "2 clips of 2 people"}, "paper"),
        ({"prediction": "x0"}, {"trained_on": "2 clips of 2 people"}, "default"),
    ],
)
def test_a_renderer_renders_as_it_was_made_to(home, changes, metadata, preset):
    network = DiffusionRenderer(replace(RENDERER, **changes))
    save_network(home, "made", network, TOLD_LANDMARKS | metadata)
    assert render_options(EnhanceOptions(renderer="made")) == get_preset(preset).render
    assert render_options(EnhanceOptions(renderer="made", preset="released")) == get_preset("released").render


def test_the_users_choices_change_the_preset():
    plain = get_preset("released").render
    assert render_options(EnhanceOptions(preset="released")) == plain
    changed = render_options(EnhanceOptions(preset="released", steps=5, eta=0.0, strength=0.3, sampler="ddim", seed=7))
    assert changed == replace(plain, num_steps=5, eta=0.0, strength=0.3, sampler="ddim", seed=7)


@pytest.mark.parametrize(
    ("coarse", "renderer", "preset", "expected"),
    [
        ("geometric", "none", "default", False),
        ("geometric", BY_LANDMARKS, "default", False),
        ("geometric", BY_LANDMARKS, "released", False),
        ("geometric", BY_DECA, "paper", True),
        ("geometric", BY_DECA, "released", False),
        ("fomm", "none", "default", True),
    ],
)
def test_the_driver_is_read_again_only_where_it_is_looked_at(coarse, renderer, preset, expected):
    assert sees_driver(load_networks(AnimateOptions(coarse=coarse, renderer=renderer, preset=preset), CPU)) == expected


def test_the_same_seed_gives_the_same_video(animator, sources, motion):
    options = AnimateOptions(renderer=BY_LANDMARKS, preset="paper", steps=2, crop=True, size=SIZE)
    first, again, other = (
        np.stack(render(animator, sources, motion, replace(options, seed=seed))) for seed in (3, 3, 4)
    )
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_free_view_turns_the_head(animator, sources, motion, driver):
    options = AnimateOptions(coarse="face_vid2vid", crop=True, size=SIZE)
    ahead, aside = (render(animator, sources, motion[:1], replace(options, yaw=yaw), driver)[0] for yaw in (0.0, 60.0))
    assert not np.array_equal(ahead, aside)
