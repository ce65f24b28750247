"""What a stage begins with: a model of the hub, a folder, or one from scratch, of which one number says all.

--init Qwen/Qwen-AgentWorld-35B-A3B      a name of the hub
--init runs/cpt/model                    a folder
--init scratch:4                         from scratch: four layers, and all else follows from that
--init scratch:100m                      … as many layers as give that many parameters
--init scratch:moe-2                     … with experts, in the shape of Qwen's mixtures of them
"""

import os
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from lookahead.errors import ConfigError, boundary
from lookahead.train.config import TrainConfig
from lookahead.train.dial import DEPTH, HEAD, dial
from lookahead.types import Noun

_BIG: Final = 1_000_000_000
"""Parameters from which on only a part is trained, unless somebody says otherwise."""
_TEXT: Final = 20_000_000
"""Characters that a tokenizer is made of, at most."""


class ModelShape(Noun):
    """A model's size, known without a single weight of it."""

    family: str
    parameters: int
    active: int
    """Parameters that one token goes through."""
    adapter: int
    """Parameters that LoRA would train, with what the configuration says of it."""
    layers: int
    width: int
    vocabulary: int
    experts: int = 0
    chosen: int = 0
    """Experts that one token is sent to."""
    context: int
    scratch: bool
    """Whether it begins, or began, here."""


def model_config(init: str, *, vocabulary: int | None = None, trust_remote_code: bool = False) -> Any:
    """The configuration, as transformers has it; of a model for pictures and text, its text half."""
    from lookahead.train.libraries import transformers

    size = dial(init)
    if size is None:
        _exists(init)
        with boundary(ConfigError, f"the model {init}"):
            found = transformers.AutoConfig.from_pretrained(init, trust_remote_code=trust_remote_code)
        return found.get_text_config()
    common = {
        "vocab_size": vocabulary or size.vocabulary,
        "hidden_size": size.width,
        "num_hidden_layers": size.depth,
        "num_attention_heads": size.heads,
        "num_key_value_heads": size.groups,
        "head_dim": HEAD,
        "intermediate_size": size.inner,
        "max_position_embeddings": 4 * size.context,
        "tie_word_embeddings": True,
        DEPTH: size.depth,
    }
    if not size.experts:
        return transformers.Qwen3Config(**common)
    return transformers.Qwen3MoeConfig(
        **common,
        num_experts=size.experts,
        num_experts_per_tok=2,
        moe_intermediate_size=size.inner // 2,
        decoder_sparse_step=1,
        norm_topk_prob=True,
        router_aux_loss_coef=0.001,
    )


def model_shape(init: str, config: TrainConfig | None = None, *, trust_remote_code: bool = False) -> ModelShape:
    """How large a model is: built on a device without memory, so that neither weights nor time are needed."""
    from lookahead.train.libraries import torch, transformers

    found = model_config(init, trust_remote_code=trust_remote_code)
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(found, trust_remote_code=trust_remote_code)
    return shape(model, config or TrainConfig(init=init))


