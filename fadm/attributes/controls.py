"""What a face can be asked to do by name, without a driver."""

from dataclasses import dataclass, field, fields

from fadm.errors import OptionError


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

    def __post_init__(self) -> None:
        for part in fields(FaceControls):
            value, limit = getattr(self, part.name), part.metadata["limit"]
            if not -limit <= value <= limit:
                raise OptionError(
                    f"--{part.name.replace('_', '-')} {value:g}: give a number from {-limit:g} to {limit:g}"
                )
