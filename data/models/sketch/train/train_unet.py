# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains the UNets and the text encoder: python train_unet.py WORK --model FOLDER [--minutes 60]

One 9-channel network learns both jobs. Whole pictures see zeros in the five
extra channels, so the base UNet is the same network with conv_in cut to its
first four channels, exactly; fills see mask and masked latents. `--fill 1` or
`--fill 0 --frozen-text` then make each job's own copy better.

FOLDER holds the trained autoencoder and, to go on from, the f16 weights
(unet_fill, text_encoder). WORK gets the examples, `NAME.pt` (resumed from) and
`NAME.csv` (step, seconds, samples, loss whole, loss fill).
"""
import argparse
import copy
import math
import os
import time

import torch

import nets
from examples import Pool
from vocab import Tokenizer, table


def noise_levels():
    """Cumulative alphas of SD's schedule (scaled linear, 0.00085 to 0.012)."""
    betas = torch.linspace(.00085 ** .5, .012 ** .5, 1000, dtype=torch.float64) ** 2
    return torch.cumprod(1 - betas, 0).float()


def assemble(example, fill, noise_of_seen):
    """The five extra channels and the loss weights per cell; `fill` is a bool per row."""
    hole = example["hole"].float()[:, None]
    seen = example["seen"].float()
    seen = seen + noise_of_seen * torch.randn_like(seen)
    extra = torch.cat([hole, seen], 1) * fill[:, None, None, None]
    weight = torch.where(fill[:, None, None, None], .2 + hole, torch.ones_like(hole))
    return extra, weight / weight.mean((1, 2, 3), keepdim=True)


def arguments():
    a = argparse.ArgumentParser()
    a.add_argument("work")
    a.add_argument("--model", required=True)
    a.add_argument("--name", default="unet")
    a.add_argument("--minutes", type=float, default=60)
    a.add_argument("--examples", type=int, default=10, help="shards of 2048 to grow to")
    a.add_argument("--first-examples", type=int, default=3)
    a.add_argument("--batch", type=int, default=32)
    a.add_argument("--rate", type=float, default=1e-3)
    a.add_argument("--final-rate", type=float, default=.03, help="share of the rate at the end")
    a.add_argument("--hold", type=float, default=.7, help="share of the time at the full rate")
    a.add_argument("--fill", type=float, default=.5, help="share of fills")
    a.add_argument("--frozen-text", action="store_true")
    a.add_argument("--start", help="a component folder to start from instead of unet_fill")
    a.add_argument("--seed", type=int, default=1)
    return a.parse_args()


def main():
    a = arguments()
    torch.manual_seed(a.seed)
    vae = nets.make_vae().eval()
    if not nets.load(vae, os.path.join(a.model, "vae")):
        raise SystemExit(f"{a.model}/vae: no weights; run train_vae.py and export.py first")
    scale = nets.read_json(os.path.join(a.model, "vae", "config.json"))["scaling_factor"]
    text, net = nets.make_text(len(table())), nets.make_unet(9)
    with torch.no_grad():
        net.conv_in.weight[:, 4:] = 0
    nets.load(text, os.path.join(a.model, "text_encoder"))
    nets.load(net, a.start or os.path.join(a.model, "unet_fill"))
    average = copy.deepcopy(torch.nn.ModuleList([net, text])).requires_grad_(False)
    both = torch.nn.ModuleList([net, text])
    parameters = list(net.parameters()) + ([] if a.frozen_text else list(text.parameters()))
    optimizer = torch.optim.AdamW(parameters, a.rate, (.9, .99), weight_decay=1e-3, fused=True)
    state, keep = {"step": 0, "seconds": 0.0, "samples": 0}, os.path.join(a.work, a.name + ".pt")
    if os.path.exists(keep):
        saved = torch.load(keep)
        both.load_state_dict(saved["now"])
        average.load_state_dict(saved["average"])
        optimizer.load_state_dict(saved["optimizer"])
        state = saved["state"]

    pool = Pool(a.work, vae, scale)
    while pool.shards < a.first_examples:
        pool.grow()
    levels, empty = noise_levels(), torch.tensor(Tokenizer()(""))
    log = open(os.path.join(a.work, a.name + ".csv"), "a")
    sums = torch.zeros(4)

    def save():
        torch.save({"now": both.state_dict(), "average": average.state_dict(),
                    "optimizer": optimizer.state_dict(), "state": state}, keep + ".new")
        os.replace(keep + ".new", keep)

    last = time.time()
    while (done := state["seconds"] / (60 * a.minutes)) < 1:
        step = state["step"]
        rate = a.rate * min(1, (step + 1) / 100)
        fall = max(0, done - a.hold) / (1 - a.hold)  # level until `hold`, then half a cosine
        rate *= a.final_rate + (1 - a.final_rate) * .5 * (1 + math.cos(math.pi * fall))
        for group in optimizer.param_groups:
            group["lr"] = rate
        e = pool.pick(a.batch, None)
        fill = (torch.rand(a.batch) < a.fill) | (~e["whole_ok"] & torch.tensor(a.fill > 0))
        if a.fill == 0:
            fill = torch.zeros(a.batch, dtype=torch.bool)
        extra, weight = assemble(e, fill, .03)
        ids = torch.where(fill[:, None], e["fill_ids"], e["whole_ids"]).long()
        ids[torch.rand(a.batch) < .1] = empty
        # a scattered scene's caption names one thing only: as a whole picture it has no caption
        ids[~fill & ~e["whole_ok"]] = empty
        x0 = e["latent"].float()
        noise = torch.randn_like(x0)
        # evenly spread over the batch, more of them at high noise, where kinds are decided
        u = (torch.randperm(a.batch) + torch.rand(a.batch)) / a.batch
        t = (1000 * u ** .7).long().clamp(max=999)
        level = levels[t][:, None, None, None]
        x = level.sqrt() * x0 + (1 - level).sqrt() * noise
        target = level.sqrt() * noise - (1 - level).sqrt() * x0
        with torch.autocast("cpu", torch.bfloat16):
            if a.frozen_text:
                with torch.no_grad():
                    context = text(ids).last_hidden_state
            else:
                context = text(ids).last_hidden_state
            v = net(torch.cat([x, extra], 1), t, context).sample
        snr = level / (1 - level)
        each = (weight * (v.float() - target).square()).mean((1, 2, 3))
        # min-SNR 5, in the form that keeps the weight of v at high noise, where kinds are decided
        loss = (each * ((snr + 1).clamp(max=5) / (snr + 1)).flatten()).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        hold = min(.998, (1 + step) / (10 + step))
        with torch.no_grad():
            torch._foreach_lerp_(list(average.parameters()), list(both.parameters()), 1 - hold)
            each = each.detach()
            sums += torch.stack([each[~fill].sum(), (~fill).sum(), each[fill].sum(), fill.sum()])
        state["step"] += 1
        state["samples"] += a.batch
        if state["step"] % 50 == 0:
            print(f"{state['step']},{state['seconds']:.0f},{state['samples']},"
                  f"{sums[0] / sums[1].clamp(min=1):.5f},{sums[2] / sums[3].clamp(min=1):.5f}",
                  file=log, flush=True)
            sums.zero_()
        if state["step"] % 200 == 0:
            save()
        if state["step"] % 250 == 0 and pool.shards < a.examples:
            pool.grow()
        state["seconds"] += time.time() - last
        last = time.time()
    save()


if __name__ == "__main__":
    main()
