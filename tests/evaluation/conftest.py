import pytest

from tests.evaluation.synthetic_clips import write_shard
from tests.tiny_networks import tiny_networks


@pytest.fixture(scope="session")
def shard(tmp_path_factory):
    """Two clips of two people."""
    return write_shard(tmp_path_factory.mktemp("shard") / "made-up.tar")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Tiny networks of every kind, by their usual names."""
    with tiny_networks(tmp_path_factory.mktemp("home")):
        yield
