"""Spec: every choice behind one image, flat and frozen, and its JSON."""

from __future__ import annotations

import dataclasses
import difflib
import operator
import re
import reprlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_type_hints

from synthtext.errors import SpecError
from synthtext.factors import FACTORS, SPLITS, VERTICAL, Bounds

DEFAULT_FONT = "Lato_400Regular.ttf"
"""The font of a spec that is made by hand."""

CASES: dict[str, Callable[[str], str]] = {
    "as-is": str,
    "lower": str.lower,
    "upper": str.upper,
    "title": str.capitalize,
}
"""Ways to set the case of a text; `title` lifts the first letter and lowers the rest."""


FONT_SEPARATOR, MAX_FALLBACK_FONTS = ",", 32

HEX_COLOUR = re.compile(r"#[0-9a-f]{6}")


@dataclass(frozen=True, slots=True)
class Spec:
    """Every choice behind one image. The spec, its font and its photograph determine the image.

    `dataclasses.replace(spec, blur_px=4)` gives the same image with one factor changed.
    Defaults are neutral: black on white, centred, without degradations.

    >>> from synthtext import Spec
    >>> Spec(0, 7, "train", "word", "quartz", "Lato_700Bold.ttf", case="upper").drawn_text
    'QUARTZ'

    Attributes:
        seed: seed of the dataset.
        index: number of the image in the dataset, 0 or more.
        split: `train`, `val` or `test`, from a hash of the text.
        kind: `word` or `sentence`; sentences are wrapped to the width of the image, or to its
            height if they are vertical.
        text: the text as in its list.
        font: file name in the catalogue.
        label: 1 positive, 0 negative, None if the text has no label.
        class_index: line of the text, or of its label, in the dataset's `classnames.txt`.
        case: one of `CASES`, applied to the text when it is drawn.
        font_family: family name, such as "Lato".
        font_category: such as "sans"; see the catalogue.
        font_weight: 100 to 900, regular is 400.
        font_italic: whether the face is slanted.
        size_px: font size (em) in px.
        letter_spacing_em: extra advance after each character, in em; 0 adds nothing.
        line_height: distance between baselines, in em.
        align: left, center or right; matters only for several lines. Of vertical text: top,
            middle or bottom.
        width_px: width of the image; 0 fits it to the text and its margins.
        height_px: height of the image; 0 fits it to the text and its margins.
        margin_px: minimum distance from the ink to every edge in px, 1 or more.
        x_frac: position of the text in the free space, 0 at the left to 1 at the right.
        y_frac: the same from top to bottom.
        rotation_deg: counter-clockwise, -180 to 180; 0 changes nothing.
        yaw_deg: turn about the vertical axis, with the right end away from the viewer, -75 to
            75; 0 changes nothing.
        pitch_deg: turn about the horizontal axis, with the top away, -75 to 75; 0 changes
            nothing.
        arc_deg: angle by which the text turns clockwise along an arc, -360 to 360; above 0 its
            middle is highest; 0 is a straight line.
        wave_em: amplitude of one wave over the whole text, in em; 0 is straight.
        jitter_em: displacement of each letter, standard deviation along and across the line, in
            em; 0 changes nothing.
        letter_rotation_deg: rotation of each letter, standard deviation; 0 changes nothing.
        warp_em: smooth displacement of every point of the text, standard deviation in each
            direction in em; 0 changes nothing.
        barrel_frac: how far the corners of the text are drawn towards its middle, as a fraction
            of their distance from it, as by a lens; pushed away below 0; 0 changes nothing.
        underline_em: thickness of a line under each line of text, in em; 0 is none.
        strike_em: thickness of a line through each line of text, in em; 0 is none.
        ink: text colour, `#rrggbb`.
        ink2: second text colour: of the outline, the glow, the extrusion, and a fill that is
            not plain.
        ink_fill: plain, or how the text colour changes: gradient or texture into the second
            one, photo into a photograph.
        contrast: WCAG ratio to which the text colour is adjusted, 1 to 21, keeping its hue; 0
            leaves the colour as it is.
        opacity: 1 hides the background behind the text, 0 makes the text invisible.
        embolden_em: thickening of strokes on each side, in em, thinning below 0; 0 is none.
        wear_frac: fraction of the ink that has worn off; 0 is none.
        outline_em: width of the outline around the letters, in em; 0 is none.
        extrude_em: depth of the letters' extrusion, in em; 0 is flat.
        shadow_em: distance between the letters and their shadow, in em; 0 is none.
        shadow_blur_em: standard deviation of the shadow's blur, in em; 0 is a hard edge.
        shadow_angle_deg: direction of shadow and extrusion, and of the light on embossed
            letters, clockwise from the right.
        ink_seed: chooses displacements, rotations, sizes and fonts of words, warp, wear and
            fill; 32 bits.
        background: kind of background.
        paper: its first colour, `#rrggbb`.
        paper2: its second colour; only some kinds use it.
        photo: file name of the photograph, empty for other backgrounds.
        paper_seed: chooses the grain, the angle or the crop of the background; 32 bits.
        occlusion_frac: fraction of the ink that is hidden behind something; 0 is none.
        fold_frac: fraction of the light that is lost at the creases of a folded sheet; 0 is
            none.
        light_frac: fraction of the light that is lost towards one side; 0 changes nothing.
        shade_frac: fraction of the light that is lost in a cast shadow; 0 changes nothing.
        damage_seed: chooses what hides the ink, where dots, creases and fringes lie, where the
            light comes from, and which pixels turn black or white; 32 bits.
        downscale: factor by which the image is reduced and enlarged again; 1 changes nothing.
        motion_px: length of the motion blur; 0 changes nothing.
        motion_angle_deg: direction of the motion blur, clockwise from the right.
        defocus_px: radius of the disc that a point out of focus becomes; 0 changes nothing.
        blur_px: standard deviation of the blur; 0 changes nothing.
        noise_std: standard deviation of the pixel noise, on a scale of 0 to 255; 0 changes
            nothing.
        noise_seed: chooses the noise; 32 bits.
        salt_frac: fraction of pixels turned black or white; 0 changes nothing.
        prior_jpeg_quality: of an earlier save as JPEG, 1 to 100; 100 changes nothing.
        jpeg_quality: 1 to 100; 100 leaves PNG and WebP files untouched by JPEG.
        shrink: whether text that does not fit is drawn smaller instead of not at all.
        fallback_fonts: file names of the fonts that draw what `font` lacks, separated by
            commas, the first that has it; empty uses no other font.
        direction: horizontal; vertical: upright letters from top to bottom, in columns from
            right to left; or vertical-mixed: the same, but with letters on their side where
            Unicode's UAX #50 says so, such as Latin ones.
        bleed_through_frac: fraction of the light that letters on the back of the sheet take; 0
            is none.
        halftone_px: distance between the dots of a halftone print; 0 is none.
        moire_frac: fraction of the light that is lost in the fringes of a moiré; 0 is none.
        shot_noise_std: standard deviation of noise at white, on a scale of 0 to 255, in
            proportion to the square root of the level elsewhere; 0 changes nothing.
        small_caps_frac: size of the capitals that stand for lower-case letters, as a fraction
            of the font size; 0 leaves lower-case letters as they are.
        superscript_frac: fraction of the letters of each word, at its end, that are raised and
            smaller; lowered below 0; 0 changes nothing.
        word_size_frac: spread of the sizes of words, standard deviation as a fraction; the
            largest has the font size; 0 gives all the same size.
        glow_em: width of the glow around the letters, in em; 0 is none.
        emboss_frac: fraction of the light that the edges of raised letters gain and lose; 0 is
            flat.
        ink_photo: file name of the photograph of the fill, empty for other fills.
        word_font_frac: fraction of the words that the last of `fallback_fonts` draws; 0 changes
            nothing.
        letter_size_frac: standard deviation of the logarithm of the sizes of letters; 0 changes
            nothing.
        slant_deg: slant of the letters to the right, beside that of the font; below 0 to the
            left.
        ink_bleed_em: largest distance that the ink spreads into the paper; 0 changes nothing.
        median_px: radius of a median filter; 0 changes nothing.
        prior_webp_quality: of an earlier save as lossy WebP, 1 to 100; 100 changes nothing.
        other_words: number of other words in the image.
        other_place: beside the text, or behind it.
        other_texts: the other words, separated by spaces; the first of them are drawn.
        other_seed: 32 bits; chooses their places and sizes.
    """

    seed: int
    index: int
    split: str
    kind: str
    text: str
    font: str
    label: int | None = None
    class_index: int = 0
    case: str = "as-is"
    font_family: str = ""
    font_category: str = ""
    font_weight: int = 400
    font_italic: bool = False
    size_px: float = 32.0
    letter_spacing_em: float = 0.0
    line_height: float = 1.2
    align: str = "left"
    width_px: int = 224
    height_px: int = 224
    margin_px: int = 4
    x_frac: float = 0.5
    y_frac: float = 0.5
    rotation_deg: float = 0.0
    yaw_deg: float = 0.0
    pitch_deg: float = 0.0
    ink: str = "#000000"
    contrast: float = 0.0
    opacity: float = 1.0
    background: str = "plain"
    paper: str = "#ffffff"
    paper2: str = "#ffffff"
    photo: str = ""
    paper_seed: int = 0
    blur_px: float = 0.0
    noise_std: float = 0.0
    noise_seed: int = 0
    jpeg_quality: int = 100
    shrink: bool = False
    arc_deg: float = 0.0
    wave_em: float = 0.0
    jitter_em: float = 0.0
    letter_rotation_deg: float = 0.0
    ink2: str = "#000000"
    ink_fill: str = "plain"
    embolden_em: float = 0.0
    wear_frac: float = 0.0
    outline_em: float = 0.0
    extrude_em: float = 0.0
    shadow_em: float = 0.0
    shadow_blur_em: float = 0.0
    shadow_angle_deg: float = 0.0
    ink_seed: int = 0
    occlusion_frac: float = 0.0
    light_frac: float = 0.0
    shade_frac: float = 0.0
    damage_seed: int = 0
    downscale: float = 1.0
    motion_px: float = 0.0
    motion_angle_deg: float = 0.0
    defocus_px: float = 0.0
    salt_frac: float = 0.0
    prior_jpeg_quality: int = 100
    underline_em: float = 0.0
    strike_em: float = 0.0
    warp_em: float = 0.0
    barrel_frac: float = 0.0
    fold_frac: float = 0.0
    fallback_fonts: str = ""
    direction: str = "horizontal"
    bleed_through_frac: float = 0.0
    halftone_px: float = 0.0
    moire_frac: float = 0.0
    shot_noise_std: float = 0.0
    small_caps_frac: float = 0.0
    superscript_frac: float = 0.0
    word_size_frac: float = 0.0
    glow_em: float = 0.0
    emboss_frac: float = 0.0
    ink_photo: str = ""
    word_font_frac: float = 0.0
    letter_size_frac: float = 0.0
    slant_deg: float = 0.0
    ink_bleed_em: float = 0.0
    median_px: int = 0
    prior_webp_quality: int = 100
    other_words: int = 0
    other_place: str = "beside"
    other_texts: str = ""
    other_seed: int = 0

    @property
    def drawn_text(self) -> str:
        """The text as the image shows it, its case applied."""
        return CASES[self.case](self.text)

    @property
    def is_vertical(self) -> bool:
        """Whether lines run downwards."""
        return self.direction in VERTICAL

    @property
    def font_files(self) -> tuple[str, ...]:
        """The files of the font and of those that draw what it lacks."""
        return (self.font, *filter(None, self.fallback_fonts.split(FONT_SEPARATOR)))

    @property
    def key(self) -> str:
        """The name of the sample in its shard: nine digits or more."""
        return f"{self.index:09d}"


