#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""test_cli.py ENGINE: every command on tiny models: what it writes, what it says, how it stops."""

import json
import math
import os
import pty
import resource
import select
import signal
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import single_file
import tap
from files import Png, distance, read_safetensors, values, write_png, write_safetensors

DATA = Path(os.environ["PMT_TEST_DATA"])
TINY, TINY_V, OWN = str(DATA / "runs" / "tiny"), str(DATA / "runs" / "tiny-v"), DATA / "cli"
W, H = 90, 70
SAMPLERS = {"ddim", "euler", "euler-a", "dpmpp-2m", "dpmpp-2m-karras"}


class Cli:
    def __init__(self, program, folder):
        self.program, self.folder = program, Path(folder)
        # idle threads must not spin where many tests share the cores; estimates are measured into the test's own cache
        self.env = dict(os.environ, OMP_WAIT_POLICY="passive", XDG_CACHE_HOME=str(self.folder / "cache"))

    def path(self, name):
        return str(self.folder / name)

    def run(self, *words, **env):
        return subprocess.run([self.program, *map(str, words)], capture_output=True, timeout=300, env={**self.env, **env},
                              stdin=subprocess.DEVNULL, cwd=self.folder)

    def good(self, *words, **env):
        done = self.run(*words, **env)
        assert done.returncode == 0, (words, done.returncode, done.stderr.decode())
        return done

    def bad(self, *words, say=(), status=1):
        """One sentence on stderr that says what is wrong; nothing on stdout."""
        done = self.run(*words)
        text = done.stderr.decode()
        assert done.returncode == status, (words, done.returncode, text)
        assert text.count("\n") == 1 and text.endswith(".\n") and done.stdout == b"", (words, text, done.stdout)
        for word in say:
            assert word in text, (words, word, text)

    def json(self, *words):
        return json.loads(self.good(*words, "--json").stdout)


