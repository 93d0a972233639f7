"""voxcpm: the model VoxCPM2 itself, in this process, on one graphics card or a Mac.

The library (2.0.3) has one set of caches and no lock, so everything runs on one thread, one text at a time.
It looks over missing weights without a word, so they are looked for here. Nothing is fetched: the model is a
folder of the store.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import importlib.util
import math
import sys
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, Final, TypeVar

import numpy as np

from tts_gateway.engines.base import EngineDescription, EngineError, EngineMissing, TextRefused
from tts_gateway.engines.clips import Clip, ClipMaker
from tts_gateway.engines.descriptions import without_description
from tts_gateway.engines.espeak import Samples
from tts_gateway.engines.guards import longest_seconds, make_guarded
from tts_gateway.engines.languages import passages
from tts_gateway.engines.sound import OUTPUT_RATE, levelled, resampled, trimmed, wav_bytes
from tts_gateway.models.store import Installed, ModelStore

_PACKAGES: Final = ("torch", "transformers", "einops", "librosa", "safetensors", "voxcpm")
_INSTALL: Final = (
    "the engine voxcpm lacks {missing}; type: .venv/bin/python -m pip install -r requirements-voxcpm.txt && "
    ".venv/bin/python -m pip install --no-deps -r requirements-voxcpm-alone.txt"
)
_MODEL: Final = "voxcpm2"
_STEP_SECONDS: Final = 0.16
_SHORTEST_STEPS: Final = 4  # the model's own loop hears no end before
_KEPT_VOICES: Final = 32
_COMPILED: Final = "_orig_mod."  # torch.compile puts it into the names of what it wraps
_VAE: Final = "audio_vae."
_T = TypeVar("_T")


def find_model(store: ModelStore) -> Installed:
    """Return the model. Raises EngineMissing, also for packages, and StoreError."""
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise EngineMissing(_INSTALL.format(missing=", ".join(missing)))
    found = store.installed(_MODEL)
    if found is None:
        raise EngineMissing(
            f"the engine voxcpm has no model in {store.folder}; type: .venv/bin/python -m tts_gateway models "
            f"fetch {_MODEL} (5 GB)"
        )
    return found


class VoxCPMEngine:
    """Engine of VoxCPM2. Equal calls on one machine sound alike: what is random has a seed of their words.

    A transcript is used where it fits the clip and no description stands in front. A call that is cancelled
    stops at its next step of 0.16 s.
    """

    def __init__(self, model: Installed, *, device: str | None = None) -> None:
        self._folder = model.folder
        self._device = device
        self._clips = ClipMaker()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="voxcpm")
        self._tts: Any = None
        self._torch: Any = None
        self._voices: OrderedDict[tuple[str, str | None], Any] = OrderedDict()  # used on that thread alone
        self.description = EngineDescription(
            engine="voxcpm",
            model="VoxCPM2",
            revision=model.revision,
            places=1,
            credit=model.model.credit,
        )

    async def start(self) -> None:
        """Load the model, and return when every weight has been found. Raises EngineMissing."""
        try:
            await self._on_thread(self._load)
        except BaseException:
            await self.aclose()
            raise

    async def speak(self, text: str, *, cfg_value: float = 2.0, dit_steps: int = 10) -> bytes:
        """Return the text as a WAV; a description in front is followed. Raises as `Engine.speak` does."""
        return await self._made(text, None, None, cfg_value, dit_steps)

    async def clone(self, text: str, reference: bytes, *, prompt_text: str | None = None) -> bytes:
        """Return the text as a WAV in the voice of the recording. Raises as `Engine.clone` does."""
        clip = await self._clips.clip_of(reference)
        description, _ = without_description(text)
        transcript = prompt_text if prompt_text and clip.is_whole and not description else None
        return await self._made(text, clip, transcript, 2.0, 10)

    async def aclose(self) -> None:
        """End the thread, and forget the model."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._voices.clear()
        self._tts = None

    async def _made(
        self, text: str, clip: Clip | None, transcript: str | None, cfg_value: float, dit_steps: int
    ) -> bytes:
        words = without_description(text)[1]
        if not passages(words):
            raise TextRefused("there is nothing in the text that can be spoken")
        named = f"{text}\0{clip.digest if clip else ''}\0{cfg_value:g} {dit_steps}"
        seed = int.from_bytes(hashlib.sha256(named.encode()).digest()[:4], "big")

        async def make(attempt: int) -> Samples:
            stop = threading.Event()
            options = {
                "target_text": " ".join(text.split()),
                "min_len": _SHORTEST_STEPS,
                "max_len": math.ceil(longest_seconds(text) / _STEP_SECONDS) + 1,
                "cfg_value": cfg_value,
                "inference_timesteps": dit_steps,
            }
            try:
                return await self._on_thread(self._generate, options, clip, transcript, seed + attempt, stop)
            finally:
                stop.set()

        sound = await make_guarded(make, rate=OUTPUT_RATE, text=text)
        return await asyncio.to_thread(lambda: wav_bytes(levelled(sound)))

    async def _on_thread(self, work: Callable[..., _T], *arguments: object) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

    def _load(self) -> None:
        try:
            self._torch = importlib.import_module("torch")
            _stand_in_for_torchaudio()
            library = importlib.import_module("voxcpm")
            _quieten(importlib.import_module("voxcpm.model.voxcpm2"))
            on_cuda = (self._device or "cuda").startswith("cuda") and self._torch.cuda.is_available()
            model = library.VoxCPM.from_pretrained(
                str(self._folder), load_denoiser=False, optimize=on_cuda, device=self._device
            )
        except Exception as error:
            reason = str(error).strip().splitlines()[:1] or [type(error).__name__]
            raise EngineMissing(f"the model in {self._folder} cannot be loaded: {reason[0]}") from error
        self._tts = model.tts_model
        missing = missing_weights(self._tts, weights_in(self._folder, self._torch))
        if missing:
            self._tts = None
            raise EngineMissing(
                f"the model in {self._folder} lacks {len(missing)} weights ({missing[0]} …): it is of "
                f"another version; type: .venv/bin/python -m tts_gateway models fetch {_MODEL}"
            )

    def _generate(
        self,
        options: dict[str, object],
        clip: Clip | None,
        transcript: str | None,
        seed: int,
        stop: threading.Event,
    ) -> Samples:
        if stop.is_set():  # whoever asked has gone while another text was made
            raise EngineError("nobody waits for it any more")
        try:
            voice = None if clip is None else self._voice_of(clip, transcript)
            self._torch.manual_seed(seed)
            chunks = []
            stream = self._tts.generate_with_prompt_cache_streaming(prompt_cache=voice, **options)
            try:
                for wav, *_ in stream:
                    chunks.append(wav.squeeze(0).float().numpy())
                    if stop.is_set():
                        raise EngineError("nobody waits for it any more")
            finally:
                stream.close()
        except EngineError:
            raise
        except Exception as error:  # the library's own; its words may be those of the text
            raise EngineError(f"the model failed: {type(error).__name__}") from None
        sound = np.concatenate(chunks) if chunks else np.zeros(0, np.float32)
        return trimmed(resampled(sound.astype(np.float32), int(self._tts.sample_rate)))

    def _voice_of(self, clip: Clip, transcript: str | None) -> Any:
        """Return what the model makes of a recording, kept by its content."""
        key = (clip.digest, transcript)
        if key not in self._voices:
            with tempfile.TemporaryDirectory(prefix="myna-voice-") as folder:
                path = Path(folder) / "reference.wav"
                path.write_bytes(clip.as_wav())
                prompt = {"prompt_text": transcript, "prompt_wav_path": str(path)} if transcript else {}
                self._voices[key] = self._tts.build_prompt_cache(reference_wav_path=str(path), **prompt)
        self._voices.move_to_end(key)
        while len(self._voices) > _KEPT_VOICES:
            self._voices.popitem(last=False)
        return self._voices[key]


