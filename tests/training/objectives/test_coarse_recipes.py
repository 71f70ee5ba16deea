import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fadm.config import config_from_dict
from fadm.training.objectives.face_vid2vid import FaceVid2VidObjectiveConfig
from fadm.training.objectives.fomm import FOMMObjectiveConfig, build_fomm_objective
from tests.training.tiny import Features

RECIPES = Path(__file__).parents[3] / "configs"


def read_objective(name: str, cls: type[Any]) -> Any:
    path = RECIPES / f"{name}.toml"
    return config_from_dict(cls, tomllib.loads(path.read_text())["objective"], source=str(path))


def test_fomm_256_is_the_released_training():
    assert read_objective("fomm_256", FOMMObjectiveConfig) == FOMMObjectiveConfig()


def test_face_vid2vid_256_is_the_paper():
    config = read_objective("face_vid2vid_256", FaceVid2VidObjectiveConfig)
    assert config == replace(FaceVid2VidObjectiveConfig(), network=replace(config.network, num_keypoints=20))
    assert replace(config.network, num_keypoints=15) == FaceVid2VidObjectiveConfig().network


def test_fomm_small_is_small():
    objective = build_fomm_objective(read_objective("fomm_small", FOMMObjectiveConfig), Features())
    network = objective.networks["fomm"]
    assert sum(parameter.numel() for parameter in network.parameters()) == pytest.approx(4.71e6, rel=1e-2)
    assert 128 % network.config.side_multiple == 0
