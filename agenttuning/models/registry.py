"""Models by name: models.toml turned into endpoints."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from agenttuning.errors import KitError
from agenttuning.home import home
from agenttuning.models import templates
from agenttuning.models.http import RetryPolicy
from agenttuning.models.openai import OpenAIEndpoint
from agenttuning.models.tgi import TgiEndpoint
from agenttuning.models.types import Endpoint, ModelError, RequestRefused

SCRIPTED = ("oracle", "nop")
DEFAULT_MODEL = "smollm2-135m"


@dataclass(frozen=True)
class Model:
    """A line of models.toml, with what the command line changed.

    Attributes:
        name: name in models.toml, or of a scripted player (oracle, nop, replay).
        kind: "tgi", "openai" or "scripted".
        urls: one base URL per replica.
        template: fschat template; None leaves templates to the server.
        paper: the model's column in the paper's tables, None where it has none.
        start: command that serves it.
        episodes: episodes at once that one replica is good for; None where the task's own number stands.
        replay: run folder whose recorded replies are played again (kind "scripted").
    """

    name: str
    kind: str
    urls: tuple[str, ...] = ()
    template: str | None = None
    hf: str | None = None
    model: str | None = None
    paper: str | None = None
    start: str = ""
    gpus: int = 0
    episodes: int | None = None
    api_key_env: str | None = None
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    replay: Path | None = None

    def endpoints(self) -> list[Endpoint]:
        """One client per replica. Opens no connection."""
        if self.kind == "scripted":
            raise ValueError("scripted players are made by the runner, per sample")
        made: list[Endpoint] = []
        for url in self.urls:
            if self.kind == "tgi":
                template = self.template or "llama-2"
                made.append(
                    TgiEndpoint(
                        self.name, url, template,
                        policy=self.policy, stop=templates.stop_strings(template), api_key_env=self.api_key_env,
                    )
                )  # fmt: skip
            else:
                stop = templates.stop_strings(self.template) if self.template else ()
                made.append(
                    OpenAIEndpoint(
                        self.name, url, self.model or self.hf or self.name,
                        template=self.template, policy=self.policy, stop=stop, api_key_env=self.api_key_env,
                    )
                )  # fmt: skip
        return made

    def probe(self) -> dict[str, Any]:
        """What the first replica that answers says of itself.

        Raises:
            KitError: nothing answers; the message names the URL and the command that starts the model.
        """
        if self.kind == "scripted":
            return {"model_id": self.name}
        reason: ModelError | None = None
        for endpoint in self.endpoints():
            try:
                return endpoint.info()
            except RequestRefused:
                raise
            except ModelError as error:
                reason = error
            finally:
                endpoint.close()
        cause = reason.cause if reason else "models.toml names no URL"
        raise KitError(f"model {self.name} is not being served: {cause}", f"start it with: {self.start}")


@lru_cache(maxsize=1)
def _table() -> dict[str, dict[str, Any]]:
    path = home() / "models.toml"
    try:
        return tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise KitError(f"{path} is not valid TOML ({error})") from error


def names() -> list[str]:
    """Names of models.toml, then the scripted players."""
    return [*_table(), *SCRIPTED]


def find_model(name: str, *, host: str | None = None, port: int | None = None, replicas: int = 1) -> Model:
    """The model of that name.

    Args:
        host: host or http(s) URL instead of 127.0.0.1.
        port: first port instead of the one in models.toml.
        replicas: number of replicas on consecutive ports.

    Raises:
        KitError: unknown name (with the known ones), or nonsense in models.toml.
    """
    if name in SCRIPTED:
        return Model(name, "scripted")
    if name not in _table():
        raise KitError(f"there is no model {name!r} in models.toml", f"choose from: {', '.join(names())}")
    entry = dict(_table()[name])
    kind = entry.pop("kind", None)
    if kind not in ("tgi", "openai"):
        raise KitError(f"models.toml: {name} has kind {kind!r}", "use tgi or openai")
    url, default_port = entry.pop("url", None), entry.pop("port", None)
    urls: tuple[str, ...]
    if url and host is None and port is None:
        urls = (url,)
    else:
        first = port or default_port
        if first is None:
            raise KitError(f"models.toml: {name} has neither url nor port", "add one of them or give PORT=")
        base = host or "127.0.0.1"
        base = base if base.startswith(("http://", "https://")) else f"http://{base}"
        suffix = "/v1" if kind == "openai" else ""
        urls = tuple(f"{base.rstrip('/')}:{first + i}{suffix}" for i in range(max(1, replicas)))
    known = {
        f: entry[f]
        for f in ("template", "hf", "model", "paper", "start", "gpus", "episodes", "api_key_env")
        if f in entry
    }
    unknown = set(entry) - set(known)
    if unknown:
        raise KitError(f"models.toml: {name} has unknown keys {', '.join(sorted(unknown))}")
    return Model(name, kind, urls, **known)


def replay_of(folder: Path) -> Model:
    """A player that repeats the replies of a run folder."""
    return Model("replay", "scripted", replay=folder)


def with_policy(model: Model, policy: RetryPolicy) -> Model:
    """The same model with another retry policy."""
    return replace(model, policy=policy)
