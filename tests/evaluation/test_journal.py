import json

import pytest
import torch

from fadm.errors import InputError, OptionError
from fadm.evaluation.journal import RESULTS, CaseResult, Journal, read_run
from fadm.evaluation.pairs import Case, PairList

PAIRS = PairList("random-pairs", 0, (Case("00000", "a", 0, "a", (1,)), Case("00001", "a", 1, "a", (0,))))
RESULT = CaseResult(
    "00000",
    {"coarse": {"l1": [0.1 + 0.2], "psnr": [float("inf")]}},
    {"coarse": 1},
    [("missing", "nothing there")],
    {"EfficientNet-Lite0": {"coarse": torch.tensor([[1 / 3, -2.0]])}},
    {"pixel": 0.5},
    {"reference": torch.tensor([[0.1, 1 / 3], [float("nan"), 0.5]])},
)


def write(folder, *results, manifest=None):
    journal = Journal(folder, manifest or {"method": "m"}, PAIRS)
    for result in results:
        journal.add(result)
    journal.close()
    return journal


def test_a_result_is_read_back_to_the_last_digit(tmp_path):
    write(tmp_path / "run", RESULT)
    manifest, pairs, results = read_run(tmp_path / "run")
    assert manifest["method"] == "m" and pairs == PAIRS and [*results] == ["00000"]
    read = results["00000"]
    (features,) = read.features.pop("EfficientNet-Lite0").values()
    assert torch.equal(features, RESULT.features["EfficientNet-Lite0"]["coarse"])
    signals = read.signals.pop("reference")
    torch.testing.assert_close(signals, RESULT.signals["reference"], rtol=0, atol=0, equal_nan=True)
    assert read == CaseResult(**vars(RESULT) | {"features": {}, "signals": {}})
    assert all(json.loads(line) for line in (tmp_path / "run" / RESULTS).read_text().splitlines())


def test_a_line_cut_short_is_written_over(tmp_path):
    write(tmp_path / "run", RESULT)
    path = tmp_path / "run" / RESULTS
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:-5])
    other = CaseResult(**vars(RESULT) | {"case": "00001"})
    assert [*write(tmp_path / "run", other).results] == ["00000", "00001"]
    assert path.read_bytes() == whole + whole.replace(b'"00000"', b'"00001"')


def test_what_is_no_run_is_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OptionError, match="holds other files"):
        write(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    with pytest.raises(InputError, match="holds no run"):
        read_run(tmp_path)
    write(tmp_path / "run")
    with pytest.raises(OptionError, match=r'another method \("m", now "n"\)'):
        write(tmp_path / "run", manifest={"method": "n"})
