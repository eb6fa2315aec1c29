"""Real containers: the shell, the limits against hostile commands, the pool, clean-up after kill -9."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from agenttuning.episodes.types import EnvironmentFailure, Status
from agenttuning.errors import MissingDependency
from agenttuning.home import home

from .conftest import SPEC, Play, bash, room, sample

pytestmark = pytest.mark.docker

OK = "touch /ok"


def shown(outcome: Any, number: int = -1) -> str:
    """An observation of the episode."""
    turns = outcome.metrics["transcript"]
    first = next(i for i, t in enumerate(turns) if t["content"].endswith("do it"))
    return [t["content"] for t in turns[first + 1 :] if t["role"] == "user"][number]


def healthy(play: Play) -> None:
    """The next episode works, and the machine has processes and disk left."""
    assert play(bash(OK)).reward == 1.0
    assert shutil.disk_usage("/").free > 2**30
    assert subprocess.run(["true"], check=False).returncode == 0


def test_state_of_the_shell_stays(play: Play):
    outcome = play(bash("cd /usr; x=5; false", 'echo "$? $x $PWD"', OK))
    assert outcome.reward == 1.0 and shown(outcome, 1) == "Output:\n1 5 /usr"


def test_several_lines_heredocs_and_tabs(play: Play):
    outcome = play(bash("cat > /t.py <<'X'\nif 1:\n\tprint('a')\nX\nfor i in 1 2\ndo python3 /t.py\ndone"))
    assert shown(outcome) == "Output:\na\na"


def test_a_command_that_waits_for_input_does_not_eat_the_next_one(play: Play):
    outcome = play(bash("cat", OK))
    assert (outcome.reward, outcome.metrics["interrupted"]) == (1.0, 1)
    assert shown(outcome, 0) == "There was no output."


@pytest.mark.parametrize("command", ["echo 'open", "python3", "exit", "kill -9 $$", "exec sleep 100"])
def test_a_shell_that_is_lost_or_left_comes_back(play: Play, command: str):
    assert play(bash(command, OK)).reward == 1.0


def test_start_can_leave_the_shell_to_another_user(play: Play):
    start = "useradd -m -s /bin/bash ann && su - ann"
    outcome = play(bash("whoami"), sample(start=start, evaluation={"check": "exit 0"}))
    assert "ann" in shown(outcome).split()


def test_init_that_leaves_processes_does_not_hold_the_episode(play: Play):
    started = time.monotonic()
    init = {"init": "for i in 1 2 3; do sleep 60 & done; echo ready > /ready"}
    assert play(bash("[ -e /ready ] && touch /ok"), sample(create=init)).reward == 1.0
    assert time.monotonic() - started < 15


def test_output_is_cut_as_the_protocol_says(play: Play):
    text = shown(play(bash("head -c 5000 /dev/zero | tr '\\0' a")))
    assert text.startswith("Output:\n" + "a" * 780 + "\n(") and "a" * 781 not in text


def test_the_model_need_not_commit_for_upstreams_grading(play: Play):
    outcome = play([bash(OK)[0], "no action"])
    assert (outcome.status, outcome.metrics["paper"], outcome.reward) == (Status.INVALID_FORMAT, 1.0, 0.0)


def test_eight_replies_without_an_end(play: Play):
    outcome = play(bash(*["true"] * 7, OK)[:8])
    assert (outcome.status, outcome.metrics["paper"]) == (Status.TURN_LIMIT, 1.0)


def test_a_check_that_hangs_is_not_passed(play: Play):
    outcome = play(bash("true"), sample(evaluation={"check": "sleep 60"}))
    assert outcome.reward == 0.0 and "in time" in outcome.detail


# -- hostile commands ----------------------------------------------------------------------------------------------


def test_fork_bomb(play: Play):
    outcome = play(bash("bomb() { bomb | bomb & }; bomb"))
    assert outcome.status in (Status.COMPLETED, Status.INVALID_ACTION) and outcome.reward == 0.0
    healthy(play)


def test_filling_the_disk_ends_the_sandbox(play: Play):
    fill = "i=0; while [ $i -lt 100 ]; do head -c 60M /dev/zero > /f$i || break; i=$((i+1)); sleep 0.1; done"
    outcome = play(bash(fill, "true", "true"))
    assert outcome.status is Status.INVALID_ACTION and "wrote more than 200 MB" in outcome.detail
    healthy(play)


def test_one_huge_file_is_refused(play: Play):
    outcome = play(bash("head -c 300M /dev/zero > /f; stat -c %s /f"))
    assert shown(outcome).splitlines()[-1] == str(100 * 2**20)
    healthy(play)


def test_filling_the_memory(play: Play):
    outcome = play(bash("python3 -c 'b=bytearray(2**30); print(len(b))'", OK))
    assert outcome.status is Status.COMPLETED and str(2**30) not in shown(outcome, 0)
    healthy(play)


def test_filling_shared_memory(play: Play):
    outcome = play(bash("head -c 1G /dev/zero > /dev/shm/f; stat -c %s /dev/shm/f"))
    assert int(shown(outcome).splitlines()[-1]) <= 16 * 2**20
    healthy(play)


def test_reading_the_host(play: Play, tmp_path: Any):
    secret = tmp_path / "secret"
    secret.write_text("of the host")
    looks = "ls -d /var/run/docker.sock /run/docker.sock; head -c 1 /dev/kmsg; mount -t tmpfs x /mnt; mknod /d b 8 0; echo 1 > /proc/sys/kernel/panic; echo b > /proc/sysrq-trigger; chroot / true"
    outcome = play(bash(f"cat {secret}", looks, "ls /proc | grep -c '^[0-9]'"))
    assert "No such file" in shown(outcome, 0)
    denied = [line for line in shown(outcome, 1).splitlines() if ": " in line]
    assert len(denied) == 8 and not re.search("docker.sock$", shown(outcome, 1), re.MULTILINE), denied
    assert int(shown(outcome, 2).splitlines()[-1]) < 20  # its own processes only
    healthy(play)


def test_opening_a_socket(play: Play):
    outcome = play(
        bash("echo x > /dev/tcp/192.0.2.1/80", "ls /sys/class/net", "curl -m 2 http://192.0.2.1/ || echo no")
    )
    assert "unreachable" in shown(outcome, 0)
    assert shown(outcome, 1) == "Output:\nlo"
    assert shown(outcome, 2).endswith("no")


def test_printing_a_gigabyte(play: Play):
    started = time.monotonic()
    outcome = play(bash("yes | head -c 1G", OK))
    assert outcome.reward == 1.0 and len(shown(outcome, 0)) < 900 and time.monotonic() - started < 30


def test_never_ending(play: Play):
    outcome = play(
        bash(
            "while :; do :; done", "trap '' INT; while :; do :; done", "while echo x; do sleep 0.1; done", OK
        )
    )
    assert (outcome.reward, outcome.metrics["interrupted"]) == (1.0, 3)


def test_killing_everything_inside(play: Play):
    outcome = play(bash("kill -9 -1", OK))
    assert outcome.status in (Status.COMPLETED, Status.INVALID_ACTION)
    healthy(play)


def test_what_root_may_do(play: Play, client: Any):
    outcome = play(bash("grep CapBnd /proc/self/status; grep Seccomp: /proc/self/status"))
    assert "CapBnd:\t00000000000000fb" in shown(outcome) and "Seccomp:\t2" in shown(outcome)


# -- life and death ------------------------------------------------------------------------------------------------


def test_a_dead_sandbox_before_the_first_command_is_the_environments_failure(client: Any):
    sandbox = room("sandbox")
    with pytest.raises(EnvironmentFailure):
        sandbox.Engine(client, "agenttuning/no-such-image:0", sandbox.Limits()).start()


def test_the_pool_leaves_nothing_behind(client: Any):
    sandbox, pool = room("sandbox"), room("pool")
    maker = sandbox.Engine(client, room("images").SANDBOX.tag, sandbox.Limits())
    maker.owner += "-pool-test"
    made = pool.Pool(maker, 2)
    with made.sandbox() as one, made.sandbox() as two:
        assert one.id != two.id
    with pytest.raises(KeyError), made.sandbox():
        raise KeyError("an episode fails")
    made.close()
    assert maker.sizes() == {}


KILLED = """
import sys, time
from agenttuning.episodes.rooms import load_task
task = load_task("os_interaction", options={"pool": 2})
task.open()
task._pool.wait_until_full()
print("up", flush=True)
time.sleep(100)
"""


def labels(client: Any, pid: int) -> list[str]:
    found = client.api.containers(all=True, filters={"label": "kit.task=os_interaction"})
    return [c["Id"] for c in found if f"/{pid}." in c["Labels"]["kit.owner"]]


def test_the_next_run_removes_what_a_killed_one_left(client: Any):
    process = subprocess.Popen([sys.executable, "-c", KILLED], cwd=home(), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "up\n"
    mine = room("sandbox").Engine(client, "x", room("sandbox").Limits())
    mine.sweep()
    assert len(labels(client, process.pid)) == 2  # its process lives: not ours to remove
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert mine.sweep() >= 2
    assert labels(client, process.pid) == []


def test_an_engine_without_user_namespaces_can_be_refused(client: Any):
    maker = room("sandbox").Engine(client, "x", room("sandbox").Limits())
    task = room("task").TASK(SPEC, "kit", {"require_userns": True, "pool": 0})
    try:
        if maker.separates_users:
            task.open()
        else:
            with pytest.raises(MissingDependency, match="userns-remap"):
                task.open()
    finally:
        task.close()
