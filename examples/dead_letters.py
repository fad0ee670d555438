"""Shows the messages that nobody could handle, with the reason; nats-py is enough.

NATS_URL=nats://127.0.0.1:4222 python examples/dead_letters.py
"""

import asyncio
import os

import nats
from nats.errors import TimeoutError as NoMore

URL = os.environ.get("NATS_URL", "nats://127.0.0.1:4222")


async def main() -> None:
    connection = await nats.connect(URL)
    letters = await connection.jetstream().subscribe("dead.>", ordered_consumer=True)
    while True:
        try:
            letter = await letters.next_msg(timeout=1)
        except NoMore:
            break
        reason = (letter.headers or {}).get("Modelium-Reason", "")
        print(f"{letter.subject}: {reason}\n  {letter.data.decode(errors='replace')}")
    await connection.close()


asyncio.run(main())
