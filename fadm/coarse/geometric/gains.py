"""How much of a driver's motion is passed on."""

from dataclasses import dataclass, field, fields

from fadm.errors import OptionError


def _gain(what: str) -> float:
    return field(default=1.0, metadata={"help": f"Gain of {what}: 0 none, 1 as it is, 2 twice as much."})


@dataclass(frozen=True, kw_only=True)
class Gains:
    """A factor from 0 to 3 for each part of the motion."""

    rotation_gain: float = _gain("the head's rotation")
    translation_gain: float = _gain("the head's translation and size")
    mouth_gain: float = _gain("mouth and jaw")
    eyes_gain: float = _gain("the eyelids, nose and cheeks")
    brows_gain: float = _gain("the brows")
    gaze_gain: float = _gain("the gaze")

    def __post_init__(self) -> None:
        for part in fields(Gains):
            value = getattr(self, part.name)
            if not 0 <= value <= 3:
                raise OptionError(f"--{part.name.replace('_', '-')} {value:g}: give a number from 0 to 3")
