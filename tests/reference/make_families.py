#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes OUTDIR/families: tiny random models of the families beside Stable Diffusion 1 as diffusers folders (2.x, XL,
its refiner, a latent consistency model), and what diffusers' pipelines make of them. usage: make_families.py OUTDIR"""
import json
import shutil
import sys
from pathlib import Path

import diffusers
import torch
import transformers
from diffusers import (AutoencoderKL, DDIMScheduler, EulerAncestralDiscreteScheduler, EulerDiscreteScheduler, HeunDiscreteScheduler,
                       LatentConsistencyModelPipeline, LCMScheduler, StableDiffusionPipeline, StableDiffusionXLImg2ImgPipeline,
                       StableDiffusionXLInpaintPipeline, StableDiffusionXLPipeline, UNet2DConditionModel)
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

sys.path.insert(0, str(Path(__file__).resolve().parent))
from make_runs import HEIGHT, LENGTH, NEGATIVE, PROMPT, WIDTH, inputs, save, write_tokenizer  # noqa: E402

X, D, XU, U = "CrossAttnDownBlock2D", "DownBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"
BETAS = {"num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
         "set_alpha_to_one": False, "timestep_spacing": "leading", "steps_offset": 1, "prediction_type": "epsilon"}
SIZES = dict(addition_embed_type="text_time", addition_time_embed_dim=8)

# name: (UNet, widths of the text encoders ("L" without and "G" with a projection), what differs from BETAS, factor of the VAE)
MODELS = {
    "sd2": (dict(block_out_channels=(8, 16), down_block_types=(X, D), up_block_types=(U, XU), attention_head_dim=[2, 4],
                 cross_attention_dim=24, use_linear_projection=True), {"H": 24}, {}, 0.18215),
    "sdxl": (dict(block_out_channels=(8, 8, 16), down_block_types=(D, X, X), up_block_types=(XU, XU, U),
                  attention_head_dim=[1, 2, 4], transformer_layers_per_block=[1, 1, 2], cross_attention_dim=16 + 12,
                  use_linear_projection=True, projection_class_embeddings_input_dim=10 + 6 * 8, **SIZES),
             {"L": 16, "G": 12}, {}, 0.13025),
    "refiner": (dict(block_out_channels=(8, 8, 8, 8), down_block_types=(D, X, X, D), up_block_types=(U, XU, XU, U),
                     attention_head_dim=[1, 2, 2, 2], transformer_layers_per_block=1, cross_attention_dim=12,
                     use_linear_projection=True, projection_class_embeddings_input_dim=10 + 5 * 8, **SIZES),
                {"G": 12}, {}, 0.13025),
    "lcm": (dict(block_out_channels=(8, 16), down_block_types=(X, D), up_block_types=(U, XU), attention_head_dim=2,
                 cross_attention_dim=16, time_cond_proj_dim=32), {"L": 16}, {"steps_offset": 0}, 0.18215),
}

SAMPLERS = {"ddim": (DDIMScheduler, {"clip_sample": False}), "euler": (EulerDiscreteScheduler, {}),
            "euler-a": (EulerAncestralDiscreteScheduler, {}), "heun": (HeunDiscreteScheduler, {}),
            "lcm": (LCMScheduler, {"clip_sample": False, "original_inference_steps": 50})}

CASES = [
    {"name": "sd2-ddim", "model": "sd2", "sampler": "ddim", "steps": 5, "picture": True},
    {"name": "sd2-skip", "model": "sd2", "sampler": "euler", "steps": 4, "guidance": 1.0, "clip_skip": 1},
    {"name": "sd2-as-v", "model": "sd2", "sampler": "ddim", "steps": 4, "prediction": "v_prediction"},
    {"name": "xl-euler", "model": "sdxl", "sampler": "euler", "steps": 5, "picture": True},
    {"name": "xl-no-negative", "model": "sdxl", "sampler": "ddim", "steps": 4, "negative": None},
    {"name": "xl-no-guidance", "model": "sdxl", "sampler": "euler-a", "steps": 4, "guidance": 1.0},
    {"name": "xl-skip", "model": "sdxl", "sampler": "euler", "steps": 3, "guidance": 1.0, "clip_skip": 1},
    {"name": "xl-sizes", "model": "sdxl", "sampler": "euler", "steps": 4, "original": [96, 128], "crop": [5, 9], "target": [40, 56]},
    {"name": "xl-image", "model": "sdxl", "task": "image", "sampler": "euler", "steps": 6, "strength": 0.5},
    {"name": "xl-fill4", "model": "sdxl", "task": "fill4", "sampler": "ddim", "steps": 5, "strength": 0.8},
    {"name": "xl-first", "model": "sdxl", "sampler": "euler", "steps": 8, "end": 0.6},
    {"name": "refine-rest", "model": "refiner", "task": "latent", "sampler": "euler", "steps": 8, "start": 0.6, "from": "xl-first"},
    {"name": "refine-heun", "model": "refiner", "task": "latent", "sampler": "heun", "steps": 5, "start": 0.5, "from": "xl-first"},
    {"name": "refine-image", "model": "refiner", "task": "image", "sampler": "euler", "steps": 8, "strength": 0.3, "picture": True},
    {"name": "refine-scores", "model": "refiner", "task": "image", "sampler": "ddim", "steps": 6, "strength": 0.5, "scores": [7.5, 1.0]},
    {"name": "lcm", "model": "lcm", "sampler": "lcm", "steps": 4, "guidance": 8.5},
    {"name": "lcm-other", "model": "lcm", "sampler": "lcm", "steps": 3, "guidance": 1.5, "seed": 11},
]
DEFAULTS = {"task": "text", "guidance": 5.0, "seed": 3, "prompt": PROMPT, "negative": NEGATIVE, "strength": 1.0, "rescale": 0.0,
            "clip_skip": 0, "prediction": None, "original": None, "crop": [0, 0], "target": None, "scores": None, "picture": False,
            "start": None, "end": None, "from": None}


