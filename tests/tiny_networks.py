"""Tiny networks of every kind, kept as weights files in a folder of the tests' own."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fadm.attributes.deca import DECA, NUM_PARAMETERS, DECAConfig
from fadm.attributes.landmark_model import hash_numbers, load_landmark_model
from fadm.config import config_to_dict
from fadm.diffusion.unet import UNetConfig
from fadm.rendering.conditioner import ConditionerConfig
from fadm.rendering.options import RendererConfig
from fadm.rendering.renderer import DiffusionRenderer
from fadm.weights.store import save_weights
from tests.coarse import test_face_vid2vid, test_fomm

BY_LANDMARKS, BY_DECA = "by_landmarks", "by_deca"  # renderers, by the attributes that they were trained with

TOLD_LANDMARKS = {  # metadata of renderers that are trained with the landmark model's attributes
    "kind": "fadm",
    "attributes": "landmarks",
    "face_model": hash_numbers(load_landmark_model()),
}
PARTS = "mouth_and_eyes"  # a renderer of parts
RENDERER = RendererConfig(
    unet=UNetConfig(channels=4, multipliers=(1,) * 6, residual_blocks=1, attention_levels=(), norm_groups=2),
    conditioner=ConditionerConfig(time_channels=4, channels=2),
    prediction="x0",  # an untrained network's noise would leave nothing of the conditions
)
PART_RENDERER = RendererConfig(
    unet=UNetConfig(
        in_channels=11, channels=4, multipliers=(1,), residual_blocks=1, attention_levels=(), norm_groups=2
    ),
    conditioner=ConditionerConfig(time_channels=4),
    prediction="x0",
    use_coarse=True,
    use_source=True,
    use_condition=False,
    use_contours=True,
)
FACE_VID2VID = replace(test_face_vid2vid.TINY, num_keypoints=4, volume_depth=2)


class TinyEncoder(nn.Module):
    """In place of DECA's encoder, a ResNet-50 whatever its configuration: the mean colours of 4x4 tiles."""

    def __init__(self, num_outputs: int = NUM_PARAMETERS) -> None:
        super().__init__()
        self.linear = nn.Linear(48, num_outputs)

    def forward(self, image: Tensor) -> Tensor:
        return self.linear(F.adaptive_avg_pool2d(image, 4).flatten(1))


def make_renderer() -> DiffusionRenderer:
    torch.manual_seed(0)
    return DiffusionRenderer(RENDERER).eval()


def make_deca() -> DECA:
    """Only within `tiny_networks` is it tiny."""
    torch.manual_seed(0)
    return DECA(DECAConfig(detail=False)).eval()


@contextmanager
def tiny_networks(home: Path) -> Iterator[None]:
    """Make `home` the place of the weights: fomm, face_vid2vid, deca and the renderers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FADM_HOME", str(home))
        patch.setattr("fadm.attributes.deca.DECAEncoder", TinyEncoder)
        save_network(home, "fomm", test_fomm.make_tiny(), {"kind": "fomm"})
        save_network(home, "face_vid2vid", test_face_vid2vid.make_tiny(FACE_VID2VID), {"kind": "face_vid2vid"})
        save_network(home, "deca", make_deca(), {"kind": "deca"})
        save_network(home, BY_LANDMARKS, make_renderer(), TOLD_LANDMARKS)
        save_network(home, PARTS, DiffusionRenderer(PART_RENDERER), TOLD_LANDMARKS)
        save_network(home, BY_DECA, make_renderer(), {"kind": "fadm"})  # as importing a released file leaves it
        yield


def save_network(home: Path, name: str, network: nn.Module, metadata: dict[str, str]) -> None:
    path = home / "weights" / f"{name}.safetensors"
    save_weights(path, network.state_dict(), config=config_to_dict(network.config), metadata=metadata)
