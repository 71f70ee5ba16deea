"""Key points with local affine transformations, learned without labels (FOMM section 3.1)."""

import torch
from torch import Tensor, nn

from fadm.coarse.keypoints import Keypoints, expect_positions, normalize_heatmap
from fadm.coarse.layers import AntiAliasDownsample, Hourglass


def build_jacobian_head(in_channels: int, num_keypoints: int) -> nn.Conv2d:
    """Convolution to four numbers per key point that starts from identities: key points only translate."""
    head = nn.Conv2d(in_channels, 4 * num_keypoints, 7)
    nn.init.zeros_(head.weight)
    head.bias = nn.Parameter(torch.eye(2).flatten().repeat(num_keypoints))
    return head


class KeypointDetector(nn.Module):
    """Hourglass on the shrunk picture; key points are means of heatmaps, Jacobians means under them."""

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
        """(B, 3, H, W) in 0..1 -> positions (B, K, 2), jacobians (B, K, 2, 2) or None, both float32."""
        features = self.hourglass(self.shrink(image))
        heatmap = normalize_heatmap(self.heatmap(features), self.temperature)  # (B, K, h - 6, w - 6)
        positions = expect_positions(heatmap)
        if self.jacobian is None:
            return Keypoints(positions)
        B, K = heatmap.shape[:2]
        maps = self.jacobian(features).float().view(B, K, 4, *heatmap.shape[2:])
        jacobians = (heatmap.unsqueeze(2) * maps).sum(dim=(-2, -1)).view(B, K, 2, 2)
        return Keypoints(positions, jacobians)
