from dataclasses import replace

import pytest
import torch

from fadm.config import config_from_dict
from fadm.diffusion.schedule import x0_from_output
from fadm.diffusion.unet import UNetConfig
from fadm.errors import ConfigError, OptionError
from fadm.rendering.conditioner import ConditionerConfig, color_loss
from fadm.rendering.conditions import Conditions, inference_conditions
from fadm.rendering.options import LossOptions, RendererConfig, RenderOptions
from fadm.rendering.presets import get_preset
from fadm.rendering.renderer import DiffusionRenderer
from fadm.rendering.repair import apply_repair
from fadm.weights.released import fadm as table
from fadm.weights.renaming import rename, shapes_of
from tests.reference import load_case, normal, relative_error, uniform

SMALL = RendererConfig(
    unet=UNetConfig(channels=16, multipliers=(1, 2), residual_blocks=1, attention_levels=(1,), norm_groups=8),
    conditioner=ConditionerConfig(time_channels=16),
    timesteps=30,
)


def build_released(case):
    released = case.state_dict()
    sizes = table.config_from_state_dict(shapes_of(released))
    config = config_from_dict(RendererConfig, {**sizes, "timesteps": case.config["timesteps"]}, source=case.name)
    renderer = DiffusionRenderer(config)
    renderer.load_state_dict(rename(released, table.RULES, table.IGNORED))
    return renderer.eval()


def build_small(config=SMALL):
    torch.manual_seed(0)
    return DiffusionRenderer(config).eval()


def training_conditions(name, shape):
    difference = normal(f"{name}/attribute", (shape[0], 56))
    return Conditions(
        coarse=uniform(f"{name}/coarse", shape),
        appearance=uniform(f"{name}/driving", shape),
        attributes_source=difference,
        attributes_driving=torch.zeros_like(difference),
    )


def frames(first, last):
    """Inference conditions of some frames of a made-up video."""
    pictures, attributes = uniform("pictures", (4, 3, 16, 24)), normal("attributes", (4, 56))
    return inference_conditions(pictures[first:last], 0 * attributes[first:last], attributes[first:last])


@pytest.fixture(scope="module")
def tiny():
    case = load_case("fadm_tiny")
    return case, build_released(case)


@torch.no_grad()
def test_one_pass_is_the_released_one(tiny):
    case, renderer = tiny
    shape = (2, 3, 64, 64)
    eps = renderer(normal("fadm_tiny/x_t", shape), case.expected["t"], training_conditions("fadm_tiny", shape))
    assert relative_error(eps, case.expected["eps"]) < 1e-3
    assert relative_error(renderer.time_embedding(case.expected["t"]), case.expected["time_embedding"]) < 1e-3


@pytest.mark.parametrize(
    ("expected", "options"),
    [
        ("sample_ddim_eta1", replace(get_preset("released").render, num_steps=50, precision="float32")),
        ("sample_ddpm", RenderOptions(sampler="ddpm", num_steps=50, clip=(-1.0, 1.0), precision="float32")),
    ],
)
def test_samples_are_the_released_ones(tiny, expected, options):
    case, renderer = tiny
    shape = (2, 3, 64, 64)
    known = training_conditions("fadm_tiny", shape)
    conditions = inference_conditions(known.coarse, known.attributes_source, known.attributes_driving)
    x0 = renderer.sample(
        conditions,
        options,
        lambda t: normal("fadm_tiny/x_T" if t == 50 else f"fadm_tiny/step_noise/{t}", shape),
    )
    assert relative_error(x0.pictures, case.expected[expected]) < 1e-2


@torch.no_grad()
def test_full_size_pass_is_the_released_one():
    case, shape = load_case("fadm_256"), (1, 3, 256, 256)
    renderer, conditions = build_released(case), training_conditions("fadm_256", shape)
    eps = renderer(normal("fadm_256/x_t", shape), case.expected["t"], conditions)
    assert relative_error(eps[:, :, ::16, ::16], case.expected["eps_sub"]) < 1e-3
    assert float(eps.mean()) == pytest.approx(float(case.expected["eps_mean"]), abs=1e-4)
    assert float(eps.std()) == pytest.approx(float(case.expected["eps_std"]), rel=1e-4)


@torch.no_grad()
def test_losses_are_those_of_paper_and_release():
    renderer, conditions = build_small(), training_conditions("small", (2, 3, 16, 16))
    x0, eps = uniform("x0", (2, 3, 16, 16)), normal("eps", (2, 3, 16, 16))
    t = torch.tensor([0, 29])
    paper = renderer.loss(x0, t, eps, conditions, LossOptions())
    released = renderer.loss(x0, t, eps, conditions, get_preset("released").loss)
    alpha_bar = renderer.schedule[t].float().view(2, 1, 1, 1)
    answer = renderer(alpha_bar.sqrt() * x0 + (1 - alpha_bar).sqrt() * eps, t, conditions)
    assert torch.allclose(paper.denoising, (answer - eps).square().mean())
    assert torch.allclose(released.denoising, (answer - eps).abs().sum())
    assert torch.allclose(paper.color, color_loss(renderer.encode(conditions).condition))
    halved = renderer.loss(x0, t, eps, conditions, LossOptions(denoising_weight=0.5, color_weight=0))
    assert torch.allclose(halved.denoising, paper.denoising / 2) and halved.color == 0 < paper.color
    assert torch.allclose(
        paper.picture,
        x0_from_output(answer, alpha_bar.sqrt() * x0 + (1 - alpha_bar).sqrt() * eps, t, renderer.schedule, "eps"),
        atol=1e-3,
    )


