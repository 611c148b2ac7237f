#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""test_bench.py ENGINE: what bench measures on a tiny model, and what it says of options that do not go together."""

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import tap

TINY = str(Path(os.environ["PMT_TEST_DATA"]) / "runs" / "tiny")


class Cli:
    def __init__(self, program):
        self.program = program

    def run(self, *words):
        return subprocess.run([self.program, *map(str, words)], capture_output=True, timeout=600, stdin=subprocess.DEVNULL)

    def good(self, *words):
        done = self.run(*words)
        assert done.returncode == 0, (words, done.returncode, done.stderr.decode())
        return done

    def json(self, *words):
        return json.loads(self.good(*words, "--json").stdout)

    def bad(self, *words, say):
        """One sentence on stderr that says what is wrong; nothing on stdout."""
        done = self.run(*words)
        text = done.stderr.decode()
        assert done.returncode == 1 and text.count("\n") == 1 and text.endswith(".\n") and done.stdout == b"", (words, text, done)
        for word in say:
            assert word in text, (words, word, text)


def test_bench(cli):
    said = cli.json("bench", "--model", TINY, "--size", "64x48", "--rows", "2", "--threads", "2", "--precision", "f32")
    assert (said["precision"], said["threads"], said["width"], said["height"], said["rows"]) == ("f32", 2, 64, 48, 2)
    assert said["seconds_of"] == "clock" and said["cpu"] and said["peak_rss_bytes"] > 1 << 20
    assert said["ceiling"]["copy_gbs"] > 0 and "int8_gflops" in said["ceiling"]
    assert said["ceiling"]["f32_gflops"] >= said["ceiling"]["openblas_f32_gflops"] > 0
    for precision in ("f32", "bf16", "int8"):  # the best of the products there are
        of = [said["ceiling"][f"{kind}_{precision}_gflops"] for kind in ("tiles", "onednn")]
        of += [said["ceiling"]["openblas_f32_gflops"]] if precision == "f32" else []
        assert said["ceiling"][f"{precision}_gflops"] == max((speed for speed in of if speed is not None), default=None)
    assert set(said["networks"]) == {"unet", "vae_decode", "text"}
    for name, network in said["networks"].items():
        kinds = network["kinds"].values()
        assert set(network["kinds"]) == {"conv", "linear", "attention", "norm", "rest"} and network["weight_bytes"] > 0
        for of, least in (("seconds", 0.1), ("gflop", 0.8)):  # the kinds are all of it, but for time between operations as small as these
            assert least * network[of] <= sum(k[of] for k in kinds) <= 1.001 * network[of], (name, of, network)
        assert math.isclose(network["gflops"], network["gflop"] / network["seconds"])
        assert math.isclose(network["of_ceiling"], network["gflops"] / said["ceiling"]["f32_gflops"])
        assert math.isclose(network["gbytes"], sum(k["gbytes"] for k in kinds)) and "ops" not in network
        for k in kinds:
            assert math.isclose(k["of_copy"], k["gbs"] / said["ceiling"]["copy_gbs"]), (name, k)
    listed = cli.json("bench", "--model", TINY, "--size", "64x48", "--networks", "vae_decode", "--ops", "1")["networks"]["vae_decode"]
    for of in ("seconds", "gflop", "gbytes"):  # the operations are all of it
        assert math.isclose(sum(o[of] for o in listed["ops"]), sum(k[of] for k in listed["kinds"].values())), of
    norms = {o["shape"]: o for o in listed["ops"] if o["op"] == "group_norm"}
    shape, last = norms.popitem()
    values = math.prod(int(side) for side in shape.split("x"))
    both = 4 * last["calls"] * (2 * values + 2 * int(shape.split("x")[-1]))  # a map in, one out, scale and shift
    assert math.isclose(last["gbytes"] * 1e9, both), last
    assert [o["seconds"] for o in listed["ops"]] == sorted((o["seconds"] for o in listed["ops"]), reverse=True)
    text = cli.good("bench", "--model", TINY, "--size", "64x48", "--networks", "text", "--threads", "1", "--ops", "3").stdout.decode()
    assert len(re.findall(r"^  \S+ +[\dx]+ +\d", text, re.M)) == 3, text
    assert "\ntext  " in text and "of best" in text and "of the processor" in text and "unet" not in text
    cli.bad("bench", "--weights", "random:sd9", say=["sd9", "sdxl"])
    cli.bad("bench", "--weights", "nothing", say=["--weights", "random:sd15"])
    cli.bad("bench", "--model", TINY, "--size", "65x64", say=["65x64", "multiples"])
    cli.bad("bench", "--model", TINY, "--networks", "unet,paint", say=["paint", "vae_decode"])
    cli.bad("bench", "--model", TINY, "--precision", "int4", say=["int4", "bf16"])
    cli.bad("bench", "--model", TINY, "--runs", "0", say=["--runs"])
    cli.bad("bench", "--model", TINY, "--ops", "-1", say=["--ops"])
    cli.bad("bench", "--model", TINY, "--quick", say=["--scaling"])
    cli.bad("bench", "--model", TINY, "--scaling", "--rows", "2", say=["--scaling", "--rows"])
    back = cli.json("bench", "--model", TINY, "--size", "64x48", "--networks", "unet,unet_gradient", "--threads", "1")["networks"]
    assert 2 * back["unet"]["gflop"] < back["unet_gradient"]["gflop"] < 4 * back["unet"]["gflop"]


