"""Face Mesh V2 as a differentiable network, for a loss on the landmarks of a picture.

The bottleneck version of Kartynnik et al., "Real-time facial points geometry from monocular video on mobile GPUs",
arXiv 1907.06724. The weights are those that the tracker runs (face/models).
"""

import re
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fadm.face.landmarker import SIDE, WINDOW
from fadm.face.models import model_path
from fadm.face.topology import NUM_LANDMARKS, UPPER_LID_LEFT, UPPER_LID_RIGHT
from fadm.networks.efficientnet import SameConv2d
from fadm.weights.store import load_into
from fadm.weights.tflite import read_tflite

STEM_CHANNELS = 16
# Blocks at each size of features, from 128 to 2 pixels: channels, channels of the bottleneck, number of blocks.
STAGES = ((16, 8, 4), (32, 16, 5), (64, 32, 5), (128, 64, 5), (128, 64, 5), (128, 64, 5), (128, 64, 5))


class Block(nn.Module):
    """Bottleneck with a depthwise convolution beside a shortcut, pooled and padded with zeros where shapes differ.

    Args:
        in_channels: Channels of the input.
        inner_channels: Channels of the bottleneck.
        out_channels: Channels of the output, at least as many as of the input.
        stride: 2 to halve the size, 1 to keep it.
    """

    def __init__(self, in_channels: int, inner_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(in_channels, inner_channels, stride, stride=stride)
        self.inner_activation = nn.PReLU(inner_channels)
        self.depthwise = nn.Conv2d(inner_channels, inner_channels, 3, padding=1, groups=inner_channels, bias=False)
        self.expand = nn.Conv2d(inner_channels, out_channels, 1)
        self.activation = nn.PReLU(out_channels)
        self.stride, self.added_channels = stride, out_channels - in_channels

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block.

        Args:
            x: Features (B, in_channels, H, W).

        Returns:
            Features (B, out_channels, H / stride, W / stride).
        """
        shortcut = x if self.stride == 1 else F.max_pool2d(x, self.stride)
        shortcut = F.pad(shortcut, (0, 0, 0, 0, 0, self.added_channels))
        inner = self.inner_activation(self.squeeze(x))
        return self.activation(shortcut + self.expand(self.depthwise(inner)))


class FaceMesh(nn.Module):
    """Network from a window around a face to its landmarks."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = SameConv2d(3, STEM_CHANNELS, 3, stride=2)
        self.stem_activation = nn.PReLU(STEM_CHANNELS)
        blocks: list[Block] = []
        width = STEM_CHANNELS
        for stage, (channels, inner_channels, count) in enumerate(STAGES):
            for i in range(count):
                blocks.append(Block(width, inner_channels, channels, 2 if stage and not i else 1))
                width = channels
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Conv2d(width, 3 * NUM_LANDMARKS, 2)

    def forward(self, window: Tensor) -> Tensor:
        """Find the landmarks.

        Args:
            window: Windows around faces (B, 3, 256, 256) in [0, 1].

        Returns:
            Landmarks (B, 478, 3), in the window's pixels.
        """
        x = self.blocks(self.stem_activation(self.stem(window)))  # (B, 128, 2, 2)
        return self.head(x).unflatten(1, (NUM_LANDMARKS, 3))[..., 0, 0]


def load_face_mesh() -> FaceMesh:
    """Load the network with the tracker's weights, frozen, in evaluation mode and channels-last.

    Returns:
        The network.

    Raises:
        WeightsError: The model's file does not fit the network.
    """
    network = FaceMesh()
    with model_path("face_landmarks_detector") as path:
        tensors = _name_tensors(read_tflite(path), network)
        load_into(network, tensors, source=str(path))
    return network.to(memory_format=torch.channels_last).requires_grad_(False).eval()  # type: ignore[call-overload]


def _name_tensors(released: Mapping[str, Tensor], network: FaceMesh) -> dict[str, Tensor]:
    """Name the released tensors as ours, rearranged as PyTorch's.

    The released layers are numbered by kind in the network's order: a convolution, the normalisation folded into it
    (the name of its bias) and the activation after it. Kernels are (out, H, W, in) or, depthwise, (1, H, W, channels).
    """
    units = [("stem", "stem_activation")]
    for block in (f"blocks.{i}" for i in range(len(network.blocks))):
        units += [(f"{block}.squeeze", f"{block}.inner_activation"), (f"{block}.expand", f"{block}.activation")]
    kernels = _in_order(released, r"/conv2d_(\d+)/Conv2D$", dims=4)
    biases = _in_order(released, r"batch_normalization_(\d+)/", dims=1)
    slopes = _in_order(released, r"p_re_lu_(\d+)/", dims=3)
    tensors: dict[str, Tensor] = {}
    for (convolution, activation), kernel, bias, slope in zip(units, kernels, biases, slopes, strict=False):
        tensors |= {f"{convolution}.weight": kernel.permute(0, 3, 1, 2), f"{convolution}.bias": bias}
        tensors[f"{activation}.weight"] = slope.flatten()
    for i, kernel in enumerate(_in_order(released, r"/depthwise_conv2d_(\d+)/depthwise", dims=4)):
        tensors[f"blocks.{i}.depthwise.weight"] = kernel.permute(3, 0, 1, 2)
    head = _in_order(released, r"model_3/conv2d_(\d+)/", dims=1)
    if len(kernels) > len(units) and head:  # the two convolutions after it tell how likely there is a face
        tensors |= {"head.weight": kernels[len(units)].permute(0, 3, 1, 2), "head.bias": head[-1]}
    return tensors


def _in_order(released: Mapping[str, Tensor], pattern: str, dims: int) -> list[Tensor]:
    """Tensors with that many dimensions whose names match, in the order of the number in the name."""
    found = {
        int(match[1]): t for name, t in released.items() if (match := re.search(pattern, name)) and t.dim() == dims
    }
    return [found[number] for number in sorted(found)]


def cut_face_windows(pictures: Tensor, landmarks: Tensor, jitter: Tensor) -> Tensor:
    """Cut the windows that the network expects: around the faces, with level eyes.

    Args:
        pictures: Pictures (B, 3, H, W).
        landmarks: Landmarks (B, 478, 3) that place the windows, in the pictures' pixels.
        jitter: Changes of the windows (B, 2): a rotation in radians, and the logarithm of a factor of the side.

    Returns:
        Windows (B, 3, 256, 256).
    """
    points = landmarks[..., :2]
    across = points[:, UPPER_LID_LEFT[0]] - points[:, UPPER_LID_RIGHT[0]]  # (B, 2)
    angle = torch.atan2(across[:, 1], across[:, 0]) + jitter[:, 0]
    across = torch.stack([angle.cos(), angle.sin()], 1)
    axes = torch.stack([across, torch.stack([-across[:, 1], across[:, 0]], 1)], 1)  # (B, 2, 2): right, down
    level = points @ axes.transpose(1, 2)
    low, high = level.amin(1), level.amax(1)
    half = WINDOW / 2 * jitter[:, 1].exp() * (high - low).amax(1)  # (B,)
    centre = ((low + high) / 2)[:, None] @ axes  # (B, 1, 2)
    step = (torch.arange(SIDE, device=pictures.device) + 0.5) * (2 / SIDE) - 1
    places = torch.stack(torch.meshgrid(step, step, indexing="xy"), -1).flatten(0, 1)  # (256^2, 2) in -1..1
    places = centre + half[:, None, None] * places @ axes
    height, width = pictures.shape[2:]
    grid = (2 * places + 1) / places.new_tensor([width, height]) - 1
    grid = grid.unflatten(1, (SIDE, SIDE))
    return F.grid_sample(pictures, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def landmark_distance(network: FaceMesh, rendered: Tensor, real: Tensor, landmarks: Tensor, jitter: Tensor) -> Tensor:
    """Measure the distance between the landmarks that the network finds in two pictures.

    Args:
        network: The face mesh.
        rendered: Rendered pictures (B, 3, H, W) in [0, 1].
        real: Real pictures (B, 3, H, W) in [0, 1].
        landmarks: Landmarks (B, 478, 3) of the real pictures, in their pixels; they place the windows of both.
        jitter: Changes of the windows (B, 2). A loss varies them, so that no pattern that misleads the network in one
            window alone lowers it.

    Returns:
        Mean of |dx| and |dy| over the landmarks (B,), in shares of the window's side.
    """
    with torch.autocast(rendered.device.type, enabled=False):  # bfloat16 has no fractions of a pixel
        in_rendered = network(cut_face_windows(rendered.float(), landmarks, jitter))
        with torch.no_grad():
            in_real = network(cut_face_windows(real.float(), landmarks, jitter))
    return (in_rendered - in_real)[..., :2].abs().mean((1, 2)) / SIDE
