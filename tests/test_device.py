import threading

import pytest
import torch
from torch import nn

from fadm.device import (
    autocast,
    choose_device,
    choose_dtype,
    map_ahead,
    read_ahead,
    seeded_generator,
    store_weights,
)
from fadm.errors import InputError, OptionError


def test_named_device_and_dtype_are_taken():
    device = choose_device("cpu")
    assert device.type == "cpu"
    assert choose_dtype(device, "bfloat16") == torch.bfloat16
    assert choose_dtype(device) in (torch.float32, torch.bfloat16)


@pytest.mark.parametrize("name", ["tpu", "cpu:zero"])
def test_absent_device_is_named(name):
    with pytest.raises(OptionError, match=name):
        choose_device(name)


def test_an_absent_device_of_a_present_kind_is_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device("cuda:1") == torch.device("cuda:1") and choose_device() == torch.device("cuda")
    with pytest.raises(OptionError, match="'cuda:7' is not available; this machine has: auto, cuda:0, cuda:1, cpu"):
        choose_device("cuda:7")


def test_unknown_dtype_is_named():
    with pytest.raises(OptionError, match="float8"):
        choose_dtype(torch.device("cpu"), "float8")


def test_autocast_computes_products_in_dtype():
    x = torch.ones(2, 2)
    with autocast(x.device, torch.bfloat16):
        assert (x @ x).dtype == torch.bfloat16
        with autocast(x.device, torch.float32):
            assert (x @ x).dtype == torch.float32


def test_seeds_make_reproducible_and_different_numbers():
    first, again, other = (torch.randn(4, generator=seeded_generator(*s)) for s in [(1, 2), (1, 2), (2, 1)])
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_negative_seed_is_named():
    with pytest.raises(OptionError, match="seed -1 is negative"):
        seeded_generator(-1, 2)


def test_who_maps_last_restores_the_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)
    try:
        first, second = (map_ahead(lambda item: torch.get_num_threads(), iter(range(9)), 2) for _ in range(2))
        assert (next(first), next(second)) == (1, 1)
        assert list(first) == [1] * 8 and list(second) == [1] * 8
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)


def test_items_are_read_ahead_in_order_in_another_thread():
    threads, done = set(), []

    def produce():
        for number in range(20):
            threads.add(threading.get_ident())
            done.append(number)
            yield number
        raise InputError("the end is damaged")

    read = read_ahead(produce())
    assert [next(read) for _ in range(10)] == list(range(10))
    assert 10 <= len(done) <= 13 and threading.get_ident() not in threads
    with pytest.raises(InputError, match="the end is damaged"):
        list(read)
    assert list(read_ahead([])) == []


def test_stored_weights_compute_what_autocast_computes():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4), nn.Flatten(), nn.Linear(144, 5))
    picture = torch.rand(1, 3, 8, 8)
    with autocast(torch.device("cpu"), torch.bfloat16), torch.inference_mode():
        expected = network(picture)
        assert torch.equal(store_weights(network, torch.bfloat16)(picture), expected)
    assert network[0].weight.dtype == torch.bfloat16 and network[1].weight.dtype == torch.float32
