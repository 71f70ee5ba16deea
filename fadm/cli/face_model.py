"""`fadm learn-face-model`: train the landmark face model on tracked clips."""

from pathlib import Path
from typing import Annotated

import typer


def learn_face_model(
    shards: Annotated[list[Path], typer.Argument(help="Shards with training clips, or their folder.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Model file, .safetensors.")],
    validate: Annotated[
        list[Path] | None,
        typer.Option(help="Shard with held-out identities, or a folder, to measure the model on; repeatable."),
    ] = None,
    tier: Annotated[str, typer.Option(help="Training clips: open (free terms only) or all.")] = "open",
) -> None:
    """Train the landmark face model: mean face, identity, jaw and expression. This takes seconds."""
    from rich.console import Console

    from fadm.training.face_model import train_face_model

    result = train_face_model(shards, output, validation=validate or (), tier=tier)
    console = Console()
    console.print(f"{output}: trained on {result.num_clips} clips", soft_wrap=True, markup=False, highlight=False)
    if result.explained and result.mapped:
        shares = result.explained.blendshapes
        weakest = ", ".join(f"{name} {shares[name]:.2f}" for name in sorted(shares, key=lambda n: shares[n])[:5])
        for sentence in (
            f"mean error of the landmarks, pixels at 256: {result.explained.still:.2f} without motion, "
            f"{result.explained.pose:.2f} with head pose and camera, {result.explained.jaw:.2f} with the jaw, "
            f"{result.explained.expression:.2f} with the expression",
            f"share of the blendshapes' variance that moved faces show: {sum(shares.values()) / len(shares):.2f} "
            f"in the mean of {len(shares)}; least {weakest}",
            f"map between blendshapes and numbers, share of variance explained: displacement "
            f"{result.mapped.expression:.2f}, jaw {result.mapped.jaw:.2f}, gaze {result.mapped.gaze:.2f}; "
            f"coefficients {result.mapped.mean:.2f} in their mean",
        ):
            console.print(sentence, soft_wrap=True, markup=False, highlight=False)
