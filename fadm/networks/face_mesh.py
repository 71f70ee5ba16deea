"""MediaPipe's face mesh as a differentiable network, for a loss on the landmarks of a picture.

Kartynnik et al., "Real-time facial surface geometry from monocular video on mobile GPUs", arXiv 1907.06724. The
weights are the tracker's, from the mediapipe wheel; its refinement around eyes and lips is left out.
"""

from importlib.util import find_spec
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fadm.errors import PackageError
from fadm.face.topology import NUM_SURFACE, UPPER_LID_LEFT, UPPER_LID_RIGHT
from fadm.networks.efficientnet import SameConv2d
from fadm.weights.store import load_into
from fadm.weights.tflite import read_tflite

SIDE = 192  # pixels of a window's side
WINDOW = 1.5  # the side over the longer side of the landmarks' box, as in MediaPipe's tracking
STEM_CHANNELS, HEAD_CHANNELS = 16, 32
# Channels and stride of each block.
BLOCKS = (
    *((16, 1), (16, 1), (32, 2), (32, 1), (32, 1), (64, 2), (64, 1), (64, 1)),
    *((128, 2), (128, 1), (128, 1), (128, 2), (128, 1), (128, 1), (128, 2), (128, 1), (128, 1)),
)


class Block(nn.Module):
    """Depthwise and 1x1 convolution beside a shortcut, which is pooled and padded with zeros where shapes differ.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output, at least as many.
        stride: 2 to halve the size, 1 to keep it.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.depthwise = SameConv2d(in_channels, in_channels, 3, stride=stride, groups=in_channels)
        self.project = SameConv2d(in_channels, out_channels, 1)
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
        return self.activation(shortcut + self.project(self.depthwise(x)))


class FaceMesh(nn.Module):
    """Network from a window around a face to the landmarks of the face's surface."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = SameConv2d(3, STEM_CHANNELS, 3, stride=2)
        self.stem_activation = nn.PReLU(STEM_CHANNELS)
        widths = [STEM_CHANNELS, *(channels for channels, _ in BLOCKS)]
        self.blocks = nn.Sequential(
            *(Block(before, channels, stride) for before, (channels, stride) in zip(widths[:-1], BLOCKS, strict=True))
        )
        self.squeeze = SameConv2d(widths[-1], HEAD_CHANNELS, 1)
        self.squeeze_activation = nn.PReLU(HEAD_CHANNELS)
        self.last = Block(HEAD_CHANNELS, HEAD_CHANNELS, 1)
        self.head = nn.Conv2d(HEAD_CHANNELS, 3 * NUM_SURFACE, 3)

    def forward(self, window: Tensor) -> Tensor:
        """Find the landmarks.

        Args:
            window: Windows around faces (B, 3, 192, 192) in [0, 1].

        Returns:
            Landmarks (B, 468, 3), in the window's pixels.
        """
        x = self.blocks(self.stem_activation(self.stem(window)))  # (B, 128, 3, 3)
        x = self.last(self.squeeze_activation(self.squeeze(x)))
        return self.head(x).unflatten(1, (NUM_SURFACE, 3))[..., 0, 0]


def load_face_mesh() -> FaceMesh:
    """Load the network with MediaPipe's weights, frozen, in evaluation mode and channels-last.

    Returns:
        The network.

    Raises:
        PackageError: The package mediapipe is missing.
        WeightsError: The package's file does not fit the network.
    """
    package = find_spec("mediapipe")
    if package is None or package.origin is None:
        raise PackageError("the face mesh needs the package mediapipe: `pip install mediapipe==0.10.21`")
    path = Path(package.origin).parent / "modules" / "face_landmark" / "face_landmark_with_attention.tflite"
    released, network = read_tflite(path), FaceMesh()
    places = {f"{ours}.{part}": f"{theirs}/{name}" for ours, theirs, parts in _layers() for part, name in parts}
    tensors = {ours: _arrange(released[theirs]) for ours, theirs in places.items() if theirs in released}
    load_into(network, tensors, source=str(path))
    return network.to(memory_format=torch.channels_last).requires_grad_(False).eval()  # type: ignore[call-overload]


def _layers() -> list[tuple[str, str, tuple[tuple[str, str], ...]]]:
    """Our layer, the released one, and pairs of names of their tensors, ours first."""
    conv, activation = (("weight", "Kernel"), ("bias", "Bias")), (("weight", "Alpha"),)
    count = len(BLOCKS)
    layers = [("stem", "conv2d", conv), ("stem_activation", "p_re_lu", activation)]
    layers += [("squeeze", f"conv2d_{count + 1}", conv), ("squeeze_activation", f"p_re_lu_{count + 1}", activation)]
    blocks = [(f"blocks.{i}", i, i + 1) for i in range(count)] + [("last", count, count + 2)]
    for block, depthwise, other in blocks:
        layers += [
            (f"{block}.depthwise", f"depthwise_conv2d_{depthwise}" if depthwise else "depthwise_conv2d", conv),
            (f"{block}.project", f"conv2d_{other}", conv),
            (f"{block}.activation", f"p_re_lu_{other}", activation),
        ]
    return [*layers, ("head", "output_mesh", conv)]


def _arrange(tensor: Tensor) -> Tensor:
    """Rearrange TensorFlow Lite's kernels (out, H, W, in) or (1, H, W, channels) and slopes (1, 1, C) as PyTorch's."""
    if tensor.dim() == 3:
        return tensor.flatten()
    if tensor.dim() == 1:
        return tensor
    is_depthwise = tensor.shape[0] == 1
    return tensor.permute(3, 0, 1, 2) if is_depthwise else tensor.permute(0, 3, 1, 2)


def cut_face_windows(pictures: Tensor, landmarks: Tensor, jitter: Tensor) -> Tensor:
    """Cut the windows that the network expects: around the faces, with level eyes.

    Args:
        pictures: Pictures (B, 3, H, W).
        landmarks: Landmarks (B, 478, 3) that place the windows, in the pictures' pixels.
        jitter: Changes of the windows (B, 2): a rotation in radians, and the logarithm of a factor of the side.

    Returns:
        Windows (B, 3, 192, 192).
    """
    surface = landmarks[:, :NUM_SURFACE, :2]
    across = surface[:, UPPER_LID_LEFT[0]] - surface[:, UPPER_LID_RIGHT[0]]  # (B, 2)
    angle = torch.atan2(across[:, 1], across[:, 0]) + jitter[:, 0]
    across = torch.stack([angle.cos(), angle.sin()], 1)
    axes = torch.stack([across, torch.stack([-across[:, 1], across[:, 0]], 1)], 1)  # (B, 2, 2): right, down
    level = surface @ axes.transpose(1, 2)
    low, high = level.amin(1), level.amax(1)
    half = WINDOW / 2 * jitter[:, 1].exp() * (high - low).amax(1)  # (B,)
    centre = ((low + high) / 2)[:, None] @ axes  # (B, 1, 2)
    step = (torch.arange(SIDE, device=pictures.device) + 0.5) * (2 / SIDE) - 1
    places = torch.stack(torch.meshgrid(step, step, indexing="xy"), -1).flatten(0, 1)  # (192^2, 2) in -1..1
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