NAMES = tuple(field.name for field in dataclasses.fields(Spec))
TYPES = get_type_hints(Spec)

LATER = {
    field.name: field.default
    for field in dataclasses.fields(Spec)
    if field.name in ("yaw_deg", "pitch_deg") or NAMES.index(field.name) > NAMES.index("shrink")
}
"""Fields that the first shards lack, with their neutral values.

A new field comes last in `Spec`, which makes it one of them.
"""

_read_fields = operator.attrgetter(*NAMES)


BOUNDS: dict[str, Bounds] = {
    name: factor.bounds for name, factor in FACTORS.items() if factor.bounds
} | {
    "index": Bounds(0, 2**53, "it counts images from 0"),
    "class_index": Bounds(0, 2**53, "it counts lines from 0"),
    "paper_seed": Bounds(0, 2**32 - 1, "it has 32 bits"),
    "noise_seed": Bounds(0, 2**32 - 1, "it has 32 bits"),
    "ink_seed": Bounds(0, 2**32 - 1, "it has 32 bits"),
    "damage_seed": Bounds(0, 2**32 - 1, "it has 32 bits"),
    "other_seed": Bounds(0, 2**32 - 1, "it has 32 bits"),
}
"""Bounds of each number that a spec holds."""

COLOURS = tuple(name for name, factor in FACTORS.items() if factor.is_colour)

