# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of every kind for the plug-in's tests, and exact ways of looking at them. Runs inside GIMP's Python."""

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("Gegl", "0.4")
from gi.repository import Gegl, Gimp  # noqa: E402

import numpy as np  # noqa: E402

RGB, GRAY, INDEXED = Gimp.ImageBaseType.RGB, Gimp.ImageBaseType.GRAY, Gimp.ImageBaseType.INDEXED
TYPES = {1: ("u8", np.uint8), 2: ("u16", np.uint16), 3: ("u32", np.uint32), 5: ("half", np.float16), 6: ("float", np.float32),
         7: ("double", np.float64)}
MARKS = {0: "", 50: "'", 75: "~"}

P = Gimp.Precision
KINDS = {
    "u8": (RGB, P.U8_NON_LINEAR), "u8 linear": (RGB, P.U8_LINEAR), "u8 perceptual": (RGB, P.U8_PERCEPTUAL),
    "u16": (RGB, P.U16_NON_LINEAR), "u16 linear": (RGB, P.U16_LINEAR), "u32": (RGB, P.U32_NON_LINEAR),
    "half": (RGB, P.HALF_NON_LINEAR), "half linear": (RGB, P.HALF_LINEAR),
    "float": (RGB, P.FLOAT_NON_LINEAR), "float linear": (RGB, P.FLOAT_LINEAR), "double": (RGB, P.DOUBLE_NON_LINEAR),
    "gray u8": (GRAY, P.U8_NON_LINEAR), "gray u8 linear": (GRAY, P.U8_LINEAR), "gray u16": (GRAY, P.U16_NON_LINEAR),
    "gray float": (GRAY, P.FLOAT_NON_LINEAR),
}


def native(image, alpha):
    """(babl format, numpy type, channels) in which the image stores its pixels."""
    precision = int(image.get_precision())
    name, dtype = TYPES[precision // 100]
    mark = MARKS[precision % 100]
    letters = ("R", "G", "B") if image.get_base_type() == RGB else ("Y",)
    letters += ("A",) if alpha else ()
    return "".join(c if c == "A" else c + mark for c in letters) + " " + name, dtype, len(letters)


def read(drawable, box=None, form=None):
    """Pixels as (height, width, channels); form: (babl format, numpy type, channels), by default as stored."""
    form = form or native(drawable.get_image(), drawable.has_alpha())
    x, y, width, height = box or (0, 0, drawable.get_width(), drawable.get_height())
    data = drawable.get_buffer().get(Gegl.Rectangle.new(x, y, width, height), 1.0, form[0], Gegl.AbyssPolicy.NONE)
    return np.frombuffer(bytes(data), form[1]).reshape(height, width, form[2])


SEEN = ("R'G'B'A float", np.float32, 4)
MASK = ("Y float", np.float32, 1)


def paint(layer, rng):
    """Noise over the whole range of the type: every last bit counts."""
    form, dtype, channels = native(layer.get_image(), layer.has_alpha())
    shape = (layer.get_height(), layer.get_width(), channels)
    if np.issubdtype(dtype, np.integer):
        pixels = rng.integers(0, np.iinfo(dtype).max, shape, dtype=np.uint64, endpoint=True).astype(dtype)
    else:
        pixels = rng.random(shape).astype(dtype)
    buffer = layer.get_buffer()
    buffer.set(Gegl.Rectangle.new(0, 0, shape[1], shape[0]), form, pixels.tobytes())
    buffer.flush()
    layer.update(0, 0, shape[1], shape[0])


def new_layer(image, name, width, height, x=0, y=0, alpha=True, parent=None, position=0, opacity=100, mode=Gimp.LayerMode.NORMAL, seed=1):
    gray = image.get_base_type() == GRAY
    kind = {(False, False): Gimp.ImageType.RGB_IMAGE, (False, True): Gimp.ImageType.RGBA_IMAGE, (True, False): Gimp.ImageType.GRAY_IMAGE,
            (True, True): Gimp.ImageType.GRAYA_IMAGE}[gray, alpha]
    layer = Gimp.Layer.new(image, name, width, height, kind, opacity, mode)
    paint(layer, np.random.default_rng(seed))
    layer.set_offsets(x, y)
    image.insert_layer(layer, parent, position)
    return layer


def new_image(kind, width=97, height=71):
    base, precision = KINDS[kind]
    return Gimp.Image.new_with_precision(width, height, base, precision)


def flattened(image):
    copy = image.duplicate()
    pixels = read(copy.flatten())
    copy.delete()
    return pixels


def seen(image, box=None):
    """The projection, sRGB-encoded."""
    layer = Gimp.Layer.new_from_visible(image, image, "seen")
    pixels = read(layer, box, SEEN)
    layer.delete()
    return pixels


def selection(image):
    return read(image.get_selection(), None, MASK)[:, :, 0]


def mask_on_canvas(layer):
    """A layer's mask as stored, 0 beyond the layer, as large as the canvas."""
    image = layer.get_image()
    values = read(layer.get_mask(), None, MASK)[:, :, 0]
    whole = np.zeros((image.get_height(), image.get_width()), np.float32)
    _, x, y = layer.get_offsets()
    height, width = values.shape
    whole[y:y + height, x:x + width] = values
    return whole


def dilated(mask, distance):
    """Pixels at most `distance` (Euclidean, in pixels) away from one that is set."""
    reach = int(np.ceil(distance))
    padded = np.pad(mask, reach)
    result = np.zeros_like(mask)
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            if dx * dx + dy * dy <= distance * distance:
                result |= padded[reach + dy:reach + dy + mask.shape[0], reach + dx:reach + dx + mask.shape[1]]
    return result


def state(image):
    """All that a fill must leave alone, as a comparable value."""
    def names(items):
        return [(item.get_name(), item.get_visible(), names(item.get_children()) if item.is_group() else None)
                for item in items if not item.get_name().startswith(("Fill", "Edit", "Generate"))]
    return {
        "layers": names(image.get_layers()), "channels": names(image.get_channels()), "paths": names(image.get_paths()),
        "active": sorted(item.get_name() for item in image.get_selected_layers()),
        "active channels": [item.get_name() for item in image.get_selected_channels()],
        "active paths": [item.get_name() for item in image.get_selected_paths()],
        "selection": selection(image).tobytes(), "size": (image.get_width(), image.get_height()),
    }


def call(name, image, layers, **arguments):
    """Runs a procedure that paints from a script; (status, sentence)."""
    procedure = Gimp.get_pdb().lookup_procedure(name)
    config = procedure.create_config()
    config.set_property("image", image)
    config.set_core_object_array("drawables", layers)
    for name, value in arguments.items():
        config.set_property(name.replace("_", "-"), value)
    result = procedure.run(config)
    status = result.index(0)
    return status, "" if status == Gimp.PDBStatusType.SUCCESS or result.length() < 2 else result.index(1)


def fill(image, layers, **arguments):
    return call("plug-in-pentimento-fill", image, layers, **arguments)


def edit(image, layers, **arguments):
    return call("plug-in-pentimento-edit", image, layers, **arguments)


def generate(image, layers, **arguments):
    return call("plug-in-pentimento-generate", image, layers, **arguments)


def rerun(image, layer, **arguments):
    return call("plug-in-pentimento-rerun", image, [layer], **arguments)


DONE = Gimp.PDBStatusType.SUCCESS


def new_layers(image):
    """Every layer that a fill made, top to bottom, groups left out."""
    def walk(items):
        for item in items:
            if item.is_group():
                yield from walk(item.get_children())
            elif item.get_parasite("pentimento-recipe"):
                yield item
    return list(walk(image.get_layers()))
