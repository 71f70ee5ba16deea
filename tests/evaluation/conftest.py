import pytest

from tests.evaluation.made_up import write_shard


@pytest.fixture(scope="session")
def shard(tmp_path_factory):
    """Two clips of two people."""
    return write_shard(tmp_path_factory.mktemp("shard") / "made-up.tar")
