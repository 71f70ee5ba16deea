"""Features for distances between sets of pictures: Inception's, which FID requires, and EfficientNet-Lite0's."""

from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from fadm.networks.efficientnet import EfficientNetLite0
from fadm.optional import find_checkpoint, require

EFFICIENTNET_SIDE = 224
INCEPTION_FILE = "weights-inception-2015-12-05-6726825d.pth"
INCEPTION_URL = f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{INCEPTION_FILE}"


def pool_efficientnet(network: EfficientNetLite0, image: Tensor) -> Tensor:
    """Compute the features for `FRECHET_NAME` and `KERNEL_NAME`.

    Args:
        network: EfficientNet-Lite0.
        image: Pictures (B, 3, H, W) in [0, 1], resized to 224x224.

    Returns:
        Features (B, 1280).
    """
    size = (EFFICIENTNET_SIDE, EFFICIENTNET_SIDE)
    return network.pool(F.interpolate(image, size, mode="bilinear", align_corners=False, antialias=True))


def load_inception(weights: Path | None = None) -> Callable[[Tensor], Tensor]:
    """Load the network of FID, through torchmetrics and torch-fidelity.

    Args:
        weights: File of torch-fidelity, by default in torch's folder of downloads.

    Returns:
        A function from pictures (B, 3, H, W) in [0, 1] to features (B, 2048).

    Raises:
        PackageError: One of the packages or the file is missing.
    """
    fid = require("torchmetrics.image.fid", package="torchmetrics", purpose="FID")
    require("torch_fidelity", package="torch-fidelity", purpose="FID", extra=None)
    path = find_checkpoint(weights, INCEPTION_FILE, url=INCEPTION_URL, purpose="FID")
    network = fid.NoTrainInceptionV3(
        name="inception-v3-compat", features_list=["2048"], feature_extractor_weights_path=str(path)
    )

    def extract(image: Tensor) -> Tensor:
        with torch.no_grad():
            return network((image.clamp(0, 1) * 255).round().byte())

    return extract
