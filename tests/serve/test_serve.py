#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""test_serve.py ENGINE: the engine as a server, with the bundled model: what it answers, when it stops, what it survives."""

import os
import signal
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import tap
from client import Client, Engine, Gone


def recipe(**changes):
    job = {"pentimento": 1, "task": "generate", "model": "", "prompt": "a red circle", "seed": 7, "steps": 4, "sampler": "ddim",
           "guidance": 3.0, "size": [128, 128]}
    job.update(changes)
    return {k: v for k, v in job.items() if v is not None}


LONG = {"steps": 900}


def pixels(payload):
    return struct.unpack(f"<{len(payload) // 4}f", payload)


def run(client, number, job, blobs=()):
    for header, payload in blobs:
        client.send(dict(header, type="blob", id=number), payload)
    client.send({"type": "job", "id": number, "job": job})
    return client.until("done")


def fill_blobs(side=128):
    image = struct.pack("<4f", 0.2, 0.6, 0.3, 1.0) * (side * side)
    rows = b"".join(struct.pack("<f", 1.0 if 40 <= x < 90 and 40 <= y < 90 else 0.0) for y in range(side) for x in range(side))
    return [({"name": "image", "width": side, "height": side, "channels": 4, "dtype": "f32"}, image),
            ({"name": "mask", "width": side, "height": side, "channels": 1, "dtype": "f32"}, rows)]


def fill_recipe(**changes):
    return recipe(task="fill", size=None, region={"canvas": [128, 128], "selection": [40, 40, 50, 50], "mode": "auto"}, **changes)


def test_hello(program):
    with Engine(program) as engine:
        hello = engine.client().hello
        assert hello["type"] == "hello" and hello["protocol"] == 1 and hello["pid"] == engine.process.pid, hello
        assert hello["engine"] and hello["build"] and hello["cpu"] and hello["threads"] >= 1, hello


def test_other_protocol_is_refused(program):
    with Engine(program) as engine:
        client = engine.client(hello=False)
        answer = client.ask({"type": "hello", "id": 0, "protocol": 99})
        assert answer["type"] == "error" and answer["code"] == "engine" and "same release" in answer["message"], answer
        try:
            client.receive()
            raise AssertionError("the connection stayed open")
        except Gone:
            pass
        assert engine.client().hello["type"] == "hello"


def test_hello_has_to_come_first(program):
    with Engine(program) as engine:
        client = engine.client(hello=False)
        answer = client.ask({"type": "job", "id": 1, "job": recipe()})
        assert answer["type"] == "error" and "hello" in answer["message"], answer


def lesson(folder, **changes):
    job = {"pentimento": 1, "task": "learn", "kind": "word", "base": recipe(prompt=None, seed=None, steps=None, sampler=None, guidance=None), "word": "my-cat",
           "thing": "circle", "steps": 3, "pictures": [{"image": "picture-0"}, {"image": "picture-1", "caption": "a red {}"}],
           "out": os.path.join(folder, "my-cat.safetensors")}
    job.update(changes)
    return {k: v for k, v in job.items() if v is not None}


def lesson_blobs(side=128):
    return [({"name": f"picture-{i}", "width": side, "height": side, "channels": 4, "dtype": "f32"}, struct.pack("<4f", 0.2 + 0.5 * i, 0.6, 0.3, 1.0) * (side * side))
            for i in range(2)]


def test_learn(program):
    with Engine(program) as engine, tempfile.TemporaryDirectory() as folder:
        client = engine.client()
        told = client.ask({"type": "estimate", "id": 4, "job": lesson(folder)})
        assert told["type"] == "estimate" and told["fits"] and told["memory-bytes"] > 1 << 20 and told["seconds"] > 0, told
        seen = run(client, 5, lesson(folder), lesson_blobs())
        stages = [m["stage"] for m in seen if m["type"] == "progress"]
        assert list(dict.fromkeys(stages)) == ["load", "encode", "look", "learn"] and stages[-1] == "look", stages
        assert any("loss" in m for m in seen if m["type"] == "progress"), seen
        learned = seen[-2]
        assert learned["type"] == "learned" and learned["out"] == lesson(folder)["out"] and learned["steps"] == 3 and learned["values"] > 0, learned
        assert learned["loss-before"] > 0 and learned["loss-after"] > 0 and os.path.exists(learned["out"]), learned
        assert seen[-1]["type"] == "done" and seen[-1]["peak-bytes"] > 1 << 20, seen[-1]


