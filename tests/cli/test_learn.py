#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""test_learn.py ENGINE: `pentimento-engine learn`: what it reads, writes and refuses, and that it goes on after Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import tap
from files import Png, write_png

TINY = str(Path(os.environ["PMT_TEST_DATA"]) / "runs" / "tiny")


class Cli:
    def __init__(self, program, folder):
        self.program, self.folder = program, Path(folder)
        for i in range(2):
            write_png(self.folder / f"{i}.png", 80, 70, lambda x, y: (3 * x % 256, (y * (2 + 9 * i)) % 256, 128))
        (self.folder / "0.txt").write_text(" a red {} and a house\n")
        (self.folder / "1.txt").write_text("blue my-cat")

    def command(self, kind, *words):
        return [self.program, "learn", kind, "--model", TINY, "--image", "0.png", "--image", "1.png", "--size", "64x48", "--seed", "3", *map(str, words)]

    def run(self, *command):
        return subprocess.run([str(w) for w in command], capture_output=True, timeout=300, cwd=self.folder, stdin=subprocess.DEVNULL,
                              env=dict(os.environ, OMP_WAIT_POLICY="passive"))

    def learn(self, kind, *words):
        done = self.run(*self.command(kind, *words))
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    def refused(self, says, command):
        done = self.run(*command)
        text = done.stderr.decode()
        assert done.returncode == 1 and text.count("\n") == 1 and text.endswith(".\n") and says in text, (command, says, text)

    def picture(self, name, *words):
        done = self.run(self.program, "generate", "--model", TINY, "--prompt", "a my-cat", "--steps", 2, "--size", "64x48", "--seed", 1, "--out", name, *words)
        assert done.returncode == 0 and not done.stderr, done.stderr.decode()
        return Png(self.folder / name).rows


def test_word(cli):
    said = cli.learn("word", "--captions", "--word", "my-cat", "--thing", "circle", "--steps", 4, "--vectors", 2, "--text-rate", 0.05, "--out", "my-cat.safetensors")
    assert "my-cat.safetensors: 64 values in 4 steps" in said and "before" in said, said
    plain = cli.picture("plain.png")
    assert cli.picture("with.png", "--embedding", "my-cat.safetensors") != plain


def test_lora(cli):
    said = json.loads(cli.learn("lora", "--word", "blue", "--thing", "circle", "--steps", 3, "--rank", 4, "--texts", "true", "--rate", 0.01, "--prior", 2,
                                "--json", "--out", "lora.safetensors"))
    assert said["steps"] == 3 and said["values"] > 1000 and said["loss-before"] > 0 and said["loss-after"] > 0, said
    plain = cli.picture("plain.png")
    assert cli.picture("with.png", "--lora", "lora.safetensors") != plain
    assert cli.picture("without.png", "--lora", "lora.safetensors:0") == plain
    said = json.loads(cli.run(cli.program, "inspect", "lora.safetensors", "--json").stdout)
    assert said["kind"] == "lora" and not said["problems"], said


def test_goes_on(cli):
    words = ["--word", "my-cat", "--steps", 60, "--progress", "--out", "cut.safetensors"]
    started = subprocess.Popen([str(w) for w in cli.command("word", *words)], cwd=cli.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in started.stderr:
        if " learn 5/60" in line:
            started.send_signal(signal.SIGINT)
            break
    rest = started.communicate(timeout=120)[1]
    assert started.returncode == 130, (started.returncode, rest)
    assert (cli.folder / "cut.safetensors.learning").exists() and not (cli.folder / "cut.safetensors").exists()
    done = cli.run(*cli.command("word", *words))
    assert done.returncode == 0 and b"learn 0/60" not in done.stderr and b"learn 6/60" in done.stderr, done.stderr
    cli.learn("word", *words[:4], "--out", "whole.safetensors")
    assert (cli.folder / "cut.safetensors").read_bytes() == (cli.folder / "whole.safetensors").read_bytes()
    assert not (cli.folder / "cut.safetensors.learning").exists()


def test_refusals(cli):
    word = lambda *words: cli.command("word", "--word", "my-cat", "--out", "out.safetensors", *words)
    cli.refused("Nothing called 'dream' can be learned; there are word, lora.", cli.command("dream", "--out", "out.safetensors"))
    cli.refused("learn writes a file; name it with --out.", cli.command("word", "--word", "a"))
    cli.refused("learn needs pictures; name each with --image.", [cli.program, "learn", "word", "--out", "a"])
    cli.refused("cannot be a word to learn", cli.command("word", "--word", "my cat", "--out", "out.safetensors"))
    cli.refused("nowhere.png", word("--image", "nowhere.png"))
    (cli.folder / "2.txt").write_text("\n")
    write_png(cli.folder / "2.png", 8, 8, lambda x, y: (0, 0, 0))
    cli.refused("2.txt' is no caption", word("--image", "2.png", "--captions"))
    (cli.folder / "2.txt").unlink()
    cli.refused("The caption of '2.png' could not be read", word("--image", "2.png", "--captions"))
    cli.refused('"rank" has to be from 1 to 320', word("--rank", 0))
    cli.refused("lacks the word", word("--sentence", "a {}", "--image", "1.png", "--captions", "--word", "its-dog"))
    cli.refused("write {} where it stands", word("--sentence", "a picture"))
    cli.refused("multiples of 8", word("--size", "63x48"))
    cli.refused("have no use; leave them out", word("--prior", 3, "--thing", "circle"))
    cli.refused("name the kind of thing", cli.command("lora", "--word", "blue", "--prior", 2, "--out", "out.safetensors"))
    cli.refused("nowhere' does not exist; create it", word("--out", "nowhere/out.safetensors"))
    cli.refused("cannot be written; choose another name", word("--out", "."))
    assert not (cli.folder / "out.safetensors").exists()


def test_estimate(cli):
    few, many = (json.loads(cli.learn("lora", "--word", "blue", "--steps", n, "--estimate", "--json", "--out", "out.safetensors")) for n in (10, 1000))
    assert abs(few["memory-bytes"] - many["memory-bytes"]) < 1 << 20 < few["memory-bytes"] and few["fits"] and many["seconds"] > 20 * few["seconds"] > 0, (few, many)
    assert "of memory, of" in cli.learn("word", "--word", "my-cat", "--estimate", "--out", "out.safetensors")
    assert not (cli.folder / "out.safetensors").exists()


def test_tables(cli):
    told = json.loads(cli.run(cli.program, "methods", "--json").stdout)["learn"]
    assert [k["id"] for k in told["kinds"]] == ["word", "lora"] and all(k["steps"] > 0 and k["rate"] > 0 for k in told["kinds"]), told
    text = cli.run(cli.program, "learn", "--help").stdout.decode()
    for p in told["params"]:
        assert f"--{p['id']}=" in text, p


def main():
    with tempfile.TemporaryDirectory(prefix="pmt-learn-") as folder:
        tap.run(globals(), "learn", cli=Cli(os.path.abspath(sys.argv[1]), os.path.realpath(folder)))


if __name__ == "__main__":
    main()
