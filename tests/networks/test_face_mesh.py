import pytest
import torch
import torch.nn.functional as F
from skimage import data

from fadm.errors import WeightsError
from fadm.face.litert import Model
from fadm.face.topology import FACE_OVAL, NUM_LANDMARKS
from fadm.face.tracker import FaceTracker
from fadm.networks import face_mesh
from fadm.networks.face_mesh import SIDE, cut_face_windows, landmark_distance, load_face_mesh

STILL = torch.zeros(1, 2)


@pytest.fixture(scope="module")
def mesh():
    return load_face_mesh()


@pytest.fixture(scope="module")
def portrait():
    """The astronaut (1, 3, 512, 512) and the tracker's landmarks (1, 478, 3)."""
    pixels = data.astronaut()
    with FaceTracker(is_video=False) as tracker:
        landmarks = torch.from_numpy(tracker.track(pixels)[0].landmarks)[None]
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255, landmarks


def within(landmarks, jitter):
    """Landmarks in the pixels of the window, by looking up a picture whose colours are its coordinates."""
    y, x = torch.meshgrid(torch.arange(512.0), torch.arange(512.0), indexing="ij")
    places = cut_face_windows(torch.stack([x, y, torch.ones_like(x)])[None], landmarks, jitter)[0, :2].flatten(1).T
    nearest = torch.cdist(landmarks[0, :, :2], places).argmin(1)
    return torch.stack([nearest % SIDE, nearest // SIDE], 1).float()


@pytest.mark.parametrize("jitter", [(0.0, 0.0), (0.15, -0.1), (-0.2, 0.15)])
def test_it_sees_what_the_tracker_sees(mesh, portrait, jitter):
    picture, landmarks = portrait
    jitter = torch.tensor([jitter])
    with torch.no_grad():
        seen = mesh(cut_face_windows(picture, landmarks, jitter))
    assert seen.shape == (1, NUM_LANDMARKS, 3)
    apart = (seen[0, :, :2] - within(landmarks, jitter)).abs()
    assert float(apart.mean()) < 1  # of 256
    assert float(apart[list(FACE_OVAL)].mean()) < 4


def test_the_window_holds_the_face_upright(portrait):
    _, landmarks = portrait
    turned = landmarks.clone()
    turned[..., :2] = (landmarks[..., :2] - 256) @ torch.tensor([[0.0, 1.0], [-1.0, 0.0]]) + 256
    assert torch.allclose(within(turned, STILL), within(landmarks, STILL), atol=2)
    small, large = (within(landmarks, torch.tensor([[0.0, zoom]])) for zoom in (0.2, -0.2))
    factor = (large - large.mean(0)).norm() / (small - small.mean(0)).norm()
    assert float(factor) == pytest.approx(torch.tensor(0.4).exp().item(), rel=0.03)


def test_a_moved_face_is_apart_by_its_motion(mesh, portrait):
    picture, landmarks = portrait
    assert landmark_distance(mesh, picture, picture, landmarks, STILL).item() == 0
    moved = F.pad(picture, (4, -4, 0, 0), mode="replicate")  # to the right
    surface = landmarks[0, :, :2]
    side = 1.5 * float((surface.amax(0) - surface.amin(0)).max())  # of the window, nearly upright here
    distance = landmark_distance(mesh, moved, picture, landmarks, STILL).item()
    assert distance == pytest.approx(4 / side / 2, rel=0.25)  # the mean of x, which moved, and y, which did not


def test_its_gradient_moves_the_face_back(mesh, portrait):
    picture, landmarks = portrait
    moved = F.pad(picture, (4, -4, 0, 0), mode="replicate").requires_grad_()
    landmark_distance(mesh, moved, picture, landmarks, STILL).sum().backward()
    assert torch.isfinite(moved.grad).all() and moved.grad.abs().sum() > 0
    assert not any(p.requires_grad for p in mesh.parameters())


def test_half_precision_around_it_costs_no_digits(mesh, portrait):
    picture, landmarks = portrait
    noisy = (picture + 0.02 * torch.randn(picture.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    exact = landmark_distance(mesh, noisy, picture, landmarks, STILL)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(landmark_distance(mesh, noisy, picture, landmarks, STILL), exact)


def test_it_computes_what_the_tracker_runs(mesh, portrait):
    window = cut_face_windows(*portrait, STILL)
    landmarks, *_ = Model("face_landmarks_detector")(window.permute(0, 2, 3, 1).contiguous().numpy())
    with torch.no_grad():
        torch.testing.assert_close(mesh(window).flatten(), torch.from_numpy(landmarks).flatten(), atol=2e-3, rtol=0)


def test_another_file_is_named(monkeypatch):
    monkeypatch.setattr(face_mesh, "read_tflite", lambda path: {"conv2d_81/Conv2D": torch.zeros(16, 3, 3, 3)})
    with pytest.raises(WeightsError, match="does not fit FaceMesh"):
        load_face_mesh()
