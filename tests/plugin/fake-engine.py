#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""fake-engine.py serve --socket PATH: speaks the engine's protocol and paints a known pattern, or fails as told.

PENTIMENTO_ENGINE names it as the engine of the plug-in's tests. The environment variable PMT_FAKE_FOLDER names a folder for
it, where the file "mode" says how it behaves (it is read anew for each message, so one GIMP can meet all of these):

  paint (default)  fill and edit: the selection's box, dilated by grow + feather, gets the pattern below; blend 1 in the selection's core;
                   generate: the pattern in the size of the run
  slow             the same, after sixty steps of a tenth of a second
  hold             the same, once the file "go" is there
  hold-last        the same; only the last picture waits for it
  error-last       an error sentence in place of the last picture
  tight            estimates say that half of the sides fit into memory
  die              kills itself (SIGKILL) in the middle of the job
  truncated        announces a result and ends after half of its payload
  huge             announces a result of four gigabytes
  not-numbers      a result with a NaN
  misplaced        a result beyond the context
  version          greets with another protocol version
  error            answers the job with an error sentence
  nonsense         answers with a line that is no JSON
  early-done       done without a result
  mute             accepts connections and never says anything
  hostile          the attack of hostile.py whose number is in the file "attack"; then it hangs up
  quit             ends before it listens, with a word to its log

A job that learns goes through all stages and writes a few bytes to its file; slow: with three hundred steps, and FILE.learning beside it while it
learns, as the engine leaves it; error and early-done as above; tight: there is too little memory.

