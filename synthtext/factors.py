"""Every factor of an image: what it is drawn from, its bounds and its choices, a row for each.

This module imports no third-party package, so that help texts can be printed without NumPy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Split = Literal["train", "val", "test"]

SPLITS: tuple[Split, ...] = ("train", "val", "test")

MAX_SIDE_PX = 8192
"""Maximum side length of an image: a bound for specs that come from elsewhere."""


MIXED = "vertical-mixed"
"""The direction of vertical lines whose letters stand or lie as UAX #50 says."""

VERTICAL = ("vertical", MIXED)
"""Directions of lines that run downwards."""


@dataclass(frozen=True)
class Bounds:
    """Minimum and maximum value of a number, and what it means."""

    low: float
    high: float
    meaning: str


@dataclass(frozen=True)
class Factor:
    """What a factor is drawn from unless a recipe says otherwise, and what it may be.

    Attributes:
        default: as written in a recipe.
        help: one line.
        bounds: of a number; None for factors that are not numbers.
        choices: values to choose from, for factors that are not numbers; empty admits any
            word.
        is_whole: whether the numbers are whole.
        is_colour: whether the values are colours.
        is_damage: whether it is what happens to an image once it is drawn.
    """

    default: str
    help: str
    bounds: Bounds | None = None
    choices: tuple[str, ...] = ()
    is_whole: bool = False
    is_colour: bool = False
    is_damage: bool = False


_SIDE = Bounds(0, MAX_SIDE_PX, "0 fits the image to its text")

_FREE_ROOM = Bounds(0, 1, "it is a fraction of the free space")

_SIDEWAYS = Bounds(-75, 75, "it is an angle in degrees, and text edge-on cannot be seen")

