"""What is seen in a picture: every face measured, drawn and described; `fadm face` shows it."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fadm.animation.face_drawing import draw_faces
from fadm.animation.seen_face import SeenFace, measure_angles, measure_controls
from fadm.attributes.deca_face import (
    MESH_WEIGHTS,
    HeadNetworks,
    load_head_networks,
    read_deca_face,
    refused_weights,
)
from fadm.attributes.landmark_model import LandmarkModel, fit_face, load_landmark_model
from fadm.blendshapes import BLENDSHAPES
from fadm.coarse.driver_crops import cut_face
from fadm.coarse.source import PreparedSource
from fadm.device import choose_device
from fadm.errors import OutputError
from fadm.face.coefficients import estimate_blendshapes
from fadm.face.landmarker import face_region
from fadm.face.region import count_turns, turn_points
from fadm.face.selection import choose_face
from fadm.face.tracker import FaceTracker, LandmarkTracker, face_box
from fadm.files import check_inputs_stay
from fadm.media.image import PICTURE_ENDINGS, read_image, write_image
from fadm.media.writer import check_output
from fadm.options import DEFAULT_CROP_SIZE
from fadm.weights.registry import named_files

Pixels = NDArray[np.uint8]
FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Inspection:
    """The faces of a picture file.

    Attributes:
        picture: The file.
        width: Width of the picture in pixels.
        height: Height of the picture in pixels.
        faces: Its faces from the left.
        output: The annotated picture that was written, None if none was asked for.
        missing: What DECA's mesh lacks, because its weights are not imported.
        refused: What it lacks because of its terms, for commercial use.
    """

    picture: str
    width: int
    height: int
    faces: list[SeenFace]
    output: str | None
    missing: list[str]
    refused: list[str]

    def report(self) -> str:
        """The faces in one line each, what was written, and what the mesh lacks."""
        lines = [face.sentence() for face in self.faces]
        lines += [] if self.output is None else [f"{self.output}: written"]
        if self.missing:
            names = _join(self.missing)
            lines.append(f"importing {names} adds DECA's mesh with its landmarks: fadm weights import FILE")
        if self.refused:
            lines.append(f"--commercial leaves out {_join(self.refused)}; `fadm weights list` shows the terms")
        return "\n".join(lines)

    def describe(self) -> dict[str, Any]:
        """The picture and its faces as values that JSON holds; lengths are in pixels, angles in degrees."""
        faces = [face.describe() for face in self.faces]
        return {"picture": self.picture, "width": self.width, "height": self.height, "faces": faces}


def inspect_file(
    picture: str | Path, output: str | Path | None = None, *, device: str = "auto", commercial: bool = False
) -> Inspection:
    """Measure the faces of a picture file, and draw them into another if one is named.

    Args:
        picture: The picture.
        output: The annotated picture to write, in one of PICTURE_ENDINGS; None writes nothing.
        device: Device name such as cpu or cuda:0, for DECA.
        commercial: Leave out what DECA's mesh needs where its terms forbid commercial use or are unknown.

    Returns:
        What was seen.

    Raises:
        FadmError: The picture, the output or the device cannot be used, no face is found, or weights are damaged.
    """
    if output is not None:
        if Path(output).suffix.lower() not in PICTURE_ENDINGS:
            raise OutputError(f"'{output}' is not the name of a picture; end it in {', '.join(PICTURE_ENDINGS)}")
        check_output(output)
        check_inputs_stay(output, picture)
    pixels = read_image(picture)
    networks = load_head_networks(choose_device(device), commercial=commercial)
    faces = inspect_picture(pixels, networks=networks, where=f"picture '{picture}'")
    if output is not None:
        write_image(output, draw_faces(pixels, faces))
    height, width = pixels.shape[:2]
    missing = [name for weights, name in MESH_WEIGHTS.items() if weights not in named_files()]
    refused = [MESH_WEIGHTS[weights] for weights in refused_weights()] if commercial else []
    return Inspection(str(picture), width, height, faces, None if output is None else str(output), missing, refused)


def inspect_picture(
    pixels: Pixels,
    *,
    networks: HeadNetworks | None = None,
    model: LandmarkModel | None = None,
    make_tracker: Callable[..., LandmarkTracker] = FaceTracker,
    where: str = "picture",
) -> list[SeenFace]:
    """Find and measure every face of a picture.

    Args:
        pixels: The picture, uint8 (H, W, 3) RGB.
        networks: DECA, and FLAME if it is imported; None leaves them out.
        model: The face model; the package's own unless given.
        make_tracker: Called with `is_video=False`.
        where: Name of the picture, to begin the error message with.

    Returns:
        The faces from the left, as `--face` counts them.

    Raises:
        FaceError: No face is found.
    """
    model = model or load_landmark_model()
    with closing(make_tracker(is_video=False)) as tracker:
        faces = [face.landmarks for face in tracker.track(pixels) if np.isfinite(face.landmarks).all()]
    if not faces:
        choose_face([], "largest", where)  # raises, and says what is asked of a face
    faces.sort(key=lambda face: face_box(face)[0] + face_box(face)[2])  # by the box's middle, as `choose_face` does
    return [_inspect_face(pixels, face, number, model, networks) for number, face in enumerate(faces, 1)]


def _inspect_face(
    pixels: Pixels, landmarks: FloatArray, number: int, model: LandmarkModel, networks: HeadNetworks | None
) -> SeenFace:
    turns, (height, width) = count_turns(face_region(landmarks)), pixels.shape[:2]
    upright = np.ascontiguousarray(np.rot90(pixels, turns))
    face = fit_face(model, torch.from_numpy(turn_points(landmarks, (height, width), turns)))
    source = PreparedSource(upright, face, is_crop=False, size=DEFAULT_CROP_SIZE)  # as animation sees it
    deca = None
    if networks is not None:
        seen = cut_face(upright, source.crop).to(next(networks.deca.parameters()).device)
        deca = read_deca_face(networks, seen, source.crop)
    crop, region = (square.turned((len(upright), upright.shape[1]), -turns) for square in (source.crop, source.region))
    return SeenFace(
        number=number,
        landmarks=landmarks,
        attributes=face.attributes,
        angles=measure_angles(face.attributes),
        controls=measure_controls(model, face),
        blendshapes=dict(zip(BLENDSHAPES, estimate_blendshapes(landmarks).tolist(), strict=True)),
        crop=crop,
        region=region,
        person=np.ascontiguousarray(np.rot90(source.person[0, 0].numpy(), -turns)),
        deca=deca,
        turns=turns,
    )


def _join(names: list[str]) -> str:
    """Names as a list in a sentence."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
