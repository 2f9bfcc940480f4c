"""The factors that a probe can vary: levels, direction, label and scale of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from synthtext.spec import CASES

Direction = Literal["rising", "falling"]

BASELINE = "baseline"
"""Takes the place of a factor's name for the images of the baseline itself."""

BASELINES: dict[str, dict[str, object]] = {
    "easy": {"size_px": 28.0, "font": "DejaVuSans.ttf", "contrast": 21.0},
    "harder": {
        "size_px": 18.0, "font": "CrimsonText_400Regular.ttf", "ink": "#303040",
        "paper": "#d8d0c0", "paper2": "#a09080", "contrast": 5.0, "background": "noise",
        "rotation_deg": 6.0, "blur_px": 0.6, "noise_std": 6.0,
    },
}  # fmt: skip
"""The conditions from which one factor is varied: no difficulty, and a little of each."""


def name_baseline(baseline: str) -> str:
    """Return the name of a baseline in reports."""
    return "standard" if baseline == "harder" else baseline


@dataclass(frozen=True)
class ProbedFactor:
    """A field of `Spec` that a design can vary.

    Attributes:
        levels: the levels of a design.
        label: name with unit, for plots.
        direction: "rising" where higher levels are easier to read, "falling" where they are
            harder; None if the factor has no threshold.
        spread: minimum and maximum in a Latin hypercube; None leaves a number out.
        is_log: whether plots show it on a logarithmic scale.
        measured: the column of the outcomes with the value as the model sees it; empty means
            the field itself.
        drawn: the column with the value as drawn, used if a dataset is probed; empty as above.
    """

    levels: tuple[object, ...]
    label: str
    direction: Direction | None = None
    spread: tuple[float, float] | None = None
    is_log: bool = False
    measured: str = ""
    drawn: str = ""


