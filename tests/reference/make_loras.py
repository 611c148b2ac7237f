#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes OUTDIR/loras: a tiny model, LoRA files for it under all names in use, hypernetworks, and what diffusers makes with them. What
diffusers and PEFT load, they compute; LoHa, LoKr, Tucker forms, plain differences and hypernetworks follow their definitions in torch.
Also the names and shapes of files for full-size models, as their trainers write them. usage: make_loras.py OUTDIR"""
import json
import shutil
import sys
import warnings
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from diffusers.loaders.lora_conversion_utils import _convert_non_diffusers_lora_to_diffusers, _maybe_map_sgm_blocks_to_diffusers
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

sys.path.insert(0, str(Path(__file__).parent))
import make_runs  # noqa: E402
import make_weights  # noqa: E402

PROMPT, NEGATIVE = "a red circle left of a blue house", "blurry"
WIDTH, HEIGHT, STEPS, GUIDANCE, SEED = 64, 48, 4, 5.0, 3
SCHEDULER = {"num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
             "set_alpha_to_one": False, "prediction_type": "epsilon", "timestep_spacing": "leading", "steps_offset": 1}


def build(root):
    folder = root / "model"
    words = make_runs.write_tokenizer(folder / "tokenizer")
    vae = AutoencoderKL(in_channels=3, out_channels=3, down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
                        block_out_channels=(4, 4, 8, 8), layers_per_block=1, latent_channels=4, norm_num_groups=4, sample_size=64)
    parts = {"vae": make_runs.save(vae, folder / "vae"),
             "unet": make_runs.save(make_runs.unet(4, (8, 16), False, 32), folder / "unet"),
             "text_encoder": make_runs.save(make_runs.text(words, 32), folder / "text_encoder")}
    (folder / "scheduler").mkdir()
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps(SCHEDULER, indent=1) + "\n")
    parts["tokenizer"] = CLIPTokenizer.from_pretrained(folder / "tokenizer")
    return parts


def pipeline(parts):
    keys = DDIMScheduler.__init__.__wrapped__.__code__.co_varnames
    scheduler = DDIMScheduler(**{k: v for k, v in {**SCHEDULER, "clip_sample": False}.items() if k in keys})
    pipe = StableDiffusionPipeline(vae=parts["vae"], text_encoder=parts["text_encoder"], tokenizer=parts["tokenizer"], unet=parts["unet"],
                                   scheduler=scheduler, safety_checker=None, feature_extractor=None, requires_safety_checker=False)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def run(pipe):
    out = pipe(prompt=PROMPT, negative_prompt=NEGATIVE, num_inference_steps=STEPS, guidance_scale=GUIDANCE, width=WIDTH, height=HEIGHT,
               generator=torch.Generator("cpu").manual_seed(SEED), output_type="latent").images[0]
    assert torch.isfinite(out).all()
    return out.contiguous()


def half(t):
    return t.half().float()


def modules(net):
    return {n: m for n, m in net.named_modules() if isinstance(m, (torch.nn.Linear, torch.nn.Conv2d))}


def text_name(name):
    """transformers 5 leaves the outer name out; files have it."""
    return name if name.startswith("text_model.") else "text_model." + name


def pair(module, rank, generator, size):
    """down and up as the trainers shape them."""
    w = module.weight
    down = torch.randn((rank, *w.shape[1:]), generator=generator) * size / w[0].numel() ** 0.5
    up = torch.randn((w.shape[0], rank, *[1] * (w.dim() - 2)), generator=generator) * size
    return half(down), half(up)


def content(parts, seed, rank, size, skip=(), alpha=None):
    """{(part, module): (down, up, alpha)} for every linear layer and convolution; ranks and scales of all sizes, or one `alpha`."""
    g = torch.Generator().manual_seed(seed)
    out = {}
    for part in ("unet", "text_encoder"):
        for i, (name, module) in enumerate(modules(parts[part]).items()):
            if any(s in name for s in skip):
                continue
            r = rank if alpha else rank + i % 2
            out[part, name] = (*pair(module, r, g, size), alpha or float(1 + i % 3))
    return out


def kohya(content_, sgm=None):
    """flattened names; sgm: the UNet's config, for SGM block names"""
    t = {}
    for (part, name), (down, up, alpha) in content_.items():
        if part == "unet":
            stem = "lora_unet_" + (make_weights.unet_ldm(name + ".weight", sgm)[:-7] if sgm else name).replace(".", "_")
        else:
            stem = "lora_te_" + text_name(name).replace(".", "_")
        t[stem + ".lora_down.weight"], t[stem + ".lora_up.weight"], t[stem + ".alpha"] = down, up, torch.tensor(alpha)
    return t


