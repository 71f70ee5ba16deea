from dataclasses import replace

import pytest
import torch

from fadm.coarse.face_vid2vid.head_pose import pose_keypoints
from fadm.errors import ConfigError
from fadm.training.losses.equivariance import draw_deformation, measure_position_error
from fadm.training.losses.priors import measure_crowding, measure_depth_error, measure_expression
from fadm.training.objective import Objective
from fadm.training.objectives.face_vid2vid import FaceVid2VidObjectiveConfig, build_face_vid2vid_objective
from tests.coarse.seeding import seed_weights
from tests.training import tiny

CONFIG = FaceVid2VidObjectiveConfig(
    network=tiny.FACE_VID2VID, discriminator=tiny.DISCRIMINATOR, reconstruction=tiny.RECONSTRUCTION
)  # fmt: skip
LOSSES = {
    "perceptual",
    "adversarial",
    "feature_matching",
    "equivariance",
    "keypoint_prior",
    "head_pose",
    "expression",
}


def build(config: FaceVid2VidObjectiveConfig = CONFIG) -> Objective:
    torch.manual_seed(0)
    return build_face_vid2vid_objective(config, tiny.Features())


def test_losses_and_pictures():
    objective = build()
    output = objective.generator(tiny.make_batch(2, has_pose=True), objective.discriminator)
    assert set(output.losses) == LOSSES
    assert all(loss.shape == () and loss.isfinite() for loss in output.losses.values())
    assert output.pictures["prediction"].shape == (2, 3, tiny.SIDE, tiny.SIDE)


def test_the_prediction_is_what_the_network_draws():
    objective, batch = build(), tiny.make_batch(2, has_pose=True)
    objective.generator.eval()
    model = objective.networks["face_vid2vid"]
    expected = model.drive(model.prepare(batch["source"]), batch["driving"])
    torch.testing.assert_close(objective.generator(batch, None).pictures["prediction"], expected)


def test_the_papers_weights():
    config = FaceVid2VidObjectiveConfig()
    weights = (config.equivariance_weight, config.keypoint_prior_weight, config.head_pose_weight)
    assert weights == (20, 10, 20)
    assert (config.expression_weight, config.adversarial_weight) == (5, 1)
    assert (config.reconstruction.perceptual_weight, config.reconstruction.feature_matching_weight) == (10, 10)


def test_each_loss_is_its_error_times_its_weight():
    objective, batch = build(), tiny.make_batch(2, has_pose=True)
    model = objective.networks["face_vid2vid"].eval()
    seed_weights(model)  # an untrained one hardly sees the deformation
    canonical, pose = model.keypoint_detector(batch["source"]), model.head_pose(batch["driving"])
    positions = pose_keypoints(canonical, pose).positions
    deformation = draw_deformation(batch["seed"].tolist(), CONFIG.deformation, positions.device)
    deformed = pose_keypoints(canonical, model.head_pose(deformation.apply(batch["driving"]))).positions
    batch["pose"] = torch.stack([pose.yaw + 1, pose.pitch, pose.roll - 2], dim=1)
    expected = {
        "equivariance": 20 * measure_position_error(positions[..., :2], deformed[..., :2], deformation),
        "keypoint_prior": 10 * (measure_crowding(positions, 0.1) + measure_depth_error(positions, 0.33)),
        "head_pose": 20 * torch.tensor(3.0),
        "expression": 5 * measure_expression(pose.expression),
    }
    losses = objective.generator.eval()(batch, None).losses
    for name, loss in expected.items():
        assert losses[name].item() == pytest.approx(loss.item(), rel=1e-4), name


def test_poses_are_needed_for_the_head_pose_loss():
    with pytest.raises(ConfigError, match=r"head_pose_weight is 20\.0 .* set head_pose_weight = 0"):
        build().generator(tiny.make_batch(2), None)
    output = build(replace(CONFIG, head_pose_weight=0.0)).generator(tiny.make_batch(2), None)
    assert "head_pose" not in output.losses


def test_every_trained_parameter_gets_a_finite_gradient():
    objective = build(replace(CONFIG, discriminator=replace(tiny.DISCRIMINATOR, sees_keypoints=True)))
    objective.discriminator.requires_grad_(False)
    tiny.add_up(objective, tiny.make_batch(2, has_pose=True)).backward()
    model = objective.networks["face_vid2vid"]
    missing = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert missing == []
    heads = (model.head_pose.yaw, model.head_pose.expression, model.keypoint_detector.heatmap, model.dense_motion.mask)
    assert all(head.weight.grad.abs().sum() > 0 for head in heads)


def test_a_batch_of_four_loses_the_mean_of_its_halves():
    objective = build()
    objective.generator.eval()
    objective.discriminator.eval()
    batch = tiny.make_batch(4, has_pose=True)
    parts = [batch, *({name: x[half] for name, x in batch.items()} for half in (slice(2), slice(2, 4)))]
    whole, first, second = (objective.generator(part, objective.discriminator).losses for part in parts)
    for name, loss in whole.items():
        torch.testing.assert_close(loss, (first[name] + second[name]) / 2, msg=name, rtol=1e-4, atol=1e-5)


def test_training_lowers_the_losses():
    totals = tiny.take_steps(build(), tiny.make_batch(4, has_pose=True), 30)
    assert sum(totals[-5:]) < 0.8 * sum(totals[:5])


def test_under_autocast_losses_stay_float32():
    objective = build()
    objective.generator.eval()  # a batch norm of two values only knows which is larger
    objective.discriminator.eval()  # a spectral norm's estimate improves with each use
    exact = objective.generator(tiny.make_batch(2, has_pose=True), objective.discriminator)
    with torch.autocast("cpu", torch.bfloat16):
        output = objective.generator(tiny.make_batch(2, has_pose=True), objective.discriminator)
    torch.stack(list(output.losses.values())).sum().backward()
    assert output.pictures["prediction"].dtype == torch.float32
    for name in LOSSES:
        assert output.losses[name].dtype == torch.float32
        assert output.losses[name].item() == pytest.approx(exact.losses[name].item(), rel=0.05, abs=0.02), name


def test_a_negative_weight_is_refused():
    config = replace(CONFIG, reconstruction=replace(tiny.RECONSTRUCTION, pixel_weight=-2.0))
    with pytest.raises(ConfigError, match=r"objective\.reconstruction\.pixel_weight -2: give 0 or more"):
        build(config)


def test_volumes_that_are_too_flat_are_refused():
    with pytest.raises(ConfigError, match=r"volume_depth is 6: training needs at least 7 planes"):
        build(replace(CONFIG, network=replace(tiny.FACE_VID2VID, volume_depth=6)))