def weights_in(folder: Path, torch: Any) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all weights in the files of a model, by name."""
    safetensors = importlib.import_module("safetensors")
    shapes: dict[str, tuple[int, ...]] = {}
    for name, prefix in (("model.safetensors", ""), ("audiovae.safetensors", _VAE)):
        if (folder / name).exists():
            with safetensors.safe_open(str(folder / name), framework="pt") as file:
                for key in file.keys():  # noqa: SIM118 - it is no mapping
                    shapes[prefix + key] = tuple(file.get_slice(key).get_shape())
    if not (folder / "audiovae.safetensors").exists():
        checkpoint = torch.load(folder / "audiovae.pth", map_location="meta", weights_only=True)
        found = checkpoint.get("state_dict", checkpoint)
        shapes |= {_VAE + key: tuple(value.shape) for key, value in found.items()}
    return shapes


def missing_weights(model: Any, found: Mapping[str, tuple[int, ...]]) -> list[str]:
    """Return the names of the model's weights that are not in ``found`` with their shape."""
    return [name for name, shape in _shapes_of(model) if found.get(name) != shape]


def _shapes_of(model: Any) -> Iterator[tuple[str, tuple[int, ...]]]:
    for name, value in model.state_dict().items():
        yield name.replace(_COMPILED, ""), tuple(value.shape)


def _stand_in_for_torchaudio() -> None:
    """Give the library an empty torchaudio where there is none: only its first model uses it."""
    if "torchaudio" not in sys.modules and importlib.util.find_spec("torchaudio") is None:
        importlib.import_module("transformers")  # it looks for torchaudio once, and must not find this
        stub = sys.modules["torchaudio"] = ModuleType("torchaudio")
        stub.__spec__ = ModuleSpec("torchaudio", None)


def _quieten(module: Any) -> None:
    """Take the progress bars out of the library: each text would write one into our log."""
    module.tqdm = lambda steps, *_, **__: steps