CHOICES: dict[str, tuple[str, ...]] = {
    "split": SPLITS,
    **{name: factor.choices for name, factor in FACTORS.items() if factor.choices},
}
"""The values of each field that is one of a few."""

DAMAGES = tuple(name for name, factor in FACTORS.items() if factor.is_damage)
"""Fields of what happens to an image once it is drawn."""


def make_spec(text: str, **factors: Any) -> Spec:  # noqa: ANN401 - of the type of each field.
    """Return the spec of a text outside of any dataset; factors not given are neutral.

    >>> from synthtext import make_spec
    >>> spec = make_spec("quartz", size_px=20, blur_px=1.5)
    >>> spec.font, spec.size_px, spec.rotation_deg
    ('Lato_400Regular.ttf', 20.0, 0.0)

    Args:
        text: the text to draw; with `kind="sentence"` it is wrapped to the width of the image.
        factors: fields of `Spec` and their values.

    Raises:
        SpecError: no such field, or a value that cannot be drawn.
    """
    for name in factors:
        check_name(name)
    default = Spec(0, 0, "test", "word", text, DEFAULT_FONT)
    return spec_from_dict(spec_to_dict(default) | factors)


def check_spec(spec: Spec) -> Spec:
    """Return the spec, or say what is wrong with it.

    Drawing trusts specs that `sample_specs` made; those read or edited pass through here.

    Raises:
        SpecError: a value has the wrong type or cannot be drawn.
    """
    for name in NAMES:
        _check_type(name, getattr(spec, name))
    for name, bounds in BOUNDS.items():
        value = getattr(spec, name)
        if not bounds.low <= value <= bounds.high:
            raise SpecError(
                f"{name} is {value}; {bounds.meaning}, so {bounds.low:g} to {bounds.high:g}"
            )
    for name in COLOURS:
        if not HEX_COLOUR.fullmatch(getattr(spec, name)):
            raise SpecError(
                f"{name} is {reprlib.repr(getattr(spec, name))}; write a colour as '#rrggbb'"
            )
    _check_fonts(spec)
    _check_other_words(spec)
    for name, known in CHOICES.items():
        if getattr(spec, name) not in known:
            listed = ", ".join(known)
            raise SpecError(
                f"{name} is {reprlib.repr(getattr(spec, name))}; it is one of {listed}"
            )
    return spec


