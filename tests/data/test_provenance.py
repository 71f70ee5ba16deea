import torch

from fadm.data.provenance import describe_clips
from fadm.weights.store import save_weights
from tests.training.test_face_model import make_clip


def test_weights_say_where_their_data_are_from():
    described = describe_clips([make_clip(0), make_clip(1), make_clip(1)])
    assert described == {
        "trained_on": "3 clips of 2 people",
        "tiers": "open: 3",
        "sources": "someone/portraits: MIT",
        "licence": "Apache-2.0",
        "commercial": "true",
    }


def test_one_clip_on_other_terms_is_enough():
    described = describe_clips([make_clip(0), make_clip(1, tier="research", terms="non-commercial")])
    assert described["licence"] == "research and non-commercial use" and described["commercial"] == "false"
    assert described["sources"] == "someone/portraits: MIT; someone/portraits: non-commercial"
    assert described["tiers"] == "open: 1, research: 1"
    unknown = make_clip(2)
    del unknown.info["tier"]
    assert describe_clips([unknown])["licence"] == "research and non-commercial use"


def test_other_weights_that_took_part_count_too(tmp_path):
    def save(name, metadata):
        save_weights(tmp_path / name, {"x": torch.zeros(1)}, config={}, metadata=metadata)
        return str(tmp_path / name)

    free = save("free.safetensors", {"kind": "fadm", "licence": "Apache-2.0"})
    bound = save("bound.safetensors", {"kind": "fomm", "licence": "non-commercial use only"})
    silent = save("silent.safetensors", {"kind": "fomm"})
    freed = save("freed.safetensors", {"kind": "fadm", "licence": "by agreement", "commercial": "true"})
    kept = save("kept.safetensors", {"kind": "fadm", "licence": "Apache-2.0", "commercial": "false"})
    assert describe_clips([make_clip(0)], [free, freed])["licence"] == "Apache-2.0"
    for name in (bound, silent, kept):
        assert describe_clips([make_clip(0)], [free, name])["licence"] == "research and non-commercial use"
    said = describe_clips([make_clip(0)], [bound])["sources"]
    assert said == "someone/portraits: MIT; weights bound: non-commercial use only"
