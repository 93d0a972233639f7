"""The judges of voices, and the page to hear them: what needs no model."""

from __future__ import annotations

import collections
import io
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest

from benchmarks.figures import Benchmark
from benchmarks.recogniser import SENTENCES, JudgeMissingError, Recogniser, word_errors
from benchmarks.speaker_encoder import read_weights
from benchmarks.voices import _Measured, _write_page
from tests.fakes.tone_engine import tone


@pytest.mark.parametrize(
    ("heard", "wrong"),
    [
        ("He washed the windows, while the bread was baking!", 0),
        ("he washed windows while the bread was baking", 1),
        ("he watched the windows while the red bread was baking", 2),
        ("", 9),
    ],
)
def test_words_that_are_other_left_out_or_added_are_counted(heard: str, wrong: int) -> None:
    assert word_errors("He washed the windows while the bread was baking.", heard) == (wrong, 9)


def test_spellings_of_one_word_are_one() -> None:
    assert word_errors("My neighbor sits on the river bank.", "my neighbour sits on the riverbank")[0] == 0
    assert len(SENTENCES) == 20


class _Anything:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('it ran')",)


@pytest.mark.parametrize("place", range(4))
def test_a_file_of_weights_that_would_run_something_is_refused(tmp_path: Path, place: int) -> None:
    path = tmp_path / "weights.pt"
    path.write_bytes(b"".join(pickle.dumps(_Anything() if n == place else 1, 2) for n in range(4)))

    with pytest.raises(pickle.UnpicklingError, match="no place"):
        read_weights(path)


def test_weights_are_read_without_torch(tmp_path: Path) -> None:
    class Storage:
        pass

    class Writer(pickle.Pickler):
        def persistent_id(self, value: object) -> object:
            return ("storage", None, "7", "cpu", 6, None) if isinstance(value, Storage) else None

    class Tensor:
        def __reduce__(self) -> tuple[object, tuple[object, ...]]:
            return _rebuild_tensor_v2, (Storage(), 0, (2, 3), (3, 1), False, collections.OrderedDict())

    file = io.BytesIO()
    for value in (1, 2, 3):
        pickle.dump(value, file, 2)
    Writer(file, 2).dump({"model_state": {"linear.weight": Tensor()}})
    pickle.dump(["7"], file, 2)
    file.write(struct.pack("<q", 6) + np.arange(6, dtype="<f4").tobytes())
    content = file.getvalue().replace(f"{__name__}\n_rebuild".encode(), b"torch._utils\n_rebuild")
    (tmp_path / "weights.pt").write_bytes(content)

    weights = read_weights(tmp_path / "weights.pt")

    assert weights["linear.weight"].tolist() == [[0, 1, 2], [3, 4, 5]]


def _rebuild_tensor_v2() -> None:
    """Stands for torch's, by its name alone."""


def test_without_its_packages_the_recogniser_says_what_to_type(tmp_path: Path) -> None:
    try:
        Recogniser(tmp_path)
    except JudgeMissingError as error:
        assert "make test-voices" in str(error)


def test_the_page_has_bars_for_each_figure_and_a_player_for_each_sound(tmp_path: Path) -> None:
    one = _Measured("preview", "<espeak>", 0.1, factors=[0.2, 0.3], wrong=[3.0], sounds={"says": tone()})
    two = _Measured("sherpa", "joe", 2.0, factors=[0.1], clone_factors=[7.0], sounds={"says": tone()})

    page = _write_page([one, two], Benchmark("Voices", [*one.figures(), *two.figures()]), tmp_path)

    shown = page.read_text("utf-8")
    assert shown.count("<audio") == 2
    assert shown.count("<rect") == 8
    assert shown.count("7 </text>") == 1
    assert "&lt;espeak&gt;" in shown
    assert (tmp_path / "voices" / "sherpa-says.wav").read_bytes() == tone()
