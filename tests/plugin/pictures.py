# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of every kind for the plug-in's tests, and exact ways of looking at them. Runs inside GIMP's Python."""

import hashlib
import struct

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
    "u16 perceptual": (RGB, P.U16_PERCEPTUAL), "u32 linear": (RGB, P.U32_LINEAR), "u32 perceptual": (RGB, P.U32_PERCEPTUAL),
    "half perceptual": (RGB, P.HALF_PERCEPTUAL), "float perceptual": (RGB, P.FLOAT_PERCEPTUAL), "double linear": (RGB, P.DOUBLE_LINEAR),
    "gray u32": (GRAY, P.U32_NON_LINEAR), "gray half": (GRAY, P.HALF_NON_LINEAR), "gray double linear": (GRAY, P.DOUBLE_LINEAR),
    "display-p3 u8": (RGB, P.U8_NON_LINEAR), "display-p3 float": (RGB, P.FLOAT_NON_LINEAR), "adobe u16": (RGB, P.U16_NON_LINEAR),
    "gray profile u8": (GRAY, P.U8_NON_LINEAR), "gray profile float": (GRAY, P.FLOAT_NON_LINEAR),
}
# GIMP mixes layers as 24-bit floats in RGB: any layer above these, whatever its mask, costs them their last bits on the screen.
MORE_THAN_FLOATS = ("u32", "double", "gray u32", "gray float", "gray double", "gray profile float")
# GIMP's own conversion with these is not undone to the last bit, whatever a layer does, and differs from one time to the next.
ROUGH_PROFILES = ("adobe u16", "display-p3 float", "gray profile float")


def step(kind, on_screen):
    """By how much GIMP itself may change a pixel of a picture of that kind when any layer is put above it; 0: not at all."""
    if not kind.startswith(ROUGH_PROFILES) and not (on_screen and kind.startswith(MORE_THAN_FLOATS)):
        return 0
    if "u16" in kind:
        return 1
    return 4e-6 * 2 ** 32 if "u32" in kind else 1e-3 if kind == "gray profile float" else 4e-6  # that curve is steep in the dark


def display_p3():
    """A matrix profile with sRGB's curve, made of the primaries in the standard (adapted to D50)."""
    def fixed(value):
        return struct.pack(">i", round(value * 65536))

    def xyz(*values):
        return b"XYZ \0\0\0\0" + b"".join(map(fixed, values))

    name = "Display P3".encode("utf-16-be")
    text = b"mluc\0\0\0\0" + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(name), 28) + name
    curve = b"para\0\0\0\0" + struct.pack(">HH", 3, 0) + b"".join(map(fixed, (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)))
    tags = [(b"desc", text), (b"cprt", text), (b"wtpt", xyz(0.9642, 1, 0.8249)), (b"rXYZ", xyz(0.51512, 0.2412, -0.00105)),
            (b"gXYZ", xyz(0.29198, 0.69225, 0.04189)), (b"bXYZ", xyz(0.1571, 0.06657, 0.78407)), (b"rTRC", curve), (b"gTRC", curve),
            (b"bTRC", curve)]
    table, data, at = b"", b"", 128 + 4 + 12 * len(tags)
    for tag, content in tags:
        content += b"\0" * (-len(content) % 4)
        table += struct.pack(">4sII", tag, at + len(data), len(content))
        data += content
    body = struct.pack(">I", len(tags)) + table + data
    head = struct.pack(">I4sI4s4s4s", 128 + len(body), b"\0\0\0\0", 0x04300000, b"mntr", b"RGB ", b"XYZ ") + bytes(12) + b"acsp" + bytes(28)
    return Gimp.ColorProfile.new_from_icc_profile(list(head + xyz(0.9642, 1, 0.8249)[8:] + bytes(48) + body))


PROFILES = {"display-p3": display_p3, "adobe": Gimp.ColorProfile.new_rgb_adobe, "gray profile": Gimp.ColorProfile.new_d50_gray_lab_trc}


