"""Writes docs/pictures: the page before a gateway with ten models under some load.

Run by `make pictures`, when the page looks different; nothing compares them.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from playwright.async_api import Browser

from modelium.common.descriptor import RuntimeKind, Task
from modelium.common.records import Device, Instance, InstanceState, ModelState
from modelium.common.testing import a_descriptor
from tests.browser.pages import GIB, Tab, a_beat, a_gpu, an_engine, chromium, opened
from tests.integration.gateway_rig import Rig, running_gateway
from tests.system import ROOT

FOLDER: Final = ROOT / "docs" / "pictures"
LOAD_S: Final = 75.0
DEVICES: Final = {"GPU-0": "NVIDIA H100 80GB", "GPU-1": "NVIDIA H100 80GB", "GPU-2": "NVIDIA L40S"}
# Name, task, device, GiB reserved and resident, requests a second.
SERVED: Final[tuple[tuple[str, Task, str, int, int, float], ...]] = (
    ("llama-3.1-8b-instruct", Task.CHAT, "GPU-0", 34, 29, 6),
    ("bge-m3", Task.EMBEDDING, "GPU-0", 8, 6, 9),
    ("qwen3-32b-awq", Task.CHAT, "GPU-1", 46, 41, 3),
    ("phi-4-mini", Task.CHAT, "GPU-2", 18, 14, 2),
)
REST: Final[Mapping[str, Mapping[str, Any]]] = {
    "mistral-7b-v0.3": {
        "state": ModelState.SLEEPING,
        "reason": "idle for 12 min, its memory was wanted for qwen3-32b-awq",
        "device_ids": ("GPU-1",),
        "reserved_bytes": 2 * GIB,
        "resident_bytes": GIB,
    },
    "gemma-3-12b": {"state": ModelState.LOADING, "reason": "weights are read", "load_s": 90.0},
    "whisper-large-v3": {"state": ModelState.UNLOADED, "reason": "not asked for yet"},
    "resnet50": {"state": ModelState.UNLOADED, "reason": "idle for 31 min"},
    "deepseek-coder-v2": {
        "state": ModelState.ERROR,
        "reason": "out of memory while the key-value cache was made; tried again in 40 s",
        "failures": 2,
    },
    "tabular-xgb": {
        "state": ModelState.REJECTED,
        "reason": "model.pkl is a pickle that names os.system; it is not loaded",
    },
}


async def furnish(rig: Rig) -> None:
    """Models in every state, on three devices."""
    await rig.around.store.models.delete("qwen")
    rig.gateway.updates.forget("qwen")
    for name, task, device, reserved, resident, _ in SERVED:
        _, url = await rig.engine(model=name, first_byte_delay_s=0.12, chunk_delay_s=0.06)
        await rig.loaded(url, name)
        await rig.become(
            name,
            descriptor=a_descriptor(task=task),
            size_bytes=(resident - 3) * GIB,
            reserved_bytes=reserved * GIB,
            resident_bytes=resident * GIB,
            device_ids=(device,),
            agent_id="gpu-node",
        )
    for name, fields in REST.items():
        about = a_descriptor(task=Task.CHAT)
        if name in ("resnet50", "tabular-xgb"):
            about = a_descriptor(task=Task.VISION, runtime=RuntimeKind.RAY_SERVE)
        await rig.become(name, descriptor=about, size_bytes=9 * GIB, **fields)


def engines() -> list[Instance]:
    """Those of the served models, one that sleeps and one that is being loaded."""
    served = [
        an_engine(name, device, reserved=reserved * GIB, resident=resident * GIB)
        for name, _, device, reserved, resident, _ in SERVED
    ]
    sleeps, loads = {"state": InstanceState.SLEEPING}, {"state": InstanceState.LOADING}
    return [
        *served,
        an_engine("mistral-7b-v0.3", "GPU-1", reserved=2 * GIB, resident=GIB, **sleeps),
        an_engine("gemma-3-12b", "GPU-0", reserved=24 * GIB, resident=11 * GIB, **loads),
    ]


def device(number: int, device_id: str, name: str, turn: int) -> Device:
    """A GPU that is busier now and less then."""
    whole = 48 if "L40" in name else 80
    held = sum(e.resident_bytes for e in engines() if e.device_ids == (device_id,))
    return a_gpu(
        device_id,
        name=name,
        total=(whole - 5) * GIB,
        whole_bytes=whole * GIB,
        used_bytes=held + GIB,
        utilization=0.35 + ((turn * 7 + 13 * number) % 40) / 100,
    )


async def beat(rig: Rig) -> None:
    """What the agent says, again and again."""
    turn = 0
    while True:
        devices = [device(n, *each, turn) for n, each in enumerate(DEVICES.items())]
        await rig.around.bus.publish(a_beat(devices, engines()))
        await rig.around.clock.sleep(1)
        turn += 1


async def ask_once(rig: Rig, model: str, task: Task) -> None:
    path = "/v1/embeddings" if task is Task.EMBEDDING else "/v1/chat/completions"
    async with rig.post(
        path, model=model, messages=[], max_tokens=8, input="text", stream=True
    ) as answer:
        await answer.read()


async def ask_for(rig: Rig, model: str, task: Task, per_s: float) -> None:
    """Requests for one model, as many a second, until cancelled."""
    async with asyncio.TaskGroup() as group:
        while True:
            group.create_task(ask_once(rig, model, task))
            await rig.around.clock.sleep(1 / per_s)


async def take(tab: Tab, name: str) -> None:
    """Write one picture."""
    await tab.page.wait_for_timeout(3000)
    await tab.page.screenshot(path=FOLDER / f"{name}.png")
    print(f"docs/pictures/{name}.png: {(FOLDER / f'{name}.png').stat().st_size // 1000} kB")


async def pictures(browser: Browser, rig: Rig, scheme: str) -> None:
    async with opened(browser, rig.url, color_scheme=scheme) as tab:
        await rig.around.clock.sleep(LOAD_S)
        await take(tab, f"overview-{scheme}")
        if scheme == "light":
            await tab.page.get_by_role("link", name="Models", exact=True).click()
            await take(tab, "models")
            await tab.page.get_by_role("link", name="llama-3.1-8b-instruct").click()
            await tab.page.get_by_role("tab", name="Activity").click()
            await take(tab, "model")


async def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    async with chromium() as browser, running_gateway() as rig:
        await furnish(rig)
        rig.tasks.append(rig.group.create_task(beat(rig)))
        for name, task, *_, per_s in SERVED:
            rig.tasks.append(rig.group.create_task(ask_for(rig, name, task, per_s)))
        await asyncio.gather(*(pictures(browser, rig, scheme) for scheme in ("light", "dark")))


if __name__ == "__main__":
    asyncio.run(main())
