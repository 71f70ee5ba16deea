"""The kinds of released models: how to recognise their files, rename their tensors and build them."""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from torch import nn

from fadm.attributes.deca import DECA, DECAConfig
from fadm.attributes.flame import FLAME, FLAMEConfig, FLAMELandmarks, FLAMELandmarksConfig
from fadm.coarse.face_vid2vid.model import FaceVid2Vid, FaceVid2VidConfig
from fadm.coarse.fomm.model import FOMM, FOMMConfig
from fadm.rendering.options import RendererConfig
from fadm.rendering.renderer import DiffusionRenderer
from fadm.weights.released import deca, face_vid2vid, fadm, flame, flame_landmarks, fomm

MAX_PLANCK = "Max Planck Institute's licence of DECA: non-commercial research, education and art only"


@dataclass(frozen=True)
class Kind:
    """A kind of released model.

    Attributes:
        title: Name for messages.
        licence: What the authors say of the weights' terms; none of these are terms that allow commercial use.
        entries: First parts of the keys that belong to the model; other entries of a file (optimizers, discriminators,
            counters) are left out. A file belongs to the first kind in KINDS of which it has the first entry.
        table: The renaming table.
        config: The configuration's dataclass.
        build: From a configuration to the network.
    """

    title: str
    licence: str
    entries: tuple[str, ...]
    table: ModuleType
    config: type[Any]
    build: Callable[[Any], nn.Module]


KINDS: dict[str, Kind] = {
    "fadm": Kind(
        title="FADM diffusion model",
        licence="not stated by its authors; trained on VoxCeleb with DECA, non-commercial",
        entries=("condition_conv", "time_mlp", "downs", "mid", "ups", "final_conv"),
        table=fadm,
        config=RendererConfig,
        build=DiffusionRenderer,
    ),
    "face_vid2vid": Kind(
        title="Face vid2vid",
        licence="not stated by its authors; trained on VoxCeleb",
        entries=("he_estimator", "kp_detector", "generator"),
        table=face_vid2vid,
        config=FaceVid2VidConfig,
        build=FaceVid2Vid,
    ),
    "fomm": Kind(
        title="first order motion model",
        licence="not stated for the weights, which are trained on VoxCeleb; MIT for their code",
        entries=("kp_detector", "generator"),
        table=fomm,
        config=FOMMConfig,
        build=FOMM,
    ),
    "deca": Kind(
        title="DECA",
        licence=MAX_PLANCK,
        entries=("E_flame", "E_detail", "D_detail"),
        table=deca,
        config=DECAConfig,
        build=DECA,
    ),
    "flame": Kind(
        title="FLAME head model",
        licence="differs by version, see FLAME's site; non-commercial unless it says otherwise",
        entries=("v_template", "f", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table"),
        table=flame,
        config=FLAMEConfig,
        build=FLAME,
    ),
    "flame_landmarks": Kind(
        title="FLAME landmark embedding",
        licence=MAX_PLANCK,
        entries=tuple(
            f"{group}_lmk_{part}" for group in ("static", "dynamic", "full") for part in ("faces_idx", "bary_coords")
        ),
        table=flame_landmarks,
        config=FLAMELandmarksConfig,
        build=FLAMELandmarks,
    ),
}