def _check_other_words(spec: Spec) -> None:
    n_words = len(spec.other_texts.split())
    if spec.other_words > n_words:
        raise SpecError(
            f"other_words is {spec.other_words}, but other_texts has {n_words} words;"
            " give as many, separated by spaces"
        )


def _check_fonts(spec: Spec) -> None:
    n_others = len(spec.font_files) - 1
    if n_others > MAX_FALLBACK_FONTS:
        raise SpecError(
            f"fallback_fonts has {n_others:,} fonts; give at most {MAX_FALLBACK_FONTS}"
        )


def _check_type(name: str, value: object) -> None:
    expected = TYPES[name]
    # A whole number is a fine float, but True is not a number here.
    allowed = int | float if expected is float else expected
    if not isinstance(value, allowed) or (isinstance(value, bool) and expected is not bool):
        wanted = getattr(expected, "__name__", str(expected))
        raise SpecError(f"{name} is {reprlib.repr(value)}; it must be of type {wanted}")


def spec_to_dict(spec: Spec) -> dict[str, Any]:
    """Return the fields of a spec by name, ready for JSON."""
    return dict(zip(NAMES, _read_fields(spec), strict=True))


def spec_from_dict(fields: dict[str, Any]) -> Spec:
    """Return the spec of such a dict, the inverse of `spec_to_dict`; unknown names are ignored.

    Raises:
        SpecError: a field is missing, or a value cannot be drawn.
    """
    fields = LATER | fields
    missing = [name for name in NAMES if name not in fields]
    if missing:
        raise SpecError(f"the spec lacks {', '.join(missing)}; it was not written by synthtext")
    values = {name: fields[name] for name in NAMES}
    for name in NAMES:
        if TYPES[name] is float and type(values[name]) is int:
            values[name] = float(values[name])
    return check_spec(Spec(**values))


def check_name(name: str) -> None:
    """Refuse a name that is not that of a field.

    Raises:
        SpecError: a spec has no such field.
    """
    if name not in NAMES:
        near = difflib.get_close_matches(name, NAMES, n=3)
        hint = f"did you mean {', '.join(near)}" if near else f"one of {', '.join(NAMES)}"
        raise SpecError(f"a spec has no field {name!r}; {hint}")
