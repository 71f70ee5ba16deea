"""Validation of a network in training on held-out identities: metrics and a contact sheet."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset, default_collate

from fadm.data.datasets import Sample
from fadm.data.shards import Pixels
from fadm.device import autocast, choose_dtype
from fadm.errors import PackageError
from fadm.media.crop import Square, cut_square, to_pixels
from fadm.metrics.perceptual import perceptual_distance
from fadm.metrics.pixel import l1, psnr
from fadm.networks.efficientnet import EfficientNetLite0, load_efficientnet_lite0
from fadm.rendering.compositing import View, render_views
from fadm.rendering.conditions import inference_conditions
from fadm.rendering.options import RenderOptions
from fadm.rendering.renderer import DiffusionRenderer
from fadm.training.loop import Validation
from fadm.training.objective import Batch, to_unit

BATCH_SIZE = 8
MOST_SHOWN = 6  # rows of the contact sheet

Predict = Callable[[dict[str, nn.Module], Batch], Tensor]


class HeldOut:
    """Compares predictions for fixed samples, and a baseline, with the driving frames."""

    def __init__(
        self, samples: Dataset[Sample], count: int, predict: Predict, baseline: str, precision: str = "auto"
    ) -> None:
        """Choose samples and baseline.

        Args:
            samples: Samples of held-out identities.
            count: Number of samples that are used.
            predict: Maps networks and a batch to pictures (B, 3, H, W).
            baseline: Entry of the batch that serves as the baseline: `coarse` or `source`.
            precision: Precision of networks that have no such option of their own.
        """
        self.samples, self.count, self.predict, self.baseline = samples, count, predict, baseline
        self.precision = precision
        self.features = _load_features()

    @torch.inference_mode()
    def __call__(self, networks: dict[str, nn.Module]) -> Validation:
        """Measure the predictions and the baseline.

        Args:
            networks: The networks in evaluation mode, by name.

        Returns:
            Means over the samples, the L1 of the predictions first, and a contact sheet of rows source, driving,
            baseline, prediction.
        """
        device = next(next(iter(networks.values())).parameters()).device
        if self.features is not None:
            self.features.to(device)
        rows: dict[str, list[Tensor]] = {}
        sheet: list[Pixels] = []
        for start in range(0, self.count, BATCH_SIZE):
            numbers = range(start, min(start + BATCH_SIZE, self.count))
            batch = default_collate([self.samples[number] for number in numbers])
            batch = {name: to_unit(tensor.to(device)) for name, tensor in batch.items()}
            with autocast(device, choose_dtype(device, self.precision)):
                prediction = self.predict(networks, batch).float().clamp(0, 1)
            for name, picture in (("", prediction), (f"_{self.baseline}", batch[self.baseline])):
                for metric, values in self._measure(picture, batch["driving"]).items():
                    rows.setdefault(metric + name, []).append(values.cpu())
            if len(sheet) < MOST_SHOWN:
                shown = [batch["source"], batch["driving"], batch[self.baseline], prediction]
                sheet.append(_join([picture[:1] for picture in shown]))
        numbers_by_name = {name: float(torch.cat(values).mean()) for name, values in rows.items()}
        return Validation(numbers_by_name, np.concatenate(sheet, axis=0))

    def _measure(self, picture: Tensor, driving: Tensor) -> dict[str, Tensor]:
        values = {"l1": l1(picture, driving), "psnr": psnr(picture, driving)}
        if self.features is not None:
            with autocast(picture.device, choose_dtype(picture.device)):
                made, real = self.features.features(picture), self.features.features(driving)
            values["perceptual"] = perceptual_distance(made, real)
        return values


def render_batch(options: RenderOptions) -> Predict:
    """Render stored coarse frames as animation does.

    Args:
        options: How the renderer renders.

    Returns:
        Maps networks (`fadm`) and a batch to pictures (B, 3, S, S), each the first frame of a video.
    """

    def predict(networks: dict[str, nn.Module], batch: Batch) -> Tensor:
        source, coarse = batch["source"], batch["coarse"]
        whole = Square(0, 0, coarse.shape[-1])
        conditions = inference_conditions(
            coarse,
            batch["attributes_source"],
            batch["attributes_driving"],
            source,
            batch.get("person"),
            batch.get("contours"),
        )
        views = [
            View(picture[None], whole, partial(cut_square, own[None], whole), confidence[None])
            for picture, own, confidence in zip(coarse, source, batch["confidence"], strict=True)
        ]
        renderer = cast(DiffusionRenderer, networks["fadm"])
        return torch.cat(render_views(renderer, options, conditions, views))

    return predict


def animate_batch(name: str) -> Predict:
    """Animate the sources by the driving frames with a coarse network.

    Args:
        name: Name of the network.

    Returns:
        Maps networks and a batch to pictures (B, 3, S, S).
    """

    def predict(networks: dict[str, nn.Module], batch: Batch) -> Tensor:
        network = networks[name]
        return network.drive(network.prepare(batch["source"]), batch["driving"])  # type: ignore[operator]

    return predict


def _load_features() -> EfficientNetLite0 | None:
    """Load the features of the perceptual metric; None, without the metric, where their package is missing."""
    try:
        return load_efficientnet_lite0()
    except PackageError:
        return None


def _join(pictures: Sequence[Tensor]) -> Pixels:
    return np.concatenate([to_pixels(picture.cpu()) for picture in pictures], axis=1)