FACTORS: dict[str, ProbedFactor] = {
    "size_px": ProbedFactor(
        (6.0, 8.0, 11.0, 15.0, 20.0, 28.0, 40.0), "x-height as the model sees it, px",
        "rising", (6.0, 36.0), is_log=True, measured="x_height_seen_px",
    ),
    "contrast": ProbedFactor(
        (1.1, 1.3, 1.7, 2.5, 4.0, 8.0, 21.0), "contrast, WCAG ratio",
        "rising", (1.2, 15.0), is_log=True, measured="contrast_drawn",
        drawn="contrast_drawn",
    ),
    "rotation_deg": ProbedFactor(
        (0.0, 15.0, 30.0, 45.0, 60.0, 90.0, 180.0), "rotation, degrees", spread=(-45.0, 45.0)
    ),
    "yaw_deg": ProbedFactor(
        (0.0, 15.0, 30.0, 40.0, 50.0, 60.0, 70.0), "yaw, degrees", "falling"
    ),
    "pitch_deg": ProbedFactor(
        (0.0, 15.0, 30.0, 40.0, 50.0, 60.0, 70.0), "pitch, degrees", "falling"
    ),
    "arc_deg": ProbedFactor(
        (0.0, 20.0, 40.0, 60.0, 90.0, 120.0, 180.0), "arc, degrees", "falling"
    ),
    "wave_em": ProbedFactor(
        (0.0, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8), "wave, em", "falling"
    ),
    "jitter_em": ProbedFactor(
        (0.0, 0.04, 0.08, 0.12, 0.18, 0.26, 0.35), "displacement of letters, em", "falling"
    ),
    "letter_rotation_deg": ProbedFactor(
        (0.0, 6.0, 12.0, 18.0, 25.0, 35.0, 45.0), "rotation of letters, degrees", "falling"
    ),
    "warp_em": ProbedFactor(
        (0.0, 0.02, 0.04, 0.06, 0.08, 0.1, 0.12), "warp, em", "falling"
    ),
    "barrel_frac": ProbedFactor(
        (0.0, 0.04, 0.08, 0.12, 0.16, 0.2, 0.25), "barrel distortion, fraction", "falling"
    ),
    "underline_em": ProbedFactor(
        (0.0, 0.03, 0.06, 0.1, 0.15, 0.2, 0.3), "line under the text, em"
    ),
    "strike_em": ProbedFactor(
        (0.0, 0.02, 0.04, 0.07, 0.1, 0.15, 0.2), "line through the text, em", "falling"
    ),
    "embolden_em": ProbedFactor(
        (-0.04, -0.02, 0.0, 0.02, 0.04, 0.07, 0.1), "thickening of strokes, em"
    ),
    "ink_bleed_em": ProbedFactor(
        (0.0, 0.01, 0.02, 0.035, 0.05, 0.07, 0.1), "spread of the ink, em", "falling"
    ),
    "wear_frac": ProbedFactor(
        (0.0, 0.2, 0.4, 0.55, 0.7, 0.8, 0.9), "ink worn off, fraction", "falling"
    ),
    "outline_em": ProbedFactor(
        (0.0, 0.02, 0.05, 0.08, 0.12, 0.18, 0.25), "outline, em", "falling"
    ),
    "extrude_em": ProbedFactor(
        (0.0, 0.05, 0.1, 0.15, 0.22, 0.3, 0.4), "extrusion, em", "falling"
    ),
    "shadow_em": ProbedFactor(
        (0.0, 0.05, 0.1, 0.2, 0.3, 0.45, 0.6), "distance of the shadow, em"
    ),
    "glow_em": ProbedFactor(
        (0.0, 0.03, 0.06, 0.1, 0.15, 0.25, 0.4), "glow, em", "falling"
    ),
    "emboss_frac": ProbedFactor(
        (0.0, 0.15, 0.3, 0.45, 0.6, 0.8, 1.0), "light on the edges of letters, fraction"
    ),
    "slant_deg": ProbedFactor(
        (0.0, 10.0, 15.0, 20.0, 27.0, 35.0, 45.0), "slant of letters, degrees", "falling"
    ),
    "letter_spacing_em": ProbedFactor(
        (-0.15, -0.1, -0.05, 0.0, 0.1, 0.2, 0.3), "letter spacing, em", spread=(-0.1, 0.2)
    ),
    "small_caps_frac": ProbedFactor(
        (0.0, 0.4, 0.5, 0.6, 0.7, 0.85, 1.0), "size of small capitals, fraction"
    ),
    "superscript_frac": ProbedFactor(
        (0.0, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9), "letters as superscript, fraction", "falling"
    ),
    "letter_size_frac": ProbedFactor(
        (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.45), "spread of letter sizes, fraction", "falling"
    ),
    "other_words": ProbedFactor(
        (0, 1, 2, 3, 5, 7, 10), "other words beside the text", "falling"
    ),
    "bleed_through_frac": ProbedFactor(
        (0.0, 0.2, 0.4, 0.55, 0.7, 0.85, 1.0), "light lost to letters behind, fraction",
        "falling",
    ),
    "occlusion_frac": ProbedFactor(
        (0.0, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8), "ink hidden, fraction", "falling"
    ),
    "halftone_px": ProbedFactor(
        (0.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0), "distance between halftone dots, px", "falling"
    ),
    "fold_frac": ProbedFactor(
        (0.0, 0.3, 0.5, 0.7, 0.85, 0.95, 1.0), "light lost at creases, fraction", "falling"
    ),
    "light_frac": ProbedFactor(
        (0.0, 0.3, 0.5, 0.7, 0.85, 0.95, 1.0), "light lost towards one side, fraction",
        "falling",
    ),
    "shade_frac": ProbedFactor(
        (0.0, 0.3, 0.5, 0.7, 0.85, 0.95, 1.0), "light lost in a shadow, fraction", "falling"
    ),
    "downscale": ProbedFactor(
        (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0), "downscaling factor", "falling",
        is_log=True,
    ),
    "motion_px": ProbedFactor(
        (0.0, 3.0, 6.0, 9.0, 13.0, 18.0, 25.0), "motion blur, px", "falling"
    ),
    "defocus_px": ProbedFactor(
        (0.0, 1.0, 2.0, 3.0, 4.5, 6.5, 9.0), "defocus, px", "falling"
    ),
    "moire_frac": ProbedFactor(
        (0.0, 0.15, 0.3, 0.45, 0.6, 0.8, 1.0), "light lost in moiré fringes, fraction",
        "falling",
    ),
    "shot_noise_std": ProbedFactor(
        (0.0, 8.0, 16.0, 32.0, 48.0, 64.0, 96.0), "noise of light at white, levels of 255",
        "falling",
    ),
    "salt_frac": ProbedFactor(
        (0.0, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7), "pixels black or white, fraction", "falling"
    ),
    "median_px": ProbedFactor(
        (0, 1, 2, 3, 4, 6, 8), "radius of a median filter, px", "falling"
    ),
    "prior_webp_quality": ProbedFactor(
        (1, 5, 10, 20, 40, 70, 100), "quality of an earlier WebP", "rising"
    ),
    "prior_jpeg_quality": ProbedFactor(
        (2, 5, 10, 20, 40, 70, 100), "quality of an earlier JPEG", "rising"
    ),
    "blur_px": ProbedFactor(
        (0.0, 0.5, 1.0, 1.5, 2.5, 4.0, 6.0), "blur, px", "falling", (0.0, 3.0)
    ),
    "noise_std": ProbedFactor(
        (0.0, 8.0, 16.0, 32.0, 48.0, 64.0, 96.0), "noise, levels of 255",
        "falling", (0.0, 48.0),
    ),
    "opacity": ProbedFactor(
        (0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0), "opacity", "rising", (0.3, 1.0)
    ),
    "jpeg_quality": ProbedFactor((2, 5, 10, 20, 40, 70, 95), "JPEG quality", "rising"),
    "x_frac": ProbedFactor(
        (0.0, 0.165, 0.33, 0.5, 0.67, 0.835, 1.0), "horizontal position, 0 left to 1 right",
        spread=(0.0, 1.0),
    ),
    "y_frac": ProbedFactor(
        (0.0, 0.165, 0.33, 0.5, 0.67, 0.835, 1.0), "vertical position, 0 top to 1 bottom",
        spread=(0.0, 1.0),
    ),
    "case": ProbedFactor(
        tuple(case for case in CASES if case != "as-is"), "case", drawn="case_drawn"
    ),
    "background": ProbedFactor(
        ("plain", "gradient", "noise", "texture", "clutter", "writing"), "background"
    ),
    "font": ProbedFactor(
        (
            "Lato_400Regular.ttf", "CrimsonText_400Regular.ttf", "ZillaSlab_400Regular.ttf",
            "DejaVuSansMono.ttf", "PatrickHand_400Regular.ttf",
            "DancingScript_400Regular.ttf", "SpecialElite_400Regular.ttf",
            "UnifrakturMaguntia_400Regular.ttf", "BarlowCondensed_400Regular.ttf",
        ),
        "font",
    ),
}  # fmt: skip
"""Every factor of a design: seven levels of each number, one font of each category."""


