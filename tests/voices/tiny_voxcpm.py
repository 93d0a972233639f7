"""A VoxCPM2 that loads at once: the library's own parts, tiny, with random weights."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

from tts_gateway.engines.voxcpm import _stand_in_for_torchaudio
from tts_gateway.models.store import Installed, catalog

_WIDTH = 32
_HEADS = 2
_PART = {"hidden_dim": _WIDTH, "ffn_dim": 64, "num_heads": _HEADS, "num_layers": 1}
_CONFIG: dict[str, Any] = {
    "architecture": "voxcpm2",
    "lm_config": {
        "bos_token_id": 1,
        "eos_token_id": 2,
        "hidden_size": _WIDTH,
        "intermediate_size": 64,
        "max_position_embeddings": 512,
        "num_attention_heads": _HEADS,
        "num_hidden_layers": 1,
        "num_key_value_heads": _HEADS,
        "rms_norm_eps": 1e-5,
        "rope_scaling": {
            "type": "longrope",
            "long_factor": [1.0] * (_WIDTH // _HEADS // 2),
            "short_factor": [1.0] * (_WIDTH // _HEADS // 2),
            "original_max_position_embeddings": 512,
        },
        "vocab_size": 400,
        "scale_emb": 1.0,
        "dim_model_base": _WIDTH,
        "scale_depth": 1.0,
        "rope_theta": 10_000.0,
    },
    "patch_size": 4,
    "feat_dim": 8,
    "residual_lm_num_layers": 1,
    "scalar_quantization_latent_dim": 16,
    "encoder_config": _PART,
    "dit_config": {**_PART, "cfm_config": {}},
    "audio_vae_config": {"encoder_dim": 4, "latent_dim": 8, "decoder_dim": 64, "cond_dim": 8},
    "max_length": 512,
    "device": "cpu",
    "dtype": "float32",
}


def make_model(folder: Path) -> Installed:
    """Write such a model into ``folder``, as the store would; it ends after its least steps."""
    torch = importlib.import_module("torch")
    _stand_in_for_torchaudio()
    safetensors = importlib.import_module("safetensors.torch")
    library = importlib.import_module("voxcpm.model.voxcpm2")
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(_CONFIG), encoding="utf-8")
    tokenizer = _write_tokenizer(folder)
    torch.manual_seed(7)
    config = library.VoxCPMConfig.model_validate(_CONFIG)
    vae = library.AudioVAEV2(config=config.audio_vae_config)
    model = library.VoxCPM2Model(config, tokenizer, vae, device="cpu")
    with torch.no_grad():
        model.stop_proj.weight.zero_()
        model.stop_proj.bias.fill_(1.0)
        model.stop_head.weight[0], model.stop_head.weight[1] = -1.0, 1.0
    weights = {name: value.clone().contiguous() for name, value in model.state_dict().items()}
    vae_weights = {name: weights.pop(f"audio_vae.{name}") for name in vae.state_dict()}
    safetensors.save_file(weights, str(folder / "model.safetensors"))
    torch.save({"state_dict": vae_weights}, folder / "audiovae.pth")
    return Installed(catalog()["voxcpm2"], folder, "tiny")


def _write_tokenizer(folder: Path) -> Any:
    transformers = importlib.import_module("transformers")
    special = ["<unk>", "<s>", "</s>"]
    signs = [*special, *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *map(chr, range(33, 127))]
    tokenizer = transformers.LlamaTokenizerFast(vocab={sign: n for n, sign in enumerate(signs)}, merges=[])
    tokenizer.save_pretrained(str(folder))
    return tokenizer
