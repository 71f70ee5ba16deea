"""DECA: shape, texture, expression, pose, camera and light of a face from one picture.

Feng et al., "Learning an Animatable Detailed 3D Face Model from In-The-Wild Images", arXiv 2012.04012.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fadm.attributes.resnet50 import FEATURES, ResNet50

IMAGE_SIZE = 224
PARAMETER_SIZES = {"shape": 100, "texture": 50, "expression": 50, "pose": 6, "camera": 3, "light": 27}
NUM_PARAMETERS = sum(PARAMETER_SIZES.values())
DETAIL_SIZE = 128
DETAIL_CONDITIONS = 3 + PARAMETER_SIZES["expression"]


@dataclass(frozen=True)
class DECACode:
    """What the coarse encoder says of B faces (arXiv 2012.04012, section 4.1).

    shape (B, 100), texture (B, 50), expression (B, 50); pose (B, 6): axis-angle in radians of the head, then
    of the jaw; camera (B, 3): scale, then shift in x and y; light (B, 9, 3): spherical harmonics per colour.
    """

    shape: Tensor
    texture: Tensor
    expression: Tensor
    pose: Tensor
    camera: Tensor
    light: Tensor

    @property
    def attributes(self) -> Tensor:
        """Expression, then pose: the (B, 56) numbers that the renderer is conditioned on."""
        return torch.cat([self.expression, self.pose], dim=1)


def split_parameters(parameters: Tensor) -> DECACode:
    """Name the encoder's numbers: parameters (B, 236) -> DECACode."""
    shape, texture, expression, pose, camera, light = parameters.split(list(PARAMETER_SIZES.values()), dim=1)
    return DECACode(shape, texture, expression, pose, camera, light.unflatten(1, (9, 3)))


def resize_for_deca(image: Tensor) -> Tensor:
    """Bring face crops to the encoder's size: image (B, 3, H, W) in [0, 1] -> (B, 3, 224, 224)."""
    return F.interpolate(image, size=(IMAGE_SIZE, IMAGE_SIZE), mode="bilinear", align_corners=False)


class DECAEncoder(nn.Module):
    """ResNet-50 and a two-layer regressor; the coarse and the detail encoder differ in `num_outputs` only."""

    def __init__(self, num_outputs: int = NUM_PARAMETERS) -> None:
        super().__init__()
        self.backbone = ResNet50()
        self.regressor = nn.Sequential(nn.Linear(FEATURES, 1024), nn.ReLU(), nn.Linear(1024, num_outputs))

    def forward(self, image: Tensor) -> Tensor:
        """Regress from the picture, no mean removed: image (B, 3, 224, 224) in [0, 1] -> (B, num_outputs)."""
        return self.regressor(self.backbone(image))


def _build_upsampling_block(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
        nn.Conv2d(in_channels, out_channels, 3, padding=1),
        nn.BatchNorm2d(out_channels, eps=0.8),
        nn.LeakyReLU(0.2),
    )


class DetailDecoder(nn.Module):
    """Displacements in UV space from detail code, expression and jaw (arXiv 2012.04012, section 4.2)."""

    CHANNELS = (128, 128, 64, 64, 32, 16)
    START_SIZE = 8
    LARGEST_DISPLACEMENT = 0.01

    def __init__(self) -> None:
        super().__init__()
        start = self.CHANNELS[0]
        self.project = nn.Linear(DETAIL_CONDITIONS + DETAIL_SIZE, start * self.START_SIZE**2)
        self.norm = nn.BatchNorm2d(start)
        pairs = pairwise(self.CHANNELS)
        self.blocks = nn.Sequential(*(_build_upsampling_block(*pair) for pair in pairs))
        self.final_conv = nn.Conv2d(self.CHANNELS[-1], 1, 3, padding=1)

    def forward(self, jaw: Tensor, expression: Tensor, detail: Tensor) -> Tensor:
        """Displace along the normals: jaw (B, 3), expression (B, 50), detail (B, 128) -> (B, 1, 256, 256)."""
        code = torch.cat([jaw, expression, detail], dim=1)
        x = self.project(code).unflatten(1, (-1, self.START_SIZE, self.START_SIZE))  # (B, 128, 8, 8)
        x = self.blocks(self.norm(x))  # (B, 16, 256, 256)
        return self.LARGEST_DISPLACEMENT * self.final_conv(x).tanh()


@dataclass(frozen=True, kw_only=True)
class DECAConfig:
    """`detail`: the file also holds the detail encoder and decoder, not the coarse encoder alone."""

    detail: bool = True


class DECA(nn.Module):
    """The coarse encoder and, when the configuration says so, the detail branch."""

    def __init__(self, config: DECAConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = DECAEncoder(NUM_PARAMETERS)
        if config.detail:
            self.detail_encoder = DECAEncoder(DETAIL_SIZE)
            self.detail_decoder = DetailDecoder()

    def forward(self, image: Tensor) -> DECACode:
        """Read faces from crops of any size: image (B, 3, H, W) in [0, 1] -> DECACode."""
        return split_parameters(self.encoder(resize_for_deca(image)))

    def displace(self, image: Tensor, code: DECACode) -> Tensor:
        """Find the wrinkles: image (B, 3, H, W) in [0, 1], its code -> UV displacements (B, 1, 256, 256)."""
        detail = self.detail_encoder(resize_for_deca(image))
        return self.detail_decoder(code.pose[:, 3:], code.expression, detail)
