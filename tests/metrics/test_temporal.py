import math

import pytest
import torch
import torch.nn.functional as F

from fadm.metrics.landmarks import average_keypoint_distance
from fadm.metrics.temporal import flicker, jitter_against, landmark_jitter, stabilise, still_mask, warp_error
from tests.face.portraits import read_portrait

EVERYWHERE = torch.ones(1, 1, 8, 8)


def make_video(levels):
    return torch.tensor(levels)[:, None, None, None].expand(-1, 3, 8, 8)


def test_a_frozen_video_and_a_steady_change_do_not_flicker():
    assert flicker(make_video([0.3, 0.3, 0.3, 0.3]), EVERYWHERE).tolist() == [0, 0]
    assert flicker(make_video([0.1, 0.2, 0.3, 0.4]), EVERYWHERE).tolist() == pytest.approx([0, 0], abs=1e-6)


def test_what_goes_back_and_forth_flickers():
    assert flicker(make_video([0.5, 0.6, 0.5]), EVERYWHERE).tolist() == pytest.approx([0.2])


def test_flicker_counts_only_where_every_frame_is_in_the_mask():
    video = make_video([0.5, 0.6, 0.5]).clone()
    video[:, :, :4] = 0.0
    mask = torch.ones(3, 1, 8, 8)
    mask[1, :, 4:] = 0
    assert flicker(video, mask).tolist() == [0]


def test_the_still_part_is_where_the_reference_rests():
    video = make_video([0.5, 0.51, 0.5]).clone()
    video[1, 2, :, :3] += 0.1
    assert still_mask(video)[0, 0].all(dim=0).tolist() == [False] * 3 + [True] * 5


def test_a_turned_and_moved_portrait_is_brought_back():
    """What is left is one interpolation; unstabilised it is many times more."""
    portrait = read_portrait()
    picture = torch.from_numpy(portrait.pixels).permute(2, 0, 1)[None].float() / 255
    angle, scale, shift = 0.1, 1.05, torch.tensor([4.0, -3.0])
    turn = scale * torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    landmarks = torch.from_numpy(portrait.landmarks)[:, :2]
    center = torch.full((2,), 127.5)
    moved_landmarks = (landmarks - center) @ turn.T + center + shift
    inverse = torch.linalg.inv(turn)
    theta = torch.cat([inverse, (-inverse @ shift / 128)[:, None]], dim=1)[None]
    moved = F.grid_sample(picture, F.affine_grid(theta, picture.shape, align_corners=False), align_corners=False)
    video = torch.cat([picture, moved])
    stable = stabilise(video, torch.stack([landmarks, moved_landmarks]))
    face = (slice(None), slice(60, 200), slice(60, 200))
    before, after = ((frames[0] - frames[1])[face].abs().mean().item() for frames in (video, stable))
    torch.testing.assert_close(stable[0], picture[0], atol=1e-4, rtol=0)
    assert after < 0.2 * before


def test_a_frame_without_a_face_cannot_be_stabilised():
    face = torch.rand(478, 2, generator=torch.Generator().manual_seed(0)) * 8
    absent = torch.full_like(face, torch.nan)
    video = make_video([0.1, 0.2, 0.3, 0.3, 0.3])
    stable = stabilise(video, torch.stack([absent, face, face, face, face]))
    torch.testing.assert_close(stable[1:], video[1:])
    assert stable[0].isnan().all()
    assert flicker(stable, EVERYWHERE).isnan().tolist() == [True, False, False]
    assert stabilise(video[:1], absent[None]).isnan().all()


def test_jitter_of_known_motions():
    face = torch.rand(1, 478, 3, generator=torch.Generator().manual_seed(0)) * 200
    time = torch.arange(5.0)[:, None, None]
    steady = face + time * torch.tensor([3.0, 1.0, 0.0])
    shaking = face + (time % 2) * torch.tensor([0.3, 0.4, 9.0])
    torch.testing.assert_close(landmark_jitter(steady), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(landmark_jitter(shaking), torch.ones(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(landmark_jitter(shaking, side=512), torch.full((3,), 0.5), atol=1e-4, rtol=0)


def test_a_frozen_video_has_no_jitter_but_does_not_follow():
    face = torch.rand(1, 478, 3, generator=torch.Generator().manual_seed(0)) * 200
    driver = face + torch.tensor([0.0, 1.0, 4.0, 2.0])[:, None, None]
    frozen = face.expand(4, -1, -1)
    assert landmark_jitter(frozen).max() == 0
    torch.testing.assert_close(average_keypoint_distance(frozen, driver), torch.tensor([0.0, 1.0, 4.0, 2.0]))
    torch.testing.assert_close(jitter_against(frozen, driver), landmark_jitter(driver))
    assert jitter_against(driver, driver).max() == 0


def test_a_video_that_moves_with_the_flow_has_no_warp_error():
    generator = torch.Generator().manual_seed(0)
    strip = torch.rand(1, 3, 8, 12, generator=generator)
    video = torch.cat([strip[..., 4 - n : 12 - n] for n in range(3)])  # one pixel to the right each frame
    flow = torch.tensor([1.0, 0.0])[:, None, None].expand(2, 2, 8, 8)
    torch.testing.assert_close(warp_error(video, flow), torch.zeros(2).double(), atol=1e-9, rtol=0)
    assert (warp_error(video, torch.zeros_like(flow)) > 0.05).all()


def test_warp_error_is_squared_and_masked():
    video, flow = make_video([0.2, 0.5]).clone(), torch.zeros(1, 2, 8, 8)
    assert warp_error(video, flow).tolist() == pytest.approx([0.09])
    video[1, :, :4] = 0.2
    mask = torch.ones(1, 1, 8, 8)
    mask[:, :, 4:] = 0
    assert warp_error(video, flow, mask).tolist() == [0]
    assert warp_error(video, flow + 8).isnan().all()


def test_masks_of_another_length_are_refused():
    with pytest.raises(RuntimeError, match="expanded size"):
        flicker(make_video([0.1, 0.2, 0.3]), torch.ones(2, 1, 8, 8))
