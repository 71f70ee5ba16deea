from fadm.data.provenance import describe_clips
from tests.training.test_face_model import make_clip


def test_weights_say_where_their_data_are_from():
    described = describe_clips([make_clip(0), make_clip(1), make_clip(1)])
    assert described == {
        "trained_on": "3 clips of 2 people",
        "sources": "someone/portraits: MIT",
        "licence": "Apache-2.0",
    }


def test_one_clip_on_other_terms_is_enough():
    described = describe_clips([make_clip(0), make_clip(1, tier="research", terms="non-commercial")])
    assert described["licence"] == "research and non-commercial use"
    assert described["sources"] == "someone/portraits: MIT; someone/portraits: non-commercial"
    unknown = make_clip(2)
    del unknown.info["tier"]
    assert describe_clips([unknown])["licence"] == "research and non-commercial use"