def shape(model: Any, config: TrainConfig) -> ModelShape:
    found = model.config.get_text_config()
    experts = _number(found, "num_experts", "num_local_experts", "n_routed_experts")
    chosen = _number(found, "num_experts_per_tok")
    blocks = [block for _, block in expert_blocks(model)]
    total = sum(weight.numel() for weight in model.parameters())
    routed = sum(block.numel() for block in blocks)
    targets = lora_targets(model, experts=config.experts)
    adapter = sum(config.rank * (part.in_features + part.out_features) for part in _linears(model, targets[0]))
    adapter += sum(config.expert_rank * len(block) * sum(block.shape[1:]) for block in blocks if targets[1])
    return ModelShape(
        family=str(found.model_type),
        parameters=total,
        active=total - routed + (routed * chosen // experts if experts else 0),
        adapter=adapter,
        layers=int(found.num_hidden_layers),
        width=int(found.hidden_size),
        vocabulary=int(found.vocab_size),
        experts=experts if blocks else 0,
        chosen=chosen if blocks else 0,
        context=int(getattr(found, "max_position_embeddings", 0) or 0),
        scratch=getattr(found, DEPTH, None) is not None,
    )


def expert_blocks(model: Any) -> list[tuple[str, Any]]:
    """The weights of routed experts, found by their look: one block of three dimensions holds them all.

    A convolution's weights have three dimensions too, and are none.
    """
    found: list[tuple[str, Any]] = []
    for place, module in model.named_modules():
        if "Conv" in type(module).__name__:
            continue
        for name, weight in module.named_parameters(recurse=False):
            if weight.dim() == 3:
                found.append((f"{place}.{name}" if place else name, weight))
    return found


def lora_targets(model: Any, *, experts: bool = True) -> tuple[list[str], list[str]]:
    """The names of the matrices, and of the blocks of experts, that LoRA goes beside.

    Not the output's: it is the vocabulary's. Not what sends a token to its experts, which stands beside them and has a
    row for each, or one: moved a little, it would send tokens elsewhere.
    """
    found = model.config.get_text_config()
    routes = {1, _number(found, "num_experts", "num_local_experts", "n_routed_experts")}
    beside = {name.rsplit(".", 2)[0] for name, _ in expert_blocks(model)}
    last = model.get_output_embeddings()
    matrices = {
        name.rsplit(".", 1)[-1]
        for name, module in model.named_modules()
        if type(module).__name__ == "Linear"
        and module is not last
        and not (module.out_features in routes and name.rpartition(".")[0] in beside)
    }
    blocks = {_in_layer(name) for name, _ in expert_blocks(model)} if experts else set[str]()
    return sorted(matrices), sorted(blocks)


def with_lora(model: Any, config: TrainConfig) -> Any:
    """The model with LoRA beside it. Without dropout, which cannot be had beside a block of experts."""
    from lookahead.train.libraries import peft

    matrices, blocks = lora_targets(model, experts=config.experts)
    told = peft.LoraConfig(
        task_type="CAUSAL_LM",
        r=config.rank,
        lora_alpha=2 * config.rank,
        lora_dropout=0.0,
        target_modules=matrices,
        target_parameters=blocks or None,
        rank_pattern=dict.fromkeys(blocks, config.expert_rank),
        alpha_pattern=dict.fromkeys(blocks, 2 * config.expert_rank),
    )
    with warnings.catch_warnings():
        # It looks for these patterns among modules only, and says so, and then keeps to them for parameters too.
        warnings.filterwarnings("ignore", ".*(rank|alpha)_pattern keys did not match", RuntimeWarning)
        warnings.filterwarnings("ignore", ".*is_gradient_checkpointing", FutureWarning)
        return peft.get_peft_model(model, told)


def tuned_whole(config: TrainConfig, parameters: int) -> bool:
    return config.tuning == "full" or (config.tuning == "auto" and parameters <= _BIG)


def learning_rate(config: TrainConfig, found: ModelShape) -> float:
    """What suits this stage and this model, where nobody said: a wider model takes smaller steps."""
    if config.learning_rate is not None:
        return config.learning_rate
    if found.scratch:
        # With four times as much, a model of two layers had not begun to copy when with this much it could.
        later = {"cpt": 1.0, "sft": 0.5, "rl": 0.03}[config.stage]
        return 1e-3 * (256 / found.width) ** 0.5 * later
    whole = {"cpt": 1e-5, "sft": 1e-5, "rl": 1e-6}[config.stage]
    return whole if tuned_whole(config, found.parameters) else 10 * whole


def longest(config: TrainConfig, found: ModelShape) -> int:
    """The longest sequence, where nobody said."""
    if config.context is not None:
        return config.context
    own = found.context or 16_384
    return own // 4 if found.scratch else min(16_384, own)


def thinks(config: Any, found: ModelShape) -> bool:
    return config.thinking if config.thinking is not None else not found.scratch


def shows_empty_thought(config: Any, found: ModelShape) -> bool | None:
    """Whether a prompt ends with an empty thought: where a model that thinks by habit is to answer at once."""
    return False if not thinks(config, found) and not found.scratch else None


@dataclass(frozen=True, kw_only=True)
class Begun:
    """What a stage begins with."""

    model: Any
    tokenizer: Any
    shape: ModelShape


def begun(config: TrainConfig, texts: Iterable[str], *, attention: str = "sdpa", half: bool = False) -> Begun:
    """Load the model, or make it. What is made from scratch is made once and kept in `begin`, so that a run that goes
    on begins with the same tokenizer and the same weights."""
    from lookahead.train import chat
    from lookahead.train.libraries import torch, transformers

    place = config.init
    if dial(config.init) is not None:
        place = str(_made(config, texts))
    else:
        _exists(config.init)
    with boundary(ConfigError, f"the model {config.init} cannot be loaded"):
        trust = {"trust_remote_code": config.trust_remote_code}
        tokenizer = transformers.AutoTokenizer.from_pretrained(place, **trust)
        model = transformers.AutoModelForCausalLM.from_pretrained(
            place, dtype=torch.float32, attn_implementation=attention, **trust
        )
    without_router_logits(model)
    found = shape(model, config)
    if tuned_whole(config, found.parameters):
        return Begun(model=model, tokenizer=chat.ready(tokenizer), shape=found)
    if half:
        model = model.to(torch.bfloat16)
    return Begun(model=with_lora(model, config), tokenizer=chat.ready(tokenizer), shape=found)


def without_router_logits(model: Any) -> None:
    """Training asks a mixture of experts for them and leaves it so; generating fails over them."""
    found = model.config.get_text_config()
    if getattr(found, "output_router_logits", False):
        found.output_router_logits = False


def _made(config: TrainConfig, texts: Iterable[str]) -> Path:
    """A model from scratch as a folder, whole or not there."""
    from lookahead.train import chat
    from lookahead.train.libraries import torch, transformers
    from lookahead.train.loop import main_first

    size, folder = dial(config.init), config.folder / "begin"
    assert size is not None
    with main_first():
        if not folder.is_dir():
            tokenizer = new_tokenizer(_some(texts), size.vocabulary)
            tokenizer.chat_template = chat.template(instructed=size.instructed)
            chat.ready(tokenizer)
            torch.manual_seed(config.seed)
            model = transformers.AutoModelForCausalLM.from_config(model_config(config.init, vocabulary=size.vocabulary))
            model.config.eos_token_id = model.generation_config.eos_token_id = tokenizer.eos_token_id
            model.config.pad_token_id = model.generation_config.pad_token_id = tokenizer.pad_token_id
            beside = folder.with_name(f".begin.{os.getpid()}")
            model.save_pretrained(beside)
            tokenizer.save_pretrained(beside)
            beside.rename(folder)
    return folder


def _some(texts: Iterable[str]) -> Iterable[str]:
    """Enough to know which words there are."""
    seen = 0
    for text in texts:
        yield text
        seen += len(text)
        if seen > _TEXT:
            return


def new_tokenizer(texts: Iterable[str], size: int) -> Any:
    """A tokenizer made of these texts: bytes underneath, words and single digits on top, and a chat's own marks.

    A word is always cut in the same way, whatever stands before it, so that a name can be copied token by token.
    """
    from lookahead.domains.reading import ANSWER
    from lookahead.train.chat import BEGINS, ENDS
    from lookahead.train.libraries import tokenizers, transformers

    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    split = tokenizers.pre_tokenizers.Split(tokenizers.Regex(r"\p{L}+|\p{N}| |\s|[^\p{L}\p{N}\s]+"), "isolated")
    by_bytes = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.pre_tokenizer = tokenizers.pre_tokenizers.Sequence([split, by_bytes])
    made.decoder = tokenizers.decoders.ByteLevel()
    marks = ["<|endoftext|>", BEGINS, ENDS]
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=size - 4,
        special_tokens=marks,
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(texts, trainer)
    # Ordinary tokens, though each is one: they belong to the answer, and decoding must not leave them out.
    words = ("<think>", "</think>", f"<{ANSWER}>", f"</{ANSWER}>")
    made.add_tokens([tokenizers.AddedToken(word, normalized=False) for word in words])
    return transformers.PreTrainedTokenizerFast(tokenizer_object=made, eos_token=ENDS, pad_token=marks[0])


@cache
def _exists(init: str) -> None:
    """A folder that is misspelt must not be looked for on the hub."""
    looks_like_path = init.startswith((".", "/", "~")) or init.count("/") != 1
    if looks_like_path and "/" in init and not Path(init).expanduser().is_dir():
        raise ConfigError(f"there is no folder {init}; name one with a config.json, a model of the hub, or scratch:4")


def _in_layer(name: str) -> str:
    """What stands behind the layer's number: the same in each layer."""
    return re.sub(r"^.*?\.\d+\.", "", name)


def _linears(model: Any, names: list[str]) -> list[Any]:
    return [
        module
        for name, module in model.named_modules()
        if type(module).__name__ == "Linear" and name.rsplit(".", 1)[-1] in names
    ]


def _number(found: Any, *names: str) -> int:
    return next((int(value) for name in names if (value := getattr(found, name, None))), 0)
