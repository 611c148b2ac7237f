#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes OUTDIR/learn.safetensors and OUTDIR/learn.json: what a few steps of torch's AdamW make of a learned word and of peft's LoRA on the
tiny models of OUTDIR/runs and OUTDIR/families. tests/learn/test_parity.c compares. usage: make_learn.py OUTDIR

What is drawn follows engine/learn/draw.c: a generator for each pass, seeded with seed + 1 + number of the pass, gives the picture, the
sentence, whether it is mirrored, the timestep, the autoencoder's noise and the noise; LoRA's first values come from one seeded with the seed,
in alphabetical order of kohya's names."""
import json
import sys
from pathlib import Path

import peft
import torch
import transformers
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

WIDTH, HEIGHT = 64, 48
SENTENCES = ["a {} left of a house", "red {} and a circle", "{}"]
CASES = [
    {"name": "word", "kind": "word", "model": "runs/tiny", "vectors": 2, "thing": "circle house", "rate": 0.02},
    {"name": "word-v", "kind": "word", "model": "runs/tiny-v", "thing": "circle", "rate": 0.02, "flip": True, "accumulate": 2},
    {"name": "word-sdxl", "kind": "word", "model": "families/sdxl", "thing": "", "rate": 0.02},
    {"name": "lora", "kind": "lora", "model": "runs/tiny", "rank": 4, "alpha": 2, "texts": True, "rate": 0.01, "text_rate": 0.02, "min_snr": 5.0},
    {"name": "lora-v", "kind": "lora", "model": "runs/tiny-v", "rank": 3, "rate": 0.01, "min_snr": 5.0, "flip": True},
    {"name": "lora-sdxl", "kind": "lora", "model": "families/sdxl", "rank": 2, "texts": True, "rate": 0.01, "text_rate": 0.01, "accumulate": 2},
]
DEFAULTS = {"steps": 4, "seed": 11, "accumulate": 1, "flip": False, "min_snr": 0.0, "texts": False, "rank": 4, "alpha": 0, "vectors": 1, "thing": "",
            "text_rate": 0.0}
TARGETS = {"unet": ["to_q", "to_k", "to_v", "to_out.0"], "text": ["q_proj", "k_proj", "v_proj", "out_proj"]}


def pictures():
    y, x = torch.meshgrid(torch.arange(HEIGHT).double(), torch.arange(WIDTH).double(), indexing="ij")
    made = []
    for k in range(2):
        p = torch.stack([.5 + .5 * torch.sin(x / (7 + 3 * k) + y / 15), .5 + .5 * torch.cos(x / 11 - y / (5 + 2 * k)), x * y / (WIDTH * HEIGHT)])
        made.append((p * 255).round() / 255)
    return [p.float() for p in made]


class Words(torch.nn.Module):
    """A text encoder whose ids from the vocabulary's end on are the rows of `learned`."""

    def __init__(self, text, learned):
        super().__init__()
        self.text, self.learned = text, learned
        table = text.get_input_embeddings()
        self.n = table.weight.shape[0]
        if learned is not None:
            table.register_forward_hook(self.hook)

    def hook(self, module, given, out):
        new = self.ids >= self.n
        return torch.where(new[..., None], self.learned[(self.ids - self.n).clamp(min=0)], out)

    def forward(self, ids, **more):
        self.ids = ids
        return self.text(torch.where(ids < self.n, ids, 0), **more)  # the end of the text is found among the ids


