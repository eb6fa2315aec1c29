"""Downloads and mirror copies: resumed, verified, refused."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import socket
from collections import namedtuple
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agenttuning import sources
from agenttuning.commands.data import data
from agenttuning.errors import KitError, MissingData
from agenttuning.sources import promptsets
from agenttuning.sources.catalogue import find_file
from agenttuning.sources.fetch import Downloader, get_file, target_of

from .conftest import COMMIT, CONTENT, SOURCE, Server, file_entry, prompts_entry, write_catalogue

VALUES = {"prompt": "Solve it.", "question": "Question: {text}"}


def run(*arguments: str) -> Result:
    return CliRunner().invoke(data, list(arguments))


def error_of(result: Result) -> str:
    assert result.exit_code != 0
    assert isinstance(result.exception, KitError), result.exception
    return str(result.exception)


@pytest.fixture
def listed(checkout: Path, server: Server) -> Path:
    write_catalogue(
        checkout,
        file_entry("one", f"{server.url}/one.bin", CONTENT),
        file_entry("two", f"{server.url}/two.bin", b"two\n", tasks=["other"]),
        prompts_entry(f"{server.url}/prompts.py", promptsets.digest(VALUES)),
    )
    return checkout


@pytest.fixture
def a_mirror(tmp_path: Path) -> Path:
    folder = tmp_path / "mirror"
    place = folder / "owner/name" / COMMIT / "folder"
    place.mkdir(parents=True)
    (place / "one.bin").write_bytes(CONTENT)
    (place / "two.bin").write_bytes(b"two\n")
    (folder / "prompts").mkdir()
    (folder / "prompts/toy.json").write_text(
        '{"_source": "x", "more": 1, "question": "Question: {text}", "prompt": "Solve it."}'
    )
    return folder


def test_download_is_verified_and_idempotent(listed: Path, server: Server) -> None:
    result = run("fetch")
    assert result.exit_code == 0, result.output
    assert sources.file("one").read_bytes() == CONTENT
    assert sources.file("one") == listed / "data/downloads/owner/name" / COMMIT / "folder/one.bin"
    assert sources.sha256("one") == hashlib.sha256(CONTENT).hexdigest()
    assert sources.prompts("toy") == VALUES
    requests = len(server.ranges)
    assert "3 present" in run("fetch").output
    assert len(server.ranges) == requests
    assert not list(listed.rglob("*.part")) and not list(listed.rglob("*.bad"))


def test_tasks_select_files(listed: Path) -> None:
    assert run("fetch", "other").exit_code == 0
    assert sources.available("two") and not sources.available("one")
    assert "toy, other" in error_of(run("fetch", "nothing"))
    assert run("fetch", "toy other").exit_code == 0  # make passes TASKS as one argument
    assert sources.available("one")


def test_cut_connection_is_continued_in_the_same_run(listed: Path, server: Server) -> None:
    server.cut_after, server.cuts_left = 200_000, 1
    Downloader(pause=0).download(find_file("one"))
    assert sources.file("one").read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=200000-"]


def test_partial_file_of_a_killed_run_is_continued(listed: Path, server: Server) -> None:
    target = target_of(find_file("one"))
    target.parent.mkdir(parents=True)
    target.with_name("one.bin.part").write_bytes(CONTENT[:300_000])
    Downloader(pause=0).download(find_file("one"))
    assert target.read_bytes() == CONTENT
    assert server.ranges == ["bytes=300000-"]


def test_every_attempt_cut_keeps_what_arrived(listed: Path, server: Server) -> None:
    server.cut_after = 1000
    with pytest.raises(KitError, match=r"stopped after 4000 of 512000 bytes.*make data TASKS=toy"):
        Downloader(pause=0).download(find_file("one"))
    assert not sources.available("one")
    assert target_of(find_file("one")).with_name("one.bin.part").read_bytes() == CONTENT[:4000]


def test_server_without_ranges_starts_again(listed: Path, server: Server) -> None:
    server.honour_range = False
    target = target_of(find_file("one"))
    target.parent.mkdir(parents=True)
    target.with_name("one.bin.part").write_bytes(b"x" * 1000)
    Downloader(pause=0).download(find_file("one"))
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize(
    "served", [b"X" + CONTENT[1:], CONTENT + b"more", CONTENT[:-1]], ids=["other", "long", "short"]
)
def test_mismatch_is_refused_and_kept_aside(listed: Path, server: Server, served: bytes) -> None:
    server.files["/one.bin"] = served
    result = run("fetch", "toy")
    message = error_of(result)
    assert hashlib.sha256(CONTENT).hexdigest() in message and ".bad" in message
    assert not sources.available("one")
    assert [path.name for path in listed.rglob("*.bad")] == ["one.bin.bad"]
    assert sources.prompts_available("toy")  # the others were fetched all the same
    server.files["/one.bin"] = CONTENT
    assert run("fetch", "toy").exit_code == 0
    assert sources.file("one").read_bytes() == CONTENT


def test_damaged_resume_is_refused_then_fetched_anew(listed: Path, server: Server) -> None:
    target = target_of(find_file("one"))
    target.parent.mkdir(parents=True)
    target.with_name("one.bin.part").write_bytes(b"?" * 300_000)
    assert ".bad" in error_of(run("fetch", "toy"))
    assert run("fetch", "toy").exit_code == 0
    assert sources.file("one").read_bytes() == CONTENT


def test_file_changed_after_the_fetch_is_refused_then_replaced(listed: Path) -> None:
    run("fetch")
    path = sources.file("one")
    path.write_bytes(CONTENT[:-1] + b"!")  # the earlier verification must not hide this
    with pytest.raises(KitError, match=r"one\.bin has sha256 .*expected .*make data TASKS=toy"):
        sources.file("one")
    assert "WRONG" in run("verify", "toy").output
    assert run("fetch").exit_code == 0
    assert sources.file("one").read_bytes() == CONTENT


def test_several_failures_are_all_reported(listed: Path, server: Server) -> None:
    del server.files["/one.bin"]
    server.files["/two.bin"] = b"owt\n"
    result = run("fetch")
    message = error_of(result)
    assert "2 of 3 could not be fetched: one, two" in message
    assert "HTTP 404" in result.output and "sha256" in result.output
    assert sources.prompts_available("toy")


def test_server_errors_are_tried_again(listed: Path, server: Server) -> None:
    server.status = 503
    with pytest.raises(KitError, match="stopped after 0 of 512000 bytes .HTTP 503."):
        Downloader(pause=0).download(find_file("one"))
    assert len(server.ranges) == 4


def test_dead_network_is_one_sentence(checkout: Path, server: Server) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        write_catalogue(
            checkout, file_entry("one", f"{url}/1", CONTENT), file_entry("two", f"{url}/2", b"two\n")
        )
        result = run("fetch", "toy")
    message = error_of(result)
    assert "Connection refused; not fetched: one, two" in message
    assert 'make data TASKS="toy" MIRROR=DIR' in message
    assert not list(checkout.rglob("*.part"))


def test_proxy_of_the_environment_is_used(
    listed: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("http_proxy", f"http://user:secret@127.0.0.1:{unused.getsockname()[1]}")
        message = error_of(run("fetch", "other"))
    assert "proxy does not answer" in message and "secret" not in message
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert run("fetch", "other").exit_code == 0


def test_full_disk_is_noticed_before_writing(
    listed: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9, 1000))
    assert "free space" in error_of(run("fetch", "other"))
    assert server.ranges == []


def test_two_processes_do_not_write_one_file(listed: Path) -> None:
    target = target_of(find_file("one"))
    target.parent.mkdir(parents=True)
    with target.with_name("one.bin.part").open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(KitError, match="another process"):
            get_file(find_file("one"), None, Downloader(pause=0))


def test_mirror_is_copied_without_network(listed: Path, server: Server, a_mirror: Path) -> None:
    result = run("fetch", "--mirror", str(a_mirror))
    assert result.exit_code == 0, result.output
    assert "3 copied" in result.output and server.ranges == []
    assert sources.file("one").is_relative_to(listed)
    assert sources.prompts("toy") == VALUES  # without the keys nobody declared
    assert run("verify").exit_code == 0


def test_mirror_in_the_environment_is_read_directly(
    listed: Path, a_mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIRROR", str(a_mirror))
    assert sources.file("one") == a_mirror / "owner/name" / COMMIT / "folder/one.bin"
    assert sources.prompts("toy") == VALUES
    run("fetch")
    assert sources.file("one").is_relative_to(listed)  # the fetched copy goes first


def test_wrong_mirror_is_refused(listed: Path, a_mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = a_mirror / "owner/name" / COMMIT / "folder/one.bin"
    wrong.write_bytes(b"something else")
    (a_mirror / "prompts/toy.json").write_text('{"prompt": "Obey.", "question": "Question: {text}"}')
    result = run("fetch", "--mirror", str(a_mirror))
    assert "2 of 3 could not be fetched: one, prompts/toy.json" in error_of(result)
    assert not sources.available("one") and not sources.prompts_available("toy")
    monkeypatch.setenv("MIRROR", str(a_mirror))
    with pytest.raises(KitError, match="replace it in the mirror"):
        sources.file("one")
    with pytest.raises(KitError, match="update the mirror"):
        sources.prompts("toy")
    assert wrong.read_bytes() == b"something else"


def test_incomplete_mirror_is_named(listed: Path, a_mirror: Path) -> None:
    (a_mirror / "owner/name" / COMMIT / "folder/two.bin").unlink()
    assert f"the mirror has no {a_mirror}" in error_of(run("fetch", "other", "--mirror", str(a_mirror)))
    assert "is no folder" in error_of(run("fetch", "--mirror", str(a_mirror / "nowhere")))


def test_missing_data_names_the_make_command(listed: Path) -> None:
    with pytest.raises(MissingData, match=r"run make data TASKS=toy \(offline: add MIRROR=DIR\)"):
        sources.file("one")
    with pytest.raises(MissingData, match=r"run make data TASKS=toy \(offline: add MIRROR=DIR\)"):
        sources.prompts("toy")
    assert not sources.available("one") and not sources.prompts_available("toy")
    with pytest.raises(KitError, match="its keys are: one, two"):
        sources.file("three")
    assert "missing or wrong: one" in error_of(run("verify", "toy"))


def test_list_shows_the_state(listed: Path) -> None:
    run("fetch", "other")
    lines = {line.split()[0]: line for line in run("list").output.splitlines()}
    assert lines["one"].rstrip().endswith("missing") and lines["two"].rstrip().endswith("fetched")


def test_prompt_source_that_is_not_the_pinned_one_is_never_parsed(listed: Path, server: Server) -> None:
    server.files["/prompts.py"] = SOURCE.replace(b"Solve", b"Break")
    assert "sha256" in error_of(run("fetch", "toy"))
    assert not sources.prompts_available("toy")
