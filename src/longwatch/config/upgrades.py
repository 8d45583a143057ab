"""Settings of upgrades: who may bring a new version of this program to a post, and whose signature it must bear. docs/design/upgrades.md."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from longwatch.base.errors import LongwatchError
from longwatch.config import values
from longwatch.config.problems import Wrong
from longwatch.config.section import Section


def _key(value: str) -> str:
    from longwatch.trust.release import parse_verifier

    try:
        parse_verifier(value)
    except LongwatchError as error:
        raise Wrong("this is no release key", "write the line that `longwatch upgrade key` printed") from error
    return value


Duration = Annotated[
    int, BeforeValidator(values.duration_s), WithJsonSchema({"type": "string", "pattern": values.DURATION_PATTERN})
]


class Upgrades(Section):
    """How a new version comes to this post. Without this section none does but by hand, as a package."""

    from_: Literal["hand", "hub"] = Field(
        default="hand", alias="from", description="`hub`: the hub that was joined may send one too; `hand`: only a person at the post."
    )  # fmt: skip
    key: Annotated[str, AfterValidator(_key)] = Field(
        max_length=2000, description="Verifier key of whoever signs releases, as `longwatch upgrade key` prints it."
    )
    trial: Duration = Field(
        default=900, ge=20, le=86_400,
        description="So long a new version has to show that it records and reaches the hub; else the old one comes back.",
    )  # fmt: skip

    @property
    def from_hub(self) -> bool:
        """Whether the hub may."""
        return self.from_ == "hub"