def encoder(kind, width, words):
    config = CLIPTextConfig(
        vocab_size=words, hidden_size=width, intermediate_size=2 * width, num_hidden_layers=3, num_attention_heads=2,
        max_position_embeddings=LENGTH, hidden_act="quick_gelu" if kind == "L" else "gelu", bos_token_id=words - 2,
        eos_token_id=2 if kind == "L" else words - 1, pad_token_id=words - 1, projection_dim=10)
    return (CLIPTextModelWithProjection if kind == "G" else CLIPTextModel)(config)


def make_tokenizer(folder, pad):
    words = write_tokenizer(folder)
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        settings = json.loads((folder / name).read_text())
        settings["pad_token"] = pad
        (folder / name).write_text(json.dumps(settings))
    return words, CLIPTokenizer.from_pretrained(folder)


def build(root, name):
    config, texts, scheduler, factor = MODELS[name]
    folder = root / name
    torch.manual_seed(40 + list(MODELS).index(name))
    m = {"scheduler": {**BETAS, **scheduler}, "text_encoder": None, "tokenizer": None, "text_encoder_2": None, "tokenizer_2": None}
    for kind, width in texts.items():
        second = "_2" if kind == "G" else ""
        pad = "<|endoftext|>" if kind == "L" else "!"
        words, m["tokenizer" + second] = make_tokenizer(folder / ("tokenizer" + second), pad)
        m["text_encoder" + second] = save(encoder(kind, width, words), folder / ("text_encoder" + second))
    # SD's pipeline looks for final_layer_norm where transformers had it before it flattened CLIPTextModel.
    for te in (m["text_encoder"], m["text_encoder_2"]):
        if te is not None and not hasattr(te, "text_model"):
            object.__setattr__(te, "text_model", te)
    m["vae"] = save(AutoencoderKL(
        in_channels=3, out_channels=3, down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(4, 8, 8, 8), layers_per_block=1, latent_channels=4, norm_num_groups=4, sample_size=64,
        scaling_factor=factor), folder / "vae")
    m["unet"] = save(UNet2DConditionModel(**{"sample_size": 8, "layers_per_block": 1, "norm_num_groups": 4, **config}), folder / "unet")
    index = {"_class_name": "StableDiffusionXLPipeline" if name.startswith("sdxl") else
             {"refiner": "StableDiffusionXLImg2ImgPipeline", "lcm": "LatentConsistencyModelPipeline"}.get(name, "StableDiffusionPipeline")}
    if name.startswith("sdxl") or name == "refiner":
        m["zeros"] = index["force_zeros_for_empty_prompt"] = name != "refiner"
    (folder / "model_index.json").write_text(json.dumps(index) + "\n")
    (folder / "scheduler").mkdir()
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(m["scheduler"], indent=1) + "\n")
    return m


@torch.no_grad()
def keep_networks(root, models, versions):
    """Single networks on given tensors, the expected values under "out."."""
    torch.manual_seed(60)

    def keep(name, tensors):
        save_file({k: v.detach().contiguous() for k, v in tensors.items()}, root / f"io-{name}.safetensors", metadata=versions)
    xl, lcm = models["sdxl"], models["lcm"]
    x = {"sample": torch.randn(2, 4, 6, 8), "timestep": torch.tensor([3.0, 741.0]), "encoder_hidden_states": torch.randn(2, 5, 28)}
    added = {"text_embeds": torch.randn(2, 10), "time_ids": torch.tensor([[48.0, 64, 0, 0, 48, 64], [100, 90, 3, 4, 50, 60]])}
    keep("sdxl-unet", {**x, **added, "out.sample": xl["unet"](**x, added_cond_kwargs=added).sample})
    x = {"sample": torch.randn(1, 4, 6, 8), "timestep": torch.tensor([499.0]), "encoder_hidden_states": torch.randn(1, 5, 16),
         "timestep_cond": torch.randn(1, 32)}
    keep("lcm-unet", {**x, "out.sample": lcm["unet"](**x).sample})
    ids = torch.tensor([[270, 3, 4, 100, 271, 271], [270, 271, 0, 0, 0, 0]])
    for name, encoder in (("text", xl["text_encoder"]), ("text2", xl["text_encoder_2"])):
        answer = encoder(ids, output_hidden_states=True)
        pooled = {"out.text_embeds": answer.text_embeds} if name == "text2" else {"out.pooler_output": answer.pooler_output}
        keep("sdxl-" + name, {"input_ids": ids, "out.last_hidden_state": answer.last_hidden_state,
                              "out.hidden_states.2": answer.hidden_states[2], **pooled})


