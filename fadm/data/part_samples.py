"""What the renderer of mouth and eyes is trained on: their windows, cut from training pairs as animation cuts them."""

import math
from dataclasses import replace

import numpy as np
import torch

from fadm.data.datasets import RendererSamples, Sample, jitter_colors, to_channels
from fadm.face.region import Region
from fadm.media.crop import to_pixels, to_tensor
from fadm.rendering.parts import WINDOW, cut_part, draw_contours, limit_attributes, part_regions

CHANCES = (0.5, 0.25, 0.25)  # of mouth, right and left eye
SHIFT, ZOOM, TURN = 0.05, 0.1, 0.1  # jitter of the windows: in sides, share of the side, radians


class PartSamples(RendererSamples):
    """Windows of mouth and eyes, each of one of `RendererSamples`' pairs, which must hold their landmarks.

    Each sample: source, driving and coarse (3, WINDOW, WINDOW) uint8, contours (2, WINDOW, WINDOW) uint8 of the source
    and of the frame, attention and confidence (1, WINDOW, WINDOW) uint8 (lips and openings; full trust),
    attributes_source and attributes_driving (56,), seed ().
    """

    def __getitem__(self, number: int) -> Sample:
        rng, source, driving, pair = self.draw(number)
        assert pair.landmarks is not None
        own, moved, carried = pair.landmarks
        part = int(rng.choice(len(CHANCES), p=CHANCES))
        regions, own_regions = part_regions(carried), part_regions(own)
        if self.is_jittered:
            regions, own_regions = jitter_windows(regions, own_regions, rng)
        cuts = {
            "source": (source, own_regions),
            "driving": (driving.pixels, regions),
            "coarse": (pair.coarse, regions),
        }
        pictures = {name: to_pixels(cut_part(to_tensor(p), where[part], WINDOW)) for name, (p, where) in cuts.items()}
        if self.is_jittered:
            pictures = jitter_colors(pictures, rng)
        source_attributes, driving_attributes = torch.from_numpy(pair.attributes).split(1)
        contours = torch.cat([draw_contours(own, own_regions)[part], draw_contours(moved, regions)[part]])
        return {name: to_channels(pixels) for name, pixels in pictures.items()} | {
            "contours": contours,
            "attention": (contours[1:] > 0).byte() * 255,
            "confidence": torch.full((1, WINDOW, WINDOW), 255, dtype=torch.uint8),
            "attributes_source": source_attributes[0],
            "attributes_driving": limit_attributes(source_attributes, driving_attributes)[0],
            "seed": torch.tensor(int(rng.integers(2**62))),
        }


def jitter_windows(
    regions: list[Region], own: list[Region], rng: np.random.Generator
) -> tuple[list[Region], list[Region]]:
    """Move, zoom and turn the windows of a frame and of its source alike.

    Args:
        regions: Windows of the frame.
        own: Windows of the source.
        rng: Draws the changes.

    Returns:
        The changed windows of both.
    """
    (right, down), zoom, turn = rng.uniform(-SHIFT, SHIFT, 2), 1 + rng.uniform(-ZOOM, ZOOM), rng.uniform(-TURN, TURN)

    def change(region: Region) -> Region:
        cos, sin = math.cos(region.angle) * region.side, math.sin(region.angle) * region.side
        x, y = region.x + right * cos - down * sin, region.y + right * sin + down * cos
        return replace(region, x=x, y=y, side=zoom * region.side, angle=region.angle + turn)

    return [change(region) for region in regions], [change(region) for region in own]
