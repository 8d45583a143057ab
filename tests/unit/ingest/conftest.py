import pytest
import uvloop


@pytest.fixture
def event_loop_policy() -> uvloop.EventLoopPolicy:
    """The loop that the recorder runs on."""
    return uvloop.EventLoopPolicy()
