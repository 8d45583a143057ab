"""Settings of a provider of identities, by which people may sign in beside the local ways."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from longwatch.config import values
from longwatch.config.around import Secret
from longwatch.config.problems import Wrong
from longwatch.config.section import Section

RoleName = Literal["viewer", "operator", "inspector", "admin"]
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_FORM = "write it as the provider does, as https://login.example.org/realms/rangers"


def _issuer(value: object) -> object:
    try:
        parts = urlsplit(value if isinstance(value, str) else "")
        safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    except ValueError:
        safe = False
    if not safe or not parts.hostname or parts.username or parts.query or parts.fragment or len(str(value)) > 500:
        raise Wrong("this is not the issuer of a provider", _FORM)
    return value


class Oidc(Section):
    """An OpenID Connect provider. It is asked when somebody signs in by it, and never else."""

    issuer: Annotated[str, BeforeValidator(_issuer), WithJsonSchema({"type": "string", "pattern": "^https?://"})] = (
        Field(description="To the letter as the provider writes it, as `https://login.example.org/realms/rangers`.")
    )
    client_id: str = Field(min_length=1, max_length=200, description="What the provider calls this post.")
    client_secret: Secret = Field(description="As `${NAME}`, from the secrets file.")
    name: Annotated[str, AfterValidator(values.label)] = Field(
        default="OpenID Connect", description="What the button says."
    )
    scopes: list[Annotated[str, Field(pattern=r"^[\x21\x23-\x5b\x5d-\x7e]{1,100}$")]] = Field(
        default_factory=lambda: ["openid", "profile"], max_length=20, description="What is asked for."
    )
    role_claim: str = Field(
        default="", max_length=200, description="Which claim of the ID token gives roles, as `groups`; dots go deeper."
    )
    roles: dict[str, RoleName] = Field(
        default_factory=dict,
        max_length=100,
        description="Values of that claim, and the role of each; the first counts.",
    )
    default_role: RoleName | Literal["none"] = Field(
        default="none", description="The role of somebody with none of them. `none` lets them not in."
    )
    ca: Path | None = Field(default=None, description="PEM file of a private authority that its certificate leads to.")
