"""Small files under the names that the documentation uses, and how its long commands are cut short."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fadm.config import config_from_dict, config_to_dict, read_table
from fadm.data.synthetic.clips import SyntheticOptions
from fadm.media.crop import resize_pixels
from fadm.media.image import read_image, write_image
from fadm.rendering.options import RendererConfig
from fadm.rendering.renderer import DiffusionRenderer
from tests.clips import carphone_frames, write_clip
from tests.data.raw_videos import moving_portrait, run_here
from tests.docs.pages import ROOT, Command
from tests.media.samples import ASTRONAUT
from tests.tiny_networks import RENDERER, TOLD_LANDMARKS, make_renderer, save_network, tiny_networks
from tests.training import tiny
from tests.weights.released_files import flame_table, write_flame_pickle, write_landmark_embedding

# Commands that are only parsed, by how they begin, and why.
PARSED_ONLY = {
    "fadm weights import vox-cpk.pth.tar": "needs full-size released files; tests/weights/released imports their like",
    "accelerate launch": "needs several GPUs; tests/training/test_loop.py trains in several processes",
    "torchrun": "needs several GPUs; tests/training/test_loop.py trains in several processes",
}

RECIPE = read_table(ROOT / "configs" / "renderer_small.toml")["objective"]["renderer"]
NARROW = {
    "unet": {"channels": 8, "norm_groups": 4, "multipliers": [1, 2], "attention_levels": [1]},
    "conditioner": {"time_channels": 8},
}
SMALL = {**RECIPE, **{part: {**RECIPE[part], **values} for part, values in NARROW.items()}}


@contextmanager
def stand_ins(folder: Path) -> Iterator[None]:
    """Fill a folder with what commands read: pictures, clips of a few frames, results, tiny networks."""
    head = resize_pixels(read_image(ASTRONAUT), 192, 192)
    write_image(folder / "portrait.jpg", head)
    write_image(folder / "smiling.jpg", head[:, ::-1])
    write_image(folder / "group.jpg", np.concatenate([head, head], axis=1))
    write_clip(folder / "driver.mp4", carphone_frames()[:2], audio="aac")
    write_clip(folder / "animation.mp4", carphone_frames()[:2])
    video = write_clip(folder / "moving.mp4", moving_portrait(28)).read_bytes()  # over a second long
    for place in ("train/one", "validation/two", "validation/three", "open/four"):  # people are told by the name
        path = folder / "videos" / f"{place}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(video)
    for place in ("results", "truth"):
        (folder / place).mkdir()
        for name, pixels in (("00000", head), ("00001", head[:, ::-1])):
            write_image(folder / place / f"{name}.png", pixels)
    write_flame_pickle(folder / "generic_model.pkl", flame_table())
    write_landmark_embedding(folder / "landmark_embedding.npy")
    (folder / "configs").symlink_to(ROOT / "configs")
    home = folder / "home"
    with tiny_networks(home), pytest.MonkeyPatch.context() as patch:
        save_network(home, "fadm", make_renderer(), {"kind": "fadm"})
        small = DiffusionRenderer(config_from_dict(RendererConfig, SMALL, source="renderer_small.toml"))
        save_network(home, "fadm_small", small, TOLD_LANDMARKS)
        patch.setattr("fadm.data.prepare.pipeline.run_jobs", run_here)
        few = partial(SyntheticOptions, clips=1, validation_clips=1, frames=2)
        patch.setattr("fadm.training.pairs.SyntheticOptions", few)
        yield


def why_not_run(command: Command) -> str:
    """The reason for which a command is only parsed, empty for one that runs."""
    return next((why for start, why in PARSED_ONLY.items() if str(command).startswith(start)), "")


def cut_short(command: Command) -> list[str]:
    """Words after which a command of the documentation takes a second or two."""
    _, group, *rest = command.words
    if group == "train":
        return _cut_training(rest[0], Path(rest[1]).name)
    if group == "data":
        return ["--workers", "1", "--frames", "4"]
    if group == "eval" and rest[0] != "compare":
        count = "2" if "--pictures" in rest else "1"
        words = [] if {"--pairs", "two-folders"} & {*rest} else ["--count", count]
        words += [] if rest[0] == "pairs" else ["--metrics", "landmarks" if "cross-identity" in rest else "pixel"]
        return [*words, "--steps", "1"] if rest[0] == "ablation" else words
    return []


def _cut_training(kind: str, recipe: str) -> list[str]:
    """A recipe's overrides: two steps of small pictures, and tiny networks where its own are large."""
    words = _override("run", {"steps": 2, "batch_size": 2, "validation_samples": 2, "log_every": 1})
    words += _override("data", {"workers": 0, "size": 64, "tier": "all"})
    if kind == "distill":
        words += _override("objective", {"steps": [4]})
    if kind in ("renderer", "distill"):
        words += _override("coarse.pairs", {"sources_per_clip": 1, "drivings_per_source": 2})
        words += _override("coarse", {"validation_pairs_per_clip": 2})
    if recipe.startswith("renderer_"):
        words += _override("objective.renderer", NARROW)
    if recipe.startswith("fadm_256"):
        words += _override("objective.renderer", config_to_dict(RENDERER)) + _override("render", {"num_steps": 2})
    if kind in ("fomm", "face_vid2vid"):
        network = tiny.FOMM if kind == "fomm" else tiny.FACE_VID2VID
        words += _override("objective.network", config_to_dict(network))
    return words


def _override(table: str, values: dict[str, Any]) -> list[str]:
    """`-s table.key=value` for each value, also of the tables within it."""
    words: list[str] = []
    for key, value in values.items():
        if isinstance(value, dict):
            words += _override(f"{table}.{key}", value)
        elif value is not None:
            words += ["-s", f"{table}.{key}={json.dumps(value)}"]
    return words
