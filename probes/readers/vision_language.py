"""Vision-language models in transformers: an image and a prompt -> generated text."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from probes.arrays import Pixels
from probes.readers.base import Reader, ReaderFacts, Reading

PREFIX = "hf-vlm:"

PROMPT = "What is written in this image? Answer with the text alone."

MAX_NEW_TOKENS = 64
"""Maximum length of an answer; a word takes a few tokens, a short review about forty."""


class VisionLanguageReader:
    """A reader that prompts a vision-language model and decodes greedily."""

    def __init__(self, model: Any, processor: Any) -> None:  # noqa: ANN401 - any of them.
        self._model = model
        self._processor = processor
        content = [{"type": "image"}, {"type": "text", "text": PROMPT}]
        self._prompt = processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True
        )

    def read_images(self, images: Sequence[Pixels]) -> list[Reading]:
        """Return the answer of the model for each image.

        The confidence is the probability of the whole answer, the product over its tokens.
        """
        return [self._read(pixels) for pixels in images]

    def _read(self, pixels: Pixels) -> Reading:
        import torch
        from PIL import Image

        inputs = self._processor(
            images=[Image.fromarray(pixels)], text=[self._prompt], return_tensors="pt"
        ).to(self._model.device)
        with torch.inference_mode():
            made = self._model.generate(
                **inputs, max_new_tokens=MAX_NEW_TOKENS, do_sample=False, num_beams=1,
                output_scores=True, return_dict_in_generate=True,
            )  # fmt: skip
        scores = self._model.compute_transition_scores(
            made.sequences, made.scores, normalize_logits=True
        )[0]
        said = made.sequences[:, -len(scores) :]
        text = self._processor.batch_decode(said, skip_special_tokens=True)[0]
        return Reading(text, float(scores.double().sum().exp()))


def describe_vision_language(config: Path) -> ReaderFacts:
    """Return the facts of a model from its `config.json`.

    Args:
        config: in a local folder, whose files are all hashed, or in the hub's cache, in a
            folder named by its commit.
    """
    settings: dict[str, object] = {"prompt": PROMPT, "max_new_tokens": MAX_NEW_TOKENS}
    digest = hashlib.sha256(repr(sorted(settings.items())).encode())
    if config.parent.parent.name == "snapshots":
        digest.update(config.parent.parent.parent.name.encode() + config.parent.name.encode())
    else:
        for path in sorted(config.parent.glob("*")):
            if path.is_file():
                with path.open("rb") as file:
                    digest.update(hashlib.file_digest(file, "sha256").digest())
    versions = {name: version(name) for name in ("transformers", "torch")}
    return ReaderFacts(digest.hexdigest(), settings, versions)


def build_vision_language(name: str) -> Reader:
    """Return the reader of "hf-vlm:FOLDER" or "hf-vlm:ORG/NAME", on a GPU if there is one.

    No code from the model repository runs, and weights are read only as safetensors.
    """
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor

    source = name.removeprefix(PREFIX)
    load: Any = AutoProcessor.from_pretrained  # It is typed for some arguments only.
    processor = load(source, trust_remote_code=False)
    model: Any = AutoModelForImageTextToText.from_pretrained(
        source, trust_remote_code=False, use_safetensors=True
    )
    return VisionLanguageReader(
        model.eval().to("cuda" if torch.cuda.is_available() else "cpu"), processor
    )
