from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from scipy.spatial.transform import Rotation
from torch import Tensor, nn

from fadm.coarse.face_vid2vid import FaceVid2Vid, FaceVid2VidConfig
from fadm.coarse.face_vid2vid.head_pose import (
    RADIANS_PER_DEGREE,
    HeadPose,
    expect_degrees,
    pose_keypoints,
    rotation_angles,
    rotation_matrix,
)
from fadm.coarse.face_vid2vid.model import place_keypoints
from fadm.coarse.face_vid2vid.spade import SpadeBlock, SpadeDecoder
from fadm.errors import OptionError
from fadm.weights.released import face_vid2vid as released
from fadm.weights.renaming import rename, shapes_of
from tests.coarse.seeding import seed_weights
from tests.reference import Case, blob, load_case, relative_error

TINY = FaceVid2VidConfig(
    num_keypoints=6,
    keypoint_width=4,
    keypoint_max_channels=16,
    keypoint_volume_channels=8,
    keypoint_depth=4,
    head_stem_channels=4,
    head_stage_channels=(8, 12, 16, 20),
    motion_width=4,
    motion_max_channels=16,
    motion_reduced_channels=2,
    generator_width=4,
    generator_max_channels=16,
    volume_channels=4,
    volume_depth=4,
)
TINY_SPADE = replace(TINY, decoder="spade", spade_hidden_channels=6)


def read_released(case: Case) -> dict[str, Tensor]:
    entries = ("kp_detector", "he_estimator", "generator")
    return {f"{entry}.{key}": x for entry in entries for key, x in case.state_dict(entry).items()}


def make_tiny(config: FaceVid2VidConfig = TINY) -> FaceVid2Vid:
    torch.manual_seed(0)
    model = FaceVid2Vid(config).eval()
    seed_weights(model)
    return model


def translate(key: str) -> str:
    return rename({key: torch.empty(0)}, released.RULES, released.IGNORED).popitem()[0]


def released_spade_keys(num_middle: int, num_up: int) -> list[str]:
    """Keys of the released SPADE decoder, whose convolutions carry the older form of spectral norm."""
    norm = [f"{part}.{kind}" for part in ("mlp_shared.0", "mlp_gamma", "mlp_beta") for kind in ("weight", "bias")]
    weight = ["weight_orig", "weight_u", "weight_v"]
    block = [f"conv_{n}.{kind}" for n in (0, 1) for kind in ("bias", *weight)]
    block += [f"norm_{n}.{key}" for n in (0, 1) for key in norm]
    shortcut = [f"conv_s.{kind}" for kind in weight] + [f"norm_s.{key}" for key in norm]
    keys = [f"{part}.{kind}" for part in ("fc", "conv_img") for kind in ("weight", "bias")]
    keys += [f"G_middle_{n}.{key}" for n in range(num_middle) for key in block]
    keys += [f"up_{n}.{key}" for n in range(num_up) for key in block + shortcut]
    return [f"generator.decoder.{key}" for key in keys]


@pytest.fixture(autouse=True)
def _no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


def test_released_network():
    case = load_case("facevid2vid_256")
    shapes = {key: tuple(shape) for key, shape, _ in case.rows}
    model = FaceVid2Vid(FaceVid2VidConfig(**released.config_from_state_dict(shapes))).eval()
    model.load_state_dict(rename(read_released(case), released.RULES, released.IGNORED))
    source, driving = (blob(f"facevid2vid_256/{name}", (1, 3, 256, 256)) for name in ("source", "driving"))
    state, pose = model.prepare(source), model.head_pose(driving)
    keypoints = pose_keypoints(state.canonical, state.pose), pose_keypoints(state.canonical, pose)
    motion = model.dense_motion(state.volume, *keypoints)
    actual = {
        "kp_canonical": state.canonical,
        "kp_source": keypoints[0].positions,
        "kp_driving": keypoints[1].positions,
        "deformation_sub": motion.deformation[:, ::4, ::8, ::8],
        "occlusion_sub": motion.occlusion_map[..., ::4, ::4],
        "prediction_sub": model.generator(state.volume, motion)[..., ::8, ::8],
    }
    heads = {"yaw": "yaw", "pitch": "pitch", "roll": "roll", "t": "translation", "exp": "expression"}
    for letter, features in (("s", model.head_pose.encode(source)), ("d", model.head_pose.encode(driving))):
        for name, head in heads.items():
            actual[f"he_{letter}_{name}"] = model.head_pose.get_submodule(head)(features)
    for name in ("yaw", "pitch", "roll"):
        torch.testing.assert_close(getattr(state.pose, name), case.expected.pop(f"{name}_degrees"))
    assert actual.keys() == case.expected.keys()
    for name, expected in case.expected.items():
        assert relative_error(actual[name], expected) < 1e-3, name


