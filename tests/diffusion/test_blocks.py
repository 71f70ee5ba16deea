import pytest
import torch

from fadm.diffusion.blocks import (
    Downsample,
    GroupNorm,
    NormalizedConv,
    ResidualBlock,
    SelfAttention,
    TimeEmbedding,
    UNetBlock,
    Upsample,
    to_patches,
)
from tests.reference import normal


def test_blocks_keep_or_change_the_shape():
    x, time = normal("x", (2, 8, 4, 6)), normal("time", (2, 16))
    assert NormalizedConv(8, 12, groups=4)(x).shape == (2, 12, 4, 6)
    assert UNetBlock(8, 12, groups=4, time_channels=16, has_attention=True)(x, time).shape == (2, 12, 4, 6)
    assert Downsample(8)(x).shape == (2, 8, 2, 3)
    assert Upsample(8)(x).shape == (2, 8, 8, 12)


def test_time_waves_are_sines_then_cosines():
    embedding = TimeEmbedding(8)
    phases = torch.tensor([[5.0]]) * 10000 ** -(torch.arange(0, 8, 2) / 8)
    waves = torch.cat((phases.sin(), phases.cos()), dim=1)
    expected = embedding.project(torch.nn.functional.silu(embedding.expand(waves)))
    assert torch.allclose(embedding(torch.tensor([5])), expected, atol=1e-6)


def test_time_shifts_each_channel():
    block, x = ResidualBlock(8, 8, groups=4, time_channels=16), normal("x", (2, 8, 4, 4))
    with torch.no_grad():
        first, second = block(x, normal("early", (2, 16))), block(x, normal("late", (2, 16)))
    assert not torch.allclose(first, second)


def test_attention_is_softmax_of_scaled_products():
    attention, x = SelfAttention(8, groups=4), normal("x", (1, 8, 3, 3))
    with torch.no_grad():
        query, key, value = attention.qkv(attention.norm(x)).flatten(2)[0].chunk(3)
        mixed = value @ torch.softmax(query.T @ key / 8**0.5, dim=1).T
        expected = x + attention.out(mixed.view(1, 8, 3, 3))
        assert torch.allclose(attention(x), expected, atol=1e-6)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_group_norm_is_pytorchs_in_value_and_gradient(layout):
    ours, theirs = GroupNorm(4, 8), torch.nn.GroupNorm(4, 8)
    torch.nn.init.normal_(ours.weight)
    torch.nn.init.normal_(ours.bias)
    theirs.load_state_dict(ours.state_dict())
    weights, answers = normal("weights", (2, 8, 5, 7)), []
    for norm in (ours, theirs):
        x = normal("x", (2, 8, 5, 7)).to(memory_format=layout).requires_grad_()
        y = norm(x)
        (y * weights).sum().backward()
        answers.append((y.detach(), x.grad, norm.weight.grad, norm.bias.grad))
    for value, expected in zip(*answers, strict=True):
        assert torch.allclose(value, expected, atol=1e-5)
    assert answers[0][0].is_contiguous(memory_format=torch.channels_last)


def test_patches_are_rows_and_columns_of_each_colour():
    picture = normal("picture", (2, 3, 8, 12))
    patches = to_patches(picture, 4)
    assert patches.shape == (2, 48, 2, 3) and patches.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(patches[1, :, 1, 2], picture[1, :, 4:8, 8:12].flatten())
    assert torch.equal(torch.nn.functional.pixel_shuffle(patches, 4), picture)
    assert torch.equal(to_patches(picture, 1), picture)