def dotted(content_, down_end, up_end, text_down=None, text_up=None):
    """diffusers' and PEFT's: no alpha beside the tensors, so it goes into up"""
    t = {}
    for (part, name), (down, up, alpha) in content_.items():
        stem = f"{part}.{name if part == 'unet' else text_name(name)}"
        text = part != "unet" and text_down
        t[stem + (text_down if text else down_end)] = down
        t[stem + (text_up if text else up_end)] = up * (alpha / down.shape[0])
    return t


def attention_only(content_):
    return {k: v for k, v in content_.items() if k[0] == "unet" and ".attn" in k[1]}


def old_names(content_):
    t = {}
    for (part, name), (down, up, alpha) in content_.items():
        site, proj = name.rsplit(".attn", 1)[0] + ".attn" + name.rsplit(".attn", 1)[1][0], name.rsplit(".attn", 1)[1][2:]
        stem = f"unet.{site}.processor.{proj.replace('.0', '')}_lora"
        t[stem + ".down.weight"], t[stem + ".up.weight"] = down, up * (alpha / down.shape[0])
    return t


def write(root, name, tensors, metadata=None):
    save_file({k: (v.half() if v.numel() > 1 and torch.equal(half(v), v) else v).contiguous() for k, v in tensors.items()}, root / (name + ".safetensors"),
              metadata=metadata)


def with_files(pipe, root, files):
    """Files and strengths through diffusers: [(name, unet strength, text strength)]."""
    for i, (name, *_) in enumerate(files):
        pipe.load_lora_weights(str(root), weight_name=name + ".safetensors", adapter_name=f"a{i}")
    pipe.set_adapters([f"a{i}" for i in range(len(files))],
                      adapter_weights=[{"unet": u, "text_encoder": t} if has_text(root, name) else u for name, u, t in files])
    out = run(pipe)
    pipe.unload_lora_weights()
    return out


def has_text(root, name):
    from safetensors import safe_open
    with safe_open(root / (name + ".safetensors"), "pt") as f:
        return any(k.startswith(("lora_te_", "text_encoder.")) for k in f.keys())


def with_changes(parts, pipe, changes):
    """{(part, parameter): difference} added to the weights for one run."""
    saved = {}
    with torch.no_grad():
        for (part, name), delta in changes.items():
            p = dict(parts[part].named_parameters())[name]
            saved[part, name] = p.clone()
            p.add_(delta.reshape(p.shape))
        out = run(pipe)
        for (part, name), p in saved.items():
            dict(parts[part].named_parameters())[name].copy_(p)
    return out


# ---- by definition ----


