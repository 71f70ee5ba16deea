"""ResNet-50, the backbone of DECA's encoders (He et al., arXiv 1512.03385, table 1).

The stride of a stage is in the 3x3 convolution, as in the common pretrained weights.
"""

import torch.nn.functional as F
from torch import Tensor, nn

EXPANSION = 4
FEATURES = 2048


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions beside a shortcut.

    Args:
        in_channels: Channels of the input.
        width: Channels of the 3x3 convolution; the output has EXPANSION times as many.
        stride: Stride of the 3x3 convolution.
    """

    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        channels = EXPANSION * width
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(channels)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or in_channels != channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, channels, 1, stride=stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block.

        Args:
            x: Features (B, in_channels, H, W).

        Returns:
            Features (B, 4 width, H/stride, W/stride).
        """
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        return F.relu(self.bn3(self.conv3(y)) + self.downsample(x))


def _build_stage(in_channels: int, width: int, blocks: int, stride: int) -> nn.Sequential:
    rest = [Bottleneck(EXPANSION * width, width, 1) for _ in range(blocks - 1)]
    return nn.Sequential(Bottleneck(in_channels, width, stride), *rest)


class ResNet50(nn.Module):
    """The convolutional part of ResNet-50, up to the global average."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = _build_stage(64, 64, blocks=3, stride=1)
        self.layer2 = _build_stage(256, 128, blocks=4, stride=2)
        self.layer3 = _build_stage(512, 256, blocks=6, stride=2)
        self.layer4 = _build_stage(1024, 512, blocks=3, stride=2)

    def forward(self, image: Tensor) -> Tensor:
        """Compute the features of pictures.

        Args:
            image: Pictures (B, 3, H, W).

        Returns:
            Features (B, 2048).
        """
        x = self.maxpool(F.relu(self.bn1(self.conv1(image))))  # (B, 64, H/4, W/4)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))  # (B, 2048, H/32, W/32)
        return x.mean(dim=(2, 3))  # (B, 2048)