@pytest.mark.parametrize("name", ["paper", "released", "default"])
def test_same_seed_gives_the_same_video_in_any_batches(name):
    options = replace(get_preset(name).render, num_steps=6, clip=(0.0, 1.0), precision="float32")
    renderer = build_small()
    whole = renderer.render(frames(0, 4), options).pictures
    parts = [renderer.render(frames(*part), options, first_frame=part[0]).pictures for part in ((0, 3), (3, 4))]
    assert whole.shape == (4, 3, 16, 24) and whole.min() >= 0 and whole.max() <= 1
    assert torch.allclose(whole, torch.cat(parts), atol=1e-4)
    assert not torch.allclose(whole, renderer.render(frames(0, 4), replace(options, seed=1)).pictures, atol=1e-2)


def test_little_strength_stays_near_the_coarse_frame():
    renderer = build_small(replace(SMALL, prediction="v", schedule="cosine"))
    options = replace(get_preset("default").render, num_steps=30, precision="float32")
    shown = [renderer.render(frames(0, 1), replace(options, strength=s)).pictures for s in (0.04, 0.3, 1.0)]
    distances = [float((pictures - frames(0, 1).coarse).abs().mean()) for pictures in shown]
    assert distances == sorted(distances) and distances[0] < 0.5 * distances[2]


def test_bfloat16_is_close_to_float32():
    renderer, options = build_small(), replace(get_preset("default").render, num_steps=6)
    exact = renderer.render(frames(0, 2), replace(options, precision="float32")).pictures
    rounded = renderer.render(frames(0, 2), replace(options, precision="bfloat16")).pictures
    assert rounded.dtype == torch.float32
    assert float((exact - rounded).abs().mean()) < 0.02


PATCHED = RendererConfig(
    unet=replace(SMALL.unet, in_channels=56, out_channels=18),
    conditioner=ConditionerConfig(patch=2, kernel_size=3, time_channels=16, channels=4),
    schedule="cosine",
    timesteps=30,
    prediction="x0",
    target="correction",
    use_coarse=True,
    use_source=True,
    use_attributes=True,
    use_person=True,
    repairs=True,
)
DRAWING = replace(PATCHED, repairs=False, unet=replace(PATCHED.unet, out_channels=12))


def sourced(first, last, seed="source"):
    """Inference conditions that show the source, too, and where the person is."""
    pictures, person = uniform(seed, (4, 3, 16, 24)), uniform("person", (4, 2, 16, 24))
    return replace(frames(first, last), source=pictures[first:last], person=person[first:last])


def build_answering(config):
    """Its answer depends on all that it is shown."""
    renderer = build_small(config)
    torch.nn.init.normal_(renderer.unet.head.conv.weight, std=0.1)
    return renderer


@pytest.mark.parametrize("num_steps", [1, 5])
def test_untrained_a_correction_leaves_the_coarse_frame(num_steps):
    options = replace(get_preset("default").render, num_steps=num_steps, precision="float32")
    coarse = frames(0, 2).coarse
    assert torch.equal(build_small(DRAWING).render(sourced(0, 2), options).pictures, coarse)
    assert torch.allclose(
        build_small(PATCHED).render(sourced(0, 2), options).pictures, coarse, atol=1e-5
    )  # sampled anew


@pytest.mark.parametrize("sampler", ["ddpm", "ddim", "dpm_solver"])
def test_the_repair_is_what_made_the_pictures(sampler):
    options = RenderOptions(sampler=sampler, num_steps=3, precision="float32")
    conditions = sourced(0, 2)
    rendering = build_answering(PATCHED).render(conditions, options)
    assert rendering.repair is not None
    repaired = apply_repair(rendering.repair, conditions.coarse, conditions.source).clamp(0, 1)
    assert torch.allclose(repaired, rendering.pictures, atol=1e-4)
    assert build_answering(DRAWING).render(conditions, options).repair is None


@torch.no_grad()
def test_a_correction_is_to_and_from_the_coarse_frame():
    renderer, coarse = build_small(DRAWING), frames(0, 2).coarse
    picture = uniform("picture", coarse.shape)
    x0 = renderer.to_x0(picture, coarse)
    assert torch.equal(x0, 8 * (picture - coarse))
    assert torch.allclose(renderer.to_picture(x0, coarse), picture, atol=1e-6)
    plain = build_small()
    assert plain.to_x0(picture, coarse) is picture and plain.to_picture(picture, coarse) is picture


