"""The answer to a client that would not wait."""

import json

from modelium.gateway.edge.accepted import Accepted
from modelium.gateway.edge.errors_http import Loading
from modelium.gateway.edge.preferences import Preferences


def test_it_says_how_far_the_load_is_and_where_to_look() -> None:
    loading = Loading("loading", 2, 14, "reading weights")
    accepted = Accepted("qwen", loading, Preferences(respond_async=True))
    assert accepted.status == 202
    assert json.loads(accepted.encoded()) == {
        "model": "qwen",
        "state": "loading",
        "position": 2,
        "eta_s": 14,
        "status_url": "/models/qwen",
    }
    assert accepted.headers() == [
        (b"location", b"/models/qwen"),
        (b"preference-applied", b"respond-async"),
    ]
