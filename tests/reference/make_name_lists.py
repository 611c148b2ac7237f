#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes OUTDIR/lists/lists.gz: the names, shapes and number formats of the files that people have, without values, at full size: networks
made by diffusers and transformers on the meta device from the published configurations, single-file names proved by diffusers' own
converters (make_weights.pairs), and the extra tensors that published checkpoints carry. Also OUTDIR/lists/open-clip-*.safetensors, small
text encoders with values in OpenCLIP's names and as diffusers converts them. usage: make_name_lists.py OUTDIR

lists.gz: "@ NAME", then one tensor a line: stored name, dtype, shape, part ("-": nothing that a network asks for), names that it answers to
("|" between them)."""
import gzip
import shutil
import sys
from pathlib import Path

import torch
from diffusers import AutoencoderKL, AutoencoderTiny, ControlNetModel, T2IAdapter, UNet2DConditionModel
from diffusers.loaders import single_file_utils
from make_weights import UNET_TOP, VERSIONS, pairs, unet_ldm, vae_ldm
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPVisionConfig, CLIPVisionModelWithProjection

UNET_TOP |= {"add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2"}
CLIP_L = dict(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12)
OPEN_H = dict(hidden_size=1024, intermediate_size=4096, num_hidden_layers=23, num_attention_heads=16, projection_dim=1024, hidden_act="gelu")
OPEN_BIG_G = dict(hidden_size=1280, intermediate_size=5120, num_hidden_layers=32, num_attention_heads=20, projection_dim=1280, hidden_act="gelu")
CROSS, PLAIN = "CrossAttnDownBlock2D", "DownBlock2D"
UNETS = {
    "sd1": dict(cross_attention_dim=768),
    "sd2": dict(cross_attention_dim=1024, attention_head_dim=[5, 10, 20, 20], use_linear_projection=True),
    "sdxl": dict(cross_attention_dim=2048, attention_head_dim=[5, 10, 20], use_linear_projection=True, block_out_channels=[320, 640, 1280],
                 down_block_types=[PLAIN, CROSS, CROSS], up_block_types=["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
                 transformer_layers_per_block=[1, 2, 10], addition_embed_type="text_time", addition_time_embed_dim=256,
                 projection_class_embeddings_input_dim=2816),
    "refiner": dict(cross_attention_dim=1280, attention_head_dim=[6, 12, 24, 24], use_linear_projection=True,
                    block_out_channels=[384, 768, 1536, 1536], down_block_types=[PLAIN, CROSS, CROSS, PLAIN],
                    up_block_types=["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
                    transformer_layers_per_block=4, addition_embed_type="text_time", addition_time_embed_dim=256,
                    projection_class_embeddings_input_dim=2560),
}
CONTROLNETS = {
    "sd1": (UNETS["sd1"], {}),
    "sd2": (UNETS["sd2"], {}),
    "sdxl-full": (UNETS["sdxl"], {}),
    "sdxl-mid": (UNETS["sdxl"], dict(transformer_layers_per_block=[0, 0, 1])),
    "sdxl-small": (UNETS["sdxl"], dict(down_block_types=[PLAIN] * 3, mid_block_type="UNetMidBlock2D")),
}


def meta(make, *args, **kw):
    with torch.device("meta"):
        return make(*args, **kw)


def shapes_of(model):
    return {name: list(t.shape) for name, t in model.state_dict().items() if not name.endswith("position_ids")}


def plain(model, part, prefix="", dtype="F16"):
    """A network under its own names."""
    return [(prefix + n, dtype, s, part, n) for n, s in shapes_of(model).items()]


def flat_text(model, part, prefix, dtype="F16"):
    """CLIPTextModel, with the outer name that newer transformers leave out."""
    named = {n if n.startswith("text_") else "text_model." + n: s for n, s in shapes_of(model).items()}
    return [(prefix + n, dtype, s, part, n) for n, s in named.items()]


def of_pairs(triples, part, dtype="F16"):
    return [(ldm, dtype, shape, part, ours) for ours, ldm, shape in triples]


def unet(family, prefix="model.diffusion_model."):
    model = meta(UNet2DConditionModel, **UNETS[family])
    return of_pairs(pairs(model, "model.diffusion_model.", unet_ldm, single_file_utils.convert_ldm_unet_checkpoint), "unet")


def vae(**config):
    blocks = dict(down_block_types=["DownEncoderBlock2D"] * 4, up_block_types=["UpDecoderBlock2D"] * 4)
    model = meta(AutoencoderKL, block_out_channels=[128, 256, 512, 512], layers_per_block=2, latent_channels=4, **blocks)
    return model, of_pairs(pairs(model, "first_stage_model.", vae_ldm, single_file_utils.convert_ldm_vae_checkpoint), "vae", "F32")


def open_clip_names(config, layers):
    """OpenCLIP name -> shape, canonical names: as open_clip's text tower is laid out."""
    c, ff = config["hidden_size"], config["intermediate_size"]
    out = {"positional_embedding": ([config.get("max_position_embeddings", 77), c], "text_model.embeddings.position_embedding.weight"),
           "token_embedding.weight": ([config.get("vocab_size", 49408), c], "text_model.embeddings.token_embedding.weight"),
           "ln_final.weight": ([c], "text_model.final_layer_norm.weight"), "ln_final.bias": ([c], "text_model.final_layer_norm.bias"),
           "text_projection": ([c, config["projection_dim"]], "text_projection.weight")}
    parts = {"ln_1": ("layer_norm1", [c], [c]), "ln_2": ("layer_norm2", [c], [c]), "mlp.c_fc": ("mlp.fc1", [ff, c], [ff]),
             "mlp.c_proj": ("mlp.fc2", [c, ff], [c]), "attn.out_proj": ("self_attn.out_proj", [c, c], [c])}
    for k in range(layers):
        theirs, ours = f"transformer.resblocks.{k}.", f"text_model.encoder.layers.{k}."
        for part, (name, weight, bias) in parts.items():
            out[theirs + part + ".weight"] = (weight, ours + name + ".weight")
            out[theirs + part + ".bias"] = (bias, ours + name + ".bias")
        for kind, shape in (("weight", [3 * c, c]), ("bias", [3 * c])):
            out[f"{theirs}attn.in_proj_{kind}"] = (shape, "|".join(f"{ours}self_attn.{p}_proj.{kind}" for p in "qkv"))
    return out


