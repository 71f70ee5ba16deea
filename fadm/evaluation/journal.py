"""The journal of a run: its manifest, and a line of JSON for each measured case, which an interrupted run keeps."""

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
CHUNK = 16  # lines between two calls of fsync


@dataclass
class CaseResult:
    """The measured values of a case.

    Attributes:
        case: The case's name.
        values: Values of each metric by stage.
        made: Number of frames by stage.
        notes: A kind and a sentence on what was not as expected.
        features: Pooled features (N, D) by network and stage; those of the reference set are under `reference`.
        seconds: Seconds by part.
        signals: Movements of the face (T, S) by stage (`fadm.metrics.following.SIGNALS`); the driver's are under
            `reference`.
    """

    case: str
    values: dict[str, Values]
    made: dict[str, int]
    notes: list[tuple[str, str]] = field(default_factory=list)
    features: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    signals: dict[str, Tensor] = field(default_factory=dict)


class Journal:
    """The open results of a run's folder, with those of an earlier, interrupted run.

    Attributes:
        folder: The run's folder.
        results: Results by case.
    """

    def __init__(self, folder: Path, manifest: dict[str, Any], pairs: PairList) -> None:
        """Begin a run, or resume the one in the folder.

        Args:
            folder: The run's folder: new, empty or unfinished.
            manifest: Everything that determines the numbers.
            pairs: The cases.

        Raises:
            OptionError: The folder holds a run with another manifest, or other files.
            InputError: The run in the folder is damaged.
            OutputError: The folder cannot be written.
        """
        self.folder, self._path = folder, folder / RESULTS
        manifest = json.loads(json.dumps({"format": FORMAT} | manifest))
        _begin(folder, manifest, pairs)
        self.results, whole = _read_lines(self._path)
        with explain_failure(self._path):
            self._file: IO[bytes] = self._path.open("ab")
            self._file.truncate(whole)  # drops a line that an interruption cut short
        self._waiting = 0

    def add(self, result: CaseResult) -> None:
        """Append a case's result.

        Args:
            result: The result.

        Raises:
            OutputError: The file cannot be written.
        """
        self.results[result.case] = result
        with explain_failure(self._path):
            self._file.write(json.dumps(_pack(result)).encode() + b"\n")
            self._waiting += 1
            if self._waiting >= CHUNK:
                self._sync()

    def close(self) -> None:
        """Write everything to the disk and close the file."""
        with explain_failure(self._path):
            self._sync()
            self._file.close()

    def _sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._waiting = 0


def read_run(folder: Path) -> tuple[dict[str, Any], PairList, dict[str, CaseResult]]:
    """Read a run.

    Args:
        folder: The run's folder.

    Returns:
        The manifest, the pair list, and the results by case.

    Raises:
        InputError: The folder holds no run, or a damaged one.
    """
    manifest, pairs = _read_manifest(folder), read_pairs(folder / PAIRS)
    return manifest, pairs, _read_lines(folder / RESULTS)[0]


def _begin(folder: Path, manifest: dict[str, Any], pairs: PairList) -> None:
    if (folder / RUN).is_file():
        before = _read_manifest(folder)
        changed = sorted(key for key in manifest.keys() | before.keys() if manifest.get(key) != before.get(key))
        if changed:
            key = changed[0]
            raise OptionError(
                f"'{folder}' holds a run with another {key} "
                f"({_brief(before.get(key))}, now {_brief(manifest.get(key))}); "
                "give the same options to resume it, or another folder"
            )
        return
    if folder.exists() and (not folder.is_dir() or any(entry.name != PAIRS for entry in folder.iterdir())):
        raise OptionError(f"'{folder}' holds other files; give a new or an empty folder, or one of a run to resume")
    with explain_failure(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_pairs(pairs, folder / PAIRS)
    write_whole(folder / RUN, (json.dumps(manifest, indent=1) + "\n").encode())


def _brief(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) < 60 else text[:57] + "..."


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / RUN
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"'{folder}' holds no run of `fadm eval run`: {RUN} cannot be read ({error})") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise InputError(f"'{path}' is not of the format {FORMAT!r}; evaluate again into another folder")
    return manifest


def _read_lines(path: Path) -> tuple[dict[str, CaseResult], int]:
    """Read the results by case, and the length in bytes of the complete lines."""
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
    """Encode numbers for JSON, those that are not finite as text.

    Args:
        numbers: The numbers.

    Returns:
        Numbers and text, such as "inf" and "nan".
    """
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
    if result.signals:
        packed["signals"] = {stage: _pack_tensor(tensor) for stage, tensor in result.signals.items()}
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
    notes = [(str(kind), str(text)) for kind, text in packed["notes"]]
    signals = {stage: _unpack_tensor(text) for stage, text in packed.get("signals", {}).items()}
    return CaseResult(packed["case"], values, packed["made"], notes, features, packed["seconds"], signals)


def _pack_tensor(tensor: Tensor) -> list[Any]:
    return [list(tensor.shape), base64.b64encode(tensor.numpy().astype("<f4").tobytes()).decode()]


def _unpack_tensor(packed: list[Any]) -> Tensor:
    shape, text = packed
    return torch.from_numpy(np.frombuffer(base64.b64decode(text), "<f4").reshape(shape).copy())


def ordered_results(results: dict[str, CaseResult], pairs: PairList) -> Iterator[CaseResult]:
    """Iterate over results in the order of the pair list.

    Args:
        results: Results by case, in any order.
        pairs: The pair list.

    Yields:
        The results; cases without one are left out.
    """
    for case in pairs.cases:
        if case.name in results:
            yield results[case.name]
