"""What the denoiser is conditioned on: the contract between the coarse stage and the conditioner."""

from dataclasses import dataclass

from torch import Tensor

from fadm.errors import OptionError


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """Pictures and attributes of B frames.

    Attributes:
        coarse: Coarse frames (B, 3, H, W) in [0, 1], g in the paper.
        appearance: Pictures (B, 3, H, W) in [0, 1] that give the colours: the driving frames d in training, the coarse
            frames in inference.
        attributes_source: The source's expression (50) and pose (6), (B, 56).
        attributes_driving: The driver's expression and pose (B, 56).
        source: Source pictures (B, 3, H, W) in [0, 1], for renderers that are conditioned on them.
        person: Probability (B, 2, H, W) that a pixel of the source, and of the coarse frame, shows the person.
        contours: For windows of mouth and eyes (B, 2, H, W) in [0, 1]: lips, openings and irises of the source and of
            the frame (`draw_contours`).

    Raises:
        OptionError: The shapes contradict each other.
    """

    coarse: Tensor
    appearance: Tensor
    attributes_source: Tensor
    attributes_driving: Tensor
    source: Tensor | None = None
    person: Tensor | None = None
    contours: Tensor | None = None

    def __post_init__(self) -> None:
        """Check that the parts belong together."""
        for name, picture in (("appearance", self.appearance), ("source", self.source)):
            if picture is not None and self.coarse.shape != picture.shape:
                raise OptionError(
                    f"coarse {tuple(self.coarse.shape)} and {name} {tuple(picture.shape)} differ in shape"
                )
        B, _, *size = self.coarse.shape
        for name, map_pair in (("person", self.person), ("contours", self.contours)):
            if map_pair is not None and map_pair.shape != (B, 2, *size):
                raise OptionError(f"{name} has the shape {tuple(map_pair.shape)}, but {(B, 2, *size)} is expected")
        expected = (self.coarse.shape[0], self.attributes_source.shape[-1])
        for name in ("attributes_source", "attributes_driving"):
            given = tuple(getattr(self, name).shape)
            if given != expected:
                raise OptionError(f"{name} has the shape {given}, but {expected} is expected for these frames")

    @property
    def attribute_difference(self) -> Tensor:
        """The source's attributes minus the driving ones (B, 56) (paper, motion condition)."""
        return self.attributes_source - self.attributes_driving


def inference_conditions(
    coarse: Tensor,
    attributes_source: Tensor,
    attributes_driving: Tensor,
    source: Tensor | None = None,
    person: Tensor | None = None,
    contours: Tensor | None = None,
) -> Conditions:
    """Build conditions for inference, in which each coarse frame is its own appearance.

    Args:
        coarse: Coarse frames (B, 3, H, W) in [0, 1].
        attributes_source: The source's attributes (B, 56).
        attributes_driving: The driver's attributes (B, 56).
        source: Source pictures (B, 3, H, W) in [0, 1], for renderers that are conditioned on them.
        person: Probability (B, 2, H, W) of the person in the source and in the coarse frame.
        contours: For windows of mouth and eyes (B, 2, H, W) in [0, 1].

    Returns:
        The conditions.

    Raises:
        OptionError: The shapes contradict each other.
    """
    return Conditions(
        coarse=coarse,
        appearance=coarse,
        attributes_source=attributes_source,
        attributes_driving=attributes_driving,
        source=source,
        person=person,
        contours=contours,
    )