def test_learn_is_cancelled_and_goes_on(program):
    with Engine(program) as engine, tempfile.TemporaryDirectory() as folder:
        client, job = engine.client(), lesson(folder, steps=2000)
        for header, payload in lesson_blobs():
            client.send(dict(header, type="blob", id=6), payload)
        client.send({"type": "job", "id": 6, "job": job})
        while (message := client.receive()).get("step", 0) < 2 or message["stage"] != "learn":
            pass
        client.send({"type": "cancel", "id": 6})
        assert client.until("error")[-1]["code"] == "cancelled"
        assert os.listdir(folder) == ["my-cat.safetensors.learning"], os.listdir(folder)
        # the same with fewer steps is another wish, with as many it goes on
        seen = []
        for header, payload in lesson_blobs():
            client.send(dict(header, type="blob", id=7), payload)
        client.send({"type": "job", "id": 7, "job": job})
        while not seen or seen[-1].get("stage") != "learn":
            seen.append(client.receive())
        assert seen[-1]["step"] >= 2 and not any(m.get("stage") == "look" for m in seen), seen
        client.send({"type": "cancel", "id": 7})
        assert client.until("error")[-1]["code"] == "cancelled"
        for header, payload in lesson_blobs():
            client.send(dict(header, type="blob", id=8), payload)
        client.send({"type": "job", "id": 8, "job": lesson(folder, steps=1)})
        while (message := client.receive())["type"] != "error":
            pass
        assert "ask for more" in message["message"], message


def test_learning_gives_way(program):
    """A picture does not wait for hours of learning, which goes on behind it."""
    with Engine(program) as engine, tempfile.TemporaryDirectory() as folder:
        learner, painter = engine.client(), engine.client()
        for header, payload in lesson_blobs():
            learner.send(dict(header, type="blob", id=1), payload)
        learner.send({"type": "job", "id": 1, "job": lesson(folder, steps=2000)})
        while (message := learner.receive()).get("step", 0) < 2 or message["stage"] != "learn":
            pass
        seen = run(painter, 2, recipe())
        assert [m["type"] for m in seen if m["type"] in ("queued", "result", "done")] == ["queued", "result", "done"], seen
        steps = [m for m in learner.until("queued")]
        while (message := learner.receive()).get("stage") != "learn":
            assert message["type"] == "progress", message
        last = max(m.get("step", 0) for m in steps if m.get("stage") == "learn")
        assert message["step"] >= last > 1, (message, last)
        learner.send({"type": "cancel", "id": 1})
        assert learner.until("error")[-1]["code"] == "cancelled"


def test_learn_is_refused(program):
    with Engine(program) as engine, tempfile.TemporaryDirectory() as folder:
        client = engine.client()
        for says, job in (('"kind"', lesson(folder, kind=None)), ("Nothing called 'dream'", lesson(folder, kind="dream")), ('"out"', lesson(folder, out="word.safetensors")),
                          ('"base"', lesson(folder, base=fill_recipe())), ('"pictures"', lesson(folder, pictures=[])), ('"sentences"', lesson(folder, sentences=[1])),
                          ('"pictures"', lesson(folder, pictures=[{"caption": "a"}])), ("colour", lesson(folder, colour="red"))):
            answer = client.ask({"type": "job", "id": 7, "job": job})
            assert answer["type"] == "error" and answer["code"] == "input" and says in answer["message"], (says, answer)
        client.send({"type": "job", "id": 8, "job": lesson(folder)})
        answer = client.until("error")[-1]
        assert answer["code"] == "input" and "picture-0" in answer["message"], answer
        client.send({"type": "blob", "id": 9, "name": "mask", "width": 1, "height": 1, "channels": 1, "dtype": "f32"}, struct.pack("<f", 1))
        answer = client.ask({"type": "job", "id": 9, "job": lesson(folder)})
        assert answer["code"] == "input" and '"mask"' in answer["message"], answer


def test_garbage_costs_only_its_connection(program):
    garbage = [b"GET / HTTP/1.1\r\n\r\n", b"\x00" * 100 + b"\n", b"{" * 100000 + b"\n", b"x" * (1 << 20) + b"yy",
               b'{"type":"blob","id":1,"bytes":-5}\n', os.urandom(5000) + b"\n"]
    with Engine(program) as engine:
        for data in garbage:
            client = engine.client()
            client.send_raw(data)
            answer = client.receive()
            assert answer["type"] == "error" and answer["code"] == "input", (data[:20], answer)
            client.close()
        assert engine.client().hello["pid"] == engine.process.pid


def test_unknown_message_is_answered(program):
    with Engine(program) as engine:
        client = engine.client()
        answer = client.ask({"type": "dance", "id": 5})
        assert answer["type"] == "error" and answer["id"] == 5 and "dance" in answer["message"], answer
        assert client.ask({"type": "samplers", "id": 6})["type"] == "samplers"


