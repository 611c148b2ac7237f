# SPDX-License-Identifier: GPL-3.0-or-later
"""The targets of train.py. Each is a class: loss(batch, done) -> (loss, noted values); trainable() -> what is saved; batch by
device, rate, decay and slowness of the average; notes, the names that may be noted where steps differ."""
import torch

from . import attention, naming, nets
from .data import bits, pictures
from .diffusion import EMPTY_SHARE, Diffusion, frozen, quick
from .losses import draw_times, noised, v_loss
from .pictures import Decoder, Judge, Tiny, Vae
from .samples import Lcm, Lora, Word


FADE = 1_000_000  # samples over which the losses that tie words to places and features to names, and the share of close-ups, fall to a fifth
CLOSE = 8         # cells of a close-up's side


class Joint(Diffusion):
    """Base, fill and edit as one network of 13 inputs: noisy latents, hole and what is seen around it, the picture to be
    edited; what a row has not is zero. Cutting conv_in gives each network exactly (export.py). The text learns along."""
    batch, rate = {"cuda": 1024, "cpu": 32}, 1e-3
    sets = ("scenes", "edits")
    notes = ("base", "fill", "edit", "token", "place", "close", "name", "held")
    shares = (.6, .2, .2)  # base, fill, edits

    def __init__(self, a):
        if a.shares:
            self.shares = tuple(float(v) for v in a.shares.split(","))
            if len(self.shares) != 3 or min(self.shares) < 0 or not sum(self.shares):
                raise SystemExit(f"train: --shares wants three numbers, not '{a.shares}'")
        if not self.shares[2]:
            self.sets = ("scenes",)
        super().__init__(a)

    def build(self):
        self.scene_latents()
        if self.shares[1]:
            self.latents("scenes", "seen", self.set["scenes"].seen)
        if self.shares[2]:
            e = self.set["edits"]
            for column in ("before", "after"):
                self.latents("edits", column, lambda at, c=column: pictures(e.rows(c, at)))
        self.prepare_words(True)
        self.prepare_close()
        net = nets.make_unet(13, self.device)
        with torch.no_grad():
            net.conv_in.weight[:, 4:] = 0
        self.net = torch.nn.ModuleDict({"unet": net, "text": nets.make("text")})
        if self.a.name:
            self.net["names"] = self.names = naming.Names(net)
        self.net.to(self.device)
        self.watched(net)
        self.call, self.read = quick(net, self.a), self.net["text"]

    def prepare_words(self, wanted):
        """What --attend, --easy and --pairs need of the scenes."""
        self.seen, self.names, self.samples, s = None, None, 0, self.set["scenes"]
        things = s.rows("things", self.whole) if wanted and (self.a.easy or self.a.pairs) else None
        self.single, self.double = (self.whole[things == n] if wanted and share else None for n, share in ((1, self.a.easy), (2, self.a.pairs)))
        if wanted and (self.a.attend or self.a.things or self.a.name):
            s.cells(self.a.work)
        if self.a.attend and wanted:
            self.known = tuple(t.to(self.device) for t in attention.tables())

    def prepare_close(self):
        """What --close needs: windows that one thing fills, with a phrase as their caption."""
        s = self.set["scenes"]
        if self.a.close:
            s.cells(self.a.work)
            self.windows = s.close_ups(s.have["picture"], CLOSE, 3, .06)

    def close_rows(self, n):
        """Latents of n close-ups, their phrases, their kinds, how much of each cell the thing covers."""
        row, thing, top, left = self.windows[torch.randint(len(self.windows), (n,), device=self.device)].unbind(1)
        s, side = self.set["scenes"], torch.arange(CLOSE, device=self.device)
        at = torch.arange(n, device=self.device)[:, None, None]
        down, across = (top[:, None] + side)[:, :, None], (left[:, None] + side)[:, None, :]
        x = self.x0(row)[at, :, down, across].permute(0, 3, 1, 2).contiguous()
        cells = s.rows("cells", row)[at, thing[:, None, None], down, across].float()[:, None] / 255
        ids, kind = (s.rows(column, row)[torch.arange(n, device=self.device), thing].long() for column in ("phrase", "kind"))
        ids = torch.cat([ids, ids[:, -1:].expand(-1, len(self.empty) - ids.shape[1])], 1)  # the last one is the end, which fills captions
        drop = torch.rand(n, device=self.device) < EMPTY_SHARE
        return x, torch.where(drop[:, None], self.empty, ids), kind, cells

    def close_loss(self, n):
        """Four times as many close-ups as pictures take as long and show as many things larger: shapes are learned from them."""
        x0, ids, kind, cells = self.close_rows(4 * n)
        t = draw_times(4 * n, self.device)
        x, v = noised(x0, t, self.table)
        with self.cast():
            y = self.call(self.inputs(x, x.new_zeros(4 * n, 9, CLOSE, CLOSE)), t, self.read(ids).last_hidden_state).sample
        if self.seen is not None:
            self.seen.clear()
        loss, each = v_loss(y, v, t, self.table, self.things(cells))
        loss, noted = self.named(loss, kind[:, None], cells, t)
        return loss, noted | {"close": each.mean()}

    def named(self, loss, kind, cells, t):
        """loss with that of the features' names for the rows that come from scenes, and what is noted of it."""
        if self.names is None:
            return loss, {}
        name = self.names.loss(naming.aims(kind, cells), self.seeable(t[:len(kind)]))
        return loss + self.a.name * max(.2, 1 - self.samples / FADE) * name, {"name": name.detach()}

    def seeable(self, t):
        """How much a row says about places: little where nothing can be seen yet."""
        return self.table[t].sqrt().clamp(min=.1)

    def things(self, cells):
        """Weights of cells: those of things count more, as what is behind them is learned early."""
        weight = 1 + self.a.things * cells
        return weight / weight.mean()

    def watched(self, net):
        if self.a.attend:
            self.seen = attention.watch(net)

    def base_rows(self, n):
        at, drawn = self.some(n, self.whole), torch.rand(n, device=self.device)
        # the layouts' own mix has about as many single things as all others; at first there are more, later more of two
        learned = min(1, self.samples / self.a.easy_samples)
        easy = self.a.easy * (1 - learned)
        if self.single is not None:
            at = torch.where(drawn < easy, self.some(n, self.single), at)
        if self.double is not None:
            at = torch.where(drawn > 1 - self.a.pairs * learned, self.some(n, self.double), at)
        x = self.x0(at)
        self.at.append(at)
        weight = torch.ones_like(x[:, :1])
        if self.a.things:
            weight = self.things(self.set["scenes"].rows("cells", at).float().amax(1, keepdim=True) / 255)
        return x, x.new_zeros(n, 9, *x.shape[2:]), self.words(at), weight

    def fill_rows(self, n):
        at = self.some(n, columns=("picture", "seen"))
        self.at.append(at)
        x = self.x0(at)
        hole = torch.nn.functional.interpolate(self.hole(at), size=x.shape[2:], mode="nearest")
        seen = self.x0(at, column="seen")
        extra = torch.cat([hole, seen + .02 * torch.randn_like(seen), torch.zeros_like(x)], 1)
        weight = .2 + hole
        return x, extra, self.words(at, "fill_ids"), weight / weight.mean((1, 2, 3), keepdim=True)

    def hole(self, at):
        return bits(self.set["scenes"].rows("hole", at))

    def edit_rows(self, n):
        """InstructPix2Pix's dropout: text, picture, both, 5 % each. The picture's latents are not scaled."""
        at = self.some(n, name="edits", columns=("before", "after"))
        x = self.x0(at, "edits", "after")
        u = torch.rand(n, device=self.device)
        before = self.set["edits"].rows("latents-before", at).float()
        before = torch.where(((u > .05) & (u < .15))[:, None, None, None], 0, before)
        ids = torch.where((u < .10)[:, None], self.empty, self.set["edits"].rows("ids", at).long())
        return x, torch.cat([x.new_zeros(n, 5, *x.shape[2:]), before], 1), ids, torch.ones_like(x[:, :1])

    def parts(self, n):
        b, f = (round(n * share / sum(self.shares)) for share in self.shares[:2])
        return [(self.base_rows, b), (self.fill_rows, f), (self.edit_rows, n - b - f)]

    def loss(self, n, done):
        close = self.a.close * max(.2, 1 - self.samples / FADE)
        if close and torch.rand(()).item() < close:
            return self.close_loss(n)
        return self.whole_loss(n)

    def whole_loss(self, n):
        self.at = []  # the scenes of the rows that have one, in order
        made = [(rows(k), k) for rows, k in self.parts(n) if k]
        x0, extra, ids = (torch.cat([m[0][j] for m in made]) for j in range(3))
        weight = torch.cat([m[0][3] for m in made])
        t = torch.cat([draw_times(k, self.device) for _, k in made])
        x, v = noised(x0, t, self.table)
        with self.cast():
            context = self.read(ids).last_hidden_state
            if self.seen is not None:
                self.seen.clear()
            y = self.call(self.inputs(x, extra), t, context).sample
        loss, each = v_loss(y, v, t, self.table, weight)
        noted, first = {}, 0
        names = {self.base_rows: "base", self.fill_rows: "fill", self.edit_rows: "edit"}
        counts = [(names[rows], k) for rows, k in self.parts(n) if k]
        for name, k in counts:
            noted[name] = each[first:first + k].mean()
            first += k
        if self.seen is not None and self.at:
            token, place, held = self.tied(ids, t)
            loss = loss + self.a.attend * max(.2, 1 - self.samples / FADE) * (token + .5 * place + held)
            noted |= {"token": token.detach(), "place": place.detach(), "held": held.detach()}
        if self.names is not None and self.at:
            s, at = self.set["scenes"], torch.cat(self.at)
            loss, more = self.named(loss, s.rows("kind", at), s.rows("cells", at).float() / 255, t)
            noted |= more
        return loss, noted

    def tied(self, ids, t):
        """attention.loss of the rows that come from scenes, less of it where nothing can be seen yet."""
        at, s = torch.cat(self.at), self.set["scenes"]
        k = len(at)
        named = attention.tokens(ids[:k], s.rows("kind", at).long(), s.rows("colour", at).long(), s.rows("things", at).long(), self.known)
        masks = s.rows("cells", at).float().flatten(2) / 255
        return attention.loss([share[:k] for share in self.seen], named, masks, self.seeable(t[:k]))

    def inputs(self, x, extra):
        return torch.cat([x, extra], 1)


