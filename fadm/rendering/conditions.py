"""What the denoiser is told about the frame it renders: the contract between the coarse stage and the conditioner."""

from dataclasses import dataclass

from torch import Tensor

from fadm.errors import OptionError


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """Pictures and attributes of B frames; raises OptionError where their shapes contradict each other.

    coarse (B, 3, H, W) in [0, 1]: the coarse animation, g in the paper.
    appearance (B, 3, H, W) in [0, 1]: the picture whose colours count; the driving frame d in training, the
    coarse frame in inference.
    attributes_source, attributes_driving (B, A): expression (50), then pose (6).
    source (B, 3, H, W) in [0, 1]: the source picture, for renderers that look at it.
    person (B, 2, H, W) in [0, 1]: how surely each pixel of the source and of the coarse frame shows the person.
    """

    coarse: Tensor
    appearance: Tensor
    attributes_source: Tensor
    attributes_driving: Tensor
    source: Tensor | None = None
    person: Tensor | None = None

    def __post_init__(self) -> None:
        """Check that the parts belong together."""
        for name, picture in (("appearance", self.appearance), ("source", self.source)):
            if picture is not None and self.coarse.shape != picture.shape:
                raise OptionError(
                    f"coarse {tuple(self.coarse.shape)} and {name} {tuple(picture.shape)} differ in shape"
                )
        B, _, *size = self.coarse.shape
        if self.person is not None and self.person.shape != (B, 2, *size):
            raise OptionError(f"person has the shape {tuple(self.person.shape)}, but {(B, 2, *size)} is expected")
        expected = (self.coarse.shape[0], self.attributes_source.shape[-1])
        for name in ("attributes_source", "attributes_driving"):
            given = tuple(getattr(self, name).shape)
            if given != expected:
                raise OptionError(f"{name} has the shape {given}, but {expected} is expected for these frames")

    @property
    def attribute_difference(self) -> Tensor:
        """(B, A): the source's attributes minus the driving ones (paper, motion condition)."""
        return self.attributes_source - self.attributes_driving


def inference_conditions(
    coarse: Tensor,
    attributes_source: Tensor,
    attributes_driving: Tensor,
    source: Tensor | None = None,
    person: Tensor | None = None,
) -> Conditions:
    """The conditions of a frame that nobody has seen: the coarse frame (B, 3, H, W) is its own appearance."""
    return Conditions(
        coarse=coarse,
        appearance=coarse,
        attributes_source=attributes_source,
        attributes_driving=attributes_driving,
        source=source,
        person=person,
    )
