from dataclasses import fields, replace
from fractions import Fraction
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from fadm.animation.animator import Animator
from fadm.animation.frames import make_frames
from fadm.animation.refiner import SMALL_NETWORK, Refiner
from fadm.attributes.anchoring import AnchoredMotion
from fadm.attributes.deca import DECA
from fadm.attributes.landmark_model import fit_face, load_landmark_model
from fadm.attributes.motion import Motion, make_still_motion
from fadm.coarse.generators import DrawnFrame, GeometricGenerator
from fadm.device import count_workers
from fadm.errors import OptionError
from fadm.face.segmentation import segment_people
from fadm.media.compose import feather_mask
from fadm.media.crop import Square, cut_square, to_pixels, to_tensor
from fadm.options import Gains, SourceOptions
from fadm.rendering.compositing import blend_rendered
from fadm.rendering.frame_conditions import (
    ConditionBuilder,
    DecaAttributes,
    MovedAttributes,
    TrackedAttributes,
    read_deca,
)
from fadm.rendering.options import RendererConfig, RenderOptions
from fadm.rendering.presets import get_preset
from fadm.rendering.renderer import Rendering
from fadm.rendering.repair import Repair, apply_repair
from tests.attributes.made_up import make_attributes, make_identity, make_landmarks
from tests.face.portraits import read_portrait
from tests.media.samples import ASTRONAUT
from tests.reference import blob, uniform
from tests.tiny_networks import make_deca, make_renderer, tiny_networks

CPU = torch.device("cpu")
MODEL = load_landmark_model()
WINDOW, CROP = Square(-20, 30, 160), Square(20, 60, 80)  # in the picture; the view has half as many pixels
INNER = Square(20, 15, 40)  # the crop in the view
NUM_FRAMES, NO_FACE = 6, (2, 3)
SOURCE = SimpleNamespace(
    picture=to_pixels(0.2 + 0.6 * blob("source", (1, 3, 300, 320))),
    crop=Square(10, 20, 256),
    region=Square(-50, -20, 400),
    person=torch.ones(1, 1, 256, 256),
)


class StubRenderer(torch.nn.Module):
    """Adds the same to every frame, or repairs it, and remembers what it was given."""

    def __init__(self, amount: float = 0.0, repair: Repair | None = None, use_person: bool = False) -> None:
        super().__init__()
        self.amount, self.repair, self.given = amount, repair, []
        self.config = RendererConfig(use_person=use_person)

    def render(self, conditions, options, first_frame=0):
        self.given.append((conditions, first_frame))
        if self.repair is not None:
            return Rendering(apply_repair(self.repair, conditions.coarse, conditions.source), self.repair)
        return Rendering(conditions.coarse + self.amount, None)


class Zeros:
    """No attributes at all."""

    def read(self, drawn: DrawnFrame, coarse: Tensor) -> Tensor:
        return torch.zeros(1, 56)


@pytest.fixture(scope="module")
def deca(tmp_path_factory) -> DECA:
    with tiny_networks(tmp_path_factory.mktemp("home")):
        return make_deca()


@pytest.fixture(scope="module")
def motion() -> Motion:
    return Motion(
        attributes=make_attributes(NUM_FRAMES),
        is_tracked=torch.ones(NUM_FRAMES, dtype=torch.bool),
        shot=torch.zeros(NUM_FRAMES, dtype=torch.int64),
        identity=make_identity(MODEL),
        pts=torch.arange(NUM_FRAMES),
        time_base=Fraction(1, 25),
        rate=Fraction(25),
    )


def draw(index: int, view: Tensor | None = None, **values) -> DrawnFrame:
    given = {"window": WINDOW, "crop": CROP} | values
    return DrawnFrame(index, 0.2 + 0.6 * blob(f"view {index}", (1, 3, 80, 80)) if view is None else view, **given)


def video() -> list[DrawnFrame]:
    return [draw(index, crop=None if index in NO_FACE else CROP) for index in range(NUM_FRAMES)]