def open_clip(config, prefix, part, dropped=0):
    """All of the tower with `dropped` last layers and, then, the projection left unused. diffusers' converter must make of it what the
    transformers class has."""
    total = config["num_hidden_layers"] + dropped
    names = open_clip_names(config, total)
    model = meta(CLIPTextModel if dropped else CLIPTextModelWithProjection, CLIPTextConfig(**config))
    wanted = {n if n.startswith("text_") else "text_model." + n: s for n, s in shapes_of(model).items()}
    stored = {prefix + n: torch.zeros(1, dtype=torch.int8).expand(s) for n, (s, _) in names.items()}
    converted = single_file_utils.convert_open_clip_checkpoint(model, stored, prefix=prefix)
    assert {n: list(t.shape) for n, t in converted.items()} == wanted, sorted(set(converted) ^ set(wanted))[:4]
    rows = []
    for n, (shape, ours) in names.items():
        used = all(o in wanted for o in ours.split("|"))
        rows.append((prefix + n, "F16", shape, part if used else "-", ours if used else "-"))
    return rows + [(prefix + "logit_scale", "F32", [], "-", "-")]


def ignored(*entries):
    return [(n, d, s, "-", "-") for n, d, s in entries]


def schedule_extras():
    """What the training code registers as buffers, and EMA copies under names without dots."""
    tables = ["betas", "alphas_cumprod", "alphas_cumprod_prev", "sqrt_alphas_cumprod", "sqrt_one_minus_alphas_cumprod", "log_one_minus_alphas_cumprod",
              "sqrt_recip_alphas_cumprod", "sqrt_recipm1_alphas_cumprod", "posterior_variance", "posterior_log_variance_clipped",
              "posterior_mean_coef1", "posterior_mean_coef2", "lvlb_weights"]
    return ignored(*((t, "F32", [1000]) for t in tables), ("logvar", "F32", [1000]), ("scale_factor", "F32", []), ("global_step", "I64", []))


def ema(rows):
    return ignored(("model_ema.decay", "F32", []), ("model_ema.num_updates", "I32", []),
                   *(("model_ema." + r[0][len("model."):].replace(".", ""), "F32", r[2]) for r in rows if r[0].startswith("model.diffusion_model.")))


def with_inputs(rows, channels):
    return [(n, d, [s[0], channels, *s[2:]] if o == "conv_in.weight" else s, p, o) for n, d, s, p, o in rows]


