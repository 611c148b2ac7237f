# SPDX-License-Identifier: GPL-3.0-or-later
"""The networks: diffusers' and transformers' own classes, small configurations.

`make_*` return new networks; `load` reads what export.py wrote (f16) or, if
there is nothing, makes new ones. Attention uses AttnProcessor (explicit
products and softmax), which is faster than torch's fused one on a CPU.
"""
import json
import os

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from safetensors.torch import load_file
from transformers import CLIPTextConfig, CLIPTextModel

TOKENS = 32          # positions of the text encoder
CONTEXT = 128        # its width

VAE = dict(in_channels=3, out_channels=3, latent_channels=4,
           block_out_channels=[32, 64, 96, 96], layers_per_block=1, norm_num_groups=8,
           down_block_types=["DownEncoderBlock2D"] * 4, up_block_types=["UpDecoderBlock2D"] * 4,
           mid_block_add_attention=False, force_upcast=False, sample_size=128, scaling_factor=1.0)

UNET = dict(sample_size=16, in_channels=4, out_channels=4, layers_per_block=2,
            block_out_channels=[64, 96, 96], norm_num_groups=16, attention_head_dim=[2, 3, 3],
            cross_attention_dim=CONTEXT,
            down_block_types=["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
            mid_block_type="UNetMidBlock2DCrossAttn",
            up_block_types=["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"])


def make_text(vocab_size):
    """vocab_size - 1 is <|endoftext|>, vocab_size - 2 <|startoftext|>."""
    return CLIPTextModel(CLIPTextConfig(
        vocab_size=vocab_size, hidden_size=CONTEXT, intermediate_size=4 * CONTEXT,
        num_hidden_layers=3, num_attention_heads=4, max_position_embeddings=TOKENS,
        hidden_act="quick_gelu", projection_dim=CONTEXT, bos_token_id=vocab_size - 2,
        eos_token_id=vocab_size - 1, pad_token_id=vocab_size - 1))


def make_unet(in_channels=4):
    net = UNet2DConditionModel(**{**UNET, "in_channels": in_channels})
    net.set_attn_processor(AttnProcessor())
    return net


def make_vae():
    """An autoencoder that starts as an identity on 8x8 averages.

    Red, green and blue travel as pairs (+c, -c) beside constants (+K, -K) that
    keep every GroupNorm's scale nearly fixed; the last silu undoes itself, as
    silu(x) - silu(-x) = x. Without this start the colours collapse onto one axis.
    """
    vae = AutoencoderKL(**VAE)
    k, back = 3.0, 2.16   # 2.16: standard deviation of (c, -c, K, -K), averaged over c
    pairs = [(4 * c, 4 * c + 1, 4 * c + 2, 4 * c + 3) for c in range(3)]

    def led_through(conv, channels, taps):
        """conv := identity on the first `channels`, spread over the taps (y, x)."""
        conv.weight[:channels] = 0
        conv.bias[:channels] = 0
        for i in range(channels):
            for y, x in taps:
                conv.weight[i, i, y, x] = 1 / len(taps)

    with torch.no_grad():
        for name, module in vae.named_modules():
            if name.endswith("conv2"):
                module.weight.zero_()
                module.bias.zero_()
            elif name.endswith("conv_shortcut"):
                led_through(module, 12, [(0, 0)])
            elif name.endswith("downsamplers.0.conv"):
                led_through(module, 12, [(0, 0), (0, 1), (1, 0), (1, 1)])
            elif name.endswith("upsamplers.0.conv"):
                led_through(module, 12, [(1, 1)])
        for conv in (vae.encoder.conv_in, vae.decoder.conv_in):
            conv.weight[:12] = 0
            conv.bias[:12] = 0
            for c, (plus, minus, up, down) in enumerate(pairs):
                conv.weight[plus, c, 1, 1], conv.weight[minus, c, 1, 1] = 1, -1
                conv.bias[up], conv.bias[down] = k, -k
        for half in (vae.encoder, vae.decoder):
            half.conv_norm_out.weight[:12] = back
            half.conv_out.weight[:3] = 0
            half.conv_out.bias[:3] = 0
            for c, (plus, minus, _, _) in enumerate(pairs):
                half.conv_out.weight[c, plus, 1, 1] = 1
                half.conv_out.weight[c, minus, 1, 1] = -1
        vae.encoder.conv_out.weight[4:] *= .1
        vae.encoder.conv_out.bias[4:] = -5.0
        for conv in (vae.quant_conv, vae.post_quant_conv):
            conv.weight.zero_()
            conv.bias.zero_()
            for i in range(conv.weight.shape[0]):
                conv.weight[i, i] = 1
    return vae


def weights_of(folder):
    for name in ("diffusion_pytorch_model.safetensors", "model.safetensors"):
        path = os.path.join(folder, name)
        if os.path.exists(path):
            return {k: v.float() for k, v in load_file(path).items()}
    return None


def load(net, folder):
    """Reads a component's f16 weights, if the folder has any; says whether it did."""
    state = weights_of(folder)
    if state is None:
        return False
    own = net.state_dict()
    strip = not any(k.startswith("text_model.") for k in own)
    state = {k.removeprefix("text_model.") if strip else k: v for k, v in state.items()}
    missing = [k for k in own if k not in state and "position_ids" not in k]
    if missing:
        raise SystemExit(f"{folder}: no tensor {missing[0]}")
    net.load_state_dict({k: v for k, v in state.items() if k in own}, strict=False)
    return True


def read_json(path):
    with open(path, encoding="utf-8") as f:
        return json.load(f)
