"""Designs: which images to draw to measure the effect of each factor.

One factor is varied at a time, from two baselines, with the same words at every level, so that
two levels differ only in that factor. A Latin hypercube varies all factors at once.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from probes.data.trials import Trial
from probes.errors import ProbeError
from probes.factors import BASELINE, BASELINES, FACTORS
from synthtext.drawing.fonts import Catalogue
from synthtext.drawing.ink_styles import measure_growth
from synthtext.drawing.rendering import set_text
from synthtext.errors import DrawError
from synthtext.spec import Spec

LATIN = "latin"

DEFAULT = "size,contrast,rotation,blur,font,case"
"""The default design of a probe."""

COMMON = ("size_px", "letter_spacing_em", "case", "rotation_deg", "font")
"""Every word shown fits at all levels of these factors, even if a design does not vary them, so
that designs show the same words."""

SHAPING = (
    "font", "size_px", "letter_spacing_em", "case", "rotation_deg", "arc_deg", "wave_em",
    "jitter_em", "letter_rotation_deg", "embolden_em", "ink_bleed_em", "outline_em",
    "underline_em", "strike_em", "warp_em", "barrel_frac",
    "small_caps_frac", "superscript_frac", "letter_size_frac", "slant_deg",
)  # fmt: skip
"""Fields that determine the extent of a text."""

GALLERY: dict[str, object] = {
    "size_px": 32.0, "font": "Lato_700Bold.ttf", "ink": "#b03020", "ink2": "#20407a",
    "paper": "#e8e0d0", "paper2": "#a0b0c0", "background": "gradient", "shrink": True,
    "motion_angle_deg": 20.0,
    "other_texts": "moon ladder fig shore violin tea dusk oak rain ember",
}  # fmt: skip
"""The baseline of `list_levels`: coloured, so that a second colour is visible."""

UNITS = ("_px", "_deg", "_em", "_std", "_frac")


def parse_design(text: str) -> tuple[str, ...]:
    """Return the factors of a design, given as `size,rotation` or `latin`.

    Raises:
        ProbeError: a factor that designs cannot vary.
    """
    if text == LATIN:
        return (LATIN,)
    short = {_shorten(name): name for name in FACTORS}
    factors = []
    for part in text.split(","):
        name = part.strip().replace("-", "_")
        if name not in FACTORS and name not in short:
            near = difflib.get_close_matches(name, short, n=3) or [*short, LATIN]
            raise ProbeError(
                f"there is no factor {part.strip()!r}; choose among {', '.join(near)}"
            )
        factors.append(short.get(name, name))
    return tuple(dict.fromkeys(factors))


def choose_fitting(
    words: Sequence[str], factors: Sequence[str], fonts: Catalogue, n: int
) -> list[str]:
    """Return the first n words that can be drawn at every level without shrinking.

    Raises:
        ProbeError: fewer than n words fit.
    """
    shapes = list(_list_shapes(factors).values())
    fitting = []
    for word in words:
        if all(_fits(replace(shape, text=word), fonts) for shape in shapes):
            fitting.append(word)
        if len(fitting) == n:
            return fitting
    raise ProbeError(
        f"only {len(fitting)} of {len(words)} words fit the image at every level; ask for"
        f" fewer than {n} or give shorter words"
    )


def make_trials(words: Sequence[str], factors: Sequence[str], seed: int) -> list[Trial]:
    """Return the images of a design: every word at every level of every factor.

    The image of a baseline is included once, not again for each factor with that level.

    Args:
        words: the words to show; each fits at every level.
        factors: from `parse_design`.
        seed: for the noise, the background and the Latin hypercube.
    """
    if tuple(factors) == (LATIN,):
        return _make_latin(words, seed)
    trials = []
    for baseline, changes in BASELINES.items():
        own = [
            _base(
                word, seed, number,
                {**changes, "other_texts": _list_others(words, number, factors)},
            )
            for number, word in enumerate(words)
        ]  # fmt: skip
        cells = [(BASELINE, BASELINE, own)]
        for factor in factors:
            for level in FACTORS[factor].levels:
                varied = [replace(spec, **{factor: level}) for spec in own]  # type: ignore[arg-type]
                if any(not _is_same(*pair) for pair in zip(own, varied, strict=True)):
                    cells.append((factor, str(level), varied))
        trials += [
            Trial(f"{baseline}-{name}-{level}-{spec.index:06d}", spec, baseline, name, level)
            for name, level, specs in cells
            for spec in specs
        ]
    return trials


def list_levels(text: str, factors: Sequence[str] | None = None) -> dict[str, dict[str, Spec]]:
    """Return a small image of a text for every level of every factor, in colour.

    Args:
        text: the text to draw, smaller where it does not fit.
        factors: from `parse_design`; None takes all.

    Raises:
        ProbeError: a Latin hypercube, which has no levels.
    """
    if factors == (LATIN,):
        raise ProbeError(f"{LATIN} has no levels to show; name factors, such as size,blur")
    base = replace(
        _base(text, 0, 5, {**GALLERY, "damage_seed": 77}), width_px=146, height_px=64
    )
    return {
        name: {
            str(level): replace(base, **{name: level})  # type: ignore[arg-type]
            for level in FACTORS[name].levels
        }
        for name in factors or FACTORS
    }


def add_levels(
    trials: Sequence[Trial], factor: str, baseline: str, levels: Sequence[float], look: int
) -> list[Trial]:
    """Return the words of a curve at further levels, each with its own background and noise.

    Args:
        trials: the trials of the coarse scan.
        factor: factor of the curve.
        baseline: baseline of the curve.
        levels: the levels to add.
        look: number of the look that asks for them.
    """
    curve = [each for each in trials if (each.factor, each.baseline) == (factor, baseline)]
    shown = [each for each in curve if each.level == curve[0].level]
    return [
        replace(
            each,
            key=f"{baseline}-{factor}-{level}-{each.spec.index:06d}",
            spec=replace(each.spec, **{factor: level}),  # type: ignore[arg-type]
            level=str(level),
            look=look,
        )
        for level in levels
        for each in shown
    ]


def _is_same(one: Spec, other: Spec) -> bool:
    """Return whether two specs draw the same image."""
    return _set_case(one) == _set_case(other)


def _set_case(spec: Spec) -> Spec:
    return replace(spec, text=spec.drawn_text, case="as-is")


def name_fonts(trials: Sequence[Trial], fonts: Catalogue) -> list[Trial]:
    """Return the trials with the catalogue's properties of their fonts added to their specs."""
    named = []
    for trial in trials:
        font = fonts.fonts[trial.spec.font]
        spec = replace(
            trial.spec,
            font_family=font.family,
            font_category=font.category,
            font_weight=font.weight,
            font_italic=font.italic,
        )
        named.append(replace(trial, spec=spec))
    return named


