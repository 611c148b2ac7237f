#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes OUTDIR/tokens: token ids of transformers' CLIPTokenizer for strings of many kinds, with CLIP's vocabulary and with a
small one in both of its file forms. tests/text compares. usage: make_tokens.py OUTDIR"""
import gzip
import json
import random
import shutil
import sys
import tempfile
from pathlib import Path

import tokenizers
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import CLIPTokenizer

ROOT = Path(__file__).resolve().parents[2]
BOS, EOS = "<|startoftext|>", "<|endoftext|>"

GROUPS = {
    "prompts": [
        "a photo of an astronaut riding a horse on mars", "(masterpiece:1.2), best-quality", "a red circle on a blue background",
        "Portrait of a young woman, oil on canvas, by Rembrandt", "an oak tree, 4k, highly detailed, trending on artstation",
        "isometric low-poly castle; soft light; 35mm f/1.8", "[cat|dog] in a [[forest]], ((sunset)), <lora:foo:0.8>",
        "black & white photograph of a 1950's diner", "lowres, bad anatomy, bad hands, text, error, missing fingers",
        "cinematic shot -- wide angle -- fog", "a green cat left of a yellow house", "no text no watermark",
        "cyberpunk city @ night #neon $100 50% off", "an_underscored_prompt with-hyphens and/slashes\\backslashes",
        "photo, realistic. Really? Yes! \"quoted\" 'single' `tick`",
    ],
    "contractions": [
        "don't", "DON'T", "we've they'RE I'LL he'd it's I'm", "rock 'n' roll", "'s 't 're 've 'm 'll 'd", "'sa 'tb", "dogs' tails",
        "y'all'd've", "o'clock", "it\u2019s", "''s", "!'s", "a'", "'", "the '90s",
    ],
    "numbers": [
        "10,000", "3.14159", "2024", "x2 y3z", "1st 2nd 3rd", "\u0661\u0662\u0663", "\u0967\u0968\u0969", "\u0e51\u0e52",
        "\u00bd \u00b2 \u2153", "\u2160\u2161\u2162 \u2163", "\u2460\u2461", "\uff11\uff12\uff13", "1e-5", "0x1F", "\u4e00\u4e8c\u4e09",
    ],
    "latin": [
        "caf\u00e9", "cafe\u0301", "Stra\u00dfe", "\u00c5ngstr\u00f6m", "na\u00efve fa\u00e7ade", "\u0141\u00f3d\u017a", "\u00c7a va? \u00c7a va!", "\u010ce\u0161tina",
        "\u0130stanbul", "I\u0307stanbul", "\u0131\u015f\u0131k", "\u1e9e", "\ufb01ne \ufb02ow", "\u00c6sir \u0153uvre", "\u01c4 \u01c5 \u01c6", "Nguy\u1ec5n",
        "S\u0323\u0307", "\u1e9b\u0323", "\u212b \u2126", "\uff21\uff22\uff23",
    ],
    "greek_cyrillic": [
        "\u0391\u03b8\u03ae\u03bd\u03b1", "\u03a3\u038a\u03a3\u03a5\u03a6\u039f\u03a3", "\u03bb\u03cc\u03b3\u03bf\u03c2", "\u1f00\u03c1\u03c7\u03ae", "\u03b1\u0313", "\u041c\u043e\u0441\u043a\u0432\u0430",
        "\u041a\u043e\u0448\u043a\u0430 \u043d\u0430 \u043a\u0440\u044b\u0448\u0435", "\u0419\u043e\u0434", "\u0418\u0306\u043e\u0434", "\u0407\u0436\u0430\u043a", "\u040b\u0438\u0440\u0438\u043b\u0438\u0446\u0430", "\u0514\u0562", "\u0540\u0561\u0575\u0561\u057d\u057f\u0561\u0576", "\u10e5\u10d0\u10e0\u10d7\u10e3\u10da\u10d8",
    ],
    "east_asia": [
        "\u4e2d\u6587\u5b57", "\u4e00\u53ea\u732b\u5750\u5728\u5c4b\u9876\u4e0a\u3002", "\u6771\u4eac\u30bf\u30ef\u30fc", "\u3072\u3089\u304c\u306a \u30ab\u30bf\u30ab\u30ca", "\u304b\u3099", "\u30cf\u309a\u30f3", "\uff76\uff9e", "\ud55c\uad6d\uc5b4 \ud14d\uc2a4\ud2b8",
        "\u1112\u1161\u11ab", "\u9f8d\u306e\u7d75, 4k", "\u300c\u5f15\u7528\u300d", "\uff0c\uff01\uff1f", "\ufa19", "\U00020000\U00020001", "a\u4e2db", "\u3007", "\u5341\u4e8c\u670812\u65e5",
    ],
    "south_west_asia": [
        "\u0627\u0644\u0639\u0631\u0628\u064a\u0629", "\u0645\u064e\u0631\u0652\u062d\u064e\u0628\u064b\u0627", "\ufefb", "\u05e9\u05dc\u05d5\u05dd", "\u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd", "\u0641\u0627\u0631\u0633\u06cc \u06f1\u06f2\u06f3", "\u0939\u093f\u0928\u094d\u0926\u0940",
        "\u0928\u092e\u0938\u094d\u0924\u0947 \u0926\u0941\u0928\u093f\u092f\u093e", "\u0915\u093c", "\u0958", "\u0b95\u0bcb", "\u0b95\u0bc7\u0bbe", "\u09ac\u09be\u0982\u09b2\u09be", "\u0e44\u0e17\u0e22", "\u0e20\u0e32\u0e29\u0e32\u0e44\u0e17\u0e22 \u0e41\u0e21\u0e27", "\u0e99\u0ec9\u0eb3",
        "\u1019\u103c\u1014\u103a\u1019\u102c", "\u0f56\u0f7c\u0f51\u0f0b", "\u1780\u17d2\u1798\u17c2\u179a",
    ],
    "emoji_symbols": [
        "\U0001f600", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f44d\U0001f3fd", "\u2764\ufe0f", "\U0001f1e9\U0001f1ea", "1\ufe0f\u20e3", "\U0001f3f3\ufe0f\u200d\U0001f308", "a\U0001f600b", "\u00a9\u00ae\u2122",
        "\u20ac100 \u00a35 \u00a57", "\u2192\u2190\u21d2", "\u221e \u2260 \u2264", "\u2018\u2019\u201c\u201d", "\u2013 \u2014 \u2026", "\u24b6\u24b7\u24d2", "\U0001d400\U0001d7ce", "\u2603 snowman \u2744",
        "x_y <3 ~ 3.14", "!!!???...", "^_^ :-) ;-P",
    ],
    "white_space": [
        "", " ", "   ", "\t\n\r", "A  Cat's   10,000 photos!!!", " leading and trailing ", "tab\tseparated\twords", "line\nbreak\r\nreturn",
        "no\u00a0break", "thin\u2009space\u200ahair", "ideographic\u3000space", "zero\u200bwidth", "\ufeffbom", "em\u2003en\u2002", "line\u2028para\u2029",
        "next\u0085line", "vt\x0bff\x0c", "ogham\u1680space", "\u180e", "mongolian\u180esep", "nn\u202fbsp", "math\u205fspace",
    ],
    "controls": [
        "\x01", "a\x02b", "\x7f", "a\x1bb", "soft\u00adhyphen", "\u200e\u200f", "\u202a\u202c", "\ufffd", "a\ufffdb", "\ue000", "\x1c\x1d\x1e\x1f", "\u2060joiner", "\u0300",
        "a\u0300\u0301\u0302\u0303", "z\u0361z", "q\u0307\u0323", "\u0323\u0307q",
    ],
    "literals": [
        "&amp; &lt;b&gt; &quot;", "&#39;s", BOS, EOS, BOS + EOS, "a" + EOS + "b", "a " + EOS + " b", EOS.upper(), BOS.upper(), "<|StartOfText|>x",
        "!" + EOS, "!" + EOS.upper(), EOS.upper() + "!", "<|endoftext", "|endoftext|>", "<|start oftext|>", EOS * 3, "caf\u00e9" + EOS + "\u0301",
        "endoftext", "</w>", "a</w>", "<w>", "<pad>", "\u0120the",
    ],
    "long": [
        "a" * 400, "ab" * 300, "!" * 500, "supercalifragilisticexpialidocious", "pneumonoultramicroscopicsilicovolcanoconiosis", "z" * 77,
        "\u00e9" * 90, "\u4e2d" * 60, " ".join(["word"] * 120), "1" * 90, "Donaudampfschifffahrtsgesellschaftskapit\u00e4n", "na " * 40, "\U0001f600" * 30,
        "qwxzkvjq" * 20, ", ".join("object %d" % i for i in range(40)),
    ],
}


def random_strings():
    """Mixtures that nobody would think of, from characters that every Unicode table of the last years agrees about."""
    rng = random.Random(7)
    pool = [chr(c) for c in list(range(0x20, 0x7f)) * 3 + list(range(0xa0, 0x250)) + list(range(0x370, 0x374)) + list(range(0x386, 0x38b))
            + list(range(0x391, 0x3a2)) + list(range(0x400, 0x460)) + list(range(0x5d0, 0x5eb)) + list(range(0x621, 0x64b))
            + list(range(0x905, 0x93a)) + list(range(0xe01, 0xe3b)) + list(range(0x3041, 0x3097)) + list(range(0x4e00, 0x4e60))
            + list(range(0xac00, 0xac60)) + list(range(0x1f600, 0x1f640)) + [0x300, 0x301, 0x308, 0x327] * 6]
    return ["".join(rng.choice(pool) for _ in range(rng.randint(3, 40))) for _ in range(60)]


def write_json(path, data):
    path.write_text(json.dumps(data, ensure_ascii=True, indent=0) + "\n", encoding="utf-8")


def added(content, normalized):
    return {"__type": "AddedToken", "content": content, "lstrip": False, "normalized": normalized, "rstrip": False,
            "single_word": False}


def special_files(folder, pad):
    """The two small files as SD 1's and SD 2's repositories have them."""
    config = {"bos_token": added(BOS, True), "eos_token": added(EOS, True), "unk_token": added(EOS, True), "pad_token": EOS,
              "model_max_length": 77, "tokenizer_class": "CLIPTokenizer"}
    specials = {k: {i: w for i, w in v.items() if i != "__type"} if isinstance(v, dict) else v
                for k, v in config.items() if k.endswith("_token")}
    specials["pad_token"] = pad
    write_json(folder / "tokenizer_config.json", config)
    write_json(folder / "special_tokens_map.json", specials)


def clip_folder(folder):
    """vocab.json and merges.txt of CLIP's vocabulary, by the rule that its README states."""
    folder.mkdir()
    with gzip.open(ROOT / "data/clip/merges.txt.gz", "rt", encoding="utf-8") as f:
        text = f.read()
    merges = text.splitlines()[1:]
    printing = [*range(0x21, 0x7f), *range(0xa1, 0xad), *range(0xae, 0x100)]
    rest = [b for b in range(256) if b not in printing]
    symbols = [chr(b) for b in printing] + [chr(256 + i) for i in range(len(rest))]
    vocab = symbols + [s + "</w>" for s in symbols] + [m.replace(" ", "") for m in merges] + [BOS, EOS]
    assert len(vocab) == len(set(vocab)) == 49408
    write_json(folder / "vocab.json", {s: i for i, s in enumerate(vocab)})
    (folder / "merges.txt").write_text(text, encoding="utf-8")
    special_files(folder, EOS)