def make_scheduler(c, m):
    cls, extra = SAMPLERS[c["sampler"]]
    keys = cls.__init__.__wrapped__.__code__.co_varnames
    settings = {**m["scheduler"], **extra, **({"prediction_type": c["prediction"]} if c["prediction"] else {})}
    return cls(**{k: v for k, v in settings.items() if k in keys})


def make_pipe(c, m):
    parts = {k: m[k] for k in ("vae", "text_encoder", "tokenizer", "unet")}
    parts["scheduler"] = make_scheduler(c, m)
    if m["text_encoder_2"] is None:
        cls = LatentConsistencyModelPipeline if c["model"] == "lcm" else StableDiffusionPipeline
        return cls(**parts, safety_checker=None, feature_extractor=None, requires_safety_checker=False)
    cls = {"text": StableDiffusionXLPipeline, "image": StableDiffusionXLImg2ImgPipeline,
           "latent": StableDiffusionXLImg2ImgPipeline}.get(c["task"], StableDiffusionXLInpaintPipeline)
    more = {} if c["task"] == "text" else {"requires_aesthetics_score": c["model"] == "refiner"}
    return cls(**parts, text_encoder_2=m["text_encoder_2"], tokenizer_2=m["tokenizer_2"], force_zeros_for_empty_prompt=m["zeros"],
               add_watermarker=False, **more)


def options(c, picture, mask, made):
    more = {}
    if c["task"] in ("text", "fill4", "fill9"):
        more.update(height=HEIGHT, width=WIDTH)
    if c["task"] not in ("text", "latent"):
        more.update(image=picture.permute(2, 0, 1)[None], strength=c["strength"])
    if c["task"].startswith("fill"):
        more["mask_image"] = mask[None, None]
    if c["task"] == "latent":
        more["image"] = made[c["from"] + ".latent"][None]
    if c["rescale"]:
        more["guidance_rescale"] = c["rescale"]
    if c["clip_skip"]:
        more["clip_skip"] = c["clip_skip"]
    if c["original"]:
        more.update(original_size=tuple(c["original"]), crops_coords_top_left=tuple(c["crop"]), target_size=tuple(c["target"]))
    if c["scores"]:
        more.update(aesthetic_score=c["scores"][0], negative_aesthetic_score=c["scores"][1])
    for key in ("start", "end"):
        if c[key]:
            more["denoising_" + key] = c[key]
    if c["model"] != "lcm":
        more["negative_prompt"] = c["negative"]
    return more


def run(c, models, picture, mask, made):
    m = models[c["model"]]
    pipe = make_pipe(c, m)
    pipe.set_progress_bar_config(disable=True)
    latent = pipe(prompt=c["prompt"], num_inference_steps=c["steps"], guidance_scale=c["guidance"],
                  generator=torch.Generator("cpu").manual_seed(c["seed"]), output_type="latent",
                  **options(c, picture, mask, made)).images
    with torch.no_grad():
        image = pipe.vae.decode(latent / pipe.vae.config.scaling_factor).sample
    image = (image / 2 + 0.5).clamp(0, 1)[0].permute(1, 2, 0)
    assert torch.isfinite(latent).all() and image.std() > 0.02, (c["name"], float(image.std()))
    print(f"{c['name']}: latent {float(latent.std()):.3f}, picture {float(image.mean()):.3f} +- {float(image.std()):.3f}")
    made[c["name"] + ".latent"] = latent[0].contiguous()
    if c["picture"]:
        made[c["name"] + ".image"] = image.contiguous()


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: make_families.py OUTDIR")
    torch.set_num_threads(1)
    root = Path(sys.argv[1]) / "families"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    models = {name: build(root, name) for name in MODELS}
    picture, mask = inputs()
    made = {}
    cases = [{**DEFAULTS, **case} for case in CASES]
    for c in cases:
        run(c, models, picture, mask, made)
    versions = {"torch": torch.__version__, "diffusers": diffusers.__version__, "transformers": transformers.__version__}
    save_file(made, root / "runs.safetensors", metadata=versions)
    keep_networks(root, models, versions)
    (root / "runs.json").write_text(json.dumps({"made_with": versions, "cases": cases}, indent=1) + "\n")


if __name__ == "__main__":
    main()
