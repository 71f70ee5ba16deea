import sys

import numpy as np
import pytest
import torch

from fadm.errors import PackageError
from fadm.metrics.flow import estimate_flow
from fadm.metrics.temporal import warp_error
from tests.face.portraits import read_portrait


def shifted_video(steps):
    """The portrait moved by (x, y) pixels a frame: (T, 3, H, W)."""
    pixels = read_portrait().pixels
    frames = [np.roll(pixels, (y, x), axis=(0, 1)) for x, y in steps]
    return torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2).float() / 255


def test_the_flow_of_a_shift_is_the_shift():
    flow, mask = estimate_flow(shifted_video([(0, 0), (3, -2)]))
    assert flow.shape == (1, 2, 256, 256) and mask.shape == (1, 1, 256, 256)
    inner = slice(32, 224)
    wanted = torch.tensor([3.0, -2.0])[:, None, None]
    error = (flow[0, :, inner, inner] - wanted).norm(dim=0)
    assert error.median() < 0.1 and mask[0, 0, inner, inner].mean() > 0.9


def test_along_its_own_flow_a_moving_video_is_steady_and_a_flickering_one_is_not():
    video = shifted_video([(0, 0), (2, 1), (4, 2)])
    flow, mask = estimate_flow(video)
    steady = warp_error(video, flow, mask)
    brighter = video.clone()
    brighter[1] = (brighter[1] + 0.1).clamp(max=1)
    assert steady.max() < 0.001 < 0.005 < warp_error(brighter, flow, mask).min()
    assert steady.max() < warp_error(video, torch.zeros_like(flow)).min() / 5


def test_a_single_frame_has_no_flow():
    flow, mask = estimate_flow(shifted_video([(0, 0)]))
    assert flow.shape == (0, 2, 256, 256) and mask.shape == (0, 1, 256, 256)


def test_without_opencv_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(
        PackageError, match=r"warp_error needs the package opencv-python-headless.*pip install '.\[eval\]'"
    ):
        estimate_flow(torch.zeros(2, 3, 16, 16))
