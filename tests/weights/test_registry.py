import re

import pytest
import torch

from fadm.attributes.landmark_model import load_landmark_model
from fadm.attributes.loading import load_deca, load_flame, load_flame_landmarks
from fadm.coarse.loading import load_coarse
from fadm.errors import WeightsError
from fadm.rendering.loading import load_renderer
from fadm.weights import registry
from fadm.weights.store import save_weights


def save_named(folder, name, kind="toy", **told):
    save_weights(folder / f"{name}.safetensors", {"a": torch.ones(1)}, config={}, metadata={"kind": kind} | told)


@pytest.fixture
def folders(tmp_path, monkeypatch):
    monkeypatch.setenv("FADM_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(registry, "EMBEDDED_FOLDER", tmp_path / "package")
    save_named(tmp_path / "package", "small")
    save_named(tmp_path / "home" / "weights", "fomm")
    return tmp_path


def test_folder_is_the_users_choice_or_the_data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("FADM_HOME", str(tmp_path))
    assert registry.weights_folder() == tmp_path / "weights"
    monkeypatch.delenv("FADM_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert registry.weights_folder() == tmp_path / ".local/share/fadm/weights"


def test_embedded_and_imported_weights_are_listed(folders):
    listed = {weights.name: weights for weights in registry.list_weights()}
    assert set(listed) == {"small", "fomm"}
    assert listed["small"].is_embedded and not listed["fomm"].is_embedded
    assert listed["fomm"].metadata["kind"] == "toy"


def test_users_file_takes_the_place_of_an_embedded_one(folders):
    save_named(folders / "home" / "weights", "small")
    assert registry.find_weights("small") == folders / "home" / "weights" / "small.safetensors"
    assert [weights.path for weights in registry.list_weights() if weights.name == "small"] == [
        registry.find_weights("small")
    ]


def test_a_file_stands_for_itself(folders):
    path = folders / "package" / "small.safetensors"
    assert registry.find_weights(path) == path
    with pytest.raises(WeightsError, match="there is no weights file"):
        registry.find_weights("absent.safetensors")


def test_unknown_names_get_near_matches(folders):
    with pytest.raises(WeightsError, match="no weights are named 'fom': did you mean 'fomm'"):
        registry.find_weights("fom")


def test_models_of_unknown_kind_are_not_built(folders):
    with pytest.raises(WeightsError, match=r"these weights are of kind toy, fomm or face_vid2vid is needed"):
        load_coarse("small")


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"licence": "Apache-2.0"}, True),
        ({"licence": "MIT"}, True),
        ({"licence": "by agreement", "commercial": "true"}, True),
        ({"licence": "Apache-2.0", "commercial": "false"}, False),
        ({"licence": "research and non-commercial use"}, False),
        ({"licence": "Apache-2.0 for the code, CC BY-NC for the weights"}, False),
        ({"licence": "MIT", "commercial": "perhaps"}, False),
        ({}, False),
    ],
)
def test_terms_that_are_not_known_to_allow_commercial_use_are_refused(folders, told, expected):
    save_named(folders / "package", "told", **told)
    assert registry.describe_weights("told").allows_commercial == expected
    if expected:
        assert registry.describe_weights("told", commercial=True).name == "told"
        return
    terms = re.escape(told.get("licence", "not stated"))
    refused = f"^--commercial refuses told, whose terms are: {terms}; choose others that `fadm weights list` marks"
    with pytest.raises(WeightsError, match=refused + ".*, or --renderer none$"):
        registry.describe_weights("told", commercial=True, instead="--renderer none")
    with pytest.raises(WeightsError, match=refused + " for commercial use$"):
        registry.load_network("told", {}, commercial=True)


def test_what_comes_with_the_package_says_its_terms():
    load_landmark_model(commercial=True)
    with pytest.raises(WeightsError, match="fadm_small, whose terms are: research and non-commercial use"):
        load_renderer("fadm_small", commercial=True)


def test_loaders_refuse_terms(folders):
    for load in (load_renderer, load_coarse, load_deca, load_flame, load_flame_landmarks):
        with pytest.raises(WeightsError, match="--commercial refuses small, whose terms are: not stated"):
            load("small", commercial=True)
    with pytest.raises(WeightsError, match=r"--commercial refuses .*small\.safetensors, whose terms are: not stated"):
        load_landmark_model(folders / "package" / "small.safetensors", commercial=True)
