from pathlib import Path

import pytest
import torch

import fadm.face.models
from fadm.errors import WeightsError
from fadm.weights.tflite import read_tflite

FILE = Path(fadm.face.models.__file__).parent / "face_landmarks_detector.tflite"


def test_constants_have_their_names_shapes_and_values():
    constants = read_tflite(FILE)
    head = "model_5/model_4/model_3/conv2d_150"
    assert constants[f"{head}/Conv2D"].shape == (1434, 2, 2, 128)
    assert constants[f"{head}/BiasAdd/ReadVariableOp/resource"].shape == (1434,)
    assert all(tensor.dtype == torch.float32 and torch.isfinite(tensor).all() for tensor in constants.values())
    assert not any(name.endswith("Paddings") for name in constants)  # whole numbers
    assert 0.01 < float(constants[f"{head}/Conv2D"].std()) < 2
    count = sum(tensor.numel() for tensor in constants.values())
    assert 2 * count < FILE.stat().st_size < 2.2 * count  # float16: all of them were read


@pytest.mark.parametrize("length", [0, 3, 100, 5000, 500_000])
def test_what_is_no_whole_file_is_refused(tmp_path, length):
    path = tmp_path / "cut.tflite"
    path.write_bytes(FILE.read_bytes()[:length])
    with pytest.raises(WeightsError, match=r"cut\.tflite is (damaged|not a TensorFlow Lite file)"):
        read_tflite(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(WeightsError, match=r"cannot read .*nothing\.tflite: No such file"):
        read_tflite(tmp_path / "nothing.tflite")
