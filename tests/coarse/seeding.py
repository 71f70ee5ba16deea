"""Weights for tiny networks, as strong as the reference cases': what goes in shows in what comes out."""

from torch import nn

from tests.reference import make_tensor


def seed_weights(model: nn.Module) -> None:
    """Fill parameters and running statistics from their names."""
    for name, module in model.named_modules():
        is_norm = isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d)
        kinds = {"weight": "gain" if is_norm else "weight", "running_var": "variance", "running_mean": "bias"}
        values = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
        for key, value in values:
            if value.is_floating_point() and key in {*kinds, "bias"}:
                value.data.copy_(make_tensor(f"{name}.{key}", tuple(value.shape), kinds.get(key, "bias")))
