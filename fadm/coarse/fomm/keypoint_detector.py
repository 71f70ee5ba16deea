"""Keypoints with local affine transformations, trained without labels (FOMM section 3.1)."""

import torch
from torch import Tensor, nn

from fadm.coarse.keypoints import Keypoints, expect_positions, normalize_heatmap
from fadm.coarse.layers import AntiAliasDownsample, Hourglass


def build_jacobian_head(in_channels: int, num_keypoints: int) -> nn.Conv2d:
    """Build the convolution to four numbers per keypoint; it starts from identities, so keypoints only translate.

    Args:
        in_channels: Channels of the features.
        num_keypoints: Number of keypoints.

    Returns:
        The convolution, 7x7.
    """
    head = nn.Conv2d(in_channels, 4 * num_keypoints, 7)
    nn.init.zeros_(head.weight)
    head.bias = nn.Parameter(torch.eye(2).flatten().repeat(num_keypoints))
    return head


class KeypointDetector(nn.Module):
    """Hourglass on the downsampled picture.

    Keypoints are the means of heatmaps, jacobians the means of four maps under the heatmaps.

    Args:
        num_keypoints: Number of keypoints K.
        image_channels: Channels of the picture.
        hourglass: The feature network.
        downsampling: Factor by which pictures shrink before the hourglass.
        temperature: Temperature of the heatmaps' softmax.
        has_jacobians: Whether jacobians are predicted.
    """

    def __init__(
        self,
        num_keypoints: int,
        image_channels: int,
        hourglass: Hourglass,
        *,
        downsampling: int,
        temperature: float,
        has_jacobians: bool,
    ) -> None:
        super().__init__()
        self.temperature = temperature
        self.shrink = AntiAliasDownsample(image_channels, downsampling)
        self.hourglass = hourglass
        self.heatmap = nn.Conv2d(hourglass.out_channels, num_keypoints, 7)
        self.jacobian = build_jacobian_head(hourglass.out_channels, num_keypoints) if has_jacobians else None

    def forward(self, image: Tensor) -> Keypoints:
        """Detect the keypoints of pictures.

        Args:
            image: Pictures (B, 3, H, W) in [0, 1].

        Returns:
            Keypoints in float32: positions (B, K, 2), jacobians (B, K, 2, 2) or None.
        """
        features = self.hourglass(self.shrink(image))
        heatmap = normalize_heatmap(self.heatmap(features), self.temperature)  # (B, K, h - 6, w - 6)
        positions = expect_positions(heatmap)
        if self.jacobian is None:
            return Keypoints(positions)
        B, K = heatmap.shape[:2]
        maps = self.jacobian(features).float().view(B, K, 4, *heatmap.shape[2:])
        jacobians = (heatmap.unsqueeze(2) * maps).sum(dim=(-2, -1)).view(B, K, 2, 2)
        return Keypoints(positions, jacobians)
