"""Makes a tiny language model of Qwen3's shape: random weights, a real tokenizer, a chat template.

Standard library only.

    python3 scripts/tiny_model.py FOLDER [--seed N]

About three million parameters, made in seconds, understood by every engine that loads Qwen3. It talks gibberish, but in
the manner of the real thing: readable letters, thinking that ends with `</think>`, and an end to every answer.
"""

from __future__ import annotations

import argparse
import array
import json
import math
import random
import re
import struct
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

HIDDEN, LAYERS, HEADS, KV_HEADS, HEAD_DIM, INNER, VOCAB = 256, 4, 4, 2, 64, 704, 1024
CONTEXT = 32768
END_OF_TEXT, IM_START, IM_END, THINK, END_THINK = "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>"
SPECIAL = (END_OF_TEXT, IM_START, IM_END, THINK, END_THINK)

TEMPLATE = """\
{%- for message in messages %}
{{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|im_start|>assistant\\n' }}
{%- if enable_thinking is defined and enable_thinking is false %}
{{- '<think>\\n\\n</think>\\n\\n' }}
{%- else %}
{{- '<think>\\n' }}
{%- endif %}
{%- endif %}"""


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text)


NOUNS = words("""
file folder table row page button user order mail server branch commit report image price invoice
""")
VERBS = words("""
delete create move copy open read write send list search install update rename click run test
""")
PROSE = words("""
the of and to in is you that it for on are with as be this have from or one had by word but not what all were
we when your can said there use an each which she do how their if will up other about out many then them these
so some her would make like him into time has look two more write go see number no way could people my than
first water been call who its now find long down day did get come made may part over new sound take only little
work know place year live me back give most very after thing our just name good sentence man think say great
where help through much before line right too mean old any same tell follow came want show also around form
three small set put end does another well large must big even such because turn here why ask went men read need
land different home us move try kind hand picture again change off play spell air away animal house point page
letter mother answer found study still learn should world high every near add food between own below country
plant last school father keep tree never start city earth eye light thought head under story saw left few while
along might close something seem next hard open example begin life always those both paper together got group
often run important until children side feet action observation environment predict output tool call argument
result value string number object array schema json state step directory command terminal browser element click
input select query database column index record key error code exit status
""")
SAID = words("""
done not found permission denied no such file already exists total changed removed ok error warning
""")


def texts(dice: random.Random) -> Iterator[str]:
    """A few texts such as a world model reads: commands, calls, listings, complaints."""
    for _ in range(1500):
        verb, noun, said = dice.choice(VERBS), dice.choice(NOUNS), " ".join(dice.sample(SAID, 3))
        name = f"{dice.choice(NOUNS)}_{dice.randrange(100)}.{dice.choice(['txt', 'py', 'md', 'csv'])}"
        yield f"### Turn {dice.randrange(1, 30)}\n\n**Action:**\n"
        yield f'{{"name": "{verb}_{noun}", "arguments": {{"path": "/home/user/{name}"}}}}\n'
        yield f"$ {verb} {name}\n{verb}: {name}: {said}\n"
        size, day = dice.randrange(9999), dice.randrange(1, 31)
        yield f"-rw-r--r-- 1 user user {size} Jan {day} 10:{dice.randrange(60)} {name}\n"
        yield f"The agent wants to {verb} the {noun}. Would the {noun} then be {said}?\n"
        yield " ".join(dice.choices(PROSE, k=12)) + ".\n"


def byte_letters() -> dict[int, str]:
    """How byte-level tokenizers spell bytes: printable ones as themselves, the rest as letters from 256 on."""
    plain = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [byte for byte in range(256) if byte not in plain]
    return {byte: chr(byte) for byte in plain} | {byte: chr(256 + place) for place, byte in enumerate(rest)}


def learn(lines: Iterator[str], merges: int) -> list[tuple[str, str]]:
    """Byte-pair encoding: join the commonest neighbours, again and again."""
    letters = byte_letters()
    words: Counter[tuple[str, ...]] = Counter()
    for line in lines:
        for word in re.findall(r" ?[A-Za-z]+| ?\d| ?[^\sA-Za-z\d]+|\s+", line):
            words[tuple(letters[byte] for byte in word.encode())] += 1
    learned: list[tuple[str, str]] = []
    while len(learned) < merges:
        pairs: Counter[tuple[str, str]] = Counter()
        for word, times in words.items():
            for pair in pairwise(word):
                pairs[pair] += times
        if not pairs:
            break
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        learned.append(best)
        words = Counter({joined(word, best): times for word, times in words.items()})
    return learned


def joined(word: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    out: list[str] = []
    place = 0
    while place < len(word):
        if word[place : place + 2] == pair:
            out.append(pair[0] + pair[1])
            place += 2
        else:
            out.append(word[place])
            place += 1
    return tuple(out)


def vocabulary(merges: list[tuple[str, str]]) -> dict[str, int]:
    tokens = [*sorted(byte_letters().values()), *dict.fromkeys(left + right for left, right in merges)]
    return {token: place for place, token in enumerate(tokens)}


def tokenizer_json(vocab: dict[str, int], merges: list[tuple[str, str]], first_special: int) -> dict[str, object]:
    added = [
        {
            "id": first_special + place,
            "content": token,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": token not in (THINK, END_THINK),
        }
        for place, token in enumerate(SPECIAL)
    ]
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": level,
        "post_processor": None,
        "decoder": level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": vocab,
            "merges": [list(pair) for pair in merges],
        },
    }


