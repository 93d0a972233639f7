"""Speaker encoder: who it sounds like, as a vector. The network of Resemblyzer (GE2E), reckoned with numpy.

Its package brings the weights (17 MB, Apache-2.0) in a file of torch; they are read here without torch, and
nothing else that such a file could hold is. Two clips of one person come to 0.9, strangers to 0.4 to 0.7.
"""

from __future__ import annotations

import collections
import importlib.util
import pickle
import struct
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import numpy.typing as npt

from benchmarks.recogniser import INSTALL, JudgeMissingError
from benchmarks.voice_features import wav_samples

Matrix = npt.NDArray[np.float32]

_RATE: Final = 16_000
_FFT, _HOP, _BANDS, _FRAMES = 400, 160, 40, 160
_LAYERS, _WIDTH = 3, 256
_LEVEL: Final = 10 ** (-30 / 20)
_QUIET: Final = 10 ** (-40 / 20)  # below the loudest frame: silence, which is left out


class SpeakerEncoder:
    """Speaker encoder; `vector` of two sounds multiplied is how alike the voices are."""

    def __init__(self) -> None:
        """Load the weights. Raises JudgeMissingError."""
        spec = importlib.util.find_spec("resemblyzer")
        if spec is None or spec.origin is None:
            raise JudgeMissingError(f"the speaker encoder is not installed; {INSTALL}")
        self._weights = read_weights(Path(spec.origin).with_name("pretrained.pt"))

    def vector(self, wav: bytes) -> Matrix:
        """Return the voice in a WAV of 48 kHz."""
        mel = _mel(_without_silence(wav_samples(wav, rate=_RATE)))
        starts = range(0, max(1, len(mel) - _FRAMES + 1), _FRAMES // 2)
        pieces = [mel[start : start + _FRAMES] for start in starts]
        mean = np.mean([self._embed(piece) for piece in pieces], axis=0)
        return np.asarray(mean / np.linalg.norm(mean), np.float32)

    def _embed(self, sequence: Matrix) -> Matrix:
        for layer in range(_LAYERS):
            sequence = self._lstm(sequence, layer)
        raw = np.maximum(self._weights["linear.weight"] @ sequence[-1] + self._weights["linear.bias"], 0)
        return np.asarray(raw / max(float(np.linalg.norm(raw)), 1e-9), np.float32)

    def _lstm(self, sequence: Matrix, layer: int) -> Matrix:
        inner = self._weights[f"lstm.weight_hh_l{layer}"]
        bias = self._weights[f"lstm.bias_ih_l{layer}"] + self._weights[f"lstm.bias_hh_l{layer}"]
        given = sequence @ self._weights[f"lstm.weight_ih_l{layer}"].T + bias
        hidden = np.zeros(_WIDTH, np.float32)
        cell = np.zeros(_WIDTH, np.float32)
        out = np.zeros((len(sequence), _WIDTH), np.float32)
        for step, one in enumerate(given):
            into, forget, new, outward = np.split(one + inner @ hidden, 4)
            cell = _sigmoid(forget) * cell + _sigmoid(into) * np.tanh(new)
            hidden = _sigmoid(outward) * np.tanh(cell)
            out[step] = hidden
        return out


def _sigmoid(value: Matrix) -> Matrix:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * value)), np.float32)


def _without_silence(sound: Matrix) -> Matrix:
    frame = _RATE // 33
    rows = sound[: len(sound) // frame * frame].reshape(-1, frame)
    level = np.sqrt(np.mean(np.square(rows), axis=1))
    kept = rows[level > level.max() * _QUIET].ravel() if len(rows) else sound
    loudness = float(np.sqrt(np.mean(np.square(kept))))
    return np.asarray(kept * max(1.0, _LEVEL / max(loudness, 1e-9)), np.float32)


def _mel(sound: Matrix) -> Matrix:
    padded = np.pad(sound, _FFT // 2)
    window = np.hanning(_FFT + 1)[:-1].astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FFT)[::_HOP] * window
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
    return np.asarray(power @ _filters().T, np.float32)


def _filters() -> Matrix:
    """Return the mel filters of librosa: Slaney's scale and norm."""
    edges = _hertz(np.linspace(_slaney(0.0), _slaney(_RATE / 2), _BANDS + 2))
    bins = np.linspace(0, _RATE / 2, _FFT // 2 + 1)
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rows = np.clip(np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)), 0, None)
    return np.asarray(rows * 2 / (high - low), np.float32)


def _slaney(hertz: float) -> float:
    return hertz / (200 / 3) if hertz < 1000 else 15 + float(np.log(hertz / 1000)) / (np.log(6.4) / 27)


def _hertz(mel: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((mel - 15) * np.log(6.4) / 27))


def read_weights(path: Path) -> dict[str, Matrix]:
    """Return the weights in a file that torch wrote before its version 1.6.

    It is a row of pickles; one that asks for anything else is refused (`pickle.UnpicklingError`).
    """
    with path.open("rb") as file:
        for _ in range(3):  # a magic number, a version, the machine it was written on
            _Reader(file).load()
        reader = _Reader(file)
        document = reader.load()
        for key in _Reader(file).load():
            (count,) = struct.unpack("<q", file.read(8))
            reader.storages[key][:] = np.frombuffer(file.read(4 * count), "<f4")
    return {name: np.array(tensor()) for name, tensor in document["model_state"].items()}


class _Reader(pickle.Unpickler):
    """Reader of the pickles in such a file. Storages are filled when all pickles have been read."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)
        self.storages: dict[str, Matrix] = {}

    def persistent_load(self, pid: Any) -> Matrix:
        kind, _type, key, _location, count, *_ = pid
        if kind != "storage":
            raise pickle.UnpicklingError(f"a {kind} has no place among weights")
        return self.storages.setdefault(key, np.zeros(count, np.float32))

    def find_class(self, module: str, name: str) -> Any:
        match module, name:
            case "collections", "OrderedDict":
                return collections.OrderedDict
            case "torch._utils", "_rebuild_tensor_v2":
                return _tensor
            case ("torch", "FloatStorage") | ("torch", "LongStorage"):
                return None
        raise pickle.UnpicklingError(f"{module}.{name} has no place among weights")


def _tensor(
    storage: Matrix, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: object
) -> Any:
    def view() -> Matrix:
        steps = tuple(4 * stride for stride in strides)
        return np.lib.stride_tricks.as_strided(storage[offset:], shape, steps)

    return view
