"""Reads the settings (`settings.py`) from file and environment, once, in a `__main__`."""

from pathlib import Path
from typing import ClassVar

from pydantic_settings import (
    BaseSettings,
    SettingsConfigDict,
)

from modelium.common import settings as s


class Settings(BaseSettings):
    """Every section."""

    model_config = SettingsConfigDict(
        env_prefix="MODELIUM_", env_nested_delimiter="__", extra="forbid", frozen=True
    )
    config_file: ClassVar[Path | None] = None

    organization: s.Organization = s.Organization()
    modelium_brain: s.Brain = s.Brain()
    orchestration: s.Orchestration = s.Orchestration()
    vllm: s.Vllm = s.Vllm()
    ray_serve: s.RayServe = s.RayServe()
    gpu: s.Gpu = s.Gpu()
    runtime_agent: s.RuntimeAgent = s.RuntimeAgent()
    gateway: s.Gateway = s.Gateway()
    nats: s.Nats = s.Nats()
    redis: s.Redis = s.Redis()
    logging: s.Logging = s.Logging()
    health: s.Health = s.Health()
