"""The README's commands do what it says, on small files of the names it uses."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from fadm.cli import main
from fadm.media.image import read_image, write_image
from tests.clips import carphone_frames, write_clip
from tests.media.samples import ASTRONAUT

README = (Path(__file__).parent.parent / "README.md").read_text()
COMMANDS = [
    command
    for command in re.findall(r"^fadm (?:animate|enhance|edit|motion) .*$", README, flags=re.MULTILINE)
    if not re.search(r"weights|--renderer (?!none)", command)  # these need the released files
]


@pytest.mark.parametrize("command", COMMANDS)
def test_command_of_the_readme_runs(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    portrait = read_image(ASTRONAUT)
    write_image("portrait.jpg", portrait)
    write_image("smiling.jpg", portrait[:, ::-1])
    write_image("group.jpg", np.concatenate([portrait, portrait], axis=1))
    for name in ("driver.mp4", "animation-of-any-tool.mp4"):
        write_clip(Path(name), carphone_frames()[:4])
    words = shlex.split(command, comments=True)[1:]
    if "motion.json" in words and words[0] == "animate":
        main_expecting_success(["motion", "extract", "driver.mp4", "-o", "motion.json"])
    main_expecting_success(words)
    assert Path(words[words.index("-o") + 1]).stat().st_size > 0


def main_expecting_success(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 0