def _make_latin(words: Sequence[str], seed: int) -> list[Trial]:
    # Imported here, since the import takes longer than checking a design.
    from scipy.stats import qmc

    spreads = {name: row.spread for name, row in FACTORS.items() if row.spread}
    names = [*spreads, "case", "background", "font"]
    points = qmc.LatinHypercube(d=len(names), rng=seed).random(len(words))
    trials = []
    for number, (word, point) in enumerate(zip(words, points.tolist(), strict=True)):
        changes: dict[str, object] = {}
        for name, unit in zip(names, point, strict=True):
            if name in spreads:
                low, high = spreads[name]
                changes[name] = round(low + unit * (high - low), 3)
            else:
                levels = FACTORS[name].levels
                changes[name] = levels[int(unit * len(levels))]
        harder = {name: BASELINES["harder"][name] for name in ("ink", "paper", "paper2")}
        spec = _base(word, seed, number, {**harder, **changes})
        trials.append(Trial(f"{LATIN}-{number:06d}", spec))
    return trials


def _base(word: str, seed: int, number: int, changes: Mapping[str, object]) -> Spec:
    """Return a neutral spec with some fields changed; a word keeps its noise at every level."""
    spec = Spec(
        seed=seed,
        index=number,
        split="test",
        kind="word",
        text=word,
        font="DejaVuSans.ttf",
        paper_seed=(seed * 7919 + number) % 2**32,
        noise_seed=(seed * 104729 + number) % 2**32,
        shadow_angle_deg=45.0,
        shadow_blur_em=0.05,
        ink_seed=(seed * 15485863 + number) % 2**32,
        damage_seed=(seed * 32452843 + number) % 2**32,
        other_seed=(seed * 86028121 + number) % 2**32,
        width_px=224,
        height_px=224,
    )
    return replace(spec, **changes)  # type: ignore[arg-type]


def _list_others(words: Sequence[str], number: int, factors: Sequence[str]) -> str:
    """Return the words that surround one of those shown, if a design varies their number."""
    if "other_words" not in factors:
        return ""
    most = int(str(FACTORS["other_words"].levels[-1]))
    others = [word for word in words if word != words[number]] or list(words)
    return " ".join(others[(number + step) % len(others)] for step in range(most))


def _list_shapes(factors: Sequence[str]) -> dict[str, Spec]:
    """Return one spec for each extent that a text can have in a design."""
    if tuple(factors) == (LATIN,):
        specs = [
            _base("", 0, 0, {"font": font, "size_px": 36.0, "case": "upper",
                             "letter_spacing_em": 0.2, "rotation_deg": 0.0})
            for font in FACTORS["font"].levels
        ]  # fmt: skip
    else:
        specs = [
            _base("", 0, 0, {**changes, factor: level})
            for changes in BASELINES.values()
            for factor in factors
            for level in FACTORS[factor].levels
        ]
    return {str([getattr(spec, name) for name in SHAPING]): spec for spec in specs}


def _fits(spec: Spec, fonts: Catalogue) -> bool:
    try:
        face = fonts.open(spec.font)
        steady = replace(spec, jitter_em=0.0, letter_rotation_deg=0.0, warp_em=0.0)
        placement = set_text(steady, face)
    except DrawError:
        return False
    left, top, right, bottom = placement.box
    # Letters are displaced by at most three standard deviations, and rotated by any angle.
    out_em = 3 * (spec.jitter_em + spec.warp_em) + (0.5 if spec.letter_rotation_deg else 0.0)
    # The diagonal fits at any angle.
    extent = math.hypot(right - left + 2 * out_em, bottom - top + 2 * out_em) * spec.size_px
    room = min(spec.width_px, spec.height_px) - 2 * spec.margin_px
    return extent + 2 * measure_growth(spec) <= room


def _shorten(name: str) -> str:
    for unit in UNITS:
        name = name.removesuffix(unit)
    return name
