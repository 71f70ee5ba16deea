"""The hidden side of a turned face, on a face that the model turns and a picture whose colour tells the place."""

import numpy as np
import torch

from fadm.attributes.face_attributes import FaceAttributes
from fadm.attributes.landmark_model import load_landmark_model, pose_landmarks
from fadm.coarse.geometric import eyes, generator
from fadm.coarse.geometric.generator import drive_source, prepare_source
from fadm.coarse.geometric.hidden import find_hidden_side, measure_facing
from fadm.face import topology
from fadm.face.raster import rasterize
from fadm.media.crop import Square

SIDE = 128
MODEL = load_landmark_model()
WHOLE = Square(0, 0, SIDE)


def turned_face(yaw: float) -> np.ndarray:
    """Landmarks (478, 3) of the mean face, turned to its left by degrees."""
    pose = torch.zeros(1, 6)
    pose[0, 1] = -np.deg2rad(yaw)
    camera = torch.tensor([[40.0, 64.0, 50.0]])
    attributes = FaceAttributes(torch.zeros(1, 50), pose, camera, torch.zeros(1, 4), torch.zeros(1, 2))
    return pose_landmarks(MODEL.mean[None], attributes)[0].numpy()


def painted(landmarks: np.ndarray) -> torch.Tensor:
    """A grey face on black: red tells a place that no part of the face covers."""
    covered = rasterize(landmarks, topology.surface_triangles(), SIDE, SIDE)[0] >= 0
    picture = np.where(covered[..., None], 0.6, np.array([1.0, 0.0, 0.0])).astype(np.float32)
    return torch.from_numpy(picture).permute(2, 0, 1)[None]


def test_a_face_from_the_front_faces_the_camera_and_its_sides_do_not():
    facing = measure_facing(turned_face(0)[: topology.NUM_SURFACE])
    assert facing[topology.NOSE_TIP] > 0.7 and facing[151] > 0.9
    assert facing[topology.EAR_LEFT] < 0.5
    turned = measure_facing(turned_face(40)[: topology.NUM_SURFACE])
    assert turned[topology.EAR_LEFT] < 0 < facing[topology.EAR_LEFT] + 0.5
    assert turned[topology.EAR_RIGHT] > facing[topology.EAR_RIGHT]


def test_only_a_turned_face_hides_a_side():
    front, turned = turned_face(0), turned_face(35)
    assert find_hidden_side(painted(front), front) is None
    hidden = find_hidden_side(painted(turned), turned)
    assert hidden is not None
    across = MODEL.mean[: topology.NUM_SURFACE, 0].numpy()
    assert hidden.share[across > 0.2].mean() > 0.3 and hidden.share[across < -0.2].max() == 0


def test_the_hidden_cheek_comes_into_view_without_the_background():
    turned, front = turned_face(35), turned_face(0)
    state = prepare_source(painted(turned), turned, np.ones((64, 64), np.float32), WHOLE, WHOLE, SIDE)
    frame = drive_source(state, torch.from_numpy(front), torch.from_numpy(front)).frame[0]
    cheek = front[[425, 280, 411], :2].round().astype(int)  # on the side that was hidden
    shown = frame[:, cheek[:, 1], cheek[:, 0]]
    assert float((shown - 0.6).abs().max()) < 0.1
    at_rest = drive_source(state, torch.from_numpy(turned), torch.from_numpy(turned)).frame
    assert float((at_rest - state.picture).abs().max()) < 1e-3


def test_no_tensor_stays_behind_on_another_device(monkeypatch):
    monkeypatch.setattr(generator, "find_glasses", lambda picture, landmarks: 0.0)
    monkeypatch.setattr(eyes, "_read", lambda picture, frame, local: np.full((*local.shape[:-1], 3), 0.5))
    turned = turned_face(35)
    picture = painted(turned).to("meta")
    state = prepare_source(picture, turned, np.ones((64, 64), np.float32), WHOLE, WHOLE, SIDE)
    opened = torch.from_numpy(turned_face(0))
    opened[list(topology.INNER_LOWER_LIP[1:-1]), 1] += 5
    assert drive_source(state, opened, torch.from_numpy(turned_face(0))).frame.device.type == "meta"
