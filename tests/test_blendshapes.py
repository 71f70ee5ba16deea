import pytest

from fadm.blendshapes import BLENDSHAPES, describe_blendshape, mirror_blendshape, suggest_blendshapes


def test_there_are_52_names_once_each():
    assert len(BLENDSHAPES) == len(set(BLENDSHAPES)) == 52
    assert BLENDSHAPES[:51] == tuple(sorted(BLENDSHAPES[:51]))
    assert BLENDSHAPES[-1] == "tongueOut"


def test_each_side_has_its_partner():
    assert mirror_blendshape("mouthSmileLeft") == "mouthSmileRight"
    assert mirror_blendshape("jawOpen") == "jawOpen"
    assert all(
        mirror_blendshape(mirror_blendshape(n)) == n and mirror_blendshape(n) in BLENDSHAPES for n in BLENDSHAPES
    )


def test_each_has_a_description_of_its_own():
    assert describe_blendshape("eyeBlinkLeft") == "Close the left eye"
    assert describe_blendshape("jawRight") == "Move the jaw to the right"
    assert len({describe_blendshape(name) for name in BLENDSHAPES}) == 52
    with pytest.raises(KeyError, match="ears"):
        describe_blendshape("earsRight")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("eyeblinkleft", "did you mean eyeBlinkLeft or "),
        ("jaw_open", "did you mean jawOpen"),
        ("ears", "ARKit's 52 names"),
    ],
)
def test_an_unknown_name_is_near_to_known_ones(name, words):
    assert words in suggest_blendshapes(name)
