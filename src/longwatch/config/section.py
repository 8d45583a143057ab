"""What all sections of the settings share."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Each unknown key is refused.

    A section's own validator is built when it is first used alone (`defer_build`): mostly never, since `Settings` has all of them in one.
    """

    model_config = ConfigDict(
        extra="forbid", arbitrary_types_allowed=True, ser_json_timedelta="float", defer_build=True
    )
