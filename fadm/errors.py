"""What a user can get wrong: each error says what was given, what is expected and what to do."""


class FadmError(Exception):
    """A user's mistake or an unusable input; the command line prints it as one line and exits with 2."""


class InputError(FadmError):
    """A file or folder that cannot be read as what it is given for."""


class OutputError(FadmError):
    """A place that cannot be written, or a container that cannot hold what is asked of it."""


class OptionError(FadmError):
    """An option whose value is out of range or contradicts another option."""


class FaceError(FadmError):
    """A picture or video in which the face that is asked for cannot be found."""


class ConfigError(FadmError):
    """A recipe or configuration with an unknown, mistyped or missing key."""


class WeightsError(FadmError):
    """A weights file that is not what it claims to be, or holds what must not be loaded."""


class PackageError(FadmError):
    """A package, a library of the system or a pretrained network that is needed and not there."""


class TrainingError(FadmError):
    """A training run that cannot go on."""


class MetricError(FadmError):
    """Something that cannot be measured from what was given."""
