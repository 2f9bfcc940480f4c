"""Matplotlib's SVG inlined in a page, with unique ids and the text colour of the page as black.

The SVG is parsed and serialised again, so that no text in a plot can become an element.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"

INK = "currentColor"

FADED = {"#000000": INK, "#e6e6e6": "var(--grid)", "#777777": "var(--faint)"}
"""Colours of axes, grid and chance line, and their replacements on a page that may be dark."""

BACKGROUND = "#ffffff"

REFERENCE = re.compile(r"url\(#([^)]*)\)")

NUMBER = re.compile(r"-?\d+\.\d+")

ET.register_namespace("", SVG)
ET.register_namespace("xlink", XLINK)


def inline_svg(svg: bytes, prefix: str, title: str) -> str:
    """Return a plot as an element of a page.

    Args:
        svg: SVG from matplotlib, with text kept as text.
        prefix: prefix of its ids, different for every plot of the page.
        title: what the plot shows, for screen readers.
    """
    root = ET.fromstring(svg)
    for name in ("width", "height"):
        root.attrib.pop(name, None)
    root.attrib |= {
        "role": "img", "aria-label": title, "stroke-linejoin": "round", "fill": INK,
        "stroke-linecap": "butt",
    }  # fmt: skip
    for parent in root.iter():
        for child in list(parent):
            if child.tag in (f"{{{SVG}}}metadata", f"{{{SVG}}}style"):
                parent.remove(child)
    for element in root.iter():
        _adapt(element, prefix)
        # There are only line breaks between elements.
        element.tail = None
        if element.tag != f"{{{SVG}}}text":
            element.text = None
    return ET.tostring(root, encoding="unicode")


def _adapt(element: ET.Element, prefix: str) -> None:
    """Give an element ids that are unique to its plot, and the colours of the page."""
    for name, value in element.attrib.items():
        if name == "id":
            element.set(name, f"{prefix}-{value}")
        elif name == f"{{{XLINK}}}href" and value.startswith("#"):
            element.set(name, f"#{prefix}-{value[1:]}")
        elif name == f"{{{XLINK}}}href":  # An image, in lines of base64.
            element.set(name, "".join(value.split()))
        elif name in ("d", "x", "y"):
            element.set(name, NUMBER.sub(_round, " ".join(value.split())))
        elif name == "clip-path":
            element.set(name, REFERENCE.sub(rf"url(#{prefix}-\1)", value))
        elif name == "style":
            element.set(name, _recolour(value, is_text=element.tag == f"{{{SVG}}}text"))


def _round(found: re.Match[str]) -> str:
    """Return a coordinate rounded to a hundredth of a point, finer than a screen shows."""
    return f"{float(found[0]):.2f}".rstrip("0").rstrip(".")


def _recolour(style: str, *, is_text: bool) -> str:
    rules = []
    for rule in style.split("; "):
        name, _, value = rule.partition(": ")
        if name == "fill" and value == BACKGROUND and not is_text:
            value = "none"
        elif name in ("fill", "stroke"):
            value = FADED.get(value, value)
        elif name == "font-family":
            value = f"{value}, Verdana, sans-serif"
        rules.append(f"{name}: {value}")
    return "; ".join(rules)
