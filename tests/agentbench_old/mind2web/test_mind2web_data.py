"""The pickle, the archive and the task files: read once, plainly, or refused with a sentence."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agenttuning.episodes.rooms import load_task
from agenttuning.errors import KitError, MissingData

from .conftest import PAGE, locked_zip, make_scores, make_task, room, write_tasks

ranks, steps, dataset = room("ranks"), room("steps"), room("dataset")

# -- the pickle ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_pickles_of_every_protocol_are_read(protocol: int):
    content = {"ranks": {"a_b": {"1": 0, "2": 50}}, "scores": {"a_b": {"1": 1.5, "2": -2e300}}}
    content["more"] = [None, True, (1, 2**80), "x", [b"x", {"set"}] if protocol >= 4 else []]
    loaded = ranks.read_pickle(io.BytesIO(pickle.dumps(content, protocol)), "x.pkl")
    assert loaded == content
    assert ranks.top_ranks(loaded, "x.pkl") == {"a_b": {"1": 0}}


class Runs:
    def __reduce__(self) -> Any:
        return os.mkdir, ("ran",)


HOSTILE = {
    "reduce": pickle.dumps({"ranks": Runs()}),
    "reduce, old protocol": pickle.dumps(Runs(), 0),
    "eval": b"cbuiltins\neval\n(S'1'\ntR.",
    "stack global": b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.",
    "harmless builtin": b"cbuiltins\ndict\n(tR.",
    "numpy scalar": pickle.dumps({"ranks": {"a": {"1": numpy.int64(3)}}}),
    "numpy array": pickle.dumps(numpy.zeros(3)),
    "ordered dict": pickle.dumps(OrderedDict(a=1)),
    "complex": pickle.dumps(1j),
    "persistent id": b"Pfile\n.",
    "extension": b"\x80\x02\x82\x01.",
    "instance": b"(ios\nsystem\n.",
    "object": b"(cos\nsystem\no.",
    "truncated": pickle.dumps({"ranks": {}})[:-3],
    "empty": b"",
    "no pickle": b"<html>not found</html>",
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_everything_else_is_refused(content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KitError, match="x.pkl is refused"):
        ranks.read_pickle(io.BytesIO(content), "x.pkl")
    assert not (tmp_path / "ran").exists()


def test_the_hostile_pickles_are_hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What is refused above does run in an ordinary unpickler: the refusal is what prevents it."""
    monkeypatch.chdir(tmp_path)
    pickle.loads(HOSTILE["reduce"])
    assert (tmp_path / "ran").is_dir()


@settings(max_examples=500, suppress_health_check=list(HealthCheck), deadline=None)
@given(st.binary(max_size=60))
def test_random_bytes_are_read_or_refused(content: bytes):
    with contextlib.suppress(KitError):
        ranks.top_ranks(ranks.read_pickle(io.BytesIO(content), "x"), "x")


@pytest.mark.parametrize(
    "content",
    [[], {}, {"ranks": []}, {"ranks": {1: {}}}, {"ranks": {"a": []}}, {"ranks": {"a": {"1": 1.0}}},
     {"ranks": {"a": {"1": True}}}, {"ranks": {"a": {"1": -1}}}, {"ranks": {"a": {1: 1}}}],
    ids=repr,
)  # fmt: skip
def test_other_shapes_are_refused(content: Any):
    with pytest.raises(KitError, match="^x"):
        ranks.top_ranks(content, "x")