def make_refiner(renderer=None, reader=None, source=SOURCE, **changes) -> Refiner:
    renderer = renderer or make_renderer()
    options = replace(RenderOptions(num_steps=2, precision="float32"), **changes)
    has_person = renderer.config.use_person
    conditions = ConditionBuilder(source, torch.zeros(1, 56), reader or Zeros(), CPU, has_person=has_person)
    return Refiner(renderer, options, conditions)


def refine(frames: list[DrawnFrame], *given, batch=1, workers=1, **options) -> list[DrawnFrame]:
    refiner = make_refiner(*given, **options)
    return list(make_frames(frames, lambda drawn: drawn, refiner.refine, batch=batch, workers=workers))


def test_no_correction_leaves_frames_as_they_are():
    for before, after in zip(video(), refine(video(), StubRenderer(0.0)), strict=True):
        assert torch.equal(before.view, after.view)
        others = [field.name for field in fields(before) if field.name != "view"]
        assert all(getattr(after, name) is getattr(before, name) for name in others)


@pytest.mark.parametrize("amount", [0.1, -0.15])
def test_a_correction_fades_at_the_border_of_the_crop(amount):
    before = draw(0)
    (after,) = refine([before], StubRenderer(amount))
    change = after.view - before.view
    rows, columns = slice(INNER.top, INNER.top + 40), slice(INNER.left, INNER.left + 40)
    expected = amount * feather_mask(40).expand(1, 3, 40, 40)
    torch.testing.assert_close(change[..., rows, columns], expected, atol=1e-6, rtol=1e-5)
    assert change[0, :, 35, 40].tolist() == pytest.approx([amount] * 3, rel=1e-5)
    change[..., rows, columns] = 0
    assert not change.any()


def test_a_view_that_is_the_crop_is_corrected_up_to_its_border():
    before = draw(0, window=CROP)
    (after,) = refine([before], StubRenderer(0.1))
    torch.testing.assert_close(after.view, before.view + 0.1)


def test_results_stay_in_range():
    (after,) = refine([draw(0)], StubRenderer(5.0))
    assert after.view.max() == 1 and after.view.min() >= 0


def test_the_renderer_sees_the_crop():
    renderer = StubRenderer(0.0)
    refine([draw(4)], renderer)
    ((conditions, first_frame),) = renderer.given
    assert conditions.source is not None and torch.equal(
        conditions.source, cut_square(to_tensor(SOURCE.picture), SOURCE.crop)
    )
    torch.testing.assert_close(conditions.coarse, cut_square(draw(4).view, INNER, 256))
    assert conditions.appearance is conditions.coarse and first_frame == 4 and conditions.person is None


@pytest.mark.parametrize("batch", [1, 4])
def test_the_renderer_is_given_where_the_person_is(batch):
    """In the source and in each frame, of which more is seen than the crop."""
    portrait = read_portrait()
    picture = to_tensor(portrait.pixels)
    crop, region = Square(64, 64, 128), Square(0, 0, 256)
    renderer = StubRenderer(use_person=True)
    views = [picture, picture.flip(3)]
    drawn = [draw(index, view, window=region, crop=crop) for index, view in enumerate(views)]
    person = segment_people(cut_square(picture, region, 256))
    refine(
        drawn,
        renderer,
        None,
        SimpleNamespace(picture=portrait.pixels, crop=crop, region=region, person=person),
        batch=batch,
    )
    given = torch.cat([conditions.person for conditions, _ in renderer.given])
    expected = [cut_square(segment_people(view), crop, 256)[0, 0] for view in views]
    torch.testing.assert_close(given, torch.stack([torch.stack([expected[0], e]) for e in expected]))


