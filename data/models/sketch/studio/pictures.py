# SPDX-License-Identifier: GPL-3.0-or-later
"""The targets that learn from pictures themselves: both autoencoders and the judge. See targets.py for what a target is."""
import torch
import torch.nn.functional as F

from . import nets
from .data import Set, pictures
from .judge_net import JudgeNet, judge_loss


class Pictures:
    decay, slowness = 1e-4, .998
    notes = ()

    def __init__(self, a):
        self.a, self.device = a, a.device
        self.set = Set(a.data, "judge", a.device, a.rows)
        self.build()

    def compiled(self, part):
        if self.device == "cuda":
            part.to(memory_format=torch.channels_last)
        return torch.compile(part, dynamic=False) if self.a.compile and self.device == "cuda" else part

    def cast(self):
        return torch.autocast(self.device, torch.bfloat16)

    def some(self, n):
        return torch.randint(self.set.n, (n,), device=self.device)

    def holed(self, x):
        """One picture in eight has a grey hole, as the fill network's input has."""
        n = max(1, len(x) // 8)
        side = x.shape[-1]
        at = torch.randint(0, side * 2 // 3, (2,)).tolist()
        size = torch.randint(side // 6, side * 2 // 3, (2,)).tolist()
        x[:n, :, at[0]:at[0] + size[0], at[1]:at[1] + size[1]] = 0
        return x

    def trainable(self):
        return dict(self.net.named_parameters())


class Vae(Pictures):
    """Crops of 64 pixels around things for the first 70 % of the time, then whole pictures."""
    batch, rate = {"cuda": 256, "cpu": 20}, 1.5e-3

    def build(self):
        self.net = nets.make("vae").to(self.device)
        if nets.has(self.a.model, "vae"):
            self.net.load_state_dict(nets.weights(self.a.model, "vae"))
        self.encoder, self.decoder = self.compiled(self.net.encoder), self.compiled(self.net.decoder)

    def encoded(self, x):
        mean, logvar = self.net.quant_conv(self.encoder(x)).float().chunk(2, 1)
        return mean, logvar.clamp(-30, 20)

    def crops(self, n):
        at = self.some(n)
        x = pictures(self.set.rows("picture", at))
        box = self.set.rows("box", at)[:, 0].float()
        middle = ((box[:, :2] + box[:, 2:]) / 2 - 32 + 48 * (torch.rand(n, 2, device=self.device) - .5)).clamp(0, 63).long()
        offs = torch.arange(64, device=self.device)
        rows, columns = middle[:, 1, None] + offs, middle[:, 0, None] + offs
        return x[torch.arange(n, device=self.device)[:, None, None], :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2).contiguous()

    def loss(self, n, done):
        if done < .7:
            x = self.crops(n)
        else:
            x = pictures(self.set.rows("picture", self.some(max(1, n // 3))))
        x = self.holed(x)
        if self.device == "cuda":
            x = x.contiguous(memory_format=torch.channels_last)
        with self.cast():
            mean, logvar = self.encoded(x)
            z = mean + torch.randn_like(mean) * (.5 * logvar).exp()
            y = self.decoder(self.net.post_quant_conv(z))
        y, d = y.float(), y.float() - x
        chroma = d - d.mean(1, keepdim=True)
        slope = (d[..., 1:] - d[..., :-1]).abs().mean() + (d[..., 1:, :] - d[..., :-1, :]).abs().mean()
        kl = .5 * (mean.square() + logvar.exp() - 1 - logvar).mean()
        loss = 3 * d.square().mean() + 3 * chroma.square().mean() + 3 * F.avg_pool2d(d, 8).square().mean()
        loss = loss + min(1, done / .2) * (.5 * d.abs().mean() + .25 * slope) + 8e-4 * kl
        psnr = -10 * torch.log10((y.clamp(-1, 1) - x).square().mean() / 4)
        return loss, {"psnr": psnr, "kl": kl}


class Decoder(Vae):
    """The autoencoder's second half alone: pictures become sharper and latents stay, so nothing else has to learn anew."""
    def build(self):
        if not nets.has(self.a.model, "vae"):
            raise SystemExit(f"{self.a.model}: no autoencoder whose decoder could be refined; train and export 'vae' first")
        super().build()
        for part in (self.net.encoder, self.net.quant_conv):
            part.requires_grad_(False)

    def encoded(self, x):
        with torch.no_grad():
            return super().encoded(x)

    def trainable(self):
        return {n: p for n, p in self.net.named_parameters() if p.requires_grad}


class Tiny(Pictures):
    """TAESD's way: the decoder learns the picture from the big encoder's scaled latents, the encoder those latents."""
    batch, rate = {"cuda": 256, "cpu": 8}, 1e-3

    def build(self):
        self.net = nets.make("taesd").to(self.device)
        self.vae = nets.read("vae", self.a.model).to(self.device).eval().requires_grad_(False)
        self.scale = nets.read_json(self.a.model, "vae", "config.json")["scaling_factor"]
        self.encoder, self.decoder = self.compiled(self.net.encoder), self.compiled(self.net.decoder)

    def loss(self, n, done):
        x = pictures(self.set.rows("picture", self.some(n)))
        with torch.no_grad(), self.cast():
            z = self.vae.encode(x).latent_dist.mean.float() * self.scale
        with self.cast():
            y = self.decoder(z + .02 * torch.randn_like(z))
            guess = self.encoder(x)  # takes -1 … 1, as AutoencoderTiny.encode gives it
        d = y.float() - x
        picture = 3 * d.square().mean() + .5 * d.abs().mean() + 3 * F.avg_pool2d(d, 8).square().mean()
        latent = (guess.float() - z).square().mean()
        return picture + latent, {"picture": d.square().mean(), "latent": latent}


class Judge(Pictures):
    """Renders, blurred, noised, brightened, some through the autoencoder when there is one; cut to pieces, nothing is there."""
    batch, rate = {"cuda": 512, "cpu": 16}, 2e-3

    def build(self):
        self.net = JudgeNet().to(self.device).train()
        self.call = self.compiled(self.net)
        self.vae = nets.read("vae", self.a.model).to(self.device).eval().requires_grad_(False) if nets.has(self.a.model, "vae") else None

    def trainable(self):
        """The running statistics too: they are part of the folded judge."""
        return {**dict(self.net.named_parameters()), **{n: b for n, b in self.net.named_buffers() if "running" in n}}

    def spoiled(self, x):
        n = len(x)
        if self.vae is not None:
            k = max(1, n // (3 if self.device == "cuda" else 16))  # dear on a processor
            with torch.no_grad(), self.cast():
                z = self.vae.encode(x[:k]).latent_dist.mean
                x[:k] = self.vae.decode(z + .1 * torch.rand(k, 1, 1, 1, device=x.device) * torch.randn_like(z)).sample.float().clamp(-1, 1)
        soft = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)
        x = torch.lerp(x, soft, torch.rand(n, 1, 1, 1, device=x.device) * 1.4)
        x = x * (1 + .1 * torch.randn(n, 1, 1, 1, device=x.device)) + .06 * torch.randn(n, 3, 1, 1, device=x.device)
        return x + .08 * torch.rand(n, 1, 1, 1, device=x.device) * torch.randn_like(x)

    def loss(self, n, done):
        at = self.some(n)
        x = self.spoiled(pictures(self.set.rows("picture", at)))
        cut = n // 8
        blocks = x[:cut].reshape(cut, 3, 8, 16, 8, 16).permute(2, 4, 0, 1, 3, 5).reshape(64, cut, 3, 16, 16)
        blocks = blocks[torch.randperm(64, device=x.device)].reshape(8, 8, cut, 3, 16, 16).permute(2, 3, 0, 4, 1, 5)
        x = torch.cat([blocks.reshape(cut, 3, 128, 128), x[cut:]])
        row = {"ok": torch.arange(n, device=x.device) >= cut, "box": self.set.rows("box", at).float()}
        for name in ("things", "kind", "colour", "place", "light", "weather", "style"):
            row[name] = self.set.rows(name, at).long()
        with self.cast():
            out = self.call(x)
        return judge_loss(out, row)
