"""The only way to render coarse frames: sample the diffusion model, then set its result into the frames' views."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fadm.media.compose import feather_mask
from fadm.media.crop import Square, cut_square
from fadm.rendering.conditions import Conditions
from fadm.rendering.options import RenderOptions
from fadm.rendering.renderer import DiffusionRenderer
from fadm.rendering.repair import Repair, apply_repair, resize


@dataclass(frozen=True)
class View:
    """A coarse frame at its own resolution.

    Attributes:
        picture: Its pixels (1, 3, S, S) in [0, 1].
        square: The square of it that the renderer's conditions show, in its pixels.
        source: Gives the source's crop (1, 3, side, side) that belongs to the square, for a side in pixels.
        confidence: How far its detail can be trusted (1, 1, S, S) in [0, 1]; None trusts all of it.
    """

    picture: Tensor
    square: Square
    source: Callable[[int], Tensor]
    confidence: Tensor | None = None


def render_views(
    renderer: DiffusionRenderer,
    options: RenderOptions,
    conditions: Conditions,
    views: Sequence[View],
    first_frame: int = 0,
) -> list[Tensor]:
    """Render successive frames of a video and set the result into their views.

    Args:
        renderer: The network.
        options: How it renders.
        conditions: Conditions of the B frames.
        views: The B frames.
        first_frame: Number of the first frame in its video, on which the noise depends.

    Returns:
        The B views (1, 3, S, S) in [0, 1], rendered.

    Raises:
        OptionError: An option is out of range, or a condition that the renderer needs is missing.
    """
    rendering = renderer.render(conditions, options, first_frame)
    rendered = []
    for i, view in enumerate(views):
        one = slice(i, i + 1)
        picture = rendering.pictures[one]
        change = picture - conditions.coarse[one]
        if rendering.repair is not None:
            change = _repair(view, rendering.repair[one])
        rendered.append(blend_rendered(view.picture, view.square, picture, change, view.confidence))
    return rendered


def _repair(view: View, repair: Repair) -> Tensor:
    """The change of a view's square by a repair, made with all the detail of view and source."""
    part = cut_square(view.picture, view.square)
    return apply_repair(repair, part, view.source(view.square.side)) - part


def blend_rendered(view: Tensor, square: Square, rendered: Tensor, change: Tensor, confidence: Tensor | None) -> Tensor:
    """Put what was rendered of a square of a view into it, at the view's resolution.

    Where the view is trusted it is changed, so that its detail stays; where it is not, the rendered picture takes its
    place. A square inside the view fades out towards its border.

    Args:
        view: The view (1, 3, S, S) in [0, 1].
        square: The square, in its pixels.
        rendered: The square as it should be (1, 3, h, h).
        change: What is to be added to the view, of the size of `rendered` or of the square.
        confidence: Trust in the view (1, 1, S, S) in [0, 1]; None is 1 everywhere.

    Returns:
        The new view (1, 3, S, S) in [0, 1].
    """
    size = (square.side, square.side)
    rows, columns = slice(square.top, square.top + square.side), slice(square.left, square.left + square.side)
    part, change = view[..., rows, columns], resize(change, size)
    if confidence is not None:
        confidence = confidence[..., rows, columns].to(view.device)
        change = torch.lerp(resize(rendered, size) - part, change, confidence)
    if square.side < view.shape[-1]:
        change = change * feather_mask(square.side).to(change)
    view = view.clone()
    view[..., rows, columns] += change
    return view.clamp(0, 1)
