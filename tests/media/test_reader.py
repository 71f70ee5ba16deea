import math
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from fadm.errors import InputError, OptionError
from fadm.media.reader import list_pictures, open_frames
from tests.media.samples import make_video, pattern


def save_pictures(folder, names, size=(16, 12)):
    folder.mkdir(exist_ok=True)
    for index, name in enumerate(names):
        Image.fromarray(pattern(index, *size)).save(folder / name)
    return folder


def save_animation(path, durations, **options):
    first, *rest = (Image.fromarray(pattern(5 * i)) for i in range(len(durations)))
    first.save(path, save_all=True, append_images=rest, duration=durations, loop=0, **options)
    return path


def test_folder_in_natural_order(tmp_path):
    folder = save_pictures(tmp_path / "f", ["frame1.png", "frame2.jpg", "frame10.png"])
    for other in (".DS_Store", "notes.json", "._frame1.png"):
        (folder / other).write_text("{}")
    source = open_frames(folder)
    frames = list(source)
    assert [p.name for p in list_pictures(folder)] == ["frame1.png", "frame2.jpg", "frame10.png"]
    assert (source.width, source.height, source.num_frames, source.rate) == (16, 12, 3, 25)
    assert [f.time for f in frames] == [0, Fraction(1, 25), Fraction(2, 25)]
    assert np.array_equal(frames[2].pixels, pattern(2, 16, 12))


def test_folder_with_other_files_that_pillow_names(tmp_path):
    folder = save_pictures(tmp_path / "f", ["1.png"])
    (folder / "notes.pdf").write_bytes(b"%PDF-1.7")
    (folder / "thumbnails.png").mkdir()
    Image.fromarray(pattern(1, 16, 12)).save(folder / "2.mpo")
    assert [p.name for p in list_pictures(folder)] == ["1.png", "2.mpo"]
    assert len(list(open_frames(folder))) == 2


def test_folder_without_numbers_is_sorted_by_name(tmp_path):
    folder = save_pictures(tmp_path / "f", ["b.png", "a.png"])
    assert [p.name for p in list_pictures(folder)] == ["a.png", "b.png"]


def test_folder_with_rate_and_range(tmp_path):
    folder = save_pictures(tmp_path / "f", [f"{i}.png" for i in range(12)])
    source = open_frames(folder, rate=Fraction(10), start=0.3, end=0.6)
    frames = list(source)
    assert [f.time for f in frames] == [0, Fraction(1, 10), Fraction(2, 10)]
    assert source.num_frames == 3
    assert np.array_equal(frames[0].pixels, pattern(3, 16, 12))


def test_folder_with_two_sizes_names_the_file(tmp_path):
    folder = save_pictures(tmp_path / "f", ["1.png", "2.png"])
    Image.fromarray(pattern(0, 8, 8)).save(folder / "3.png")
    with pytest.raises(InputError, match=r"3\.png' is 8x8.* 16x12"):
        list(open_frames(folder))


def test_unusable_folders(tmp_path):
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "notes.txt").write_text("")
    with pytest.raises(InputError, match="holds no picture"):
        open_frames(tmp_path / "f")
    save_pictures(tmp_path / "f", ["1.png"])
    with pytest.raises(InputError, match="1 picture"):
        open_frames(tmp_path / "f", start=3)
    (tmp_path / "f" / "1.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"1\.png"):
        open_frames(tmp_path / "f")


def test_one_picture(tmp_path):
    save_pictures(tmp_path, ["a.png"])
    source = open_frames(tmp_path / "a.png")
    (frame,) = source
    assert source.num_frames == 1 and frame.pts == 0
    assert np.array_equal(frame.pixels, pattern(0, 16, 12))


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png"])
def test_animation_keeps_durations(tmp_path, name):
    options = {"lossless": True} if name.endswith("webp") else {}
    source = open_frames(save_animation(tmp_path / name, [40, 120, 70, 500], **options))
    frames = list(source)
    assert [f.time for f in frames] == [Fraction(t, 1000) for t in (0, 40, 160, 230)]
    assert source.rate == Fraction(4000, 730)
    assert source.num_frames == 4
    for index, frame in enumerate(frames):
        assert np.abs(frame.pixels.astype(float) - pattern(5 * index)).mean() < 6


def test_animation_range_and_default_duration(tmp_path):
    path = save_animation(tmp_path / "a.gif", [0, 0, 0, 0])
    assert [f.time for f in open_frames(path)] == [Fraction(i, 10) for i in range(4)]
    source = open_frames(path, start=0.1, end=0.3)
    assert [f.time for f in source] == [0, Fraction(1, 10)]
    assert source.rate == 10
    with pytest.raises(InputError, match="from 2 s on"):
        open_frames(path, start=2)


def test_transparent_animation_over_white(tmp_path):
    clear = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    clear.save(tmp_path / "a.webp", save_all=True, append_images=[Image.new("RGBA", (8, 8), "red")], lossless=True)
    first, second = open_frames(tmp_path / "a.webp")
    assert first.pixels[0, 0].tolist() == [255, 255, 255]
    assert second.pixels[0, 0].tolist() == [255, 0, 0]


def test_truncated_animation(tmp_path):
    path = save_animation(tmp_path / "a.gif", [50] * 8)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match="damaged"):
        list(open_frames(path))


def test_options_that_make_no_sense(tmp_path):
    video = make_video(tmp_path / "a.mp4", num_frames=2)
    for options, message in [
        ({"start": -1}, "start is -1"),
        ({"start": math.nan}, "start is nan s; give a number"),
        ({"end": math.inf}, "end is inf s; give a number"),
        ({"start": 2, "end": 1.5}, "must come after"),
        ({"rate": Fraction(0)}, "above 0"),
        ({"rate": Fraction(30)}, "its own frame rate"),
    ]:
        with pytest.raises(OptionError, match=message):
            open_frames(video, **options)