def bare(rows, prefix):
    return [(n[len(prefix):], d, s, p, o) for n, d, s, p, o in rows if n.startswith(prefix)]


def checkpoints(lists):
    vae_model, vae_rows = vae()
    position_ids = ("text_model.embeddings.position_ids", "I64", [1, 77])
    clip_l = meta(CLIPTextModel, CLIPTextConfig(**CLIP_L))
    sd1_unet, sd2_unet, sdxl_unet, refiner_unet = (unet(f) for f in ("sd1", "sd2", "sdxl", "refiner"))
    sd1 = sd1_unet + vae_rows + flat_text(clip_l, "text", "cond_stage_model.transformer.") \
        + ignored(("cond_stage_model.transformer." + position_ids[0], *position_ids[1:]))
    assert len(sd1) == 1131
    lists["sd1-checkpoint"] = sd1
    lists["sd1-checkpoint-ema"] = sd1 + schedule_extras() + ema(sd1)
    lists["sd1-inpaint"] = with_inputs(sd1, 9)
    lists["sd1-edit"] = with_inputs(sd1, 8)
    flat = [(n.replace("transformer.text_model.", "transformer."), d, s, p, o) for n, d, s, p, o in sd1]
    lists["sd1-merged"] = flat  # some merging programs leave the text model's outer name out
    sd2 = sd2_unet + vae_rows + open_clip(OPEN_H, "cond_stage_model.model.", "text", 1)
    lists["sd2-checkpoint"] = sd2 + schedule_extras()
    lists["sd2-inpaint"] = with_inputs(sd2, 9)
    lists["sd2-depth"] = with_inputs(sd2, 5)
    sdxl = sdxl_unet + vae_rows + flat_text(clip_l, "text", "conditioner.embedders.0.transformer.") \
        + ignored(("conditioner.embedders.0.transformer." + position_ids[0], *position_ids[1:])) \
        + open_clip(OPEN_BIG_G, "conditioner.embedders.1.model.", "text2")
    assert len(sdxl) == 2515
    lists["sdxl-checkpoint"] = sdxl + ignored(("denoiser.sigmas", "F32", [1000]))
    lists["sdxl-v"] = sdxl + ignored(("v_pred", "F32", []), ("ztsnr", "F32", []))
    lists["sdxl-inpaint"] = with_inputs(sdxl, 9)
    lists["sdxl-edit"] = with_inputs(sdxl, 8)
    turned = [(n + ".weight" if n.endswith("text_projection") else n, d, s, p, o) for n, d, s, p, o in sdxl]
    lists["sdxl-turned"] = turned
    lists["refiner-checkpoint"] = refiner_unet + vae_rows + open_clip(OPEN_BIG_G, "conditioner.embedders.0.model.", "text2")
    lists["sd1-unet-bare"] = bare(sd1_unet, "model.diffusion_model.")
    lists["sdxl-unet-diffusers"] = plain(meta(UNet2DConditionModel, **UNETS["sdxl"]), "unet")
    lists["sd1-unet-lcm"] = plain(meta(UNet2DConditionModel, time_cond_proj_dim=256, **UNETS["sd1"]), "unet")
    lists["vae-ldm"] = bare(vae_rows, "first_stage_model.")
    lists["vae-prefixed"] = [("vae." + n, d, s, p, o) for n, d, s, p, o in lists["vae-ldm"]]
    lists["vae-diffusers"] = plain(vae_model, "vae")
    old = {".to_q.": ".query.", ".to_k.": ".key.", ".to_v.": ".value.", ".to_out.0.": ".proj_attn."}
    lists["vae-diffusers-old"] = [(next((n.replace(a, b) for a, b in old.items() if a in n), n), d, s, p, o)
                                  for n, d, s, p, o in lists["vae-diffusers"]]
    lists["text-clip-l"] = flat_text(clip_l, "text", "")
    counts = {"sd1": sd1_unet, "sd2": sd2_unet, "sdxl": sdxl_unet, "refiner": refiner_unet, "vae": vae_rows}
    assert {k: len(v) for k, v in counts.items()} == {"sd1": 686, "sd2": 686, "sdxl": 1680, "refiner": 1220, "vae": 248}


