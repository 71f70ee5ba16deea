"""Named changes of a face, of `fadm edit`, the API and the web page."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from fadm.blendshapes import BLENDSHAPES, LARGEST_BLENDSHAPE, describe_blendshape, suggest_blendshapes
from fadm.errors import OptionError
from fadm.options import check_range


def _control(limit: float, description: str) -> float:
    return field(default=0.0, metadata={"help": f"{description} ({-limit:g} to {limit:g}).", "limit": limit})


@dataclass(frozen=True, kw_only=True)
class FaceControls:
    """Changes against the face as it is; left and right are the person's own. 1 is a full movement."""

    yaw: float = _control(45, "Turn the head to its left, in degrees")
    pitch: float = _control(45, "Lower the head, in degrees")
    roll: float = _control(45, "Tilt the head to its left, in degrees")
    smile: float = _control(2, "Smile; negative: mouth corners down")
    mouth_open: float = _control(2, "Open the mouth; negative: close it")
    pucker: float = _control(2, "Pucker the lips; negative: widen them")
    blink_left: float = _control(1, "Close the left eye; negative: open it wide")
    blink_right: float = _control(1, "Close the right eye; negative: open it wide")
    brows_up: float = _control(2, "Raise the brows; negative: lower them")
    gaze_left: float = _control(1, "Look to the left; negative: to the right")
    gaze_up: float = _control(1, "Look up; negative: down")
    blendshapes: Mapping[str, float] = field(
        default_factory=dict,
        metadata={
            "help": f"ARKit's blendshape coefficients by their names (0 to {LARGEST_BLENDSHAPE:g}).",
            "names": {n: f"{describe_blendshape(n)} (0 to {LARGEST_BLENDSHAPE:g})." for n in BLENDSHAPES},
            "panel": "ARKit's 52 blendshapes; 1 is a full movement, more exaggerates it",
        },
    )

    def __post_init__(self) -> None:
        for part in fields(FaceControls):
            limit = part.metadata.get("limit")
            if limit is not None:
                check_range(f"--{part.name.replace('_', '-')}", getattr(self, part.name), -limit, limit)
        for name, value in self.blendshapes.items():
            if name not in BLENDSHAPES:
                raise OptionError(f"{name!r} is no blendshape: {suggest_blendshapes(name)}")
            check_range(f"--{name}", value, 0, LARGEST_BLENDSHAPE)
