"""A real face under known changes: each moves the metrics that it should, and no others."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from fadm.attributes.landmark_model import load_landmark_model
from fadm.face.masks import outline_mask
from fadm.face.selection import track_pictures
from fadm.metrics.attributes import expression_distance_l1, fit_attributes, head_angle
from fadm.metrics.identity import csim
from fadm.metrics.landmarks import average_keypoint_distance, nme_box
from fadm.metrics.perceptual import perceptual_distance
from fadm.metrics.pixel import l1, psnr, ssim
from fadm.networks.dlib_embedder import DlibEmbedder
from fadm.networks.efficientnet import load_efficientnet_lite0
from fadm.networks.face_embedder import embed_pictures
from tests.face.portraits import picture_tracker, read_portrait

CHANGES = {
    "none": lambda picture: picture,
    "brighter": lambda picture: (picture + 0.06).clamp(max=1),
    "shifted": lambda picture: picture.roll(4, dims=2),
    "mirrored": lambda picture: picture.flip(2),
    "noisy": lambda picture: picture + 0.02 * torch.randn(3, 256, 256, generator=torch.Generator().manual_seed(0)),
    "background": lambda picture: picture.clone().index_fill_(1, torch.arange(12), 0),
}


@dataclass(frozen=True)
class Measured:
    """Against the picture as it is; faces (2, 478, 3): the picture's and the changed one's."""

    values: dict[str, float]
    pictures: Tensor
    faces: Tensor


@pytest.fixture(scope="module")
def measured():
    network, model, embedder = load_efficientnet_lite0(), load_landmark_model(), DlibEmbedder()
    picture = torch.from_numpy(read_portrait().pixels).permute(2, 0, 1).float() / 255
    found = {}
    for name, change in CHANGES.items():
        pictures = torch.stack([picture, change(picture).clamp(0, 1)])
        faces = track_pictures(pictures, picture_tracker())
        attributes = fit_attributes(model, faces)
        embeddings = embed_pictures(pictures, faces, embedder)
        before, after = attributes[[0]], attributes[[1]]
        values = {
            "l1": l1(pictures[:1], pictures[1:]),
            "psnr": psnr(pictures[:1], pictures[1:]),
            "ssim": ssim(pictures[:1], pictures[1:]),
            "perceptual": perceptual_distance(network.features(pictures[:1]), network.features(pictures[1:])),
            "akd": average_keypoint_distance(faces[:1], faces[1:]),
            "nme": nme_box(faces[1:], faces[:1]),
            "csim": csim(embeddings[:1], embeddings[1:]),
            "expression": expression_distance_l1(before, after),
            "angle": head_angle(before, after),
        }
        found[name] = Measured({key: value.item() for key, value in values.items()}, pictures, faces)
    return found


def test_nothing_changes_nothing(measured):
    values = dict(measured["none"].values)
    assert values.pop("psnr") == torch.inf
    assert values.pop("ssim") == pytest.approx(1) and values.pop("csim") == pytest.approx(1)
    assert values == pytest.approx(dict.fromkeys(values, 0.0), abs=1e-3)


def test_brightness_costs_pixels_and_neither_face_nor_person(measured):
    values = measured["brighter"].values
    assert values["l1"] == pytest.approx(0.06, abs=0.005) and values["psnr"] == pytest.approx(24.5, abs=0.3)
    assert values["ssim"] > 0.9 and values["akd"] < 0.5 and values["csim"] > 0.98


def test_a_shift_costs_pixels_and_landmarks_and_neither_expression_nor_pose(measured):
    values = measured["shifted"].values
    assert values["psnr"] < 20 and values["ssim"] < 0.7
    assert values["akd"] == pytest.approx(2, abs=0.3)  # 4 px in x, 0 in y
    assert values["csim"] > 0.98 and values["angle"] < 1.5 and values["expression"] < 0.3


def test_a_mirror_turns_the_head_and_keeps_the_person(measured):
    values = measured["mirrored"].values
    assert values["psnr"] < 15 and values["angle"] > 3 * measured["shifted"].values["angle"]
    assert values["csim"] > 0.95


def test_noise_costs_structure_and_no_landmarks(measured):
    values, brighter = measured["noisy"].values, measured["brighter"].values
    assert values["l1"] < 0.3 * brighter["l1"] and values["ssim"] < brighter["ssim"]
    assert values["akd"] < 0.5 and values["nme"] < 0.01


def test_the_background_does_not_count_within_the_face(measured):
    changed = measured["background"]
    mask = outline_mask(changed.faces[:1], (256, 256))
    assert changed.values["l1"] > 0.01
    assert l1(changed.pictures[:1], changed.pictures[1:], mask).item() == 0