def native(image, alpha):
    """(babl format, numpy type, channels) in which the image stores its pixels."""
    precision = int(image.get_precision())
    name, dtype = TYPES[precision // 100]
    mark = MARKS[precision % 100]
    letters = ("R", "G", "B") if image.get_base_type() == RGB else ("Y",)
    letters += ("A",) if alpha else ()
    if image.get_base_type() == INDEXED:
        return "R'G'B'A u8" if alpha else "R'G'B' u8", dtype, 1 + alpha
    return "".join(c if c == "A" else c + mark for c in letters) + " " + name, dtype, len(letters)


def read(drawable, box=None, form=None):
    """Pixels as (height, width, channels); form: (babl format, numpy type, channels), by default the very bytes that are stored."""
    if not form:
        _, dtype, channels = native(drawable.get_image(), drawable.has_alpha())
        form = (None, dtype, channels if drawable.is_layer() else 1)  # a channel or a mask is grey
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


def add_effect(layer, operation, **settings):
    """An effect that GIMP computes each time the layer is shown; the layer's own pixels stay."""
    effect = Gimp.DrawableFilter.new(layer, operation, "effect")
    layer.append_filter(effect)
    for name, value in settings.items():
        effect.get_config().set_property(name, value)
    effect.update()
    return effect


def new_image(kind, width=97, height=71):
    base, precision = KINDS[kind]
    image = Gimp.Image.new_with_precision(width, height, base, precision)
    for name, profile in PROFILES.items():
        if kind.startswith(name):
            image.set_color_profile(profile())
    return image


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


def digest(data):
    return hashlib.sha256(data).hexdigest()


def is_ours(item):
    """A layer that was painted, or a group of such alone."""
    return item.get_parasite("pentimento-recipe") is not None or \
        (item.is_group() and item.is_layer() and bool(item.get_children()) and all(map(is_ours, item.get_children())))


def about(item):
    """One layer, channel or path and what is below it, as a comparable value."""
    lines = [item.get_name(), item.get_visible(), item.get_lock_content(), item.get_lock_position(), item.get_lock_visibility(),
             item.get_color_tag().value_nick, sorted(item.get_parasite_list())]
    if item.is_drawable():
        lines += [None if item.is_group() else digest(read(item).tobytes()), list(item.get_offsets())[1:], item.get_width(), item.get_height(), item.has_alpha()]
    if item.is_layer():
        mask = item.get_mask()
        lines += [item.get_opacity(), item.get_mode().value_nick, item.get_lock_alpha(), item.get_blend_space().value_nick,
                  item.get_composite_space().value_nick, item.get_composite_mode().value_nick]
        lines += [digest(read(mask).tobytes()), item.get_edit_mask(), item.get_show_mask(), item.get_apply_mask()] if mask else []
        lines += [[f.get_name() for f in item.get_filters()]]
    if item.is_group():
        lines += [item.get_expanded(), [about(child) for child in item.get_children() if not is_ours(child)]]
    return lines


def state(image):
    """All that painting must leave alone, as a comparable value. What was painted is left out."""
    profile = image.get_color_profile()
    component = {RGB: Gimp.ChannelType.RED, GRAY: Gimp.ChannelType.GRAY, INDEXED: Gimp.ChannelType.INDEXED}[image.get_base_type()]
    return {
        "layers": [about(item) for item in image.get_layers() if not is_ours(item)], "channels": [about(item) for item in image.get_channels()],
        "paths": [about(item) for item in image.get_paths()],
        "active": sorted(item.get_name() for item in image.get_selected_layers()),
        "active channels": [item.get_name() for item in image.get_selected_channels()],
        "active paths": [item.get_name() for item in image.get_selected_paths()],
        "selection": digest(selection(image).tobytes()), "size": (image.get_width(), image.get_height()),
        "resolution": tuple(image.get_resolution()), "parasites": sorted(image.get_parasite_list()),
        "profile": digest(bytes(profile.get_icc_profile())) if profile else None, "precision": image.get_precision().value_nick,
        "component": [image.get_component_active(channel) for channel in (component, Gimp.ChannelType.ALPHA)],
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
