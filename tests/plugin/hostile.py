# SPDX-License-Identifier: GPL-3.0-or-later
"""What an engine must never send, for fake-engine.py's mode "hostile": a list of crafted answers, and any number of random ones.

An attack is (its name, the question that it answers, a function). The function gets the right answer as a list of (message, payload) and
returns what is sent instead; a message may be bytes, which go as they are.
"""

import copy
import random
import struct

JUNK = [None, True, -1, 0, 1, 2 ** 31, 2 ** 40, -(2 ** 63), 2 ** 63 - 1, 1e308, -0.5, "", "x", "12", "\u0000", "é" * 300, [], [1, 2], [[]], {},
        {"a": {"b": []}}, [None, "x", 1e9, -5], ["x"] * 4, [0, 0, 0, 0], [-9, -9, 5, 5], [2 ** 31, 0, 1, 1], [0, 0, 2 ** 31, 2 ** 31]]
NAN = struct.pack("<f", float("nan"))


def at(answer, kind):
    return next(i for i, (message, _) in enumerate(answer) if message["type"] == kind)


def with_member(kind, member, value):
    def attack(answer):
        answer[at(answer, kind)][0][member] = value
        return answer
    return attack


def without_member(kind, member):
    def attack(answer):
        del answer[at(answer, kind)][0][member]
        return answer
    return attack


def with_payload(kind, change):
    def attack(answer):
        i = at(answer, kind)
        answer[i] = (answer[i][0], change(answer[i][1]))
        return answer
    return attack


def repeated(kind):
    def attack(answer):
        i = at(answer, kind)
        return answer[:i + 1] + copy.deepcopy(answer[i:])
    return attack


def raw(data, before="result"):
    def attack(answer):
        i = at(answer, before) if before else 0
        return answer[:i] + [(data, b"")]
    return attack


JOB = {
    "a result twice": repeated("result"),
    "done twice": repeated("done"),
    "the result before its mask": lambda answer: [answer[at(answer, "result")]] + [one for one in answer if one[0]["type"] != "result"],
    "no mask": lambda answer: [one for one in answer if one[0]["type"] != "blob"],
    "a mask of another size": lambda answer: [({**m, "width": 1, "height": 1}, p[:4]) if m["type"] == "blob" else (m, p) for m, p in answer],
    "a mask that is no numbers": with_payload("blob", lambda payload: NAN + payload[4:]),
    "a picture that is no numbers": with_payload("result", lambda payload: payload[:-4] + NAN),
    "a payload cut to the size that is announced": with_payload("result", lambda payload: payload[:-16]),
    "a payload with more than its size": with_payload("result", lambda payload: payload + bytes(16)),
    "no payload": with_payload("result", lambda payload: b""),
    "negative width": with_member("result", "width", -5),
    "width and height that wrap around": lambda answer: [({**m, "width": 2 ** 31, "height": 2 ** 31}, p) if m["type"] == "result" else (m, p)
                                                         for m, p in answer],
    "three channels": with_member("result", "channels", 3),
    "a box of texts": with_member("result", "box", ["1", "2", "3", "4"]),
    "a box of two": with_member("result", "box", [1, 2]),
    "a box outside": with_member("result", "box", [-40, -40, 10, 10]),
    "a box that wraps around": with_member("result", "box", [2 ** 31 - 1, 2 ** 31 - 1, 39, 35]),
    "no recipe": without_member("result", "recipe"),
    "a recipe that is a list": with_member("result", "recipe", [1]),
    "an empty recipe": with_member("result", "recipe", {}),
    "a recipe of junk": with_member("result", "recipe", {"task": [], "prompt": {}, "seed": "x", "variants": "many"}),
    "notes that are no texts": with_member("result", "notes", [1, None, {}, ["x"]]),
    "progress without numbers": with_member("progress", "step", {"a": 1}),
    "progress beyond its end": with_member("progress", "fraction", 1e300),
    "an error without a word": lambda answer: [({"type": "error", "id": answer[0][0]["id"]}, b"")],
    "an error of objects": lambda answer: [({"type": "error", "id": answer[0][0]["id"], "code": {}, "message": [1]}, b"")],
    "queued behind an object": lambda answer: [({"type": "queued", "id": answer[0][0]["id"], "ahead": {}}, b"")] + answer,
    "messages of no type that is known": lambda answer: [({"type": "surprise", "id": answer[0][0]["id"]}, b"")] + answer,
    "a type that is a number": with_member("progress", "type", 5),
    "an id that is an object": with_member("result", "id", {}),
    "bytes that are negative": raw(b'{"type":"result","id":1,"bytes":-4}\n'),
    "bytes that are an object": raw(b'{"type":"result","id":1,"bytes":{}}\n'),
    "bytes that are a fraction": raw(b'{"type":"result","id":1,"bytes":4.5}\n'),
    "a payload without end": raw(b'{"type":"result","id":1,"bytes":4611686018427387904}\n'),
    "a line without end": raw(b'{"type":"' + b"x" * (3 << 20)),
    "bytes that are no text": raw(b'{"type":"\xff\xfe\x00"}\n'),
    "brackets without end": raw(b"[" * 60000 + b"\n"),
    "objects within objects": raw(b'{"type":"note","id":1,"a":' + b'{"a":' * 800 + b"1" + b"}" * 801 + b"\n"),
    "a list instead of an object": raw(b"[1,2,3]\n"),
    "an empty line": raw(b"\n"),
    "twice the same member": raw(b'{"type":"done","type":"result","id":1,"id":2}\n'),
}
ESTIMATE = {
    "a context outside the canvas": {"region": {"context": [-5, 0, 500, 20], "box": [0, 0, 1, 1]}},
    "a context that wraps around": {"region": {"context": [2 ** 31 - 1, 0, 2 ** 31 - 1, 20]}},
    "a context without area": {"region": {"context": [3, 3, 0, 5]}},
    "a context of texts": {"region": {"context": ["a", "b", "c", "d"]}},
    "a region that is a list": {"region": [1]},
    "sizes that no picture has": {"size": [0, -3], "region": None},
    "a size of objects": {"size": [{}, {}], "region": {"context": {}}},
}
CRAFTED = [(name, "job", attack) for name, attack in JOB.items()] + \
    [(name, "estimate", lambda answer, change=change: [({**answer[0][0], **change}, b"")]) for name, change in ESTIMATE.items()]


def at_random(seed):
    """One to three members of the right answer's messages replaced by junk, cut, doubled or put elsewhere."""
    rng = random.Random(seed)

    def attack(answer):
        for _ in range(rng.randint(1, 3)):
            i = rng.randrange(len(answer))
            message, payload = answer[i]
            how = rng.random()
            if how < 0.7:
                message[rng.choice(sorted(message))] = rng.choice(JUNK)
            elif how < 0.8:
                answer[i] = (message, payload[:rng.randrange(len(payload) + 1)] + rng.choice([b"", NAN]))
            elif how < 0.9:
                answer.insert(rng.randrange(len(answer) + 1), copy.deepcopy(answer[i]))
            else:
                answer.insert(rng.randrange(len(answer)), answer.pop(i))
        return answer
    return f"random {seed}", "estimate" if rng.random() < 0.2 else "job", attack


def attack_of(number):
    """By its number: the crafted ones first."""
    return CRAFTED[number] if number < len(CRAFTED) else at_random(number)
