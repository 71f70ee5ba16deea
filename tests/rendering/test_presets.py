import pytest

from fadm.config import config_from_dict, config_to_dict
from fadm.errors import OptionError
from fadm.rendering.options import RendererConfig
from fadm.rendering.presets import PRESETS, Preset, get_preset
from fadm.rendering.renderer import DiffusionRenderer


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_complete_configurations(name):
    preset = get_preset(name)
    assert config_from_dict(Preset, config_to_dict(preset), source=name) == preset


def test_presets_differ_where_paper_and_release_do():
    paper, released = get_preset("paper"), get_preset("released")
    assert paper.renderer == released.renderer == RendererConfig()
    assert (paper.loss.denoising, released.loss.denoising) == ("squared", "absolute_sum")
    assert (paper.loss.color, released.loss.color) == ("squared", "absolute")
    assert (paper.render.shared_noise, released.render.shared_noise) == (False, True)


def test_default_renderer_is_small():
    renderer = DiffusionRenderer(get_preset("default").renderer)
    assert 5e6 < sum(parameter.numel() for parameter in renderer.parameters()) < 15e6


def test_unknown_preset_is_named_with_near_matches():
    with pytest.raises(OptionError, match="'relased' is unknown; did you mean 'released'"):
        get_preset("relased")