# -- task files ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 64, 1 << 20])
@pytest.mark.parametrize("indent", [None, 2])
def test_tasks_are_read_one_by_one_whatever_the_chunks(
    chunk: int, indent: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    tasks = [make_task("t1"), make_task('t"2\\'), {}, {"text": "ends in a backslash \\", "b": {"c": [{}]}}]
    path = write_tasks(tmp_path / "t.json", tasks, indent)
    monkeypatch.setattr(steps, "CHUNK", chunk)
    with path.open("rb") as stream:
        assert list(steps.objects(stream, "t")) == tasks


@pytest.mark.parametrize(
    "text", ['{"a": 1}', "", "null", "[{]", '[{"a": 1}', "[}", '[{"a": tru}]', '[{"a": "x', '[{"a": 1']
)
def test_broken_files_are_named(text: str):
    with pytest.raises(KitError, match="^t.json"):
        list(steps.objects(io.BytesIO(text.encode()), "t.json"))


def test_steps_keep_order_history_and_ranks():
    task = make_task("t1", steps=3)
    known = ranks.top_ranks(make_scores([task]), "x")
    found = list(steps.steps_of(task, known, "t"))
    assert [s.record["action_uid"] for s in found] == ["s0", "s1", "s2"]
    assert found[2].record["previous_actions"] == task["action_reprs"][:2]
    assert found[0].record["positives"] == [["4", 1]] and found[0].record["negatives"] == [["2", 0]]
    assert found[0].html == PAGE and "raw_html" not in found[0].record


@pytest.mark.parametrize("lacking", ["annotation_id", "action_reprs", "actions", "confirmed_task", "website"])
def test_a_task_without_a_field_is_refused(lacking: str):
    task = make_task("t1")
    known = ranks.top_ranks(make_scores([task]), "x")
    del task[lacking]
    with pytest.raises(KitError, match="Mind2Web's form"):
        list(steps.steps_of(task, known, "t"))


def test_unknown_operations_and_missing_ranks_are_refused():
    task = make_task("t1")
    with pytest.raises(KitError, match="has no ranks"):
        list(steps.steps_of(task, {}, "t"))
    known = ranks.top_ranks(make_scores([task]), "x")
    task["actions"][0]["operation"]["op"] = "HOVER"
    with pytest.raises(KitError, match="HOVER"):
        list(steps.steps_of(task, known, "t"))


# -- splits of the dataset -----------------------------------------------------------------------------------------


def test_the_locked_archive_becomes_a_split(tmp_path: Path, pinned, monkeypatch: pytest.MonkeyPatch):
    """The whole way: locked zip and pickle to samples that the oracle solves; converted once."""
    files = [[make_task("a"), make_task("b")], [make_task("c")]]
    everything = [task for tasks in files for task in tasks]
    members = {f"test_website/test_website_{i}.json": json.dumps(t).encode() for i, t in enumerate(files)}
    members["test_task/test_task_0.json"] = b"not looked at"
    members["test_website/../../evil.json"] = b"not looked at"
    archive = tmp_path / "test.zip"
    locked_zip(archive, dict(reversed(members.items())), b"mind2web")
    pinned(pickle.dumps(make_scores(everything)), **{"mind2web_test": archive})
    monkeypatch.setitem(dataset.TASKS, "test_website", 3)
    task = load_task("mind2web")
    samples = task.samples("std")
    assert [(s.id, s.data["annotation_id"]) for s in samples][:3] == [
        ("std-0", "a"),
        ("std-1", "a"),
        ("std-2", "b"),
    ]
    assert len(samples) == 6 and all(task._page(s).tag == "html" for s in samples)
    assert task.ceiling(samples[0]) == 1.0
    # A second task reads the cache alone.
    archive.rename(tmp_path / "moved.zip")
    monkeypatch.setattr(dataset, "members", lambda *a: pytest.fail("converted twice"))
    (tmp_path / "moved.zip").rename(archive)
    assert load_task("mind2web").samples("std") == samples


def test_an_archive_with_another_password_or_number_of_tasks_is_refused(tmp_path: Path, pinned):
    content = {"test_website/test_website_0.json": json.dumps([make_task("a")]).encode()}
    archive = tmp_path / "test.zip"
    pinned(pickle.dumps(make_scores([make_task("a")])), **{"mind2web_test": archive})
    locked_zip(archive, content, b"mind2web")
    with pytest.raises(KitError, match="1 tasks with 2 steps, expected 177"):
        load_task("mind2web").samples("std")
    locked_zip(archive, content, b"other")
    with pytest.raises(KitError, match="cannot be unpacked"):
        load_task("mind2web").samples("std")
    cache = tmp_path / "data/cache/mind2web"
    assert [p.name for p in cache.iterdir() if not p.name.startswith("ranks-")] == []


def test_a_folder_of_ones_own(tmp_path: Path, pinned):
    folder = tmp_path / "mine"
    folder.mkdir()
    tasks = [make_task("a"), make_task("b", html="<broken")]
    write_tasks(folder / "data.json", tasks)
    pinned(pickle.dumps(make_scores(tasks)))
    with pytest.raises(KitError, match="--option data_dir"):
        load_task("mind2web").samples("folder")
    with pytest.raises(KitError, match="no task file"):
        load_task("mind2web", options={"data_dir": str(tmp_path)}).samples("folder")
    task = load_task("mind2web", options={"data_dir": str(folder)})
    samples = task.samples("folder")
    assert len(samples) == 4
    with pytest.raises(KitError, match="folder-2 is no XML"):
        task._page(samples[2])
    right = dataset.folder_sha256([folder / "data.json"])
    options = {"data_dir": str(folder), "data_sha256": right}
    assert load_task("mind2web", options=options).samples("folder") == samples
    write_tasks(folder / "data.json", tasks[:1])
    with pytest.raises(KitError, match="start a new run"):
        load_task("mind2web", options=options).samples("folder")


def test_a_read_only_data_folder_is_explained(tmp_path: Path, pinned, monkeypatch: pytest.MonkeyPatch):
    train = write_tasks(tmp_path / "train.json", [make_task("a")])
    pinned(pickle.dumps(make_scores([make_task("a")])), **{"mind2web_train_10": train})
    (tmp_path / "data").write_text("a file where the folder should be")
    with pytest.raises(KitError, match="outside the container: agenttuning eval mind2web"):
        load_task("mind2web").samples("dev")


@pytest.mark.parametrize("split", ["std", "dev", "test_task", "test_domain"])
def test_missing_data_names_the_command(split: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AGENTTUNING_DATA", str(tmp_path))
    monkeypatch.delenv("MIRROR", raising=False)
    with pytest.raises(MissingData, match="make data TASKS=mind2web"):
        load_task("mind2web", "paper").samples(split)
    with pytest.raises(MissingData, match="make data TASKS=mind2web"):
        load_task("mind2web", "paper").check()
