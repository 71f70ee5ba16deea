"""`fadm learn-face-model`: the landmark face model from tracked clips."""

from pathlib import Path
from typing import Annotated

import typer


def learn_face_model(
    shards: Annotated[list[Path], typer.Argument(help="Shards to learn from, or their folder.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Model file, .safetensors.")],
    validate: Annotated[
        list[Path] | None, typer.Option(help="Shard with other people, or a folder, to measure on.")
    ] = None,
    tier: Annotated[str, typer.Option(help="Clips to learn from: open (free terms only) or all.")] = "open",
) -> None:
    """Learn mean face, identity, jaw and expression of the landmark face model, in seconds."""
    from rich.console import Console

    from fadm.attributes.landmark_model import LandmarkModelConfig, save_landmark_model
    from fadm.data.provenance import describe_clips
    from fadm.data.shards import find_shards, read_tracked_clips
    from fadm.errors import InputError, OptionError
    from fadm.files import check_folder
    from fadm.training.face_model import learn_landmark_model, measure_explained_motion

    if tier not in ("open", "all"):
        raise OptionError(f"--tier {tier}: give open or all")
    check_folder(output)
    clips = [
        clip for clip in read_tracked_clips(find_shards(shards)) if tier == "all" or clip.info.get("tier") == "open"
    ]
    if not clips:
        raise InputError(
            f"no clip of tier {tier} in {', '.join(map(str, shards))}: give --tier all, or prepare clips under free "
            "terms with `fadm data prepare --tier open`"
        )
    model = learn_landmark_model(clips, LandmarkModelConfig())
    save_landmark_model(model, output, {"kind": "landmark face model"} | describe_clips(clips))
    console = Console()
    console.print(f"{output}: learned from {len(clips)} clips", soft_wrap=True, markup=False, highlight=False)
    if validate:
        explained = measure_explained_motion(model, list(read_tracked_clips(find_shards(validate))))
        console.print(
            f"mean error of the landmarks, pixels at 256: {explained.still:.2f} without motion, "
            f"{explained.pose:.2f} with head pose and camera, {explained.jaw:.2f} with the jaw, "
            f"{explained.expression:.2f} with the expression"
        )
