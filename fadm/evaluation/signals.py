"""The movements of a face in the frames of a case, as the signals of `fadm.metrics.following`."""

from collections.abc import Sequence

import torch
from torch import Tensor

from fadm.animation.seen_face import head_angles
from fadm.blendshapes import BLENDSHAPES
from fadm.evaluation.features import FeatureExtractors, FrameFeatures
from fadm.evaluation.measures import FOLLOWING, fit_person
from fadm.metrics.following import SEEN_BLENDSHAPES, SIGNALS

COLUMNS = [BLENDSHAPES.index(name) for name in SEEN_BLENDSHAPES]


def read_signals(frames: Sequence[FrameFeatures], person: Tensor, extractors: FeatureExtractors) -> Tensor:
    """Read the movements of the face in each frame.

    Args:
        frames: T frames of one person.
        person: The person's fitted identity (1, I), so that the head's angles do not depend on the expression.
        extractors: The networks.

    Returns:
        Signals (T, S) in the order of `SIGNALS`, NaN without a face.
    """
    if not frames:
        return torch.empty(0, len(SIGNALS))
    coefficients = torch.stack([frame.coefficients for frame in frames])[:, COLUMNS]
    with extractors.watch.time(FOLLOWING):
        angles = head_angles(fit_person(frames, person, extractors))
        eyes = torch.stack([frame.eyes for frame in frames])
        return torch.cat([coefficients, angles, eyes], dim=1).float()