def test_bad_inputs_are_refused_in_a_sentence(program):
    good = {"type": "blob", "id": 1, "name": "image", "width": 2, "height": 2, "channels": 4, "dtype": "f32"}
    cases = [({"name": ""}, 64, "name"), ({"name": "x" * 101}, 64, "name"), ({"name": "sketch", "channels": 1}, 16, "4 channels"), ({"width": 3}, 64, "do not fit"), ({"channels": 1}, 16, "4 channels"),
             ({"dtype": "u8"}, 64, "f32"), ({"width": 0}, 64, "width"), ({"width": 100000}, 64, "width"),
             ({"height": "two"}, 64, "height")]
    with Engine(program) as engine:
        client = engine.client()
        for change, size, says in cases:
            answer = client.ask(dict(good, **change), b"\0" * size)
            assert answer["type"] == "error" and answer["code"] == "input" and says in answer["message"], (change, answer)


def test_pictures_have_the_names_that_the_job_uses(program):
    picture = ({"name": "control-0", "width": 2, "height": 2, "channels": 4, "dtype": "f32"}, b"\0" * 64)
    job = recipe(controls=[{"type": "depth", "image": "control-0"}])
    with Engine(program) as engine:
        client = engine.client()
        answer = client.ask({"type": "job", "id": 1, "job": job})
        assert answer["type"] == "error" and answer["code"] == "input", answer
        assert answer["message"] == 'The picture "control-0" of control 1 was not given; send it with the job, or name another.', answer
        client.send(dict(picture[0], type="blob", id=2, name="contrl-0"), picture[1])
        answer = client.ask({"type": "job", "id": 2, "job": job})
        assert answer["type"] == "error" and '"contrl-0"' in answer["message"] and "does not speak of" in answer["message"], answer
        # estimates need no pictures
        answer = client.ask({"type": "estimate", "id": 3, "job": dict(job, controls=[{"type": "canny", "image": "control-0", "model": ""}])})
        assert answer["type"] == "error" and "model" in answer["message"], answer


def test_bad_recipes_are_refused_in_a_sentence(program):
    cases = [{"task": "dream"}, {"steps": -1}, {"steps": 100000}, {"steps": "many"}, {"sampler": "nobody"}, {"pentimento": 2}, {"strength": 2.0},
             {"methods": [{"id": "no-such-method"}]}, {"variants": 100000}, {"size": [128]}]
    with Engine(program) as engine:
        client = engine.client()
        for change in cases:
            answer = client.ask({"type": "job", "id": 3, "job": recipe(**change)})
            assert answer["type"] == "error" and answer["code"] in ("input", "unsupported"), (change, answer)
            assert answer["message"].endswith(".") and "\n" not in answer["message"], answer
        answer = client.ask({"type": "job", "id": 3})
        assert answer["type"] == "error", answer


def test_missing_model_is_named(program):
    with Engine(program) as engine:
        answer = engine.client().ask({"type": "job", "id": 1, "job": recipe(model="/nowhere/model.safetensors")})
        assert answer["type"] == "error" and answer["code"] == "not-found" and "/nowhere/model.safetensors" in answer["message"], answer


def test_generate(program):
    with Engine(program) as engine:
        seen = run(engine.client(), 4, recipe())
        result = [m for m in seen if m["type"] == "result"]
        progress = [m for m in seen if m["type"] == "progress"]
        assert len(result) == 1 and all(m["id"] == 4 for m in seen)
        assert result[0]["width"] == 128 and len(result[0]["payload"]) == 128 * 128 * 16
        values = pixels(result[0]["payload"])
        assert min(values) >= 0 and max(values) <= 1 and set(values[3::4]) == {1.0}
        assert max(values[0::4]) - min(values[0::4]) > 0.05, "a flat picture"
        fractions = [m["fraction"] for m in progress]
        assert fractions == sorted(fractions) and {"sample", "decode"} <= {m["stage"] for m in progress}, fractions
        drawn = [m for m in progress if "preview" in m]
        assert len(drawn) == recipe()["steps"] and {m["stage"] for m in drawn} == {"sample"}, [m.get("preview") for m in progress]
        assert all(m["preview"] == {"width": 16, "height": 16} and len(m["payload"]) == 16 * 16 * 3 for m in drawn)
        assert len(set(drawn[-1]["payload"])) > 8, "a flat preview"
        assert all(not m["payload"] for m in progress if "preview" not in m)
        assert result[0]["recipe"]["seed"] == 7 and result[0]["recipe"]["model-hash"] and result[0]["recipe"]["engine"]
        assert seen[-1]["peak-bytes"] > 0 and seen[-1]["seconds"] > 0


