"""What an evaluation measures equals, to the bit, what `Animator.animate` and `enhance_frames` give."""

import numpy as np
import pytest
import torch

from fadm import AnimateOptions, Animator, EnhanceOptions, SourceOptions
from fadm.animation.enhancement import enhance_frames
from fadm.evaluation import evaluator
from fadm.evaluation.build import build_evaluation, choose_pairs
from fadm.evaluation.features import FrameFeatures
from fadm.evaluation.options import RunOptions
from fadm.face.tracker import TrackedFace
from fadm.media.image import write_image
from fadm.media.reader import open_frames
from tests.evaluation.synthetic_clips import read_shard
from tests.face.portraits import SIDE

WITHIN_CLIP = {"placement": "clip"}
ACROSS_PEOPLE = {"relative": True, "anchor": "auto"}
CASES = [  # protocol, motion of the evaluation, the same as options of animate
    ("random-pairs", "best", WITHIN_CLIP),
    ("reconstruction", "best", WITHIN_CLIP),
    ("cross-identity", "best", ACROSS_PEOPLE),
    ("cross-identity", "first", ACROSS_PEOPLE | {"anchor": "first"}),
    ("cross-identity", "absolute", {"relative": False}),
]


class Landmarks:
    """A tracker that gives the landmarks that the shard stores, in the order in which they are asked for."""

    def __init__(self, landmarks):
        self.rest = iter(landmarks)

    def track(self, pixels):
        face = next(self.rest)
        return [TrackedFace(face)] if np.isfinite(face).all() else []

    def reset(self):
        pass

    def close(self):
        pass


def measured_frames(shard, model, **given):
    """The frames that an evaluation measures, by case and stage, caught where they are measured."""
    clips = read_shard(shard)
    options = RunOptions(**{"count": 2, "metrics": "pixel"} | given)
    evaluation = build_evaluation(model, clips, choose_pairs(clips, options, None), options, torch.device("cpu"))
    caught = []

    class CaughtFrame(FrameFeatures):
        def __init__(self, pixels, extractors):
            caught.append(pixels)
            super().__init__(pixels, extractors)

    measured = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluator, "FrameFeatures", CaughtFrame)
        for case, prediction in evaluator.predict_cases(evaluation, evaluation.pairs.cases):
            caught.clear()
            evaluator.measure_case(evaluation, case, prediction)
            length = len(caught) // len(evaluation.method.stages)
            assert length == len(case.driving_frames)
            measured[case] = {
                stage: caught[place * length : (place + 1) * length]
                for place, stage in enumerate(evaluation.method.stages)
            }
    return measured


def write_frames(folder, clip, numbers):
    """Driving frames as a user has them: a folder of PNG files."""
    folder.mkdir()
    for place, number in enumerate(numbers):
        write_image(folder / f"{place:03d}.png", clip.pictures[number].read())
    return folder


def stored(clip, numbers):
    return clip.landmarks[list(numbers)] * SIDE - np.array([0.5, 0.5, 0], np.float32)


def animate(shard, case, folder, **given):
    """What the public `Animator.animate` yields for a case."""
    clips = {clip.key: clip for clip in read_shard(shard)}
    source, driver = clips[case.source_clip], clips[case.driving_clip]
    landmarks = [*stored(source, [case.source_frame]), *stored(driver, case.driving_frames)]
    rest = iter(landmarks)

    def make_tracker(*, is_video):
        assert not is_video  # the frames are stills
        return Landmarks(rest)

    first_frame = int(case.name) if case.name.isdecimal() else 0
    options = AnimateOptions(
        crop=True, window="picture", size=SIDE, stills=True, smoothing=0.0, first_frame=first_frame, **given
    )
    pixels = source.pictures[case.source_frame].read()
    frames = write_frames(folder, driver, case.driving_frames)
    return list(Animator(device="cpu", make_tracker=make_tracker).animate(pixels, frames, options))


