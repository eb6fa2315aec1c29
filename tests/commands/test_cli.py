"""The command line as a user meets it: one sentence, the right exit code."""

import os
import subprocess
import sys
import time

import pytest

from agenttuning.cli import COMMANDS
from agenttuning.home import home
from tests.fake_server import free_port


def kit(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "agenttuning.cli", *arguments], capture_output=True, text=True, cwd=home(),
        env={**os.environ, **environment},
    )  # fmt: skip


@pytest.mark.parametrize("verb", COMMANDS)
def test_every_verb_explains_itself(verb: str):
    done = kit(verb, "--help")
    assert done.returncode == 0 and "Usage" in done.stdout


def test_dead_server_is_one_sentence_with_the_next_command():
    started = time.monotonic()
    done = kit("eval", "gsm8k", "--port", str(free_port()))
    assert done.returncode == 2 and time.monotonic() - started < 5
    assert len(done.stderr.splitlines()) == 1
    assert "not being served" in done.stderr and "make serve-cpu" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("eval", "no-such-task", "--model", "nop"), "choose from"),
        (("eval", "gsm8k", "--model", "no-such-model"), "models.toml"),
        (("eval", "gsm8k", "--model", "nop", "--split", "huge"), "no split 'huge'"),
        (("eval", "gsm8k", "--model", "nop", "--option", "speed"), "KEY=VALUE"),
        (("rescore", "."), "not a run folder"),
        (("vectors", "/nonexistent"), "not a folder"),
    ],
)
def test_bad_input_is_one_sentence(arguments: tuple[str, ...], says: str):
    done = kit(*arguments)
    assert done.returncode == 2 and says in done.stderr and "Traceback" not in done.stderr


def test_paper_profile_without_data_names_the_command(tmp_path):
    done = kit(
        "eval", "gsm8k", "--model", "nop", "--profile", "paper", AGENTTUNING_DATA=str(tmp_path), MIRROR=""
    )
    assert done.returncode == 2 and "make data TASKS=gsm8k" in done.stderr


def test_unwritable_runs_folder_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    done = kit("eval", "gsm8k", "--model", "nop", "--runs", str(tmp_path / "file" / "runs"))
    assert done.returncode != 0 and "Traceback" not in done.stderr and "file" in done.stderr
