"""Has a model loaded from another system, by an event, and waits until it is: pip install nats-py.

    python examples/publish_events.py sample

Nothing of Modelium is needed for that: subjects and JSON are in docs/events.md. A training job that
has written a model outside of the watched folders says `model.discovered` with its path instead.
"""

import asyncio
import json
import os
import sys

import nats

ENDS = ("loaded", "error", "rejected")


async def main(model: str) -> None:
    async with await nats.connect(os.environ.get("NATS_URL", "nats://127.0.0.1:4222")) as client:
        wish = json.dumps({"model": model, "requested_by": "examples"}).encode()
        # Listen before asking: the answer may be quick.
        states = await client.subscribe("model.state_changed")
        answer = await client.request("plan.asked", wish, timeout=10)
        plan = json.loads(answer.data)["plan"]
        if plan is None or plan["outcome"] == "route":  # it is loaded, and nothing will change
            print(model, "is loaded" if plan else "is not known")
            return
        print(model, "will", plan["outcome"])
        await client.jetstream().publish("model.requested", wish)
        async for message in states.messages:
            said = json.loads(message.data)
            if said["model"] == model and said["record"]:
                state = said["record"]["state"]
                print(model, "is", state)
                if state in ENDS:
                    return


asyncio.run(asyncio.wait_for(main(sys.argv[1]), timeout=600))