class Model:
    def __init__(self, folder, c):
        self.c, self.xl = c, (folder / "text_encoder_2").exists()
        self.unet = UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=torch.float32).eval().requires_grad_(False)
        self.vae = AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=torch.float32).eval().requires_grad_(False)
        self.noise = DDPMScheduler.from_pretrained(folder / "scheduler")
        kinds = [("text_encoder", "tokenizer", CLIPTextModel)] + [("text_encoder_2", "tokenizer_2", CLIPTextModelWithProjection)] * self.xl
        self.tokenizers = [CLIPTokenizer.from_pretrained(folder / t) for _, t, _ in kinds]
        self.texts = [k.from_pretrained(folder / f, torch_dtype=torch.float32).eval().requires_grad_(False) for f, _, k in kinds]
        self.parameters, self.first = {}, {}
        learned = [None] * len(self.texts)
        if c["kind"] == "word":
            for k, (text, tokenizer) in enumerate(zip(self.texts, self.tokenizers)):
                table = text.get_input_embeddings().weight
                ids = tokenizer(c["thing"], add_special_tokens=False).input_ids
                rows = [table[ids[v % len(ids)]] if ids else table.double().mean(0).float() for v in range(c["vectors"])]
                learned[k] = torch.nn.Parameter(torch.stack(rows).clone())
                self.parameters["word" if not self.xl else ("clip_l", "clip_g")[k]] = (learned[k], True)
        else:
            self.add_lora()
        self.first = {n: p.detach().clone() for n, (p, _) in self.parameters.items()}
        self.told = [Words(t, w) for t, w in zip(self.texts, learned)]

    def add_lora(self):
        c = self.c
        nets = [("lora_unet_", self.unet, TARGETS["unet"], False)]
        if c["texts"]:
            names = ["lora_te1_", "lora_te2_"] if self.xl else ["lora_te_"]
            nets += [(name, text, TARGETS["text"], True) for name, text in zip(names, self.texts)]
        for prefix, net, targets, is_text in nets:
            config = peft.LoraConfig(r=c["rank"], lora_alpha=c["alpha"] or c["rank"], target_modules=targets)
            peft.inject_adapter_in_model(config, net)
            for name, p in net.named_parameters():
                if ".lora_A." in name or ".lora_B." in name:
                    module, part = name.split(".lora_")
                    if is_text and not module.startswith("text_model."):
                        module = "text_model." + module
                    key = prefix + module.replace(".", "_") + (".lora_down.weight" if part[0] == "A" else ".lora_up.weight")
                    self.parameters[key] = (p.requires_grad_(True), is_text)
        g = torch.Generator().manual_seed(c["seed"])
        for key in sorted(k for k in self.parameters if k.endswith("lora_down.weight")):
            p = self.parameters[key][0]
            with torch.no_grad():
                p.copy_(torch.randn(p.shape, generator=g) / c["rank"])

    def ids(self, k, sentence):
        """Ids of the sentence, those of the word (here "@") behind the vocabulary."""
        tokenizer = self.tokenizers[k]
        length = min(tokenizer.model_max_length, self.texts[k].config.max_position_embeddings)
        new = list(range(self.told[k].n, self.told[k].n + self.c["vectors"]))
        made = []
        for i, piece in enumerate(sentence.split("@")):
            made += (new if i else []) + tokenizer(piece, add_special_tokens=False).input_ids
        made = [tokenizer.bos_token_id] + made[:length - 2] + [tokenizer.eos_token_id]
        return torch.tensor([made + [tokenizer.pad_token_id] * (length - len(made))])

    def context(self, sentence):
        out = [told(self.ids(k, sentence), output_hidden_states=True) for k, told in enumerate(self.told)]
        if not self.xl:
            return out[0].last_hidden_state, None
        pooled = {"text_embeds": out[1].text_embeds, "time_ids": torch.tensor([[HEIGHT, WIDTH, 0, 0, HEIGHT, WIDTH]]).float()}
        return torch.cat([o.hidden_states[-2] for o in out], -1), pooled

    def loss(self, number, images):
        c = self.c
        g = torch.Generator().manual_seed(c["seed"] + 1 + number)
        draw = lambda n: torch.randint(0, n, (1,), generator=g).item()
        image, sentence, mirrored, t = images[draw(len(images))], SENTENCES[draw(len(SENTENCES))], draw(2) == 1, draw(1000)
        x = (image.flip(2) if mirrored and c["flip"] else image)[None] * 2 - 1
        dist = self.vae.encode(x).latent_dist
        clean = (dist.mean + dist.std * torch.randn(dist.mean.shape, generator=g)) * self.vae.config.scaling_factor
        noise, step = torch.randn(clean.shape, generator=g), torch.tensor([t])
        context, added = self.context(sentence.replace("{}", "@" if c["kind"] == "word" else "blue circle"))
        made = self.unet(self.noise.add_noise(clean, noise, step), step, context, added_cond_kwargs=added).sample
        v = self.noise.config.prediction_type == "v_prediction"
        aim = self.noise.get_velocity(clean, noise, step) if v else noise
        loss = (made - aim).square().mean()
        if c["min_snr"]:
            snr = self.noise.alphas_cumprod[t] / (1 - self.noise.alphas_cumprod[t])
            loss = loss * min(snr, c["min_snr"]) / (snr + 1 if v else snr)
        return loss


def learn(root, c, images):
    m = Model(root / c["model"], c)
    rates = {True: c["text_rate"] or c["rate"], False: c["rate"]}
    optimizer = torch.optim.AdamW([{"params": [p for p, text in m.parameters.values() if text == which], "lr": rates[which]} for which in (False, True)],
                                  weight_decay=1e-2)
    losses = []
    for step in range(c["steps"]):
        optimizer.zero_grad()
        total = sum(m.loss(step * c["accumulate"] + i, images) / c["accumulate"] for i in range(c["accumulate"]))
        total.backward()
        torch.nn.utils.clip_grad_norm_([p for p, _ in m.parameters.values()], 1.0)
        optimizer.step()
        losses.append(total.item())
    return m, losses


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: make_learn.py OUTDIR")
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    root, images, tensors, about = Path(sys.argv[1]), pictures(), {}, []
    for i, p in enumerate(images):
        tensors[f"picture-{i}"] = p.permute(1, 2, 0).contiguous()
    for case in CASES:
        c = {**DEFAULTS, **case}
        m, losses = learn(root, c, images)
        about.append({**c, "losses": losses})
        for name, (p, _) in m.parameters.items():
            tensors[f"{c['name']}/{name}"] = p.detach().clone()
            tensors[f"{c['name']}/{name}/first"] = m.first[name]
        print(c["name"], len(m.parameters), [round(v, 4) for v in losses])
    assert all(torch.isfinite(v).all() for v in tensors.values())
    save_file(tensors, root / "learn.safetensors", metadata={"torch": torch.__version__.split("+")[0], "peft": peft.__version__})
    (root / "learn.json").write_text(json.dumps({"sentences": SENTENCES, "cases": about}, indent=1) + "\n")


main()