class Refined(Joint):
    """One of the three alone, from its cut of the joint network; the text stays."""
    batch, rate = {"cuda": 1024, "cpu": 32}, 5e-4
    name = "base"

    def __init__(self, a):
        Diffusion.__init__(self, a)

    def build(self):
        self.scene_latents()
        self.read_text()
        s = self.set["scenes"]
        if self.name == "fill":
            self.latents("scenes", "seen", s.seen)
        if self.name == "edit":
            e = self.set["edits"]
            for column in ("before", "after"):
                self.latents("edits", column, lambda at, c=column: pictures(e.rows(c, at)))
        source = nets.read if nets.has(self.a.model, self.name) else nets.start
        self.net = source(self.name, self.a.model, self.device).to(self.device)
        self.prepare_words(self.name != "edit")
        if self.name == "base":
            self.prepare_close()
        self.watched(self.net)
        self.call, self.read = quick(self.net, self.a), self.text

    def parts(self, n):
        return [({"base": self.base_rows, "fill": self.fill_rows, "edit": self.edit_rows}[self.name], n)]

    def inputs(self, x, extra):
        return torch.cat([x, {"base": extra[:, :0], "fill": extra[:, :5], "edit": extra[:, 5:]}[self.name]], 1)


class Base(Refined):
    sets = ("scenes",)


