"""Prints the OpenAPI document as it is committed: `python -m modelium.gateway.pages`."""

import json
import sys

from modelium.gateway.pages.api import routes


def render() -> str:
    """The document's text."""
    return json.dumps(routes().openapi(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(render())