def test_maps_come_before_their_result(program):
    with Engine(program) as engine:
        asked = recipe()
        word = asked["prompt"].split()[0]
        seen = run(engine.client(), 6, {**asked, "methods": [{"id": "word-maps", "words": word}]})
        kinds = [m["type"] for m in seen if m["type"] in ("map", "result", "done")]
        assert kinds == ["map", "result", "done"], kinds
        found = next(m for m in seen if m["type"] == "map")
        assert found["id"] == 6 and found["name"] == word and found["channels"] == 1 and found["dtype"] == "f32", found
        values = pixels(found["payload"])
        assert len(values) == found["width"] * found["height"] and 0 < min(values) and max(values) < 1, values
        assert [m["type"] for m in run(engine.client(), 7, asked) if m["type"] == "map"] == []


def test_same_recipe_same_bytes(program):
    with Engine(program) as engine:
        client = engine.client()
        first = [m for m in run(client, 1, recipe()) if m["type"] == "result"][0]
        again = [m for m in run(client, 2, first["recipe"]) if m["type"] == "result"][0]
        other = [m for m in run(client, 3, recipe(seed=8)) if m["type"] == "result"][0]
        assert first["payload"] == again["payload"] and first["payload"] != other["payload"]


def test_variants_count_seeds_up(program):
    with Engine(program) as engine:
        client = engine.client()
        both = [m for m in run(client, 1, recipe(variants=2)) if m["type"] == "result"]
        assert [m["seed"] for m in both] == [7, 8] and [m["variant"] for m in both] == [0, 1]
        alone = [m for m in run(client, 2, recipe(seed=8)) if m["type"] == "result"][0]
        assert both[1]["payload"] == alone["payload"]


def test_fill_brings_its_blend_mask(program):
    with Engine(program) as engine:
        seen = run(engine.client(), 1, fill_recipe(), fill_blobs())
        kinds = [m["type"] for m in seen if m["type"] in ("blob", "result")]
        assert kinds == ["blob", "result"]
        blend = next(m for m in seen if m["type"] == "blob")
        result = next(m for m in seen if m["type"] == "result")
        x, y, w, h = result["box"]
        assert (blend["width"], blend["height"]) == (w, h) == (result["width"], result["height"])
        assert 0 <= x <= 40 and 0 <= y <= 40 and 90 <= x + w <= 128 and 90 <= y + h <= 128, result["box"]
        mask = pixels(blend["payload"])
        assert max(mask) == 1.0 and min(mask) >= 0.0 and mask[(65 - y) * w + 65 - x] == 1.0


def test_fill_without_inputs_is_refused(program):
    with Engine(program) as engine:
        answer = engine.client().ask({"type": "job", "id": 1, "job": fill_recipe()})
        assert answer["type"] == "error" and answer["code"] == "input", answer


def test_estimate(program):
    with Engine(program) as engine:
        client = engine.client()
        answer = client.ask({"type": "estimate", "id": 9, "job": fill_recipe()})
        assert answer["type"] == "estimate" and answer["memory-bytes"] > 1 << 20 and answer["available-bytes"] > 1 << 20, answer
        assert answer["size"][0] % 8 == 0 and answer["evaluations"] >= 4
        x, y, w, h = answer["region"]["context"]
        assert x <= 40 and y <= 40 and x + w >= 90 and y + h >= 90
        assert answer["fits"] and "largest" not in answer and answer["seconds"] > 0, answer


def in_status(pid, name):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name + ":"))


def test_estimated_memory_is_what_the_process_takes(program):
    """Within a tenth; an engine of its own for each job, since the most there ever was stays."""
    with Engine(program) as engine:
        engine.client().ask({"type": "estimate", "id": 1, "job": recipe()})  # a machine's first measures its speed
    jobs = [(recipe(), ()), (recipe(size=[320, 192], steps=2), ()), (recipe(size=[384, 384], steps=1, guidance=1.0), ()),
            (recipe(size=[512, 512], steps=1, **{"vae-tiling": "on"}), ()), (fill_recipe(), fill_blobs())]
    for job, blobs in jobs:
        with Engine(program) as engine:
            client = engine.client()
            told = client.ask({"type": "estimate", "id": 1, "job": job})["memory-bytes"]
            run(client, 2, job, blobs)
            took = in_status(engine.process.pid, "VmHWM")
            assert abs(told - took) <= 0.1 * took, (told, took, job)


def test_too_large_a_picture_is_told_with_one_that_fits(program):
    job = recipe(size=[2048, 2048], steps=1)
    with Engine(program, PENTIMENTO_MEMORY="200") as engine:
        client = engine.client()
        answer = client.ask({"type": "estimate", "id": 1, "job": job})
        assert not answer["fits"] and answer["memory-bytes"] > answer["available-bytes"], answer
        width, height = answer["largest"]
        assert width == height and 0 < width < 2048, answer
        smaller = client.ask({"type": "estimate", "id": 2, "job": dict(job, size=[width, height])})
        assert smaller["fits"] and smaller["size"] == [width, height], smaller
        refused = client.ask({"type": "job", "id": 3, "job": job})
        while refused["type"] == "progress":
            refused = client.receive()
        assert refused["type"] == "error" and refused["code"] == "memory" and "pixels at most" in refused["message"], refused