@pytest.mark.parametrize("config", [TINY, TINY_SPADE])
def test_a_released_file_of_any_size_knows_its_configuration(config):
    names = [key for key, _, _ in load_case("facevid2vid_256").rows if key != "kp_detector.down.weight"]
    if config.decoder == "spade":
        plain = ("generator.resblocks_2d.", "generator.up_blocks.", "generator.final.")
        names = [key for key in names if not key.startswith(plain)] + released_spade_keys(6, 2)
    ours = {translate(key): key for key in names}
    model = make_tiny(config)
    file = {ours[key]: x for key, x in model.state_dict().items()}
    assert file.keys() == set(names)
    file["kp_detector.down.weight"] = torch.empty(3, 1, 13, 13)
    assert FaceVid2VidConfig(**released.config_from_state_dict(shapes_of(file))) == config
    again = FaceVid2Vid(config).eval()
    again.load_state_dict(rename(file, released.RULES, released.IGNORED))
    source, driving = torch.rand(1, 3, 128, 256), torch.rand(2, 3, 128, 128)
    assert torch.equal(again.drive(again.prepare(source), driving), model.drive(model.prepare(source), driving))


@pytest.mark.parametrize("config", [TINY, TINY_SPADE])
def test_one_source_serves_any_batch(config):
    model = make_tiny(config)
    source, driving = torch.rand(1, 3, 128, 128), torch.rand(3, 3, 256, 256)
    together = model.drive(model.prepare(source), driving)
    assert together.shape == (3, 3, 128, 128)
    alone = model.drive(model.prepare(source), driving[1:2])
    repeated = model.drive(model.prepare(source.repeat(3, 1, 1, 1)), driving)
    torch.testing.assert_close(together[1:2], alone, atol=1e-4, rtol=0)
    torch.testing.assert_close(together, repeated, atol=1e-4, rtol=0)


@pytest.mark.parametrize("adapt_scale", [False, True])
def test_a_driver_at_its_anchor_leaves_the_source_at_rest(adapt_scale):
    model = make_tiny()
    source, driving = torch.rand(1, 3, 128, 128), torch.rand(1, 3, 128, 128)
    state = model.prepare(source)
    relative = model.anchor(state, driving, adapt_scale=adapt_scale)
    torch.testing.assert_close(model.drive(relative, driving), model.drive(state, source), atol=1e-5, rtol=0)


def make_pose(batch: int, seed: int) -> HeadPose:
    generator = torch.Generator().manual_seed(seed)
    angles = (60 * torch.rand(3, batch, generator=generator) - 30).unbind()
    shifts = (0.1 * torch.randn(batch, n, 3, generator=generator) for n in (1, 6))
    translation, expression = shifts
    return HeadPose(*angles, translation.squeeze(1), expression)


@pytest.mark.parametrize("relative", [False, True])
def test_free_view_reaches_the_angles_given(relative):
    model = make_tiny()
    state = replace(model.prepare(torch.rand(1, 3, 128, 128)), pose=make_pose(1, seed=0))
    driving = make_pose(2, seed=1)
    if relative:
        first = HeadPose(*(values[:1] for values in vars(driving).values()))
        state = replace(state, anchor=first, movement_scale=1.5)
    angles = {"yaw": 25.0, "pitch": -10.0, "roll": 0.0}
    placed = place_keypoints(state, driving, angles).positions[0]
    rotation = rotation_matrix(*(torch.tensor([angle]) for angle in angles.values()))
    kept = state.pose if relative else driving
    expected = state.canonical[0] @ rotation[0].T + kept.translation[0] + kept.expression[0]
    torch.testing.assert_close(placed, expected)


