import numpy as np
import pytest
import torch

from fadm.face.selection import track_pictures
from fadm.face.tracker import TrackedFace
from fadm.metrics.landmarks import average_keypoint_distance, axis_distance, nme_box, nme_interocular
from tests.face.portraits import picture_tracker, read_portrait


@pytest.fixture(scope="module")
def portrait():
    return torch.from_numpy(read_portrait().pixels).permute(2, 0, 1).float() / 255


@pytest.fixture(scope="module")
def tracked(portrait):
    """Landmarks of the portrait as it is, 2 px to the right, mirrored, brighter, and of a picture without a face."""
    pictures = [portrait, portrait.roll(2, dims=2), portrait.flip(2), portrait * 0.9 + 0.1, torch.zeros_like(portrait)]
    return track_pictures(pictures, picture_tracker())


def made_up_face():
    generator = torch.Generator().manual_seed(0)
    return torch.rand(1, 478, 3, generator=generator) * 200


def test_a_shift_counts_in_its_axis_alone():
    face = made_up_face()
    moved = face + torch.tensor([2.0, 0.0, 50.0])
    torch.testing.assert_close(axis_distance(face, moved), torch.tensor([[2.0, 0.0]]))
    torch.testing.assert_close(average_keypoint_distance(face, moved), torch.tensor([1.0]))


def test_distances_are_in_pixels_of_256():
    face = made_up_face()
    torch.testing.assert_close(average_keypoint_distance(face, face + 4, side=512), torch.tensor([2.0]))


def test_the_irises_do_not_count():
    face = made_up_face()
    looking = face.clone()
    looking[:, 468:] += 9
    assert average_keypoint_distance(face, looking).item() == 0


def test_normalised_errors():
    face = made_up_face()
    face[:, 33, :2], face[:, 263, :2] = torch.tensor([60.0, 100.0]), torch.tensor([140.0, 160.0])  # 100 px apart
    face[:, 0, :2], face[:, 1, :2] = torch.tensor([-50.0, -20.0]), torch.tensor([350.0, 205.0])  # 400 x 225: sqrt 300
    moved = face + torch.tensor([3.0, 4.0, 0.0])
    torch.testing.assert_close(nme_interocular(moved, face), torch.tensor([0.05]))
    torch.testing.assert_close(nme_box(moved, face), torch.tensor([5 / 300]))


def test_a_picture_moved_by_two_pixels(tracked):
    x, y = axis_distance(tracked[:1], tracked[1:2])[0]
    assert x == pytest.approx(2, abs=0.3) and y < 0.3


def test_brightness_moves_nothing_and_a_mirror_does(tracked):
    brighter, mirrored = (average_keypoint_distance(tracked[:1], tracked[n : n + 1]).item() for n in (3, 2))
    assert brighter < 0.5 and mirrored > 3 * brighter


def test_a_missing_face_is_not_measured(tracked):
    assert tracked[4].isnan().all()
    assert average_keypoint_distance(tracked[:1].expand(5, -1, -1), tracked).isnan().tolist() == [False] * 4 + [True]


def test_of_several_faces_the_largest_counts(portrait):
    class TwoFaces:
        def track(self, pixels):
            face = np.random.default_rng(0).random((478, 3), np.float32)
            return [TrackedFace(face), TrackedFace(9 * face)]

    landmarks = track_pictures([portrait], TwoFaces())
    assert landmarks.shape == (1, 478, 3) and landmarks.max() > 8


def test_no_pictures_no_landmarks():
    assert track_pictures([], picture_tracker()).shape == (0, 478, 3)


def test_another_number_of_landmarks_is_refused():
    with pytest.raises(RuntimeError, match="must match"):
        axis_distance(made_up_face(), made_up_face()[:, :68])