def test_bench_scaling(cli):
    done = cli.run("bench", "--model", TINY, "--scaling", "--quick", "--threads", "2")
    lines = done.stdout.decode().splitlines()
    slow = [line for line in lines if line.endswith("grows faster than its work")]  # a busy machine may say so; status and last words must agree
    table = [line.split() for line in lines if line[:7].strip() in ("1", "2")]
    assert [row[:3] for row in table] == [[t, f"{s}x{s}", r] for t in "12" for s in (256, 384, 512) for r in "12"], done
    for before, after in zip(table[::2], table[1::2]):  # twice the rows are twice the work
        assert math.isclose(2 * float(before[4]), float(after[4]), rel_tol=0.03), (before, after)
    if slow:
        assert done.returncode == 1 and b"grows faster than work" in done.stderr, done
    else:
        assert done.returncode == 0 and lines[-1] == "OK: time grows no faster than work", done


def test_bench_error(cli):
    said = cli.json("bench", "--model", TINY, "--size", "64x48", "--error", "--steps", "4", "--guidance", "3", "--seeds", "2", "--threads", "1")
    assert (said["steps"], said["seeds"], said["guidance"]) == (4, 2, 3.0) and said["latent_rms"] > 0 and 0 <= said["clipped"] <= 1
    errors = said["errors"]
    assert set(errors) == {"f32", "bf16", "int8", "deepcache", "token-merging", "guidance-interval"}
    assert errors["f32"]["latent_error"] == 0 and errors["f32"]["psnr"] == 999
    for name in ("deepcache", "token-merging", "guidance-interval"):
        assert 0 < errors[name]["latent_error"] < 10 and 0 < errors[name]["psnr"] < 999, errors
    for name in ("bf16", "int8"):  # where the processor has them
        assert "refused" in errors[name] or 0 < errors[name]["latent_error"] < 1, errors
    text = cli.good("bench", "--model", TINY, "--size", "64x48", "--error", "--steps", "1", "--methods", "deepcache", "--threads", "1").stdout.decode()
    assert [line.split()[0] for line in text.splitlines()[2:]] == ["against", "f32", "deepcache", "bf16", "int8"], text
    assert re.search(r"^deepcache +0\.00000 +999\.0 dB", text, re.M), text  # its first step is a whole one
    cli.bad("bench", "--model", TINY, "--error", "--precision", "bf16", say=["--error", "--precision"])
    cli.bad("bench", "--model", TINY, "--error", "--methods", "nothing", say=["nothing"])
    cli.bad("bench", "--model", TINY, "--error", "--seeds", "0", say=["--seeds"])


if __name__ == "__main__":
    tap.run(globals(), "cli-bench", cli=Cli(os.path.abspath(sys.argv[1])))
