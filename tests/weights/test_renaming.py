import pytest
import torch

from fadm.errors import WeightsError
from fadm.weights.renaming import describe_differences, rename


def test_rules_apply_in_order_and_ignored_keys_go():
    rules = ((r"^down(\d)\.", r"down.\1."), (r"^down\.", "encoder."))
    state_dict = {"down0.weight": torch.ones(1), "kernel": torch.ones(2)}
    assert rename(state_dict, rules, (r"^kernel$",)) == {"encoder.0.weight": state_dict["down0.weight"]}


def test_two_keys_for_one_place_are_refused():
    with pytest.raises(WeightsError, match="b and a both stand for x"):
        rename({"a": torch.ones(1), "b": torch.ones(1)}, ((r"^[ab]$", "x"),), ())


def test_differences_are_listed_and_cut_short():
    assert describe_differences({"a": (1,)}, {"a": (1,)}) == ""
    text = describe_differences({"a": (1,), "z": ()}, {"a": (2, 3), **{f"k{i}": () for i in range(10)}})
    assert "10 missing: k0, k1, k2, k3, k4, k5, k6, k7 and 2 more" in text
    assert text.endswith("1 extra: z; 1 of the wrong shape: a (1,) instead of (2, 3)")
