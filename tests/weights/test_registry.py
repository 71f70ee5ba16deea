import pytest
import torch

from fadm.coarse.loading import load_coarse
from fadm.errors import WeightsError
from fadm.weights import registry
from fadm.weights.store import save_weights


def save_named(folder, name, kind="toy"):
    save_weights(folder / f"{name}.safetensors", {"a": torch.ones(1)}, config={}, metadata={"kind": kind})


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