def test_free_view_turns_only_what_is_given():
    model = make_tiny()
    driving = torch.rand(1, 3, 128, 128)
    state = replace(model.prepare(torch.rand(1, 3, 128, 128)), canonical=torch.rand(1, 6, 3))
    pose = model.head_pose(driving)
    own = {"yaw": pose.yaw.item(), "roll": pose.roll.item()}
    torch.testing.assert_close(model.drive(state, driving, **own), model.drive(state, driving))
    assert not torch.allclose(model.drive(state, driving, yaw=-60), model.drive(state, driving), atol=1e-3)


def test_rotation_turns_about_x_y_and_z():
    yaw, pitch, roll = torch.tensor([20.0, -35.0]), torch.tensor([5.0, 10.0]), torch.tensor([-15.0, 50.0])
    angles = torch.stack([pitch, yaw, roll], dim=1) * RADIANS_PER_DEGREE
    expected = torch.from_numpy(Rotation.from_euler("XYZ", angles.numpy()).as_matrix())
    torch.testing.assert_close(rotation_matrix(yaw, pitch, roll), expected.float())


def test_a_certain_bin_is_its_angle():
    logits = F.one_hot(torch.tensor([0, 33, 65]), 66) * 100.0
    assert expect_degrees(logits).tolist() == [-99, 0, 96]


def test_spade_block_agrees_with_its_equations():
    """SPADE eq. 1 and figure 4, the older spectral norm as oracle of the released weights."""
    torch.manual_seed(0)
    block = SpadeBlock(6, 4, condition_channels=5, hidden=3).eval()
    x, condition = torch.randn(2, 6, 8, 8), torch.randn(2, 5, 4, 4)

    def normalize(norm: nn.Module, x: Tensor) -> Tensor:
        mean, variance = x.mean((2, 3), keepdim=True), x.var((2, 3), keepdim=True, correction=0)
        hidden = norm.shared(condition.repeat_interleave(2, 2).repeat_interleave(2, 3)).relu()
        return (x - mean) / (variance + 1e-5).sqrt() * (1 + norm.gamma(hidden)) + norm.beta(hidden)

    def convolve(conv: nn.Conv2d, x: Tensor) -> Tensor:
        raw, spectral = conv.parametrizations.weight.original, conv.parametrizations.weight[0]
        weight = raw / (spectral._u @ raw.flatten(1) @ spectral._v)
        return F.conv2d(x, weight, conv.bias, padding=conv.padding)

    residual = convolve(block.conv1, F.leaky_relu(normalize(block.norm1, x), 0.2))
    residual = convolve(block.conv2, F.leaky_relu(normalize(block.norm2, residual), 0.2))
    straight = convolve(block.shortcut, normalize(block.shortcut_norm, x))
    torch.testing.assert_close(block(x, condition), straight + residual)


def test_released_spade_decoder_has_its_channels():
    with torch.device("meta"):
        decoder = SpadeDecoder(3, 64, 512, 2, 6, 128)
    shapes = shapes_of(decoder.state_dict())
    assert shapes["expand.weight"] == (512, 256, 3, 3)
    assert shapes["middle.5.conv1.parametrizations.weight.original"] == (512, 512, 3, 3)
    assert shapes["up.0.shortcut.parametrizations.weight.original"] == (256, 512, 1, 1)
    assert shapes["up.1.conv2.parametrizations.weight.original"] == (64, 64, 3, 3)
    assert shapes["up.1.norm1.gamma.weight"] == (256, 128, 3, 3)
    assert shapes["image.weight"] == (3, 64, 3, 3)


def test_runs_in_bfloat16():
    for config in (TINY, TINY_SPADE):
        model = make_tiny(config)
        source, driving = blob("source", (1, 3, 128, 128)), blob("driving", (1, 3, 128, 128))
        expected = model.drive(model.prepare(source), driving)
        model.to(torch.bfloat16)
        frame = model.drive(model.prepare(source.bfloat16()), driving.bfloat16())
        assert (frame - expected).abs().mean() < 0.02


def test_sides_that_do_not_fit_are_refused():
    with pytest.raises(OptionError, match="multiples of 128 px, not 256x96"):
        make_tiny().prepare(torch.zeros(1, 3, 96, 256))


def test_angles_are_read_from_a_rotation():
    angles = torch.tensor([[30.0, -20.0, 10.0], [-70.0, 40.0, -100.0], [0.0, 0.0, 0.0]])
    torch.testing.assert_close(rotation_angles(rotation_matrix(*angles.unbind(1))), angles, atol=1e-3, rtol=0)
