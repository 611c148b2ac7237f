# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the averaged weights as f16 into the model folder, in diffusers' layout and in the names that the engine reads.

    python -m studio.export WORK MODEL TARGET…       (or: all, for every TARGET.pt in WORK)

joint gives text_encoder, unet, unet_fill and unet_edit; a part that was refined since (base.pt, fill.pt, edit.pt) is
written from its own. The tokenizer, scheduler, model_index.json and pentimento.json are written along.
"""
import argparse
import os
import warnings

import numpy as np
import torch
from safetensors.torch import save_file

from . import lora, nets, samples, vocab
from .budget import LCM_RANK, SAMPLE_RANK
from .judge_net import JudgeNet, folded

warnings.filterwarnings("ignore", category=FutureWarning)
INDEX = {"_class_name": "StableDiffusionPipeline", "feature_extractor": [None, None], "image_encoder": [None, None],
         "requires_safety_checker": False, "safety_checker": [None, None], "scheduler": ["diffusers", "DDIMScheduler"],
         "text_encoder": ["transformers", "CLIPTextModel"], "tokenizer": ["transformers", "CLIPTokenizer"],
         "unet": ["diffusers", "UNet2DConditionModel"], "unet_fill": ["diffusers", "UNet2DConditionModel"],
         "unet_edit": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"]}
SCHEDULER = {"_class_name": "DDIMScheduler", "beta_start": .00085, "beta_end": .012, "beta_schedule": "scaled_linear",
             "num_train_timesteps": 1000, "clip_sample": False, "prediction_type": "v_prediction", "set_alpha_to_one": False,
             "steps_offset": 1, "timestep_spacing": "leading"}
RECOMMENDED = {"steps": 20, "guidance": 4.0, "sampler": "ddim"}
TEXT_KEYS = ("model_type", "vocab_size", "hidden_size", "intermediate_size", "projection_dim", "num_hidden_layers", "num_attention_heads",
             "max_position_embeddings", "hidden_act", "layer_norm_eps", "bos_token_id", "eos_token_id", "pad_token_id")
TITLES = {"vae": "autoencoder", "text": "text encoder", "base": "network", "fill": "fill network", "edit": "edit network",
          "adapter": "T2I-Adapter for scribbles", "layout": "layout set", "taesd": "tiny autoencoder"}


def config_of(net):
    return {"_class_name": type(net).__name__, **{k: v for k, v in net.config.items() if not k.startswith("_")}}


def write(name, net, folder):
    """One network's folder: config and f16 weights."""
    part, file = nets.FILES[name]
    state = nets.own(name, net.state_dict())
    if name == "text":
        known = net.config.to_dict()
        config = {"architectures": ["CLIPTextModel"], **{k: known[k] for k in TEXT_KEYS}}
        if not any(k.startswith("text_model.") for k in state):
            state = {"text_model." + k: v for k, v in state.items()}
    else:
        config = config_of(net)
    nets.write_json(config, folder, part, "config.json")
    title = TITLES.get(name, name.replace("control-", "ControlNet for "))
    nets.write_weights(state, os.path.join(folder, part), file, "Pentimento sketch " + title)


def saved(work, target):
    path = os.path.join(work, target + ".pt")
    if not os.path.exists(path):
        raise SystemExit(f"{path}: not there; train '{target}' first")
    return torch.load(path, map_location="cpu", weights_only=False)


def fill_in(net, average, target):
    missing, unexpected = net.load_state_dict(average, strict=False)
    if unexpected:
        raise SystemExit(f"{target}.pt does not fit the network: {unexpected[0]}")
    return net


def measure(vae, pictures=256):
    """(scale, preview) from scenes drawn here, so that they depend on no prepared data: 1 / standard deviation of the latents, and
    the linear map from scaled latents to colours that the engine's previews use (least squares)."""
    from .render import draw
    from .scenes import scene
    latents, small = [], []
    with torch.no_grad():
        for i in range(0, pictures, 16):
            x = np.stack([draw(scene(5_000_000 + i + j)) for j in range(16)]).transpose(0, 3, 1, 2)
            x = torch.from_numpy(x).float() / 127.5 - 1
            latents.append(vae.encode(x).latent_dist.mean)
            small.append(torch.nn.functional.avg_pool2d(x, 8))
    z, rgb = torch.cat(latents), torch.cat(small)
    scale = round(float(1 / z.std()), 5)
    rows = (z * scale).permute(0, 2, 3, 1).reshape(-1, 4).double().numpy()
    fit, *_ = np.linalg.lstsq(np.concatenate([rows, np.ones((len(rows), 1))], 1), rgb.permute(0, 2, 3, 1).reshape(-1, 3).double().numpy(), rcond=None)
    digits = [[round(float(v), 4) for v in row] for row in fit]
    return scale, {"factors": digits[:-1], "bias": digits[-1]}


