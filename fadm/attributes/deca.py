"""DECA: shape, texture, expression, pose, camera and light of a face from one picture.

Feng et al., "Learning an animatable detailed 3D face model from in-the-wild images", arXiv 2012.04012.
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
    """The output of the coarse encoder for B faces (arXiv 2012.04012, section 4.1).

    Attributes:
        shape: Coefficients of FLAME's shape basis (B, 100).
        texture: Coefficients of the albedo basis (B, 50).
        expression: Coefficients of FLAME's expression basis (B, 50).
        pose: Head rotation, then jaw rotation (B, 6), each axis-angle in radians.
        camera: Scale, then shift in x and y (B, 3), as `project` takes them.
        light: Spherical harmonics coefficients per colour (B, 9, 3).
    """

    shape: Tensor
    texture: Tensor
    expression: Tensor
    pose: Tensor
    camera: Tensor
    light: Tensor

    @property
    def attributes(self) -> Tensor:
        """Expression, then pose (B, 56), the input of the renderer's conditioner."""
        return torch.cat([self.expression, self.pose], dim=1)


def split_parameters(parameters: Tensor) -> DECACode:
    """Split the encoder's output into named parts.

    Args:
        parameters: Output of the coarse encoder (B, 236).

    Returns:
        The parts.
    """
    shape, texture, expression, pose, camera, light = parameters.split(list(PARAMETER_SIZES.values()), dim=1)
    return DECACode(shape, texture, expression, pose, camera, light.unflatten(1, (9, 3)))


def resize_for_deca(image: Tensor) -> Tensor:
    """Resize face crops to the encoder's input size.

    Args:
        image: Crops (B, 3, H, W) in [0, 1].

    Returns:
        Crops (B, 3, 224, 224) in [0, 1].
    """
    return F.interpolate(image, size=(IMAGE_SIZE, IMAGE_SIZE), mode="bilinear", align_corners=False)


class DECAEncoder(nn.Module):
    """ResNet-50 and a two-layer regressor.

    Args:
        num_outputs: Number of outputs, by which the coarse encoder (236) and the detail encoder (128) differ.
    """

    def __init__(self, num_outputs: int = NUM_PARAMETERS) -> None:
        super().__init__()
        self.backbone = ResNet50()
        self.regressor = nn.Sequential(nn.Linear(FEATURES, 1024), nn.ReLU(), nn.Linear(1024, num_outputs))

    def forward(self, image: Tensor) -> Tensor:
        """Regress the parameters from the picture; no mean is subtracted.

        Args:
            image: Face crops (B, 3, 224, 224) in [0, 1].

        Returns:
            Parameters (B, num_outputs).
        """
        return self.regressor(self.backbone(image))


def _build_upsampling_block(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
        nn.Conv2d(in_channels, out_channels, 3, padding=1),
        nn.BatchNorm2d(out_channels, eps=0.8),
        nn.LeakyReLU(0.2),
    )


class DetailDecoder(nn.Module):
    """Predicts displacements in UV space from detail code, expression and jaw (arXiv 2012.04012, section 4.2)."""

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
        """Predict displacements along the normals.

        Args:
            jaw: Jaw rotation (B, 3), axis-angle in radians.
            expression: Coefficients of FLAME's expression basis (B, 50).
            detail: Output of the detail encoder (B, 128).

        Returns:
            Displacements (B, 1, 256, 256) in metres, at most LARGEST_DISPLACEMENT.
        """
        code = torch.cat([jaw, expression, detail], dim=1)
        x = self.project(code).unflatten(1, (-1, self.START_SIZE, self.START_SIZE))  # (B, 128, 8, 8)
        x = self.blocks(self.norm(x))  # (B, 16, 256, 256)
        return self.LARGEST_DISPLACEMENT * self.final_conv(x).tanh()


@dataclass(frozen=True, kw_only=True)
class DECAConfig:
    """What the weights file contains.

    Attributes:
        detail: Whether there is the detail encoder and decoder beside the coarse encoder.
    """

    detail: bool = True


class DECA(nn.Module):
    """The coarse encoder and, where configured, the detail branch.

    Args:
        config: What the weights file contains.
    """

    def __init__(self, config: DECAConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = DECAEncoder(NUM_PARAMETERS)
        if config.detail:
            self.detail_encoder = DECAEncoder(DETAIL_SIZE)
            self.detail_decoder = DetailDecoder()

    def forward(self, image: Tensor) -> DECACode:
        """Estimate the parameters of faces.

        Args:
            image: Face crops of any size (B, 3, H, W) in [0, 1].

        Returns:
            The parameters of the B faces.
        """
        return split_parameters(self.encoder(resize_for_deca(image)))

    def displace(self, image: Tensor, code: DECACode) -> Tensor:
        """Estimate the wrinkles; needs the detail branch.

        Args:
            image: Face crops of any size (B, 3, H, W) in [0, 1].
            code: Their parameters from `forward`.

        Returns:
            Displacements in UV space (B, 1, 256, 256) in metres, along the normals.
        """
        detail = self.detail_encoder(resize_for_deca(image))
        return self.detail_decoder(code.pose[:, 3:], code.expression, detail)
