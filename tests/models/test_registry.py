"""models.toml."""

import time

import pytest

from agenttuning.errors import KitError
from agenttuning.models import registry
from tests.fake_server import fake_server, free_port


def test_published_models_are_on_their_ports():
    ports = {"agentlm-7b": 30007, "agentlm-13b": 30013, "agentlm-70b": 30070, "llama-2-70b-chat": 30070}
    for name, port in ports.items():
        model = registry.find_model(name)
        assert (
            model.urls == (f"http://127.0.0.1:{port}",)
            and model.template == "llama-2"
            and model.paper == name
        )


def test_every_entry_makes_endpoints(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    for name in registry.names():
        if name not in registry.SCRIPTED:
            assert len(registry.find_model(name).endpoints()) == 1


def test_replicas_take_consecutive_ports():
    assert registry.find_model("agentlm-7b", port=4000, replicas=3, host="node7").urls == (
        "http://node7:4000",
        "http://node7:4001",
        "http://node7:4002",
    )


def test_dead_server_is_told_at_once_with_the_command_that_starts_it():
    started = time.monotonic()
    with pytest.raises(KitError, match="nothing answers at") as caught:
        registry.find_model("smollm2-135m", port=free_port()).probe()
    assert caught.value.fix == "start it with: make serve-cpu" and time.monotonic() - started < 5


def test_second_replica_may_answer_the_probe():
    with fake_server() as fake:
        model = registry.Model("m", "tgi", (f"http://127.0.0.1:{free_port()}", fake.url), "llama-2")
        assert model.probe()["model_id"] == "fake"


def test_unknown_model_lists_the_known_ones():
    with pytest.raises(KitError, match="gpt-5") as caught:
        registry.find_model("gpt-5")
    assert "agentlm-7b" in str(caught.value)
