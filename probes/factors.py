"""What a probe knows of each factor: its levels, direction, unit, label and scale."""

from __future__ import annotations

from synthtext.spec import CASES

BASELINES: dict[str, dict[str, object]] = {
    "easy": {"size_px": 28.0, "font": "DejaVuSans.ttf"},
    "harder": {
        "size_px": 18.0, "font": "CrimsonText_400Regular.ttf", "ink": "#303040",
        "paper": "#d8d0c0", "paper2": "#a09080", "contrast": 5.0, "background": "noise",
        "rotation_deg": 6.0, "blur_px": 0.6, "noise_std": 6.0,
    },
}  # fmt: skip
"""Where one factor is varied from: nothing in the way, and a little of everything."""


LEVELS: dict[str, tuple[object, ...]] = {
    "size_px": (6.0, 8.0, 11.0, 15.0, 20.0, 28.0, 40.0),
    "contrast": (1.1, 1.3, 1.7, 2.5, 4.0, 8.0, 21.0),
    "opacity": (0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0),
    "rotation_deg": (0.0, 15.0, 30.0, 45.0, 60.0, 90.0, 180.0),
    "yaw_deg": (0.0, 15.0, 30.0, 40.0, 50.0, 60.0, 70.0),
    "pitch_deg": (0.0, 15.0, 30.0, 40.0, 50.0, 60.0, 70.0),
    "letter_spacing_em": (-0.15, -0.1, -0.05, 0.0, 0.1, 0.2, 0.3),
    "blur_px": (0.0, 0.5, 1.0, 1.5, 2.5, 4.0, 6.0),
    "noise_std": (0.0, 8.0, 16.0, 32.0, 48.0, 64.0, 96.0),
    "jpeg_quality": (2, 5, 10, 20, 40, 70, 95),
    "x_frac": (0.0, 0.165, 0.33, 0.5, 0.67, 0.835, 1.0),
    "y_frac": (0.0, 0.165, 0.33, 0.5, 0.67, 0.835, 1.0),
    "case": tuple(case for case in CASES if case != "as-is"),
    "background": ("plain", "gradient", "noise", "texture", "clutter"),
    "font": (
        "Lato_400Regular.ttf", "CrimsonText_400Regular.ttf", "ZillaSlab_400Regular.ttf",
        "DejaVuSansMono.ttf", "PatrickHand_400Regular.ttf", "DancingScript_400Regular.ttf",
        "SpecialElite_400Regular.ttf", "UnifrakturMaguntia_400Regular.ttf",
        "BarlowCondensed_400Regular.ttf",
    ),
}  # fmt: skip
"""Seven levels of each number, and the choices of the rest; one font of each category."""


FALLING = frozenset({"blur_px", "noise_std", "yaw_deg", "pitch_deg"})
"""Factors whose higher levels are harder to read."""


MONOTONE = frozenset({"size_px", "contrast", "opacity", "jpeg_quality"}) | FALLING
"""Factors along which reading rises or falls, so that there is a threshold to look for."""


RANGES: dict[str, tuple[float, float]] = {
    "size_px": (6.0, 36.0), "contrast": (1.2, 15.0), "rotation_deg": (-45.0, 45.0),
    "letter_spacing_em": (-0.1, 0.2), "blur_px": (0.0, 3.0), "noise_std": (0.0, 48.0),
    "opacity": (0.3, 1.0), "x_frac": (0.0, 1.0), "y_frac": (0.0, 1.0),
}  # fmt: skip
"""What a Latin hypercube spreads over."""


LABELS = {
    "size_px": "x-height as the model sees it, px",
    "contrast": "contrast, WCAG ratio",
    "contrast_drawn": "contrast, WCAG ratio",
    "rotation_deg": "rotation, degrees",
    "yaw_deg": "turned sideways, degrees",
    "pitch_deg": "leant back, degrees",
    "blur_px": "blur, px",
    "noise_std": "noise, levels of 255",
    "letter_spacing_em": "letter spacing, em",
    "jpeg_quality": "JPEG quality",
    "opacity": "opacity",
    "x_frac": "place from left to right",
    "y_frac": "place from top to bottom",
}


LOG_SCALED = frozenset({"size_px", "contrast", "contrast_drawn"})
