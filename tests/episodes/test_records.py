"""records.jsonl: durable, readable after a crash."""

import errno
import json
import os
import threading
from pathlib import Path

import pytest

from agenttuning.episodes.records import RecordWriter, latest, read_records, write_json
from agenttuning.errors import KitError


def record(sample: str, status: str = "completed", reward: float | None = 1.0) -> dict:
    return {"sample": sample, "status": status, "reward": reward}


def test_torn_last_line_is_left_out_and_cut_before_appending(tmp_path: Path):
    path = tmp_path / "records.jsonl"
    path.write_text(json.dumps(record("a")) + '\n{"sample": "b", "rew')
    assert [r["sample"] for r in read_records(path)] == ["a"]
    writer = RecordWriter(path)
    writer.append(record("c"))
    writer.close()
    assert [r["sample"] for r in read_records(path)] == ["a", "c"]


def test_damage_before_the_last_line_is_named(tmp_path: Path):
    path = tmp_path / "records.jsonl"
    path.write_text('{"sample": "a"}\nrubbish\n{"sample": "b"}\n')
    with pytest.raises(KitError, match="line 2"):
        read_records(path)


def test_append_from_many_threads_keeps_every_line_whole(tmp_path: Path):
    path = tmp_path / "records.jsonl"
    writer = RecordWriter(path)
    threads = [
        threading.Thread(target=lambda n=n: [writer.append(record(f"{n}-{i}")) for i in range(20)])
        for n in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.close()
    assert {r["sample"] for r in read_records(path)} == {f"{n}-{i}" for n in range(16) for i in range(20)}


def test_append_is_on_disk_when_it_returns(tmp_path: Path):
    path = tmp_path / "records.jsonl"
    writer = RecordWriter(path)
    writer.append(record("a"))
    assert len(read_records(path)) == 1
    writer.close()


def test_lone_surrogates_of_a_model_do_not_lose_the_record(tmp_path: Path):
    path = tmp_path / "records.jsonl"
    writer = RecordWriter(path)
    writer.append({**record("a"), "transcript": [{"role": "assistant", "content": "x\ud800y\u0000z"}]})
    writer.append(record("b"))
    writer.close()
    assert [r["sample"] for r in read_records(path)] == ["a", "b"]


def test_full_disk_is_told_and_what_was_written_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    writer = RecordWriter(tmp_path / "records.jsonl")
    writer.append(record("a"))
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(KitError, match="No space left"):
        writer.append(record("b"))
    writer.close()
    assert read_records(tmp_path / "records.jsonl")[0]["sample"] == "a"


def test_first_final_record_wins_over_failures_before_and_after():
    records = [
        record("a", "env_error", None),
        record("a", "completed", 1.0),
        record("a", "completed", 0.0),
        record("b", "model_error", None),
    ]
    assert latest(records)["a"]["reward"] == 1.0 and latest(records)["b"]["status"] == "model_error"


def test_write_json_replaces_whole_files_only(tmp_path: Path):
    path = tmp_path / "x.json"
    write_json(path, {"b": 1, "a": 2})
    assert path.read_text() == '{\n  "a": 2,\n  "b": 1\n}\n' and list(tmp_path.iterdir()) == [path]
