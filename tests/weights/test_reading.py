import io
import pickle

import numpy as np
import pytest
import scipy.sparse
import torch

from fadm.errors import WeightsError
from fadm.weights.reading import read_tensors
from tests.weights.crafted_files import (
    Command,
    TensorOf,
    save_legacy_torch,
    save_numpy,
    save_pickle,
    save_python2_pickle,
    save_torch,
)
from tests.weights.released_files import flame_table, write_flame_pickle, write_landmark_embedding

WRITERS = [save_torch, save_legacy_torch, save_pickle, save_python2_pickle, save_numpy]


@pytest.mark.parametrize("save", WRITERS)
@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: {"generator": x}, lambda x: {"f": [x]}])
def test_code_is_refused_and_does_not_run(tmp_path, save, wrap):
    mark = tmp_path / "it_ran"
    save(tmp_path / "file", wrap(Command(mark)))
    with pytest.raises(WeightsError, match=r"names (posix|nt)\.system.*refused, nothing of it ran"):
        read_tensors(tmp_path / "file")
    assert not mark.exists()


def test_code_inside_a_tensors_bytes_is_refused_and_does_not_run(tmp_path):
    mark, inner = tmp_path / "it_ran", io.BytesIO()
    torch.save(Command(mark), inner, _use_new_zipfile_serialization=False)
    save_numpy(tmp_path / "file", {"dynamic_lmk_faces_idx": TensorOf(inner.getvalue())})
    with pytest.raises(WeightsError, match=r"names (posix|nt)\.system"):
        read_tensors(tmp_path / "file")
    assert not mark.exists()


def test_whole_networks_are_refused(tmp_path):
    torch.save(torch.nn.Linear(1, 1), tmp_path / "file")
    with pytest.raises(WeightsError, match=r"names torch\.nn\.modules\.linear\.Linear"):
        read_tensors(tmp_path / "file")


@pytest.mark.parametrize("save", [save_torch, save_legacy_torch])
def test_checkpoints_are_flattened_to_single_precision(tmp_path, save):
    values = torch.arange(4.0).double()
    save(tmp_path / "file", {"net": {"module.a": values, "step": torch.tensor(3)}, "epoch": 5})
    tensors = read_tensors(tmp_path / "file")
    assert set(tensors) == {"net.a", "net.step"}
    assert tensors["net.a"].dtype == torch.float32 and tensors["net.a"].tolist() == [0, 1, 2, 3]


def test_a_tensor_held_twice_is_refused(tmp_path):
    torch.save({"a": torch.ones(1), "module.a": torch.ones(1)}, tmp_path / "file")
    with pytest.raises(WeightsError, match=r"holds a twice, with and without 'module\.'"):
        read_tensors(tmp_path / "file")


@pytest.mark.parametrize("protocol", range(6))
def test_flame_pickles_of_every_protocol(tmp_path, protocol):
    table = flame_table()
    write_flame_pickle(tmp_path / "model.pkl", table, protocol=protocol)
    tensors = read_tensors(tmp_path / "model.pkl")
    assert set(tensors) == {*table, "J"}
    for key, array in table.items():
        np.testing.assert_allclose(tensors[key].numpy(), array, rtol=1e-6, err_msg=key)


def test_arrays_keep_their_byte_and_memory_order(tmp_path):
    array = np.arange(6.0).reshape(2, 3)
    table = {"big": array.astype(">f8"), "columns": np.asfortranarray(array), "sparse": scipy.sparse.csc_matrix(array)}
    save_pickle(tmp_path / "file", table)
    for tensor in read_tensors(tmp_path / "file").values():
        assert tensor.tolist() == array.tolist()


def test_landmark_embedding_with_torch_tensors_inside(tmp_path):
    write_landmark_embedding(tmp_path / "file.npy")
    tensors = read_tensors(tmp_path / "file.npy")
    assert tensors["dynamic_lmk_faces_idx"].shape == (79, 17)
    assert tensors["dynamic_lmk_faces_idx"].dtype == torch.int64
    assert tensors["full_lmk_bary_coords"].shape == (1, 68, 3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a readable pickle"),
        (b"text", "not a readable pickle"),
        (b"PK\x03\x04 cut off", "damaged torch file"),
        (pickle.dumps([1, 2]), "holds a list, not a table of arrays"),
        (pickle.dumps({"a": np.array(["text"])}), "not of numbers"),
        (pickle.dumps({"a": np.ones(3)}, protocol=4).replace(b"\x4b\x03", b"\x4b\x04", 1), "bytes|readable"),
    ],
)
def test_damaged_files_get_one_line(tmp_path, content, message):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(WeightsError, match=message) as caught:
        read_tensors(tmp_path / "file")
    assert "\n" not in str(caught.value)


def test_arrays_alone_and_absent_files(tmp_path):
    np.save(tmp_path / "file.npy", np.ones(3))
    with pytest.raises(WeightsError, match="a single array, not a table"):
        read_tensors(tmp_path / "file.npy")
    with pytest.raises(WeightsError, match="No such file"):
        read_tensors(tmp_path / "absent")
