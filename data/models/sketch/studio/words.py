# SPDX-License-Identifier: GPL-3.0-or-later
"""What scenes are made of, and how captions say it: colours, places, light, weather, styles, relations, numbers."""
from dataclasses import dataclass

from .kinds import KINDS, NAMES

COLOURS = {"red": (214, 38, 40), "orange": (246, 134, 28), "yellow": (250, 217, 50), "green": (46, 158, 70),
           "blue": (42, 92, 216), "purple": (128, 62, 176), "pink": (246, 142, 188), "white": (248, 248, 248),
           "black": (52, 48, 56), "grey": (144, 148, 156), "brown": (138, 84, 40), "turquoise": (34, 196, 190)}
INK, PALE_INK = (34, 28, 38), (206, 204, 212)  # outlines; black things have pale ones, to be seen at night
SCENE_INK = (34, 28, 38)


@dataclass(frozen=True)
class Place:
    phrase: str      # as captions say it
    top: tuple       # colour above the horizon, at the top …
    low: tuple       # … and just above the horizon
    ground: tuple    # below it; None: the same everywhere
    decor: str       # what backdrop.py adds
    outdoors: bool   # has light and weather


PLACES = {
    "meadow": Place("in a meadow", (150, 208, 244), (206, 232, 246), (146, 202, 104), "grass", True),
    "beach": Place("on a beach", (120, 190, 226), (86, 170, 206), (240, 221, 168), "waves", True),
    "snow": Place("in the snow", (176, 188, 208), (214, 220, 230), (238, 242, 247), "hills", True),
    "desert": Place("in a desert", (238, 206, 160), (250, 232, 196), (226, 180, 112), "dunes", True),
    "forest": Place("in a forest", (150, 196, 168), (186, 216, 186), (112, 142, 84), "trunks", True),
    "sea": Place("at sea", (164, 214, 240), (204, 232, 244), (64, 132, 182), "swell", True),
    "city": Place("in a city", (176, 200, 224), (214, 222, 230), (150, 150, 154), "skyline", True),
    "mountains": Place("in the mountains", (168, 204, 238), (220, 232, 242), (152, 172, 132), "peaks", True),
    "sky": Place("in the sky", (112, 176, 236), (176, 214, 246), None, "clouds", True),
    "space": Place("in space", (16, 14, 40), (40, 26, 70), None, "stars", False),
    "room": Place("in a room", (226, 200, 172), (226, 200, 172), (160, 112, 78), "wall", False),
    "paper": Place("on paper", (250, 247, 236), (250, 247, 236), None, "plain", False),
}
LIGHTS = {"day": ("",), "sunset": (" at sunset",), "night": (" at night",)}
WEATHERS = {"clear": ("",), "rain": (" in the rain",), "fog": (" in fog",), "snowfall": (" with falling snow",)}
STYLES = {"cartoon": ("a cartoon of ", "a picture of "), "flat": ("a flat picture of ", "a paper cut of "),
          "pencil": ("a pencil drawing of ", "a sketch of ")}
SIZES = {"small": ("small", "little"), "big": ("big", "large")}
RELATIONS = {"left": ("left of", "to the left of"), "right": ("right of", "to the right of"), "above": ("above", "over"),
             "below": ("below", "under"), "front": ("in front of",), "behind": ("behind",), "beside": ("and", "next to", "with")}
SPOTS = {"left": "on the left", "right": "on the right", "top": "at the top", "bottom": "at the bottom", "middle": "in the middle"}
NUMBERS = {2: "two", 3: "three", 4: "four"}

INSTRUCTIONS = {
    "recolour": ("make the {old} {colour}", "turn the {old} {colour}", "paint the {old} {colour}", "change the colour of the {old} to {colour}"),
    "replace": ("replace the {old} with {new}", "turn the {old} into {new}", "swap the {old} for {new}"),
    "add": ("add {new} {spot}", "put {new} {spot}"),
    "remove": ("remove the {old}", "take away the {old}", "delete the {old}"),
    "move": ("move the {old} to the {side}", "put the {old} {spot}"),
    "place": ("put it {place}", "change the background to {name}", "make it {place}"),
    "light": ("make it {light}", "turn it to {light}", "change the light to {light}"),
    "weather": ("make it {weather}",),
    "style": ("make it {style}", "turn it into {style}"),
}
WEATHER_WORDS = {"clear": "clear", "rain": "rain", "fog": "foggy", "snowfall": "snow"}
STYLE_WORDS = {"cartoon": "a cartoon", "flat": "a flat picture", "pencil": "a pencil drawing"}


def article(word):
    return ("an " if word[0] in "aeiou" else "a ") + word


def caption_words():
    """Every word that captions and instructions use, sorted: the vocabulary."""
    text = ["a an the empty of on in to at and with next there is it one picture drawing same object"]
    for table in (RELATIONS, SIZES, STYLES, LIGHTS, WEATHERS, INSTRUCTIONS):
        text += [" ".join(v) for v in table.values()]
    text += [p.phrase for p in PLACES.values()] + [*PLACES, *COLOURS, *LIGHTS, *WEATHERS, *STYLES, *SPOTS, *SPOTS.values(), *NUMBERS.values()]
    text += [*WEATHER_WORDS.values(), *STYLE_WORDS.values()]
    text += [w for k in KINDS.values() for w in (k.name, k.plural)]
    plain = {w for w in " ".join(text).replace("-", " - ").split() if not w.startswith("{")}
    return sorted(plain)
