"""What is known of models without looking: the world model that is served when none is named."""

from typing import Any, Final

DEFAULT: Final = "Qwen/Qwen-AgentWorld-35B-A3B"

_PATTERN: Final = [*["linear_attention"] * 3, "full_attention"] * 10

CONFIGS: Final[dict[str, dict[str, Any]]] = {
    DEFAULT: {
        "architectures": ["Qwen3_5MoeForConditionalGeneration"],
        "model_type": "qwen3_5_moe",
        "text_config": {
            "model_type": "qwen3_5_moe_text",
            "dtype": "bfloat16",
            "hidden_size": 2048,
            "num_hidden_layers": 40,
            "layer_types": _PATTERN,
            "vocab_size": 248320,
            "tie_word_embeddings": False,
            "num_attention_heads": 16,
            "num_key_value_heads": 2,
            "head_dim": 256,
            "attn_output_gate": True,
            "linear_num_key_heads": 16,
            "linear_num_value_heads": 32,
            "linear_key_head_dim": 128,
            "linear_value_head_dim": 128,
            "linear_conv_kernel_dim": 4,
            "mamba_ssm_dtype": "float32",
            "num_experts": 256,
            "num_experts_per_tok": 8,
            "moe_intermediate_size": 512,
            "shared_expert_intermediate_size": 512,
            "max_position_embeddings": 262144,
        },
        "vision_config": {},
    },
}
"""What their config.json says, as far as it matters for memory."""

TRUSTED: Final = frozenset({DEFAULT})
"""Whose own code may run without a further question: their authors ask for `--trust-remote-code`, and we chose them."""

THINKING: Final = frozenset({DEFAULT})
"""Whose chat templates are known to open a thought."""
