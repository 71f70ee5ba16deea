"""Coarse videos that are there, rendered again: the renderer sees the source and these frames, as in `fadm enhance`."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from fadm.attributes.landmark_model import FittedFace, LandmarkModel, fit_face, load_landmark_model
from fadm.data.pairs.store import CoarsePair
from fadm.evaluation.features import ClipFrames
from fadm.evaluation.methods import Model, Pixels, Prediction
from fadm.evaluation.pairs import Case
from fadm.evaluation.result_folder import ResultFolder


class EnhancedFolder:
    """A folder of results as coarse frames, and any number of ways to render them again."""

    def __init__(self, folder: ResultFolder, model: Model) -> None:
        self.stages = model.stages
        self.description: dict[str, Any] = folder.description | model.description
        self._folder, self._model = folder, model

    def make(self, cases: Sequence[Case], frames: ClipFrames) -> Iterator[Prediction]:
        """See `Method`."""
        model = load_landmark_model()
        source = frames.face(cases[0].source_clip, cases[0].source_frame)
        face = fit_face(model, torch.from_numpy(source.landmarks))
        for case, given in zip(cases, self._folder.make(cases, frames), strict=True):
            (pictures,) = given.pictures.values()
            pairs = [_read_pair(model, face, p, case, index, frames) for index, p in enumerate(pictures)]
            made = self._model.render(case, source, pairs, frames)
            made.notes += given.notes
            yield made

    def find_notes(self, cases: Sequence[Case]) -> list[tuple[str, str]]:
        """See `Method`. Raises InputError when no name fits at all."""
        return self._folder.find_notes(cases)


def _read_pair(
    model: LandmarkModel, face: FittedFace, pixels: Pixels, case: Case, index: int, frames: ClipFrames
) -> CoarsePair:
    """What the coarse frame itself shows decides its attributes; where it shows no face, the driver's stand in."""
    look, person = frames.see(pixels), face.identity
    landmarks = look.landmarks
    if not look.has_face:
        landmarks = torch.from_numpy(frames.landmarks(case.driving_clip, [case.driving_frames[index]])[0])
        person = frames.identity(case.driving_clip)
    shown, _ = model.fit(landmarks[None], person)
    return CoarsePair(pixels, face.attributes.vector[0].numpy(), shown.vector[0].numpy())