NAMES = {
    "x_height_seen_px": "x-height as the model sees it, px",
    "x_height_patches": "x-height, patches",
    "n_chars": "characters", "n_tokens": "tokens", "zipf": "word frequency, Zipf scale",
    "font_family": "font family", "font_category": "font category",
    "distractors": "kind of distractors",
}  # fmt: skip
"""Names of columns that are not factors."""

DRAWN_SIZE = "font size, px"
"""Designs vary the font size; what is measured is the x-height."""

SHOWN_UNITS = frozenset({"px", "degrees", "em"})
"""Units that follow a number; those of ratios and fractions are left out."""


def label_of(column: str) -> str:
    """Return the label of a factor or of its column; other names with spaces for underscores.

    >>> label_of("contrast_drawn"), label_of("n_chars"), label_of("note_area")
    ('contrast, WCAG ratio', 'characters', 'note area')
    """
    found = find_factor(column)
    return found.label if found else NAMES.get(column, column.replace("_", " "))


def label_of_levels(factor: str) -> str:
    """Return the label of what a design varies; `label_of` has that of what is measured.

    >>> label_of_levels("size_px"), label_of_levels("blur_px")
    ('font size, px', 'blur, px')
    """
    return DRAWN_SIZE if factor == "size_px" else label_of(factor)


def name_level(factor: str, level: str) -> str:
    """Return a level of a factor in words.

    >>> name_level("size_px", "8.0"), name_level("font", "Lato_400Regular.ttf")
    ('font size 8 px', 'font Lato')
    >>> name_level("contrast", "1.7"), name_level("case", "upper")
    ('contrast 1.7', 'case upper')
    """
    name, _, unit = label_of_levels(factor).partition(", ")
    return " ".join([name, shorten_level(level), *([unit] if unit in SHOWN_UNITS else [])])


def shorten_level(level: str) -> str:
    """Return a level without the end of a font's file name, or of a whole number.

    >>> shorten_level("Lato_400Regular.ttf"), shorten_level("8.0"), shorten_level("1.05")
    ('Lato', '8', '1.05')
    """
    return level.removesuffix(".ttf").removesuffix("_400Regular").removesuffix(".0")


def find_factor(column: str) -> ProbedFactor | None:
    """Return the row of a factor, by its name or by the column of its drawn value."""
    drawn = {row.drawn: row for row in FACTORS.values() if row.drawn}
    return FACTORS.get(column) or drawn.get(column)
