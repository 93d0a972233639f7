"""The engine voxcpm with the library itself and a tiny model: loading, what it lacks, and what is random."""

from __future__ import annotations

import importlib.util
import io
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from tests.cogs.sounds import HIGH, LOW, recording
from tests.voices.tiny_voxcpm import make_model
from tts_gateway.engines.base import EngineMissing, TextRefused
from tts_gateway.engines.voxcpm import VoxCPMEngine
from tts_gateway.models.store import Installed

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
_PACKAGES = ("torch", "transformers", "einops", "librosa", "safetensors", "voxcpm")
TEXT = "Hi Bob"


@pytest.fixture
def tiny(tmp_path: Path) -> Installed:
    for name in _PACKAGES:
        if importlib.util.find_spec(name) is None:  # imported by the engine alone, which prepares that
            pytest.skip(f"the package {name} is not installed; see docs/engines.md")
    return make_model(tmp_path / "tiny")


@pytest.fixture
async def voxcpm(tiny: Installed) -> AsyncIterator[VoxCPMEngine]:
    engine = VoxCPMEngine(tiny, device="cpu")
    await engine.start()
    yield engine
    await engine.aclose()


def _samples(wav: bytes) -> np.ndarray:
    with wave.open(io.BytesIO(wav)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (48_000, 1, 2)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")


async def test_the_same_words_sound_alike_again_and_other_words_do_not(voxcpm: VoxCPMEngine):
    first, other, again = [await voxcpm.speak(text) for text in (TEXT, "Hi Rob", TEXT)]

    assert again == first
    assert other != first
    assert np.abs(_samples(first)).max() > 1_000


async def test_each_recording_gives_its_own_voice_again_and_again(voxcpm: VoxCPMEngine):
    low, high = recording("wav", LOW), recording("wav", HIGH)

    sounds = [await voxcpm.clone(TEXT, sent) for sent in (low, high, low)]

    assert sounds[0] == sounds[2]
    assert sounds[0] != sounds[1]


async def test_a_text_without_words_is_refused_and_the_next_is_made(voxcpm: VoxCPMEngine):
    with pytest.raises(TextRefused):
        await voxcpm.speak("…")

    assert len(_samples(await voxcpm.speak(TEXT)))


@pytest.mark.parametrize("lost", ["lm_to_dit_proj.bias", "base_lm.norm.weight", "stop_head.weight"])
async def test_a_model_that_lacks_a_weight_is_not_started(tiny: Installed, lost: str):
    files = importlib.import_module("safetensors.torch")
    path = str(tiny.folder / "model.safetensors")
    weights = files.load_file(path)
    del weights[lost]
    files.save_file(weights, path)

    with pytest.raises(EngineMissing, match=f"lacks 1 weights .{lost}") as refused:
        await VoxCPMEngine(tiny, device="cpu").start()

    assert "\n" not in str(refused.value)


async def test_a_model_whose_decoder_of_sound_lacks_a_weight_is_not_started(tiny: Installed):
    torch = importlib.import_module("torch")
    path = tiny.folder / "audiovae.pth"
    weights = torch.load(path, weights_only=True)["state_dict"]
    lost = next(name for name in weights if name.startswith("decoder."))
    del weights[lost]
    torch.save({"state_dict": weights}, path)

    with pytest.raises(EngineMissing, match=f"lacks 1 weights .audio_vae.{lost}"):
        await VoxCPMEngine(tiny, device="cpu").start()


async def test_a_model_with_a_weight_of_another_shape_is_not_started(tiny: Installed):
    files = importlib.import_module("safetensors.torch")
    path = str(tiny.folder / "model.safetensors")
    weights = files.load_file(path)
    weights["lm_to_dit_proj.bias"] = weights["lm_to_dit_proj.bias"][:-1].clone()
    files.save_file(weights, path)

    with pytest.raises(EngineMissing, match="cannot be loaded") as refused:
        await VoxCPMEngine(tiny, device="cpu").start()

    assert "\n" not in str(refused.value)


async def test_a_folder_without_its_weights_is_not_started(tiny: Installed):
    (tiny.folder / "audiovae.pth").unlink()

    with pytest.raises(EngineMissing, match="cannot be loaded"):
        await VoxCPMEngine(tiny, device="cpu").start()
