"""Writing frames as a video, a GIF, one picture or a folder of pictures, chosen by the ending of the name."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import numpy as np
from av.error import FFmpegError

from fadm.errors import OutputError
from fadm.files import check_folder, explain_failure, place_of, replace_file
from fadm.media.audio import AudioTrack
from fadm.media.encoder import CONTAINERS, VideoEncoder
from fadm.media.gif import GifEncoder
from fadm.media.image import PICTURE_ENDINGS, save_picture

_FOLDER = ""
_ENDINGS = (*CONTAINERS, ".gif", *PICTURE_ENDINGS)
_ALPHA_ENDINGS = (_FOLDER, ".png", ".webp", *(ending for ending, format in CONTAINERS.items() if format.alpha))


class Encoder(Protocol):
    """Turns frames into one file or folder."""

    def write(self, pixels: np.ndarray, pts: int) -> None:
        """Add one frame.

        Args:
            pixels: uint8 (H, W, 3), or (H, W, 4) with alpha.
            pts: Time in units of the time base, later than the previous frame's.
        """

    def close(self) -> None:
        """Finish the output."""

    def abort(self) -> None:
        """Close the output unfinished."""


class PictureEncoder:
    """Writes the only frame as a picture.

    Args:
        path: The file to write.
        ending: The format, one of PICTURE_ENDINGS.
        label: Text for the metadata.
    """

    def __init__(self, path: Path, ending: str, label: str | None) -> None:
        self._path, self._ending, self._label = path, ending, label
        self._num_frames = 0

    def write(self, pixels: np.ndarray, pts: int) -> None:
        """Save the frame.

        Args:
            pixels: uint8 (H, W, 3), or (H, W, 4) with alpha.
            pts: Not used.

        Raises:
            OutputError: There already is a frame.
        """
        if self._num_frames:
            raise OutputError(_too_many_frames(self._ending))
        save_picture(self._path, pixels, self._ending, self._label)
        self._num_frames += 1

    def close(self) -> None:
        """Do nothing: no file is open."""

    abort = close


class FolderEncoder:
    """Writes each frame as a numbered PNG: 000000.png, 000001.png, ...

    Args:
        path: The folder to create.
        label: Text for the metadata of each picture.
    """

    def __init__(self, path: Path, label: str | None) -> None:
        path.mkdir()
        self._path, self._label = path, label
        self._num_frames = 0

    def write(self, pixels: np.ndarray, pts: int) -> None:
        """See `Encoder`."""
        save_picture(self._path / f"{self._num_frames:06d}.png", pixels, ".png", self._label)
        self._num_frames += 1

    def close(self) -> None:
        """Do nothing: no file is open."""

    abort = close


class FrameWriter:
    """An open output for frames of one size, in the order of their times.

    Attributes:
        size: Width and height in pixels of what is written.
        sound: What becomes of the sound, in a few words.

    Args:
        path: The output's name, for error messages.
        shape: Shape of the frames, (H, W, 3) or (H, W, 4).
        encoder: Writes them.
    """

    def __init__(self, path: str | Path, shape: tuple[int, int, int], encoder: Encoder) -> None:
        self.size, self.sound = (shape[1], shape[0]), "none"
        if isinstance(encoder, VideoEncoder):
            self.size, self.sound = encoder.size, encoder.sound
        self._path, self._shape, self._encoder = path, shape, encoder
        self._last_pts: int | None = None

    def write(self, pixels: np.ndarray, pts: int) -> None:
        """Add a frame.

        Args:
            pixels: uint8 (H, W, 3), or (H, W, 4) where the output was opened with alpha.
            pts: Time in units of the time base, later than the previous frame's.

        Raises:
            OutputError: The disk is full, or the output cannot hold another frame.
        """
        assert pixels.shape == self._shape and pixels.dtype == np.uint8, (
            pixels.shape,
            pixels.dtype,
            self._shape,
        )
        assert self._last_pts is None or pts > self._last_pts, (pts, self._last_pts)
        self._last_pts = pts
        with explain_failure(self._path, FFmpegError):
            self._encoder.write(pixels, pts)

    def finish(self) -> None:
        """Complete the output.

        Raises:
            OutputError: No frame was written, or the rest cannot be written.
        """
        if self._last_pts is None:
            raise OutputError(f"'{self._path}' is not written: there was no frame to write")
        with explain_failure(self._path, FFmpegError):
            self._encoder.close()


def has_sound(path: str | Path) -> bool:
    """Tell whether an output can contain sound, which a GIF, a picture and a folder cannot.

    Args:
        path: The output's name.

    Returns:
        Whether it names a video file.

    Raises:
        OutputError: The ending is unknown.
    """
    return _ending_of(path) in CONTAINERS


def keeps_alpha(path: str | Path) -> bool:
    """Tell whether an output can contain frames with alpha.

    Args:
        path: The output's name.

    Returns:
        Whether `open_writer` can be asked for alpha.

    Raises:
        OutputError: The ending is unknown.
    """
    return _ending_of(path) in _ALPHA_ENDINGS


def check_output(path: str | Path, num_frames: int | None = None) -> None:
    """Check before any work that an output can be written, and that it can hold the frames.

    Args:
        path: The output's name.
        num_frames: Number of frames to write, None if unknown.

    Raises:
        OutputError: The output cannot be written, or its format cannot hold the frames.
    """
    ending = _ending_of(path)
    with explain_failure(path, FFmpegError):
        _check_place(path, ending)
    if ending in PICTURE_ENDINGS and num_frames is not None and num_frames > 1:
        raise OutputError(_too_many_frames(ending))


def _too_many_frames(ending: str) -> str:
    return (
        f"a {ending} file holds one frame and there are more; "
        "choose a video's name (.mp4) or a folder (a name that ends in /)"
    )


def _check_place(path: str | Path, ending: str) -> None:
    check_folder(path)
    place = place_of(path)
    if ending == _FOLDER:
        if place.exists() and not place.is_dir():
            raise OutputError(f"'{path}' is a file, but a name without ending is a folder; choose another name")
        if place.is_dir() and any(place.iterdir()):
            raise OutputError(f"the folder '{path}' is not empty; empty it or choose another name")
    elif place.is_dir():
        raise OutputError(f"'{path}' is a folder; choose another name, or end it in / for a folder of pictures")


def _ending_of(path: str | Path) -> str:
    """Return the known ending in lower case, empty for a folder."""
    if str(path).endswith(("/", os.sep)):
        return _FOLDER
    ending = Path(path).suffix.lower()
    if ending not in (_FOLDER, *_ENDINGS):
        raise OutputError(
            f"'{path}' ends in {ending}, which is not known; end the name in {', '.join(_ENDINGS)}, "
            "or in / for a folder of pictures"
        )
    return ending


@contextmanager
def open_writer(
    path: str | Path,
    *,
    width: int,
    height: int,
    rate: Fraction,
    time_base: Fraction,
    audio: AudioTrack | None = None,
    label: str | None = None,
    has_alpha: bool = False,
) -> Iterator[FrameWriter]:
    """Open an output for frames; it appears whole or not at all.

    On any exception, KeyboardInterrupt included, nothing is left and an older file stays.

    Args:
        path: The output's name; the ending chooses the format. Without an ending, or with / at the end, a
            folder of PNGs is written.
        width: Width of the frames in pixels.
        height: Height of the frames in pixels.
        rate: Average frames per second.
        time_base: Unit of the frames' pts in seconds. Times are exact in MP4 and MOV, rounded to milliseconds
            in Matroska and WebM and to hundredths of a second in GIF.
        audio: Sound of a video, copied where its format can hold the codec, else encoded again. Other outputs
            ignore it.
        label: Text for the metadata's comment.
        has_alpha: The frames have alpha; for outputs of `keeps_alpha`.

    Yields:
        The open output.

    Raises:
        OutputError: As from `check_output`; also for a video below 2x2 pixels, no frames and a full disk.
    """
    check_output(path)
    ending = _ending_of(path)
    assert not has_alpha or ending in _ALPHA_ENDINGS, path
    if ending in CONTAINERS and min(width, height) < 2:
        raise OutputError(f"a video needs at least 2x2 pixels, not {width}x{height}; choose a format such as .png")
    with replace_file(place_of(path)) as temporary:
        encoder: Encoder
        with explain_failure(path, FFmpegError):
            if ending in CONTAINERS:
                size = (width, height)
                encoder = VideoEncoder(
                    temporary, CONTAINERS[ending], size, rate, time_base, audio, label, has_alpha=has_alpha
                )
            elif ending == ".gif":
                encoder = GifEncoder(temporary, (width, height), rate, time_base, label)
            elif ending == _FOLDER:
                encoder = FolderEncoder(temporary, label)
            else:
                encoder = PictureEncoder(temporary, ending, label)
        try:
            writer = FrameWriter(path, (height, width, 4 if has_alpha else 3), encoder)
            yield writer
            writer.finish()
        except BaseException:
            encoder.abort()
            raise
