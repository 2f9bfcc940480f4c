"""The experiments that this project grew out of, and the commands that run them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Experiment:
    """A question that can be put to a model.

    Attributes:
        title: a few words.
        question: what is asked.
        commands: what to type, in order; data of one's own goes where a path stands.
        page: where it is explained, with results.
    """

    title: str
    question: str
    commands: tuple[str, ...]
    page: str


EXPERIMENTS = (
    Experiment(
        "Dictionary words",
        "Can a model read a word, and from what size, contrast, font or damage on can it not?",
        (
            "synthtext render --words en --out data/words",
            "synthtext probe --model ViT-L-14 --out results/l14",
            "synthtext probe --model ViT-L-14 --data data/words --out results/words",
        ),
        "docs/experiments/words.md",
    ),
    Experiment(
        "Questions about pictures",
        "Does it answer what is asked about text in a picture, and know where to look?",
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
        "Does it tell a good review from a bad one by reading it, and can it be taught to?",
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
        "Pictures and texts",
        "Which of some texts fits each of some pictures?",
        (
            'synthtext match photos/ --texts "a dog" "a diagram" --out results/match',
            "synthtext matrix photos/ --texts-file captions.txt --out results/matrix",
        ),
        "docs/experiments/pictures-and-texts.md",
    ),
    Experiment(
        "Classes",
        "What does it take the pictures of CIFAR-100, or of any class folders, for?",
        ("synthtext classify cifar-100-python --model ViT-B-32 --out results/cifar",),
        "docs/experiments/classes.md",
    ),
)


def find_page(experiment: Experiment) -> Path:
    """Return where the page of an experiment lies: in the wheel, or beside the sources."""
    here = Path(__file__).parent
    packed = here / "_experiments" / Path(experiment.page).name
    return packed if packed.is_file() else here.parent / experiment.page
