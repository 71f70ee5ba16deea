import json

import numpy as np
import pytest

from fadm.attributes.landmark_model import load_landmark_model
from fadm.face.landmarker import LANDMARK_MODEL
from fadm.weights.store import read_metadata
from tests.attributes.made_up import make_attributes, make_identity, make_landmarks
from tests.cli.command import error_line, run_fadm
from tests.data.test_shards import pack, write_shard


@pytest.fixture(scope="module")
def shard(tmp_path_factory):
    """Four synthetic people of the shipped model, one of them on closed terms."""
    model, content = load_landmark_model(), {}
    for seed in range(4):
        landmarks = make_landmarks(model, make_attributes(20, seed=seed), make_identity(model, seed=seed)) / 256
        info = {"tier": "open" if seed else "closed", "source": "made up", "terms": "MIT", "identity": str(seed)}
        info["landmark_model"] = LANDMARK_MODEL
        content[f"clip{seed}.landmarks.npy"] = pack(landmarks.numpy().astype(np.float16))
        content[f"clip{seed}.json"] = json.dumps(info).encode()
    return write_shard(tmp_path_factory.mktemp("shards") / "clips.tar", content)


@pytest.mark.parametrize(("options", "clips"), [((), 3), (("--tier", "all"), 4)])
def test_the_learned_model_can_be_loaded_and_says_what_it_is_from(tmp_path, capsys, shard, options, clips):
    output = tmp_path / "model.safetensors"
    assert run_fadm("learn-face-model", shard, "-o", output, "--validate", shard, *options) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert f"trained on {clips} clips" in said and "mean error of the landmarks, pixels at 256" in said
    assert "share of the blendshapes' variance that moved faces show" in said and "map between blendshapes" in said
    assert load_landmark_model(output).mean.shape == (478, 3)
    metadata = read_metadata(output)
    assert "MIT" in json.dumps(metadata) and metadata["landmark_model"] == LANDMARK_MODEL
    assert {"motion", "map"} <= json.loads(metadata["validation"]).keys()


def test_brackets_in_the_models_name_are_no_markup(tmp_path, capsys, shard):
    output = tmp_path / "model[red].safetensors"
    assert run_fadm("learn-face-model", shard, "-o", output) == 0
    assert capsys.readouterr().out == f"{output}: trained on 3 clips\n"


def test_no_clip_of_the_tier(tmp_path, capsys):
    info = {"tier": "closed", "landmark_model": LANDMARK_MODEL}
    content = {"a.landmarks.npy": pack(np.zeros((4, 478, 3), np.float16)), "a.json": json.dumps(info).encode()}
    shard = write_shard(tmp_path / "closed.tar", content)
    assert run_fadm("learn-face-model", shard, "-o", tmp_path / "model.safetensors") == 2
    assert "no clip of tier open in" in error_line(capsys)
    assert [path.name for path in tmp_path.iterdir()] == ["closed.tar"]


def test_a_place_that_cannot_be_written(tmp_path, capsys, shard):
    assert run_fadm("learn-face-model", shard, "-o", tmp_path / "nowhere" / "model.safetensors") == 2
    assert "nowhere" in error_line(capsys)