FACTORS: dict[str, Factor] = {
    "kind": Factor("any", "kind of text: word or sentence", choices=("word", "sentence")),
    "case": Factor(
        "as-is=2,lower,upper,title", "letter case",
        choices=("as-is", "lower", "upper", "title"),
    ),
    "font_category": Factor("any", "font categories, such as sans,serif"),
    "font_family": Factor("any", "font families, such as Lato"),
    "word_font_frac": Factor(
        "0", "fraction of a text's words in a second font",
        Bounds(0, 1, "it is a fraction of the words"),
    ),
    "size_px": Factor(
        "12:64:log", "font size (em) in px", Bounds(1, 2048, "it is an em size in px")
    ),
    "slant_deg": Factor(
        "0", "slant of letters, to the right, in degrees; below 0 to the left",
        Bounds(-45, 45, "it is an angle in degrees"),
    ),
    "letter_spacing_em": Factor(
        "0=4,-0.02,0.05,0.15", "extra space between letters, in em",
        Bounds(-0.5, 4, "it is a fraction of the em"),
    ),
    "small_caps_frac": Factor(
        "0", "size of small capitals, as a fraction of the font size; 0 keeps lower case",
        Bounds(0, 1, "it is a fraction of the font size"),
    ),
    "superscript_frac": Factor(
        "0", "fraction of each word, at its end, set as superscript; below 0 as subscript",
        Bounds(-1, 1, "it is a fraction of the letters"),
    ),
    "word_size_frac": Factor(
        "0", "standard deviation of word sizes, as a fraction; the largest word has --size",
        Bounds(0, 0.5, "it is a deviation as a fraction of the font size"),
    ),
    "letter_size_frac": Factor(
        "0", "standard deviation of letter sizes, as a fraction; the largest has --size",
        Bounds(0, 0.5, "it is a deviation as a fraction of the font size"),
    ),
    "line_height": Factor(
        "1.1:1.6", "distance between baselines, in em",
        Bounds(0.5, 8, "it is a multiple of the em"),
    ),
    "align": Factor(
        "left,center,right", "alignment of lines", choices=("left", "center", "right")
    ),
    "direction": Factor(
        "horizontal", "direction of lines; vertical ones are columns from right to left",
        choices=("horizontal", *VERTICAL),
    ),
    "width_px": Factor(
        "224", "image width in px; 0 fits it to the text", _SIDE, is_whole=True
    ),
    "height_px": Factor(
        "224", "image height in px; 0 fits it to the text", _SIDE, is_whole=True
    ),
    "margin_px": Factor(
        "4", "minimum margin around the text, in px",
        Bounds(1, 1024, "ink is painted to a 64th of a pixel and needs one to spare"),
        is_whole=True,
    ),
    "x_frac": Factor("0:1", "position in free space, 0 left to 1 right", _FREE_ROOM),
    "y_frac": Factor("0:1", "position in free space, 0 top to 1 bottom", _FREE_ROOM),
    "rotation_deg": Factor(
        "-12:12", "rotation, counter-clockwise, in degrees",
        Bounds(-180, 180, "it is an angle in degrees"),
    ),
    "yaw_deg": Factor(
        "0", "turn about the vertical axis, right end away, in degrees", _SIDEWAYS
    ),
    "pitch_deg": Factor(
        "0", "turn about the horizontal axis, top away, in degrees", _SIDEWAYS
    ),
    "arc_deg": Factor(
        "0", "angle of an arc that the text follows, in degrees; above 0 its middle is up",
        Bounds(-360, 360, "360 is all of a circle"),
    ),
    "wave_em": Factor(
        "0", "amplitude of a wave that the text follows, in em",
        Bounds(0, 4, "it is a height in ems"),
    ),
    "jitter_em": Factor(
        "0", "displacement of each letter, standard deviation in em",
        Bounds(0, 0.5, "it is a deviation in em"),
    ),
    "letter_rotation_deg": Factor(
        "0", "rotation of each letter, standard deviation in degrees",
        Bounds(0, 45, "it is a deviation in degrees"),
    ),
    "warp_em": Factor(
        "0", "smooth displacement of all of the text, standard deviation in em",
        Bounds(0, 0.12, "it is a deviation in em"),
    ),
    "barrel_frac": Factor(
        "0", "barrel distortion, fraction by which corners move in; below 0 pincushion",
        Bounds(-0.25, 0.25, "it is a fraction of the distance from the middle"),
    ),
    "underline_em": Factor(
        "0", "thickness of a line under the text, in em",
        Bounds(0, 0.3, "it is a thickness in ems"),
    ),
    "strike_em": Factor(
        "0", "thickness of a line through the text, in em",
        Bounds(0, 0.3, "it is a thickness in ems"),
    ),
    "ink": Factor("any", "text colour, such as black,#c02020", is_colour=True),
    "ink2": Factor(
        "any", "second text colour, of outline, glow, extrusion and fill", is_colour=True
    ),
    "ink_fill": Factor(
        "plain", "how the text colour changes, into the second one or a photograph",
        choices=("plain", "gradient", "texture", "photo"),
    ),
    "contrast": Factor(
        "2:21:log", "WCAG contrast ratio of text to background; 0 keeps the text colour",
        Bounds(0, 21, "it is a WCAG ratio of 1 to 21, or 0 to leave the ink alone"),
    ),
    "opacity": Factor(
        "0.8:1", "text opacity", Bounds(0, 1, "1 hides the paper behind the ink")
    ),
    "embolden_em": Factor(
        "0", "thickening of strokes on each side, in em; below 0 they get thinner",
        Bounds(-0.05, 0.1, "it is a part of the em"),
    ),
    "ink_bleed_em": Factor(
        "0", "how far the ink spreads into the paper, unevenly, in em",
        Bounds(0, 0.1, "it is a part of the em"),
    ),
    "wear_frac": Factor(
        "0", "fraction of the ink that has worn off",
        Bounds(0, 0.95, "it is a fraction of the ink"),
    ),
    "outline_em": Factor(
        "0", "width of an outline around the letters, in em",
        Bounds(0, 0.3, "it is a width in ems"),
    ),
    "extrude_em": Factor(
        "0", "depth of the letters' extrusion, in em",
        Bounds(0, 0.5, "it is a depth in ems"),
    ),
    "glow_em": Factor(
        "0", "width of a glow around the letters, in em",
        Bounds(0, 0.5, "it is a width in ems"),
    ),
    "emboss_frac": Factor(
        "0", "fraction of the light that the edges of raised letters gain and lose",
        Bounds(0, 1, "it is a fraction of the light"),
    ),
    "shadow_em": Factor(
        "0", "distance between the letters and their shadow, in em",
        Bounds(0, 1, "it is a distance in ems"),
    ),
    "shadow_blur_em": Factor(
        "0.05", "blur of the shadow, standard deviation in em",
        Bounds(0, 0.5, "it is a deviation in em"),
    ),
    "shadow_angle_deg": Factor(
        "0:360", "direction of shadow, extrusion and light, clockwise from the right, degrees",
        Bounds(0, 360, "it is an angle in degrees"),
    ),
    "background": Factor(
        "plain,gradient,noise,texture", "kinds of background",
        choices=("plain", "gradient", "noise", "texture", "clutter", "writing", "photo"),
    ),
    "paper": Factor("any", "background colour", is_colour=True),
    "paper2": Factor(
        "any", "second colour of gradients, textures and clutter", is_colour=True
    ),
    "other_words": Factor(
        "0", "number of other, smaller words in the image",
        Bounds(0, 16, "it is a number of words"), is_whole=True,
    ),
    "other_place": Factor(
        "beside", "place of other words: beside the text, or behind it",
        choices=("beside", "behind"),
    ),
    "bleed_through_frac": Factor(
        "0", "fraction of the light that is lost to letters on the back of the sheet",
        Bounds(0, 1, "it is a fraction of the light"),
    ),
    "occlusion_frac": Factor(
        "0", "fraction of the ink that is hidden behind something",
        Bounds(0, 0.95, "it is a fraction of the ink"), is_damage=True,
    ),
    "halftone_px": Factor(
        "0", "distance between the dots of a halftone print, in px; 0 is none",
        Bounds(0, 64, "it is a distance in px"), is_damage=True,
    ),
    "fold_frac": Factor(
        "0", "fraction of the light that is lost at the creases of a folded sheet",
        Bounds(0, 1, "it is a fraction of the light"), is_damage=True,
    ),
    "light_frac": Factor(
        "0", "fraction of the light that is lost towards one side",
        Bounds(0, 1, "it is a fraction of the light"), is_damage=True,
    ),
    "shade_frac": Factor(
        "0", "fraction of the light that is lost in a cast shadow",
        Bounds(0, 1, "it is a fraction of the light"), is_damage=True,
    ),
    "downscale": Factor(
        "1", "factor by which the image is reduced and enlarged again",
        Bounds(1, 32, "it is a ratio, and 1 changes nothing"), is_damage=True,
    ),
    "motion_px": Factor(
        "0", "length of motion blur, in px", Bounds(0, 128, "it is a length in px"),
        is_damage=True,
    ),
    "motion_angle_deg": Factor(
        "0:180", "direction of motion blur, clockwise from the right, in degrees",
        Bounds(0, 180, "it is an angle in degrees"),
    ),
    "defocus_px": Factor(
        "0", "radius of the disc that a point out of focus becomes, in px",
        Bounds(0, 64, "it is a radius in px"), is_damage=True,
    ),
    "blur_px": Factor(
        "0:1", "blur, standard deviation in px", Bounds(0, 64, "it is a radius in px"),
        is_damage=True,
    ),
    "moire_frac": Factor(
        "0", "fraction of the light that is lost in the fringes of a moiré pattern",
        Bounds(0, 1, "it is a fraction of the light"), is_damage=True,
    ),
    "shot_noise_std": Factor(
        "0", "noise that grows with the light, standard deviation at white, of 255 levels",
        Bounds(0, 128, "it is a deviation in levels of 255"), is_damage=True,
    ),
    "noise_std": Factor(
        "0:8", "pixel noise, standard deviation on a scale of 0 to 255",
        Bounds(0, 128, "it is a deviation in levels of 255"), is_damage=True,
    ),
    "salt_frac": Factor(
        "0", "fraction of pixels turned black or white",
        Bounds(0, 1, "it is a fraction of the pixels"), is_damage=True,
    ),
    "median_px": Factor(
        "0", "radius of a median filter, as for removing noise, in px",
        Bounds(0, 32, "it is a radius in px"), is_whole=True, is_damage=True,
    ),
    "prior_webp_quality": Factor(
        "100", "quality of an earlier save as lossy WebP; 100 is none",
        Bounds(1, 100, "100 changes nothing"), is_whole=True, is_damage=True,
    ),
    "prior_jpeg_quality": Factor(
        "100", "quality of an earlier save as JPEG; 100 is none",
        Bounds(1, 100, "100 changes nothing"), is_whole=True, is_damage=True,
    ),
    "jpeg_quality": Factor(
        "90", "JPEG quality; at 100, PNG and WebP have no JPEG artefacts",
        Bounds(1, 100, "100 leaves PNG and WebP files untouched"), is_whole=True,
        is_damage=True,
    ),
}  # fmt: skip
"""Every factor of a recipe, in the order of drawing."""

SETTINGS = {
    "image_format": "image format: jpg, png or webp",
    "splits": "fractions of train, val and test; a text is in one split only",
    "shrink": "shrink text that does not fit, instead of leaving it out",
    "fallback": "draw a text that no font covers with several, instead of leaving it out",
    "shard_size": "images per shard",
}
"""What a recipe holds besides its factors."""


def option_name(name: str) -> str:
    """Return the command-line option of a factor: its name without the unit.

    >>> option_name("size_px"), option_name("letter_spacing_em")
    ('--size', '--letter-spacing')
    """
    for unit in ("_px", "_deg", "_frac", "_em", "_std"):
        name = name.removesuffix(unit)
    return "--" + name.replace("_", "-")
