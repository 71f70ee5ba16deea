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
