# SPDX-License-Identifier: GPL-3.0-or-later
"""The model's own small vocabulary in the files of CLIP's tokenizer.

    python vocab.py FOLDER      writes vocab.json, merges.txt and the two configs

Ids: 256 byte symbols, the same 256 with </w>, one id per merge, then
<|startoftext|> and <|endoftext|> (which also pads). Merges are chosen so that
every word of the captions is one token; anything else falls apart into bytes.
"""
import json
import os
import sys

from scenes import words

START, END = "<|startoftext|>", "<|endoftext|>"
LENGTH = 32


def byte_symbols():
    """CLIP's printable stand-ins for the 256 bytes, in the order of their ids."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [b for b in range(256) if b not in plain]
    return [chr(b) for b in plain] + [chr(256 + k) for k in range(len(rest))]


def split(word, ranks):
    """Byte pair encoding of an ASCII word."""
    parts = [*word[:-1], word[-1] + "</w>"]
    while len(parts) > 1:
        pairs = [(ranks.get(p, 1 << 30), i) for i, p in enumerate(zip(parts, parts[1:]))]
        rank, _ = min(pairs)
        if rank == 1 << 30:
            break
        pair, out, i = next(p for p, r in ranks.items() if r == rank), [], 0
        while i < len(parts):
            if tuple(parts[i:i + 2]) == pair:
                out.append(parts[i] + parts[i + 1])
                i += 2
            else:
                out.append(parts[i])
                i += 1
        parts = out
    return parts


def merges():
    """Pairs in order of rank. A later pair never disturbs an earlier word: ranks only grow."""
    ranks = {}
    for word in words():
        while len(parts := split(word, ranks)) > 1:
            ranks[tuple(parts[:2])] = len(ranks)
    return list(ranks)


def table():
    """Token -> id."""
    symbols = byte_symbols()
    tokens = symbols + [s + "</w>" for s in symbols] + ["".join(p) for p in merges()] + [START, END]
    return {t: i for i, t in enumerate(tokens)}


class Tokenizer:
    """Captions of our own words -> ids, padded to LENGTH. For other text use CLIPTokenizer."""

    def __init__(self):
        self.ids = table()
        self.ranks = {p: i for i, p in enumerate(merges())}
        self.known = {}

    def word(self, word):
        if word not in self.known:
            self.known[word] = [self.ids[p] for p in split(word, self.ranks)]
        return self.known[word]

    def __call__(self, text):
        out = [self.ids[START]]
        for word in text.lower().split():
            out += self.word(word)
        out = out[:LENGTH - 1]
        return out + [self.ids[END]] * (LENGTH - len(out))


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "vocab.json"), "w", encoding="utf-8") as f:
        json.dump(table(), f, ensure_ascii=False, separators=(",", ":"))
        f.write("\n")
    with open(os.path.join(folder, "merges.txt"), "w", encoding="utf-8") as f:
        f.write("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges()))
    special = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": END}
    config = {**special, "add_prefix_space": False, "do_lower_case": True, "errors": "replace",
              "model_max_length": LENGTH, "tokenizer_class": "CLIPTokenizer"}
    for name, value in (("special_tokens_map", special), ("tokenizer_config", config)):
        with open(os.path.join(folder, name + ".json"), "w", encoding="utf-8") as f:
            json.dump(value, f, indent=2)
            f.write("\n")


if __name__ == "__main__":
    main()