@pytest.mark.parametrize("config", [PATCHED, DRAWING])
@torch.no_grad()
def test_a_patch_of_pixels_is_a_place(config):
    renderer, conditions = build_answering(config), sourced(0, 2)
    places = []
    renderer.unet.register_forward_pre_hook(lambda module, given: places.append(given[0]))
    x_t, t = normal("x_t", (2, 3, 16, 24)), torch.tensor([3, 20])
    assert renderer(x_t, t, conditions).shape == (2, 3, 16, 24)
    (seen,) = places
    # condition, x_t, coarse frame and source, 12 each; places of the person, 8
    parts = seen.split((12, 12, 12, 12, 8), dim=1)
    for part, picture in zip(parts[1:], (x_t, conditions.coarse, conditions.source, conditions.person), strict=True):
        assert torch.equal(part.unflatten(1, (-1, 2, 2))[:, :, 1, 0], picture[:, :, 1::2, 0::2])
    assert parts[0].shape == (2, 12, 8, 12)


@torch.no_grad()
def test_a_person_who_has_moved_is_not_taken_from_the_source():
    conditions = replace(sourced(0, 2), coarse=torch.zeros(2, 3, 16, 24), source=torch.ones(2, 3, 16, 24))
    options = replace(get_preset("default").render, precision="float32")
    nobody, everywhere = torch.zeros(2, 2, 16, 24), torch.ones(2, 2, 16, 24)
    taken = [
        build_answering(PATCHED).render(replace(conditions, person=person), options).repair.mask.abs().max()
        for person in (nobody, everywhere)
    ]
    assert taken[0] > 0.1 and taken[1] == 0


@torch.no_grad()
def test_what_is_switched_on_is_looked_at_and_what_is_not_is_not():
    def answer(config, conditions):
        return build_answering(config)(normal("x_t", (1, 3, 16, 24)), torch.tensor([20]), conditions)

    known, turned = sourced(0, 1), replace(sourced(0, 1), attributes_driving=normal("other", (1, 56)))
    blind = replace(DRAWING, use_source=False, unet=replace(DRAWING.unet, in_channels=44))
    elsewhere = replace(known, person=1 - known.person)
    unaware = replace(DRAWING, use_person=False, unet=replace(DRAWING.unet, in_channels=48))
    other = sourced(0, 1, "other source")
    assert not torch.equal(answer(DRAWING, known), answer(DRAWING, other))
    assert torch.equal(answer(blind, known), answer(blind, other))
    assert torch.equal(answer(blind, known), answer(blind, replace(known, source=None)))
    assert not torch.equal(answer(DRAWING, known), answer(DRAWING, elsewhere))
    assert torch.equal(answer(unaware, known), answer(unaware, replace(known, person=None)))
    still = replace(DRAWING, conditioner=replace(DRAWING.conditioner, use_motion=False))  # one way for attributes less
    deaf = replace(still, use_attributes=False)
    assert not torch.equal(answer(still, known), answer(still, turned))
    assert torch.equal(answer(deaf, known), answer(deaf, turned))


@torch.no_grad()
def test_a_repair_without_the_source_copies_nothing_from_it():
    options = replace(get_preset("default").render, precision="float32")
    blind = build_answering(replace(PATCHED, use_source=False, unet=replace(PATCHED.unet, in_channels=44)))
    known = sourced(0, 1)
    rendering = blind.render(known, options)
    for source in (sourced(0, 1, "other source").source, None):
        assert torch.equal(rendering.pictures, blind.render(replace(known, source=source), options).pictures)
    assert (rendering.repair.mask == 0).all() and not torch.equal(rendering.pictures, known.coarse)


def test_what_is_missing_is_refused():
    options = get_preset("default").render
    with pytest.raises(OptionError, match="is conditioned on the source picture; none was given"):
        build_small(PATCHED).render(frames(0, 1), options)
    with pytest.raises(OptionError, match="conditioned on where the person is; no such probabilities were given"):
        build_small(PATCHED).render(replace(sourced(0, 1), person=None), options)


def test_contradictions_are_named():
    with pytest.raises(ConfigError, match=r"time_channels 32 must equal unet\.channels 16"):
        DiffusionRenderer(replace(SMALL, conditioner=ConditionerConfig(time_channels=32)))
    with pytest.raises(ConfigError, match=r"unet\.in_channels 5"):
        DiffusionRenderer(replace(SMALL, unet=replace(SMALL.unet, in_channels=5)))
    with pytest.raises(OptionError, match="'euler' is unknown"):
        build_small().render(frames(0, 1), replace(RenderOptions(), num_steps=1, sampler="euler"))
    with pytest.raises(ConfigError, match=r"unet\.in_channels 56 must be 44 .* 3 patch\^2 = 12 channels"):
        DiffusionRenderer(replace(PATCHED, use_coarse=False))
    with pytest.raises(ConfigError, match=r"unet\.out_channels 18 must be 12"):
        DiffusionRenderer(replace(PATCHED, repairs=False))
    with pytest.raises(ConfigError, match="repairs = true needs"):
        DiffusionRenderer(replace(PATCHED, prediction="v"))
