# SPDX-License-Identifier: GPL-3.0-or-later
"""Two tiny random models (SD and SDXL in small), control networks in the forms that people have them in, and the latents that diffusers'
pipelines make with them. Used by make_controls.py."""
import json
import shutil

import diffusers
import numpy as np
import torch
import transformers
from diffusers import (AutoencoderKL, ControlNetModel, DDIMScheduler, EulerAncestralDiscreteScheduler, EulerDiscreteScheduler,
                       HeunDiscreteScheduler, MultiAdapter, PNDMScheduler, StableDiffusionAdapterPipeline, StableDiffusionControlNetImg2ImgPipeline,
                       StableDiffusionControlNetInpaintPipeline, StableDiffusionControlNetPipeline,
                       StableDiffusionXLAdapterPipeline, StableDiffusionXLControlNetPipeline, T2IAdapter, UNet2DConditionModel)
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from control_names import original_adapter_name, original_controlnet_name
from make_nets import randomise
from make_runs import LENGTH, write_tokenizer

PROMPT, NEGATIVE = "a red circle left of a blue house", "blurry"
X, D, XU, U = "CrossAttnDownBlock2D", "DownBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"
HINTS = [4, 4, 8, 8]
SD = dict(block_out_channels=[8, 8, 8], down_block_types=[X, X, D], attention_head_dim=[2, 4, 2], cross_attention_dim=16,
          norm_num_groups=4, layers_per_block=1)
XL = dict(block_out_channels=[4, 8, 8], down_block_types=[D, X, X], attention_head_dim=[1, 2, 4], cross_attention_dim=32,
          norm_num_groups=4, layers_per_block=1, transformer_layers_per_block=[1, 1, 2], use_linear_projection=True,
          addition_embed_type="text_time", addition_time_embed_dim=6, projection_class_embeddings_input_dim=48)
SCHEDULE = {"num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
            "prediction_type": "epsilon", "timestep_spacing": "leading", "steps_offset": 1}
SCHEDULERS = {"ddim": (DDIMScheduler, {"clip_sample": False, "set_alpha_to_one": False}), "euler": (EulerDiscreteScheduler, {}),
              "euler-a": (EulerAncestralDiscreteScheduler, {}), "heun": (HeunDiscreteScheduler, {}),
              "pndm": (PNDMScheduler, {"skip_prk_steps": True})}

# name: (class, config, how it is stored)
NETS = {
    "cn-ldm": (ControlNetModel, {**SD, "conditioning_embedding_out_channels": HINTS}, "ldm"),
    "cn-bgr": (ControlNetModel, {**SD, "conditioning_embedding_out_channels": [4, 6, 6, 8],
                                 "controlnet_conditioning_channel_order": "bgr"}, "folder"),
    "cn-pool": (ControlNetModel, {**SD, "conditioning_embedding_out_channels": HINTS, "global_pool_conditions": True}, "folder"),
    "cn-xl": (ControlNetModel, {**XL, "conditioning_embedding_out_channels": HINTS}, "folder"),
    "cn-xl-small": (ControlNetModel, {**XL, "down_block_types": [D, D, D], "mid_block_type": "UNetMidBlock2D",
                                      "transformer_layers_per_block": [0, 0, 0], "conditioning_embedding_out_channels": HINTS},
                    "file"),
    "t2i": (T2IAdapter, dict(channels=[8, 8, 8], num_res_blocks=2, downscale_factor=8, adapter_type="full_adapter"), "folder"),
    "t2i-light-grey": (T2IAdapter, dict(in_channels=1, channels=[8, 8], num_res_blocks=2, downscale_factor=8,
                                        adapter_type="light_adapter"), "original"),
    "t2i-four": (T2IAdapter, dict(in_channels=1, channels=[8, 8, 8, 8], num_res_blocks=1, downscale_factor=8,
                                  adapter_type="full_adapter"), "file"),
    "t2i-xl": (T2IAdapter, dict(channels=[4, 8, 8, 8], num_res_blocks=1, downscale_factor=16, adapter_type="full_adapter_xl"),
               "folder"),
    "t2i-xl-grey": (T2IAdapter, dict(in_channels=1, channels=[4, 8, 8, 8], num_res_blocks=1, downscale_factor=16,
                                     adapter_type="full_adapter_xl"), "original"),
}


def control(net, picture="lines", strength=1.0, start=0.0, end=1.0, guess=False):
    return {"net": net, "picture": picture, "strength": strength, "start": start, "end": end, "guess": guess}