def small_folder(folder):
    """A trained vocabulary of 400 symbols that lacks most bytes, padded with an ordinary symbol."""
    folder.mkdir(parents=True)
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>", unk_token=EOS))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=["!", BOS, EOS], end_of_word_suffix="</w>", show_progress=False)
    texts = [s for group in ("prompts", "latin", "greek_cyrillic") for s in GROUPS[group]]
    tokenizer.train_from_iterator(texts, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    merges = [m if isinstance(m, str) else " ".join(m) for m in model["merges"]]
    write_json(folder / "vocab.json", model["vocab"])
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n", encoding="utf-8")
    special_files(folder, "!")


def ids_of(tokenizer, strings):
    return [[s, tokenizer(s, add_special_tokens=False).input_ids] for s in strings]


def padded(tokenizer, strings, length):
    return [[s, tokenizer(s, padding="max_length", truncation=True, max_length=length).input_ids] for s in strings]


def main():
    out = Path(sys.argv[1], "tokens")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    groups = dict(GROUPS, random=random_strings())
    everything = [s for group in groups.values() for s in group]
    assert len(everything) >= 200
    with tempfile.TemporaryDirectory() as scratch:
        clip = Path(scratch, "clip")
        clip_folder(clip)
        tokenizer = CLIPTokenizer.from_pretrained(clip)
        data = {"made_with": {"transformers": transformers.__version__, "tokenizers": tokenizers.__version__},
                "groups": {name: ids_of(tokenizer, strings) for name, strings in groups.items()},
                "padded": padded(tokenizer, ["", "a cat", GROUPS["long"][8], EOS], 77)}
        write_json(out / "clip.json", data)

    small_folder(out / "small")
    tokenizer = CLIPTokenizer.from_pretrained(out / "small")
    data = {"made_with": data["made_with"], "pad": tokenizer.pad_token_id, "groups": {"all": ids_of(tokenizer, everything)},
            "padded": padded(tokenizer, ["", "a cat!", GROUPS["long"][8]], 20)}
    write_json(out / "small.json", data)
    # the other form of the same files: as this transformers saves them, and with merges as "a b" strings
    tokenizer.save_pretrained(out / "small-json")
    (out / "small-json" / "tokenizer_config.json").write_text(
        json.dumps({"pad_token": "!", "eos_token": EOS, "bos_token": BOS, "model_max_length": 77}) + "\n", encoding="utf-8")
    whole = json.loads((out / "small-json" / "tokenizer.json").read_text(encoding="utf-8"))
    strings = whole["model"]["merges"]
    assert all(isinstance(m, list) for m in strings)
    (out / "small-strings").mkdir()
    whole["model"]["merges"] = [" ".join(m) for m in strings]
    write_json(out / "small-strings" / "tokenizer.json", whole)
    shutil.copy(out / "small-json" / "tokenizer_config.json", out / "small-strings" / "tokenizer_config.json")


if __name__ == "__main__":
    main()
