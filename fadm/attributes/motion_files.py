"""Read and write motion files: a driver's motion in JSON or npz, or as a face-capture take in CSV."""

import json
import zipfile
import zlib
from dataclasses import fields
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fadm.attributes.capture_motion import capture_to_motion, motion_to_capture
from fadm.attributes.face_attributes import NUM_EXPRESSION, FaceAttributes
from fadm.attributes.face_capture import read_face_capture, write_face_capture
from fadm.attributes.landmark_model import LandmarkModel, LandmarkModelConfig, hash_numbers, load_landmark_model
from fadm.attributes.motion import Motion
from fadm.blendshapes import BLENDSHAPES, LARGEST_BLENDSHAPE, NUM_BLENDSHAPES, suggest_blendshapes
from fadm.errors import InputError
from fadm.files import explain_failure, place_of, replace_file
from fadm.options import LARGEST_TERM

FORMAT, FIRST_FORMAT = "fadm motion 2", "fadm motion 1"  # the first one names no face model
MOTION_ENDINGS = (".json", ".npz", ".csv")
CAPTURE_ENDING = ".csv"
# Errors of json and numpy for damaged or foreign files; a single array is no archive (TypeError).
DAMAGED = (ValueError, EOFError, TypeError, NotImplementedError, zipfile.BadZipFile, zlib.error)


def save_motion(motion: Motion, path: str | Path, model: LandmarkModel | None = None) -> None:
    """Write a motion file.

    Args:
        motion: The motion.
        path: File name, ending in .json, .npz or .csv; CSV holds no identity, shots or place in the picture.
        model: The face model of the motion, which the file names; the package's own unless given.

    Raises:
        OutputError: The file cannot be written.
        WeightsError: CSV needs coefficients, which neither the motion nor the model gives.
    """
    model = model or load_landmark_model()
    if Path(path).suffix.lower() == CAPTURE_ENDING:
        write_face_capture(motion_to_capture(motion, model), path)
        return
    arrays: dict[str, Any] = {name: tensor.numpy() for name, tensor in _tensors(motion).items()}
    head: dict[str, Any] = {"format": FORMAT, "face_model": hash_numbers(model)}
    head |= {"time_base": str(motion.time_base), "rate": str(motion.rate)}
    if motion.blendshapes is not None:
        arrays["blendshapes"], head["blendshape_names"] = motion.blendshapes.numpy(), BLENDSHAPES
    with replace_file(place_of(path)) as temporary, explain_failure(path), temporary.open("wb") as file:
        if Path(path).suffix.lower() == ".npz":
            np.savez_compressed(file, **(arrays | {key: np.array(value) for key, value in head.items()}))
        else:
            lists = {name: _round(array).tolist() for name, array in arrays.items()}
            file.write(json.dumps(head | lists).encode())


def load_motion(path: str | Path, model: LandmarkModel | None = None) -> Motion:
    """Read a motion file.

    Args:
        path: A .json or .npz file written by `save_motion`, or a face-capture take in .csv.
        model: The face model that the motion must be of, or that a take is mapped to; the package's own unless given.

    Returns:
        The motion.

    Raises:
        InputError: The file cannot be read, is no motion file or another face model's, or its values contradict each
            other.
        WeightsError: The file is a take, and the face model has no map of blendshapes.
    """
    path, model = Path(path), model or load_landmark_model()
    if path.suffix.lower() == CAPTURE_ENDING:
        return capture_to_motion(read_face_capture(path), model)
    try:
        if path.suffix.lower() == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                content: dict[str, Any] = {name: arrays[name] for name in arrays.files}
        else:
            content = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"'{path}' cannot be read: {error.strerror}; check the name") from error
    except DAMAGED as error:
        raise InputError(f"'{path}' is no motion file ({error}); make one with fadm motion extract") from error
    written = str(content.get("format")) if isinstance(content, dict) else ""
    if written not in (FORMAT, FIRST_FORMAT):
        raise InputError(f"'{path}' is no motion file of this version; make one with fadm motion extract")
    if written == FIRST_FORMAT or str(content.get("face_model")) != hash_numbers(model):
        raise InputError(
            f"'{path}' was made with another face model, whose numbers mean something else; extract it again: "
            "fadm motion extract VIDEO -o FILE"
        )
    return _check_motion(content, path)