CASES = [
    {"name": "cn-one", "controls": [control("cn-ldm", strength=0.8)]},
    {"name": "cn-square", "sampler": "euler", "width": 48, "height": 48, "controls": [control("cn-bgr", "colours")]},
    {"name": "cn-two", "sampler": "euler-a", "controls": [control("cn-ldm"), control("cn-bgr", "colours", 0.5)]},
    {"name": "cn-range", "steps": 6, "controls": [control("cn-ldm", start=0.3, end=0.8), control("cn-bgr", "colours", 0.7, end=0.5)]},
    # samplers that evaluate more often than once a step: the range is of evaluations
    {"name": "cn-heun", "sampler": "heun", "controls": [control("cn-ldm", start=0.2, end=0.6)]},
    {"name": "cn-pndm", "sampler": "pndm", "controls": [control("cn-bgr", "colours", start=0.2, end=0.8)]},
    {"name": "cn-guess", "sampler": "euler", "guidance": 4.0, "controls": [control("cn-ldm", strength=0.9, guess=True)]},
    {"name": "cn-guess-two", "controls": [control("cn-ldm", guess=True), control("cn-bgr", "colours", 0.5, guess=True)]},
    {"name": "cn-guess-no-guidance", "guidance": 1.0, "controls": [control("cn-bgr", "colours", guess=True)]},
    {"name": "cn-pool", "controls": [control("cn-pool", "colours", 1.2)]},
    {"name": "cn-image", "task": "image", "strength": 0.6, "steps": 8, "controls": [control("cn-ldm", start=0.2, end=0.9)]},
    {"name": "cn-fill4", "task": "fill", "sampler": "euler", "controls": [control("cn-ldm", "holes")]},
    {"name": "cn-fill9", "task": "fill", "model": "fill", "controls": [control("cn-bgr", "holes", 0.7)]},
    {"name": "t2i-one", "sampler": "euler", "controls": [control("t2i", "colours", 0.8)]},
    {"name": "t2i-light", "width": 48, "height": 48, "controls": [control("t2i-light-grey", "grey", 1.1)]},
    {"name": "t2i-two", "controls": [control("t2i", "colours", 0.6), control("t2i-light-grey", "grey", 0.7)]},
    {"name": "t2i-four", "controls": [control("t2i-four", "grey", 0.9)]},
    {"name": "both", "controls": [control("cn-ldm", strength=0.8, end=0.75), control("t2i", "colours", 0.6)]},
    {"name": "xl-cn", "model": "xl", "controls": [control("cn-xl", "colours", 0.8)]},
    {"name": "xl-cn-two", "model": "xl", "sampler": "euler", "width": 48, "height": 48,
     "controls": [control("cn-xl", "colours", end=0.7), control("cn-xl-small", strength=0.6)]},
    {"name": "xl-cn-guess", "model": "xl", "controls": [control("cn-xl-small", guess=True)]},
    {"name": "xl-t2i", "model": "xl", "sampler": "euler", "controls": [control("t2i-xl", "colours", 0.8)]},
    {"name": "xl-t2i-half", "model": "xl", "steps": 5, "controls": [control("t2i-xl-grey", "grey", 0.9, end=0.5)]},
]
DEFAULTS = {"model": "sd", "task": "text", "sampler": "ddim", "steps": 4, "guidance": 6.0, "seed": 7, "strength": 1.0, "width": 64,
            "height": 48}


def store(module, folder):
    """Saves as f16; the weights hold only values of f16 already."""
    module.half().save_pretrained(folder)
    return module.float()


def louder(module, generator):
    """Random networks say little: larger weights make every part count."""
    randomise(module, generator)
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.dim() >= 2:
                parameter.copy_((1.4 * parameter).half().float())
    return module


def text_encoder(words, width, generator, projection=None):
    config = CLIPTextConfig(vocab_size=words, hidden_size=width, intermediate_size=2 * width, num_hidden_layers=2,
                            num_attention_heads=2, max_position_embeddings=LENGTH,
                            hidden_act="gelu" if projection else "quick_gelu", bos_token_id=words - 2, eos_token_id=words - 1,
                            pad_token_id=words - 1, projection_dim=projection or width)
    return louder((CLIPTextModelWithProjection if projection else CLIPTextModel)(config), generator)


def vae(generator):
    return louder(AutoencoderKL(
        in_channels=3, out_channels=3, down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(4, 4, 8, 8), layers_per_block=1, latent_channels=4, norm_num_groups=2, sample_size=64,
        scaling_factor=0.18215), generator)


def unet(config, channels, generator):
    ups = [XU if kind == X else U for kind in reversed(config["down_block_types"])]
    return louder(UNet2DConditionModel(sample_size=8, in_channels=channels, out_channels=4, up_block_types=ups, **config), generator)


