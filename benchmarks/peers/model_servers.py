"""The same TorchScript model as people serve it otherwise; for the engine's interpreter.

    python model_servers.py models FOLDER
    python model_servers.py fastapi|ray FILE PORT

`fastapi` is as its tutorial has it: the route is no coroutine, so it runs on a thread of a pool.
`ray` is the same application as a deployment of Ray Serve, with nothing set but its port.
"""

import signal
import sys
import threading
import warnings
from typing import Any

import torch
from fastapi import FastAPI
from pydantic import BaseModel


class Tensor(BaseModel):
    """One input."""

    name: str
    shape: list[int]
    datatype: str
    data: list[float]


class Asked(BaseModel):
    """As in the Open Inference Protocol."""

    inputs: list[Tensor]


def application(file: str) -> FastAPI:
    """Serves the model in this file."""
    torch.set_num_threads(1)
    model = torch.jit.load(file).eval()
    app = FastAPI()

    @app.post("/v2/models/m/infer")
    def infer(asked: Asked) -> dict[str, Any]:
        given = asked.inputs[0]
        with torch.inference_mode():
            found = model(torch.tensor(given.data).reshape(given.shape))
        made = {"name": "output", "datatype": "FP32", "shape": list(found.shape)}
        return {"model_name": "m", "outputs": [{**made, "data": found.flatten().tolist()}]}

    return app


def write_models(folder: str) -> None:
    """`small.pt` costs next to nothing, `large.pt` (100 MB) reads all its weights for a row."""
    torch.manual_seed(0)
    for name, width, between, out in (("small", 64, 256, 8), ("large", 64, 5000, 8)):
        middle = [torch.nn.Linear(between, between), torch.nn.ReLU()] if name == "large" else []
        layers = [torch.nn.Linear(width, between), torch.nn.ReLU(), *middle]
        model = torch.nn.Sequential(*layers, torch.nn.Linear(between, out)).eval()
        torch.jit.script(model).save(f"{folder}/{name}.pt")


def serve_alone(file: str, port: int) -> None:
    """Under uvicorn."""
    import uvicorn

    uvicorn.run(application(file), port=port, access_log=False, log_level="warning")


def serve_on_ray(file: str, port: int) -> None:
    """As a deployment of Ray Serve."""
    import ray
    from ray import serve

    def build() -> FastAPI:
        return application(file)

    ray.init(address="local", include_dashboard=False, object_store_memory=75 << 20)
    serve.start(http_options={"port": port})
    serve.run(serve.deployment(serve.ingress(build)()).bind())
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    ended.wait()
    serve.shutdown()
    ray.shutdown()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    kind, target = sys.argv[1:3]
    if kind == "models":
        write_models(target)
    elif kind == "fastapi":
        serve_alone(target, int(sys.argv[3]))
    else:
        serve_on_ray(target, int(sys.argv[3]))
