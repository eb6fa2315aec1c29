"""AgentBench's YAML configs read as tasks and models."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from agenttuning.episodes.rooms import load_folder_module
from agenttuning.errors import KitError
from agenttuning.home import home

HOUSE = home() / "AgentBench.old"
configs = load_folder_module("agentbench_old", HOUSE / "src", "configs")


def write(folder: Path, module: str, file_name: str = "std.yaml", /, **parameters) -> Path:
    path = folder / file_name
    path.write_text(yaml.safe_dump({"module": module, "parameters": parameters}))
    return path


def test_every_shipped_config_can_be_read():
    for path in sorted((HOUSE / "configs/tasks").rglob("*.yaml")):
        read = configs.read_task(path)
        assert read.ignored == () and read.split == path.stem
    agents = {p.stem: configs.read_agent(p) for p in sorted((HOUSE / "configs/agents").rglob("*.yaml"))}
    assert {"AgentLM-7b", "AgentLM-13b", "AgentLM-70b", "do_nothing", "smollm2-135m"} <= set(agents)
    assert agents["AgentLM-70b"].model.urls == ("http://127.0.0.1:30070",)
    assert agents["AgentLM-13b"].model.name == "agentlm-13b" and agents["AgentLM-13b"].max_tokens == 4096
    assert agents["do_nothing"].model.name == "nop"


def test_upstreams_own_task_config_is_understood(tmp_path: Path):
    path = write(
        tmp_path,
        "src.tasks.DBBench",
        "mine.yaml",
        name="DBBench",
        data_file="data/dbbench/standard.jsonl",
        max_round=5,
    )
    read = configs.read_task(path)
    assert (read.spec.name, read.split, read.profile, read.spec.limits["max_round"]) == (
        "dbbench",
        "std",
        "paper",
        5,
    )
    assert configs.find_spec("dbbench").limits["max_round"] == 15


def test_module_may_name_the_task_by_the_part_before_the_class(tmp_path: Path):
    path = write(
        tmp_path, "src.tasks.dbbench.DBBench", name="x", category="shelf", worker_limit=2, docker={"a": 1}
    )
    read = configs.read_task(path, "kit")
    assert (read.spec.name, read.folder, read.worker_limit, read.profile) == ("dbbench", "shelf", 2, "kit")
    assert read.ignored == ("docker",)


def test_half_open_port_range_gives_the_replicas(tmp_path: Path):
    path = write(
        tmp_path,
        "src.agents.TGIAgent",
        ip="http://10.0.0.1",
        address_from=5,
        address_to=8,
        model_name="AgentLM-7b",
    )
    agent = configs.read_agent(path)
    assert agent.model.urls == ("http://10.0.0.1:5", "http://10.0.0.1:6", "http://10.0.0.1:7")
    assert (agent.model.name, agent.model.template) == ("agentlm-7b", "llama-2")


def test_a_model_of_the_users_own_gets_upstreams_template(tmp_path: Path):
    for name, template in (("my-AgentLM", "llama-2"), ("org/agentlm-tiny", "vicuna_v1.1")):
        model = configs.read_agent(
            write(tmp_path, "src.agents.TGIAgent", address_from=5, address_to=6, model_name=name)
        ).model
        assert (model.template, "/" in model.name) == (template, False)


@pytest.mark.parametrize(
    ("module", "parameters", "told"),
    [
        ("src.tasks.DBBench", {}, "name must be a text"),
        ("src.tasks.DBBench", {"name": "x", "split": "nope"}, "no split 'nope'"),
        ("src.tasks.DBBench", {"name": "x", "max_round": "many"}, "max_round"),
        ("src.tasks.DBBench", {"name": "x", "worker_limit": 0}, "worker_limit"),
        ("src.tasks.DBBench", {"name": "../x"}, "name of a folder"),
        ("src.tasks.DBBench", {"name": "x", "profile": "best"}, "profile must be"),
        ("src.tasks.Unheard", {"name": "x"}, "no task of this kit"),
    ],
)
def test_bad_task_configs_name_the_file_and_the_key(tmp_path: Path, module: str, parameters: dict, told: str):
    with pytest.raises(KitError, match=told) as caught:
        configs.read_task(write(tmp_path, module, **parameters))
    assert "std.yaml" in str(caught.value)


@pytest.mark.parametrize(
    ("module", "parameters", "told"),
    [
        ("src.agents.TGIAgent", {}, "model_name"),
        ("src.agents.TGIAgent", {"model_name": "m"}, "address_from"),
        ("src.agents.TGIAgent", {"model_name": "m", "address_from": 7, "address_to": 7}, "half-open"),
        ("src.agents.TGIAgent", {"model_name": "m", "address_from": "7", "address_to": 8}, "address_from"),
        ("src.agents.TGIAgent", {"model_name": "m", "address_from": True, "address_to": 8}, "address_from"),
        ("src.agents.TGIAgent", {"model_name": "m", "address_from": 7, "address_to": 8, "ip": 5}, "ip must"),
        ("src.agents.KitModel", {"model": "unheard"}, "unheard"),
        ("src.agents.ClaudeAgent", {}, "ClaudeAgent"),
    ],
)
def test_bad_agent_configs_are_refused(tmp_path: Path, module: str, parameters: dict, told: str):
    with pytest.raises(KitError, match=told):
        configs.read_agent(write(tmp_path, module, **parameters))


@pytest.mark.parametrize(
    "text", ["", "- 1\n", "module: [", "module: 5\n", "module: src.tasks.DBBench\nparameters: 5\n"]
)
def test_files_that_are_no_configs_are_refused(tmp_path: Path, text: str):
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(KitError, match="broken.yaml"):
        configs.read_task(path)


def test_yaml_cannot_build_objects(tmp_path: Path):
    path = tmp_path / "hostile.yaml"
    path.write_text("module: !!python/object/apply:os.system ['true']\n")
    with pytest.raises(KitError, match="not valid YAML"):
        configs.read_agent(path)
