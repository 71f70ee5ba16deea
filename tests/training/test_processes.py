from fadm.training.options import RunOptions
from fadm.training.processes import make_accelerator


def test_trainings_of_one_process_may_have_different_precisions():
    names = ("float32", "bfloat16", "float32")
    found = [make_accelerator(RunOptions(steps=1, precision=name)).mixed_precision for name in names]
    assert found == ["no", "bf16", "no"]