def test_lists_and_tokens(program):
    with Engine(program) as engine:
        client = engine.client()
        detectors = {d["id"]: d for d in client.ask({"type": "preprocessors", "id": 1})["preprocessors"]}
        assert "canny" in detectors and detectors["canny"]["label"] and "scribble" in detectors["scribble"]["controls"]
        samplers = [s["id"] for s in client.ask({"type": "samplers", "id": 1})["samplers"]]
        assert {"ddim", "euler", "euler-a", "dpmpp-2m", "dpmpp-2m-karras"} <= set(samplers), samplers
        assert isinstance(client.ask({"type": "methods", "id": 2})["methods"], list)
        answer = client.ask({"type": "models", "id": 3})
        models = answer["models"]
        assert models and models[0]["path"] == "" and models[0]["family"] and answer["left-off"] == 0, answer
        few = client.ask({"type": "tokens", "id": 4, "prompt": "a red circle"})
        many = client.ask({"type": "tokens", "id": 5, "prompt": "a red circle " * 60, "long-prompts": "truncate"})
        assert few["cut"] == 0 and few["count"] >= 3 and many["cut"] == many["count"] - many["limit"] > 0
        assert few["chunks"] == 1 and few["ends"] == [] and few["counts"] == [few["count"]] and len(few["text-encoders"]) == 1
        chunks = client.ask({"type": "tokens", "id": 6, "prompt": "a red circle " * 60})
        assert chunks["cut"] == 0 and chunks["chunks"] >= 2 and sum(chunks["counts"]) == chunks["count"] == many["count"], chunks
        assert len(chunks["ends"]) == chunks["chunks"] - 1 and chunks["ends"][0] > 0
        wrong = client.ask({"type": "tokens", "id": 7, "prompt": "a", "long-prompts": "fold"})
        assert wrong["type"] == "error" and "long-prompts" in wrong["message"], wrong


def test_more_models_than_a_line_has_room_for(program):
    with tempfile.TemporaryDirectory(prefix="pmt-serve-") as home:
        folder = Path(home, "data/pentimento/models/loras")
        folder.mkdir(parents=True)
        for number in range(2500):
            (folder / f"{number}-{'x' * 180}.safetensors").write_bytes(b"no model")
        with Engine(program, HOME=home, XDG_DATA_HOME=home + "/data", XDG_CONFIG_HOME=home + "/config", XDG_CACHE_HOME=home + "/cache") as engine:
            answer = engine.client().ask({"type": "models", "id": 1})
            assert answer["left-off"] > 0 and answer["left-off"] + len(answer["models"]) == 2501 and "cut" not in answer, answer["left-off"]


def test_names_that_are_no_text(program):
    """File names are bytes, and what is said of a file holds its path."""
    with tempfile.TemporaryDirectory(prefix="pmt-serve-") as home:
        folder = os.fsencode(home) + b"/data/pentimento/models/loras"
        os.makedirs(folder)
        path = folder + b"/Malm\xf6.safetensors"
        Path(os.fsdecode(path)).write_bytes(b"no model")
        with Engine(program, HOME=home, XDG_DATA_HOME=home + "/data", XDG_CONFIG_HOME=home + "/config", XDG_CACHE_HOME=home + "/cache") as engine:
            client = engine.client()
            for _ in range(2):
                models = client.ask({"type": "models", "id": 1})["models"]
                assert "Malm\ufffd.safetensors" in models[1]["problem"] and not models[1]["works"], models
            client.send({"type": "job", "id": 2, "job": recipe(model="/nowhere/" + "x" * 500000)})
            answer = client.until("error")[-1]
            assert 100 < len(answer["message"].encode()) <= 4096, answer