def controlnet_ldm(name, config):
    parts = name.split(".")
    if parts[0] == "controlnet_down_blocks":
        return ".".join([f"zero_convs.{parts[1]}.0", parts[2]])
    if parts[0] == "controlnet_mid_block":
        return ".".join(["middle_block_out.0", parts[1]])
    if parts[0] == "controlnet_cond_embedding":
        place = {"conv_in": 0, "conv_out": 14}.get(parts[1]) if parts[1] != "blocks" else 2 * (int(parts[2]) + 1)
        return f"input_hint_block.{place}.{parts[-1]}"
    return unet_ldm(name, config)


def controlnets(lists):
    models = {}
    for name, (base, more) in CONTROLNETS.items():
        config = {k: v for k, v in base.items() if k != "up_block_types"} | more
        if name == "sdxl-mid":  # attention without transformer layers: made as diffusers' own class makes it
            config["transformer_layers_per_block"] = [0, 0, 1]
        models[name] = meta(ControlNetModel, **config)
        lists[f"controlnet-{name}"] = plain(models[name], "controlnet")
    assert len(lists["controlnet-sd1"]) == 340
    for name, prefix in (("sd1", "control_model."), ("sd2", "")):
        triples = pairs(models[name], prefix, controlnet_ldm,
                        lambda stored, config: single_file_utils.convert_controlnet_checkpoint(dict(stored), config))
        lists[f"controlnet-{name}-ldm"] = of_pairs(triples, "controlnet")
    lists["controlnet-union"] = lists["controlnet-sdxl-full"] + ignored(("task_embedding", "F16", [6, 320]), ("control_add_embedding.linear_1.weight", "F16", [1280, 1536]))


def adapters(lists):
    kinds = {"full": (3, 8, 2), "light": (3, 8, 4), "xl": (3, 16, 2), "gray": (1, 8, 2)}
    for name, (channels, fold, resnets) in kinds.items():
        kind = {"light": "light_adapter", "xl": "full_adapter_xl"}.get(name, "full_adapter")
        model = meta(T2IAdapter, in_channels=channels, channels=[320, 640, 1280, 1280], num_res_blocks=resnets, downscale_factor=fold, adapter_type=kind)
        rows = plain(model, "adapter")
        lists[f"t2i-{name}"] = rows
        original = []
        for n, d, s, p, o in rows:
            n, parts = n.removeprefix("adapter."), n.split(".")
            if kind == "light_adapter":
                n = n.replace(".resnets.", ".body.")
            elif parts[1] == "body":  # numbered through; the change of width belongs to a body's first
                i = int(parts[2])
                n = f"body.{2 * i + int(parts[4])}." + ".".join(parts[5:]) if parts[3] == "resnets" else f"body.{2 * i}." + ".".join(parts[3:])
            original.append((n, d, s, p, o))
        lists[f"t2i-{name}-original"] = original


def gligen(lists):
    model = meta(UNet2DConditionModel, attention_type="gated", **UNETS["sd1"])
    rows = plain(model, "gligen")
    assert len(rows) == 686 + 17 * 16 + 8, len(rows)
    lists["gligen-diffusers"] = rows
    ldm = []
    for n, d, s, p, o in rows:
        ldm.append(("model.diffusion_model." + (n if n.startswith("position_net.") else unet_ldm(n, dict(model.config))), d, s, p, o))
    lists["gligen-ldm"] = ldm


