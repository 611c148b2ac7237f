# SPDX-License-Identifier: GPL-3.0-or-later
"""The family's own byte-pair vocabulary in the files of CLIP's tokenizer: every caption word is one token.

    python -m studio.vocab FOLDER      writes vocab.json, merges.txt and the two configs

Ids: 256 byte symbols, the same 256 with </w>, one id per merge, <|startoftext|>, <|endoftext|> (which also pads).
"""
import functools
import json
import os
import sys

from .words import caption_words

START, END = "<|startoftext|>", "<|endoftext|>"
LENGTH = 40


def byte_symbols():
    """CLIP's printable stand-ins for the 256 bytes, in the order of their ids."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    return [chr(b) for b in plain] + [chr(256 + k) for k in range(256 - len(plain))]


def split(word, ranks):
    """Byte pair encoding of an ASCII word: the pair of the lowest rank first, everywhere."""
    parts = [*word[:-1], word[-1] + "</w>"]
    while True:
        known = [ranks[p] for p in zip(parts, parts[1:]) if p in ranks]
        if not known:
            return parts
        best, out = min(known), []
        for part in parts:
            if out and ranks.get((out[-1], part)) == best:
                out[-1] += part
            else:
                out.append(part)
        parts = out


@functools.cache
def merges():
    """Pair -> rank. A later pair never disturbs an earlier word: ranks only grow."""
    ranks = {}
    for word in caption_words():
        while len(parts := split(word, ranks)) > 1:
            ranks[tuple(parts[:2])] = len(ranks)
    return ranks


@functools.cache
def table():
    """Token -> id."""
    symbols = byte_symbols()
    tokens = symbols + [s + "</w>" for s in symbols] + ["".join(p) for p in merges()] + [START, END]
    return {t: i for i, t in enumerate(tokens)}


@functools.cache
def word_ids(word):
    return tuple(table()[p] for p in split(word, merges()))


def encode(text, length=LENGTH):
    """Plain words -> ids, padded to `length`."""
    out = [table()[START]]
    for word in text.lower().split():
        out += word_ids(word)
    out = out[:length - 1]
    return out + [table()[END]] * (length - len(out))


def write(folder):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "vocab.json"), "w", encoding="utf-8") as f:
        json.dump(table(), f, ensure_ascii=False, separators=(",", ":"))
        f.write("\n")
    with open(os.path.join(folder, "merges.txt"), "w", encoding="utf-8") as f:
        f.write("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges()))
    special = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": END}
    config = {**special, "add_prefix_space": False, "do_lower_case": True, "errors": "replace", "model_max_length": LENGTH,
              "tokenizer_class": "CLIPTokenizer"}
    for name, value in (("special_tokens_map", special), ("tokenizer_config", config)):
        with open(os.path.join(folder, name + ".json"), "w", encoding="utf-8") as f:
            json.dump(value, f, indent=2)
            f.write("\n")


if __name__ == "__main__":
    write(sys.argv[1])