@pytest.mark.parametrize("is_crop", [True, False])
def test_the_person_is_carried_along_by_the_flow(is_crop):
    """Segmenting the frame itself says the same, less surely where it is the crop alone."""
    animator = Animator(device="cpu")
    source = animator.prepare(ASTRONAUT, SourceOptions(crop=is_crop, size=256))
    attributes = source.face.attributes
    turned = replace(attributes, pose=attributes.pose + torch.tensor([0.0, 0.0, 0.4, 0.0, 0.0, 0.0]))  # radians
    motion = make_still_motion([attributes, turned], source.face.identity)
    anchored = AnchoredMotion(motion, {}, torch.arange(2))
    drawn = GeometricGenerator(animator.model, source, CPU).follow(anchored, Gains()).draw(1, None)
    builder = ConditionBuilder(source, attributes.vector, Zeros(), CPU, has_person=True)
    carried, seen = (builder.build([frame]).person for frame in (drawn, replace(drawn, flow=None)))
    assert carried.shape == seen.shape == (1, 2, 256, 256) and torch.equal(carried[:, 0], seen[:, 0])
    assert float((carried[:, 1] - carried[:, 0]).abs().mean()) > 0.05
    assert float((carried[:, 1] - seen[:, 1]).abs().mean()) < (0.1 if is_crop else 0.03)


def test_a_correction_for_a_small_crop_is_not_aliased():
    """Stripes finer than the view's pixels have no effect on average."""
    stripes = (torch.arange(1, 257) % 4 < 2).float().expand(1, 3, 256, 256) - 0.5
    grey = torch.full((1, 3, 256, 256), 0.5)
    change = blend_rendered(grey[..., :64, :64], Square(0, 0, 64), grey + stripes, stripes, None) - 0.5
    assert float(change[..., 4:-4].abs().max()) < 0.02


def test_detail_stays_where_the_view_is_trusted_and_is_rendered_where_it_is_not():
    view = 0.5 + 0.2 * (torch.arange(512) % 2).float().expand(1, 3, 512, 512)  # finer than the renderer sees
    rendered = torch.full((1, 3, 256, 256), 0.3)
    confidence = torch.ones(1, 1, 512, 512)
    confidence[..., 256:] = 0
    after = blend_rendered(view, Square(0, 0, 512), rendered, torch.full_like(rendered, -0.3), confidence)
    assert torch.allclose(after[..., :256], view[..., :256] - 0.3, atol=1e-5)
    assert torch.allclose(after[..., 256:], torch.tensor(0.3), atol=1e-5)


@pytest.mark.parametrize("batch", [1, 2])
def test_a_repair_is_made_with_the_detail_of_view_and_source(batch):
    """Pixels that the renderer never saw are moved, and taken from the source, as they are."""
    window = Square(0, 0, 512)
    views = [uniform(f"fine {index}", (1, 3, 512, 512)) for index in range(2)]
    mask = torch.zeros(2, 1, 256, 256)
    mask[..., 128:] = 1
    repair = Repair(torch.zeros(2, 3, 256, 256), mask, torch.tensor([0.5, 0.0]).view(1, 2, 1, 1).expand(2, 2, 64, 64))
    frames = [draw(index, view, window=window, crop=window) for index, view in enumerate(views)]
    after = refine(frames, StubRenderer(repair=repair[:batch]), batch=batch)
    source = cut_square(to_tensor(SOURCE.picture), SOURCE.crop, 512)
    for view, drawn in zip(views, after, strict=True):
        assert torch.allclose(drawn.view[..., :240], view[..., 4:244], atol=1e-4)  # half of one of 64 patches
        assert torch.allclose(drawn.view[..., 272:], source[..., 272:], atol=1e-4)


@pytest.mark.parametrize(("batch", "workers"), [(1, 1), (3, 1), (8, 1), (1, 3)])
def test_order_and_noise_do_not_depend_on_the_batch(batch, workers):
    after = refine(video(), batch=batch, workers=workers, shared_noise=False)
    alone = [refine([drawn], shared_noise=False)[0] for drawn in video()]
    assert [drawn.index for drawn in after] == list(range(NUM_FRAMES))
    for index, (together, by_itself) in enumerate(zip(after, alone, strict=True)):
        torch.testing.assert_close(together.view, by_itself.view, atol=1e-4, rtol=0)
        assert torch.equal(together.view, video()[index].view) == (index in NO_FACE)


