"""Where the driver's head is and how large, calmed so that the source's head stays on its neck.

Small movements about the anchor are kept as they are. A driver who walks through the picture takes the place of rest
along: what leads far from it is taken out by a low-pass filter, jumps are left out, and the rest has a largest speed.
"""

from dataclasses import fields, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from fadm.attributes.face_attributes import FaceAttributes
from fadm.attributes.motion import Motion

# In the face model's units, in which a face is about 1.4 wide and 1.8 high.
NEAR, FAR = 0.35, 0.7  # a shift up to the first is kept, beyond the second the place of rest is taken along
NEAR_SIZE, FAR_SIZE = 0.18, 0.36  # the same for the logarithm of the size
JUMP = 0.5  # a longer step between two frames is no movement
JUMP_SIZE = 0.3
MAX_SPEED = 3.0  # per second
MAX_SPEED_SIZE = 1.0
REST_SECONDS = 0.35  # deviation of the filter that follows the place of rest
EASED = 4  # frames after a gap over which what was held passes into what is seen


def calm_camera(motion: Motion, anchors: dict[int, int]) -> Tensor:
    """Calm the driver's place and size.

    Args:
        motion: The driver's motion (T frames), every frame tracked.
        anchors: Anchor frame by shot.

    Returns:
        Camera of each frame (T, 3) as in `FaceAttributes`; the motion's own in shots that stay near their anchor and
        are not hasty.
    """
    camera = motion.attributes.camera.clone()
    for shot, anchor in anchors.items():
        frames = torch.nonzero(motion.shot == shot)[:, 0]
        if not len(frames):
            continue
        rest = motion.attributes.camera[anchor]
        own, rate = motion.attributes.camera[frames], float(motion.rate)
        at = int((frames - anchor).abs().argmin())
        shift = _calm((own[:, 1:] - rest[1:]) / rest[:1], at, rate, (NEAR, FAR, JUMP, MAX_SPEED))
        size = _calm((own[:, :1] / rest[:1]).log(), at, rate, (NEAR_SIZE, FAR_SIZE, JUMP_SIZE, MAX_SPEED_SIZE))
        camera[frames] = torch.cat([rest[:1] * size.exp(), rest[1:] + rest[:1] * shift], 1)
    return camera


def ease_returns(filled: Motion, is_tracked: Tensor) -> Motion:
    """Let what was held in a gap pass smoothly into what is seen after it.

    Args:
        filled: A motion whose gaps were filled (T frames).
        is_tracked: Which of its frames showed the face (T,) bool.

    Returns:
        The motion, changed in the first frames after a gap of several frames, in the same shot.
    """
    gap_ends = [int(i) for i in torch.nonzero(is_tracked[1:] & ~is_tracked[:-1])[:, 0] + 1]
    source, share = torch.arange(len(filled)), torch.ones(len(filled))
    for end in gap_ends:
        before = torch.nonzero(is_tracked[:end])[:, 0]
        length = end - 1 - int(before[-1]) if len(before) else 0
        count = min(EASED, length) if length > 1 else 0
        for step, frame in enumerate(range(end, min(end + count, len(filled)))):
            if not is_tracked[frame] or filled.shot[frame] != filled.shot[end - 1]:
                break
            source[frame], share[frame] = end - 1, (step + 1) / (count + 1)

    def ease(values: Tensor) -> Tensor:
        return torch.lerp(values[source], values, share[:, None])

    return replace(
        filled,
        attributes=FaceAttributes(*(ease(getattr(filled.attributes, f.name)) for f in fields(FaceAttributes))),
        blendshapes=None if filled.blendshapes is None else ease(filled.blendshapes),
    )


def _calm(values: Tensor, anchor: int, rate: float, limits: tuple[float, float, float, float]) -> Tensor:
    """Calm a way (T, D) that is 0 in the anchor's row."""
    near, far, jump, speed = limits
    steps = values.diff(dim=0)
    jumps = torch.where(steps.norm(dim=1, keepdim=True) > jump, steps, 0.0)
    taken = F.pad(jumps.cumsum(0), (0, 0, 1, 0))
    values = values - (taken - taken[anchor])
    share = ((values.norm(dim=1, keepdim=True) - near) / (far - near)).clamp(0, 1)
    if share.any():
        values = values - _smooth(values * share**2 * (3 - 2 * share), REST_SECONDS * rate)
    most = speed / rate
    if (values.diff(dim=0).norm(dim=1) > most).any():
        there, back = _limit_speed(values, most), _limit_speed(values.flip(0), most).flip(0)
        values = (there + back) / 2
    return values


def _smooth(values: Tensor, deviation: float) -> Tensor:
    """Filter rows (T, D) by a Gaussian of a deviation in frames; the ways go on beyond their ends as they came."""
    reach = min(max(1, round(3 * deviation)), len(values) - 1)
    offsets = torch.arange(-reach, reach + 1, dtype=values.dtype)
    kernel = torch.exp(-0.5 * (offsets / max(deviation, 1e-3)) ** 2)
    before, after = 2 * values[:1] - values[1 : reach + 1].flip(0), 2 * values[-1:] - values[-reach - 1 : -1].flip(0)
    padded = torch.cat([before, values, after]).T[:, None]  # (D, 1, T + 2 reach)
    return F.conv1d(padded, (kernel / kernel.sum())[None, None])[:, 0].T


def _limit_speed(values: Tensor, most: float) -> Tensor:
    """Follow rows (T, D) by steps of at most a length."""
    followed = values.clone()
    for t in range(1, len(values)):
        step = values[t] - followed[t - 1]
        followed[t] = followed[t - 1] + step * min(1.0, most / max(float(step.norm()), 1e-9))
    return followed
