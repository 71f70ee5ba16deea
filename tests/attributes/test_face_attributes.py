import pytest
import torch

from tests.attributes.made_up import make_attributes


def test_the_vector_is_expression_then_pose():
    attributes = make_attributes(3)
    assert len(attributes) == 3
    assert attributes.vector.shape == (3, 56)
    assert torch.equal(attributes.vector[:, :50], attributes.expression)
    assert torch.equal(attributes.vector[:, 50:53], attributes.head)
    assert torch.equal(attributes.vector[:, 53:], attributes.jaw)


@pytest.mark.parametrize("index", [slice(1, 2), [1], torch.tensor([1]), torch.tensor([False, True, False])])
def test_selecting_keeps_the_batch(index):
    attributes = make_attributes(3)
    one = attributes[index]
    assert len(one) == 1
    assert torch.equal(one.pose, attributes.pose[1:2]) and torch.equal(one.gaze, attributes.gaze[1:2])
    assert torch.equal(one.camera, attributes.camera[1:2])


def test_rows_must_exist():
    with pytest.raises(IndexError, match="out of bounds"):
        make_attributes(3)[[3]]
