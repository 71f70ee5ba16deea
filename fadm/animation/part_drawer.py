"""Draws mouth and eyes of rendered frames by a renderer of their own."""

from functools import lru_cache

import torch
from torch import Tensor

from fadm.coarse.generators import DrawnFrame
from fadm.coarse.source import PreparedSource
from fadm.media.crop import to_tensor
from fadm.rendering.conditions import Conditions, inference_conditions
from fadm.rendering.options import RenderOptions
from fadm.rendering.parts import (
    WINDOW,
    cut_part,
    draw_contours,
    limit_attributes,
    native_size,
    part_regions,
    region_within,
    set_part,
)
from fadm.rendering.renderer import DiffusionRenderer
from fadm.rendering.repair import apply_repair, resize


class PartDrawer:
    """Draws mouth and eyes of one source's frames, from their coarse frames."""

    def __init__(
        self, renderer: DiffusionRenderer, options: RenderOptions, prepared: PreparedSource, device: torch.device
    ) -> None:
        """Keep what all frames share.

        Args:
            renderer: The network.
            options: How it renders.
            prepared: The source.
            device: Where the frames are drawn.
        """
        self._renderer, self._options = renderer, options
        landmarks = prepared.face.landmarks[0].numpy()
        self._own = part_regions(landmarks)
        self._contours = (draw_contours(landmarks, self._own).float() / 255).to(device)
        picture = to_tensor(prepared.picture).to(device)
        self._source = lru_cache(maxsize=16)(lambda part, size: cut_part(picture, self._own[part], size))

    def draw(self, frames: list[DrawnFrame], rendered: list[Tensor], conditions: Conditions, first: int) -> None:
        """Set mouth and eyes into rendered frames, in place.

        Args:
            frames: The coarse frames; those without landmarks stay as they are.
            rendered: Their views (1, 3, S, S), rendered.
            conditions: The conditions of their rendering, of which the attributes are used.
            first: Number of the first frame in its video, on which the noise depends.
        """
        for i, (drawn, view) in enumerate(zip(frames, rendered, strict=True)):
            if drawn.landmarks is not None:
                one = slice(i, i + 1)
                source, driving = conditions.attributes_source[one], conditions.attributes_driving[one]
                attributes = source, limit_attributes(source, driving)
                self._draw(drawn, view, attributes, first + i)

    def _draw(self, drawn: DrawnFrame, view: Tensor, attributes: tuple[Tensor, Tensor], number: int) -> None:
        """Draw the windows of one frame into its rendered view (1, 3, S, S)."""
        assert drawn.landmarks is not None and drawn.carried is not None
        coarse, factor = drawn.view.to(view.device), view.shape[-1] / drawn.window.side
        placed = part_regions(drawn.carried.numpy())
        contours = draw_contours(drawn.landmarks.numpy(), placed).to(view.device).float() / 255
        regions = [region_within(region, drawn.window, factor) for region in placed]
        sizes = [native_size(factor * own.side) for own in self._own]  # the same for all frames
        cuts = [cut_part(coarse, region, size) for region, size in zip(regions, sizes, strict=True)]
        conditions = inference_conditions(
            torch.cat([resize(cut, (WINDOW, WINDOW)) for cut in cuts]),
            attributes[0].expand(len(cuts), -1),
            attributes[1].expand(len(cuts), -1),
            source=torch.cat([self._source(part, WINDOW) for part in range(len(cuts))]),
            contours=torch.cat([self._contours, contours], 1),
        )
        rendering = self._renderer.render(conditions, self._options, len(cuts) * number)
        for part, (region, cut) in enumerate(zip(regions, cuts, strict=True)):
            one = slice(part, part + 1)
            picture = rendering.pictures[one]
            if rendering.repair is not None and cut.shape[-1] > WINDOW:
                picture = apply_repair(rendering.repair[one], cut, self._source(part, cut.shape[-1])).clamp(0, 1)
            set_part(view, region, picture)
