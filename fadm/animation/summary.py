"""The summary of a written video: what was written, and what the driver lacked."""

import time
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from torch import Tensor

from fadm.attributes.extraction import FaceFollower
from fadm.attributes.motion import Motion
from fadm.media.frames import FrameSource
from fadm.media.writer import FrameWriter

ON_WHITE = "drawn on white"  # what becomes of transparency that cannot be kept


@dataclass(frozen=True)
class Summary:
    """Summary of a written video and of its driver.

    Attributes:
        output: Name of the file.
        frames: Number of frames.
        width: Width in pixels.
        height: Height in pixels.
        frames_per_second: Average rate, an exact fraction.
        sound: Codec of the sound and what became of it, or none.
        shots: Shots of the driver.
        frames_without_face: Frames of the driver without the followed face.
        tracker_failures: Frames of the driver on which the tracker failed.
        damaged_frames: Frames of the driver that could not be decoded and are left out.
        missing_frames: Frames that the driver's header announces but the file does not hold.
        seconds: Duration of the work.
        transparency: What became of the source's transparency: none, kept, or the rest of a sentence about it.
        renderer: Name or file of the weights that rendered the frames, or none.
    """

    output: str
    frames: int
    width: int
    height: int
    frames_per_second: str
    sound: str
    shots: int
    frames_without_face: int
    tracker_failures: int
    damaged_frames: int
    missing_frames: int
    seconds: float
    transparency: str = "none"
    renderer: str = "none"

    def sentence(self) -> str:
        """Write the summary in one to three lines."""
        rate = float(Fraction(self.frames_per_second))
        said = f"{self.output}: {self.frames} frames of {self.width}x{self.height} at {rate:.3f} frames/s, "
        rendered = "" if self.renderer == "none" else f"rendered by {self.renderer}, "
        said += f"sound {self.sound}, {rendered}made in {self.seconds:.1f} s"
        problems = {
            "without a face": self.frames_without_face,
            "on which the tracker failed": self.tracker_failures,
            "damaged and left out": self.damaged_frames,
            "announced but missing, as in a file cut short": self.missing_frames,
        }
        noted = [f"{count} {what}" for what, count in problems.items() if count]
        said += f"\ndriver's frames: {', '.join(noted)}" if noted else ""
        is_lost = self.transparency.startswith(ON_WHITE)
        return said + (f"\nthe source's transparency is {self.transparency}" if is_lost else "")


def summarize(
    output: str | Path,
    motion: Motion,
    written: FrameWriter,
    frames: FrameSource | None,
    damaged: int,
    follower: FaceFollower | None,
    is_tracked: Tensor,
    began: float,
    transparency: str,
    renderer: str,
) -> Summary:
    """Summarize what was written and what it was made from.

    Args:
        output: The output's name.
        motion: The motion of the written frames.
        written: The finished writer.
        frames: The driver, None for a motion file.
        damaged: Frames of the driver that could not be decoded.
        follower: Counts the frames on which the tracker failed.
        is_tracked: Whether each of the driver's frames (T,) shows the followed face.
        began: When the work began, as `time.perf_counter` gives it.
        transparency: What became of the source's transparency.
        renderer: What rendered the frames.

    Returns:
        The summary.
    """
    announced = 0 if frames is None else (frames.num_frames or 0)
    return Summary(
        output=str(output),
        frames=len(motion),
        width=written.size[0],
        height=written.size[1],
        frames_per_second=str(motion.rate),
        sound=written.sound,
        shots=len(motion.identity),
        frames_without_face=int((~is_tracked).sum()),
        tracker_failures=0 if follower is None else follower.num_crashes,
        damaged_frames=damaged,
        missing_frames=max(0, announced - damaged - len(is_tracked)),
        seconds=round(time.perf_counter() - began, 2),
        transparency=transparency,
        renderer=renderer,
    )