def build(root):
    generator = torch.Generator().manual_seed(31)
    models = {}
    for name, config in (("sd", SD), ("xl", XL)):
        folder = root / name
        words = write_tokenizer(folder / "tokenizer")
        m = {"tokenizer": CLIPTokenizer.from_pretrained(folder / "tokenizer")}
        m["text_encoder"] = store(text_encoder(words, 16, generator), folder / "text_encoder")
        if name == "xl":
            write_tokenizer(folder / "tokenizer_2")
            m["tokenizer_2"] = CLIPTokenizer.from_pretrained(folder / "tokenizer_2")
            m["text_encoder_2"] = store(text_encoder(words, 16, generator, 12), folder / "text_encoder_2")
        m["vae"] = store(vae(generator), folder / "vae")
        m["unet"] = store(unet(config, 4, generator), folder / "unet")
        if name == "sd":
            models["fill"] = {**m, "unet": store(unet(config, 9, generator), folder / "unet_fill")}
        (folder / "scheduler").mkdir()
        (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps({**SCHEDULE, "set_alpha_to_one": False}) + "\n")
        parts = {"unet": "UNet2DConditionModel", "vae": "AutoencoderKL", "scheduler": "DDIMScheduler"}
        index = {"_class_name": "StableDiffusionXLPipeline" if name == "xl" else "StableDiffusionPipeline",
                 **{k: ["diffusers", v] for k, v in parts.items()}, "text_encoder": ["transformers", "CLIPTextModel"],
                 "tokenizer": ["transformers", "CLIPTokenizer"]}
        if name == "xl":
            index.update({"text_encoder_2": ["transformers", "CLIPTextModelWithProjection"],
                          "tokenizer_2": ["transformers", "CLIPTokenizer"], "force_zeros_for_empty_prompt": True})
        (folder / "model_index.json").write_text(json.dumps(index, indent=1) + "\n")
        models[name] = m
    return models


def build_nets(root):
    generator = torch.Generator().manual_seed(32)
    nets = {}
    for name, (kind, config, form) in NETS.items():
        net = louder(kind(**config), generator)
        nets[name] = store(net, root / name).eval()
        if form == "folder":
            continue
        tensors = load_file(root / name / "diffusion_pytorch_model.safetensors")
        shutil.rmtree(root / name)
        if form == "ldm":
            tensors = {"control_model." + original_controlnet_name(k, 1, len(HINTS)): v for k, v in tensors.items()}
        elif form == "original":
            light = config["adapter_type"] == "light_adapter"
            tensors = {original_adapter_name(k, config["num_res_blocks"], light): v for k, v in tensors.items()}
        save_file(tensors, root / f"{name}.safetensors")
    return nets


