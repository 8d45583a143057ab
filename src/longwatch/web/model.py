"""What every body and answer of the API is made of."""

from __future__ import annotations

import warnings

from pydantic import BaseModel, ConfigDict
from pydantic.warnings import UnsupportedFieldAttributeWarning

# FastAPI hands Pydantic more than it uses, and silences what Pydantic says of that while a route is added. Ours are built later.
warnings.filterwarnings("ignore", category=UnsupportedFieldAttributeWarning)


class Model(BaseModel):
    """Its validator is built when it is first used (`defer_build`): a server has two hundred of them, and most are for the description alone."""

    model_config = ConfigDict(defer_build=True)
