"""What all tests share: no key of this machine's, a quiet config, hypothesis profiles."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("default", max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("slow", max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(autouse=True)
def _no_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    """Keys, configs and proxies of the machine must not reach a test."""
    for name in list(os.environ):
        if name.endswith(("_API_KEY", "_TOKEN")) or name in {"LLMGATE_CONFIG", "HTTP_PROXY", "HTTPS_PROXY"}:
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
