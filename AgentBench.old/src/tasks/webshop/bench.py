"""Speed and memory of the shop on synthetic catalogues, and samples per second on smoke."""

from __future__ import annotations

import itertools
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from agenttuning.episodes.rooms import load_task
from agenttuning.episodes.session import Session
from agenttuning.models.scripted import ScriptedEndpoint

from .store import Files, Shop, build

SIZES = (1_000, 100_000)
SEARCHES = 50
SECONDS = 1.0

WORKER = """
import sys
from pathlib import Path
from agenttuning.episodes.rooms import find_spec, room_module
def anonymous():
    return next(int(l.split()[1]) for l in open("/proc/self/smaps_rollup") if l.startswith("Anonymous:")) / 1024
store = room_module(find_spec("webshop"), "store")
before = anonymous()
shop = store.Shop(Path(sys.argv[1]))
for query in sys.argv[2:]:
    for asin in shop.search(query, 50):
        shop.product(asin)
print(anonymous() - before)
"""


def bench() -> dict[str, float]:
    """webshop_index_build_s_N: seconds from the three files to a finished index of N synthetic products.
    webshop_search_ms_N: one search of four words for 50 products, in milliseconds.
    webshop_extra_worker_mb_N: memory of its own (not file pages, which all processes share) that a further worker process
    needs for the shop; Linux only.
    webshop_samples_per_s: whole samples of smoke (prompts, parsing, pages, grading, transcript) played by the oracle.
    """
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="agenttuning-webshop-bench-") as scratch:
        for size in SIZES:
            place = Path(scratch) / str(size)
            files, queries = synthetic(size, place)
            started = time.perf_counter()
            folder = build(files, 0, "bench", [place])
            figures[f"webshop_index_build_s_{size}"] = round(time.perf_counter() - started, 3)
            shop = Shop(folder)
            started = time.perf_counter()
            found = sum(len(shop.search(query, 50)) for query in queries)
            figures[f"webshop_search_ms_{size}"] = round(
                1000 * (time.perf_counter() - started) / len(queries), 3
            )
            if not found:
                raise RuntimeError("the searches found nothing")
            if Path("/proc/self/smaps_rollup").exists():
                done = subprocess.run(
                    [sys.executable, "-c", WORKER, str(folder), *queries],
                    capture_output=True,
                    text=True,
                    check=True,
                )
                figures[f"webshop_extra_worker_mb_{size}"] = round(float(done.stdout), 2)
    figures["webshop_samples_per_s"] = _sample_rate()
    return figures


def synthetic(size: int, place: Path) -> tuple[Files, list[str]]:
    """The three files of a catalogue of made-up words with the frequencies of a language, and searches in it."""
    generator = random.Random(size)
    words = [
        "".join(generator.choices("abcdefghijklmnoprstuvw", k=generator.randint(3, 9))) for _ in range(20_000)
    ]
    weights = list(itertools.accumulate(1 / (rank + 3) for rank in range(len(words))))

    def text(count: int) -> str:
        return " ".join(generator.choices(words, cum_weights=weights, k=count))

    place.mkdir(parents=True)
    files = Files(*(place / f"{name}.json" for name in ("items", "attributes", "human")))
    with files.items.open("w") as stream:
        for number in range(size):
            record = {
                "asin": f"S{number:09d}", "name": text(10), "category": "garden", "query": text(2),
                "product_category": "A › B", "pricing": f"${generator.randint(5, 200)}.00",
                "customization_options": {"color": [{"value": text(1)} for _ in range(4)]},
                "full_description": text(60), "small_description": [text(12)], "images": ["none"],
            }  # fmt: skip
            stream.write(("[" if number == 0 else ",\n") + json.dumps(record))
        stream.write("]")
    files.attributes.write_text("{}")
    files.human.write_text("{}")
    return files, [text(4) for _ in range(SEARCHES)]


def _sample_rate() -> float:
    task = load_task("webshop")
    task.open()
    samples = task.samples("smoke")
    generation = task.base_generation("greedy")
    started, done = time.perf_counter(), 0
    while time.perf_counter() - started < SECONDS:
        sample = samples[done % len(samples)]
        if (
            task.play(sample, Session(ScriptedEndpoint("oracle", task.oracle(sample)), generation)).reward
            != 1.0
        ):
            raise RuntimeError(f"the scripted buyer does not reach the ceiling of {sample.id}")
        done += 1
    return round(done / (time.perf_counter() - started), 1)
