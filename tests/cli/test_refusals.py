#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""test_refusals.py ENGINE: what a user reads who brings the wrong file or number: one sentence on stderr that says what, where and what to
do next, and status 1, before anything heavy is loaded. Models and files are headers without values (lists.py), so nothing here could run
if it were not refused; what is only noted runs on the tiny models. Every sentence is printed, to be read."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import lists
import tap
from files import Png, read_safetensors, write_png, write_safetensors

DATA = Path(os.environ["PMT_TEST_DATA"])
LORAS, CONTROLS = DATA / "loras", DATA / "controls"
PICKLE = b"\x80\x02}q\x01(X\x05\x00\x00\x00stateq\x02K\x01u."
SSD_1B = [("model.diffusion_model.input_blocks.0.0.weight", "F16", [320, 4, 3, 3]),
          ("model.diffusion_model.input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight", "F16", [640, 2048])]
TINY_SD = [("down_blocks.0.resnets.0.time_emb_proj.weight", "F16", [320, 1280]),
           ("down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight", "F16", [320, 768])]


class Cli:
    def __init__(self, program, folder):
        self.program, self.folder, self.rows = program, folder, lists.read()

    def sparse(self, name, rows=None, **how):
        path = self.folder / (name + ".safetensors")
        return str(path) if path.exists() else lists.write(path, self.rows[name] if rows is None else rows, **how)

    def run(self, *words):
        return subprocess.run([self.program, *map(str, words)], capture_output=True, timeout=120, cwd=self.folder, stdin=subprocess.DEVNULL,
                              env=dict(os.environ, OMP_WAIT_POLICY="passive", XDG_CACHE_HOME=str(self.folder / "cache")))

    def generate(self, model, *words):
        return self.run("generate", "--model", model, "--prompt", "a red house", "--steps", 2, "--seed", 1, "--out", "out.png", *words)

    def refused(self, says, model, *words):
        """`says`: what file or number it is, what is wrong with it, what to do next."""
        done = self.generate(model, *words)
        text = done.stderr.decode()
        print(f"# {text.rstrip()}".replace(str(self.folder) + "/", ""))
        assert done.returncode == 1 and done.stdout == b"", (words, done)
        assert text.count("\n") == 1 and text.endswith(".\n") and len(text) < 600, (words, text)
        for part in says:
            assert part in text, (words, part, text)


def test_loras_of_another_base(cli):
    sd1, xl, lora = cli.sparse("sd1-checkpoint"), cli.sparse("sdxl-checkpoint"), cli.sparse("lora-kohya-sdxl")
    for name in ("lora-kohya-sdxl", "lora-peft-sdxl"):
        lora = cli.sparse(name)
        cli.refused([lora, "a LoRA for Stable Diffusion XL", sd1, "is Stable Diffusion 1.x", "use a LoRA made for that", "or a Stable Diffusion XL model"],
                    sd1, "--lora", lora)
    cli.refused(["a LoRA for Stable Diffusion 1.x", "is Stable Diffusion XL"], xl, "--lora", cli.sparse("lora-diffusers-sd1"))
    cli.refused(["a LoRA for Stable Diffusion 2.x"], sd1, "--lora", cli.sparse("lora-kohya-sd2"))
    # its factors do not tell the base, their products do
    lokr = cli.sparse("lora-lokr-sd1")
    cli.refused([lokr, "choose a LoRA for this model"], xl, "--lora", lokr)


