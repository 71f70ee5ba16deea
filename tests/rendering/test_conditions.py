import pytest
import torch

from fadm.errors import OptionError
from fadm.rendering.conditions import Conditions, inference_conditions


def test_difference_is_source_minus_driving():
    picture = torch.zeros(2, 3, 8, 8)
    conditions = inference_conditions(picture, torch.full((2, 56), 3.0), torch.ones(2, 56))
    assert torch.equal(conditions.attribute_difference, torch.full((2, 56), 2.0))
    assert conditions.appearance is conditions.coarse


def test_parts_that_do_not_belong_together_are_named():
    picture, attributes = torch.zeros(2, 3, 8, 8), torch.zeros(2, 56)
    with pytest.raises(OptionError, match="differ in shape"):
        Conditions(coarse=picture, appearance=picture[:1], attributes_source=attributes, attributes_driving=attributes)
    with pytest.raises(OptionError, match=r"person has the shape \(2, 1, 8, 8\), but \(2, 2, 8, 8\) is expected"):
        inference_conditions(picture, attributes, attributes, picture, picture[:, :1])
    with pytest.raises(OptionError, match=r"attributes_driving has the shape \(1, 56\)"):
        inference_conditions(picture, attributes, attributes[:1])


def test_the_source_is_one_of_the_pictures():
    picture, attributes = torch.zeros(2, 3, 8, 8), torch.zeros(2, 56)
    assert inference_conditions(picture, attributes, attributes).source is None
    assert inference_conditions(picture, attributes, attributes, picture).source is picture
    with pytest.raises(OptionError, match=r"coarse \(2, 3, 8, 8\) and source \(2, 3, 8, 4\) differ in shape"):
        inference_conditions(picture, attributes, attributes, picture[..., :4])
