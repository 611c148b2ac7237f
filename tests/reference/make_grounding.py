#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes OUTDIR/grounding: a tiny random Stable Diffusion with GLIGEN's gates, tiny CLIP image encoders and IP-Adapters, and what
transformers and diffusers make of them: pixels, image embeddings, single evaluations, whole runs. usage: make_grounding.py OUTDIR"""
import json
import shutil
import sys
import tempfile
from pathlib import Path

import diffusers
import numpy as np
import torch
import transformers
from diffusers import (AutoencoderKL, DDIMScheduler, EulerDiscreteScheduler, StableDiffusionGLIGENPipeline, StableDiffusionPipeline,
                       StableDiffusionXLPipeline, UNet2DConditionModel)
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import (CLIPTextConfig, CLIPTextModel, CLIPTokenizer, CLIPVisionConfig, CLIPVisionModel,
                          CLIPVisionModelWithProjection)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

sys.path.insert(0, str(Path(__file__).resolve().parent))
import make_families  # noqa: E402

VERSIONS = {"torch": torch.__version__, "diffusers": diffusers.__version__, "transformers": transformers.__version__}
WIDTH, HEIGHT, SQUARE = 64, 48, 48
LENGTH, CROSS, OBJECT_HIDDEN = 16, 16, 24
MERGES = ["r e", "re d</w>", "b l", "u e</w>", "bl ue</w>", "h o", "u s", "us e</w>", "ho use</w>"]
PROMPT, NEGATIVE = "a red house and a blue one", "blurry"
BOXES = {
    "three": [([0.05, 0.1, 0.4, 0.8], "a red house"), ([0.5, 0.2, 0.95, 0.6], "blue"), ([0.3, 0.55, 0.7, 0.99], "a circle of houses")],
    "one": [([0.25, 0.25, 0.8, 0.75], "a blue house")],
}
RUNS = [
    {"name": "ip-base", "references": [["base", 0.8, "a"]]},
    {"name": "ip-plus", "references": [["plus", 1.0, "b"]], "guidance": 5.0, "sampler": "euler"},
    {"name": "ip-full", "references": [["full", 0.6, "a"]]},
    {"name": "ip-no-guidance", "references": [["base", 1.0, "b"]], "guidance": 1.0},
    {"name": "ip-two-pictures", "references": [["base", 0.9, "a", "b"]]},
    {"name": "ip-two-adapters", "references": [["base", 0.7, "a"], ["plus", 0.4, "b"]]},
    {"name": "ip-same-adapter-twice", "references": [["plus", 0.7, "a"], ["plus", 0.25, "b"]], "guidance": 3.0},
    {"name": "ip-part", "references": [["base", 1.2, "a"]], "steps": 8, "start": 0.25, "end": 0.75},
    {"name": "ip-xl-base", "model": "sdxl", "references": [["xl-base", 0.8, "a"]], "sampler": "euler"},
    {"name": "ip-xl-both", "model": "sdxl", "references": [["xl-plus", 0.7, "b"], ["xl-base", 0.5, "a"]], "guidance": 5.0},
    {"name": "gligen", "boxes": "three", "beta": 1.0},
    {"name": "gligen-part", "boxes": "three", "beta": 0.3, "steps": 7, "sampler": "euler"},
    {"name": "gligen-no-guidance", "boxes": "one", "beta": 1.0, "guidance": 1.0},
    {"name": "gligen-inpaint", "boxes": "three", "beta": 1.0, "inpaint": True, "width": SQUARE, "height": SQUARE},
    {"name": "gligen-inpaint-wide", "boxes": "one", "beta": 0.5, "inpaint": True, "guidance": 4.0},
]
DEFAULTS = {"model": "sd", "sampler": "ddim", "steps": 5, "guidance": 7.5, "seed": 11, "width": WIDTH, "height": HEIGHT, "prompt": PROMPT,
            "negative": NEGATIVE, "references": [], "start": 0.0, "end": 1.0, "boxes": None, "beta": 0.3, "inpaint": False}


def write_tokenizer(folder):
    folder.mkdir(parents=True)
    shown = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    symbols = [chr(b) for b in shown] + [chr(0x100 + k) for k in range(256 - len(shown))]
    words = symbols + [s + "</w>" for s in symbols] + [m.replace(" ", "") for m in MERGES] + ["<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({w: i for i, w in enumerate(words)}, ensure_ascii=False))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(MERGES) + "\n")
    special = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>", "pad_token": "<|endoftext|>"}
    (folder / "special_tokens_map.json").write_text(json.dumps(special))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "CLIPTokenizer", "model_max_length": LENGTH, **special}))
    return len(words)


def loud(module, generator, embeddings=1.0):
    """Random networks say little: louder weights make every part count. All values are such that f16 holds them exactly."""
    with torch.no_grad():
        for name, p in module.named_parameters():
            if name.endswith(("alpha_attn", "alpha_dense")):
                p.copy_(0.5 + 0.5 * torch.rand((), generator=generator))
            elif "null_" in name or "class_embedding" in name:
                p.copy_(torch.randn(p.shape, generator=generator))
            elif p.dim() == 1:
                p.copy_((1.0 if name.endswith("weight") else 0.0) + 0.1 * torch.randn(p.shape, generator=generator))
            elif "embedding" in name and "patch" not in name and "time" not in name:
                p.mul_(embeddings)
            else:
                p.mul_(1.5)
            p.copy_(p.half().float())
    return module.eval()


def save(module, folder):
    module.save_pretrained(folder)
    for path in folder.glob("*.safetensors"):
        save_file({k: v.half() if v.is_floating_point() else v for k, v in load_file(path).items()}, path)
    return module


def unet(channels, attention="gated"):
    made = UNet2DConditionModel(
        sample_size=8, in_channels=channels, out_channels=4, down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"), block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=4,
        attention_head_dim=4, cross_attention_dim=CROSS, attention_type=attention)
    if attention != "gated":
        return made
    # The class fixes a width of 512 here, which would be most of the file.
    layers = made.position_net.linears
    made.position_net.linears = torch.nn.Sequential(
        torch.nn.Linear(layers[0].in_features, OBJECT_HIDDEN), torch.nn.SiLU(), torch.nn.Linear(OBJECT_HIDDEN, OBJECT_HIDDEN),
        torch.nn.SiLU(), torch.nn.Linear(OBJECT_HIDDEN, CROSS))
    return made


def build_model(root, generator):
    words = write_tokenizer(root / "tokenizer")
    m = {"tokenizer": CLIPTokenizer.from_pretrained(root / "tokenizer")}
    m["text_encoder"] = save(loud(CLIPTextModel(CLIPTextConfig(
        vocab_size=words, hidden_size=CROSS, intermediate_size=2 * CROSS, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=LENGTH, hidden_act="quick_gelu", bos_token_id=words - 2, eos_token_id=words - 1,
        pad_token_id=words - 1, projection_dim=CROSS)), generator, 20.0), root / "text_encoder")
    m["vae"] = save(loud(AutoencoderKL(
        in_channels=3, out_channels=3, down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(4, 8, 8, 8), layers_per_block=1, latent_channels=4, norm_num_groups=4, sample_size=SQUARE,
        scaling_factor=0.18215), generator), root / "vae")
    m["unet"] = save(loud(unet(4), generator), root / "unet")
    # The same network without gates: diffusers takes the gates' attentions for cross-attentions when it loads an IP-Adapter.
    m["ungated"] = unet(4, "default").eval()
    missing = m["ungated"].load_state_dict(m["unet"].state_dict(), strict=False)
    assert not missing.missing_keys and all("fuser" in k or "position_net" in k for k in missing.unexpected_keys)
    m["unet_inpaint"] = save(loud(unet(9), generator), root.parent / "unet_inpaint")
    m["scheduler"] = {"num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
                      "prediction_type": "epsilon", "timestep_spacing": "leading", "steps_offset": 1}
    (root / "scheduler").mkdir()
    (root / "scheduler" / "scheduler_config.json").write_text(json.dumps({**m["scheduler"], "set_alpha_to_one": False}) + "\n")
    return m


VISIONS = {
    # beside the adapters; with "vision_model.", as CLIPVisionModelWithProjection is saved
    "image_encoder": (CLIPVisionModelWithProjection, dict(
        hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4, image_size=16, patch_size=4,
        hidden_act="gelu", projection_dim=24)),
    # without projection and without prefix, as CLIPVisionModel is saved; a picture side that is no multiple of the patch
    "vision-plain": (CLIPVisionModel, dict(
        hidden_size=20, intermediate_size=36, num_hidden_layers=2, num_attention_heads=5, image_size=15, patch_size=7,
        hidden_act="quick_gelu", layer_norm_eps=1e-4)),
}


def make_vision(root, generator):
    made = {}
    for name, (cls, config) in VISIONS.items():
        model = loud(cls(CLIPVisionConfig(**config)), generator, 10.0)
        save(model, root / name)
        pixels = torch.randn(2, 3, config["image_size"], config["image_size"], generator=generator)
        answer = model(pixels, output_hidden_states=True)
        io = {"pixels": pixels, **{f"hidden.{k}": answer.hidden_states[-1 - k] for k in range(config["num_hidden_layers"] + 1)}}
        if "Projection" in cls.__name__:
            io["embeds"] = answer.image_embeds
        save_io(root / name / "io.safetensors", io)
        made[name] = model
    names = list(load_file(root / "vision-plain" / "model.safetensors"))
    assert all(not n.startswith("vision_model.") for n in names), names
    names = list(load_file(root / "image_encoder" / "model.safetensors"))
    assert "vision_model.embeddings.class_embedding" in names, names
    return made["image_encoder"]


def save_io(path, tensors):
    save_file({k: v.detach().contiguous() for k, v in tensors.items()}, path, metadata=VERSIONS)


def picture(width, height, phase):
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    rgb = np.stack([0.5 + 0.5 * np.sin(x / 3 + phase), 0.5 + 0.5 * np.cos(y / 5 - x / 11 + phase), (x + y) / (width + height)], -1)
    rgb[:, width // 2:width // 2 + 2] = (1, 0, phase / 4)  # an edge that overshoots
    return np.round(rgb * 255).astype(np.uint8)


def make_pixels(root):
    """CLIPImageProcessor on 8-bit pictures."""
    io = {}
    for k, (width, height, size) in enumerate([(50, 37, 16), (21, 64, 15), (24, 24, 24), (13, 10, 32), (300, 19, 17)]):
        rgb = picture(width, height, k)
        processor = CLIPImageProcessorPil(size={"shortest_edge": size}, crop_size={"height": size, "width": size})
        io[f"{k}.picture"] = torch.tensor(rgb.astype(np.float32) / 255)
        io[f"{k}.pixels"] = processor(Image.fromarray(rgb), return_tensors="pt").pixel_values[0].permute(1, 2, 0).float()
    save_io(root / "pixels.safetensors", io)


def adapter(kind, unet, vision, generator):
    """A random adapter in the names of the original files, with the sizes of the tiny networks."""
    def random(*shape, scale=None):
        value = torch.randn(*shape, generator=generator)
        return (value * (scale or 1.5 / shape[-1] ** 0.5)).half().float()

    def norm(width):
        return (1 + random(width, scale=0.1)).half().float(), random(width, scale=0.1)

    config, p, cross = vision.config, {}, unet.config.cross_attention_dim
    if kind.endswith("base"):
        p["proj.weight"], p["proj.bias"] = random(4 * cross, config.projection_dim), random(4 * cross, scale=0.1)
        p["norm.weight"], p["norm.bias"] = norm(cross)
    elif kind == "full":
        h = config.hidden_size
        p["proj.0.weight"], p["proj.0.bias"], p["proj.2.weight"], p["proj.2.bias"] = (
            random(h, h), random(h, scale=0.1), random(cross, h), random(cross, scale=0.1))
        p["proj.3.weight"], p["proj.3.bias"] = norm(cross)
    else:
        h, inner = 20, 64 if "xl" in kind else 128
        p["latents"] = random(1, 6, h, scale=1.0)
        p["proj_in.weight"], p["proj_in.bias"] = random(h, config.hidden_size), random(h, scale=0.1)
        p["proj_out.weight"], p["proj_out.bias"] = random(cross, h), random(cross, scale=0.1)
        p["norm_out.weight"], p["norm_out.bias"] = norm(cross)
        for i in range(4):
            t = f"layers.{i}."
            for part in ("0.norm1", "0.norm2", "1.0"):
                p[t + part + ".weight"], p[t + part + ".bias"] = norm(h)
            p[t + "0.to_q.weight"], p[t + "0.to_kv.weight"] = random(inner, h), random(2 * inner, h)
            p[t + "0.to_out.weight"], p[t + "1.1.weight"], p[t + "1.3.weight"] = random(h, inner), random(4 * h, h), random(h, 4 * h)
    attn = {}
    for k, (name, processor) in enumerate(unet.attn_processors.items()):
        if name.endswith("attn2.processor"):
            width = unet.get_submodule(name.removesuffix(".processor")).to_q.out_features
            attn[f"{k}.to_k_ip.weight"], attn[f"{k}.to_v_ip.weight"] = random(width, cross), random(width, cross)
    return {"image_proj": p, "ip_adapter": attn}


def make_adapters(root, model, xl, vision, generator):
    adapters = {kind: adapter(kind, model["ungated"], vision, generator) for kind in ("base", "plus", "full")}
    adapters.update({kind: adapter(kind, xl["unet"], vision, generator) for kind in ("xl-base", "xl-plus")})
    for kind, state in adapters.items():
        flat = {f"{part}.{key}": value.half() for part, values in state.items() for key, value in values.items()}
        save_file(flat, root / f"ip-{kind}.safetensors")
    return adapters


def scheduler(model, sampler):
    cls, extra = {"ddim": (DDIMScheduler, {"clip_sample": False, "set_alpha_to_one": False}), "euler": (EulerDiscreteScheduler, {})}[sampler]
    keys = cls.__init__.__wrapped__.__code__.co_varnames
    return cls(**{k: v for k, v in {**model["scheduler"], **extra}.items() if k in keys})


def pipeline(cls, model, vision, case):
    size = vision.config.image_size
    processor = CLIPImageProcessorPil(size={"shortest_edge": size}, crop_size={"height": size, "width": size})
    if case["model"] == "sdxl":
        pipe = cls(**{k: model[k] for k in ("vae", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "unet")},
                   scheduler=scheduler(model, case["sampler"]), image_encoder=vision, feature_extractor=processor, add_watermarker=False)
        pipe.set_progress_bar_config(disable=True)
        return pipe
    extra = {"image_encoder": vision} if case["references"] else {}
    pipe = cls(vae=model["vae"], text_encoder=model["text_encoder"], tokenizer=model["tokenizer"],
               unet=model["ungated" if case["references"] else "unet_inpaint" if case["inpaint"] else "unet"], scheduler=scheduler(model, case["sampler"]),
               safety_checker=None, requires_safety_checker=False,
               feature_extractor=processor, **extra)
    pipe.set_progress_bar_config(disable=True)
    return pipe


class AnySize(StableDiffusionGLIGENPipeline):
    """The pipeline with two things mended that only show on pictures that are not square: it swaps width and height in the boxes'
    mask, and cuts the picture square."""

    def draw_inpaint_mask_from_boxes(self, boxes, size):
        mask = torch.ones(size[0], size[1])
        for x0, y0, x1, y1 in boxes:
            mask[int(y0 * size[0]):int(y1 * size[0]), int(x0 * size[1]):int(x1 * size[1])] = 0
        return mask

    def target_size_center_crop(self, im, new_hw):
        return im


def common(case):
    return dict(prompt=case["prompt"], negative_prompt=case["negative"], num_inference_steps=case["steps"],
                guidance_scale=case["guidance"], width=case["width"], height=case["height"], output_type="latent")


def run_references(case, model, vision, adapters, pictures):
    pipe = pipeline(StableDiffusionXLPipeline if case["model"] == "sdxl" else StableDiffusionPipeline, model, vision, case)
    kinds = [adapters[r[0]] for r in case["references"]]
    pipe.load_ip_adapter(kinds, subfolder="", weight_name=[""] * len(kinds), image_encoder_folder=None)
    scales = [r[1] for r in case["references"]]
    n = case["steps"]

    def acts(i):
        return not (i / n < case["start"] or (i + 1) / n > case["end"])

    def after(p, i, t, values):
        p.set_ip_adapter_scale(scales if acts(i + 1) else [0.0] * len(scales))
        return values

    pipe.set_ip_adapter_scale(scales if acts(0) else [0.0] * len(scales))
    images = [[Image.fromarray(pictures[k]) for k in r[2:]] for r in case["references"]]
    out = pipe(**common(case), ip_adapter_image=images, generator=torch.Generator("cpu").manual_seed(case["seed"]),
               callback_on_step_end=after).images[0]
    pipe.unload_ip_adapter()
    return out, {}


def run_boxes(case, model, vision):
    wide = case["inpaint"] and case["width"] != case["height"]
    pipe = pipeline(AnySize if wide else StableDiffusionGLIGENPipeline, model, vision, case)
    boxes = BOXES[case["boxes"]]
    more, extra = {"gligen_boxes": [b for b, _ in boxes], "gligen_phrases": [p for _, p in boxes]}, {}
    if case["inpaint"]:
        base = picture(case["width"], case["height"], 1.5)
        extra = {"picture": torch.tensor(base.astype(np.float32) / 255),
                 "noise": torch.randn((4, case["height"] // 8, case["width"] // 8), generator=torch.Generator("cpu").manual_seed(5))}
        more.update(gligen_inpaint_image=Image.fromarray(base), latents=extra["noise"][None])
        # The pipeline draws noise "like" a tensor whose layout in memory is that of the picture; any but the plain one would give the
        # same numbers other places.
        prepare = pipe.image_processor.preprocess
        pipe.image_processor.preprocess = lambda *args, **options: prepare(*args, **options).contiguous()
        torch.manual_seed(case["seed"])  # this part of the pipeline draws from the global generator
    else:
        more["generator"] = torch.Generator("cpu").manual_seed(case["seed"])
    out = pipe(**common(case), **more, gligen_scheduled_sampling_beta=case["beta"]).images[0]
    pipe.enable_fuser(True)
    return out, extra


def make_runs(root, model, xl, vision, adapters):
    pictures = {"a": picture(37, 29, 0.8), "b": picture(22, 31, 2.3)}
    tensors = {f"picture.{k}": torch.tensor(p.astype(np.float32) / 255) for k, p in pictures.items()}
    cases = []
    for case in RUNS:
        c = {**DEFAULTS, **case}
        m = xl if c["model"] == "sdxl" else model
        out, extra = run_references(c, m, vision, adapters, pictures) if c["references"] else run_boxes(c, m, vision)
        assert torch.isfinite(out).all() and 0.1 < out.std() < 100, (c["name"], float(out.std()))
        print(f"{c['name']}: latent {float(out.std()):.3f}")
        tensors[c["name"] + ".latent"] = out
        tensors.update({f"{c['name']}.{k}": v for k, v in extra.items()})
        c["boxes"] = [{"box": b, "phrase": p} for b, p in BOXES[c["boxes"]]] if c["boxes"] else []
        cases.append(c)
    save_io(root / "runs.safetensors", tensors)
    (root / "runs.json").write_text(json.dumps({"made_with": VERSIONS, "cases": cases}, indent=1) + "\n")


def make_nets(root, model, vision, adapters, generator):
    """Single evaluations: objects, the gated UNet, tokens of adapters, the UNet with two adapters at once."""
    u = model["unet"]
    boxes = torch.zeros(1, 30, 4)
    phrases = torch.zeros(1, 30, CROSS)
    mask = torch.zeros(1, 30)
    boxes[0, :3] = torch.tensor([b for b, _ in BOXES["three"]])
    phrases[0, :3] = torch.randn(3, CROSS, generator=generator)
    mask[0, :3] = 1
    sample = torch.randn(2, 4, 7, 9, generator=generator)
    t = torch.tensor([801.0, 40.0])
    text = torch.randn(2, 5, CROSS, generator=generator)
    gligen = {"boxes": boxes.repeat(2, 1, 1), "positive_embeddings": phrases.repeat(2, 1, 1), "masks": torch.cat([mask, 0 * mask])}
    io = {"boxes": boxes[0, :3], "phrases": phrases[0, :3], "sample": sample, "timestep": t, "encoder_hidden_states": text,
          "objects": u.position_net(boxes=boxes, masks=mask, positive_embeddings=phrases),
          "null_objects": u.position_net(boxes=boxes, masks=0 * mask, positive_embeddings=phrases),
          "plain": u(sample, t, text).sample, "gligen": u(sample, t, text, cross_attention_kwargs={"gligen": gligen}).sample}
    pixels = torch.randn(2, 3, vision.config.image_size, vision.config.image_size, generator=generator)
    answer = vision(pixels, output_hidden_states=True)
    embeds = {"base": answer.image_embeds, "plus": answer.hidden_states[-2], "full": answer.hidden_states[-2]}
    nothing = vision(torch.zeros_like(pixels[:1]), output_hidden_states=True)
    none = {"base": torch.zeros_like(answer.image_embeds[:1]), "plus": nothing.hidden_states[-2], "full": nothing.hidden_states[-2]}
    io["pixels"] = pixels
    u = model["ungated"]
    assert torch.equal(u(sample, t, text).sample, io["plain"])
    u._load_ip_adapter_weights(list(adapters.values()))
    for k, kind in enumerate(adapters):
        project = u.encoder_hid_proj.image_projection_layers[k]
        io[f"{kind}.tokens"], io[f"{kind}.none"] = project(embeds[kind]), project(none[kind])
    for processor in u.attn_processors.values():
        if hasattr(processor, "scale"):
            processor.scale = [0.8, 0.5, 0.3]
    io["ip"] = u(sample, t, text, added_cond_kwargs={"image_embeds": [embeds[k][:, None] for k in adapters]}).sample
    save_io(root / "nets.safetensors", io)


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: make_grounding.py OUTDIR")
    torch.set_num_threads(1)
    root = Path(sys.argv[1]) / "grounding"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    torch.manual_seed(40)
    generator = torch.Generator().manual_seed(41)
    with torch.no_grad():
        model = build_model(root / "sd", generator)
        vision = make_vision(root, generator)
        make_pixels(root)
        # The tiny SDXL is make_families.py's; the test takes it from there.
        with tempfile.TemporaryDirectory() as folder:
            xl = make_families.build(Path(folder), "sdxl")
        adapters = make_adapters(root, model, xl, vision, generator)
        make_runs(root, model, xl, vision, adapters)
        make_nets(root, model, vision, {k: adapters[k] for k in ("base", "plus", "full")}, generator)


if __name__ == "__main__":
    main()
