import pytest

from lookahead.errors import ConfigError, ContextTooLong, LookaheadError, ModelNotFound, ModelOutOfMemory
from lookahead.serving.causes import cause_of
from lookahead.serving.watch import stage, telling

ENDS: list[tuple[str, int | None, type[LookaheadError], str]] = [
    ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.", 1, ModelOutOfMemory, "--max-model-len"),
    ("ValueError: No available memory for the cache blocks. Try increasing", 1, ModelOutOfMemory, "--max-model-len"),
    ("ValueError: Free memory on device cuda:0 (20.1/79.2 GiB) on startup is less than desired GPU memory utilization "
     "(0.92, 72.9 GiB).", 1, ModelOutOfMemory, "nvidia-smi"),
    ("ValueError: To serve at least one request with the model's max seq len (262144), (5.0 GiB KV cache is needed, "
     "which is larger than the available KV cache memory (3.9 GiB). Based on the available memory, the estimated "
     "maximum model length is 201728.", 1, ContextTooLong, "--max-model-len 201728"),
    ("ValueError: max_num_seqs (256) exceeds available Mamba cache blocks (90).", 1, ModelOutOfMemory, "smaller"),
    ("", -9, ModelOutOfMemory, "smaller"),
    ("", -4, ConfigError, "--dtype float32"),
    ("OSError: [Errno 98] Address already in use", 1, ConfigError, "--port"),
    ("/usr/bin/python: No module named vllm", 1, ConfigError, 'pip install "lookahead-agents[vllm]"'),
    ("importlib.metadata.PackageNotFoundError: No package metadata was found for vllm", 1, ConfigError, "--python"),
    ("OSError: some/model is not a local folder and is not a valid model identifier listed on the hub", 1,
     ModelNotFound, "name"),
    ("huggingface_hub.errors.GatedRepoError: 403 Client Error.", 1, ModelNotFound, "login"),
    ("huggingface_hub.errors.LocalEntryNotFoundError: outgoing traffic disabled", 1, ModelNotFound, "download"),
    ("Please pass the argument `trust_remote_code=True` to allow custom code to be run.", 1, ConfigError,
     "--trust-remote-code"),
    ("As of transformers v4.44, default chat template is no longer allowed, so you must provide a chat template", None,
     ConfigError, "--chat-template"),
    ("ValueError: Model architectures ['FooForCausalLM'] are not supported for now.", 1, ModelNotFound, "upgrade"),
    ("api_server.py: error: unrecognized arguments: --frobnicate 3", 2, ConfigError, "leave that flag out"),
    ("RuntimeError: Failed to infer device type, please set the environment", 1, ConfigError, "nvidia-smi"),
    ("RuntimeError: The NVIDIA driver on your system is too old (found version 11040).", 1, ConfigError, "driver"),
    ("OSError: [Errno 28] No space left on device", 1, ConfigError, "HF_HOME"),
]  # fmt: skip


@pytest.mark.parametrize(("log", "code", "error", "advice"), ENDS)
def test_the_cause_is_named_with_what_to_run_next(log: str, code: int | None, error: type[LookaheadError], advice: str):
    around = f"INFO starting\n(EngineCore pid=7) ERROR 01-01 00:00:00 [core.py:1] {log}\nRuntimeError: see above\n"
    found = cause_of(around, code)
    assert found.error is error
    assert advice in found.next


def test_a_setting_in_the_log_is_no_cause():
    log = "non-default args: {'trust_remote_code': True}, trust_remote_code=True, dtype=torch.bfloat16"
    assert "ended with code 3" in cause_of(log, 3).said


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("Loading safetensors checkpoint shards:  43% Completed | 9/21 [00:05<00:07]", "loading the weights: 43 %"),
        (
            "(EngineCore pid=1) INFO 11-21 [x.py:1] GPU KV cache size: 643,232 tokens",
            "memory for 643,232 tok",
        ),
        ("INFO 01-01 [entry.py:140] Starting vLLM server on http://127.0.0.1:1", "the server opens its port"),
        ("Dynamo bytecode transform time: 4.30 s", "compiling"),
        ("Fetching 21 files:  14%|█▍        | 3/21", "fetching the model: 14 %"),
        ("INFO:     Started server process [1]", None),
        ("{0} {} %s", None),
    ],
)
def test_the_log_says_which_stage_the_start_is_in(line: str, told: str | None):
    found = stage(line)
    assert found is None if told is None else (found or "").startswith(told)


def test_what_is_shown_of_a_log_is_what_went_wrong():
    log = """\
(EngineCore pid=7) INFO 01-01 00:00:00 [core.py:1] loading
(EngineCore pid=7) ERROR 01-01 00:00:00 [core.py:9] Traceback (most recent call last):
(EngineCore pid=7) ERROR 01-01 00:00:00 [core.py:9]   File "/x/core.py", line 9, in run
(EngineCore pid=7) ERROR 01-01 00:00:00 [core.py:9]     raise ValueError("no")
(EngineCore pid=7) ERROR 01-01 00:00:00 [core.py:9] ValueError: no
 - leaked function "id"
(APIServer pid=3) RuntimeError: Engine core initialization failed.
"""
    assert telling(log) == ["ValueError: no", "RuntimeError: Engine core initialization failed."]
    assert telling("one\ntwo\ntwo\n") == ["one", "two"]
    assert telling("") == []
