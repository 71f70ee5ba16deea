"""Applies a renderer to coarse frames."""

from dataclasses import replace
from itertools import groupby

from torch import nn

from fadm.animation.part_drawer import PartDrawer
from fadm.coarse.generators import DrawnFrame
from fadm.device import count_workers
from fadm.rendering.compositing import View, render_views
from fadm.rendering.frame_conditions import ConditionBuilder, crop_within
from fadm.rendering.options import RenderOptions
from fadm.rendering.renderer import DiffusionRenderer

SMALL_NETWORK = 20_000_000  # parameters up to which frames are rendered in threads of their own


class Refiner:
    """Renders the frames of one animation, at their own resolution.

    Attributes:
        workers: Threads in which frames may be rendered at once, each frame for itself.
        batch: Frames that are best rendered together where there is one worker.
    """

    def __init__(
        self,
        renderer: DiffusionRenderer,
        options: RenderOptions,
        conditions: ConditionBuilder,
        first_frame: int = 0,
        parts: PartDrawer | None = None,
    ) -> None:
        """Keep what all frames share.

        Args:
            renderer: The network, on the device of the conditions.
            options: How it renders.
            conditions: Builds the conditions of each frame.
            first_frame: Number of the motion's first frame, on which the noise depends.
            parts: Draws mouth and eyes; None leaves them to the renderer.
        """
        self._renderer, self._options, self._conditions, self._first = renderer, options, conditions, first_frame
        self._parts = parts
        on_cpu = conditions.device.type == "cpu"
        self.batch = 1 if on_cpu else 8  # frames in a batch are no faster on a CPU
        self.workers = count_workers() if on_cpu and _is_small(renderer) else 1

    def refine(self, frames: list[DrawnFrame]) -> list[DrawnFrame]:
        """Render successive frames.

        Args:
            frames: Coarse frames in order.

        Returns:
            The frames rendered, those without a face as they are.
        """
        refined: list[DrawnFrame] = []
        for has_face, group in groupby(frames, lambda drawn: drawn.crop is not None):
            successive = list(group)
            refined += self._render(successive) if has_face else successive
        return refined

    def _render(self, frames: list[DrawnFrame]) -> list[DrawnFrame]:
        """Render successive frames with a face: the noise of each is that of its number."""
        conditions, device = self._conditions.build(frames), self._conditions.device
        source = self._conditions.source
        views = [View(drawn.view.to(device), crop_within(drawn), source, drawn.confidence) for drawn in frames]
        first = self._first + frames[0].index
        rendered = render_views(self._renderer, self._options, conditions, views, first)
        if self._parts is not None:
            self._parts.draw(frames, rendered, conditions, first)
        return [replace(drawn, view=view.to(drawn.view.device)) for drawn, view in zip(frames, rendered, strict=True)]


def _is_small(network: nn.Module) -> bool:
    """Whether it is faster in one thread for each frame than in all threads for one."""
    return sum(parameter.numel() for parameter in network.parameters()) < SMALL_NETWORK
