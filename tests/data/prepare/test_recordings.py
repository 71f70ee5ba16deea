"""Real faces from video to sample."""

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fadm.attributes.landmark_model import load_landmark_model
from fadm.data.prepare.layouts import Recording
from fadm.data.prepare.options import PrepareOptions
from fadm.data.prepare.recordings import keep_largest, prepare_job, prepare_recording
from fadm.data.prepare.samples import RecordingResult
from fadm.data.prepare.work_folder import RESULTS
from fadm.face.topology import FACE_OVAL
from fadm.media.image import read_image, write_image
from tests.clips import write_clip
from tests.data.prepare.test_selection import judge, made_up_landmarks, make_track
from tests.data.raw_videos import BLANK_WIDE, moving_portrait
from tests.face.portraits import track_picture
from tests.media.samples import ASTRONAUT

OPTIONS = PrepareOptions(frames=6)


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    """Another shot with no face, then a face that sways."""
    return write_clip(tmp_path_factory.mktemp("raw") / "a.mp4", [*[BLANK_WIDE] * 5, *moving_portrait()])


@pytest.fixture(scope="module")
def result(video) -> RecordingResult:
    return prepare_recording(make_recording(video), OPTIONS)


def make_recording(path: Path, kind: str = "video", **values) -> Recording:
    return replace(Recording("a", path, path.name, kind, "someone", "mine"), **values)


def read_sample(result: RecordingResult, key: str) -> tuple[list[np.ndarray], np.ndarray, np.ndarray, dict]:
    files = result.samples
    pictures = [np.array(Image.open(io.BytesIO(files[n]))) for n in files if n.startswith(key) and n.endswith("jpg")]
    arrays = [np.load(io.BytesIO(files[f"{key}.{name}.npy"])) for name in ("landmarks", "attributes")]
    return pictures, *arrays, json.loads(files[f"{key}.json"])


def test_a_sample_has_the_files_that_readers_expect(result):
    names = [f"a__0000.{i:02d}.jpg" for i in range(6)]
    assert list(result.samples) == [*names, "a__0000.landmarks.npy", "a__0000.attributes.npy", "a__0000.json"]
    pictures, landmarks, attributes, info = read_sample(result, "a__0000")
    assert {p.shape for p in pictures} == {(256, 256, 3)}
    assert landmarks.shape == (6, 478, 3) and attributes.shape == (6, 56)
    assert landmarks.dtype == attributes.dtype == np.float16
    assert info["clip"] == "a__0000" and info["identity"] == "someone" and info["source"] == "mine"
    assert info["frames"] == 6 and info["frames_per_second"] == 25 and info["file"] == "a.mp4"
    assert info["shot"] == 1 and info["video_size"] == [256, 192] and info["tier"] == "research"


def test_pictures_landmarks_and_numbers_belong_together(result):
    """The video's frame at each number, cut at the window, is the picture; its face is where the landmarks are."""
    pictures, landmarks, _, info = read_sample(result, "a__0000")
    assert info["frame_numbers"] == sorted(info["frame_numbers"])
    assert all(n >= 5 and n % 2 == 0 for n in info["frame_numbers"])
    left, top, side = info["window"]
    for picture, fractions, number in zip(pictures, landmarks, info["frame_numbers"], strict=True):
        (tracked,) = track_picture(picture)
        error = np.abs(fractions[:, :2] * 256 - (tracked[:, :2] + 0.5))
        assert error.mean() < 3
        frame = moving_portrait()[number - 5]
        x, y = 128, 128  # a pixel of the crop, and where the window says it is in the frame
        place = frame[round(top + (y + 0.5) * side / 256 - 0.5), round(left + (x + 0.5) * side / 256 - 0.5)]
        assert np.abs(picture[y, x].astype(int) - place).max() < 40


def test_the_window_is_fixed_and_the_face_moves_in_it(result):
    _, landmarks, _, _ = read_sample(result, "a__0000")
    ovals = landmarks[:, list(FACE_OVAL), :2].astype(np.float32)
    assert ovals.min() > 0.1 and ovals.max() < 0.9
    assert np.ptp(ovals.mean(1)[:, 0]) > 0.05
    heights = np.ptp(ovals[..., 1], axis=1)
    assert 0.45 < np.median(heights) < 1 / 1.75 + 0.01