It writes into that folder: "pid"; "log", every message that arrives, one JSON line each; "done", a dot for each job that was painted;
NAME.f32, the last blob of that name.
"""

import json
import os
import signal
import socket
import struct
import sys
import threading
import time
from pathlib import Path

import hostile

FOLDER = Path(os.environ["PMT_FAKE_FOLDER"])
GROW, FEATHER = 4, 6
NATIVE = 64  # of generated pictures, whose sides are multiples of 16
IDLE_SECONDS = 60
one_job = threading.Lock()


def mode():
    file = FOLDER / "mode"
    return file.read_text().strip() if file.exists() else "paint"


def colour(x, y, seed):
    """The pattern at a canvas pixel: known to the tests, different for every seed."""
    return ((x * 7 + seed) % 256 / 255, (y * 5) % 256 / 255, ((x + y) * 3 + 128) % 256 / 255)


class Collector:
    """Takes the messages that a client would get."""

    def __init__(self, client):
        self.blobs, self.answer, self.cancelled = client.blobs, [], client.cancelled

    def send(self, message, payload=b""):
        self.answer.append((message, payload))


class Client:
    def __init__(self, connection):
        self.connection = connection
        self.stream = connection.makefile("rb")
        self.blobs = {}
        self.lock = threading.Lock()
        self.cancelled = threading.Event()
        self.kept = threading.Event()

    def send(self, message, payload=b""):
        if payload:
            message["bytes"] = len(payload)
        with self.lock:
            self.connection.sendall(json.dumps(message).encode() + b"\n" + payload)

    def note(self, message, payload):
        with open(FOLDER / "log", "a", encoding="utf-8") as log:
            log.write(json.dumps(message) + "\n")
        if payload:
            (FOLDER / (message["name"] + ".f32")).write_bytes(payload)

    def serve(self):
        try:
            for line in self.stream:
                message = json.loads(line)
                payload = self.stream.read(message.get("bytes", 0))
                self.note(message, payload)
                self.answer(message, payload)
        except (BrokenPipeError, ConnectionResetError, ValueError):
            pass
        self.cancelled.set()

    def answer(self, message, payload):
        kind, number = message["type"], message["id"]
        if mode() == "mute":
            return
        if kind == "hello":
            self.send({"type": "hello", "id": number, "protocol": 99 if mode() == "version" else 1, "engine": "fake", "build": "fake",
                       "cpu": "none", "threads": 1})
        elif kind == "samplers":
            self.send({"type": "samplers", "id": number, "samplers": [{"id": "euler", "label": "Euler"}, {"id": "ddim", "label": "DDIM"}]})
        elif kind == "preprocessors":
            self.send({"type": kind, "id": number, "preprocessors": [{"id": "canny", "label": "Canny edges"}, {"id": "depth", "label": "Depth"}]})
        elif kind == "methods":
            self.send({"type": kind, "id": number, "methods": [{"id": "freeu", "label": "FreeU", "summary": "Weighs parts.", "params": []}]})
        elif kind == "tokens":
            words = message["prompt"].split()
            self.send({"type": kind, "id": number, "count": len(words), "limit": 16, "chunks": max(1, -(-len(words) // 16)), "cut": 0})
        elif kind == "names":
            names = {"loras": ["ink-drawing", "pixel-art"], "embeddings": ["my-cat"]}.get(message["kind"], [])
            self.send({"type": kind, "id": number, "kind": message["kind"], "names": [{"name": name, "path": f"/fake/{name}.safetensors"} for name in names]})
        elif kind == "blob":
            self.blobs[message["name"]] = (message, payload)
        elif kind == "estimate":
            if mode() != "hostile" or not self.attack("estimate", [(estimate(message), b"")]):
                self.send(estimate(message))
        elif kind == "cancel":
            self.cancelled.set()
        elif kind == "keep":
            self.kept.set()
        elif kind == "job":
            self.kept.clear()
            threading.Thread(target=self.run, args=(message,), daemon=True).start()
        else:
            self.send({"type": "error", "id": number, "code": "input", "message": f"There is no message of type {kind}."})

    def attack(self, question, answer):
        """Sends what hostile.py makes of the right answer to a question; False: this attack is for another one."""
        _, asked, change = hostile.attack_of(int((FOLDER / "attack").read_text()))
        if asked != question:
            return False
        with self.lock:
            for message, payload in change(answer):
                if isinstance(message, bytes):
                    self.connection.sendall(message)
                    continue
                if payload and not isinstance(message.get("bytes"), str):
                    message["bytes"] = len(payload)
                self.connection.sendall(json.dumps(message).encode() + b"\n" + payload)
            self.connection.shutdown(socket.SHUT_RDWR)
        return True

    def run(self, message):
        if not one_job.acquire(blocking=False):
            self.send({"type": "queued", "id": message["id"], "ahead": 1})
            (FOLDER / "queued").touch()
            one_job.acquire()
        try:
            self.job(message)
        except OSError:
            pass
        finally:
            one_job.release()

    def learn(self, number, recipe, how):
        """Loss falls from 0.2 by the step; nothing is learned."""
        def tell(stage, step, of, fraction, **more):
            self.send({"type": "progress", "id": number, "stage": stage, "step": step, "of": of, "fraction": fraction, "eta": None, **more})

        steps, out = (300 if how == "slow" else recipe.get("steps", 4)), Path(recipe["out"])
        half = Path(f"{out}.learning")
        tell("load", 0, 0, 0.0)
        tell("look", 1, 1, 0.05)
        tell("encode", len(recipe["pictures"]), len(recipe["pictures"]), 0.1)
        for step in range(1, steps + 1):
            if self.cancelled.is_set():
                half.write_bytes(half_learned(step))
                return
            tell("learn", step, steps, 0.1 + 0.9 * step / steps, eta=(steps - step) * 0.1, loss=0.2 - 0.1 * step / steps + 0.01 * (step % 3))
            time.sleep(0.1 if how == "slow" else 0.005)
        if how == "error":
            self.send({"type": "error", "id": number, "code": "input", "message": "The sentence “x” does not say where the word stands; write {} there."})
            return
        if how != "early-done":
            out.write_bytes(b"learned")
            half.unlink(missing_ok=True)
            self.send({"type": "learned", "id": number, "out": str(out), "steps": steps, "values": 768, "loss-before": 0.2, "loss-after": 0.1})
        self.send({"type": "done", "id": number, "seconds": 0.1, "peak-bytes": 1})

    def job(self, message):
        number, recipe, how = message["id"], message["job"], mode()
        if recipe["task"] == "learn":
            self.learn(number, recipe, how)
            return
        if how == "hostile":
            collector = Collector(self)
            Client.answer_rightly(collector, message)
            if self.attack("job", collector.answer):
                return
        steps = 60 if how == "slow" else 3
        for step in range(steps):
            if self.cancelled.is_set():
                return
            if how == "die" and step == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            shown = message.get("preview", "linear") != "none"
            self.send({"type": "progress", "id": number, "stage": "sample", "step": step + 1, "of": steps, "fraction": (step + 1) / steps,
                       "eta": (steps - step) * 0.1, "variant": 0, "variants": recipe.get("variants", 1),
                       **({"preview": {"width": 16, "height": 12}} if shown else {})}, preview(step) if shown else b"")
            if self.kept.is_set():
                recipe = dict(recipe, variants=1, **{"stop-after": step + 1})
                break
            time.sleep(0.1 if how == "slow" else 0.005)
        while how == "hold" and not (FOLDER / "go").exists() and not self.cancelled.is_set():
            time.sleep(0.05)
        if how == "error":
            self.send({"type": "error", "id": number, "code": "memory", "message": "The job needs 9 GB and 2 GB are free: select a smaller region."})
        elif how == "nonsense":
            with self.lock:
                self.connection.sendall(b"this is no message\n")
        elif how == "early-done":
            self.send({"type": "done", "id": number, "seconds": 0})
        else:
            for variant in range(recipe.get("variants", 1)):
                if how.endswith("-last") and variant == recipe.get("variants", 1) - 1 and not self.last(number, how):
                    return
                self.paint(number, recipe, variant, how)
            self.send({"type": "done", "id": number, "seconds": 0.1, "peak-bytes": 1})
            with open(FOLDER / "done", "a", encoding="utf-8") as done:
                done.write(".")

    def last(self, number, how):
        """Before the last picture; False: there is none."""
        if how == "error-last":
            self.send({"type": "error", "id": number, "code": "io", "message": "The model's file went away: look for it."})
            return False
        while not (FOLDER / "go").exists() and not self.cancelled.is_set():
            time.sleep(0.05)
        return not self.cancelled.is_set()

    def answer_rightly(self, message):
        number, recipe = message["id"], message["job"]
        self.send({"type": "progress", "id": number, "stage": "sample", "step": 1, "of": 1, "fraction": 1, "eta": 0.1, "variant": 0, "variants": 1})
        for variant in range(recipe.get("variants", 1)):
            Client.paint(self, number, recipe, variant, "paint")
        self.send({"type": "done", "id": number, "seconds": 0.1, "peak-bytes": 1})

    def paint_whole(self, number, recipe, variant, how):
        """A generated picture: the pattern in the run's own size."""
        width, height = recipe["size"]
        seed, pixels = recipe["seed"] + variant, bytearray()
        for row in range(height):
            for column in range(width):
                pixels += struct.pack("<4f", *colour(column, row, seed), 1.0)
        if how == "not-numbers":
            pixels[0:4] = struct.pack("<f", float("nan"))
        box = [1 if how == "misplaced" else 0, 0, width, height]
        Client.send_maps(self, number, recipe, how)
        controls = [dict(control, **{"image-hash": "fake"}) for control in recipe.get("controls", [])]
        self.send({"type": "result", "id": number, "variant": variant, "variants": recipe.get("variants", 1), "seed": seed, "box": box,
                   "width": width, "height": height, "channels": 4, "dtype": "f32", "notes": [],
                   "recipe": completed(recipe, seed=seed, variants=1, engine="fake", **({"controls": controls} if controls else {}))}, bytes(pixels))

    def send_maps(self, number, recipe, how):
        """What methods would find: the left half changes; every word is looked for less and less to the right, a quarter at most."""
        for method in recipe.get("methods", []):
            if method["id"] == "diffedit" and "mask" not in self.blobs:
                maps = {name: [1.0 if i % 8 < 4 else 0.0 for i in range(64)] for name in ("diffedit", "diffedit-mask")}
            elif method["id"] == "word-maps":
                words = method.get("words", "; ".join(recipe["prompt"].split()))
                maps = {word.strip(): [0.25 - i % 8 / 32 for i in range(64)] for word in words.split(";")}
            else:
                continue
            for name, values in maps.items():
                self.send({"type": "map", "id": number, "name": name, "width": 8 if how != "misplaced" else 9, "height": 8, "channels": 1,
                           "dtype": "f32"}, struct.pack("<64f", *values))

    def paint(self, number, recipe, variant, how):
        if recipe["task"] == "generate":
            Client.paint_whole(self, number, recipe, variant, how)
            return
        region, seed = recipe["region"], recipe["seed"] + variant
        x, y, width, height = box = result_box(region)
        mask = Client.selection(self, region)
        blend, pixels = bytearray(), bytearray()
        for row in range(y, y + height):
            for column in range(x, x + width):
                blend += struct.pack("<f", mask(column, row))
                pixels += struct.pack("<4f", *colour(column, row, seed), 1.0)
        if how == "misplaced":
            box = [region["context"][0] + region["context"][2] - 1, y, width, height]
        if how == "not-numbers":
            pixels[0:4] = struct.pack("<f", float("nan"))
        self.send({"type": "blob", "id": number, "name": "blend", "width": width, "height": height, "channels": 1, "dtype": "f32"}, bytes(blend))
        notes = ["The prompt is 3 tokens longer than the model reads: its end was left out."] if len(recipe["prompt"]) > 400 else []
        result = {"type": "result", "id": number, "variant": variant, "variants": recipe.get("variants", 1), "seed": seed, "box": box,
                  "width": width, "height": height, "channels": 4, "dtype": "f32", "notes": notes,
                  "recipe": completed(recipe, seed=seed, variants=1, engine="fake")}
        if how == "huge":
            result["bytes"] = 1 << 32
            self.send(result)
        elif how == "truncated":
            result["bytes"] = len(pixels)
            with self.lock:
                self.connection.sendall(json.dumps(result).encode() + b"\n" + bytes(pixels[: len(pixels) // 2]))
                self.connection.shutdown(socket.SHUT_RDWR)
        else:
            self.send(result, bytes(pixels))

    def selection(self, region):
        """Blend at a canvas pixel: the selection itself, and a falling edge around it."""
        context = region["context"]
        values = struct.unpack(f"<{context[2] * context[3]}f", self.blobs["mask"][1])

        def at(column, row):
            column, row = column - context[0], row - context[1]
            if not (0 <= column < context[2] and 0 <= row < context[3]):
                return 0.0
            return values[row * context[2] + column]

        def blend(column, row):
            here = at(column, row)
            if here > 0.5:
                return 1.0
            near = max(at(column - GROW, row), at(column + GROW, row), at(column, row - GROW), at(column, row + GROW))
            return max(here, 0.5 * near)

        return blend


def half_learned(step):
    """A safetensors file without tensors that says at which step it was left."""
    head = json.dumps({"__metadata__": {"step": str(step)}}).encode()
    return struct.pack("<Q", len(head)) + head


def completed(recipe, **more):
    """What the engine says it did: nothing is left open in it."""
    recipe = {"sampler": "euler", "steps": 3, "precision": "f32", **({} if recipe["task"] == "edit" else {"guidance": 7.5}), **recipe}
    if recipe["task"] != "generate":
        region = recipe["region"]
        recipe["region"] = {**region, "grow": GROW if region.get("grow", -1) < 0 else region["grow"],
                            "feather": FEATHER if region.get("feather", -1) < 0 else region["feather"]}
    if recipe["task"] == "fill":
        recipe.setdefault("prefill", "none")
    return dict(recipe, **more)


def preview(step):
    """Green that comes up over violet."""
    return bytes(value for y in range(12) for x in range(16) for value in ((96, 200, 64) if x + y < step else (120, 60, 160)))


def result_box(region):
    x, y, width, height = region["selection"]
    left, top = max(x - GROW, 0), max(y - GROW, 0)
    right, bottom = min(x + width + GROW, region["canvas"][0]), min(y + height + GROW, region["canvas"][1])
    return [left, top, right - left, bottom - top]


def estimate(message):
    if message["job"]["task"] == "learn":
        memory = 9_000_000_000 if mode() == "tight" else 1_500_000_000
        if message["job"]["out"]:  # nobody has said yet that it is to be written
            return {"type": "error", "id": message["id"], "code": "input", "message": "It is only asked about."}
        return {"type": "estimate", "id": message["id"], "memory-bytes": memory, "available-bytes": 3_000_000_000, "fits": memory < 3_000_000_000,
                "seconds": 4000}
    answer = plain_estimate(message)
    if mode() == "tight":
        width, height = answer["size"]
        whole = [max(width // 2, 16), max(height // 2, 16)]
        answer.update({"memory-bytes": 9_000_000_000, "available-bytes": 3_000_000_000, "largest": whole})
        if max(message["job"].get("size", [NATIVE])) <= NATIVE * 2 // 3:
            answer.update({"memory-bytes": 2_000_000_000})
    return answer


def plain_estimate(message):
    if message["job"]["task"] == "generate":
        width, height = message["job"].get("size", [NATIVE, NATIVE])
        return {"type": "estimate", "id": message["id"], "memory-bytes": 1, "available-bytes": 2, "seconds": 1.5,
                "size": [(width + 8) // 16 * 16, (height + 8) // 16 * 16], "evaluations": 3}
    region = message["job"]["region"]
    x, y, width, height = result_box(region)
    left, top = max(x - 16, 0), max(y - 16, 0)
    right, bottom = min(x + width + 16, region["canvas"][0]), min(y + height + 16, region["canvas"][1])
    return {"type": "estimate", "id": message["id"], "memory-bytes": 1, "available-bytes": 2, "seconds": 1.5,
            "size": message["job"].get("size", [NATIVE, NATIVE]), "evaluations": 3, "region": {"context": [left, top, right - left, bottom - top], "box": [x, y, width, height],
                                         "grow": GROW, "feather": FEATHER, "blend": 5}}


def main():
    if sys.argv[1] == "models":  # it has none
        return
    if sys.argv[1] == "diagnostics":
        print("engine: fake, processor: none")
        return
    path = sys.argv[sys.argv.index("--socket") + 1]
    print("fake engine, mode", mode(), flush=True)
    (FOLDER / "pid").write_text(str(os.getpid()))
    if mode() == "quit":
        print("it has no wish to serve", flush=True)
        sys.exit(1)
    listener = socket.socket(socket.AF_UNIX)
    if os.path.exists(path):
        os.unlink(path)
    listener.bind(path)
    listener.listen()
    listener.settimeout(IDLE_SECONDS)
    try:
        while True:
            connection, _ = listener.accept()
            connection.settimeout(None)
            threading.Thread(target=Client(connection).serve, daemon=True).start()
    except TimeoutError:
        os.unlink(path)


if __name__ == "__main__":
    main()
