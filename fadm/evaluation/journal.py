"""What a run has measured so far, kept through a kill: a line of JSON for each case, beside what the run was told."""

import base64
import json
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

from fadm.errors import InputError, OptionError
from fadm.evaluation.features import EFFICIENTNET, INCEPTION
from fadm.evaluation.measures import Values
from fadm.evaluation.pairs import PairList, read_pairs, write_pairs
from fadm.files import explain_failure, write_whole

FORMAT = "fadm evaluation 1"
RUN, PAIRS, RESULTS = "run.json", "pairs.json", "results.jsonl"
FEATURES_OF = {EFFICIENTNET: "features", INCEPTION: "inception features"}  # keys of a line
CHUNK = 16  # lines between two moments at which the file is brought to the disk


@dataclass
class CaseResult:
    """What was measured of a case: values and frames made by stage, notes, seconds by part.

    features: pooled ones (N, D) by network and stage; those of the reference set are under `reference`.
    """

    case: str
    values: dict[str, Values]
    made: dict[str, int]
    notes: list[tuple[str, str]] = field(default_factory=list)
    features: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


class Journal:
    """The results of a run's folder; what an earlier, killed run left there is read first."""

    def __init__(self, folder: Path, told: dict[str, Any], pairs: PairList) -> None:
        """told: what decides the numbers. Raises OptionError when the folder holds a run that was told otherwise."""
        self.folder, self._path = folder, folder / RESULTS
        told = json.loads(json.dumps({"format": FORMAT} | told))
        _begin(folder, told, pairs)
        self.results, whole = _read_lines(self._path)
        with explain_failure(self._path):
            self._file: IO[bytes] = self._path.open("ab")
            self._file.truncate(whole)  # a line that a kill cut short
        self._waiting = 0

    def add(self, result: CaseResult) -> None:
        """Keep a case's result."""
        self.results[result.case] = result
        with explain_failure(self._path):
            self._file.write(json.dumps(_pack(result)).encode() + b"\n")
            self._waiting += 1
            if self._waiting >= CHUNK:
                self._reach_disk()

    def close(self) -> None:
        """Bring everything to the disk."""
        with explain_failure(self._path):
            self._reach_disk()
            self._file.close()

    def _reach_disk(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._waiting = 0


def read_run(folder: Path) -> tuple[dict[str, Any], PairList, dict[str, CaseResult]]:
    """What a run was told, its pairs and its results by case. Raises InputError where there is no run."""
    told, pairs = _read_told(folder), read_pairs(folder / PAIRS)
    return told, pairs, _read_lines(folder / RESULTS)[0]


def _begin(folder: Path, told: dict[str, Any], pairs: PairList) -> None:
    if (folder / RUN).is_file():
        before = _read_told(folder)
        changed = sorted(key for key in told.keys() | before.keys() if told.get(key) != before.get(key))
        if changed:
            key = changed[0]
            raise OptionError(
                f"'{folder}' holds a run with another {key} ({_brief(before.get(key))}, now {_brief(told.get(key))}); "
                "give the same options to go on with it, or another folder"
            )
        return
    if folder.exists() and (not folder.is_dir() or any(entry.name != PAIRS for entry in folder.iterdir())):
        raise OptionError(f"'{folder}' holds other files; give a new or an empty folder, or one of a run to go on with")
    with explain_failure(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_pairs(pairs, folder / PAIRS)
    write_whole(folder / RUN, (json.dumps(told, indent=1) + "\n").encode())


def _brief(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) < 60 else text[:57] + "..."


def _read_told(folder: Path) -> dict[str, Any]:
    path = folder / RUN
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"'{folder}' holds no run of `fadm eval run`: {RUN} cannot be read ({error})") from error
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise InputError(f"'{path}' is not of the format {FORMAT!r}; evaluate again into another folder")
    return told


def _read_lines(path: Path) -> tuple[dict[str, CaseResult], int]:
    """Results by case, and the length of the part of the file that is whole."""
    results: dict[str, CaseResult] = {}
    whole = 0
    if path.is_file():
        for line in path.read_bytes().splitlines(keepends=True):
            try:
                result = _unpack(json.loads(line)) if line.endswith(b"\n") else None
            except (ValueError, KeyError, TypeError, AttributeError):
                result = None
            if result is None:
                break
            results[result.case] = result
            whole += len(line)
    return results, whole


def encode_numbers(numbers: list[float]) -> list[float | str]:
    """Numbers as JSON can hold them: those that are not finite as text."""
    return [number if math.isfinite(number) else str(number) for number in numbers]


def _pack(result: CaseResult) -> dict[str, Any]:
    values = {
        stage: {name: encode_numbers(numbers) for name, numbers in found.items()}
        for stage, found in result.values.items()
    }
    packed: dict[str, Any] = {"case": result.case, "made": result.made, "values": values}
    packed["notes"] = result.notes
    packed["seconds"] = {part: round(seconds, 5) for part, seconds in result.seconds.items()}
    for network, features in result.features.items():
        packed[FEATURES_OF[network]] = {stage: _pack_tensor(tensor) for stage, tensor in features.items()}
    return packed


def _unpack(packed: dict[str, Any]) -> CaseResult:
    values = {
        stage: {name: [float(number) for number in numbers] for name, numbers in found.items()}
        for stage, found in packed["values"].items()
    }
    features = {
        network: {stage: _unpack_tensor(text) for stage, text in packed[key].items()}
        for network, key in FEATURES_OF.items()
        if key in packed
    }
    notes = [(str(kind), str(said)) for kind, said in packed["notes"]]
    return CaseResult(packed["case"], values, packed["made"], notes, features, packed["seconds"])


def _pack_tensor(tensor: Tensor) -> list[Any]:
    return [list(tensor.shape), base64.b64encode(tensor.numpy().astype("<f4").tobytes()).decode()]


def _unpack_tensor(packed: list[Any]) -> Tensor:
    shape, text = packed
    return torch.from_numpy(np.frombuffer(base64.b64decode(text), "<f4").reshape(shape).copy())


def walk_results(results: dict[str, CaseResult], pairs: PairList) -> Iterator[CaseResult]:
    """The results in the order of the pair list, whatever the order in which they were measured."""
    for case in pairs.cases:
        if case.name in results:
            yield results[case.name]
