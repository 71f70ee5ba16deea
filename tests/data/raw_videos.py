"""Raw videos for the tests: a portrait that moves, several shots, and folders as people keep them."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from fadm.data.prepare.options import PrepareOptions
from fadm.data.prepare.recordings import prepare_job
from fadm.files import write_whole
from fadm.media.image import read_image
from tests.clips import BLANK, write_clip
from tests.media.samples import ASTRONAUT

WIDTH, HEIGHT = 256, 192
BLANK_WIDE = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)


@cache
def moving_portrait(num_frames: int = 32, *, step: float = 1.0, side: int = 240) -> tuple[np.ndarray, ...]:
    """The astronaut's head swaying: `step` pixels and degrees a frame, faces about 90 pixels high."""
    picture = Image.fromarray(read_image(ASTRONAUT))
    frames = []
    for i in range(num_frames):
        away = step * (i if i % 32 < 16 else 32 - i)
        turned = picture.rotate(away / 2, center=(225, 120), resample=Image.Resampling.BICUBIC)
        left, top = 65 - away, 0
        window = (left, top, left + side * WIDTH / HEIGHT, top + side)
        frames.append(np.array(turned.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC, box=_inside(window))))
    return tuple(frames)


def _inside(window: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    left, top, right, bottom = window
    return max(0.0, left), top, right + max(0.0, -left), bottom


def make_raw_folder(folder: Path) -> Path:
    """Two videos with a face, one without, one that is none, and a file of another kind."""
    (folder / "more").mkdir(parents=True)
    write_clip(folder / "one.mp4", moving_portrait())
    write_clip(folder / "more" / "two.mp4", [*moving_portrait()[::-1], *[BLANK_WIDE] * 4])
    write_clip(folder / "blank.mp4", [BLANK] * 4)
    (folder / "broken.mp4").write_bytes(b"no video" * 100)
    (folder / "notes.txt").write_text("not a video")
    return folder


def run_here(
    jobs: Mapping[Path, Sequence[object]], options: PrepareOptions, num_workers: int
) -> Iterator[tuple[Path, str]]:
    """In place of `run_jobs`: the same without other processes, with one thread as each of them has."""
    threads = torch.get_num_threads()
    for place, job in jobs.items():
        torch.set_num_threads(1)  # sums depend on the number of threads
        write_whole(place, prepare_job(job, options))
        torch.set_num_threads(threads)
        yield place, ""


def read_folder(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()}