def test_frames_are_taken_a_batch_at_a_time():
    taken = []

    def frames():
        for drawn in video():
            taken.append(drawn.index)
            yield drawn

    refined = make_frames(frames(), lambda drawn: drawn, make_refiner(StubRenderer(0.0)).refine, batch=2)
    assert next(refined).index == 0 and taken == [0, 1]


@pytest.mark.parametrize(("size", "is_alone"), [(SMALL_NETWORK - 1, False), (SMALL_NETWORK, True)])
def test_large_networks_have_all_threads_for_one_frame(size, is_alone):
    renderer = StubRenderer()
    renderer.weight = torch.nn.Parameter(torch.empty(size, device="meta"))
    assert make_refiner(renderer).workers == (1 if is_alone else count_workers())


def test_shared_noise_gives_identical_frames_the_same_correction():
    frames = [replace(draw(0), index=index) for index in range(2)]
    first, second = refine(frames, shared_noise=True)
    assert torch.equal(first.view, second.view)
    first, second = refine(frames, shared_noise=False)
    assert not torch.equal(first.view, second.view)


@pytest.mark.parametrize("preset", ["paper", "released", "default"])
def test_the_same_seed_gives_the_same_frames(preset):
    options = vars(replace(get_preset(preset).render, num_steps=2))
    first, again, other = (refine([draw(0)], **options | {"seed": seed})[0].view for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_tracked_attributes_are_the_drivers(motion):
    read = TrackedAttributes(motion).read(draw(3), uniform("coarse", (1, 3, 256, 256)))
    assert torch.equal(read, motion.attributes.vector[3:4])


def test_moved_attributes_are_the_moved_landmarks(motion):
    """What a perfect tracker would say of the coarse frame, identity known."""
    identity, asked = make_identity(MODEL, seed=1), motion.attributes[[2]]
    landmarks = make_landmarks(MODEL, asked, identity)
    drawn = draw(0, landmarks=landmarks[0])
    reader = MovedAttributes(MODEL, identity, motion)
    read = reader.read(drawn, torch.zeros(1, 3, 256, 256))
    assert torch.equal(read, MODEL.fit(landmarks, identity)[0].vector) and read.shape == (1, 56)
    torch.testing.assert_close(read[:, 50:53], asked.head, atol=0.01, rtol=0)
    assert float((read[:, :50] - fit_face(MODEL, landmarks[0]).attributes.expression).abs().max()) > 0.01
    unknown = reader.read(draw(3), torch.zeros(1, 3, 256, 256))
    assert torch.equal(unknown, motion.attributes.vector[3:4])


def test_deca_reads_the_coarse_or_the_driving_crop(deca):
    coarse, driving = uniform("coarse", (1, 3, 256, 256)), uniform("driving", (1, 3, 256, 256))
    drawn = draw(0, driving=driving)
    assert torch.equal(DecaAttributes(deca, from_coarse=True).read(drawn, coarse), read_deca(deca, coarse))
    assert torch.equal(DecaAttributes(deca, from_coarse=False).read(drawn, coarse), read_deca(deca, driving))
    with torch.inference_mode():
        assert torch.equal(read_deca(deca, coarse), deca(coarse).attributes)


def test_the_attributes_reach_the_renderer(motion):
    renderer = StubRenderer(0.0)
    refine(video(), renderer, TrackedAttributes(motion), batch=8)
    given = torch.cat([conditions.attributes_driving for conditions, _ in renderer.given])
    assert torch.equal(given, motion.attributes.vector[[0, 1, 4, 5]])
    assert not torch.cat([conditions.attributes_source for conditions, _ in renderer.given]).any()
    followed, ignored = (refine(video(), None, reader)[0].view for reader in (TrackedAttributes(motion), Zeros()))
    assert not torch.equal(followed, ignored)


def test_attributes_of_another_kind_are_refused():
    class Short(Zeros):
        def read(self, drawn, coarse):
            return torch.zeros(1, 6)

    with pytest.raises(OptionError, match=r"attributes_driving has the shape \(1, 6\), but \(1, 56\) is expected"):
        refine([draw(0)], StubRenderer(0.0), Short())
