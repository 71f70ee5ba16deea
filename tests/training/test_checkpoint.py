import pytest
import torch
from torch import nn

from fadm.errors import OutputError, WeightsError
from fadm.training.checkpoint import TrainedModule, TrainingState, average_networks, load_state, save_state


class Network(nn.Module):
    """A convolution in the layout of training, and a norm with running statistics."""

    def __init__(self, channels=4):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, channels, 3), nn.BatchNorm2d(channels)
        self.to(memory_format=torch.channels_last)

    def forward(self, x):
        return self.norm(self.conv(x))


def make_state(seed, channels=4, steps=0):
    torch.manual_seed(seed)
    network = Network(channels)
    trained = TrainedModule(network, torch.optim.AdamW(network.parameters(), lr=0.1))
    state = TrainingState({"generator": trained}, average_networks({"fadm": network}, 0.5))
    for _ in range(steps):
        take_step(state)
    return state


def take_step(state):
    trained = state.modules["generator"]
    trained.module(
        torch.randn(2, 3, 5, 5, generator=torch.Generator().manual_seed(state.step))
    ).square().sum().backward()
    trained.optimizer.step()
    trained.optimizer.zero_grad()
    state.averages["fadm"].update_parameters(trained.module)
    state.step += 1


def tensors_of(state):
    trained = state.modules["generator"]
    slots = [tensor for memory in trained.optimizer.state.values() for tensor in memory.values()]
    return [*trained.module.state_dict().values(), *slots, *state.averages["fadm"].state_dict().values()]


def test_a_state_comes_back_bit_by_bit_and_steps_alike(tmp_path):
    state = make_state(0, steps=3)
    state.best = 0.1 + 0.2
    save_state(state, tmp_path / "latest.safetensors")
    other = make_state(1)
    load_state(other, tmp_path / "latest.safetensors")
    assert (other.step, other.best) == (3, 0.1 + 0.2)
    for _ in range(2):
        saved, loaded = tensors_of(state), tensors_of(other)
        assert len(saved) == len(loaded) > 20
        assert all(torch.equal(a, b) for a, b in zip(saved, loaded, strict=True))
        take_step(state)
        take_step(other)


def test_moments_have_the_layout_of_their_parameters(tmp_path):
    save_state(make_state(0, steps=1), tmp_path / "latest.safetensors")
    state = make_state(1)
    load_state(state, tmp_path / "latest.safetensors")
    trained = state.modules["generator"]
    moment = trained.optimizer.state[trained.module.conv.weight]["exp_avg"]
    assert moment.stride() == trained.module.conv.weight.stride() != moment.contiguous().stride()


def test_averages_are_exponential_and_buffers_are_copied():
    state = make_state(0)
    network, average = state.modules["generator"].module, state.averages["fadm"]
    assert not average.training and not any(p.requires_grad for p in average.parameters())
    values = []
    for number in (1.0, 2.0, 4.0):
        nn.init.constant_(network.conv.weight, number)
        network.norm.running_mean.fill_(number)
        average.update_parameters(network)
        values.append(float(average.module.conv.weight[0, 0, 0, 0]))
    assert values == [1.0, 1.5, 2.75]  # the first is taken as it is, the others by half
    assert float(average.module.norm.running_mean[0]) == 4.0


def test_only_the_main_process_writes(tmp_path):
    save_state(make_state(0), tmp_path / "latest.safetensors", is_main=False)
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_that_does_not_fit_is_refused(tmp_path):
    path = tmp_path / "latest.safetensors"
    save_state(make_state(0, steps=1), path)
    with pytest.raises(WeightsError, match=r"is of another network .*start in another folder"):
        load_state(make_state(0, channels=5), path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(WeightsError, match="is no readable checkpoint"):
        load_state(make_state(0), path)


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(OutputError, match=r"nowhere"):
        save_state(make_state(0), tmp_path / "nowhere" / "latest.safetensors")
