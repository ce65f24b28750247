"""What a model's config.json says about the memory that it takes: weights, and what it remembers of each token."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from lookahead.errors import ConfigError

GIB: Final = 1 << 30
WHOLE: Final = 2
"""Bytes of one number: what vLLM computes with, whatever the files hold."""

BITS: Final = {
    "fp8": 8.0, "fp8_per_tensor": 8.0, "fp8_per_block": 8.0, "fp8_per_channel": 8.0, "fbgemm_fp8": 8.0,
    "int8_per_channel_weight_only": 8.0, "experts_int8": 8.0, "mxfp8": 8.25, "nvfp4_per_token": 4.5,
    "awq": 4.5, "awq_marlin": 4.5, "auto_awq": 4.5, "gptq": 4.5, "gptq_marlin": 4.5, "auto_gptq": 4.5,
    "bitsandbytes": 4.5, "modelopt_fp4": 4.5, "mxfp4": 4.25, "modelopt": 8.0, "quark": 8.0,
}  # fmt: skip
"""Bits of one weight in a layer that the method makes smaller, its scales included."""

WHILE_LOADING: Final = frozenset(
    {
        "fp8", "fp8_per_tensor", "fp8_per_block", "fp8_per_channel", "int8_per_channel_weight_only", "experts_int8",
        "mxfp8", "nvfp4_per_token", "bitsandbytes",
    }
)  # fmt: skip
"""Methods that need no files of their own: the weights become smaller while they are loaded."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """One model, as far as memory and flags go."""

    name: str
    family: str = ""
    context: int = 0
    hidden: int = 0
    vocabulary: int = 0
    shrinkable: int = 0
    """Parameters in the layers that quantisation makes smaller."""
    kept: int = 0
    """Parameters that stay whole numbers of 16 bits: embeddings, norms, routers, recurrent layers."""
    bits: float = 16.0
    """Of one shrinkable weight."""
    method: str = ""
    """How the files are quantised; empty where they are not."""
    measured: int = 0
    """The size of the files that hold the weights, where they are at hand; 0 where not."""
    heads: int = 0
    kv_heads: int = 0
    attention_layers: int = 0
    window_layers: int = 0
    window: int = 0
    kv_numbers: int = 0
    """Numbers that one attention layer remembers of one token and one head for keys and values."""
    latent: bool = False
    """The remembered numbers are shared by all heads, so that no GPU can hold a part of them."""
    recurrent: int = 0
    """Bytes of one sequence's state in all recurrent layers."""
    recurrent_heads: int = 0
    experts: int = 0
    inner: int = 0
    """The width of one expert, or of the one feed-forward layer."""
    block: int = 1
    """How many weights share a scale: a split must not cut through them."""
    vision: bool = False
    code: bool = False
    """It brings Python code of its own."""
    thinks: bool | None = None
    template: bool | None = None
    """Whether it has a chat template; None where nobody looked."""

    @property
    def known(self) -> bool:
        """False where nobody could read what the model is made of."""
        return bool(self.attention_layers or self.recurrent or self.measured)

    def weights(self, bits: float | None = None) -> int:
        """Bytes of all weights of the language part, at this many bits a shrinkable weight."""
        if bits is None or bits == self.bits:
            # Files are the truth where they are quantised (what stays whole differs from maker to maker), or where the
            # layers could not be counted. Else vLLM reads them into 16 bits, whatever they hold.
            if self.measured and (self.method or not self.shrinkable):
                return self.measured
            bits = self.bits
        if not self.shrinkable:
            return int(self.measured * bits / self.bits)
        return int(self.shrinkable * bits / 8) + self.kept * WHOLE

    def remembered(self, tokens: int, tensor: int) -> int:
        """Bytes that one GPU of so many keeps for one sequence of this length."""
        heads = 1 if self.latent else max(1, -(-self.kv_heads // tensor))
        of_one = heads * self.kv_numbers * WHOLE
        seen = self.attention_layers * tokens + self.window_layers * min(tokens, self.window)
        return seen * of_one + self.state(tensor)

    def state(self, tensor: int) -> int:
        """Bytes of recurrent state that one GPU keeps for one sequence."""
        return self.recurrent // tensor


def read(
    name: str,
    config: Mapping[str, Any],
    *,
    measured: int = 0,
    template: str | None = None,
    looked: bool = False,
    thinks: bool | None = None,
    code: bool = False,
) -> Facts:
    """The facts in a config.json. `looked` says that the chat template was looked for; `template` is its text."""
    text = _text_part(config)
    numbers = _Numbers(name, text)
    hidden, layers = numbers.one("hidden_size", "n_embd", "d_model"), numbers.one("num_hidden_layers", "n_layer")
    heads = numbers.one("num_attention_heads", "n_head")
    if not (hidden and layers and heads):
        if not measured:
            return Facts(name=name, family=_family(config), context=numbers.context(), code=code)
        return Facts(name=name, family=_family(config), context=numbers.context(), measured=measured, code=code)
    kinds = _layers(text, layers)
    attention = sum(kind not in ("linear_attention", "recurrent", "sliding_attention") for kind in kinds)
    sliding = kinds.count("sliding_attention")
    linear = layers - attention - sliding
    kv_heads = numbers.one("num_key_value_heads", "num_kv_heads") or heads
    head = numbers.one("head_dim") or hidden // heads
    latent = numbers.one("kv_lora_rank")
    inner, shrinkable, routers = _feed_forward(numbers, hidden, layers)
    per_attention = _attention(numbers, hidden, heads, kv_heads, head)
    shrinkable += (attention + sliding) * per_attention
    recurrent, recurrent_weights = _recurrent(numbers, hidden)
    vocabulary = numbers.one("vocab_size")
    tied = bool(text.get("tie_word_embeddings", config.get("tie_word_embeddings", False)))
    norms = (2 * layers + 1) * hidden + (2 * head * (attention + sliding) if _has_query_norms(config) else 0)
    kept = vocabulary * hidden * (1 if tied else 2) + routers + linear * recurrent_weights + norms
    method, bits, block = _quantisation(config)
    return Facts(
        name=name,
        family=_family(config),
        context=numbers.context(),
        hidden=hidden,
        vocabulary=vocabulary,
        shrinkable=shrinkable,
        kept=kept,
        bits=bits,
        method=method,
        measured=measured,
        heads=heads,
        kv_heads=kv_heads,
        attention_layers=attention,
        window_layers=sliding,
        window=numbers.one("sliding_window"),
        kv_numbers=latent + numbers.one("qk_rope_head_dim") if latent else 2 * head,
        latent=bool(latent),
        recurrent=linear * recurrent,
        recurrent_heads=numbers.one("linear_num_key_heads"),
        experts=numbers.experts(),
        inner=inner,
        block=block,
        vision="vision_config" in config or "audio_config" in config,
        code=code or "auto_map" in config,
        thinks=_thinks(template) if thinks is None and looked else thinks,
        template=bool(template) if looked else None,
    )


class _Numbers:
    """A config as a lookup of whole numbers, whatever their keys are called."""

    def __init__(self, name: str, config: Mapping[str, Any]) -> None:
        self.name, self.config = name, config

    def one(self, *keys: str) -> int:
        for key in keys:
            value = self.config.get(key)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or value < 0 or value > 1 << 60:
                raise ConfigError(f"the config.json of {self.name} is damaged: {key} is not a size")
            return int(value)
        return 0

    def experts(self) -> int:
        return self.one("num_experts", "num_local_experts", "n_routed_experts")

    def context(self) -> int:
        return self.one("max_position_embeddings", "n_positions", "max_seq_len", "model_max_length")


def _text_part(config: Mapping[str, Any]) -> Mapping[str, Any]:
    for key in ("text_config", "llm_config", "language_config", "thinker_config"):
        part: object = config.get(key)
        if isinstance(part, Mapping):
            return _text_part(cast(Mapping[str, Any], part))
    return config


def _family(config: Mapping[str, Any]) -> str:
    found = config.get("model_type")
    return found if isinstance(found, str) else ""


def _layers(text: Mapping[str, Any], layers: int) -> list[str]:
    """Of which kind each layer is."""
    named: object = text.get("layer_types")
    if isinstance(named, Sequence) and not isinstance(named, str) and len(cast(Sequence[object], named)) == layers:
        return [str(kind) for kind in cast(Sequence[object], named)]
    every = text.get("full_attention_interval")
    if isinstance(every, int) and every > 1 and "linear_num_value_heads" in text:
        return ["full_attention" if (place + 1) % every == 0 else "linear_attention" for place in range(layers)]
    return ["full_attention"] * layers


def _attention(numbers: _Numbers, hidden: int, heads: int, kv_heads: int, head: int) -> int:
    """Parameters of one attention layer."""
    if latent := numbers.one("kv_lora_rank"):
        rope, plain, value = (numbers.one(key) for key in ("qk_rope_head_dim", "qk_nope_head_dim", "v_head_dim"))
        low = numbers.one("q_lora_rank")
        query = hidden * low + low * heads * (plain + rope) if low else hidden * heads * (plain + rope)
        keys = hidden * (latent + rope) + latent * heads * (plain + value)
        return query + keys + heads * value * hidden
    gated = 2 if numbers.config.get("attn_output_gate") else 1
    return hidden * heads * head * (gated + 1) + 2 * hidden * kv_heads * head


def _feed_forward(numbers: _Numbers, hidden: int, layers: int) -> tuple[int, int, int]:
    """The width that a split divides; parameters of all feed-forward layers; those of their routers."""
    wide = numbers.one("intermediate_size", "n_inner", "ffn_dim") or 4 * hidden
    experts = numbers.experts()
    if experts <= 1:
        return wide, layers * 3 * hidden * wide, 0
    inner = numbers.one("moe_intermediate_size") or wide
    dense = numbers.one("first_k_dense_replace")
    only = numbers.config.get("mlp_only_layers")
    dense += len(cast(list[object], only)) if isinstance(only, list) else 0
    every = max(1, numbers.one("decoder_sparse_step", "moe_layer_freq"))
    sparse = max(0, layers - dense) // every
    shared = numbers.one("shared_expert_intermediate_size") or numbers.one("n_shared_experts") * inner
    one = experts * 3 * hidden * inner + 3 * hidden * shared
    gate = hidden if numbers.one("shared_expert_intermediate_size") else 0
    return inner, sparse * one + (layers - sparse) * 3 * hidden * wide, sparse * (hidden * experts + gate)


def _recurrent(numbers: _Numbers, hidden: int) -> tuple[int, int]:
    """Of one gated-delta layer: bytes of state, and parameters."""
    values, keys = numbers.one("linear_num_value_heads"), numbers.one("linear_num_key_heads")
    if not values:
        return 0, 0
    key, value = numbers.one("linear_key_head_dim"), numbers.one("linear_value_head_dim")
    kernel = numbers.one("linear_conv_kernel_dim")
    channels = 2 * keys * key + values * value
    exact = 4 if numbers.config.get("mamba_ssm_dtype", "float32") == "float32" else WHOLE
    state = values * value * key * exact + channels * max(0, kernel - 1) * WHOLE
    weights = hidden * channels + 2 * hidden * values * value + 2 * hidden * values + channels * kernel
    return state, weights + 2 * values + value


def _has_query_norms(config: Mapping[str, Any]) -> bool:
    return _family(config).startswith("qwen3")


def _quantisation(config: Mapping[str, Any]) -> tuple[str, float, int]:
    """How the files are quantised: the method, bits of a shrinkable weight, weights that share a scale."""
    found: object = config.get("quantization_config") or _text_part(config).get("quantization_config")
    if not isinstance(found, Mapping):
        return "", 16.0, 1
    said = cast(Mapping[str, Any], found)
    method = str(said.get("quant_method") or said.get("quant_algo") or "quantised").lower()
    spelled = str(said).lower()
    bits = said.get("bits") or _inside(said, "num_bits")
    if "nvfp4" in spelled or "mxfp4" in method or "load_in_4bit': true" in spelled:
        bits = 4
    if not isinstance(bits, int | float) or not 1 <= bits <= 16:
        bits = BITS.get(method, 8.0)
    shared = said.get("weight_block_size") or said.get("group_size") or _inside(said, "group_size")
    if isinstance(shared, list) and shared:
        shared = cast(list[Any], shared)[0]
    block = shared if isinstance(shared, int) and shared > 0 else 1
    return method, bits + 0.5 if bits < 8 and bits == int(bits) else float(bits), block


def _inside(config: Mapping[str, Any], key: str) -> Any:
    """The first value of this key, however deep."""
    for name, value in config.items():
        if name == key and value is not None:
            return value
        if isinstance(value, Mapping) and (deeper := _inside(cast(Mapping[str, Any], value), key)) is not None:
            return deeper
    return None


def _thinks(template: str | None) -> bool:
    return bool(template) and ("enable_thinking" in template or "<think>" in template)
