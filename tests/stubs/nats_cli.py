"""A stand-in for the `nats` command, which no registry of ours has: `pub` and `request` only.

Run it as `python tests/stubs/nats_cli.py pub SUBJECT JSON`; $NATS_URL is its server.
"""

import asyncio
import os
import sys

import nats


async def main(verb: str, subject: str, body: str) -> None:
    client = await nats.connect(os.environ["NATS_URL"])
    if verb == "request":
        answer = await client.request(subject, body.encode(), timeout=10)
        assert answer.data, answer.headers
        print(answer.data.decode())
    elif verb == "pub":
        await client.publish(subject, body.encode())
        await client.flush()
    else:
        sys.exit(f"the stand-in cannot {verb}")
    await client.close()


asyncio.run(main(*sys.argv[1:4]))
