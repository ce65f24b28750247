"""A model is had by its address."""

import sys

import pytest
from model_server import Endpoint

from lookahead.errors import ConfigError
from lookahead.models import model_at, names_a_model
from lookahead.types import Asking, Message


@pytest.mark.parametrize(
    ("address", "name", "url"),
    [
        ("http://gpu:8000/v1", "openai:any@gpu:8000", "http://gpu:8000/v1"),
        ("http://gpu:8000/v1/", "openai:any@gpu:8000", "http://gpu:8000/v1"),
        ("https://host/v1#Qwen/Qwen-AgentWorld-35B-A3B", "openai:Qwen/Qwen-AgentWorld-35B-A3B@host", "https://host/v1"),
        ("openai:gpt-x", "openai:gpt-x@api.openai.com", "https://api.openai.com/v1"),
        ("http://me:pass@gpu/v1#m", "openai:m@gpu", "http://gpu/v1"),
    ],
)
def test_an_address_names_the_place_and_the_model(address: str, name: str, url: str):
    assert names_a_model(address)
    model = model_at(address, environment={})
    assert (model.name, model.url) == (name, url)


@pytest.mark.parametrize("address", ["directory:.", "auto", "", "openai:", "gpu:8000", "http://"])
def test_what_is_no_address_is_refused(address: str):
    with pytest.raises(ConfigError):
        model_at(address, environment={})


def test_a_missing_extra_says_which_line_installs_it(monkeypatch: pytest.MonkeyPatch):
    for loaded in [name for name in sys.modules if name.startswith("lookahead.models.")]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(ImportError, match=r'pip install "lookahead-agents\[openai\]"'):
        model_at("http://gpu:8000/v1", environment={})


@pytest.mark.anyio
async def test_the_key_comes_from_the_environment(endpoint: Endpoint):
    environment = {"LOOKAHEAD_API_KEY": "key-of-this-endpoint", "OPENAI_API_KEY": "key-of-another"}
    async with model_at(f"{endpoint.url}#m", environment=environment) as model:
        await model((Message(role="user", content="hi"),), Asking())
    async with model_at(f"{endpoint.url}#m", environment=environment, api_key="given") as model:
        await model((Message(role="user", content="hi"),), Asking())
    sent = [headers["authorization"] for headers in endpoint.headers]
    assert sent == ["Bearer key-of-this-endpoint", "Bearer given"]
