from asyncio import AbstractEventLoop
from collections.abc import Callable

import uvloop


def pytest_asyncio_loop_factories(config: object, item: object) -> dict[str, Callable[[], AbstractEventLoop]]:
    """These tests run on the loop that the recorder runs on."""
    return {"uvloop": uvloop.new_event_loop}
