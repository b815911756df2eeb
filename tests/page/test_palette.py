"""Colours can be read and told apart, by eyes that lack a kind of cone too."""

import itertools
import re
from dataclasses import asdict

import numpy as np
import pytest

from preceptor.page.assets import base_css, uplot_js
from preceptor.page.palette import DARK, LIGHT, palette_css

# Machado, Oliveira and Fernandes 2009, "A physiologically-based model for simulation of color vision deficiency",
# table 1, severity 1; of linear RGB.
EYES = {
    "all cones": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def linear(colour):
    sRGB = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(sRGB <= 0.04045, sRGB / 12.92, ((sRGB + 0.055) / 1.055) ** 2.4)


def contrast(one, other):
    """WCAG 2.2, contrast ratio."""
    low, high = sorted(linear(each) @ [0.2126, 0.7152, 0.0722] for each in (one, other))
    return (high + 0.05) / (low + 0.05)


def oklab(rgb):
    """Ottosson 2020, "A perceptual color space for image processing"."""
    cones = np.cbrt(
        np.array(
            [
                [0.4122214708, 0.5363325363, 0.0514459929],
                [0.2119034982, 0.6806995451, 0.1073969566],
                [0.0883024619, 0.2817188376, 0.6299787005],
            ]
        )
        @ np.clip(rgb, 0, 1)
    )
    return [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ] @ cones


def test_contrast_is_that_of_the_standard():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)  # the well-known grey that just fails


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_texts_and_lines_can_be_seen(palette):
    for words in (palette.ink, palette.quiet, palette.blue, palette.good, palette.warn, palette.bad):
        assert min(contrast(words, palette.paper), contrast(words, palette.sheet)) >= 4.5, words
    for line in palette.series:
        assert contrast(line, palette.paper) >= 3, line
        assert contrast(line, palette.sheet) >= 3, line


@pytest.mark.parametrize("eyes", EYES)
@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_lines_are_told_apart_by_all_eyes(palette, eyes):
    for one, other in itertools.combinations((*palette.series, palette.ink), 2):
        apart = np.linalg.norm(oklab(EYES[eyes] @ linear(one)) - oklab(EYES[eyes] @ linear(other)))
        assert apart >= 0.1, (one, other, apart)


def test_style_sheets_ask_for_nothing_and_use_only_colours_that_there_are():
    css = base_css()
    assert "url(" not in css
    assert "@import" not in css
    given = set(re.findall(r"--[a-z0-9]+(?=:)", css))
    assert set(re.findall(r"var\((--[a-z0-9]+)", css)) <= given
    assert {f"--{name}" for name in asdict(LIGHT)} <= given
    assert palette_css().count("--ink:") == 2


def test_uplot_goes_with_its_licence_and_cannot_end_its_script():
    script = uplot_js()
    assert "Permission is hereby granted" in script
    assert "var uPlot=" in script
    assert "</script" not in script.lower()
    assert "<!--" not in script
