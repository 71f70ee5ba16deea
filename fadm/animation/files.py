"""Animate, enhance, edit and extract from files to files, with a summary of the result."""

import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fadm.animation.animator import Animator
from fadm.animation.choices import check_choices, check_refinement, choose_renderer, refuse_tracking
from fadm.animation.driver import anchor_motion, open_driver
from fadm.animation.enhancement import enhance_frames
from fadm.animation.frames import show_source
from fadm.animation.summary import ON_WHITE, Summary, summarize
from fadm.attributes.motion import Motion
from fadm.attributes.motion_files import MOTION_ENDINGS, is_motion_file, load_motion, save_motion
from fadm.coarse.source import PreparedSource, keep_alpha
from fadm.controls import FaceControls
from fadm.errors import InputError, OptionError, OutputError
from fadm.files import check_folder, check_inputs_stay
from fadm.media.audio import AudioTrack, choose_track
from fadm.media.compose import place_beside
from fadm.media.frames import FrameSource
from fadm.media.image import PICTURE_ENDINGS, read_alpha, write_image
from fadm.media.reader import list_pictures
from fadm.media.writer import FrameWriter, check_output, has_sound, keeps_alpha, open_writer
from fadm.options import AnimateOptions, EditOptions, EnhanceOptions, MotionOptions, SoundOptions, SourceOptions
from fadm.progress import NO_PROGRESS, Progress

Pixels = NDArray[np.uint8]

LABEL = "Synthetic media: a face animated with fadm"


def animate_file(
    animator: Animator,
    source: str | Path,
    driving: str | Path,
    output: str | Path,
    options: AnimateOptions,
    progress: Progress = NO_PROGRESS,
) -> Summary:
    """Animate a portrait by a video, an animation, a folder of pictures, a picture or a motion file.

    Output and options are checked before any work. The output appears whole or not at all.

    Args:
        animator: Animates.
        source: The portrait, a picture file.
        driving: The driver.
        output: The result; its ending gives the format (see `open_writer`).
        options: The user's options.
        progress: Reports stages and frames.

    Returns:
        A summary of the result.

    Raises:
        FadmError: Source, driver, output or options cannot be used.
    """
    began = time.perf_counter()
    driver = follower = None
    if is_motion_file(driving):
        motion = load_motion(driving, animator.model).between(options.start, options.end)
    else:
        driver = open_driver(driving, options)
    audio = _choose_audio(driver, output, options)
    check_output(output, len(motion) if driver is None else driver.num_frames)
    check_inputs_stay(output, source, driving)
    check_choices(options, has_pictures=driver is not None, model=animator.model)
    alpha, transparency = choose_alpha(source, output, is_warped=options.coarse == "geometric")
    prepared = keep_alpha(animator.prepare(source, options), alpha)
    if driver is None:
        anchored, damaged = anchor_motion(animator.model, prepared, motion, options), 0
    else:
        progress.stage("tracking", driver.num_frames)
        read = animator.read_driver(prepared, driver, options, progress.advance)
        motion, anchored, follower, damaged = read.motion, read.anchored, read.follower, driver.num_damaged
    if audio is not None and len(anchored.motion) < len(motion):  # a gap ends the frames, and with them the sound
        audio = replace(audio, end=audio.start + int(motion.pts[len(anchored.motion)]) * motion.time_base)
    frames = animator.render(prepared, anchored, options, driver)
    if options.side_by_side:
        frames = _show_side_by_side(frames, prepared, driver)
    written = _write(output, frames, anchored.motion, audio, options.label, progress)
    seen, renderer = motion.is_tracked, choose_renderer(options)
    return summarize(output, anchored.motion, written, driver, damaged, follower, seen, began, transparency, renderer)


def enhance_file(
    animator: Animator,
    video: str | Path,
    output: str | Path,
    options: EnhanceOptions,
    source: str | Path | None = None,
    progress: Progress = NO_PROGRESS,
) -> Summary:
    """Render an animation made by other tools again (paper, section 1).

    Args:
        animator: Animates.
        video: The animation.
        output: The result; its ending gives the format (see `open_writer`).
        options: The user's options.
        source: The portrait that the animation was made from; None takes its first frame with a face.
        progress: Reports stages and frames.

    Returns:
        A summary of the result.

    Raises:
        FadmError: Video, portrait, output or options cannot be used.
    """
    began = time.perf_counter()
    frames = open_driver(video, options)
    audio = _choose_audio(frames, output, options)
    check_output(output, frames.num_frames)
    check_inputs_stay(output, video, *([] if source is None else [source]))
    check_refinement(options, is_needed=True, model=animator.model)
    portrait = None if source is None else animator.prepare(source, SourceOptions(window=options.window))
    progress.stage("tracking", frames.num_frames)
    motion, follower = animator.read_motion(frames, options, progress.advance)
    damaged = frames.num_damaged
    enhanced = enhance_frames(animator, frames, motion, options, portrait)
    written = _write(output, enhanced, motion, audio, options.label, progress)
    transparency = f"{ON_WHITE}; fadm enhance does not keep it" if is_transparent(frames) else "none"
    seen, renderer = motion.is_tracked, choose_renderer(options)
    return summarize(output, motion, written, frames, damaged, follower, seen, began, transparency, renderer)