def test_names(program):
    """What the folders of models have for prompts, whatever lies in them."""
    with tempfile.TemporaryDirectory(prefix="pmt-names-") as home:
        os.environ["XDG_DATA_HOME"] = home
        os.environ["XDG_CONFIG_HOME"] = home
        own = Path(home, "pentimento")
        for path in ("loras/ink.safetensors", "models/loras/deep/er/pixel art.gguf", "models/loras/ink.safetensors", "loras/a<b.safetensors",
                     "loras/a:b.safetensors", "loras/.hidden.safetensors", "loras/readme.txt", "loras/old.ckpt", "loras/.safetensors",
                     "models/embeddings/my-cat.safetensors", "hypernetworks/net.safetensors", "loras/" + "x" * 230 + ".safetensors"):
            Path(own, path).parent.mkdir(parents=True, exist_ok=True)
            Path(own, path).write_bytes(b"never opened")
        os.makedirs(os.path.join(os.fsencode(own), b"loras", b"\xff\xfe"))
        Path(os.fsdecode(os.path.join(os.fsencode(own), b"loras", b"\xff.safetensors"))).write_bytes(b"")
        os.symlink(own / "loras", own / "loras" / "around")
        with Engine(program) as engine:
            client = engine.client()
            loras = client.ask({"type": "names", "id": 1, "kind": "loras"})
            assert loras["type"] == "names" and loras["kind"] == "loras", loras
            assert [entry["name"] for entry in loras["names"]] == ["ink", "pixel art"], loras
            assert loras["names"][0]["path"] == str(own / "loras" / "ink.safetensors"), loras
            assert [e["name"] for e in client.ask({"type": "names", "id": 2, "kind": "embeddings"})["names"]] == ["my-cat"]
            assert [e["name"] for e in client.ask({"type": "names", "id": 3, "kind": "hypernetworks"})["names"]] == ["net"]
            for number in range(3000):
                Path(own, "loras", f"{number:04}{'n' * 100}.safetensors").write_bytes(b"")
            many = client.ask({"type": "names", "id": 4, "kind": "loras"})["names"]
            assert 100 < len(many) <= 2000, len(many)
            for kind in ("", "models", 7, None, ["loras"]):
                wrong = client.ask({"type": "names", "id": 5, "kind": kind})
                assert wrong["type"] == "error" and wrong["code"] == "input", wrong
        del os.environ["XDG_DATA_HOME"], os.environ["XDG_CONFIG_HOME"]


def test_masks(program):
    """What a fill would do with a mask, before it is run."""
    with Engine(program) as engine:
        client = engine.client()
        _, (header, payload) = fill_blobs(64)
        recipe = {"pentimento": 1, "task": "fill", "region": {"canvas": [64, 64], "selection": [40, 40, 24, 24], "grow": 4, "feather": 2}}
        client.send(dict(header, type="blob", id=2), payload)
        client.send({"type": "masks", "id": 2, "job": recipe, "most-side": 32})
        denoise, blend, told = client.receive(), client.receive(), client.receive()
        assert [m["type"] for m in (denoise, blend, told)] == ["blob", "blob", "masks"] and [denoise["name"], blend["name"]] == ["denoise", "blend"], told
        assert (denoise["width"], denoise["height"], blend["width"], len(told["size"])) == (32, 32, 32, 2), (denoise, told)
        given, anew = pixels(payload), pixels(denoise["payload"])
        assert sum(anew) * 4 > sum(given) > 0 and max(pixels(blend["payload"])) == 1 and min(anew) == 0, (sum(anew) * 4, sum(given))
        assert told["region"]["grow"] == 4 and told["region"]["context"] == [0, 0, 64, 64], told
        gone = client.ask({"type": "masks", "id": 2, "job": recipe})
        assert gone["type"] == "error" and gone["message"].startswith("There is no mask to show; "), gone
        client.send(dict(header, type="blob", id=3), payload)
        wrong = client.ask({"type": "masks", "id": 3, "job": {"pentimento": 1, "task": "fill", "region": {"canvas": [70, 64], "selection": [40, 40, 24, 24]}}})
        assert wrong["type"] == "error" and "64×64" in wrong["message"] and "70×64" in wrong["message"], wrong


def test_preprocess(program):
    """A control picture of the blobs that were sent for it, which are used up then."""
    with Engine(program) as engine:
        client = engine.client()
        told = client.ask({"type": "preprocessors", "id": 1})["preprocessors"]
        assert {"canny", "inpaint", "tile"} <= {p["id"] for p in told} and all("params" in p and "controls" in p for p in told), told
        image, mask = fill_blobs(64)
        for header, payload in (image, mask):
            client.send(dict(header, type="blob", id=2), payload)
        made = client.ask({"type": "preprocess", "id": 2, "preprocess": "inpaint"})
        assert (made["type"], made["id"], made["width"], made["height"], made["channels"], made["dtype"]) == ("preprocess", 2, 64, 64, 4, "f32")
        rgba = pixels(made["payload"])
        inside, outside = 4 * (50 * 64 + 50), 4 * (5 * 64 + 5)
        assert rgba[inside:inside + 4] == (0, 0, 0, 0) and rgba[outside + 3] == 1 and abs(rgba[outside + 1] - 0.6) < 1e-2, rgba[:8]
        gone = client.ask({"type": "preprocess", "id": 2, "preprocess": "canny"})
        assert gone["type"] == "error" and gone["message"].startswith("There is no picture to prepare; "), gone
        client.send(dict(image[0], type="blob", id=3), image[1])
        wrong = client.ask({"type": "preprocess", "id": 3, "preprocess": "canny:low=none"})
        assert wrong["type"] == "error" and wrong["id"] == 3 and 'In preprocessor canny, "low"' in wrong["message"], wrong
        nothing = client.ask({"type": "preprocess", "id": 4})
        assert nothing["type"] == "error" and "preprocessor" in nothing["message"] and "canny" in nothing["message"], nothing
        client.send(dict(image[0], type="blob", id=5), image[1])
        assert pixels(client.ask({"type": "preprocess", "id": 5, "preprocess": "canny:low=50,high=150"})["payload"])[:4] == (0, 0, 0, 1)


