"""Mouth and eyes set into rendered frames."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from fadm.animation.animator import Animator
from fadm.animation.part_drawer import PartDrawer
from fadm.attributes.anchoring import AnchoredMotion
from fadm.attributes.landmark_model import load_landmark_model
from fadm.attributes.motion import make_still_motion
from fadm.coarse.generators import DrawnFrame, GeometricGenerator
from fadm.options import Gains, SourceOptions
from fadm.rendering.conditions import inference_conditions
from fadm.rendering.options import RenderOptions
from fadm.rendering.parts import WINDOW
from fadm.rendering.renderer import DiffusionRenderer, Rendering
from fadm.rendering.repair import Repair
from fadm.training.recipes import read_recipe
from tests.face.portraits import read_portrait
from tests.training.test_recipes import SMALL

CPU = torch.device("cpu")
ONE_STEP = RenderOptions(sampler="ddim", num_steps=1, eta=0.0, clip=(0.0, 1.0), shared_noise=True)


class Painter(torch.nn.Module):
    """Paints the windows green, by its pictures or by a repair, and remembers its conditions."""

    def __init__(self, *, repairs: bool) -> None:
        super().__init__()
        self.repairs, self.given = repairs, []

    def render(self, conditions, options, first_frame=0):
        self.given.append((conditions, first_frame))
        green = torch.zeros_like(conditions.coarse)
        green[:, 1] = 1
        count = len(green)
        repair = Repair(green - conditions.coarse, torch.zeros(count, 1, 4, 4), torch.zeros(count, 2, 4, 4))
        return Rendering(green, repair if self.repairs else None)


@pytest.fixture(scope="module")
def prepared():
    return Animator(device="cpu").prepare(read_portrait().pixels, SourceOptions(crop=True, size=256))


@pytest.fixture(scope="module")
def frame(prepared) -> DrawnFrame:
    own = prepared.face.attributes
    wide = replace(own, expression=own.expression.clone(), pose=own.pose + torch.tensor([0, 0, 0, 0.2, 0, 0]))
    motion = make_still_motion([own, wide], prepared.face.identity)
    anchored = AnchoredMotion(motion, {0: 0}, torch.arange(2))
    return GeometricGenerator(load_landmark_model(), prepared, CPU).follow(anchored, Gains()).draw(1, None)


def draw(renderer, prepared, frame: DrawnFrame, first: int = 0) -> Tensor:
    view = frame.view.clone()
    conditions = inference_conditions(torch.zeros(1, 3, 8, 8), torch.ones(1, 56), torch.zeros(1, 56))
    PartDrawer(renderer, ONE_STEP, prepared, CPU).draw([frame], [view], conditions, first)
    return view


def test_an_untrained_renderer_leaves_the_frame_as_it_is(prepared, frame):
    config = read_recipe("renderer", SMALL.with_stem("parts_small")).objective.renderer
    view = draw(DiffusionRenderer(config).eval(), prepared, frame)
    assert (view - frame.view).abs().mean() < 2e-3  # resampled


@pytest.mark.parametrize("repairs", [False, True])
def test_mouth_and_eyes_are_drawn_and_nothing_else(prepared, frame, repairs):
    view = draw(Painter(repairs=repairs), prepared, frame)
    factor = view.shape[-1] / frame.window.side
    corner = torch.tensor([frame.window.left, frame.window.top])
    places = (frame.carried[[13, 159, 386, 151, 10, 152], :2] - corner + 0.5) * factor - 0.5
    columns, rows = places.round().long().unbind(1)
    green = (view[0, :, rows, columns].T - torch.tensor([0.0, 1, 0])).abs().amax(1) < 0.02
    assert green.tolist() == [True, True, True, False, False, False]  # lips, lids; brow, hair, chin


def test_the_windows_are_conditioned_on_source_contours_and_attributes(prepared, frame):
    painter = Painter(repairs=True)
    draw(painter, prepared, frame, first=5)
    ((given, first),) = painter.given
    assert given.source.shape == given.coarse.shape == (3, 3, WINDOW, WINDOW) and first == 15
    assert (given.attributes_source == 1).all() and given.attributes_source.shape == (3, 56)
    open_in_source, open_now = (given.contours[0] > 0.6).sum((1, 2)).tolist()
    assert open_now > open_in_source + 100  # the jaw has dropped


def test_frames_without_landmarks_stay(prepared, frame):
    other = replace(frame, landmarks=None, carried=None)
    assert torch.equal(draw(Painter(repairs=True), prepared, other), frame.view)