class Fill(Refined):
    name, sets = "fill", ("scenes",)


class Edit(Refined):
    name = "edit"


class Control(Diffusion):
    """A ControlNet beside the frozen base. Half the captions are empty, so that the picture is believed."""
    batch, rate = {"cuda": 512, "cpu": 24}, 5e-4

    def build(self):
        self.scene_latents()
        self.read_text()
        self.kind = nets.CONTROLS[self.a.target]
        self.base = frozen(nets.read("base", self.a.model, self.device), self.device)
        self.net = nets.start(self.a.target, self.a.model, self.device).to(self.device)
        self.call, self.main = quick(self.net, self.a), quick(self.base, self.a)

    def predict(self, x, t, context, picture):
        down, mid = self.call(x, t, context, picture, return_dict=False)
        return self.main(x, t, context, down_block_additional_residuals=down, mid_block_additional_residual=mid).sample

    def loss(self, n, done):
        at = self.some(n, self.whole)
        t = draw_times(n, self.device, .6)
        x, v = noised(self.x0(at), t, self.table)
        context = self.context(self.words(at, share=.3))
        with self.cast():
            y = self.predict(x, t, context, self.set["scenes"].control(self.kind, at))
        loss, each = v_loss(y, v, t, self.table)
        return loss, {"error": each.mean()}


