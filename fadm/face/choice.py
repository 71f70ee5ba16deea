"""The words by which a user chooses one of several faces."""

from fadm.errors import OptionError


def check_choice(choice: str, option: str = "face") -> str:
    """Return `largest`, `left`, `only` or a number from the left, from 1; raise OptionError for another choice."""
    if choice in ("largest", "left", "only") or (choice.isdecimal() and int(choice) >= 1):
        return choice
    raise OptionError(f"{option} {choice!r}: give largest, left, only, or a number counted from the left, from 1")
