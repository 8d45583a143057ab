from collections.abc import Iterator

import pytest
from tests.support.conversation import Conversation


@pytest.fixture
def talk() -> Iterator[Conversation]:
    conversation = Conversation()
    yield conversation
    conversation.over()
