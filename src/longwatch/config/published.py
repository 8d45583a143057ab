"""The JSON Schema of the settings, as published in docs/ref/settings.schema.json."""

from __future__ import annotations

from typing import Any

from longwatch.config.model import Settings


def schema() -> dict[str, Any]:
    """JSON Schema, draft 2020-12: what an editor needs to help with the file."""
    made = Settings.model_json_schema(by_alias=True)
    made["properties"]["post"].pop("default", None)
    made["properties"]["hub"] = {"$ref": "#/$defs/Hub", "description": made["properties"]["hub"]["description"]}
    made["oneOf"] = [{"required": ["post"]}, {"required": ["hub"]}]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "longwatch.yml"} | {
        key: value for key, value in made.items() if key != "title"
    }
