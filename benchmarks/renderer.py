"""Seconds per step and peak memory of the full-size renderer, beside a plain transcription of the loop.

    python -m benchmarks.renderer

Each row runs in a process of its own. The plain transcription encodes the conditions anew in every step, in
float32 and PyTorch's standard layout, one frame at a time.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
import typer
from torch import Tensor

from fadm.device import autocast
from fadm.rendering.conditions import Conditions, inference_conditions
from fadm.rendering.presets import get_preset
from fadm.rendering.renderer import DiffusionRenderer
from fadm.weights.released import fadm as table
from fadm.weights.renaming import rename
from tests.reference import blob, load_case, normal, relative_error

app = typer.Typer(add_completion=False)
ROWS = (
    ("plain", "float32", 1),
    ("ours", "float32", 1),
    ("ours", "float32", 2),
    ("ours", "bfloat16", 1),
    ("ours", "bfloat16", 2),
    ("ours", "bfloat16", 4),
)
T = 37


def build(layout: torch.memory_format) -> DiffusionRenderer:
    renderer = DiffusionRenderer(get_preset("released").renderer)
    renderer.load_state_dict(rename(load_case("fadm_256").state_dict(), table.RULES, table.IGNORED))
    return renderer.eval().to(memory_format=layout)


def make_inputs(batch: int) -> tuple[Tensor, Tensor, Conditions]:
    shape = (batch, 3, 256, 256)
    attributes = normal("benchmark/attributes", (batch, 56))
    conditions = inference_conditions(blob("benchmark/coarse", shape), attributes, 0 * attributes)
    return normal("benchmark/x_t", shape), torch.full((batch,), T), conditions


def best_time(run: Callable[[], Tensor], repeats: int) -> float:
    """Seconds of the fastest of some runs, after one that does not count."""
    run()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def forget_peak() -> None:
    """Start the measurement of peak memory anew, so that loading does not count (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")


def read_peak() -> float:
    """Peak memory of this process in GiB, as Linux counts it."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 2**20


@app.command()
@torch.inference_mode()
def row(kind: str, precision: str, batch: int, repeats: int) -> None:
    """One row of the table."""
    x_t, t, conditions = make_inputs(batch)
    if kind == "plain":
        renderer = build(torch.contiguous_format)
        forget_peak()
        seconds = best_time(lambda: renderer(x_t, t, conditions), repeats)
    else:
        renderer = build(torch.channels_last)
        forget_peak()
        with autocast(x_t.device, getattr(torch, precision)):
            features = renderer.conditioner.encode(conditions)
            seconds = best_time(lambda: renderer.denoise(x_t, t, features), repeats)
    typer.echo(f"| {kind} | {precision} | {batch} | {seconds / batch:.2f} | {read_peak():.2f} |")


@app.command()
def difference(num_steps: int = 10) -> None:
    """How far bfloat16 is from float32: the noise of one pass, and pictures in 0..1 after some clipped steps."""
    renderer = build(torch.channels_last)
    x_t, t, conditions = make_inputs(1)
    with torch.inference_mode():
        exact = renderer(x_t, t, conditions)
        with autocast(x_t.device, torch.bfloat16):
            rounded = renderer(x_t, t, conditions).float()
    rms = float((exact - rounded).square().mean().sqrt() / exact.std())
    typer.echo(f"noise: rms {rms:.4f}, largest {relative_error(rounded, exact):.4f} of the standard deviation")
    options = replace(get_preset("released").render, num_steps=num_steps, clip=(0.0, 1.0))
    exact, rounded = (
        renderer.render(conditions, replace(options, precision=precision)).pictures
        for precision in ("float32", "bfloat16")
    )
    off = (exact - rounded).abs()
    typer.echo(f"picture: mean {float(off.mean()):.5f}, largest {float(off.max()):.4f}")


@app.callback(invoke_without_command=True)
def main(context: typer.Context, repeats: int = 3) -> None:
    """The whole table."""
    if context.invoked_subcommand:
        return
    typer.echo(f"{torch.get_num_threads()} threads, 256x256, 141 M parameters")
    typer.echo("| loop | precision | frames at once | seconds per step and frame | peak memory (GiB) |")
    typer.echo("|---|---|---|---|---|")
    for kind, precision, batch in ROWS:
        arguments = ["row", kind, precision, str(batch), str(repeats)]
        subprocess.run([sys.executable, "-m", "benchmarks.renderer", *arguments], check=True)


if __name__ == "__main__":
    app()