def ip_adapter(lists):
    for base, blocks in (("sd1", 32), ("sdxl", 140)):
        unet_model = meta(UNet2DConditionModel, **UNETS[base])
        order = [n for n in unet_model.attn_processors]
        context = UNETS[base]["cross_attention_dim"]
        shapes = shapes_of(unet_model)
        keys = [(f"ip_adapter.{i}.{kv}_ip.weight", [shapes[n.replace(".processor", f".{kv}.weight")][0], context])
                for i, n in enumerate(order) if "attn2" in n for kv in ("to_k", "to_v")]
        assert len(order) == blocks
        encoder = 1024 if base == "sd1" else 1280
        proj = [("image_proj.proj.weight", [4 * context, encoder]), ("image_proj.proj.bias", [4 * context]),
                ("image_proj.norm.weight", [context]), ("image_proj.norm.bias", [context])]
        inner = 768 if base == "sd1" else 1280
        plus = [("image_proj.latents", [1, 16, inner]), ("image_proj.proj_in.weight", [inner, 1280]), ("image_proj.proj_in.bias", [inner]),
                ("image_proj.proj_out.weight", [context, inner]), ("image_proj.proj_out.bias", [context]),
                ("image_proj.norm_out.weight", [context]), ("image_proj.norm_out.bias", [context])]
        width = 768 if base == "sd1" else 1280
        for k in range(4):
            at = f"image_proj.layers.{k}."
            plus += [(at + "0.norm1.weight", [inner]), (at + "0.norm1.bias", [inner]), (at + "0.norm2.weight", [inner]), (at + "0.norm2.bias", [inner]),
                     (at + "0.to_q.weight", [width, inner]), (at + "0.to_kv.weight", [2 * width, inner]), (at + "0.to_out.weight", [inner, width]),
                     (at + "1.0.weight", [inner]), (at + "1.0.bias", [inner]), (at + "1.1.weight", [4 * inner, inner]), (at + "1.3.weight", [inner, 4 * inner])]
        lists[f"ip-adapter-{base}"] = [(n, "F16", s, "ip", n) for n, s in proj + keys]
        lists[f"ip-adapter-plus-{base}"] = [(n, "F16", s, "ip", n) for n, s in plus + keys]
    for name, size in (("h", dict(hidden_size=1280, intermediate_size=5120, num_hidden_layers=32, num_attention_heads=16, projection_dim=1024)),
                       ("bigg", dict(hidden_size=1664, intermediate_size=8192, num_hidden_layers=48, num_attention_heads=16, projection_dim=1280))):
        model = meta(CLIPVisionModelWithProjection, CLIPVisionConfig(image_size=224, patch_size=14, **size))
        lists[f"clip-vision-{name}"] = plain(model, "vision")


