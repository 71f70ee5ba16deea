"""Reports of long-running work on its progress."""

from typing import Protocol


class Progress(Protocol):
    """Receives the reports."""

    def stage(self, name: str, total: int | None) -> None:
        """Begin a stage of the work.

        Args:
            name: Name of the stage, such as `rendering`.
            total: Number of its frames, None if unknown.
        """

    def advance(self) -> None:
        """Report one more finished frame of the stage."""


class _NoProgress:
    def stage(self, name: str, total: int | None) -> None:
        pass

    def advance(self) -> None:
        pass


NO_PROGRESS = _NoProgress()
