import hashlib
import re
from pathlib import Path

import fadm.face.models

FOLDER = Path(fadm.face.models.__file__).parent


def test_the_files_are_those_whose_origin_is_told():
    told = dict(re.findall(r"\| `(\w+\.tflite)` \|.*\| `([0-9a-f]{64})` \|", (FOLDER / "README.md").read_text()))
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in FOLDER.glob("*.tflite")}
    assert files == told and len(files) == 5