def lycoris(parts, seed):
    """(tensors, differences at strength 1, by parameter) of a file with all of LyCORIS's kinds."""
    g = torch.Generator().manual_seed(seed)
    tensors, changes = {}, {}

    def rand(*shape, size=0.3):
        return half(torch.randn(shape, generator=g) * size)

    names = [n for n in modules(parts["unet"]) if n not in ("conv_in", "conv_out")]
    for i, name in enumerate(names):
        w = modules(parts["unet"])[name].weight
        o, n, k = w.shape[0], w.shape[1], tuple(w.shape[2:])
        stem, kind = "lora_unet_" + name.replace(".", "_"), i % 6
        r, alpha = 3, 1.5
        if kind == 0:  # LoHa
            a1, b1, a2, b2 = rand(o, r), rand(r, w[0].numel()), rand(o, r), rand(r, w[0].numel())
            tensors.update({stem + ".hada_w1_a": a1, stem + ".hada_w1_b": b1, stem + ".hada_w2_a": a2, stem + ".hada_w2_b": b2})
            delta = (a1 @ b1) * (a2 @ b2) * alpha / r
        elif kind == 1 and k == (3, 3):  # LoHa in Tucker form
            a1, b1, a2, b2, t1, t2 = rand(r, o), rand(r, n), rand(r, o), rand(r, n), rand(r, r, *k, size=0.5), rand(r, r, *k, size=0.5)
            tensors.update({stem + ".hada_w1_a": a1, stem + ".hada_w1_b": b1, stem + ".hada_w2_a": a2, stem + ".hada_w2_b": b2,
                            stem + ".hada_t1": t1, stem + ".hada_t2": t2})
            delta = (torch.einsum("ijkl,jr,ip->prkl", t1, b1, a1) * torch.einsum("ijkl,jr,ip->prkl", t2, b2, a2)) * alpha / r
        elif kind == 1:  # LoKr, both factors in parts
            w1a, w1b, w2a, w2b = rand(4, r), rand(r, 2), rand(o // 4, r), rand(r, n // 2 * (w[0].numel() // n))
            tensors.update({stem + ".lokr_w1_a": w1a, stem + ".lokr_w1_b": w1b, stem + ".lokr_w2_a": w2a, stem + ".lokr_w2_b": w2b})
            delta = torch.kron(w1a @ w1b, w2a @ w2b) * alpha / r
        elif kind == 2 and k == (3, 3):  # LoKr with a Tucker core
            w1, w2a, w2b, t2 = rand(2, 4), rand(r, o // 2), rand(r, n // 4), rand(r, r, *k, size=0.5)
            tensors.update({stem + ".lokr_w1": w1, stem + ".lokr_w2_a": w2a, stem + ".lokr_w2_b": w2b, stem + ".lokr_t2": t2})
            delta = torch.kron(w1[:, :, None, None], torch.einsum("ijkl,ip,jr->prkl", t2, w2a, w2b).contiguous()) * alpha / r
        elif kind == 2:  # LoKr, whole factors: alpha says nothing
            w1, w2 = rand(2, 4), rand(o // 2, n // 4, *k, size=0.2)
            tensors.update({stem + ".lokr_w1": w1, stem + ".lokr_w2": w2})
            delta = torch.kron(w1.reshape(2, 4, *[1] * len(k)), w2)
        elif kind == 3 and k == (3, 3):  # LoCon with a core
            down, mid, up = rand(r, n, 1, 1), rand(r + 1, r, *k, size=0.5), rand(o, r + 1, 1, 1)
            tensors.update({stem + ".lora_down.weight": down, stem + ".lora_mid.weight": mid, stem + ".lora_up.weight": up})
            delta = torch.einsum("oa,abkl,bi->oikl", up[:, :, 0, 0], mid, down[:, :, 0, 0]) * alpha / r
        elif kind == 3:  # a matrix's pair as convolutions, a 1x1 convolution's as matrices
            down, up = rand(r, n), rand(o, r)
            conv = w.dim() == 2
            tensors.update({stem + ".lora_down.weight": down[:, :, None, None] if conv else down,
                            stem + ".lora_up.weight": up[:, :, None, None] if conv else up})
            delta = (up @ down) * alpha / r
        elif kind == 4:  # everything
            delta = rand(*w.shape, size=0.05)
            tensors[stem + ".diff"] = delta
            alpha = None
        else:  # a DoRA by input column
            down, up = rand(r, *w.shape[1:]), rand(o, r, *[1] * len(k))
            v = w.detach() + (up.flatten(1) @ down.flatten(1)).reshape(w.shape) * alpha / r
            norm = v.transpose(0, 1).reshape(n, -1).norm(dim=1)
            scale = half(norm * (1 + 0.2 * torch.randn(n, generator=g)))
            tensors.update({stem + ".lora_down.weight": down, stem + ".lora_up.weight": up, stem + ".dora_scale": scale.reshape(1, n, *[1] * len(k))})
            delta = v * (scale / norm).reshape(1, n, *[1] * len(k)) - w.detach()
        if alpha is not None:
            tensors[stem + ".alpha"] = torch.tensor(alpha)
        changes["unet", name + ".weight"] = delta
        if modules(parts["unet"])[name].bias is not None and i % 3 == 0:
            tensors[stem + ".diff_b"] = changes["unet", name + ".bias"] = rand(o, size=0.1)
    for name, module in parts["unet"].named_modules():
        if isinstance(module, (torch.nn.GroupNorm, torch.nn.LayerNorm)):
            stem = "lora_unet_" + name.replace(".", "_")
            tensors[stem + ".w_norm"] = changes["unet", name + ".weight"] = rand(*module.weight.shape, size=0.1)
            tensors[stem + ".b_norm"] = changes["unet", name + ".bias"] = rand(*module.bias.shape, size=0.1)
    return tensors, changes


def joined(parts, seed):
    """OpenCLIP's joined projections on the text encoder."""
    g = torch.Generator().manual_seed(seed)
    tensors, changes = {}, {}
    names = [n for n in modules(parts["text_encoder"]) if n.endswith("q_proj")]
    for k, name in enumerate(names):
        stem = f"lora_te_transformer_resblocks_{k}_attn_in_proj"
        down, up = half(torch.randn((3, 32), generator=g) * 0.3), half(torch.randn((96, 3), generator=g) * 0.3)
        tensors.update({stem + ".lora_down.weight": down, stem + ".lora_up.weight": up, stem + ".alpha": torch.tensor(2.0)})
        for i, letter in enumerate("qkv"):
            changes["text_encoder", name[:-6] + letter + "_proj.weight"] = (up @ down)[32 * i:32 * (i + 1)] * 2.0 / 3
    return tensors, changes


# ---- hypernetworks, as the web UI's module computes ----


def hypernetwork(width_list, structure, activation, norm, activate_output, dropout, seed):
    g = torch.Generator().manual_seed(seed)
    tensors, nets = {}, {}
    torch.manual_seed(seed)
    for width in width_list:
        for k in range(2):
            layers = []
            for i in range(len(structure) - 1):
                layers.append(torch.nn.Linear(int(width * structure[i]), int(width * structure[i + 1])))
                if activation and (activate_output or i < len(structure) - 2):
                    layers.append(activation())
                if norm:
                    layers.append(torch.nn.LayerNorm(int(width * structure[i + 1])))
                if dropout and i < len(structure) - 2:
                    layers.append(torch.nn.Dropout(0.3))
            net = torch.nn.Sequential(*layers).eval()
            for p in net.parameters():
                p.data = half(p.data + 0.1 * torch.randn(p.shape, generator=g))
            nets[width, k] = net
            tensors.update({f"{width}.{k}.linear.{n}": p.data for n, p in net.state_dict().items()})
    return tensors, nets


class HyperProcessor:
    """diffusers' plain attention with the sources of keys and values changed."""

    def __init__(self, nets, strength):
        self.nets, self.strength = nets, strength

    def change(self, x, k):
        net = self.nets.get((x.shape[-1], k))
        return x if net is None else x + self.strength * net(x)

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, temb=None, **kw):
        source = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        q, k, v = attn.to_q(hidden_states), attn.to_k(self.change(source, 0)), attn.to_v(self.change(source, 1))
        q, k, v = (t.unflatten(-1, (attn.heads, -1)).transpose(1, 2) for t in (q, k, v))
        out = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        return attn.to_out[0](out)


def with_hypernetwork(parts, pipe, nets, strength):
    processors = parts["unet"].attn_processors
    parts["unet"].set_attn_processor(HyperProcessor(nets, strength))
    with torch.no_grad():
        out = run(pipe)
    parts["unet"].set_attn_processor(dict(processors))
    return out


# ---- full-size names ----


def full_size_names():
    """[stem, inputs, outputs, kernel] as kohya's, LyCORIS's and PEFT's trainers write for SD 1.x and SDXL."""
    out = {}
    with torch.device("meta"):
        sd1 = UNet2DConditionModel(cross_attention_dim=768, attention_head_dim=8)
        xl = UNet2DConditionModel(
            cross_attention_dim=2048, attention_head_dim=[5, 10, 20], block_out_channels=(320, 640, 1280),
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"), transformer_layers_per_block=[1, 2, 10],
            use_linear_projection=True, addition_embed_type="text_time", addition_time_embed_dim=256, projection_class_embeddings_input_dim=2816)
        small = CLIPTextModel(CLIPTextConfig(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12))
        big = CLIPTextModelWithProjection(CLIPTextConfig(hidden_size=1280, intermediate_size=5120, num_hidden_layers=32, num_attention_heads=20,
                                                         projection_dim=1280))

    def listed(net, prefix, keep, rename=lambda n: n):
        return [[prefix + rename(n).replace(".", "_"), m.weight.shape[1], m.weight.shape[0], m.weight.shape[2] if m.weight.dim() == 4 else 1]
                for n, m in modules(net).items() if keep(n)]

    def in_transformer(n):
        return ".attentions." in n

    def text(n):
        return ".layers." in n

    def sgm(n):
        return make_weights.unet_ldm(n + ".weight", dict(xl.config))[:-7]

    te = listed(small, "lora_te_", text, text_name)
    out["kohya-sd1"] = listed(sd1, "lora_unet_", in_transformer) + te
    out["locon-sd1"] = listed(sd1, "lora_unet_", lambda n: "blocks" in n or "mid_block" in n) + te
    out["kohya-sdxl"] = (listed(xl, "lora_unet_", in_transformer, sgm) + listed(small, "lora_te1_", text, text_name)
                         + listed(big, "lora_te2_", text, text_name))
    assert len([x for x in out["kohya-sd1"] if "unet" in x[0]]) == 192 and len(te) == 72
    return out


def main():
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    root = Path(sys.argv[1]) / "loras"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    torch.manual_seed(31)
    parts = build(root)
    pipe = pipeline(parts)
    results, cases = {}, []

    def case(name, files, latent):
        results[name] = latent.clone()
        change = float((latent - results.get("plain", latent)).abs().max() / latent.abs().max())
        print(f"{name}: {float(latent.std()):.3f}, changed by {change:.3f}")
        assert name == "plain" or change > 0.02, name
        cases.append({"name": name, "files": [{"file": f, "strength": u, "text": t} for f, u, t in files]})

    case("plain", [], run(pipe))
    first, second = content(parts, 1, 3, 0.35), content(parts, 2, 2, 0.35, skip=("resnets", "conv", "time_emb"))

    # A file under all names. diffusers drops alphas that differ between the modules of a kohya file (its pattern names match nothing in
    # PEFT), so it computes from the files whose names leave alpha no place, and from a kohya file with one alpha for all.
    write(root, "peft", dotted(first, ".lora_A.weight", ".lora_B.weight"))
    write(root, "second-peft", dotted(second, ".lora_A.weight", ".lora_B.weight"))
    write(root, "kohya", kohya(first))
    write(root, "second", kohya(second))
    latent = with_files(pipe, root, [("peft", 1.0, 1.0)])
    case("peft", [("peft", 1.0, 1.0)], latent)
    case("kohya", [("kohya", 1.0, 1.0)], latent)
    case("kohya-strengths", [("kohya", 0.7, -0.4)], with_files(pipe, root, [("peft", 0.7, -0.4)]))
    case("two", [("kohya", 0.6, 0.5), ("second", 1.2, 0.8)], with_files(pipe, root, [("peft", 0.6, 0.5), ("second-peft", 1.2, 0.8)]))
    (root / "second-peft.safetensors").unlink()
    write(root, "uniform", kohya(content(parts, 3, 4, 0.4, alpha=2.0)))
    case("uniform", [("uniform", 1.0, 1.0)], with_files(pipe, root, [("uniform", 1.0, 1.0)]))
    write(root, "diffusers", dotted(first, ".lora.down.weight", ".lora.up.weight", ".lora_linear_layer.down.weight", ".lora_linear_layer.up.weight"))
    case("diffusers", [("diffusers", 1.0, 1.0)], with_files(pipe, root, [("diffusers", 1.0, 1.0)]))
    config = dict(parts["unet"].config)
    sgm = kohya({k: v for k, v in first.items()}, sgm=config)
    # diffusers' own renaming confirms ours, but for first levels without attention, which SDXL does not have above an upsampler
    common = {k: v for k, v in first.items() if k[0] == "unet" and "_block" in k[1] and "upsamplers" not in k[1]}
    back, _ = _convert_non_diffusers_lora_to_diffusers(_maybe_map_sgm_blocks_to_diffusers(kohya(common, sgm=config), parts["unet"].config))
    want, _ = _convert_non_diffusers_lora_to_diffusers(kohya(common))
    assert set(back) == set(want), sorted(set(back) ^ set(want))[:6]
    assert all(torch.equal(back[k], want[k]) for k in want)
    write(root, "sgm", sgm)
    case("sgm", [("sgm", 1.0, 1.0)], results["kohya"])

    attention = attention_only(first)
    write(root, "old", old_names(attention))
    case("old", [("old", 0.9, 1.0)], with_files(pipe, root, [("old", 0.9, 1.0)]))

    # PEFT as diffusers saves it: rank, alpha and rs-LoRA in the metadata.
    for name, more in (("metadata", {}), ("root-rank", {"use_rslora": True})):
        targets = ["to_q", "to_k", "to_v", "to_out.0", "conv1", "proj_in"]
        parts["unet"].add_adapter(LoraConfig(r=3, lora_alpha=5, target_modules=targets, init_lora_weights=False, **more,
                                             **({"alpha_pattern": {"conv1": 2}} if not more else {})), adapter_name="x")
        g = torch.Generator().manual_seed(4)
        state = {k: half(torch.randn(v.shape, generator=g) * 0.2)
                 for k, v in sorted(get_peft_model_state_dict(parts["unet"], adapter_name="x").items())}
        meta = {"r": 3, "lora_alpha": 5, "target_modules": targets, **more, **({"alpha_pattern": {"conv1": 2}} if not more else {})}
        parts["unet"].unload_lora()
        write(root, name, {"unet." + k: v for k, v in state.items()},
              {"format": "pt", "lora_adapter_metadata": json.dumps({"unet." + k: v for k, v in meta.items()})})
        case(name, [(name, 1.0, 0.0)], with_files(pipe, root, [(name, 1.0, 0.0)]))

    # DoRA: PEFT's own arithmetic.
    parts["unet"].add_adapter(LoraConfig(r=2, lora_alpha=2, use_dora=True, init_lora_weights=False,
                                         target_modules=["to_q", "to_k", "to_v", "to_out.0", "conv1", "conv2", "ff.net.2"]), adapter_name="x")
    g = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for n, p in parts["unet"].named_parameters():
            if ".lora_" in n:
                p.copy_(half(p * (1 + 0.2 * torch.randn(p.shape, generator=g)) if "magnitude" in n else p * 0.4))
    state = {k: v.clone() for k, v in get_peft_model_state_dict(parts["unet"], adapter_name="x").items()}
    latent = run(pipe)
    parts["unet"].unload_lora()
    write(root, "dora-peft", {"unet." + k: v for k, v in state.items()})
    case("dora-peft", [("dora-peft", 1.0, 0.0)], latent)
    flat = {}
    for k, v in state.items():
        name, end = k.split(".lora_", 1)
        stem = "lora_unet_" + name.replace(".", "_")
        out = modules(parts["unet"])[name].weight.shape[0]
        if end.startswith("magnitude"):
            flat[stem + ".dora_scale"] = v.reshape(out, *[1] * (modules(parts["unet"])[name].weight.dim() - 1))
        else:
            flat[stem + (".lora_down.weight" if end.startswith("A") else ".lora_up.weight")] = v
        flat[stem + ".alpha"] = torch.tensor(2.0)
    write(root, "dora-kohya", flat)
    case("dora-kohya", [("dora-kohya", 1.0, 0.0)], latent)

    tensors, changes = lycoris(parts, 7)
    write(root, "lycoris", tensors)
    case("lycoris", [("lycoris", 1.0, 0.0)], with_changes(parts, pipe, changes))
    tensors, changes = joined(parts, 8)
    write(root, "joined", tensors)
    case("joined", [("joined", 0.0, 1.5)], with_changes(parts, pipe, {k: 1.5 * v for k, v in changes.items()}))

    for name, args, activation in (("hyper-plain", ([32], [1, 2, 1], None, False, True, False), None),
                                   ("hyper-relu", ([8, 32], [1, 2, 2, 1], torch.nn.ReLU, True, False, True), "relu"),
                                   ("hyper-mish", ([32], [1, 1.5, 1], torch.nn.Mish, False, True, False), "mish"),
                                   ("hyper-swish", ([32], [1, 2, 1], torch.nn.Hardswish, True, True, True), "swish")):
        tensors, nets = hypernetwork(*args, seed=len(name))
        write(root, name, tensors, {"activate_output": str(args[4]), **({"activation_func": activation} if activation else {})})
        case(name, [(name, 0.8, 0.0)], with_hypernetwork(parts, pipe, nets, 0.8))

    save_file(results, root / "latents.safetensors", metadata=make_weights.VERSIONS)
    (root / "cases.json").write_text(json.dumps({"prompt": PROMPT, "negative": NEGATIVE, "width": WIDTH, "height": HEIGHT, "steps": STEPS,
                                                 "guidance": GUIDANCE, "seed": SEED, "cases": cases}, indent=1) + "\n")
    (root / "names.json").write_text(json.dumps(full_size_names(), separators=(",", ":")).replace("],[", "],\n[") + "\n")


if __name__ == "__main__":
    main()
