"""Writes the tiny CLIP of `tests/probes/models/data/onnx_clip`: random weights, torch and ONNX.

It needs onnx and onnxscript, which nothing else does, so its files are kept:
`PYTHONPATH=. python tests/helpers/onnx_clip.py` writes them again.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

FOLDER = Path(__file__).parents[1] / "probes/models/data/onnx_clip"

N_TOKENS = 16


class Images(nn.Module):
    """The vision tower with its projection."""

    def __init__(self, clip: Any) -> None:  # noqa: ANN401 - of transformers.
        super().__init__()
        self.tower, self.projection = clip.vision_model, clip.visual_projection

    def forward(self, pixel_values: Tensor) -> Tensor:
        return self.projection(self.tower(pixel_values=pixel_values).pooler_output)


class Texts(nn.Module):
    """The text tower with its projection."""

    def __init__(self, clip: Any) -> None:  # noqa: ANN401 - of transformers.
        super().__init__()
        self.tower, self.projection = clip.text_model, clip.text_projection

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        found = self.tower(input_ids=input_ids, attention_mask=attention_mask)
        return self.projection(found.pooler_output)


def make_clip() -> Any:  # noqa: ANN401 - of transformers.
    from transformers import CLIPConfig, CLIPModel

    tower = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 40}
    config = CLIPConfig(
        text_config=tower | {"hidden_size": 16, "vocab_size": 32, "eos_token_id": 1,
                             "bos_token_id": 0, "pad_token_id": 1,
                             "max_position_embeddings": N_TOKENS},
        vision_config=tower | {"hidden_size": 24, "image_size": 32, "patch_size": 8},
        projection_dim=12, attn_implementation="eager",
    )  # fmt: skip
    torch.manual_seed(0)
    clip = CLIPModel(config).eval()
    for part in clip.parameters():  # Far from zero, so that every tensor counts.
        part.data += 0.1 * torch.randn_like(part)
    return clip


def write_tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    tokens = ["<s>", "</s>", "?", *"abcdefghijklmnopqrstuvwxyz"]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="?"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="</s>",
        unk_token="?", model_max_length=N_TOKENS,
    ).save_pretrained(folder)  # fmt: skip


def main(folder: Path) -> None:
    from transformers import CLIPImageProcessor

    folder.mkdir(parents=True, exist_ok=True)
    clip = make_clip()
    clip.save_pretrained(folder)
    write_tokenizer(folder)
    CLIPImageProcessor(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32},
        image_mean=[0.5, 0.4, 0.3],
    ).save_pretrained(folder)  # fmt: skip
    batch = torch.export.Dim("batch")
    # Two tensors, since the exporter takes one that is given twice for one input.
    ids = torch.ones((2, N_TOKENS), dtype=torch.long)
    for name, module, inputs, output in (
        (
            "vision_model",
            Images(clip),
            {"pixel_values": torch.zeros(2, 3, 32, 32)},
            "image_embeds",
        ),
        (
            "text_model",
            Texts(clip),
            {"input_ids": ids, "attention_mask": ids.clone()},
            "text_embeds",
        ),
    ):
        torch.onnx.export(
            module, kwargs=inputs, f=str(folder / f"{name}.onnx"), dynamo=True,
            external_data=False, output_names=[output],
            dynamic_shapes={each: {0: batch} for each in inputs},
        )  # fmt: skip
        strip(folder / f"{name}.onnx")


def strip(path: Path) -> None:
    """Take out where each node comes from, which names files of the machine that wrote it."""
    import onnx

    model = onnx.load(path)
    graph = model.graph
    for part in (*graph.node, *graph.initializer, *graph.value_info, *graph.input,
                 *graph.output, graph, model):  # fmt: skip
        part.doc_string = ""
        del part.metadata_props[:]
    del graph.value_info[:]
    path.write_bytes(model.SerializeToString(deterministic=True))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