def test_controls_of_another_base(cli):
    sd1, sd2, xl = (cli.sparse(name + "-checkpoint") for name in ("sd1", "sd2", "sdxl"))
    for model, net, what, theirs in ((sd1, "controlnet-sdxl-full", "a ControlNet for Stable Diffusion XL", "Stable Diffusion 1.x"),
                                     (sd1, "controlnet-sd2-ldm", "a ControlNet for Stable Diffusion 2.x", "Stable Diffusion 1.x"),
                                     (sd2, "controlnet-sd1", "a ControlNet for Stable Diffusion 1.x", "Stable Diffusion 2.x"),
                                     (xl, "controlnet-sd1-ldm", "a ControlNet for Stable Diffusion 1.x", "Stable Diffusion XL"),
                                     (sd1, "t2i-xl", "a T2I-Adapter for Stable Diffusion XL", "Stable Diffusion 1.x")):
        path = cli.sparse(net)
        cli.refused([path, what, model, theirs, "; use a "], model, "--control", f"canny=in.png,model={path}")
    cli.refused(["a union ControlNet", "made for one control type"], xl, "--control", f"canny=in.png,model={cli.sparse('controlnet-union')}")
    cli.refused(["a LoRA, not a ControlNet", "give a "], sd1, "--control", f"canny=in.png,model={cli.sparse('lora-kohya-sd1')}")


def test_references_and_words_of_another_base(cli):
    sd1, adapter, word = cli.sparse("sd1-checkpoint"), cli.sparse("ip-adapter-sdxl"), cli.sparse("ti-sdxl")
    cli.refused([adapter, "an IP-Adapter for Stable Diffusion XL", "; use a"], sd1, "--reference", f"in.png,model={adapter}")
    cli.refused([word, "a learned word for SDXL", sd1, "; choose an embedding made for that model"], sd1, "--embedding", word)
    gligen = cli.sparse("gligen-diffusers")
    cli.refused([gligen, "; use "], cli.sparse("sd2-checkpoint"), "--box", "0,0,1,1:a cat", "--layout-model", gligen)


def test_unknown_keys(cli):
    unknown = cli.sparse("unknown", [("some.tensor", "F32", [3]), ("another.one", "F32", [4, 4])])
    sd1 = cli.sparse("sd1-checkpoint")
    cli.refused([unknown, "; "], unknown)
    cli.refused([unknown, "; "], sd1, "--lora", unknown)
    cli.refused([unknown, "; "], sd1, "--control", f"canny=in.png,model={unknown}")
    cli.refused([unknown, "; "], sd1, "--vae", unknown)
    flux = cli.sparse("flux", [("model.diffusion_model.double_blocks.0.img_attn.norm.key_norm.scale", "BF16", [128])])
    cli.refused([flux, "Flux", "; "], flux)


def test_pickles(cli):
    pickle, sd1 = cli.folder / "model.ckpt", cli.sparse("sd1-checkpoint")
    pickle.write_bytes(PICKLE)
    cli.refused([str(pickle), "pickle", ".safetensors"], pickle)
    cli.refused([str(pickle), "pickle", ".safetensors"], sd1, "--lora", pickle)
    cli.refused([str(pickle), "pickle", ".safetensors"], sd1, "--control", f"canny=in.png,model={pickle}")
    cli.refused([str(pickle), "pickle", ".safetensors"], sd1, "--vae", pickle)


def test_distilled_unets(cli):
    sd1 = cli.sparse("sd1-checkpoint")
    ssd, tiny = cli.sparse("ssd-1b", SSD_1B), cli.sparse("tiny-sd", TINY_SD)
    cli.refused([ssd, "distilled", "; "], ssd)
    cli.refused([tiny, "distilled", "; "], tiny)
    cli.refused([tiny, "distilled", "; "], sd1, "--unet", tiny)


def test_broken_downloads(cli):
    sd1 = cli.sparse("sd1-checkpoint")
    for name in ("sd1-inpaint", "lora-dora-sd1", "controlnet-sd1", "vae-ldm"):
        path = lists.write(cli.folder / f"cut-{name}.safetensors", cli.rows[name], cut=4096)
        words = {"sd1-inpaint": (path,), "vae-ldm": (sd1, "--vae", path), "lora-dora-sd1": (sd1, "--lora", path)}.get(
            name, (sd1, "--control", f"canny=in.png,model={path}"))
        cli.refused([path, "is cut short: 4096 bytes are missing", "; get a fresh copy"], *words)


