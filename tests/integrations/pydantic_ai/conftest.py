import pytest


@pytest.fixture
def anyio_backend() -> str:
    """Pydantic AI's own tasks are asyncio's."""
    return "asyncio"
