#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes OUTDIR/together: two ControlNets, a T2I-Adapter and two LoRAs for the tiny model of make_grounding.py, and the latents of one run
with all of them, that model's GLIGEN gates and its IP-Adapter. No pipeline of diffusers does all at once; its UNet does, so the loop is
written out here. usage: make_together.py OUTDIR (after make_grounding.py has written there)"""
import json
import shutil
import sys
from pathlib import Path

import diffusers
import numpy as np
import torch
import transformers
from diffusers import AutoencoderKL, ControlNetModel, DDIMScheduler, StableDiffusionPipeline, T2IAdapter
from diffusers.models.attention import GatedSelfAttentionDense
from diffusers.models.attention_processor import AttnProcessor2_0
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import CLIPTextModel, CLIPTokenizer, CLIPVisionModelWithProjection
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

import make_grounding as base

WIDTH, HEIGHT, STEPS, GUIDANCE, SEED = 64, 48, 5, 6.0, 21
CONTROLS = [{"net": "cn-a", "picture": "lines", "strength": 0.8, "start": 0.0, "end": 0.7},
            {"net": "cn-b", "picture": "colours", "strength": 0.5, "start": 0.2, "end": 1.0}]
ADAPTER = {"net": "t2i", "picture": "colours", "strength": 0.6}
LORAS = [{"name": "lora-a", "strength": 0.7, "text": 0.5}, {"name": "lora-b", "strength": -0.6, "text": 0.9}]
IP, BETA = 0.7, 0.6


def half(state):
    return {k: v.half() for k, v in state.items()}


def exact(path):
    """Loaded as f32 from what was stored as f16."""
    return {k: v.float() if v.is_floating_point() else v for k, v in load_file(path).items()}


def networks(grounding):
    sd = grounding / "sd"
    parts = {"tokenizer": CLIPTokenizer.from_pretrained(sd / "tokenizer"), "text_encoder": CLIPTextModel.from_pretrained(sd / "text_encoder").float(),
             "vae": AutoencoderKL.from_pretrained(sd / "vae").float(),
             "image_encoder": CLIPVisionModelWithProjection.from_pretrained(grounding / "image_encoder").float()}
    state = exact(sd / "unet" / "diffusion_pytorch_model.safetensors")
    parts["unet"], plain = base.unet(4).eval(), base.unet(4, "default").eval()
    parts["unet"].load_state_dict(state)
    plain.load_state_dict(state, strict=False)
    # diffusers would take the gates' attentions for cross-attentions: the adapter is loaded where there are none, and carried over
    ip = {"image_proj": {}, "ip_adapter": {}}
    for key, value in load_file(grounding / "ip-base.safetensors").items():
        part, name = key.split(".", 1)
        ip[part][name] = value.float()
    plain._load_ip_adapter_weights([ip])
    unet = parts["unet"]
    unet.encoder_hid_proj, unet.config.encoder_hid_dim_type = plain.encoder_hid_proj, "ip_image_proj"
    made = plain.attn_processors
    for processor in made.values():
        if hasattr(processor, "scale"):
            processor.scale = [IP]
    unet.set_attn_processor({name: made.get(name, AttnProcessor2_0()) for name in unet.attn_processors})
    return {k: v.eval() if hasattr(v, "eval") else v for k, v in parts.items()}


def controls(root, generator):
    common = dict(block_out_channels=[8, 16], down_block_types=["CrossAttnDownBlock2D", "DownBlock2D"], layers_per_block=1, norm_num_groups=4,
                  attention_head_dim=4, cross_attention_dim=base.CROSS)
    nets = {name: ControlNetModel(**common, conditioning_embedding_out_channels=hints)
            for name, hints in (("cn-a", [4, 4, 8, 8]), ("cn-b", [4, 6, 6, 8]))}
    nets["t2i"] = T2IAdapter(channels=[8, 16], num_res_blocks=1, downscale_factor=8, adapter_type="full_adapter")
    for name, net in nets.items():
        with torch.no_grad():
            for p in net.parameters():  # zero convolutions, too
                p.copy_((torch.randn(p.shape, generator=generator) * (0.1 if p.dim() == 1 else 1.4 / p[0].numel() ** 0.5)).half().float())
            for key, p in net.named_parameters():
                if "norm" in key and key.endswith("weight"):
                    p.copy_((1 + p).half().float())
        base.save(net.eval(), root / name)
    return nets


def loras(root, parts, generator):
    for k, lora in enumerate(LORAS):
        tensors = {}
        for part in ("unet", "text_encoder"):
            for name, module in parts[part].named_modules():
                if not isinstance(module, (torch.nn.Linear, torch.nn.Conv2d)) or "fuser" in name or "_ip" in name or "encoder_hid" in name \
                        or "position_net" in name or not (".attn" in name or ".ff." in name or "_proj" in name or ".conv1" in name):
                    continue
                w, rank = module.weight, 2 + k
                stem = f"{part}.{name}" if part == "unet" or name.startswith("text_model") else f"{part}.text_model.{name}"
                tensors[stem + ".lora_A.weight"] = torch.randn((rank, *w.shape[1:]), generator=generator) * 0.4 / w[0].numel() ** 0.5
                tensors[stem + ".lora_B.weight"] = torch.randn((w.shape[0], rank, *[1] * (w.dim() - 2)), generator=generator) * 0.4
        save_file(half(tensors), root / f"{lora['name']}.safetensors")


def pictures():
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float64)
    colours = np.stack([0.5 + 0.5 * np.sin(x / 9 + y / 17), 0.5 + 0.5 * np.cos(x / 13 - y / 7), x * y / (WIDTH * HEIGHT)], -1)
    lines = ((x // 3 + y // 5) % 4 == 0)[..., None] * np.ones(3)
    return {k: torch.tensor(np.round(v * 255) / 255, dtype=torch.float32) for k, v in (("colours", colours), ("lines", lines))}


def batch(picture):
    return picture.permute(2, 0, 1)[None].contiguous()


def objects(pipe, boxes):
    """30 places, the first ones taken; the unconditional half has none."""
    ids = pipe.tokenizer([p for _, p in boxes], padding=True, return_tensors="pt")
    place, phrase, mask = torch.zeros(1, 30, 4), torch.zeros(1, 30, base.CROSS), torch.zeros(1, 30)
    place[0, :len(boxes)] = torch.tensor([b for b, _ in boxes])
    phrase[0, :len(boxes)] = pipe.text_encoder(**ids).pooler_output
    mask[0, :len(boxes)] = 1
    return {"boxes": place.repeat(2, 1, 1), "positive_embeddings": phrase.repeat(2, 1, 1), "masks": torch.cat([0 * mask, mask])}


def set_fuser(unet, on):
    for module in unet.modules():
        if isinstance(module, GatedSelfAttentionDense):
            module.enabled = on


def run(pipe, nets, shown, reference, leave_out=()):
    unet, scheduler = pipe.unet, pipe.scheduler
    cond, uncond = pipe.encode_prompt(base.PROMPT, "cpu", 1, True, base.NEGATIVE)
    text = torch.cat([uncond, cond])
    embeds = pipe.prepare_ip_adapter_image_embeds([Image.fromarray(reference)], None, "cpu", 1, True)
    gligen = objects(pipe, base.BOXES["three"])
    scheduler.set_timesteps(STEPS)
    x = torch.randn((1, 4, HEIGHT // 8, WIDTH // 8), generator=torch.Generator("cpu").manual_seed(SEED)) * scheduler.init_noise_sigma
    features = nets["t2i"](batch(shown[ADAPTER["picture"]]))
    for i, t in enumerate(scheduler.timesteps):
        pair = scheduler.scale_model_input(torch.cat([x] * 2), t)
        down = mid = None
        for k in CONTROLS:
            if i / STEPS < k["start"] or (i + 1) / STEPS > k["end"] or k["net"] in leave_out:
                continue
            d, m = nets[k["net"]](pair, t, text, torch.cat([batch(shown[k["picture"]])] * 2), conditioning_scale=k["strength"], return_dict=False)
            down, mid = (d, m) if down is None else ([a + b for a, b in zip(down, d)], mid + m)
        set_fuser(unet, i < int(BETA * STEPS) and "gligen" not in leave_out)
        more = {} if down is None else {"down_block_additional_residuals": down, "mid_block_additional_residual": mid}
        if "t2i" not in leave_out:
            more["down_intrablock_additional_residuals"] = [torch.cat([f * ADAPTER["strength"]] * 2) for f in features]
        e = unet(pair, t, text, cross_attention_kwargs={"gligen": dict(gligen)}, added_cond_kwargs={"image_embeds": embeds}, **more).sample
        low, high = e.chunk(2)
        x = scheduler.step(low + GUIDANCE * (high - low), t, x).prev_sample
    return x[0].contiguous()


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: make_together.py OUTDIR")
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    grounding, root = Path(sys.argv[1]) / "grounding", Path(sys.argv[1]) / "together"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    generator = torch.Generator().manual_seed(51)
    shown, reference = pictures(), base.picture(37, 29, 0.8)
    with torch.no_grad():
        parts = networks(grounding)
        nets = controls(root, generator)
        loras(root, parts, generator)
        size = parts["image_encoder"].config.image_size
        schedule = json.loads((grounding / "sd" / "scheduler" / "scheduler_config.json").read_text())
        pipe = StableDiffusionPipeline(**parts, scheduler=DDIMScheduler(**schedule, clip_sample=False), safety_checker=None, requires_safety_checker=False,
                                       feature_extractor=CLIPImageProcessorPil(size={"shortest_edge": size}, crop_size={"height": size, "width": size}))
        for lora in LORAS:
            pipe.load_lora_weights(str(root), weight_name=lora["name"] + ".safetensors", adapter_name=lora["name"])
        pipe.set_adapters([k["name"] for k in LORAS], [{"unet": k["strength"], "text_encoder": k["text"]} for k in LORAS])
        made = run(pipe, nets, shown, reference)
        for left in ("cn-a", "cn-b", "t2i", "gligen"):  # each of them counts
            change = float((run(pipe, nets, shown, reference, (left,)) - made).abs().max() / made.abs().max())
            print(f"without {left}: {change:.3f}")
            assert change > 0.02, left
    assert torch.isfinite(made).all()
    print(f"together: {float(made.std()):.3f}")
    tensors = {"latent": made, "reference": torch.tensor(reference.astype(np.float32) / 255), **{f"picture.{k}": v for k, v in shown.items()}}
    save_file(tensors, root / "together.safetensors")
    versions = {"torch": torch.__version__, "diffusers": diffusers.__version__, "transformers": transformers.__version__}
    (root / "together.json").write_text(json.dumps({
        "made_with": versions, "width": WIDTH, "height": HEIGHT, "steps": STEPS, "guidance": GUIDANCE, "seed": SEED, "prompt": base.PROMPT,
        "negative": base.NEGATIVE, "controls": [*CONTROLS, {**ADAPTER, "start": 0.0, "end": 1.0}], "loras": LORAS, "ip": IP, "beta": BETA,
        "boxes": [{"box": b, "phrase": p} for b, p in base.BOXES["three"]]}, indent=1) + "\n")


if __name__ == "__main__":
    main()