def edit_file(
    animator: Animator, source: str | Path, output: str | Path, controls: FaceControls, options: EditOptions
) -> str:
    """Change a portrait's expression and pose by named controls and write the picture.

    Args:
        animator: Animates.
        source: The portrait, a picture file.
        output: The result, a picture file.
        controls: Changes of the face.
        options: Face, crop, size, and how the picture is rendered.

    Returns:
        What became of the source's transparency: none, kept, or a sentence's rest.

    Raises:
        FadmError: Source, output or options cannot be used.
    """
    if Path(output).suffix.lower() not in PICTURE_ENDINGS:
        raise OutputError(f"'{output}': an edited portrait is a picture; end the name in {', '.join(PICTURE_ENDINGS)}")
    check_output(output)
    check_inputs_stay(output, source)
    alpha, transparency = choose_alpha(source, output)
    write_image(output, animator.edit(source, controls, options, alpha), LABEL if options.label else None)
    return transparency


def extract_file(
    animator: Animator,
    driving: str | Path,
    output: str | Path,
    options: MotionOptions,
    progress: Progress = NO_PROGRESS,
) -> Motion:
    """Extract a driver's motion to a motion file, or write a motion file in another format.

    Args:
        animator: Tracks and fits.
        driving: A video, an animation, a folder of pictures, a picture or a motion file.
        output: The motion file, .json, .npz or (ARKit's coefficients and angles) .csv.
        options: Face, smoothing and range of the driver.
        progress: Reports stages and frames.

    Returns:
        The motion.

    Raises:
        FadmError: Driver, output or options cannot be used.
    """
    if not is_motion_file(output):
        endings = f"{', '.join(MOTION_ENDINGS[:-1])} or {MOTION_ENDINGS[-1]}"
        raise OutputError(f"'{output}': a motion file's name ends in {endings}")
    check_folder(output)
    if is_motion_file(driving):
        check_inputs_stay(output, driving)
        refuse_tracking(options, "stills")
        motion = load_motion(driving, animator.model).between(options.start, options.end)
    else:
        driver = open_driver(driving, options)
        progress.stage("tracking", driver.num_frames)
        motion, _ = animator.read_upright(driver, options, progress.advance)
    save_motion(motion, output, animator.model)
    return motion


def _choose_audio(driver: FrameSource | None, output: str | Path, options: SoundOptions) -> AudioTrack | None:
    """The sound of the result. Raises OptionError for a track that the driver does not have."""
    audio = None if driver is None else driver.audio
    if options.audio_track is not None:
        if audio is None:
            raise OptionError(f"--audio-track {options.audio_track}: the driver has no sound; leave the option out")
        audio = choose_track(audio, options.audio_track)
    return audio if options.audio and has_sound(output) else None


def choose_alpha(
    source: str | Path, output: str | Path, *, is_warped: bool = True
) -> tuple[NDArray[np.uint8] | None, str]:
    """Choose whether the result has the source's transparency.

    Args:
        source: The portrait, a picture file.
        output: The result's name.
        is_warped: The frames are the source's pixels moved, whose alpha can move with them.

    Returns:
        The alpha (H, W) to keep, None where nothing is kept, and what became of the transparency: none, kept, or
        the rest of a sentence about it.

    Raises:
        InputError: The file is not a readable picture.
    """
    alpha = read_alpha(source)
    if alpha is None:
        return None, "none"
    if not keeps_alpha(output):
        is_picture = Path(output).suffix.lower() in PICTURE_ENDINGS
        able = ".png and .webp" if is_picture else ".webm, .mov and a folder of PNGs"
        return None, f"{ON_WHITE}; {able} keep it"
    return (alpha, "kept") if is_warped else (None, f"{ON_WHITE}; --coarse geometric keeps it")


def is_transparent(frames: FrameSource) -> bool:
    """Tell whether frames are shown over white.

    Args:
        frames: A video, an animation, a folder of pictures or a picture.

    Returns:
        Whether the first picture is transparent; False for a video, which is read without its alpha.
    """
    try:
        return read_alpha(list_pictures(frames.path)[0] if frames.path.is_dir() else frames.path) is not None
    except InputError:
        return False


def _write(
    output: str | Path,
    frames: Iterator[Pixels],
    motion: Motion,
    audio: AudioTrack | None,
    has_label: bool,
    progress: Progress,
) -> FrameWriter:
    """Write the frames of a motion at its times; return the finished writer."""
    progress.stage("rendering", len(motion))
    first = next(frames)
    height, width = first.shape[:2]
    label = LABEL if has_label else None
    with open_writer(
        output,
        width=width,
        height=height,
        rate=motion.rate,
        time_base=motion.time_base,
        audio=audio,
        label=label,
        has_alpha=first.shape[2] > 3,
    ) as writer:
        for pixels, pts in zip(chain([first], frames), motion.pts.tolist(), strict=True):
            writer.write(pixels, pts)
            progress.advance()
    return writer


def _show_side_by_side(
    frames: Iterator[Pixels], prepared: PreparedSource, driver: FrameSource | None
) -> Iterator[Pixels]:
    """Place source, driver and result beside each other at one height; a motion file has no picture."""
    source = show_source(prepared)
    driving = None if driver is None else iter(driver)
    for pixels in frames:
        shown = [] if driving is None else [next(driving).pixels]
        yield place_beside([source, *shown, pixels], len(pixels))
