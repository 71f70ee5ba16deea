import json
import re
from pathlib import Path

import pytest
import torch

from fadm.attributes.flame import FLAME, FLAMELandmarks
from fadm.attributes.loading import load_deca, load_flame, load_flame_landmarks
from fadm.coarse.loading import load_coarse
from fadm.errors import OptionError, WeightsError
from fadm.rendering.conditions import Conditions
from fadm.rendering.loading import load_renderer
from fadm.weights.registry import NamedWeights
from fadm.weights.released.importer import import_weights
from fadm.weights.released.kinds import KINDS
from fadm.weights.store import read_metadata, verify_weights
from tests.cli.command import error_line, run_fadm
from tests.reference import blob, load_case, normal, relative_error, uniform
from tests.weights.crafted_files import Command, save_legacy_torch, save_numpy, save_python2_pickle, save_torch
from tests.weights.released_files import (
    flame_table,
    nested_entries,
    optimizer_state,
    write_deca_checkpoint,
    write_flame_pickle,
    write_landmark_embedding,
)


@pytest.fixture(autouse=True)
def weights_home(tmp_path, monkeypatch):
    monkeypatch.setenv("FADM_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_flame_and_its_landmarks_import_to_the_reference_mesh(tmp_path, weights_home):
    write_flame_pickle(tmp_path / "generic_model.pkl", flame_table())
    write_landmark_embedding(tmp_path / "landmark_embedding.npy")
    imported = import_weights(tmp_path / "generic_model.pkl")
    assert imported.path == weights_home / "weights" / "flame.safetensors"
    assert (imported.kind, imported.left_out) == ("flame", ("J",))
    assert import_weights(tmp_path / "landmark_embedding.npy").kind == "flame_landmarks"

    flame, landmarks = load_flame(), load_flame_landmarks()
    assert isinstance(flame, FLAME) and isinstance(landmarks, FLAMELandmarks)
    case = load_case("flame_made_up")
    shape, expression = normal("flame_made_up/shape", (3, 100)), normal("flame_made_up/exp", (3, 50))
    pose = 0.4 * normal("flame_made_up/pose", (3, 6))
    vertices = flame(shape, expression, pose)
    assert relative_error(vertices, case.expected["vertices"]) < 1e-3
    visible = landmarks.locate_visible(vertices, flame.triangles, pose)
    assert relative_error(visible, case.expected["landmarks2d"]) < 1e-3


def test_whole_released_basis_is_split_into_shape_and_expression(tmp_path):
    table = flame_table()
    released = torch.zeros(60, 3, 400)
    released[..., :100] = torch.from_numpy(table["shapedirs"][..., :100])
    released[..., 300:350] = torch.from_numpy(table["shapedirs"][..., 100:])
    write_flame_pickle(tmp_path / "model.pkl", {**table, "shapedirs": released.numpy()})
    import_weights(tmp_path / "model.pkl")
    vertices = load_flame()(
        normal("flame_made_up/shape", (3, 100)),
        normal("flame_made_up/exp", (3, 50)),
        0.4 * normal("flame_made_up/pose", (3, 6)),
    )
    assert relative_error(vertices, load_case("flame_made_up").expected["vertices"]) < 1e-3


@pytest.mark.parametrize("is_legacy", [False, True])
def test_deca_imports_to_the_reference_parameters(tmp_path, is_legacy):
    write_deca_checkpoint(tmp_path / "deca_model.tar", is_legacy=is_legacy)
    imported = import_weights(tmp_path / "deca_model.tar", "my_deca")
    assert (imported.kind, imported.left_out) == ("deca", ("opt",))
    deca = load_deca("my_deca")
    with torch.inference_mode():
        parameters = deca.encoder(blob("deca_encoder/image", (2, 3, 224, 224)))
    assert relative_error(parameters, load_case("deca_encoder").expected["parameters"]) < 1e-3
    assert deca.config.detail
    metadata = read_metadata(imported.path)
    assert metadata["source"] == "deca_model.tar" and "non-commercial" in metadata["licence"]
    assert verify_weights(imported.path)["config"] == {"detail": True}


def test_fadm_imports_to_the_reference_noise(tmp_path):
    entries = nested_entries(load_case("fadm_tiny"), seed="{name}/{entry}.{key}")
    parallel = {f"module.{entry}.{key}": t for entry, tensors in entries.items() for key, t in tensors.items()}
    torch.save({"model": parallel, "optimizer": optimizer_state()}, tmp_path / "fadm.pth")
    imported = import_weights(tmp_path / "fadm.pth")
    assert (imported.kind, imported.left_out) == ("fadm", ("optimizer",))
    renderer = load_renderer("fadm")
    picture = (2, 3, 64, 64)
    conditions = Conditions(
        coarse=uniform("fadm_tiny/coarse", picture),
        appearance=uniform("fadm_tiny/driving", picture),
        attributes_source=normal("fadm_tiny/attribute", (2, 56)),
        attributes_driving=torch.zeros(2, 56),
    )
    expected = load_case("fadm_tiny").expected
    with torch.inference_mode():
        eps = renderer(normal("fadm_tiny/x_t", picture), expected["t"], conditions)
    assert relative_error(eps, expected["eps"]) < 1e-3


def checkpoint_of(name: str, prefix: str = "") -> dict:
    entries = nested_entries(load_case(name))
    renamed = {entry: {prefix + key: t for key, t in tensors.items()} for entry, tensors in entries.items()}
    return {**renamed, "discriminator": {"weight": torch.ones(2)}, "optimizer": optimizer_state(), "epoch": 3}


@pytest.mark.slow
def test_fomm_trainer_checkpoint_with_parallel_prefixes(tmp_path):
    torch.save(checkpoint_of("fomm_256", "module."), tmp_path / "vox-cpk.pth.tar")
    imported = import_weights(tmp_path / "vox-cpk.pth.tar")
    assert (imported.kind, imported.left_out) == ("fomm", ("discriminator", "optimizer"))
    assert read_metadata(imported.path)["config"]["num_keypoints"] == 10
    assert load_coarse("fomm").config.keypoint_downsampling == 4


@pytest.mark.slow
def test_face_vid2vid_trainer_checkpoint(tmp_path):
    torch.save(checkpoint_of("facevid2vid_256"), tmp_path / "checkpoint.pth.tar")
    assert import_weights(tmp_path / "checkpoint.pth.tar").kind == "face_vid2vid"
    assert json.dumps(read_metadata(tmp_path / "home/weights/face_vid2vid.safetensors")["config"])


def test_missing_extra_and_misshapen_tensors_are_listed(tmp_path, weights_home):
    table = flame_table()
    del table["posedirs"]
    table["weights"] = table["weights"][:, :4]
    write_flame_pickle(tmp_path / "model.pkl", table)
    message = "1 missing: pose_directions; 1 of the wrong shape: skinning_weights (60, 4) instead of (60, 5)"
    with pytest.raises(WeightsError, match=re.escape(f"does not match its kind (FLAME head model): {message}")):
        import_weights(tmp_path / "model.pkl")
    checkpoint = checkpoint_of("fomm_256")
    checkpoint["generator"]["extra.weight"] = torch.ones(1)
    del checkpoint["kp_detector"]["kp.weight"]
    torch.save(checkpoint, tmp_path / "fomm.pth")
    with pytest.raises(WeightsError, match=r"1 missing: keypoint_detector\.heatmap\.weight; 1 extra: generator\.extra"):
        import_weights(tmp_path / "fomm.pth")
    assert not weights_home.exists()


def test_names_stay_in_the_weights_folder(tmp_path):
    with pytest.raises(OptionError, match="cannot be a name"):
        import_weights(tmp_path / "file.pth", "../name")


def test_unknown_checkpoints_are_named_by_their_entries(tmp_path):
    torch.save({"encoder": {"weight": torch.ones(1)}}, tmp_path / "file.pth")
    with pytest.raises(WeightsError, match=r"of no known kind: its entries are encoder\. Known are"):
        import_weights(tmp_path / "file.pth")


@pytest.mark.parametrize(
    ("kind", "name", "save"),
    [
        ("fadm", "diffusion.pth", save_torch),
        ("fomm", "vox-cpk.pth.tar", save_legacy_torch),
        ("face_vid2vid", "checkpoint.pth.tar", save_torch),
        ("deca", "deca_model.tar", save_torch),
        ("flame", "generic_model.pkl", save_python2_pickle),
        ("flame_landmarks", "landmark_embedding.npy", save_numpy),
    ],
)
def test_code_in_a_released_file_is_refused_by_its_importer(tmp_path, weights_home, capsys, kind, name, save):
    mark = tmp_path / "it_ran"
    entries = {entry: {"weight": torch.ones(1)} for entry in KINDS[kind].entries}
    save(tmp_path / name, entries | {"optimizer": Command(mark)})
    assert run_fadm("weights", "import", tmp_path / name) == 2
    assert "refused, nothing of it ran" in error_line(capsys)
    assert not mark.exists() and not list(weights_home.rglob("*.safetensors"))


@pytest.mark.parametrize("kind", KINDS)
def test_no_released_model_states_terms_that_allow_commercial_use(kind):
    told = {"kind": kind, "licence": KINDS[kind].licence}
    assert KINDS[kind].licence and not NamedWeights(kind, Path(f"{kind}.safetensors"), told).allows_commercial
