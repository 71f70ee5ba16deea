from fadm.face.blendshapes import ARKIT_CSV_NAMES, BLENDSHAPES, mirror_blendshape


def test_there_are_52_names_once_each():
    assert len(BLENDSHAPES) == len(set(BLENDSHAPES)) == 52
    assert BLENDSHAPES[:51] == tuple(sorted(BLENDSHAPES[:51]))
    assert BLENDSHAPES[-1] == "tongueOut"


def test_the_csv_has_the_same_names_in_the_order_of_face_capture():
    assert {name.lower() for name in ARKIT_CSV_NAMES} == {name.lower() for name in BLENDSHAPES}
    assert len(ARKIT_CSV_NAMES) == 52
    assert ARKIT_CSV_NAMES[:2] == ("EyeBlinkLeft", "EyeLookDownLeft")
    assert ARKIT_CSV_NAMES[14:18] == ("JawForward", "JawRight", "JawLeft", "JawOpen")


def test_each_side_has_its_partner():
    assert mirror_blendshape("mouthSmileLeft") == "mouthSmileRight"
    assert mirror_blendshape("jawOpen") == "jawOpen"
    assert all(
        mirror_blendshape(mirror_blendshape(n)) == n and mirror_blendshape(n) in BLENDSHAPES for n in BLENDSHAPES
    )
