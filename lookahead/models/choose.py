"""A model by its address: a URL, a URL with a name behind `#`, or a provider with a name behind it."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urldefrag

from lookahead.errors import ConfigError

if TYPE_CHECKING:
    from lookahead.models.openai import OpenAIModel

_OPENAI: Final = "https://api.openai.com/v1"
SHAPES: Final = '"http://HOST:PORT/v1", "http://HOST/v1#MODEL" or "openai:MODEL"'


def names_a_model(text: str) -> bool:
    """Whether these words are the address of a model."""
    return text.startswith(("http://", "https://", "openai:"))


def model_at(address: str, *, environment: Mapping[str, str] = os.environ, **options: Any) -> "OpenAIModel":
    """The model that is served there. `options` are `OpenAIModel`'s: `api_key`, `seconds`, `connections` …

    The key is the argument's, else, for OpenAI itself, `OPENAI_API_KEY`, else `LOOKAHEAD_API_KEY`.
    """
    if not names_a_model(address):
        raise ConfigError(f"{address!r} is no address of a model; write {SHAPES}")
    from lookahead.models.openai import OpenAIModel

    url, name = urldefrag(address)
    if address.startswith("openai:"):
        url, name = _OPENAI, address.removeprefix("openai:")
        if not name:
            raise ConfigError("which model of OpenAI's? write openai:MODEL")
    key = options.pop("api_key", None) or (environment.get("OPENAI_API_KEY") if url.startswith(_OPENAI) else None)
    return OpenAIModel(url, name or None, api_key=key or environment.get("LOOKAHEAD_API_KEY"), **options)