def _tensors(motion: Motion) -> dict[str, Tensor]:
    attributes = {f.name: getattr(motion.attributes, f.name) for f in fields(FaceAttributes)}
    return attributes | {
        "is_tracked": motion.is_tracked,
        "shot": motion.shot,
        "identity": motion.identity,
        "pts": motion.pts,
    }


def _round(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float64).round(5) if array.dtype == np.float32 else array


def _check_motion(content: dict[str, Any], path: Path) -> Motion:
    widths = {"expression": NUM_EXPRESSION, "pose": 6, "camera": 3, "gaze": 4, "lids": 2}
    try:
        integers = {n: torch.tensor(np.asarray(content[n], np.int64)) for n in ("shot", "pts")}
        content = {
            "lids": np.zeros((len(integers["pts"]), 2))
        } | content  # in files of earlier versions the expression's
        floats = {n: torch.tensor(np.asarray(content[n], np.float32)) for n in (*widths, "identity")}
        is_tracked = torch.tensor(np.asarray(content["is_tracked"], bool))
        time_base, rate = Fraction(str(content["time_base"])), Fraction(str(content["rate"]))
    except (KeyError, ValueError, TypeError, ArithmeticError) as error:
        raise InputError(f"'{path}': a value is missing or malformed ({error})") from error
    frames = len(integers["pts"])
    wrong = [n for n, width in widths.items() if floats[n].shape != (frames, width)]
    wrong += [n for n, t in (("shot", integers["shot"]), ("is_tracked", is_tracked)) if t.shape != (frames,)]
    if wrong or not frames or floats["identity"].shape[1:] != (LandmarkModelConfig.num_identity,):
        raise InputError(f"'{path}': {', '.join(wrong) or 'pts or identity'} has not the shape for {frames} frames")
    bad = [n for n in floats if not floats[n].isfinite().all()]
    shots = len(floats["identity"])
    if bad or not ((integers["shot"] >= 0) & (integers["shot"] < shots)).all():
        raise InputError(f"'{path}': {', '.join(bad) or 'shot'} holds values that are not finite or out of range")
    if (
        (integers["pts"].diff() <= 0).any()
        or time_base <= 0
        or rate <= 0
        or (floats["camera"][is_tracked, 0] <= 0).any()
    ):
        raise InputError(f"'{path}': times must grow, rate and scale of the camera must be above 0")
    if max(*time_base.as_integer_ratio(), *rate.as_integer_ratio()) > LARGEST_TERM:
        raise InputError(f"'{path}': time_base or rate has more digits than a video holds (terms up to {LARGEST_TERM})")
    attributes = FaceAttributes(**{n: floats[n] for n in widths})
    blendshapes = _read_blendshapes(content, frames, path)
    return Motion(
        attributes, is_tracked, integers["shot"], floats["identity"], integers["pts"], time_base, rate, blendshapes
    )


def _read_blendshapes(content: dict[str, Any], frames: int, path: Path) -> Tensor | None:
    """Take the coefficients (T, 52) by their names, 0 for those that are not in the file; None without any."""
    if "blendshapes" not in content:
        return None  # of a tracker that gives none
    try:
        values = torch.tensor(np.asarray(content["blendshapes"], np.float32))
        names = [str(name) for name in content["blendshape_names"]]
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(f"'{path}': blendshapes or blendshape_names is missing or malformed ({error})") from error
    unknown = [name for name in names if name not in BLENDSHAPES]
    if unknown or len(set(names)) != len(names):
        said = f"{unknown[0]!r} is no blendshape, {suggest_blendshapes(unknown[0])}" if unknown else "a name is twice"
        raise InputError(f"'{path}': blendshape_names: {said}")
    if values.shape != (frames, len(names)):
        raise InputError(f"'{path}': blendshapes has not the shape for {frames} frames of {len(names)} names")
    if not ((values >= 0) & (values <= LARGEST_BLENDSHAPE)).all():
        raise InputError(f"'{path}': blendshapes must lie between 0 and {LARGEST_BLENDSHAPE:g}")
    blendshapes = torch.zeros(frames, NUM_BLENDSHAPES)
    blendshapes[:, [BLENDSHAPES.index(name) for name in names]] = values
    return blendshapes


def is_motion_file(path: str | Path) -> bool:
    """Recognise a motion file by the ending of its name.

    Args:
        path: File name.

    Returns:
        Whether it ends in .json, .npz or .csv.
    """
    return Path(path).suffix.lower() in MOTION_ENDINGS