def test_question_is_answered_while_a_job_runs(program):
    with Engine(program) as engine:
        client = engine.client()
        client.send({"type": "job", "id": 1, "job": recipe(**LONG)})
        client.until("progress")
        client.send({"type": "tokens", "id": 2, "prompt": "a star"})
        start = time.monotonic()
        while client.receive()["type"] != "tokens":
            assert time.monotonic() - start < 2


def test_an_estimate_leaves_a_running_job_its_threads(program):
    job = recipe(steps=24, threads=1)
    with Engine(program) as engine:
        client, other = engine.client(), engine.client()
        alone = [m for m in run(client, 1, job) if m["type"] == "result"][0]
        assert alone["recipe"]["threads"] == 1, alone["recipe"]
        client.send({"type": "job", "id": 2, "job": job})
        client.until("progress")
        for threads in (None, 3, 2):
            answer = other.ask({"type": "estimate", "id": 3, "job": recipe(threads=threads)})
            assert answer["type"] == "estimate", answer
        beside = [m for m in client.until("done") if m["type"] == "result"][0]
        assert beside["recipe"] == alone["recipe"], (beside["recipe"], alone["recipe"])
        assert beside["payload"] == alone["payload"], "the picture differs when something was asked meanwhile"


def test_cancel(program):
    with Engine(program) as engine:
        client = engine.client()
        client.send({"type": "job", "id": 1, "job": recipe(**LONG)})
        while client.receive().get("stage") != "sample":
            pass
        start = time.monotonic()
        client.send({"type": "cancel", "id": 1})
        answer = client.receive()
        while answer["type"] == "progress":
            answer = client.receive()
        assert answer["type"] == "error" and answer["code"] == "cancelled", answer
        assert time.monotonic() - start < 0.5
        assert run(client, 2, recipe())[-1]["type"] == "done"


def sampled(client, test):
    """Waits for a report of the sampling that passes."""
    while True:
        message = client.receive()
        if message.get("stage") == "sample" and test(message):
            return


def test_keep_decodes_the_present_estimate(program):
    with Engine(program) as engine:
        client = engine.client()
        client.send({"type": "job", "id": 1, "job": recipe(**LONG)})
        sampled(client, lambda message: message["step"] >= 3)
        client.send({"type": "keep", "id": 1})
        start = time.monotonic()
        seen = client.until("done")
        assert time.monotonic() - start < 5
        kept = [m for m in seen if m["type"] == "result"]
        assert len(kept) == 1 and 3 <= kept[0]["recipe"]["stop-after"] < LONG["steps"], kept[0]["recipe"]
        again = [m for m in run(client, 2, kept[0]["recipe"]) if m["type"] == "result"]
        assert again[0]["payload"] == kept[0]["payload"], "the recipe of what was kept makes another picture"
        assert again[0]["recipe"] == kept[0]["recipe"]


def test_keep_begins_no_further_variant(program):
    with Engine(program) as engine:
        client = engine.client()
        client.send({"type": "job", "id": 1, "job": recipe(variants=3, steps=60)})
        sampled(client, lambda message: message["variant"] == 1 and message["step"] >= 2)
        client.send({"type": "keep", "id": 1})
        kept = [m for m in client.until("done") if m["type"] == "result"]
        assert [m["variant"] for m in kept] == [1] and kept[0]["seed"] == 8 and kept[0]["recipe"]["stop-after"] >= 2, [m["recipe"] for m in kept]


