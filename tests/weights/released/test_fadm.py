import pytest
import torch

from fadm.config import config_from_dict
from fadm.rendering.options import RendererConfig
from fadm.rendering.renderer import DiffusionRenderer
from fadm.weights.released import fadm as table
from fadm.weights.renaming import describe_differences, rename, shapes_of
from tests.reference import load_case


@pytest.mark.parametrize("name", ["fadm_tiny", "fadm_256"])
def test_every_released_tensor_has_one_place(name):
    with torch.device("meta"):
        released = {key: torch.empty(shape) for key, shape, _ in load_case(name).rows}
        config = config_from_dict(RendererConfig, table.config_from_state_dict(shapes_of(released)), source=name)
        renderer = DiffusionRenderer(config)
    ours = rename(released, table.RULES, table.IGNORED)
    assert describe_differences(shapes_of(ours), shapes_of(renderer.state_dict())) == ""


def test_sizes_are_read_from_the_shapes():
    tiny, full = (
        config_from_dict(
            RendererConfig,
            table.config_from_state_dict({key: tuple(shape) for key, shape, _ in load_case(name).rows}),
            source=name,
        )
        for name in ("fadm_tiny", "fadm_256")
    )
    assert full == RendererConfig()
    assert (tiny.unet.channels, tiny.unet.multipliers, tiny.unet.residual_blocks) == (32, (1, 2, 2), 1)
    assert tiny.unet.attention_levels == (2,)


def test_a_file_without_the_denoiser_is_refused():
    with pytest.raises(KeyError, match="downs"):
        table.config_from_state_dict({})