def pictures(width, height):
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    colours = np.stack([0.5 + 0.5 * np.sin(x / 9 + y / 17), 0.5 + 0.5 * np.cos(x / 13 - y / 7), x * y / (width * height)], -1)
    lines = ((x // 3 + y // 5) % 4 == 0)[..., None] * np.ones(3)
    grey = (0.5 + 0.5 * np.sin(x / 5) * np.cos(y / 6))[..., None] * np.ones(3)
    mask = (x - 30) ** 2 / 18 ** 2 + (y - 20) ** 2 / 13 ** 2 < 1
    made = {name: np.round(value * 255) / 255 for name, value in (("colours", colours), ("lines", lines), ("grey", grey))}
    made["holes"] = np.where(mask[..., None], -1.0, made["colours"])
    made["mask"] = mask
    return {name: torch.tensor(value, dtype=torch.float32) for name, value in made.items()}


def as_batch(picture):
    return picture.permute(2, 0, 1)[None].contiguous()


def one_or_all(values):
    return values[0] if len(values) == 1 else values


def run_both(c, m, scheduler, nets, shown):
    """A ControlNet and an adapter at once, which no pipeline of diffusers does: its UNet takes both."""
    pipe = StableDiffusionAdapterPipeline(vae=m["vae"], text_encoder=m["text_encoder"], tokenizer=m["tokenizer"], unet=m["unet"],
                                          adapter=nets["t2i"], scheduler=scheduler, safety_checker=None, feature_extractor=None,
                                          requires_safety_checker=False)
    cond, uncond = pipe.encode_prompt(PROMPT, "cpu", 1, True, NEGATIVE)
    text = torch.cat([uncond, cond])
    scheduler.set_timesteps(c["steps"])
    x = torch.randn((1, 4, c["height"] // 8, c["width"] // 8), generator=torch.Generator("cpu").manual_seed(c["seed"]))
    x = x * scheduler.init_noise_sigma
    cn, adapter = c["controls"]
    features = [torch.cat([f * adapter["strength"]] * 2) for f in nets[adapter["net"]](as_batch(shown[adapter["picture"]]))]
    n = len(scheduler.timesteps)
    for i, t in enumerate(scheduler.timesteps):
        pair = scheduler.scale_model_input(torch.cat([x] * 2), t)
        more = {}
        if not (i / n < cn["start"] or (i + 1) / n > cn["end"]):
            down, mid = nets[cn["net"]](pair, t, text, torch.cat([as_batch(shown[cn["picture"]])] * 2),
                                        conditioning_scale=cn["strength"], return_dict=False)
            more = {"down_block_additional_residuals": down, "mid_block_additional_residual": mid}
        e = m["unet"](pair, t, text, down_intrablock_additional_residuals=[f.clone() for f in features], **more).sample
        low, high = e.chunk(2)
        x = scheduler.step(low + c["guidance"] * (high - low), t, x).prev_sample
    return x


def run(case, models, nets):
    c = {**DEFAULTS, **case}
    m = models[c["model"]]
    kind, extra = SCHEDULERS[c["sampler"]]
    scheduler = kind(**SCHEDULE, **extra)
    shown = pictures(c["width"], c["height"])
    if c["name"] == "both":
        return c, run_both(c, m, scheduler, nets, shown)
    controls = c["controls"]
    used = [nets[k["net"]] for k in controls]
    images = [as_batch(shown[k["picture"]]) for k in controls]
    adapter = isinstance(used[0], T2IAdapter)
    if adapter:
        images = [image[:, :net.config.in_channels] for image, net in zip(images, used)]
    arguments = dict(prompt=PROMPT, negative_prompt=NEGATIVE, num_inference_steps=c["steps"], guidance_scale=c["guidance"],
                     generator=torch.Generator("cpu").manual_seed(c["seed"]), output_type="latent")
    parts = {**m, "scheduler": scheduler}
    if c["model"] == "xl":
        cls = StableDiffusionXLAdapterPipeline if adapter else StableDiffusionXLControlNetPipeline
    else:
        parts.update(safety_checker=None, feature_extractor=None, requires_safety_checker=False)
        cls = StableDiffusionAdapterPipeline if adapter else {
            "text": StableDiffusionControlNetPipeline, "image": StableDiffusionControlNetImg2ImgPipeline,
            "fill": StableDiffusionControlNetInpaintPipeline}[c["task"]]
    strengths = one_or_all([k["strength"] for k in controls])
    if adapter:
        parts["adapter"] = used[0] if len(used) == 1 else MultiAdapter(used)
        arguments.update(image=one_or_all(images), adapter_conditioning_scale=strengths, width=c["width"], height=c["height"])
        if c["model"] == "xl":
            arguments["adapter_conditioning_factor"] = controls[0]["end"]
    else:
        parts["controlnet"] = one_or_all(used)
        arguments.update(controlnet_conditioning_scale=strengths, guess_mode=controls[0]["guess"],
                         control_guidance_start=one_or_all([k["start"] for k in controls]),
                         control_guidance_end=one_or_all([k["end"] for k in controls]))
        arguments["image" if c["task"] == "text" else "control_image"] = one_or_all(images)
        if c["task"] != "text":
            arguments.update(image=as_batch(shown["colours"]), strength=c["strength"])
        if c["task"] == "fill":
            arguments["mask_image"] = shown["mask"][None, None]
        if c["task"] != "image":
            arguments.update(width=c["width"], height=c["height"])
    pipe = cls(**parts)
    pipe.set_progress_bar_config(disable=True)
    return c, pipe(**arguments).images


def make(root):
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    tensors, cases = {}, []
    with torch.no_grad():
        models, nets = build(root), build_nets(root)
        for case in CASES:
            c, latent = run(case, models, nets)
            assert torch.isfinite(latent).all(), c["name"]
            # what the controls do must be far more than what counts as equal
            plain = {**case, "controls": [{**k, "strength": 0.0} for k in case["controls"]]}
            change = float((run(plain, models, nets)[1] - latent).abs().max() / latent.abs().max())
            assert change > 0.02, (c["name"], change)
            print(f"{c['name']}: latent {float(latent.std()):.3f}, changed by {change:.3f}")
            tensors[c["name"]] = latent[0].contiguous()
            cases.append(c)
    for width, height in ((64, 48), (48, 48)):
        for name, value in pictures(width, height).items():
            # times 255 they are whole numbers, which f16 holds
            tensors[f"{name}.{width}x{height}"] = (255 * value).round().half().contiguous()
    versions = {"torch": torch.__version__, "diffusers": diffusers.__version__, "transformers": transformers.__version__}
    save_file(tensors, root / "controls.safetensors", metadata=versions)
    files = {name: name if form == "folder" else f"{name}.safetensors" for name, (_, _, form) in NETS.items()}
    (root / "controls.json").write_text(json.dumps({"made_with": versions, "prompt": PROMPT, "negative": NEGATIVE, "files": files,
                                                    "cases": cases}, indent=1) + "\n")