@pytest.mark.parametrize(
    ("renderer", "protocol", "motion", "same"),
    [
        *(("none", *case) for case in CASES),
        *(("fadm_small", *case) for case in CASES[:3]),
        ("by_landmarks", *CASES[0]),  # its noise depends on the number of the frame
        *(pytest.param("by_landmarks", *case, marks=pytest.mark.slow) for case in CASES[1:3]),
        *(pytest.param("fadm_small", *case, marks=pytest.mark.slow) for case in CASES[3:]),
        pytest.param("by_deca", *CASES[0], marks=pytest.mark.slow),  # it reads the driver's pictures
        pytest.param("by_landmarks over fomm", *CASES[2], marks=pytest.mark.slow),
    ],
)
def test_evaluation_measures_what_animate_writes(shard, weights, tmp_path, renderer, protocol, motion, same):
    model, _, coarse = renderer.partition(" over ")
    choices = {"preset": "paper", "steps": 2, "seed": 3} if model.startswith("by_") else {}
    generator = {"coarse": coarse} if coarse else {}
    model = "geometric" if renderer == "none" else model
    count = 2 if protocol == "random-pairs" else 1
    measured = measured_frames(shard, model, protocol=protocol, motion=motion, count=count, **choices, **generator)
    assert len(measured) == count
    for case, stages in measured.items():
        coarse = animate(shard, case, tmp_path / f"{case.name}-coarse", renderer="none", **generator, **same)
        np.testing.assert_array_equal(stages["coarse"], coarse)
        if renderer != "none":
            chosen = {"renderer": model, **choices, **generator, **same}
            rendered = animate(shard, case, tmp_path / f"{case.name}-rendered", **chosen)
            np.testing.assert_array_equal(stages["rendered"], rendered)
            assert (np.array(rendered) != coarse).any()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("coarse", "protocol", "same"),
    [("fomm", "reconstruction", WITHIN_CLIP), ("face_vid2vid", "cross-identity", ACROSS_PEOPLE)],
)
def test_evaluation_of_networks_measures_what_animate_writes(shard, weights, tmp_path, coarse, protocol, same):
    for case, stages in measured_frames(shard, coarse, protocol=protocol, count=1).items():
        animated = animate(shard, case, tmp_path / case.name, renderer="none", coarse=coarse, **same)
        np.testing.assert_array_equal(stages["coarse"], animated)


@pytest.mark.parametrize(
    ("model", "protocol", "choices"),
    [
        ("fadm_small", "reconstruction", {}),
        ("by_landmarks", "random-pairs", {"preset": "paper", "steps": 2, "seed": 3}),  # noise by number
    ],
)
def test_evaluation_measures_what_enhance_writes(shard, weights, tmp_path, model, protocol, choices):
    clips = {clip.key: clip for clip in read_shard(shard)}
    results, pairs = tmp_path / "results", RunOptions(count=2, protocol=protocol, seed=choices.get("seed", 0))
    for case in choose_pairs([*clips.values()], pairs, None).cases:  # of another tool: the truth, a little darker
        (results / case.name).mkdir(parents=True)
        for number in case.driving_frames:
            picture = clips[case.driving_clip].pictures[number].read()
            write_image(results / case.name / f"{number}.png", picture // 2 + 60)
    measured = measured_frames(shard, model, protocol=protocol, coarse=str(results), **choices)
    case, stages = list(measured.items())[-1]
    portrait = clips[case.source_clip]
    pixels, points = portrait.pictures[case.source_frame].read(), stored(portrait, [case.source_frame])
    preparing = Animator(device="cpu", make_tracker=lambda *, is_video: Landmarks(iter(points)))
    prepared = preparing.prepare(pixels, SourceOptions(window="picture"))
    animator, number = Animator(device="cpu"), int(case.name) if case.name.isdecimal() else 0
    options = EnhanceOptions(
        window="picture", stills=True, smoothing=0.0, first_frame=number, renderer=model, **choices
    )
    video = open_frames(results / case.name)
    motion, _ = animator.read_motion(video, options)
    enhanced = list(enhance_frames(animator, video, motion, options, prepared))
    np.testing.assert_array_equal(stages["rendered"], enhanced)
    np.testing.assert_array_equal(stages["coarse"], [frame.pixels for frame in open_frames(results / case.name)])
    assert (np.array(enhanced) != stages["coarse"]).any()


def test_frames_without_a_face_are_measured_as_animate_writes_them(shard, tmp_path, monkeypatch):
    """The gap policy is that of the path."""
    clips = read_shard(shard)
    for clip in clips:
        clip.landmarks[1] = np.nan
    monkeypatch.setitem(globals(), "read_shard", lambda path: clips)
    ((case, stages),) = measured_frames(shard, "geometric", protocol="cross-identity", count=1).items()
    animated = animate(shard, case, tmp_path / "frames", renderer="none", **ACROSS_PEOPLE)
    np.testing.assert_array_equal(stages["coarse"], animated)
    np.testing.assert_array_equal(animated[1], animated[0])