class Adapter(Control):
    def predict(self, x, t, context, picture):
        maps = self.call(picture)
        return self.main(x, t, context, down_intrablock_additional_residuals=list(maps)).sample


class Layout(Diffusion):
    """GLIGEN's gated attention and its reader of boxes, in the frozen base. One row in ten has no boxes."""
    batch, rate = {"cuda": 512, "cpu": 24}, 5e-4
    most = 6  # objects a row in training; the engine allows 30

    def build(self):
        self.scene_latents()
        self.read_text()
        self.net = nets.start("layout", self.a.model, self.device).to(self.device)
        for name, p in self.net.named_parameters():
            p.requires_grad = bool(nets.own("layout", {name: p}))
        self.call = quick(self.net, self.a)

    def loss(self, n, done):
        s = self.set["scenes"]
        at = self.some(n, self.whole)
        t = draw_times(n, self.device, .6)
        x, v = noised(self.x0(at), t, self.table)
        context = self.context(self.words(at, share=.3))
        phrases = s.rows("phrase", at).long()
        k = phrases.shape[1]
        with torch.no_grad(), self.cast():
            pooled = self.text(phrases.flatten(0, 1)).pooler_output.view(n, k, -1)
        boxes = torch.zeros(n, self.most, 4, device=self.device)
        vectors = torch.zeros(n, self.most, pooled.shape[-1], device=self.device)
        masks = torch.zeros(n, self.most, device=self.device)
        there = torch.arange(k, device=self.device)[None] < s.rows("things", at).long()[:, None]
        there &= (torch.rand(n, k, device=self.device) > .1) & (torch.rand(n, 1, device=self.device) > .1)
        boxes[:, :k] = s.rows("box", at).float() / 128 * there[..., None]
        vectors[:, :k] = pooled.float() * there[..., None]
        masks[:, :k] = there.float()
        with self.cast():
            y = self.call(x, t, context, cross_attention_kwargs={"gligen": {"boxes": boxes, "positive_embeddings": vectors, "masks": masks}}).sample
        loss, each = v_loss(y, v, t, self.table)
        return loss, {"error": each.mean()}


TARGETS = {"vae": Vae, "decoder": Decoder, "taesd": Tiny, "joint": Joint, "base": Base, "fill": Fill, "edit": Edit, "control-edge": Control, "control-scribble": Control,
           "control-depth": Control, "control-segmentation": Control, "adapter": Adapter, "layout": Layout, "lcm": Lcm, "lora": Lora, "word": Word,
           "judge": Judge}
