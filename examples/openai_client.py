"""Chats with a model by the client of OpenAI: pip install openai.

    python examples/openai_client.py sample "Hello!"

A model that is not loaded is loaded first; a stream waits up to ten minutes for that.
"""

import os
import sys

from openai import OpenAI

model, prompt = sys.argv[1:3]
client = OpenAI(
    base_url=os.environ.get("MODELIUM_URL", "http://127.0.0.1:8000") + "/v1",
    api_key=os.environ.get("MODELIUM_API_KEY", "none"),
)
stream = client.chat.completions.create(
    model=model,
    messages=[{"role": "user", "content": prompt}],
    max_tokens=64,
    stream=True,
    stream_options={"include_usage": True},
)
for chunk in stream:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)
    elif chunk.usage:
        print(f"\n({chunk.usage.completion_tokens} tokens)")