def test_previews_as_asked(program):
    with Engine(program) as engine:
        client = engine.client()
        results = {}
        for number, (kind, size, count) in enumerate([("linear", 16, 4), ("none", 0, 0), ("decoded", 128, 3)], 1):
            client.send({"type": "job", "id": number, "job": recipe(), "preview": kind})
            seen = client.until("done")
            drawn = [m for m in seen if m["type"] == "progress" and "preview" in m]
            assert len(drawn) == count and all(m["preview"] == {"width": size, "height": size} for m in drawn), (kind, drawn)
            assert all(len(m["payload"]) == size * size * 3 for m in drawn)
            results[kind] = next(m["payload"] for m in seen if m["type"] == "result")
        assert results["linear"] == results["none"] == results["decoded"]
        answer = client.ask({"type": "job", "id": 9, "job": recipe(), "preview": "holo"})
        assert answer["type"] == "error" and "linear, none or decoded" in answer["message"], answer


def test_second_job_waits_and_is_told(program):
    with Engine(program) as engine:
        first, second = engine.client(), engine.client()
        first.send({"type": "job", "id": 1, "job": recipe(steps=60)})
        first.until("progress")
        second.send({"type": "job", "id": 1, "job": recipe()})
        assert second.receive() == {"type": "queued", "id": 1, "ahead": 1, "payload": b""}
        assert first.until("done") and second.until("done")


def test_a_client_that_goes_takes_its_job_along(program):
    with Engine(program) as engine:
        first, second = engine.client(), engine.client()
        first.send({"type": "job", "id": 1, "job": recipe(**LONG)})
        first.until("progress")
        second.send({"type": "job", "id": 1, "job": recipe()})
        assert second.receive()["type"] == "queued"
        first.close()
        start = time.monotonic()
        second.until("progress")
        assert time.monotonic() - start < 1.0


def test_after_kill_the_next_engine_takes_over(program):
    with tempfile.TemporaryDirectory(prefix="pmt-serve-") as folder:
        engine = Engine(program, folder=folder)
        engine.stop(signal.SIGKILL)
        assert os.path.exists(engine.path)
        with Engine(program, folder=folder) as following:
            assert following.client().hello["pid"] == following.process.pid


def test_one_engine_per_socket(program):
    with Engine(program) as engine:
        second = subprocess.run([program, "serve", "--socket", engine.path], timeout=20, capture_output=True)
        assert second.returncode == 0 and b"already" in second.stderr + second.stdout, second
        assert engine.client().hello["pid"] == engine.process.pid


def test_open_folder_is_refused(program):
    with tempfile.TemporaryDirectory(prefix="pmt-serve-") as folder:
        os.chmod(folder, 0o755)
        done = subprocess.run([program, "serve", "--socket", folder + "/engine.sock"], timeout=20, capture_output=True, text=True)
        assert done.returncode == 1 and "0700" in done.stderr and not os.path.exists(folder + "/engine.sock"), done


def test_leaves_when_idle(program):
    with Engine(program, "--idle", "1") as engine:
        client = engine.client()
        time.sleep(1.6)
        assert engine.process.poll() is None, "left while a client was connected"
        client.close()
        engine.process.wait(5)
        assert engine.process.returncode == 0 and not os.path.exists(engine.path)


def test_terminate_in_mid_job(program):
    with Engine(program) as engine:
        client = engine.client()
        client.send({"type": "job", "id": 1, "job": recipe(**LONG)})
        client.until("progress")
        start = time.monotonic()
        engine.process.terminate()
        engine.process.wait(5)
        assert engine.process.returncode == 0 and time.monotonic() - start < 1.0 and not os.path.exists(engine.path)


def test_jobs_that_come_while_it_ends_are_cancelled(program):
    for _ in range(5):
        with Engine(program) as engine:
            client = engine.client()
            client.send({"type": "job", "id": 1, "job": recipe(**LONG)})
            client.until("progress")
            engine.process.terminate()
            try:
                for number in range(2, 40):
                    client.send({"type": "job", "id": number, "job": recipe()})
                while True:
                    answer = client.receive()
                    assert answer["type"] in ("progress", "queued") or answer.get("code") == "cancelled", answer
            except (Gone, OSError):
                pass
            engine.process.wait(5)
            assert engine.process.returncode == 0, engine.process.returncode


def test_stdio(program):
    process = subprocess.Popen([program, "serve", "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    client = Client(pipes=(process.stdout, process.stdin))
    assert client.hello["type"] == "hello"
    assert [m for m in run(client, 1, recipe()) if m["type"] == "result"]
    process.stdin.close()
    assert process.wait(5) == 0


def test_log_takes_all_output(program):
    with tempfile.TemporaryDirectory(prefix="pmt-serve-") as folder:
        os.chmod(folder, 0o700)
        log = os.path.join(folder, "engine.log")
        process = subprocess.Popen([program, "serve", "--socket", folder + "/e.sock", "--log", log, "--idle", "1"],
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert process.communicate(timeout=20)[0] == b"" and process.returncode == 0
        assert "serves" in Path(log).read_text()


if __name__ == "__main__":
    tap.run(globals(), "serve", program=sys.argv[1])