def test_attributes_are_the_models_fit_with_one_identity(result):
    _, landmarks, attributes, _ = read_sample(result, "a__0000")
    fitted, _ = load_landmark_model().fit(torch.from_numpy(256 * landmarks.astype(np.float32)))
    np.testing.assert_allclose(attributes, fitted.vector, atol=0.1)
    assert np.ptp(attributes[:, 52]) > 0.05  # the head rolls


def test_the_duration_is_in_seconds(result):
    assert result.seconds == pytest.approx(37 / 25, abs=0.05)
    assert [(n.key, n.frames, n.reason) for n in result.notes] == [("a__0000", 6, "")]


def test_a_strip_shows_the_clip(result):
    assert Image.open(io.BytesIO(result.strips["a__0000"])).size == (6 * 64, 64)


def test_the_same_recording_gives_the_same_bytes(video):
    job = (make_recording(video), make_recording(video, name="b"))
    first = prepare_job(job, OPTIONS)
    assert first == prepare_job(job, OPTIONS) and RESULTS.encode() in first[:100]


def test_a_video_without_a_face_is_a_note(tmp_path):
    result = prepare_recording(make_recording(write_clip(tmp_path / "b.mp4", [BLANK_WIDE] * 3)), OPTIONS)
    assert [(n.key, n.reason) for n in result.notes] == [("a", "no face")] and not result.samples


@pytest.mark.parametrize(
    ("content", "said"), [(b"", "is empty"), (b"no video" * 99, "cannot be read"), (None, "No such file")]
)
def test_what_cannot_be_read_is_a_problem_and_no_error(tmp_path, content, said):
    if content is not None:
        (tmp_path / "b.mp4").write_bytes(content)
    result = prepare_recording(make_recording(tmp_path / "b.mp4"), OPTIONS)
    assert said in result.problem and not result.notes


def test_half_a_video_is_read_up_to_its_end(tmp_path, video):
    whole = write_clip(tmp_path / "b.mkv", moving_portrait()).read_bytes()
    (tmp_path / "b.mkv").write_bytes(whole[: len(whole) * 7 // 8])
    result = prepare_recording(make_recording(tmp_path / "b.mkv"), replace(OPTIONS, shortest=0.5))
    assert not result.problem and result.samples


def test_a_folder_of_frames_is_kept_as_it_is_cut(tmp_path):
    folder = tmp_path / "id1#x#0.mp4"
    folder.mkdir()
    frames = [frame[:, 32:224] for frame in moving_portrait()[:4]]
    for i, frame in enumerate(frames):
        write_image(folder / f"{i:07d}.png", frame)
    options = replace(OPTIONS, shortest=0.1, every=1, size=192, quality=100)
    result = prepare_recording(make_recording(folder, "frames", split="test", is_of_one=True, is_cut=True), options)
    pictures, _, _, info = read_sample(result, "a__0000")
    assert info["window"] == [0, 0, 192] and info["frame_numbers"] == [0, 1, 2, 3] and info["split"] == "test"
    np.testing.assert_allclose(np.stack(pictures).astype(float), np.stack(frames), atol=12)


def test_a_still_is_a_clip_of_one_frame():
    recording = make_recording(ASTRONAUT, "still", is_of_one=True)
    result = prepare_recording(recording, OPTIONS)
    pictures, landmarks, attributes, info = read_sample(result, "a")
    assert len(pictures) == 1 and landmarks.shape == (1, 478, 3) and attributes.shape == (1, 56)
    assert info["frame_numbers"] == [0] and info["video_size"] == list(read_image(ASTRONAUT).shape[1::-1])


def test_a_smaller_face_at_the_same_time_is_dropped():
    large = judge(make_track(made_up_landmarks()))
    small = judge(make_track(made_up_landmarks() * 0.7))
    later, elsewhere = replace(small, began=large.seconds + 0.1), replace(small, shot=1)
    reasons = [c.reason for c in keep_largest([large, small, later, elsewhere])]
    assert reasons == ["", "not the largest face", "", ""]
    moment = replace(large, reason="too short", seconds=0.1)
    assert [c.reason for c in keep_largest([moment, small])] == ["too short", ""]