def loras(lists):
    def modules(base):
        model = meta(UNet2DConditionModel, **UNETS[base])
        return {n: m for n, m in model.named_modules() if isinstance(m, torch.nn.Linear) and "transformer_blocks" in n}

    def pairs_of(found, name, rank=8):
        rows = []
        for n, m in found.items():
            for suffix, shape in name(n, m, rank):
                rows.append((suffix, "F16", shape, "lora", n))
        return rows

    sd1, sd2, sdxl = modules("sd1"), modules("sd2"), modules("sdxl")
    sgm = {n: unet_ldm(n + ".weight", UNETS["sdxl"] | {"layers_per_block": 2}).removesuffix(".weight") for n in sdxl}

    def kohya(n, m, r):
        at = "lora_unet_" + n.replace(".", "_")
        return [(at + ".lora_down.weight", [r, m.in_features]), (at + ".lora_up.weight", [m.out_features, r]), (at + ".alpha", [])]

    def with_two(down, up):
        return lambda n, m, r: [(down.format(n), [r, m.in_features]), (up.format(n), [m.out_features, r])]

    def old(n, m, r):
        block, proj = n.rsplit(".to_", 1) if ".to_" in n else (n, None)
        if proj is None:
            return []
        at = f"{block}.processor.to_{proj.removesuffix('.0')}_lora."
        return [(at + "down.weight", [r, m.in_features]), (at + "up.weight", [m.out_features, r])]

    lists["lora-kohya-sd1"] = pairs_of(sd1, kohya)
    lists["lora-kohya-sd2"] = pairs_of(sd2, kohya)
    lists["lora-kohya-sdxl"] = pairs_of(sdxl, lambda n, m, r: [(s.replace(n.replace(".", "_"), sgm[n].replace(".", "_")), shape) for s, shape in kohya(n, m, r)])
    lists["lora-diffusers-sd1"] = pairs_of(sd1, with_two("unet.{}.lora.down.weight", "unet.{}.lora.up.weight"))
    lists["lora-old-sd1"] = pairs_of(sd1, old)
    lists["lora-peft-sdxl"] = pairs_of(sdxl, with_two("unet.{}.lora_A.weight", "unet.{}.lora_B.weight"))
    lists["lora-peft-sd1"] = pairs_of(sd1, with_two("base_model.model.{}.lora_A.weight", "base_model.model.{}.lora_B.weight"))
    lists["lora-dora-sd1"] = pairs_of(sd1, lambda n, m, r: kohya(n, m, r) + [("lora_unet_" + n.replace(".", "_") + ".dora_scale", [m.out_features, 1])])
    flat = lambda n: "lora_unet_" + n.replace(".", "_")
    lists["lora-loha-sd1"] = pairs_of(sd1, lambda n, m, r: [(flat(n) + ".hada_w1_a", [m.out_features, r]), (flat(n) + ".hada_w1_b", [r, m.in_features]),
                                                           (flat(n) + ".hada_w2_a", [m.out_features, r]), (flat(n) + ".hada_w2_b", [r, m.in_features]), (flat(n) + ".alpha", [])])
    lists["lora-lokr-sd1"] = pairs_of(sd1, lambda n, m, r: [(flat(n) + ".lokr_w1", [8, 8]), (flat(n) + ".lokr_w2", [m.out_features // 8, m.in_features // 8]), (flat(n) + ".alpha", [])])
    text = {n: m for n, m in meta(CLIPTextModel, CLIPTextConfig(**CLIP_L)).named_modules() if isinstance(m, torch.nn.Linear)}

    def te(n, m, r):
        n = n if n.startswith("text_model.") else "text_model." + n
        at = "lora_te_" + n.replace(".", "_")
        return [(at + ".lora_down.weight", [r, m.in_features]), (at + ".lora_up.weight", [m.out_features, r]), (at + ".alpha", [])]

    lists["lora-text-sd1"] = pairs_of(text, te)


def small_things(lists):
    tiny = plain(meta(AutoencoderTiny), "taesd")
    lists["taesd-diffusers"] = tiny
    lists["taesd-decoder"] = [(f"{int(n.split('.')[2]) + 1}." + n.split(".", 3)[3], d, s, p, o) for n, d, s, p, o in tiny if n.startswith("decoder.")]
    lists["taesd-encoder"] = [(n.split(".", 2)[2], d, s, p, o) for n, d, s, p, o in tiny if n.startswith("encoder.")]
    lists["ti-diffusers-sd1"] = [("<toy>", "F32", [768], "ti", "<toy>")]
    lists["ti-diffusers-sd2"] = [("<toy>", "F32", [4, 1024], "ti", "<toy>")]
    lists["ti-a1111-sd1"] = [("emb_params", "F32", [8, 768], "ti", "emb_params")]
    lists["ti-sdxl"] = [("clip_l", "F16", [2, 768], "ti", "clip_l"), ("clip_g", "F16", [2, 1280], "ti", "clip_g")]


def check_line(row):
    name, dtype, shape, part, ours = row
    assert " " not in name + ours and "\n" not in name, name
    return f"{name} {dtype} {','.join(map(str, shape)) or '-'} {part} {ours}\n"


def open_clip_values(out):
    """Small towers with values, before and after conversion: thirds and the turned projection, to the bit."""
    torch.manual_seed(5)
    for name, dropped, prefix in (("first", 1, "cond_stage_model.model."), ("second", 0, "conditioner.embedders.1.model.")):
        config = dict(hidden_size=12, intermediate_size=20, num_hidden_layers=2, num_attention_heads=2, vocab_size=30, max_position_embeddings=9,
                      projection_dim=8, hidden_act="gelu", bos_token_id=0, eos_token_id=1, pad_token_id=0)
        model = (CLIPTextModel if dropped else CLIPTextModelWithProjection)(CLIPTextConfig(**config))
        stored = {prefix + n: torch.randn(s, dtype=torch.float32) for n, (s, _) in open_clip_names(config, 2 + dropped).items()}
        # the converter cuts joined projections at the width of text_projection's rows
        converted = single_file_utils.convert_open_clip_checkpoint(model, dict(stored), prefix=prefix)
        if dropped:  # it knows SD 2's 24th layer by its number alone
            converted = {n: t for n, t in converted.items() if ".layers.2." not in n and n != "text_projection.weight"}
        assert set(converted) == {n if n.startswith("text_") else "text_model." + n for n in shapes_of(model)}
        save_file(stored, out / f"open-clip-{name}.safetensors", metadata=VERSIONS)
        save_file({n: t.contiguous() for n, t in converted.items()}, out / f"open-clip-{name}.expected.safetensors", metadata=VERSIONS)


def main():
    torch.set_num_threads(1)
    out = Path(sys.argv[1], "lists")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    lists = {}
    for make in (checkpoints, controlnets, adapters, gligen, ip_adapter, loras, small_things):
        make(lists)
    text = f"# {VERSIONS}\n" + "".join(f"@ {name}\n" + "".join(map(check_line, rows)) for name, rows in lists.items())
    with open(out / "lists.gz", "wb") as file, gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as packed:
        packed.write(text.encode())
    open_clip_values(out)


if __name__ == "__main__":
    main()
