#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole GIMPs around the plug-in: no engine, two jobs at once, a plug-in that is killed, no runtime folder. TAP.

Runs inside tests/plugin/gimp-env.sh and starts gimp-console itself.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from tap import Tap  # noqa: E402

TMP = Path(os.environ["PMT_GIMP_TMP"])
FAKE = TMP / "fake"


class OneFill:
    """A GIMP that fills once."""

    count = 0

    def __init__(self, environment=None, drop=(), **arguments):
        OneFill.count += 1
        self.out = TMP / f"one-{OneFill.count}.json"
        env = dict(os.environ, PENTIMENTO_ENGINE=str(HERE / "fake-engine.py"), PMT_FAKE_FOLDER=str(FAKE), OUT=str(self.out),
                   ARGUMENTS=json.dumps(arguments), PYTHONDONTWRITEBYTECODE="1")
        env.update(environment or {})
        for name in drop:
            env.pop(name, None)
        self.process = subprocess.Popen(["gimp-batch", str(HERE / "one-fill.py")], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        text=True)

    def result(self):
        output, _ = self.process.communicate(timeout=180)
        told = json.loads(self.out.read_text()) if self.out.exists() else {"done": False, "said": "GIMP did not come so far", "names": []}
        return dict(told, output=output, status=self.process.returncode)


def messages(kind):
    log = FAKE / "log"
    return [m for m in map(json.loads, log.read_text().splitlines()) if m["type"] == kind] if log.exists() else []


def wait_for(test, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end and not test():
        time.sleep(0.05)
    return test()


def plug_ins():
    """Process ids of this run's plug-ins."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cmdline").read_bytes().split(b"\0")[0] == f"{TMP}/stage/pentimento/pentimento".encode():
                found.append(int(entry.name))
        except OSError:
            pass
    return found


def case_no_engine(tap):
    told = OneFill({"PENTIMENTO_ENGINE": "/nowhere/pentimento-engine"}, prompt="x").result()
    tap.check("no engine: it is named, and nothing changes", not told["done"] and "/nowhere/pentimento-engine cannot be started" in told["said"]
              and told["same"], told)
    broken = TMP / "broken-engine"
    broken.write_text("no program\n")
    broken.chmod(0o755)
    told = OneFill({"PENTIMENTO_ENGINE": str(broken)}, prompt="x").result()
    tap.check("an engine that is no program: it is named", not told["done"] and str(broken) in told["said"] and told["same"], told)


def case_note(tap):
    told = OneFill(prompt="word " * 100).result()
    tap.check("what the engine remarks about the prompt reaches the user", told["done"] and "tokens longer than the model reads" in told["output"],
              told)


def case_bright(tap):
    words = "brighter than white"
    told = OneFill({"KIND": "float linear", "BRIGHT": "yes"}, prompt="x").result()
    tap.check("values above white are clipped, and that is said", told["done"] and words in told["output"], told)
    told = OneFill({"KIND": "float linear"}, prompt="x").result()
    tap.check("and not said where there are none", told["done"] and words not in told["output"], told)


def case_two_at_once(tap):
    (FAKE / "mode").write_text("hold")
    before = len(messages("job"))
    first = OneFill(prompt="first", seed=1)
    wait_for(lambda: len(messages("job")) == before + 1)
    second = OneFill(prompt="second", seed=2)
    queued = wait_for(lambda: (FAKE / "queued").exists())
    (FAKE / "go").touch()
    one, two = first.result(), second.result()
    tap.check("a second job waits for the first, and both finish",
              queued and one["names"] == ["Fill: first (1)"] and two["names"] == ["Fill: second (2)"], (queued, one, two))
    (FAKE / "mode").write_text("paint")


def case_killed(tap):
    """GIMP's own Cancel kills the plug-in; the engine has to notice that its client is gone."""
    (FAKE / "mode").write_text("slow")
    before = len(messages("job"))
    killed = OneFill(prompt="killed")
    wait_for(lambda: len(messages("job")) > before)
    for pid in plug_ins():
        os.kill(pid, signal.SIGKILL)
    told = killed.result()
    tap.check("a plug-in killed in mid-job leaves the picture as it was", not told["done"] and told["names"] == [] and told.get("same"), told)
    (FAKE / "mode").write_text("paint")
    told = OneFill(prompt="after").result()
    tap.check("and the next job runs", told["done"], told)


def case_no_runtime_folder(tap):
    told = OneFill(drop=["XDG_RUNTIME_DIR"], prompt="x").result()
    folder = TMP / "tmp" / f"pentimento-{os.getuid()}"
    tap.check("without a runtime folder the socket is in a private folder below the temporary one",
              told["done"] and folder.is_dir() and folder.stat().st_mode & 0o777 == 0o700, told)
    folder.chmod(0o755)
    told = OneFill(drop=["XDG_RUNTIME_DIR"], prompt="x").result()
    tap.check("a folder that others may enter is refused with a sentence", not told["done"] and "not yours alone" in told["said"], told)


def main():
    tap = Tap()
    FAKE.mkdir()
    for case in (case_no_engine, case_note, case_bright, case_two_at_once, case_killed, case_no_runtime_folder):
        tap.run(case)
    tap.end()


if __name__ == "__main__":
    main()
