# SPDX-License-Identifier: GPL-3.0-or-later
"""One fill in a picture of its own, inside GIMP. OUT: the file that gets a JSON object about it; ARGUMENTS: the procedure's, JSON. KIND: of the
picture; BRIGHT: three times as bright as white."""

import json
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from pictures import *  # noqa: E402,F403

made = new_image(os.environ.get("KIND", "u8"))
user = new_layer(made, "user's", 97, 71)
if os.environ.get("BRIGHT"):
    pixels = read(user) * 3
    user.get_buffer().set(Gegl.Rectangle.new(0, 0, 97, 71), native(made, True)[0], pixels.tobytes())
    user.update(0, 0, 97, 71)
made.select_rectangle(Gimp.ChannelOps.REPLACE, 25, 17, 31, 27)
flat, start = flattened(made), time.time()
status, said = fill(made, [user], **json.loads(os.environ["ARGUMENTS"]))
Path(os.environ["OUT"]).write_text(json.dumps({
    "done": status == DONE, "said": said, "names": [layer.get_name() for layer in new_layers(made)], "start": start, "end": time.time(),
    "same": bool((flattened(made) == flat).all())}))
made.delete()
