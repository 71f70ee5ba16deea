"""How long work tells how far it is."""

from typing import Protocol


class Progress(Protocol):
    """Whoever wants to know."""

    def stage(self, name: str, total: int | None) -> None:
        """A stage begins; total: its number of frames, None if unknown."""

    def advance(self) -> None:
        """One more frame of the stage is done."""


class _NoProgress:
    def stage(self, name: str, total: int | None) -> None:
        pass

    def advance(self) -> None:
        pass


NO_PROGRESS = _NoProgress()