def test_other_parts(cli):
    """A VAE or UNet that does not belong to the model."""
    sd1 = cli.sparse("sd1-checkpoint")
    text, unet = cli.sparse("text-clip-l"), cli.sparse("sdxl-unet-diffusers")
    cli.refused([text, "; "], sd1, "--vae", text)
    cli.refused([unet, "a UNet for Stable Diffusion XL", sd1, "; use a Stable Diffusion XL model"], sd1, "--unet", unet)
    cli.refused(["nowhere.safetensors", "; "], sd1, "--vae", "nowhere.safetensors")
    flux = cli.sparse("flux-vae", [("decoder.conv_in.weight", "F16", [512, 16, 3, 3])])
    cli.refused([flux, "16 latent channels", "; "], sd1, "--vae", flux)


def test_boxes(cli):
    sd1 = cli.sparse("sd1-checkpoint")
    cli.refused(["has 31 boxes", "at most 30", "leave 1 out"], sd1, *["--box", "0,0,1,1:a cat"] * 31)
    cli.refused(["Box 2 of the layout reaches to 1.25", "outside the picture", "; "], sd1, "--box", "0,0,1,1:a cat", "--box", "0,0,1.25,1:a dog")
    cli.refused(["Box 1", "outside the picture", "; "], sd1, "--box", "-0.1,0,1,1:a cat")
    cli.refused(["Box 1", "; "], sd1, "--box", "0.5,0,0.5,1:a cat")
    cli.refused([sd1, "without grounding weights", "choose a GLIGEN model"], sd1, "--box", "0,0,1,1:a cat")


def test_control_pictures_are_scaled_and_said(cli):
    done = cli.generate(CONTROLS / "sd", "--size", "64x48", "--control", f"canny=in.png,model={CONTROLS / 'cn-ldm.safetensors'}")
    text = done.stderr.decode()
    print(f"# {text.rstrip()}".replace(str(cli.folder) + "/", ""))
    assert done.returncode == 0 and "40×30 pixels and was scaled" in text and "64×48" in text, done
    assert (Png(str(cli.folder / "out.png")).width, text.count("\n")) == (64, 1), text
    done = cli.generate(CONTROLS / "sd", "--size", "40x32", "--control", f"canny=same.png,model={CONTROLS / 'cn-ldm.safetensors'}")
    assert done.returncode == 0 and done.stderr == b"", done


def test_loras_with_keys_that_match_nothing(cli):
    tensors = read_safetensors(str(LORAS / "kohya.safetensors"))
    stray = ("F32", [2, 8], bytes(64))
    write_safetensors(str(cli.folder / "most.safetensors"), {**tensors, "lora_unet_no_such_place.lora_up.weight": stray, "what.is.this": stray})
    done = cli.generate(LORAS / "model", "--size", "64x48", "--lora", "most.safetensors")
    text = done.stderr.decode()
    print(f"# {text.rstrip()}".replace(str(cli.folder) + "/", ""))
    assert done.returncode == 0 and text.count("\n") == 1, done
    for part in ("2 tensors of the LoRA", "most.safetensors", "lora_unet_no_such_place.lora_up.weight", "what.is.this", "left out"):
        assert part in text, (part, text)
    few = {name: tensors[name] for name in list(tensors)[:3]}
    write_safetensors(str(cli.folder / "few.safetensors"), {**few, **{f"lora_unet_elsewhere_{i}.lora_down.weight": stray for i in range(9)}})
    cli.refused(["few.safetensors", "of the 12 tensors", "belong to nothing in the model", "choose a LoRA for this model"], LORAS / "model",
                "--size", "64x48", "--lora", "few.safetensors")


def main():
    with tempfile.TemporaryDirectory(prefix="pmt-refusals-") as folder:
        cli = Cli(os.path.abspath(sys.argv[1]), Path(os.path.realpath(folder)))
        write_png(str(cli.folder / "in.png"), 40, 30, lambda x, y: (x * 6, y * 8, 100))
        write_png(str(cli.folder / "same.png"), 40, 32, lambda x, y: (x * 6, y * 7, 100))
        tap.run(globals(), "refusals", cli=cli)


if __name__ == "__main__":
    main()
