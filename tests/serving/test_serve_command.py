"""Options of `agenttuning serve` that need no model."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from agenttuning.commands.serve import PORT, serve
from agenttuning.errors import KitError
from agenttuning.serving.server import bind


def run(*options: str) -> None:
    CliRunner().invoke(serve, options, catch_exceptions=False, standalone_mode=False)


def test_a_port_in_use_is_named_with_the_next_command() -> None:
    with bind("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(KitError, match=f"port {port} .*in use") as caught:
            run("--port", str(port))
        assert f"agenttuning serve --port {port + 1}" in str(caught.value)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--gguf", "missing.gguf"], "no model file missing.gguf"),
        (["--gguf", "a", "--checkpoint", "b"], "exclude each other"),
        (["--model", "gpt-5"], "no embedded model 'gpt-5'"),
        (["--host", "no.such.host.invalid"], "cannot listen on no.such.host.invalid"),
    ],
)
def test_bad_options(options: list[str], text: str) -> None:
    with pytest.raises(KitError, match=text):
        run("--port", "0", *options)


def test_a_file_that_is_no_gguf(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp")
    path = tmp_path / "x.gguf"
    path.write_bytes(b"no model")
    with pytest.raises(KitError, match="llama.cpp cannot load"):
        run("--port", "0", "--gguf", str(path))


def test_a_folder_that_is_no_checkpoint(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    with pytest.raises(KitError, match="no checkpoint folder"):
        run("--port", "0", "--checkpoint", str(tmp_path))


def test_listens_on_loopback_unless_told_otherwise() -> None:
    defaults = {parameter.name: parameter.default for parameter in serve.params}
    assert (defaults["host"], defaults["port"]) == ("127.0.0.1", PORT)
    assert PORT == 30135
