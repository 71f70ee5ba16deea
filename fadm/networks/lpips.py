"""LPIPS, the learned perceptual distance of Zhang et al., arXiv 1801.03924, with the weights of version 0.1.

The linear weights come with torchmetrics. The user provides torchvision's pretrained backbone: its licence does not
allow this package to contain it, and nothing is downloaded here.
"""

from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fadm.errors import OptionError
from fadm.metrics.perceptual import normalise_channels
from fadm.optional import find_checkpoint, require
from fadm.weights.reading import read_tensors
from fadm.weights.store import load_into

FILES = {"alex": "alexnet-owt-7be5be79.pth", "vgg": "vgg16-397923af.pth"}
DOWNLOADS = "https://download.pytorch.org/models/"
# Of each stage the convolutions: channels, size, stride, padding. POOLED: whether max pooling comes before the stage.
STAGES = {
    "alex": (((64, 11, 4, 2),), ((192, 5, 1, 2),), ((384, 3, 1, 1),), ((256, 3, 1, 1),), ((256, 3, 1, 1),)),
    "vgg": tuple(((channels, 3, 1, 1),) * n for channels, n in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))),
}
POOLED = {"alex": (False, True, True, False, False), "vgg": (False, True, True, True, True)}
POOL_SIZE = {"alex": 3, "vgg": 2}
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # of pictures in -1..1


class LPIPS(nn.Module):
    """Backbone and linear weights; its attribute `name` is the metric's, lpips_alex or lpips_vgg.

    Args:
        net: Backbone, alex or vgg.

    Raises:
        OptionError: The backbone is unknown.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, net: str = "alex") -> None:
        super().__init__()
        if net not in STAGES:
            raise OptionError(f"LPIPS has no backbone {net!r}; choose among {', '.join(STAGES)}")
        self.net, self.name = net, f"lpips_{net}"
        self.register_buffer("shift", torch.tensor(SHIFT)[:, None, None], persistent=False)
        self.register_buffer("scale", torch.tensor(SCALE)[:, None, None], persistent=False)
        shapes = [shape for stage in STAGES[net] for shape in stage]
        channels = pairwise([3, *(shape[0] for shape in shapes)])
        self.convolutions = nn.ModuleList(
            nn.Conv2d(*pair, size, stride=stride, padding=padding)
            for pair, (_, size, stride, padding) in zip(channels, shapes, strict=True)
        )
        self.linear = nn.ParameterList(torch.zeros(1, stage[-1][0], 1, 1) for stage in STAGES[net])

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Compute the distance of two batches of pictures (eq. 1).

        Args:
            a: Pictures (B, 3, H, W) in [0, 1], at least 64 px.
            b: Pictures of the same shape.

        Returns:
            Distances (B,), 0 for equal pictures.
        """
        distances = []
        for linear, x, y in zip(self.linear, self._features(a), self._features(b), strict=True):
            difference = (normalise_channels(x) - normalise_channels(y)).square()
            distances.append(F.conv2d(difference, linear).mean(dim=(1, 2, 3)))
        return torch.stack(distances).sum(dim=0)

    def _features(self, image: Tensor) -> list[Tensor]:
        x = (2 * image - 1 - self.shift) / self.scale
        found, convolutions = [], iter(self.convolutions)
        for stage, is_pooled in zip(STAGES[self.net], POOLED[self.net], strict=True):
            if is_pooled:
                x = F.max_pool2d(x, POOL_SIZE[self.net], stride=2)
            for _ in stage:
                x = F.relu(next(convolutions)(x))
            found.append(x)
        return found


def load_lpips(net: str = "alex", backbone: Path | None = None) -> LPIPS:
    """Load LPIPS with its weights, frozen, in evaluation mode.

    Args:
        net: Backbone, alex (the one that papers report unless they name another) or vgg.
        backbone: File of torchvision, by default in torch's folder of downloads.

    Returns:
        The network.

    Raises:
        OptionError: The backbone is unknown.
        PackageError: The package torchmetrics or the file is missing.
        WeightsError: A file does not fit the network.
    """
    network = LPIPS(net)
    package = require("torchmetrics", package="torchmetrics", purpose="LPIPS")
    linear = Path(package.__file__).parent / "functional/image/lpips_models" / f"{net}.pth"
    path = find_checkpoint(backbone, FILES[net], url=DOWNLOADS + FILES[net], purpose=network.name)
    released = {key: value for key, value in read_tensors(path).items() if key.startswith("features.")}
    numbers = sorted({int(key.split(".")[1]) for key in released})
    state_dict = {
        f"convolutions.{index}.{part}": released[f"features.{number}.{part}"]
        for index, number in enumerate(numbers)
        for part in ("weight", "bias")
    }
    for key, value in read_tensors(linear).items():
        state_dict[f"linear.{key.removeprefix('lin').split('.')[0]}"] = value
    load_into(network, state_dict, source=str(path))
    return network.requires_grad_(False).eval()
