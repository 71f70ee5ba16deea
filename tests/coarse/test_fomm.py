from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from fadm.coarse.fomm import FOMM, FOMMConfig
from fadm.coarse.motion import warp
from fadm.errors import OptionError
from fadm.weights.released import fomm as released
from fadm.weights.renaming import rename, shapes_of
from tests.coarse.seeding import seed_weights
from tests.reference import Case, blob, load_case, relative_error

TINY = FOMMConfig(
    num_keypoints=6,
    keypoint_width=4,
    keypoint_max_channels=32,
    keypoint_downsampling=2,
    motion_width=4,
    motion_max_channels=16,
    generator_width=4,
    generator_max_channels=12,
)


def read_released(case: Case) -> dict[str, Tensor]:
    entries = ("kp_detector", "generator")
    return {f"{entry}.{key}": x for entry in entries for key, x in case.state_dict(entry).items()}


def make_tiny(config: FOMMConfig = TINY) -> FOMM:
    torch.manual_seed(0)
    model = FOMM(config).eval()
    seed_weights(model)
    return model


def translate(key: str) -> str:
    return rename({key: torch.empty(0)}, released.RULES, released.IGNORED).popitem()[0]


@pytest.fixture(autouse=True)
def _no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


def test_released_network():
    case = load_case("fomm_256")
    shapes = {key: tuple(shape) for key, shape, _ in case.rows}
    model = FOMM(FOMMConfig(**released.config_from_state_dict(shapes))).eval()
    model.load_state_dict(rename(read_released(case), released.RULES, released.IGNORED))
    source, driving = (blob(f"fomm_256/{name}", (1, 3, 256, 256)) for name in ("source", "driving"))
    state, keypoints = model.prepare(source), model.detect(driving)
    motion = model.dense_motion(source, state.keypoints, keypoints)
    actual = {
        "kp_source": state.keypoints.positions,
        "kp_driving": keypoints.positions,
        "jac_source": state.keypoints.jacobians,
        "jac_driving": keypoints.jacobians,
        "mask_sub": motion.mask[..., ::4, ::4],
        "occlusion_sub": motion.occlusion_map[..., ::4, ::4],
        "deformed_sub": warp(source, motion.deformation)[..., ::8, ::8],
        "prediction_sub": model.drive(state, driving)[..., ::8, ::8],
    }
    assert actual.keys() == case.expected.keys()
    for name, expected in case.expected.items():
        assert relative_error(actual[name], expected) < 1e-3, name


def test_a_released_file_of_any_size_knows_its_configuration():
    names = [key for key, _, _ in load_case("fomm_256").rows]
    ours = {translate(key): key for key in names if not key.endswith("down.weight")}
    model = make_tiny()
    file = {ours[key]: x for key, x in model.state_dict().items()}
    file["kp_detector.down.weight"] = torch.empty(3, 1, 5, 5)
    file["generator.dense_motion_network.down.weight"] = torch.empty(3, 1, 13, 13)
    assert file.keys() == set(names)
    config = FOMMConfig(**released.config_from_state_dict(shapes_of(file)))
    assert config == TINY
    again = FOMM(config).eval()
    again.load_state_dict(rename(file, released.RULES, released.IGNORED))
    source, driving = torch.rand(1, 3, 128, 256), torch.rand(2, 3, 128, 256)
    assert torch.equal(again.drive(again.prepare(source), driving), model.drive(model.prepare(source), driving))


def test_one_source_serves_any_batch():
    model = make_tiny()
    source, driving = torch.rand(1, 3, 128, 128), torch.rand(3, 3, 128, 256)
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
    torch.testing.assert_close(model.drive(relative, driving), model.drive(state, source), atol=1e-4, rtol=0)
    assert state.anchor is None


def test_a_source_that_is_its_own_anchor_moves_absolutely():
    model = make_tiny()
    source, driving = torch.rand(1, 3, 128, 128), torch.rand(2, 3, 128, 128)
    state = model.prepare(source)
    relative = model.anchor(state, source)
    torch.testing.assert_close(model.drive(relative, driving), model.drive(state, driving), atol=1e-4, rtol=0)


def test_key_points_without_jacobians_and_occlusion():
    config = FOMMConfig(**{**vars(TINY), "has_jacobians": False, "has_occlusion_map": False})
    model = make_tiny(config)
    assert not any("jacobian" in key or "occlusion" in key for key in model.state_dict())
    state = model.prepare(torch.rand(1, 3, 128, 128))
    assert model.drive(state, torch.rand(2, 3, 128, 128)).shape == (2, 3, 128, 128)


def test_runs_in_bfloat16():
    model = make_tiny()
    source, driving = blob("source", (1, 3, 128, 128)), blob("driving", (1, 3, 128, 128))
    expected = model.drive(model.prepare(source), driving)
    model.to(torch.bfloat16)
    frame = model.drive(model.prepare(source.bfloat16()), driving.bfloat16())
    assert frame.dtype == torch.bfloat16
    assert (frame - expected).abs().mean() < 0.02


def test_sides_that_do_not_fit_are_refused():
    with pytest.raises(OptionError, match="multiples of 128 px, not 200x256"):
        make_tiny().prepare(torch.zeros(1, 3, 256, 200))