def cut(state, channels):
    return {**state, "conv_in.weight": state["conv_in.weight"][:, channels].contiguous()}


def export_joint(work, folder):
    average = saved(work, "joint")["average"]
    unet = {k.removeprefix("unet."): v for k, v in average.items() if k.startswith("unet.")}
    text = {k.removeprefix("text."): v for k, v in average.items() if k.startswith("text.")}
    write("text", fill_in(nets.make("text"), text, "joint"), folder)
    for name, channels in (("base", [0, 1, 2, 3]), ("fill", [*range(9)]), ("edit", [0, 1, 2, 3, 9, 10, 11, 12])):
        if not os.path.exists(os.path.join(work, name + ".pt")):
            write(name, fill_in(nets.make(name), cut(unet, channels), "joint"), folder)


def write_file(tensors, *where, **metadata):
    path = os.path.join(*where)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    save_file({k: v.detach().half().contiguous() for k, v in tensors.items()}, path, metadata={"format": "pt", "licence": "CC0-1.0", **metadata})


def export_lora(work, folder, target, rank, names, file, words):
    net = nets.make("base")
    changes = lora.add(net, rank, names)
    fill_in(net, saved(work, target)["average"], target)
    write_file(lora.state(changes), folder, "loras", file, ss_network_module="networks.lora", ss_network_dim=str(rank), title=words)


def export(work, folder, target):
    if target == "joint":
        export_joint(work, folder)
    elif target == "vae":
        vae = fill_in(nets.make("vae"), saved(work, "vae")["average"], "vae").eval()
        scale, preview = measure(vae)
        vae.register_to_config(scaling_factor=scale)
        write("vae", vae, folder)
        nets.write_json({**RECOMMENDED, "preview": preview}, folder, "pentimento.json")
    elif target == "decoder":  # the scale is a matter of the latents, which are the same
        vae = fill_in(nets.read("vae", folder), saved(work, "decoder")["average"], "decoder").eval()
        vae.register_to_config(scaling_factor=nets.read_json(folder, "vae", "config.json")["scaling_factor"])
        write("vae", vae, folder)
    elif target == "lcm":
        export_lora(work, folder, "lcm", LCM_RANK, lora.ATTENTION + lora.RESNETS, "lcm.safetensors", "four steps, guidance 1, sampler lcm")
    elif target == "lora":
        export_lora(work, folder, "lora", SAMPLE_RANK, lora.ATTENTION, samples.LORA_KIND + ".safetensors", f"teaches the word {samples.LORA_KIND}")
    elif target == "word":
        vector = saved(work, "word")["average"]["vector"]
        write_file({"emb_params": vector[None]}, folder, "embeddings", samples.WORD + ".safetensors",
                   title="a " + " ".join(reversed(samples.WORD_THING)))
    elif target == "judge":
        net = JudgeNet()
        fill_in(net, saved(work, "judge")["average"], "judge")
        os.makedirs(os.path.join(folder, "judge"), exist_ok=True)
        np.savez(os.path.join(folder, "judge", "judge.npz"), **folded(net.eval()))
    else:
        write(target, fill_in(nets.make(target), saved(work, target)["average"], target), folder)
    vocab.write(os.path.join(folder, "tokenizer"))
    there = {k: v for k, v in INDEX.items() if not isinstance(v, list) or v[0] is None or k == "scheduler" or os.path.isdir(os.path.join(folder, k))}
    nets.write_json(there, folder, "model_index.json")
    nets.write_json(SCHEDULER, folder, "scheduler", "scheduler_config.json")
    if not os.path.exists(os.path.join(folder, "pentimento.json")):
        nets.write_json(RECOMMENDED, folder, "pentimento.json")
    print(f"exported {target}", flush=True)


ORDER = ("vae", "decoder", "joint", "base", "fill", "edit", "control-edge", "control-scribble", "control-depth", "control-segmentation", "adapter", "layout",
         "lcm", "lora", "word", "taesd", "judge")


def main():
    a = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    a.add_argument("work")
    a.add_argument("model")
    a.add_argument("targets", nargs="+", choices=(*ORDER, "all"))
    a = a.parse_args()
    wanted = [t for t in ORDER if os.path.exists(os.path.join(a.work, t + ".pt"))] if "all" in a.targets else a.targets
    for target in wanted:
        export(a.work, a.model, target)


if __name__ == "__main__":
    main()
