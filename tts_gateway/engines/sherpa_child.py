"""Child of `sherpa`: a process with the models of sherpa-onnx, one thread each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import sherpa_onnx

from tts_gateway.engines.espeak import Samples
from tts_gateway.engines.workers import Answering, Fields, serve_model

_STEPS: Final = 5  # of the flow; one step is a quarter faster and rougher
_PROVIDER: Final = "cpu"


def load(settings: Fields) -> Answering:
    """Load what the settings name, and return what answers."""
    voices = {language: _piper(Path(folder)) for language, folder in settings["voices"].items()}
    pocket = _pocket(Path(settings["pocket"])) if settings["pocket"] else None

    def answer(fields: Fields, sound: Samples) -> tuple[Fields, Samples]:
        config = sherpa_onnx.GenerationConfig()
        if "language" in fields:
            config.phoneme_codepoints = fields["sentences"]
            made = voices[fields["language"]].generate(" ", config)
        else:
            config.reference_audio = sound.tolist()
            config.reference_sample_rate = fields["rate"]
            config.num_steps = _STEPS
            config.extra = {"seed": str(fields["seed"]), "max_frames": str(fields["max_frames"])}
            assert pocket is not None, "it is asked only where there is one"  # noqa: S101
            made = pocket.generate(fields["text"], config)
        return {"rate": made.sample_rate}, np.asarray(made.samples, np.float32)

    return answer


def _piper(folder: Path) -> Any:
    facts = json.loads((folder / "voice.json").read_text("utf-8"))["inference"]
    return _tts(
        vits=sherpa_onnx.OfflineTtsVitsModelConfig(
            model=str(folder / "model.onnx"),
            tokens=str(folder / "tokens.txt"),
            noise_scale=facts["noise_scale"],
            noise_scale_w=facts["noise_w"],
            length_scale=facts["length_scale"],
        )
    )


def _pocket(folder: Path) -> Any:
    def path(name: str) -> str:
        return str(folder / name)

    return _tts(
        pocket=sherpa_onnx.OfflineTtsPocketModelConfig(
            lm_flow=path("lm_flow.int8.onnx"),
            lm_main=path("lm_main.int8.onnx"),
            encoder=path("encoder.onnx"),
            decoder=path("decoder.int8.onnx"),
            text_conditioner=path("text_conditioner.onnx"),
            vocab_json=path("vocab.json"),
            token_scores_json=path("token_scores.json"),
        )
    )


def _tts(**model: Any) -> Any:
    config = sherpa_onnx.OfflineTtsConfig(
        model=sherpa_onnx.OfflineTtsModelConfig(num_threads=1, provider=_PROVIDER, **model)
    )
    if not config.validate():
        raise ValueError("sherpa-onnx does not take these files")
    return sherpa_onnx.OfflineTts(config)


if __name__ == "__main__":
    serve_model(load)
