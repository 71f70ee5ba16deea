import hashlib
import json

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from fadm.errors import OutputError, WeightsError
from fadm.weights import store
from fadm.weights.store import (
    hash_tensors,
    load_into,
    load_weights,
    read_metadata,
    save_weights,
    verify_weights,
)


def test_weights_come_back_with_configuration_and_metadata(tmp_path):
    path = tmp_path / "new" / "w.safetensors"
    whole = torch.arange(12.0).reshape(3, 4)
    state_dict = {"a": whole[:, 1:3], "b": torch.tensor(3), "c": torch.ones(2, 2, dtype=torch.bfloat16)}
    save_weights(path, state_dict, config={"sizes": [1, 2]}, metadata={"kind": "toy"})
    loaded, metadata = load_weights(path)
    assert torch.equal(loaded["a"], whole[:, 1:3]) and torch.equal(loaded["b"], torch.tensor(3))
    assert loaded["c"].dtype == torch.float32
    assert metadata["config"] == {"sizes": [1, 2]} and metadata["kind"] == "toy"
    assert verify_weights(path)["sha256"] == hash_tensors(state_dict)
    assert [each.name for each in path.parent.iterdir()] == ["w.safetensors"]


def test_a_link_to_weights_stays_one(tmp_path):
    (tmp_path / "link.safetensors").symlink_to(tmp_path / "far" / "w.safetensors")
    save_weights(tmp_path / "link.safetensors", {"a": torch.ones(1)}, config={}, metadata={})
    assert (tmp_path / "link.safetensors").is_symlink() and (tmp_path / "far" / "w.safetensors").is_file()


def test_half_precision_is_stored_as_it_is_and_loaded_as_single(tmp_path):
    values = torch.tensor([0.1, 2.0]).half()
    save_weights(tmp_path / "w.safetensors", {"a": values}, config={}, metadata={})
    loaded, _ = load_weights(tmp_path / "w.safetensors")
    assert loaded["a"].dtype == torch.float32 and torch.equal(loaded["a"], values.float())


def test_hash_is_that_of_titles_and_values_in_order():
    title = json.dumps(["a", "float32", [2]]).encode() + b"\n"
    expected = hashlib.sha256(title + torch.tensor([1.0, 2.0]).numpy().tobytes()).hexdigest()
    assert hash_tensors({"a": torch.tensor([1.0, 2.0])}) == expected
    both = {"a": torch.ones(1), "b": torch.zeros(1)}
    assert hash_tensors(both) == hash_tensors(dict(reversed(both.items())))


def test_changed_tensors_are_noticed(tmp_path):
    path = tmp_path / "w.safetensors"
    save_file({"a": torch.ones(2)}, path, metadata={"config": "{}", "sha256": "0" * 64})
    with pytest.raises(WeightsError, match="is damaged: its tensors have SHA-256"):
        verify_weights(path)


def test_files_that_are_not_weights(tmp_path):
    path = tmp_path / "w.safetensors"
    with pytest.raises(WeightsError, match="cannot read the weights"):
        read_metadata(path)
    path.write_text("text")
    with pytest.raises(WeightsError, match="is not a weights file or is damaged"):
        load_weights(path)
    save_file({"a": torch.ones(2)}, path)
    with pytest.raises(WeightsError, match="not written by fadm"):
        load_weights(path)


def test_failed_write_leaves_nothing_and_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "w.safetensors"
    save_weights(path, {"a": torch.ones(1)}, config={}, metadata={})
    before = path.read_bytes()

    def fail(tensors, file, metadata):
        file.write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(store, "save_file", fail)
    with pytest.raises(OutputError, match="No space left"):
        save_weights(path, {"a": torch.zeros(1)}, config={}, metadata={})
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


def test_places_that_are_no_folder(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write the weights"):
        save_weights(tmp_path / "file" / "w.safetensors", {"a": torch.ones(1)}, config={}, metadata={})


def test_load_into_lists_all_differences():
    with pytest.raises(WeightsError, match=r"w does not fit Linear: 1 missing: bias; 1 extra: x; 1 of the wrong"):
        load_into(nn.Linear(2, 3), {"weight": torch.ones(3, 3), "x": torch.ones(1)}, source="w")
    linear = nn.Linear(2, 3)
    load_into(linear, {"weight": torch.ones(3, 2), "bias": torch.zeros(3)}, source="w")
    assert linear(torch.ones(1, 2)).tolist() == [[2.0, 2.0, 2.0]]
