import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fadm.face.litert import Model, ModelPerThread

BUILD = "from fadm.face.litert import Model; Model('face_blendshapes')"


def test_the_first_model_of_a_process_is_built_in_silence():
    built = subprocess.run([sys.executable, "-c", BUILD], capture_output=True, text=True, check=True)
    assert built.stdout == "" and built.stderr == ""


def test_the_error_stream_is_heard_again_after_a_model_is_built():
    script = f"{BUILD}; import os; os.write(2, b'heard')"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stderr == b"heard"


def test_threads_get_the_same_numbers():
    points = np.random.default_rng(0).random((1, 146, 2), np.float32) * 200
    expected = Model("face_blendshapes")(points)[0]
    assert expected.shape == (52,)
    shared = ModelPerThread("face_blendshapes")
    with ThreadPoolExecutor(2) as pool:
        for (found,) in pool.map(shared, [points] * 4):
            np.testing.assert_array_equal(found, expected)


def test_an_input_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"the shape \(1, 146, 2\), got \(1, 145, 2\)"):
        Model("face_blendshapes")(np.zeros((1, 145, 2), np.float32))
