"""Writes the pictures of a pair list for other tools."""

from collections.abc import Sequence
from pathlib import Path

from fadm.data.shards import TrackedClip
from fadm.errors import OptionError
from fadm.evaluation.pairs import PairList
from fadm.files import explain_failure
from fadm.media.image import write_image
from fadm.progress import NO_PROGRESS, Progress

SOURCE, DRIVING = "source", "driving"


def export_pictures(
    pairs: PairList, clips: Sequence[TrackedClip], folder: Path, progress: Progress = NO_PROGRESS
) -> None:
    """Write source/NAME.png and driving/NAME.png, for videos driving/NAME/00000.png and so on.

    Another tool's results are then read from a folder of their own, as NAME.png, NAME.mp4 or NAME/00000.png.

    Args:
        pairs: The cases.
        clips: The clips of the cases.
        folder: A new or empty folder.
        progress: Follows the work.

    Raises:
        OptionError: The folder holds files.
        OutputError: A file cannot be written.
        InputError: A picture of a clip is damaged.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OptionError(f"'{folder}' holds other files; give a new or an empty folder for the pictures")
    by_key = {clip.key: clip for clip in clips}
    progress.stage("writing", len(pairs.cases))
    for case in pairs.cases:
        driver = by_key[case.driving_clip]
        files = {folder / SOURCE / f"{case.name}.png": by_key[case.source_clip].pictures[case.source_frame]}
        for index, number in enumerate(case.driving_frames):
            name = f"{case.name}/{index:05d}.png" if pairs.is_video else f"{case.name}.png"
            files[folder / DRIVING / name] = driver.pictures[number]
        for path, picture in files.items():
            with explain_failure(path):
                path.parent.mkdir(parents=True, exist_ok=True)
            write_image(path, picture.read())
        progress.advance()
