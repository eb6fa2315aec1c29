"""Upstream's recorded outputs against ours, for the cases that may live in this repository."""

from pathlib import Path

import pytest

from agenttuning.episodes import vectors

FOLDER = Path(__file__).parent / "vectors"
BUILT = {function for page in vectors.adapters().values() for function in page}


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda p: p.stem)
def test_page(path: Path, maybe_mirror: Path | None):
    results = vectors.run_file(path, vectors.adapters().get(path.stem, {}))
    wrong = [f"{r.function} / {r.case}: {r.reason}" for r in results if r.outcome == "failed"]
    assert not wrong, "\n".join(wrong)
    waiting = {r.reason for r in results if r.outcome == "unhandled" and r.function in BUILT}
    if waiting:
        pytest.skip(
            f"{sum(r.outcome == 'passed' for r in results)} passed, the others cannot run here: {'; '.join(sorted(waiting))}"
        )
    assert any(r.outcome == "passed" for r in results) or not BUILT & {r.function for r in results}
