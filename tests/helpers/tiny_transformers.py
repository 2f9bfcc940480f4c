"""Tiny models with random weights, saved by transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch


def write_clip(folder: Path, **changes: Any) -> Any:  # noqa: ANN401 - of transformers.
    """Save a tiny `CLIPModel` with random weights in transformers' format, and return it."""
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel

    tower = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 96}
    settings = {"hidden_act": changes.get("hidden_act", "quick_gelu")}
    settings["layer_norm_eps"] = changes.get("layer_norm_eps", 1e-5)
    config = CLIPConfig(
        text_config=tower | settings | {"hidden_size": 32, "max_position_embeddings": 16},
        vision_config=tower | settings | {"hidden_size": 48, "image_size": 32, "patch_size": 8},
        projection_dim=24,
    )
    model = _write_random(CLIPModel, config, folder)
    square = {"height": 32, "width": 32}
    CLIPImageProcessor(
        size={"shortest_edge": 32}, crop_size=square, image_mean=[0.5, 0.4, 0.3]
    ).save_pretrained(folder)
    return model


def write_siglip(folder: Path, *, vocab_size: int = 300, **changes: Any) -> Any:  # noqa: ANN401
    """Save a tiny `SiglipModel` with random weights in transformers' format, and return it."""
    from transformers import SiglipConfig, SiglipImageProcessor, SiglipModel

    tower = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 96}
    tower |= {"hidden_act": changes.get("hidden_act", "gelu_pytorch_tanh")}
    config = SiglipConfig(
        text_config=tower
        | {"hidden_size": 32, "max_position_embeddings": 16, "projection_size": 48}
        | {"vocab_size": vocab_size},
        vision_config=tower | {"hidden_size": 48, "image_size": 32, "patch_size": 8},
    )
    model = _write_random(SiglipModel, config, folder)
    write_gemma(folder)
    square = {"height": 32, "width": 32}
    SiglipImageProcessor(size=square, image_mean=[0.5, 0.4, 0.3]).save_pretrained(folder)
    return model


def write_naflex(folder: Path, *, num_patches: int = 16) -> Any:  # noqa: ANN401
    """Write a tiny `Siglip2Model` with random weights as transformers does, and return it."""
    from transformers import Siglip2Config, Siglip2ImageProcessor, Siglip2Model

    tower = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 96}
    config = Siglip2Config(
        text_config=tower
        | {"hidden_size": 32, "max_position_embeddings": 16, "projection_size": 48}
        | {"vocab_size": 300},
        vision_config=tower | {"hidden_size": 48, "num_patches": num_patches, "patch_size": 8},
    )
    model = _write_random(Siglip2Model, config, folder)
    write_gemma(folder)
    Siglip2ImageProcessor(patch_size=8, max_num_patches=num_patches).save_pretrained(folder)
    return model


def _write_random(kind: Any, config: Any, folder: Path) -> Any:  # noqa: ANN401
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = kind(config).eval()
        for part in model.parameters():  # Far from zero, so that every tensor counts.
            part.data += 0.1 * torch.randn_like(part)
    model.save_pretrained(folder)
    return model


def write_gemma(folder: Path) -> None:
    """Write a SigLIP 2 tokenizer of single letters, in transformers' format."""
    from tokenizers import processors
    from transformers import Siglip2Tokenizer

    letters = ["▁", *map(chr, range(33, 127)), *(f"<0x{byte:02X}>" for byte in range(160))]
    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    vocab = {letter: number for number, letter in enumerate([*special, *letters])}
    made = Siglip2Tokenizer(vocab=vocab, merges=[], model_max_length=16, padding_side="right")
    made._tokenizer.post_processor = processors.TemplateProcessing(
        single="$A <eos>", special_tokens=[("<eos>", 1)]
    )
    made.save_pretrained(folder)
