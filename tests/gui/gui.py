# SPDX-License-Identifier: GPL-3.0-or-later
"""A GIMP with windows, driven from outside: actions over D-Bus, keys through xdotool, its state through Script-Fu.

Runs inside tests/plugin/gimp-env.sh --gui, which brings the X server, the session bus and a GIMP profile of its own.
"""

import os
import re
import shutil
import socket
import struct
import subprocess
import time
from pathlib import Path

PATIENCE = 60


class GuiError(Exception):
    pass


def wait_for(what, test, seconds=PATIENCE):
    """The first true value of test(), or GuiError naming what did not happen."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = test()
        if value:
            return value
        time.sleep(0.1)
    raise GuiError(f"within {seconds} s there was no {what}")


def run(*command):
    """Standard output of a helper; one that hangs (xdotool does, on a window that is gone) is an error."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=20).stdout
    except subprocess.TimeoutExpired as slow:
        raise GuiError(f"{' '.join(command)} did not end") from slow


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Gimp:
    """GIMP with one picture open. Use as a context manager; `environment` is added to its own."""

    def __init__(self, picture, shots, **environment):
        self.shots = Path(shots)
        self.shots.mkdir(parents=True, exist_ok=True)
        self.folder = Path(os.environ["PMT_GIMP_TMP"])
        self.log = self.folder / "gui.log"
        self.port = free_port()
        server = (f'(plug-in-script-fu-server #:run-mode 1 #:ip "127.0.0.1" #:port {self.port} '
                  f'#:logfile "{self.folder}/script-fu.log")')
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [os.environ["PMT_GIMP"], "--no-splash", "--batch-interpreter", "plug-in-script-fu-eval", "-b", server, str(picture)],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=dict(os.environ, **environment))
        self.window(Path(picture).stem + r".* GIMP$")
        self.server = wait_for("Script-Fu server", self.connect)
        run("xdotool", "mousemove", "1", "895")  # a tooltip would be in the pictures

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # By force: it would ask about unsaved pictures. gimp-env.sh ends what it leaves behind.
        self.process.kill()
        self.process.wait(20)

    # ---- Script-Fu ----

    def connect(self):
        try:
            return socket.create_connection(("127.0.0.1", self.port), 60)
        except OSError:
            return None

    def scheme(self, expression):
        """The printed value of an expression, evaluated in the running GIMP."""
        text = expression.encode()
        self.server.sendall(b"G" + struct.pack(">H", len(text)) + text)
        head = self.receive(4)
        answer = self.receive(struct.unpack(">H", head[2:])[0]).decode(errors="replace")
        if head[1]:
            raise GuiError(f"Script-Fu: {answer} in {expression}")
        return answer.strip()

    def receive(self, size):
        data = b""
        while len(data) < size:
            part = self.server.recv(size - len(data))
            if not part:
                raise GuiError("the Script-Fu server is gone")
            data += part
        return data

    # ---- windows, keys, actions ----

    def window(self, title, seconds=PATIENCE):
        """The id of the visible window with this title (a regular expression)."""
        return wait_for(f"window “{title}”", lambda: self.windows(title), seconds)[0]

    def windows(self, title):
        return run("xdotool", "search", "--onlyvisible", "--name", title).split()

    def gone(self, title, seconds=PATIENCE):
        wait_for(f"end of the window “{title}”", lambda: not self.windows(title), seconds)

    def ready(self, window):
        """The window, when it has the focus and has kept its size for half a second: what is pressed and seen before that is lost."""
        seen = []

        def settled():
            if run("xdotool", "getactivewindow").strip() != window:
                run("xdotool", "windowactivate", window)
                seen.clear()
            seen.append(run("xdotool", "getwindowgeometry", window))
            return len(seen) > 5 and len(set(seen[-6:])) == 1
        wait_for("window with the focus and a size that stays", settled)
        return window

    def keys(self, window, *keys):
        run("xdotool", "windowactivate", "--sync", window)
        run("xdotool", "key", "--delay", "60", *keys)

    def type(self, window, text):
        run("xdotool", "windowactivate", "--sync", window)
        run("xdotool", "type", "--delay", "15", text)

    def gdbus(self, method, *args):
        return run("gdbus", "call", "--session", "--dest", "org.gimp.GIMP.UI", "--object-path", "/org/gimp/GIMP",
                   "--method", method, *args)

    def act(self, action):
        self.gdbus("org.gtk.Actions.Activate", action, "[]", "{}")

    def enabled(self, action):
        return bool(re.match(r"\(\(true,", self.gdbus("org.gtk.Actions.Describe", action)))

    def shot(self, name, window="root", frame=False):
        """A screenshot in the folder of the run, for people to look at; with the window's frame if asked for."""
        path = self.shots / f"{name}.png"
        run("import", *(["-frame"] if frame else []), "-window", window, str(path))
        if not path.exists() or not shutil.which("import"):
            raise GuiError(f"no screenshot {path}")
        return path