def picture(x, y):
    return (x * 255 // W, (y * 37 + x * x) % 256, 255 - y * 255 // H)


def selected(x, y):
    return (x - 50) ** 2 + (y - 35) ** 2 < 12 ** 2


def make_inputs(cli):
    write_png(cli.path("in.png"), W, H, picture)
    write_png(cli.path("mask.png"), W, H, lambda x, y: (255 * selected(x, y),), 1)
    write_png(cli.path("empty.png"), W, H, lambda x, y: (0,), 1)
    write_png(cli.path("other.png"), W + 3, H, lambda x, y: (255,), 1)
    Path(cli.path("text.png")).write_text("no picture\n")


def generate(cli, out, *more):
    return cli.good("generate", "--model", TINY, "--prompt", "a red circle", "--steps", 3, "--seed", 5, "--out", cli.path(out), *more)


def fill(cli, out, *more):
    return cli.good("fill", "--model", TINY, "--image", cli.path("in.png"), "--mask", cli.path("mask.png"), "--prompt", "a blue house",
                    "--steps", 3, "--seed", 5, "--out", cli.path(out), *more)


def test_help_and_version(cli):
    text = cli.good("--help").stdout.decode()
    for name in ("generate", "fill", "run", "inspect", "net", "schedule", "tokens", "methods", "samplers", "bench", "rank"):
        assert f"\n  {name} " in text, name
        shown = cli.good(name, "--help").stdout.decode()
        assert f"pentimento-engine {name}" in shown, shown
    assert cli.good("--version").stdout.startswith(b"pentimento-engine ")
    for option in ("prompt", "negative-prompt", "steps", "guidance", "sampler", "seed", "variants", "size", "noise", "dump-latents"):
        assert f"--{option}=" in cli.good("generate", "--help").stdout.decode(), option
    cli.bad("paint", say=["paint", "--help"])
    cli.bad("generate", "--colour", "red", say=["--colour", "--help"])
    cli.bad("generate", "word", say=["word"])
    cli.bad("inspect", say=["PATH"])
    assert cli.run().returncode == 1


def test_generate(cli):
    done = generate(cli, "a.png", "--size", "64x48")
    png = Png(cli.path("a.png"))
    assert (png.width, png.height, png.channels) == (64, 48, 3)
    assert done.stderr == b"" and b"a.png seed 5" in done.stdout, done
    recipe = json.loads(png.text["pentimento-recipe"])
    assert recipe["pentimento"] == 1 and recipe["task"] == "generate" and recipe["seed"] == 5 and recipe["size"] == [64, 48]
    assert recipe["steps"] == 3 and recipe["prompt"] == "a red circle" and recipe["precision"] == "f32"
    assert recipe["engine"] and recipe["cpu"] and recipe["threads"] >= 1 and len(recipe["model-hash"]) == 64


def test_recipes_in_pictures(cli):
    """A picture is a job file too; one that carries no recipe is not."""
    generate(cli, "told.png", "--size", "64x48")
    for name, words in (("told-again.png", ()), ("told-2.png", ("--out", cli.path("told-2.png")))):
        done = cli.good("run", cli.path("told.png"), *words)
        assert Path(cli.path(name)).read_bytes() == Path(cli.path("told.png")).read_bytes() and done.stderr == b"", done
    cli.bad("run", cli.path("in.png"), say=["in.png", "carries no recipe; "])
    cli.bad("run", cli.path("text.png"), say=["text.png"])
    cli.bad("run", cli.path("nowhere.png"), say=["nowhere.png"])


def test_sizes_are_rounded_and_said(cli):
    done = generate(cli, "b.png", "--size", "60x51")
    png = Png(cli.path("b.png"))
    assert (png.width, png.height) == (64, 48)
    assert "60×51 was rounded to 64×48" in done.stderr.decode(), done.stderr


def test_long_prompts_are_cut_and_said(cli):
    done = generate(cli, "c.png", "--prompt", "a red circle left of a blue house " * 4, "--long-prompts", "truncate")
    assert done.stderr.decode().startswith("The prompt is longer than the model can read, so its last "), done.stderr


def test_variants(cli):
    done = generate(cli, "v.png", "--variants", 2)
    first, second = (Path(cli.path(f"v-{i}.png")).read_bytes() for i in (1, 2))
    assert first != second and not Path(cli.path("v.png")).exists()
    assert b"v-1.png seed 5" in done.stdout and b"v-2.png seed 6" in done.stdout
    generate(cli, "v6.png", "--seed", 6)
    assert Path(cli.path("v6.png")).read_bytes() == second


def test_seed_is_chosen_and_told(cli):
    told = set()
    for _ in range(2):
        done = generate(cli, "s.png", "--seed", -1, "--steps", 1)
        seed = int(done.stdout.split()[-1])
        assert json.loads(Png(cli.path("s.png")).text["pentimento-recipe"])["seed"] == seed
        told.add(seed)
    assert len(told) == 2


def test_run_makes_the_same_bytes(cli):
    generate(cli, "g.png", "--negative-prompt", "blurry", "--sampler", "euler-a")
    Path(cli.path("g.json")).write_text(Png(cli.path("g.png")).text["pentimento-recipe"])
    kept = Path(cli.path("g.png")).read_bytes()
    cli.good("run", "g.json", "--out", cli.path("again.png"))
    assert Path(cli.path("again.png")).read_bytes() == kept
    os.remove(cli.path("g.png"))
    cli.good("run", "g.json")  # written beside the job
    assert Path(cli.path("g.png")).read_bytes() == kept


def test_run_of_a_fill_takes_files_beside_the_job(cli):
    fill(cli, "f.png")
    recipe = json.loads(Png(cli.path("f.png")).text["pentimento-recipe"])
    os.makedirs(cli.path("jobs"), exist_ok=True)
    Path(cli.path("jobs/f.json")).write_text(json.dumps({**recipe, "image": "../in.png", "mask": "../mask.png"}))
    cli.good("run", "jobs/f.json")
    assert Path(cli.path("jobs/f.png")).read_bytes() == Path(cli.path("f.png")).read_bytes()
    Path(cli.path("jobs/bad.json")).write_text("{")
    cli.bad("run", "jobs/bad.json", say=["jobs/bad.json", "JSON"])
    cli.bad("run", "jobs/none.json", say=["jobs/none.json"])
    Path(cli.path("jobs/bad.json")).write_text(json.dumps({**recipe, "image": "gone.png"}))
    cli.bad("run", "jobs/bad.json", say=["jobs/gone.png"])
    Path(cli.path("jobs/bad.json")).write_text(json.dumps({**recipe, "stepps": 3}))
    cli.bad("run", "jobs/bad.json", say=["stepps"])


def test_fill_changes_nothing_outside_the_mask(cli):
    fill(cli, "f.png", "--out-layer", cli.path("layer.png"))
    before, after, layer = Png(cli.path("in.png")), Png(cli.path("f.png")), Png(cli.path("layer.png"))
    region = json.loads(after.text["pentimento-recipe"])["region"]
    inside = [(x, y) for y in range(H) for x in range(W) if selected(x, y)]
    assert (after.width, after.height, after.channels) == (W, H, 3) and (layer.width, layer.channels) == (W, 4)
    assert region["canvas"] == [W, H] and region["feather"] > 0, region
    changed = 0
    for y in range(H):
        for x in range(W):
            alpha = layer[x, y][3]
            near = min(math.hypot(x - i, y - j) for i, j in inside)
            if selected(x, y):
                assert alpha == 255
                changed += before[x, y] != after[x, y]
            if near > region["grow"] + region["feather"]:
                assert alpha == 0, (x, y)
            if alpha == 0:
                assert before[x, y] == after[x, y], (x, y)
            if alpha == 255:  # blends of 0.998 are written so too
                assert all(abs(a - b) <= 1 for a, b in zip(layer[x, y], after[x, y])), (x, y)
    assert changed > 0.8 * len(inside)


def test_fill_of_pictures_with_alpha(cli):
    write_png(cli.path("alpha.png"), W, H, lambda x, y: picture(x, y) + (0 if x < 45 else 255,), 4)
    fill(cli, "fa.png", "--image", cli.path("alpha.png"))
    before, after = Png(cli.path("alpha.png")), Png(cli.path("fa.png"))
    assert after.channels == 4 and after[50, 35][3] == 255
    assert all(before[x, 0] == after[x, 0] for x in range(W))


def test_empty_masks_mean_everything(cli):
    done = fill(cli, "e.png", "--mask", cli.path("empty.png"))
    assert "whole picture" in done.stderr.decode(), done.stderr
    before, after = Png(cli.path("in.png")), Png(cli.path("e.png"))
    assert sum(before[x, y] != after[x, y] for x in range(W) for y in range(H)) > 0.9 * W * H


def test_bad_input_gets_a_sentence(cli):
    out = ("--out", cli.path("never.png"))
    tiny = ("--model", TINY, "--prompt", "a")
    given = ("--image", cli.path("in.png"), "--mask", cli.path("mask.png"))
    Path(cli.path("pickle.ckpt")).write_bytes(b"\x80\x02}q\x00X\x01\x00\x00\x00aq\x01K\x01s.")
    os.makedirs(cli.path("hollow"), exist_ok=True)
    cut = Path(TINY, "unet", "diffusion_pytorch_model.safetensors").read_bytes()
    Path(cli.path("cut.safetensors")).write_bytes(cut[:len(cut) // 2])
    write_safetensors(cli.path("noise.safetensors"), {"noise": ("F32", [1, 4, 2, 2], bytes(64))})
    cases = [
        (("generate", *tiny), ["--out"]),
        (("generate", "--model", "/none/such", *out), ["/none/such"]),
        (("generate", "--model", cli.path("hollow"), *out), ["hollow"]),
        (("generate", "--model", cli.path("cut.safetensors"), *out), ["cut.safetensors"]),
        (("generate", "--model", cli.path("pickle.ckpt"), *out), ["pickle.ckpt"]),
        (("generate", *tiny, "--out", cli.path("x.bmp")), ["x.bmp", ".png"]),
        (("generate", *tiny, "--out", cli.path("none/x.png")), ["none"]),
        (("generate", *tiny, *out, "--size", "64"), ["64", "WIDTHxHEIGHT"]),
        (("generate", *tiny, *out, "--size", "64x"), ["64x"]),
        (("generate", *tiny, *out, "--size", "0x64"), ["0x64"]),
        (("generate", *tiny, *out, "--steps", "many"), ["steps"]),
        (("generate", *tiny, *out, "--steps", "0.5"), ["steps"]),
        (("generate", *tiny, *out, "--guidance", "99"), ["guidance"]),
        (("generate", *tiny, *out, "--sampler", "eular"), ["eular", "euler"]),
        (("generate", *tiny, *out, "--precision", "int4"), ["int4", "f32"]),
        (("generate", *tiny, *out, "--threads", "-2"), ["--threads"]),
        (("generate", *tiny, *out, "--method", "magic"), ["magic"]),
        (("generate", *tiny, *out, "--method", "guidance:rescale"), ["rescale"]),
        (("generate", *tiny, *out, "--method", "guidance:rescale=2"), ["rescale"]),
        (("generate", *tiny, *out, "--mask", cli.path("mask.png")), ["mask", "image"]),
        (("generate", *tiny, *out, "--noise", cli.path("noise.safetensors")), ["16", "256"]),
        (("generate", *tiny, *out, "--noise", cli.path("text.png")), ["text.png"]),
        (("fill", *tiny, *out), ["--image"]),
        (("fill", *tiny, *out, *given, "--image", cli.path("none.png")), ["none.png"]),
        (("fill", *tiny, *out, *given, "--image", cli.path("text.png")), ["text.png"]),
        (("fill", *tiny, *out, *given, "--mask", cli.path("other.png")), ["93×70", "90×70"]),
        (("fill", *tiny, *out, *given, "--context", "some"), ["auto"]),
        (("fill", *tiny, *out, *given, "--grow", "-3"), ["--grow"]),
        (("fill", *tiny, *out, *given, "--out-layer", cli.path("layer.jpg")), ["layer.jpg"]),
        (("inspect", cli.path("none")), ["none"]),
        (("schedule", "--model", TINY, "--sampler", "eular"), ["eular"]),
        (("schedule", "--model", TINY, "--steps", "0"), ["steps"]),
        (("tokens", "--model", TINY), ["--prompt"]),
        (("net", "unet", "--model", TINY), ["--in"]),
        (("net", "unit", "--model", TINY, "--in", "a", "--out", "b"), ["unit", "vae-decode", "t2i-adapter"]),
        (("net", "unet", "--model", TINY, "--in", cli.path("noise.safetensors"), "--out", cli.path("b")), ["sample", "noise"]),
    ]
    for words, say in cases:
        cli.bad(*words, say=say)
    assert not Path(cli.path("never.png")).exists()


def test_users_limit_of_memory(cli):
    """A number of MiB; anything else is told before anything is done."""
    few = subprocess.run([cli.program, "generate", "--model", TINY, "--prompt", "a", "--size", "1536x1536", "--steps", "1", "--out", cli.path("few.png")],
                         capture_output=True, env=dict(cli.env, PENTIMENTO_MEMORY="20"), timeout=300)
    assert few.returncode == 1 and b"memory" in few.stderr and few.stderr.count(b"\n") == 1, few
    for wrong in ("much", "0", "-5", "3G"):
        done = subprocess.run([cli.program, "--version"], capture_output=True, env=dict(cli.env, PENTIMENTO_MEMORY=wrong))
        assert done.returncode == 1 and done.stderr.decode() == f"PENTIMENTO_MEMORY={wrong} is not a number of MiB; set it to one or unset it.\n", done


def test_too_little_memory_is_told_before_the_run(cli):
    """With a gigabyte and a half of addresses, a picture that needs more; the file that was there stays."""
    Path(cli.path("kept.png")).write_bytes(b"old")
    limit = 1536 << 20
    done = subprocess.run([cli.program, "generate", "--model", TINY, "--prompt", "a", "--size", "4096x4096", "--threads", "1", "--out",
                           cli.path("kept.png")], capture_output=True, stdin=subprocess.DEVNULL,
                          env=dict(cli.env, OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1"), timeout=300,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))
    text = done.stderr.decode()
    assert done.returncode == 1 and text.count("\n") == 1 and "memory" in text.lower() and "iB" in text, (done.returncode, text)
    assert Path(cli.path("kept.png")).read_bytes() == b"old"
    assert not [name for name in os.listdir(cli.folder) if name.startswith("kept.png") and name != "kept.png"]


def runs_case(name):
    stored = json.loads((DATA / "runs" / "runs.json").read_text())
    return next(case for case in stored["cases"] if case["name"] == name), read_safetensors(DATA / "runs" / "runs.safetensors")


def test_latents_agree_with_diffusers(cli):
    """Whole runs from seeds: text, given noise, from a picture, and filling with the nine-channel network."""
    for name in ("text-dpmpp-2m", "text-rescale", "text-noise", "v-euler", "image-ddim", "fill9-euler-a"):
        case, tensors = runs_case(name)
        width, height = 64, 48
        rgb, mask = values(tensors["picture"]), values(tensors["mask"])
        write_png(cli.path("p.png"), width, height, lambda x, y: tuple(round(255 * v) for v in rgb[3 * (y * width + x):][:3]))
        write_png(cli.path("m.png"), width, height, lambda x, y: (round(255 * mask[y * width + x]),), 1)
        words = ["generate", "--model", TINY_V if case["model"] == "tiny-v" else TINY, "--prompt", case["prompt"], "--negative-prompt",
                 case["negative"], "--steps", case["steps"], "--guidance", case["guidance"], "--seed", case["seed"], "--sampler",
                 case["sampler"], "--size", f"{width}x{height}", "--out", cli.path("p-out.png"), "--dump-latents",
                 cli.path("l.safetensors")]
        if case["rescale"]:
            words += ["--method", f"guidance:rescale={case['rescale']}"]
        if case["noise"]:
            write_safetensors(cli.path("n.safetensors"), {"latents": tensors[name + ".noise"]})
            words += ["--noise", cli.path("n.safetensors")]
        if case["task"] != "text":
            words += ["--image", cli.path("p.png"), "--strength", case["strength"]]
        if case["task"] == "fill9":
            words += ["--mask", cli.path("m.png")]
        cli.good(*words)
        got = read_safetensors(cli.path("l.safetensors"))["latents"]
        assert got[1] == [1, 4, 6, 8], got[1]
        far = distance(values(got), values(tensors[name + ".latent"]))
        assert far < 1e-3, (name, far)
        png, image = Png(cli.path("p-out.png")), values(tensors[name + ".image"])
        worst = max(abs(png[x, y][c] / 255 - image[3 * (y * width + x) + c]) for y in range(height) for x in range(width) for c in range(3))
        assert worst < 1e-3 + 0.5 / 255, (name, worst)


def net(cli, model, name, inputs):
    write_safetensors(cli.path("net-in.safetensors"), inputs)
    cli.good("net", name, "--model", model, "--in", cli.path("net-in.safetensors"), "--out", cli.path("net-out.safetensors"))
    return read_safetensors(cli.path("net-out.safetensors"))


def test_networks_agree_with_diffusers_from_folder_and_single_file(cli):
    single = cli.path("single.safetensors")
    single_file.convert(OWN / "model", single)
    for io, name in (("unet", "unet"), ("unet-residuals", "unet"), ("vae-encode", "vae-encode"), ("vae-decode", "vae-decode"),
                     ("text", "text")):
        stored = read_safetensors(OWN / f"io-{io}.safetensors")
        inputs = {k: v for k, v in stored.items() if not k.startswith("out.")}
        wanted = {k[4:]: v for k, v in stored.items() if k.startswith("out.")}
        got = net(cli, OWN / "model", name, inputs)
        assert set(got) == set(wanted), (io, set(got))
        for key, tensor in wanted.items():
            assert got[key][0] == "F32" and got[key][1] == tensor[1], (io, key, got[key][1], tensor[1])
            far = distance(values(got[key]), values(tensor))
            assert far < 1e-4, (io, key, far)
        assert net(cli, single, name, inputs) == got, f"{io}: the single file gives something else than the folder"


def test_image_encoder_agrees_with_transformers(cli):
    folder = DATA / "grounding" / "image_encoder"
    io = read_safetensors(folder / "io.safetensors")
    got = net(cli, folder, "image-encoder", {"pixel_values": io["pixels"]})
    for name, wanted in (("last_hidden_state", "hidden.0"), ("hidden_states.2", "hidden.1"), ("image_embeds", "embeds")):
        assert got[name][1] == io[wanted][1] and distance(values(got[name]), values(io[wanted])) < 1e-4, name
    single = net(cli, folder / "model.safetensors", "image-encoder", {"pixel_values": io["pixels"]})
    assert single == got
    cli.bad("net", "image-encoder", "--model", TINY, "--in", cli.path("net-in.safetensors"), "--out", cli.path("x.safetensors"),
            say=["no image encoder"])


def test_networks_of_other_families_agree_with_diffusers(cli):
    families = DATA / "families"
    for model, name in (("sdxl", "unet"), ("sdxl", "text"), ("sdxl", "text2"), ("lcm", "unet")):
        stored = read_safetensors(families / f"io-{model}-{name}.safetensors")
        wanted = {k[4:]: v for k, v in stored.items() if k.startswith("out.")}
        got = net(cli, families / model, name, {k: v for k, v in stored.items() if not k.startswith("out.")})
        assert set(got) == set(wanted), (model, name, set(got))
        for key, tensor in wanted.items():
            far = distance(values(got[key]), values(tensor))
            assert got[key][1] == tensor[1] and far < 1e-4, (model, name, key, far)
    stored = read_safetensors(families / "io-sdxl-unet.safetensors")
    for drop, say in (("time_ids", "0 time ids"), ("text_embeds", "pooled text of 0")):
        write_safetensors(cli.path("bad-in.safetensors"), {k: v for k, v in stored.items() if k != drop and not k.startswith("out.")})
        cli.bad("net", "unet", "--model", families / "sdxl", "--in", cli.path("bad-in.safetensors"), "--out",
                cli.path("bad-out.safetensors"), say=[say])
    cli.bad("net", "text2", "--model", OWN / "model", "--in", families / "io-sdxl-text.safetensors", "--out",
            cli.path("bad-out.safetensors"), say=["one text encoder"])


def test_networks_refuse_what_does_not_fit(cli):
    stored = read_safetensors(OWN / "io-unet-residuals.safetensors")
    good = {k: v for k, v in stored.items() if not k.startswith("out.")}
    narrow = ("F32", [2, 4, 6, 9], bytes(2 * 4 * 6 * 9 * 4))
    cases = [({"extra": narrow}, ["extra"]), ({"sample": ("F32", [2, 3, 6, 10], bytes(2 * 3 * 60 * 4))}, ["sample", "2×3×6×10"]),
             ({"timestep": ("F32", [3], bytes(12))}, ["timestep"]), ({"down_block_additional_residuals.9": narrow}, ["residuals.9"]),
             ({"encoder_hidden_states": ("F32", [1, 7, 64], bytes(7 * 64 * 4))}, ["encoder_hidden_states"]),
             ({"mid_block_additional_residual": narrow}, ["mid_block_additional_residual"])]
    for change, say in cases:
        write_safetensors(cli.path("bad-in.safetensors"), {**good, **change})
        cli.bad("net", "unet", "--model", OWN / "model", "--in", cli.path("bad-in.safetensors"), "--out", cli.path("bad-out.safetensors"),
                say=say)
    write_safetensors(cli.path("bad-in.safetensors"), {"input_ids": ("I64", [1, 2], struct.pack("<2q", 3, 60))})
    cli.bad("net", "text", "--model", OWN / "model", "--in", cli.path("bad-in.safetensors"), "--out", cli.path("bad-out.safetensors"),
            say=["60"])
    assert not Path(cli.path("bad-out.safetensors")).exists()


def test_control_networks_agree_with_diffusers(cli):
    given = {"sample", "timestep", "encoder_hidden_states", "controlnet_cond", "conditioning_scale", "text_embeds", "time_ids", "x"}
    for folder, name in (("controlnet-sd1", "controlnet"), ("controlnet-xl", "controlnet"), ("t2i-full", "t2i-adapter"),
                         ("t2i-light-grey", "t2i-adapter")):
        model = DATA / "nets" / folder
        stored = read_safetensors(model / "io.safetensors")
        count = sum(k.isdigit() for k in stored)
        for guess in ("", "guess.") if name == "controlnet" else ("",):
            inputs = {k: v for k, v in stored.items() if k in given}
            if guess:
                inputs["guess_mode"] = ("F32", [1], struct.pack("<f", 1))
            got = net(cli, model, name, inputs)
            assert len(got) == count, (folder, set(got))
            for k in range(count):
                key = f"features.{k}" if name != "controlnet" else f"down_block_res_samples.{k}" if k + 1 < count else "mid_block_res_sample"
                wanted = stored[f"{guess}{k}"]
                assert got[key][1] == wanted[1], (folder, key)
                assert distance(values(got[key]), values(wanted)) < 1e-4, (folder, key)
    model = DATA / "nets" / "t2i-full"
    ends = ("--in", model / "io.safetensors", "--out", cli.path("o"))
    cli.bad("net", "controlnet", "--model", model, *ends, say=["t2i-full", "T2I-Adapter", "ControlNet"])
    cli.bad("net", "t2i-adapter", *ends, say=["--model"])
    cli.bad("net", "controlnet", "--model", DATA / "nets" / "controlnet-sd1", *ends, say=["sample", "t2i-full"])


def test_lists(cli):
    assert {s["id"] for s in cli.json("samplers")} >= SAMPLERS
    listed = cli.good("samplers").stdout.decode()
    assert all(f"{name} " in listed for name in SAMPLERS), listed
    methods = cli.json("methods")
    assert {p["id"] for p in methods["tasks"]["fill"]} >= {"prompt", "steps", "strength", "colour-match"}
    assert all(p["label"] and p["help"] and p["type"] for task in methods["tasks"].values() for p in task)
    assert isinstance(methods["methods"], list) and not [m for m in methods["methods"] if m["id"] == "noop"]
    assert "task generate" in cli.good("methods").stdout.decode()


def test_rank(cli):
    """The order is that of scores as transformers' CLIPModel has them, and of colours that were made to be so."""
    folder = DATA / "ranking"
    images = [w for name in ("waves", "red", "noise") for w in ("--image", folder / f"{name}.png")]
    for prompt, scores in json.loads((folder / "scores.json").read_text())["scores"].items():
        ranked = cli.json("rank", f"clip:encoder={folder / 'clip'},prompt={prompt}", *images)
        assert [Path(r["image"]).stem for r in ranked] == sorted(scores, key=scores.get, reverse=True)
        for r in ranked:
            assert abs(r["score"] - scores[Path(r["image"]).stem]) < 1e-3, (r, scores)
    red = cli.json("rank", "colours:colours=#e60000; #000000", *images)
    assert Path(red[0]["image"]).stem == "red" and abs(red[0]["score"]) < 1e-3 and red[1]["score"] < -0.1
    place = cli.json("rank", "colours:colours=e60000,left=0.45,right=0.55,top=0.45,bottom=0.55", *images, "--keep", "1")
    assert [Path(r["image"]).stem for r in place] == ["red"]
    same = cli.json("rank", "colours", "--image", folder / "red.png", "--image", folder / "red.png")
    assert len(same) == 2 and same[0] == same[1]
    assert cli.good("rank", "colours", *images).stdout.decode().count("\n") == 3
    cli.bad("rank", "beauty", *images, say=["beauty", "colours", "clip"])
    cli.bad("rank", "colours:colours=red", *images, say=["red", "#cc2020"])
    cli.bad("rank", "colours:hue", *images, say=["hue", "key=value"])
    cli.bad("rank", "colours:left=1", *images, say=["left"])
    cli.bad("rank", "clip:prompt=a", *images, say=["encoder"])
    cli.bad("rank", f"clip:prompt=a,encoder={TINY}/text_encoder", *images, say=["text_encoder"])
    cli.bad("rank", "colours", say=["--image"])
    cli.bad("rank", "colours", *images, "--keep", "-1", say=["--keep"])


def test_the_page_of_methods(cli):
    """data/methods.md says of each method what the engine says, and of no other."""
    root = Path(__file__).resolve().parents[2]
    page, program = root / "data" / "methods.md", root / "build-aux" / "methods-page.py"
    check = lambda at: subprocess.run([sys.executable, program, cli.program, at, "--check"], capture_output=True, text=True, env={**cli.env, "LC_ALL": "C"}, check=False)
    done = check(page)
    assert done.returncode == 0, done.stderr
    text = page.read_text(encoding="utf-8")
    for change, say in ((text.replace("## edict", "## edikt"), "edict"), (text.replace("\nNot for: another thing.", "\n"), "masactrl"),
                        (text.replace("| `refinements` | 20 |", "| `refinements` | 21 |"), "is not what the engine says")):
        assert change != text
        other = Path(cli.path("methods.md"))
        other.write_text(change, encoding="utf-8")
        done = check(other)
        assert done.returncode == 1 and say in done.stderr, (say, done.stderr)


def test_bench_methods(cli):
    timed = cli.json("bench", "--model", TINY, "--size", "64x48", "--methods", "gradient", "--steps", "2")
    computed = cli.json("bench", "--model", TINY, "--size", "64x48", "--methods", "all", "--computed")
    assert list(timed["methods"])[0] == "plain" and timed["methods"]["plain"]["work_of_plain"] == 1 and timed["steps"] == 2
    assert set(timed["methods"]) == {"plain", "attend-and-excite", "layout-backward", "attention-refocusing", "self-guidance", "pix2pix-zero", "universal-guidance",
                                     "null-text"} < set(computed["methods"])
    for name, row in timed["methods"].items():
        assert "refused" not in row and row["seconds_per_step"] > 0 and row["activation_bytes"] > 0, name
        assert name == "plain" or row["work_of_plain"] > 1.1, (name, row)
        assert row["gflop_per_step"] == computed["methods"][name]["gflop_per_step"] and "seconds_per_step" not in computed["methods"][name]
    assert all("refused" not in row for row in computed["methods"].values()), computed["methods"]
    text = cli.good("bench", "--model", TINY, "--size", "64x48", "--methods", "edict", "--computed").stdout.decode()
    assert "\nedict " in text and "x plain" in text and "excite" not in text
    cli.bad("bench", "--model", TINY, "--methods", "edict,magic", say=["magic", "gradient"])
    cli.bad("bench", "--model", TINY, "--methods", "all", "--steps", "-1", say=["--steps"])


def test_schedule(cli):
    for sampler in SAMPLERS:
        told = cli.json("schedule", "--model", TINY, "--sampler", sampler, "--steps", 7)
        assert told["sampler"] == sampler and len(told["timesteps"]) == 7 and len(told["sigmas"]) == 8, told
        assert told["sigmas"] == sorted(told["sigmas"], reverse=True) and told["timesteps"] == sorted(told["timesteps"], reverse=True)
    # DDIM, leading spacing with offset 1 (formats: 1000 // 7 = 142)
    assert cli.json("schedule", "--model", TINY, "--sampler", "ddim", "--steps", 7)["timesteps"] == [853, 711, 569, 427, 285, 143, 1]
    assert len(cli.good("schedule", "--model", TINY, "--steps", 4).stdout.splitlines()) == 5


def test_tokens(cli):
    told = cli.json("tokens", "--model", TINY, "--prompt", "a red circle")
    assert told["count"] == 3 and told["limit"] == 18 and told["cut"] == 0 and len(told["ids"]) == 20, told
    assert [t["symbol"] for t in told["tokens"]] == ["a</w>", "red</w>", "circle</w>"], told
    assert told["ids"][1:4] == [t["id"] for t in told["tokens"]]
    told = cli.json("tokens", "--model", TINY, "--prompt", "red " * 30, "--long-prompts", "truncate")
    assert told["count"] == 30 and told["cut"] == 12 and told["chunks"] == 1, told
    told = cli.json("tokens", "--model", TINY, "--prompt", "red " * 30)
    assert told["cut"] == 0 and told["counts"] == [18, 12] and told["ends"] == [4 * 18] and len(told["ids"]) == 40, told
    assert "3 of 18 tokens" in cli.good("tokens", "--model", TINY, "--prompt", "a red circle").stdout.decode()
    hut = DATA / "prompts" / "learned" / "hut.safetensors"
    text = "a (red:1.5) BREAK <HUT>, <lora:x:1>"
    told = cli.json("tokens", "--model", TINY, "--prompt", text, "--embedding", hut)
    assert told["words"] == ["<hut>"] and told["counts"] == [2, 2] and told["ends"] == [text.index("<HUT>")], told
    assert [text[t["begin"]:t["end"]] for t in told["tokens"]] == ["a", "red", "<HUT>", ","], told
    assert [t["weight"] for t in told["tokens"]] == [1, 1.5, 1, 1] and told["tokens"][2]["id"] >= 534
    assert cli.json("tokens", "--model", TINY, "--prompt", text, "--prompt-syntax", "plain")["chunks"] == 2
    shown = cli.good("tokens", "--model", TINY, "--prompt", text).stdout.decode()
    assert "× 1.5" in shown and "chunk 2" in shown, shown
    cli.bad("tokens", "--model", TINY, "--prompt", "a", "--embedding", DATA / "rng.json", say=["rng.json"])
    cli.bad("tokens", "--model", TINY, "--prompt", "a", "--long-prompts", "fold", say=["long-prompts", "chunks"])


def test_inspect(cli):
    told = cli.json("inspect", TINY)
    assert told["problems"] == [] and {c["name"] for c in told["components"]} >= {"unet", "vae", "text_encoder"}, told
    assert told["prediction_type"] == "epsilon" and cli.json("inspect", TINY_V)["prediction_type"] == "v_prediction"
    assert "problems     none" in cli.good("inspect", TINY).stdout.decode()
    Path(cli.path("old.ckpt")).write_bytes(b"\x80\x02}q\x00.")
    assert cli.json("inspect", cli.path("old.ckpt"))["problems"]
    # header only: what the file is, what it goes with; data that is 40 GB of nothing
    for shape, tensor, said in (([1, 768], "emb_params", ["kind         embedding", "Stable Diffusion 1.x", "needs        a Stable Diffusion 1.x model"]),
                                ([1 << 21, 4800], "x.lora_down.weight", ["kind         lora", "problems     none"])):
        size = 4 * shape[0] * shape[1]
        head = json.dumps({tensor: {"dtype": "F32", "shape": shape, "data_offsets": [0, size]}}).encode()
        with open(cli.path("big.safetensors"), "wb") as file:
            file.write(len(head).to_bytes(8, "little") + head)
            file.truncate(8 + len(head) + size)
        start = time.monotonic()
        shown = cli.good("inspect", cli.path("big.safetensors")).stdout.decode()
        assert time.monotonic() - start < 1 and all(s in shown for s in said), shown


def test_prompts_in_other_scripts_and_locales(cli):
    for locale in ("C", "C.UTF-8"):
        done = cli.good("generate", "--model", TINY, "--prompt", "ein grünes Haus 🐟", "--steps", 1, "--seed", 1, "--out",
                        cli.path("ü.png"), LC_ALL=locale)
        assert json.loads(Png(cli.path("ü.png")).text["pentimento-recipe"])["prompt"] == "ein grünes Haus 🐟"
    done = subprocess.run([cli.program, "generate", "--model", TINY, "--prompt", b"\xff\xfe", "--out", cli.path("n.png")],
                          capture_output=True, env=cli.env)
    assert done.returncode == 1 and b"UTF-8" in done.stderr, done


def test_progress(cli):
    done = generate(cli, "q.png")
    assert done.stderr == b"", done.stderr  # silent where nobody looks
    done = generate(cli, "q.png", "--progress")
    assert b"sample 3/3" in done.stderr and b"%" in done.stderr, done.stderr
    master, slave = pty.openpty()
    process = subprocess.Popen([cli.program, "generate", "--model", TINY, "--prompt", "a", "--steps", "40", "--out", cli.path("q.png")],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=slave, env=cli.env)
    os.close(slave)
    seen = b""
    while True:
        try:
            piece = os.read(master, 4096)
        except OSError:
            break
        if not piece:
            break
        seen += piece
    assert process.wait(60) == 0 and b"\r[" in seen and b" left" in seen and b"\n" not in seen.strip(), seen[-300:]


def start_long_run(cli, *more):
    """A run of a thousand steps that has begun to sample."""
    process = subprocess.Popen([cli.program, "generate", "--model", TINY, "--prompt", "a", "--steps", "1000", "--size", "512x512", "--seed",
                                "1", "--progress", "--out", cli.path("kept.png"), *more],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=cli.env)
    seen = b""
    end = time.monotonic() + 120
    while b"sample 2/" not in seen:
        assert time.monotonic() < end and process.poll() is None, seen
        if select.select([process.stderr], [], [], 1)[0]:
            seen += os.read(process.stderr.fileno(), 4096)
    return process


def test_signals_stop_within_half_a_second(cli):
    Path(cli.path("kept.png")).write_bytes(b"old")
    for number in (signal.SIGINT, signal.SIGTERM):
        process = start_long_run(cli)
        start = time.monotonic()
        process.send_signal(number)
        status = process.wait(20)
        took = time.monotonic() - start
        said = process.stderr.read()
        process.stdout.close()
        process.stderr.close()
        assert status == 130, (number, status, said)
        # where others want the cores too, half a second of work takes longer
        assert took < 0.5 * max(1, os.getloadavg()[0] / (os.cpu_count() or 1)), took
        print(f"# stopped after {took:.2f} s", flush=True)
        assert Path(cli.path("kept.png")).read_bytes() == b"old"
    assert not [name for name in os.listdir(cli.folder) if name.startswith("kept.png") and name != "kept.png"]


def test_output_that_cannot_be_written_is_said(cli):
    if not os.path.exists("/dev/full"):
        raise AssertionError("this system has no /dev/full")
    with open("/dev/full", "wb") as full:
        done = subprocess.run([cli.program, "samplers", "--json"], stdout=full, stderr=subprocess.PIPE, env=cli.env)
    assert done.returncode == 1 and done.stderr.strip(), done


def main():
    with tempfile.TemporaryDirectory(prefix="pmt-cli-") as folder:
        cli = Cli(os.path.abspath(sys.argv[1]), folder)
        make_inputs(cli)
        tap.run(globals(), "cli", cli=cli)


if __name__ == "__main__":
    main()
