"""The experiments that motivated this project, and the commands that run them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Experiment:
    """A question about a model, and how to answer it.

    Attributes:
        title: a few words.
        question: one sentence.
        commands: shell commands in order, with paths to replace by your own data.
        page: the page that explains it and gives results.
    """

    title: str
    question: str
    commands: tuple[str, ...]
    page: str


EXPERIMENTS = (
    Experiment(
        "Dictionary words",
        "Can a model read words, and at which size, contrast, font or blur does it fail?",
        (
            "synthtext render --words en --out data/words",
            "synthtext probe --model ViT-L-14 --out results/l14",
            "synthtext probe --model ViT-L-14 --data data/words --out results/words",
        ),
        "docs/experiments/words.md",
    ),
    Experiment(
        "Questions about images",
        "Does it answer questions about text in an image, and does it know where to look?",
        (
            "synthtext render-vqa --count 5000 --out data/signs",
            "synthtext vqa --annotations data/signs/train.json --val data/signs/val.json"
            " --images data/signs/images --model ViT-L-14 --out results/signs",
            "synthtext vqa --annotations TextVQA_0.5.1_train.json --val TextVQA_0.5.1_val.json"
            " --images train_images --model ViT-L-14 --out results/textvqa",
        ),
        "docs/experiments/questions.md",
    ),
    Experiment(
        "Rendered SST2",
        "Does it tell positive from negative reviews by reading them, and can it learn to?",
        (
            "synthtext render --recipe rendered-sst2 --sentences sst2 --out data/sst2",
            "synthtext probe --task sentiment --data data/sst2 --linear --model ViT-L-14"
            " --out results/sst2",
            "synthtext finetune --task sentiment --data data/sst2 --model ViT-L-14"
            " --out runs/sst2",
        ),
        "docs/experiments/rendered-sst2.md",
    ),
    Experiment(
        "Images and texts",
        "Which of several texts fits each of several images best?",
        (
            'synthtext match photos/ --texts "a dog" "a diagram" --out results/match',
            "synthtext matrix photos/ --texts-file captions.txt --out results/matrix",
        ),
        "docs/experiments/pictures-and-texts.md",
    ),
    Experiment(
        "Classes",
        "How does it classify CIFAR-100, or the images of any class folders?",
        ("synthtext classify cifar-100-python --model ViT-B-32 --out results/cifar",),
        "docs/experiments/classes.md",
    ),
)


def find_page(experiment: Experiment) -> Path:
    """Return the path of an experiment's page, in the wheel or in the source tree."""
    here = Path(__file__).parent
    packed = here / "_experiments" / Path(experiment.page).name
    return packed if packed.is_file() else here.parent / experiment.page