def leaning(vocab: dict[str, int], first_special: int) -> list[float]:
    """How much likelier than chance each token is: answers end, thinking ends, and what is written can be read."""
    lean = [-12.0] * VOCAB
    back = {letter: byte for byte, letter in byte_letters().items()}
    for token, place in vocab.items():
        spelled = bytes(back[letter] for letter in token)
        if all(byte == 10 or 32 <= byte < 127 for byte in spelled):
            lean[place] = 0.0
    lean[first_special + SPECIAL.index(IM_END)] = 3.2
    lean[first_special + SPECIAL.index(END_THINK)] = 2.5
    return lean


def weights(dice: random.Random, lean: list[float]) -> Iterator[tuple[str, list[int], array.array[float]]]:
    """Random ones, but for one channel of the stream: it is the same for every token, and carries the leaning."""

    def noise(rows: int, columns: int, spread: float) -> array.array[float]:
        return array.array("f", (dice.gauss(0.0, spread) for _ in range(rows * columns)))

    def ones(size: int) -> array.array[float]:
        return array.array("f", [1.0]) * size

    embedded = noise(VOCAB, HIDDEN, 1.0)
    head = noise(VOCAB, HIDDEN, 0.1)
    for token in range(VOCAB):
        embedded[token * HIDDEN] = math.sqrt(HIDDEN)
        # After the last norm the constant channel holds about sqrt(HIDDEN / 2): half of the stream's length is in it.
        head[token * HIDDEN] = lean[token] / math.sqrt(HIDDEN / 2)
    yield "model.embed_tokens.weight", [VOCAB, HIDDEN], embedded
    yield "lm_head.weight", [VOCAB, HIDDEN], head
    yield "model.norm.weight", [HIDDEN], ones(HIDDEN)
    for layer in range(LAYERS):
        shapes = {
            "self_attn.q_proj": (HEADS * HEAD_DIM, HIDDEN),
            "self_attn.k_proj": (KV_HEADS * HEAD_DIM, HIDDEN),
            "self_attn.v_proj": (KV_HEADS * HEAD_DIM, HIDDEN),
            "self_attn.o_proj": (HIDDEN, HEADS * HEAD_DIM),
            "mlp.gate_proj": (INNER, HIDDEN),
            "mlp.up_proj": (INNER, HIDDEN),
            "mlp.down_proj": (HIDDEN, INNER),
        }
        for name, (rows, columns) in shapes.items():
            yield f"model.layers.{layer}.{name}.weight", [rows, columns], noise(rows, columns, 0.03)
        for name, size in (
            ("self_attn.q_norm", HEAD_DIM),
            ("self_attn.k_norm", HEAD_DIM),
            ("input_layernorm", HIDDEN),
            ("post_attention_layernorm", HIDDEN),
        ):
            yield f"model.layers.{layer}.{name}.weight", [size], ones(size)


def write_safetensors(path: Path, tensors: Iterator[tuple[str, list[int], array.array[float]]]) -> int:
    """The format: the header's length, a JSON header of places, the numbers. Returns how many numbers there are."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    body = bytearray()
    for name, shape, numbers in tensors:
        if sys.byteorder == "big":
            numbers.byteswap()
        start = len(body)
        body += numbers.tobytes()
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [start, len(body)]}
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    path.write_bytes(struct.pack("<Q", len(head)) + head + body)
    return len(body) // 4


def make(folder: Path, seed: int = 0) -> int:
    """Write the model into this folder, and return how many parameters it has."""
    folder.mkdir(parents=True, exist_ok=True)
    dice = random.Random(seed)
    merges = learn(texts(dice), VOCAB - 256 - len(SPECIAL))
    vocab = vocabulary(merges)
    first_special = VOCAB - len(SPECIAL)
    ids = {token: first_special + place for place, token in enumerate(SPECIAL)}
    config: dict[str, object] = {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "hidden_size": HIDDEN,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "head_dim": HEAD_DIM,
        "intermediate_size": INNER,
        "vocab_size": VOCAB,
        "max_position_embeddings": CONTEXT,
        "rope_theta": 1000000.0,
        "rms_norm_eps": 1e-6,
        "hidden_act": "silu",
        "attention_bias": False,
        "attention_dropout": 0.0,
        "use_sliding_window": False,
        "tie_word_embeddings": False,
        "initializer_range": 0.02,
        "bos_token_id": ids[END_OF_TEXT],
        "eos_token_id": ids[IM_END],
        "pad_token_id": ids[END_OF_TEXT],
        "dtype": "float32",
    }
    names: dict[str, object] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": IM_END,
        "pad_token": END_OF_TEXT,
        "model_max_length": CONTEXT,
        "clean_up_tokenization_spaces": False,
        "chat_template": TEMPLATE,
    }
    files: dict[str, object] = {
        "config.json": config,
        "generation_config.json": {"eos_token_id": [ids[IM_END], ids[END_OF_TEXT]], "pad_token_id": ids[END_OF_TEXT]},
        "tokenizer.json": tokenizer_json(vocab, merges, first_special),
        "tokenizer_config.json": names,
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")
    return write_safetensors(folder / "model.safetensors", weights(dice, leaning(vocab, first_special)))


def main() -> None:
    parser = argparse.ArgumentParser(description="Make a tiny Qwen3-shaped model with random weights.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    print(f"{args.folder}: {make(args.folder, args.seed):,} parameters")


if __name__ == "__main__":
    main()
