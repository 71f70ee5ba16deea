import numpy as np
import pytest

from fadm.errors import OptionError
from fadm.evaluation.export import export_pictures
from fadm.evaluation.options import DrawOptions
from fadm.evaluation.pairs import draw_pairs
from fadm.media.image import read_image
from tests.evaluation.synthetic_clips import read_shard, run_on


def test_what_is_exported_is_what_is_measured(tmp_path, shard):
    clips = read_shard(shard)
    export_pictures(draw_pairs(clips, DrawOptions(count=2)), clips, tmp_path / "out")
    means = run_on(shard, str(tmp_path / "out" / "driving"), tmp_path / "run", count=2)
    assert means["l1"]["result"] == 0
    assert len(list((tmp_path / "out" / "source").iterdir())) == 2


def test_videos_are_folders_of_frames(tmp_path, shard):
    clips = read_shard(shard)
    pairs = draw_pairs(clips, DrawOptions(protocol="reconstruction"))
    export_pictures(pairs, clips, tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out" / "driving" / "clip-a").iterdir()) == [
        f"{i:05d}.png" for i in range(4)
    ]
    np.testing.assert_array_equal(read_image(tmp_path / "out" / "source" / "clip-b.png"), clips[1].pictures[0].read())
    with pytest.raises(OptionError, match="holds other files"):
        export_pictures(pairs, clips, tmp_path / "out")
