"""Stand-ins for the released DECA and FLAME: the mean landmark face as the mesh, and a reading that fits its crop."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from fadm.attributes.deca import DECA, PARAMETER_SIZES, DECAConfig
from fadm.attributes.flame import FLAME, FLAMEConfig, FLAMELandmarks, FLAMELandmarksConfig
from fadm.attributes.landmark_model import load_landmark_model
from fadm.face import topology
from tests.tiny_networks import TinyEncoder, save_network

METRES = 0.09  # between the outer corners of the eyes, the landmark model's unit
CAMERA = (6.3, 0.0, 0.045)  # the face is as large and as central as in the crops that DECA sees
LIGHT = (2.0, 0.2, 0.3, 0.6)  # of every colour: constant, x, y, z
INNER = (topology.NOSE_TIP, *topology.MOUTH_CORNERS, *range(1, 49))


def make_flame() -> FLAME:
    """The first expression opens the mouth's corners by a centimetre each; nothing else moves but the root."""
    triangles = torch.from_numpy(topology.surface_triangles())
    config = FLAMEConfig(num_vertices=478, num_triangles=len(triangles), num_shape=100, num_expression=50)
    flame = FLAME(config)
    flame.template.copy_(load_landmark_model().mean * torch.tensor([1, -1, -1]) * METRES)
    flame.triangles.copy_(triangles)
    for corner, side in zip(topology.MOUTH_CORNERS, (-0.01, 0.01), strict=True):
        flame.directions[corner, 0, config.num_shape] = side
    flame.kinematic_tree[0] = torch.tensor([-1, 0, 1, 1, 1])
    flame.skinning_weights[:, 0] = 1
    return flame


def make_flame_landmarks() -> FLAMELandmarks:
    """Each landmark is the corner of a triangle: 17 of the oval, 51 within it."""
    embedding = FLAMELandmarks(FLAMELandmarksConfig())
    chosen = {"contour": topology.FACE_OVAL[9:26], "static": INNER, "full": (*topology.FACE_OVAL[9:26], *INNER)}
    for name, landmarks in chosen.items():
        places = [np.argwhere(topology.surface_triangles() == landmark)[0] for landmark in landmarks]
        triangle, corner = torch.tensor(np.array(places)).T
        getattr(embedding, f"{name}_triangles")[:] = triangle
        getattr(embedding, f"{name}_barycentric")[:] = torch.nn.functional.one_hot(corner, 3).float()
    return embedding


def make_deca(*, detail: bool) -> DECA:
    """Only within `imported_heads` is it tiny; its reading is the same for every crop, its wrinkles are random."""
    torch.manual_seed(0)
    deca = DECA(DECAConfig(detail=detail)).eval()
    reading = {name: torch.zeros(size) for name, size in PARAMETER_SIZES.items()}
    reading["expression"][0] = 0.5
    reading["pose"][1] = 0.2  # radians to the head's left
    reading["camera"][:] = torch.tensor(CAMERA)
    reading["light"].view(9, 3)[: len(LIGHT)] = torch.tensor(LIGHT)[:, None]
    torch.nn.init.zeros_(deca.encoder.linear.weight)
    deca.encoder.linear.bias.data.copy_(torch.cat(list(reading.values())))
    if detail:
        deca.detail_decoder.final_conv.weight.data *= 300  # else an untrained decoder's skin is smooth
    return deca


@contextmanager
def imported_heads(home: Path, *, detail: bool = True, has_mesh: bool = True) -> Iterator[None]:
    """Make `home` the place of the weights, with DECA and, unless it is left out, FLAME and its landmarks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FADM_HOME", str(home))
        patch.setattr("fadm.attributes.deca.DECAEncoder", TinyEncoder)
        save_network(home, "deca", make_deca(detail=detail), {"kind": "deca"})
        if has_mesh:
            save_network(home, "flame", make_flame(), {"kind": "flame"})
            save_network(home, "flame_landmarks", make_flame_landmarks(), {"kind": "flame_landmarks"})
        yield
