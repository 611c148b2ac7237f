#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes OUTDIR/nets: small random UNets, autoencoders and text encoders of diffusers and transformers, in the folder layout of
save_pretrained, each with inputs and outputs (io.safetensors, f32, NCHW). tests/nets compares. usage: make_nets.py OUTDIR

Weights are values that f16 holds exactly and are stored as f16, so both sides compute with the same numbers; norms and
biases are random too, since a fresh module's ones and zeros would hide a mistake in them.
"""

import json
import math
import shutil
import sys
from pathlib import Path

import diffusers
import torch
import transformers
from diffusers import AutoencoderKL, LatentConsistencyModelPipeline, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

VERSIONS = {"torch": torch.__version__.split("+")[0], "diffusers": diffusers.__version__,
            "transformers": transformers.__version__}

X, D, U = "CrossAttnDownBlock2D", "DownBlock2D", "UpBlock2D"
XU = "CrossAttnUpBlock2D"

# name: (config, rows, height, width, tokens, timesteps)
UNETS = {
    # Stable Diffusion 1.x in small: convolutional projections, one head count for all
    "unet-sd1": (dict(block_out_channels=[8, 16, 16, 16], down_block_types=[X, X, X, D], up_block_types=[U, XU, XU, XU],
                      attention_head_dim=4, cross_attention_dim=12, norm_num_groups=4),
                 2, 16, 16, 7, [981.0, 3.0]),
    # 2.x: linear projections, a head count per level; sides that no halving divides
    "unet-sd2-odd": (dict(block_out_channels=[8, 16, 16, 16], down_block_types=[X, X, X, D],
                          up_block_types=[U, XU, XU, XU], attention_head_dim=[2, 4, 2, 8], cross_attention_dim=10,
                          norm_num_groups=4, use_linear_projection=True),
                     1, 13, 9, 5, [500.5]),
    # three levels, none, two and three transformer layers
    "unet-deep": (dict(block_out_channels=[8, 8, 16], down_block_types=[D, X, X], up_block_types=[XU, XU, U],
                       attention_head_dim=[2, 4, 8], cross_attention_dim=16, norm_num_groups=4,
                       use_linear_projection=True, transformer_layers_per_block=[1, 2, 3]),
                  1, 13, 9, 9, [17.0]),
    # inpainting: nine channels, two levels, one layer
    "unet-fill": (dict(in_channels=9, block_out_channels=[16, 32], down_block_types=[X, D], up_block_types=[U, XU],
                       attention_head_dim=4, cross_attention_dim=16, norm_num_groups=8, layers_per_block=1),
                  3, 16, 16, 4, [999.0, 250.25, 0.0]),
    # attention in the middle levels only, sine first, the other frequency spacing
    "unet-middle": (dict(block_out_channels=[8, 12, 16, 16], down_block_types=[D, X, X, D], up_block_types=[U, XU, XU, U],
                         attention_head_dim=[2, 3, 4, 2], cross_attention_dim=8, norm_num_groups=4, layers_per_block=1,
                         transformer_layers_per_block=2, flip_sin_to_cos=False, freq_shift=1, norm_eps=1e-4),
                    2, 11, 17, 6, [640.0, 1.0]),
    # eight channels in, three out, groups that are no power of two, odd latents with convolutional projections
    "unet-edit-odd": (dict(in_channels=8, out_channels=3, block_out_channels=[12, 24], down_block_types=[X, X],
                           up_block_types=[XU, XU], attention_head_dim=3, cross_attention_dim=20, norm_num_groups=6,
                           layers_per_block=1),
                      1, 7, 5, 11, [77.0]),
    # nine channels, three transformer layers, wide token sequence, one row of a single pixel's height at the bottom
    "unet-fill-deep": (dict(in_channels=9, block_out_channels=[8, 8, 16], down_block_types=[X, X, D],
                            up_block_types=[U, XU, XU], attention_head_dim=1, cross_attention_dim=6, norm_num_groups=2,
                            transformer_layers_per_block=3),
                       1, 4, 21, 33, [321.0]),
    # SDXL's base: three levels, attention in the lower two, a pooled text of 10 and six sizes
    "unet-sdxl": (dict(block_out_channels=[8, 8, 16], down_block_types=[D, X, X], up_block_types=[XU, XU, U],
                       attention_head_dim=[1, 2, 4], cross_attention_dim=18, norm_num_groups=4,
                       use_linear_projection=True, transformer_layers_per_block=[1, 2, 3], layers_per_block=1,
                       addition_embed_type="text_time", addition_time_embed_dim=6,
                       projection_class_embeddings_input_dim=10 + 6 * 6),
                  2, 12, 14, 5, [801.0, 1.0]),
    # its refiner: four levels, attention in the middle ones, a score in place of the last two sizes
    "unet-refiner": (dict(block_out_channels=[8, 8, 12, 12], down_block_types=[D, X, X, D], up_block_types=[U, XU, XU, U],
                          attention_head_dim=[1, 2, 3, 3], cross_attention_dim=10, norm_num_groups=4,
                          use_linear_projection=True, transformer_layers_per_block=2, layers_per_block=1,
                          addition_embed_type="text_time", addition_time_embed_dim=4,
                          projection_class_embeddings_input_dim=10 + 5 * 4),
                     2, 11, 9, 7, [201.0, 33.0]),
    # a latent consistency model: it is told the guidance scale
    "unet-lcm": (dict(block_out_channels=[8, 16], down_block_types=[X, D], up_block_types=[U, XU], attention_head_dim=2,
                      cross_attention_dim=12, norm_num_groups=4, layers_per_block=1, time_cond_proj_dim=32),
                 2, 10, 8, 6, [999.0, 499.0]),
}

# name: (config, rows, height, width)
VAES = {
    "vae-three-levels": (dict(block_out_channels=[8, 16, 16], layers_per_block=2, norm_num_groups=4, latent_channels=4,
                              scaling_factor=0.18215, sample_size=32), 2, 24, 20),
    "vae-no-attention": (dict(block_out_channels=[8, 12, 12, 16], layers_per_block=1, norm_num_groups=4,
                              latent_channels=4, scaling_factor=0.13025, sample_size=64, mid_block_add_attention=False),
                         1, 40, 24),
    "vae-plain": (dict(block_out_channels=[12, 24], layers_per_block=1, norm_num_groups=6, latent_channels=3,
                       scaling_factor=0.5, shift_factor=0.125, sample_size=16, use_quant_conv=False,
                       use_post_quant_conv=False), 1, 14, 18),
    # latents with a mean and a spread of their own
    "vae-mean-std": (dict(block_out_channels=[8, 8], layers_per_block=1, norm_num_groups=4, latent_channels=4,
                          scaling_factor=0.9, sample_size=16, latents_mean=[0.1, -0.5, 0.25, 1.5],
                          latents_std=[0.5, 1.25, 2.0, 0.75]), 1, 10, 12),
}

# name: (class, config, ids)
TEXTS = {
    "text-quick-gelu": (CLIPTextModel, dict(
        vocab_size=60, hidden_size=24, intermediate_size=96, num_hidden_layers=3, num_attention_heads=4,
        max_position_embeddings=16, hidden_act="quick_gelu", eos_token_id=2, projection_dim=24),
        [[57, 3, 4, 9, 59, 59, 59, 59, 59, 59, 59, 59, 59, 59, 59, 59],
         [57, 30, 31, 32, 33, 34, 35, 59, 0, 0, 0, 0, 0, 0, 0, 0]]),
    "text-projection": (CLIPTextModelWithProjection, dict(
        vocab_size=48, hidden_size=32, intermediate_size=80, num_hidden_layers=4, num_attention_heads=2,
        max_position_embeddings=12, hidden_act="gelu", eos_token_id=41, projection_dim=20),
        [[40, 5, 47, 6, 41, 0, 0, 0, 0, 0], [40, 41, 41, 41, 41, 41, 41, 41, 41, 41], [1, 2, 3, 4, 5, 6, 7, 8, 9, 41]]),
    "text-gelu": (CLIPTextModel, dict(
        vocab_size=50, hidden_size=18, intermediate_size=40, num_hidden_layers=2, num_attention_heads=3,
        max_position_embeddings=9, hidden_act="gelu", eos_token_id=49, layer_norm_eps=1e-3, projection_dim=7),
        [[4, 8, 15, 16, 23, 42]]),  # without an end: the reference pools position 0
}


def randomise(model, generator):
    """Every parameter random, exact in f16, at a size that keeps activations near 1."""
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if parameter.dim() == 1:
            value = (1.0 if name.endswith("weight") else 0.0) + 0.2 * noise
        elif "embedding" in name and "time" not in name:
            value = 0.5 * noise
        else:
            value = noise / math.sqrt(parameter[0].numel())
        parameter.data.copy_(value.half().float())
    return model.eval()


def save_model(model, folder, back=True, **options):
    """Saves as f16, and turns the model back to f32 unless told not to."""
    if folder.exists():
        shutil.rmtree(folder)
    model.half().save_pretrained(folder, safe_serialization=True, **options)
    if back:
        model.float()


def save_io(folder, seed, tensors):
    tensors = {name: value.detach().contiguous() for name, value in tensors.items()}
    save_file(tensors, folder / "io.safetensors", metadata={**VERSIONS, "seed": str(seed)})


def rename(file, change):
    """Spells the names of a weight file in another way, as other versions of the libraries wrote them."""
    save_file({change(name): value for name, value in load_file(file).items()}, file, metadata={"format": "pt"})


def make_unet(out, name, seed):
    config, rows, height, width, tokens, timesteps = UNETS[name]
    generator = torch.Generator().manual_seed(seed)
    unet = randomise(UNet2DConditionModel(**config), generator)
    sample = torch.randn(rows, unet.config.in_channels, height, width, generator=generator)
    text = torch.randn(rows, tokens, config["cross_attention_dim"], generator=generator)
    t = torch.tensor(timesteps)
    told = conditions(name, unet, rows, generator)
    io = {"sample": sample, "timestep": t, "encoder_hidden_states": text, **told, "out": forward(unet, sample, t, text, told)}
    if name == "unet-lcm":
        io["out_untold"] = unet(sample, t, text).sample
    if name in ("unet-sd1", "unet-sd2-odd"):
        io.update(residual_outputs(unet, sample, t, text))
    # One in shards with an index, the others in one file.
    save_model(unet, out / name, **({"max_shard_size": "150KB"} if name == "unet-deep" else {}))
    save_io(out / name, seed, io)


def conditions(name, unet, rows, generator):
    """What else the network is told: sizes and a pooled text, or the embedding of guidance scales as LatentConsistencyModelPipeline
    makes it."""
    width = unet.config.projection_class_embeddings_input_dim
    if width:
        ids = torch.tensor([[48, 64, 3, 5, 40, 56], [1024, 768, 0, 16, 1000, 700]][:rows] if name == "unet-sdxl" else
                           [[48, 64, 0, 0, 6.0], [512, 384, 7, 9, 2.5]][:rows], dtype=torch.float32)
        pooled = width - ids.shape[1] * unet.config.addition_time_embed_dim
        return {"text_embeds": torch.randn(rows, pooled, generator=generator), "time_ids": ids}
    if unet.config.time_cond_proj_dim:
        w = torch.tensor([7.5, 0.25][:rows])
        embed = LatentConsistencyModelPipeline.get_guidance_scale_embedding
        return {"w": w, "timestep_cond": embed(None, w, embedding_dim=unet.config.time_cond_proj_dim)}
    return {}


def forward(unet, sample, t, text, told):
    added = {name: told[name] for name in ("text_embeds", "time_ids") if name in told}
    return unet(sample, t, text, timestep_cond=told.get("timestep_cond"), added_cond_kwargs=added or None).sample


def residual_outputs(unet, sample, t, text):
    """What comes out when constants are added to the residual stream: to every skip and the middle block as a ControlNet does
    (skip k: 0.05 (k + 1), middle: -0.5), and inside the down path as a T2I adapter does (level i: 0.3 - 0.2 i)."""
    shapes = []
    hooks = [unet.conv_in.register_forward_hook(lambda m, i, o: shapes.append(o.shape))]
    for block in unet.down_blocks:
        hooks.append(block.register_forward_hook(lambda m, i, o: shapes.extend(s.shape for s in o[1])))
    ends = []
    for block in unet.down_blocks:
        last = block.attentions[-1] if hasattr(block, "attentions") else block.resnets[-1]
        hooks.append(last.register_forward_hook(lambda m, i, o: ends.append((o[0] if isinstance(o, tuple) else o).shape)))
    mids = []
    hooks.append(unet.mid_block.register_forward_hook(lambda m, i, o: mids.append(o.shape)))
    unet(sample, t, text)
    for hook in hooks:
        hook.remove()
    control = unet(sample, t, text,
                   down_block_additional_residuals=[torch.full(s, 0.05 * (k + 1)) for k, s in enumerate(shapes)],
                   mid_block_additional_residual=torch.full(mids[0], -0.5)).sample
    adapter = unet(sample, t, text,
                   down_intrablock_additional_residuals=[torch.full(s, 0.3 - 0.2 * i) for i, s in enumerate(ends)]).sample
    return {"out_control": control, "out_adapter": adapter}


def make_vae(out, name, seed):
    config, rows, height, width = VAES[name]
    levels = len(config["block_out_channels"])
    config = dict(config, down_block_types=["DownEncoderBlock2D"] * levels, up_block_types=["UpDecoderBlock2D"] * levels)
    generator = torch.Generator().manual_seed(seed)
    vae = randomise(AutoencoderKL(**config), generator)
    factor, z = 2 ** (levels - 1), config["latent_channels"]
    # With a mean and a spread, the latents are (z - mean) / spread * factor, as the XL pipelines write it.
    per_channel = lambda key, default: torch.tensor(config.get(key, [default] * z)).reshape(1, z, 1, 1)
    shift = config.get("shift_factor", 0.0) + per_channel("latents_mean", 0.0)
    scaling = config["scaling_factor"] / per_channel("latents_std", 1.0)
    pictures = torch.rand(rows, 3, height, width, generator=generator) * 2 - 1
    posterior = vae.encode(pictures).latent_dist
    noise = torch.randn(posterior.mean.shape, generator=generator)
    latents = torch.randn(rows, z, height // factor, width // factor, generator=generator)
    save_model(vae, out / name)
    if name == "vae-three-levels":  # as diffusers named the middle attention until 0.17
        old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
        def older(key):
            for new, was in old.items():
                key = key.replace(f"mid_block.attentions.0.{new}.", f"mid_block.attentions.0.{was}.")
            return key
        rename(out / name / "diffusion_pytorch_model.safetensors", older)
    save_io(out / name, seed, {
        "pictures": pictures, "moments": torch.cat([posterior.mean, posterior.logvar], 1), "noise": noise,
        "sampled": (posterior.mean + posterior.std * noise - shift) * scaling, "unscaled_mode": posterior.mode(),
        "latents": latents, "decoded": vae.decode(latents / scaling + shift).sample})


def make_text(out, name, seed):
    cls, config, ids = TEXTS[name]
    generator = torch.Generator().manual_seed(seed)
    model = randomise(cls(CLIPTextConfig(**config)), generator)
    ids = torch.tensor(ids)
    answer = model(ids, output_hidden_states=True)
    last = answer.last_hidden_state
    states = list(answer.hidden_states)[:config["num_hidden_layers"] + 1]
    inner = model.text_model if hasattr(model, "text_model") else model
    assert torch.equal(inner.final_layer_norm(states[-1]), last), "hidden_states[-1] is not the last layer's output"
    save_model(model, out / name)
    if name == "text-quick-gelu":  # the older spelling, with "text_model."; text-gelu keeps what this version writes
        rename(out / name / "model.safetensors", lambda key: key if key.startswith("text_model.") else "text_model." + key)
    io = {"ids": ids.int(), "last": last, "pooled": answer.text_embeds if "Projection" in cls.__name__ else answer.pooler_output}
    for skip in range(config["num_hidden_layers"]):
        io[f"hidden.{skip}"] = states[-1 - skip]
        io[f"normed.{skip}"] = inner.final_layer_norm(states[-1 - skip])
    save_io(out / name, seed, io)


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: make_nets.py OUTDIR")
    out = Path(sys.argv[1]) / "nets"
    out.mkdir(parents=True, exist_ok=True)
    torch.use_deterministic_algorithms(True)
    with torch.no_grad():
        for names, make in ((UNETS, make_unet), (VAES, make_vae), (TEXTS, make_text)):
            for number, name in enumerate(names):
                make(out, name, 100 + number)
    (out / "versions.json").write_text(json.dumps(VERSIONS, indent=1) + "\n")


if __name__ == "__main__":
    main()
