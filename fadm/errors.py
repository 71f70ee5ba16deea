"""Mistakes that a user can make; each message says what was given, what is expected and what to do."""


class FadmError(Exception):
    """A user's mistake or an unusable input; the command line prints it in one line and exits with status 2."""


class InputError(FadmError):
    """A file or folder that cannot be read, or is not of the expected kind."""


class OutputError(FadmError):
    """An output that cannot be written, or whose format cannot hold what is written."""


class OptionError(FadmError):
    """An option that is out of range or contradicts another option."""


class FaceError(FadmError):
    """A picture or video in which the requested face is not found."""


class TurnedFaceError(FaceError):
    """A picture or video whose face lies on its side or upside down.

    Attributes:
        turns: Quarter turns counter-clockwise that make it upright, 1 to 3.
    """

    def __init__(self, where: str, turns: int) -> None:
        way = ("on its side", "upside down", "on its side")[turns - 1]
        turn = ("90 degrees counter-clockwise", "180 degrees", "90 degrees clockwise")[turns - 1]
        super().__init__(f"{where}: the face lies {way}; turn the picture by {turn} first")
        self.turns = turns


class ConfigError(FadmError):
    """A configuration with an unknown, mistyped or missing key."""


class WeightsError(FadmError):
    """A weights file that is missing, damaged, of another kind or unsafe to load."""


class PackageError(FadmError):
    """A package, system library or pretrained network that is needed but missing."""


class TrainingError(FadmError):
    """A training run that cannot start or continue."""


class MetricError(FadmError):
    """Inputs for which a metric is not defined."""
