"""From a request to a job: field types, then the limits, in the order and with the texts of TGI.

Follows huggingface/text-generation-inference @ db931fc, router/src/validation.rs and router/src/infer/mod.rs.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from typing import Any

from agenttuning.serving.backend import Backend, Job, Sampling
from agenttuning.serving.body import Fields
from agenttuning.serving.errors import BackendFailure, failed, invalid

FIRST_CHUNK = 1024
"""Of a longer max_new_tokens only this much must fit at first; generation then runs on to the total limit."""


@dataclass(frozen=True)
class Parameters:
    """The "parameters" object of a request, types checked and nothing else. None = not given."""

    best_of: int | None = None
    temperature: float | None = None
    repetition_penalty: float | None = None
    frequency_penalty: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    typical_p: float | None = None
    do_sample: bool = False
    max_new_tokens: int | None = None
    return_full_text: bool | None = None
    stop: tuple[str, ...] = ()
    truncate: int | None = None
    watermark: bool = False
    details: bool = False
    decoder_input_details: bool = False
    seed: int | None = None
    top_n_tokens: int | None = None
    grammar: dict[str, Any] | None = None
    adapter_id: str | None = None


@dataclass(frozen=True)
class GenerateRequest:
    """A prompt with its parameters; special=False when a chat template has already written the special tokens."""

    inputs: str
    parameters: Parameters = field(default_factory=Parameters)
    special: bool = True


@dataclass(frozen=True)
class ServerLimits:
    """Limits of the HTTP layer, with TGI's names and defaults."""

    max_concurrent_requests: int = 128
    max_best_of: int = 2
    max_stop_sequences: int = 4
    max_top_n_tokens: int = 5
    max_client_batch_size: int = 4
    payload_limit: int = 2_000_000


def read_generate(body: Fields) -> GenerateRequest:
    """GenerateRequest of a /generate body. Raises PlainError (422) on wrong types."""
    inputs = body.required_string("inputs")
    if "parameters" not in body.values:
        # Without the object TGI samples; with an empty object it does not.
        return GenerateRequest(inputs, Parameters(do_sample=True))
    given = body.object("parameters")
    if given is None:
        raise body.wrong("parameters", "invalid type: null, expected an object")
    return GenerateRequest(inputs, read_parameters(given))


def read_parameters(given: Fields) -> Parameters:
    """Parameters of the "parameters" object. Raises PlainError (422) on wrong types."""
    return Parameters(
        best_of=given.integer("best_of"),
        temperature=given.number("temperature"),
        repetition_penalty=given.number("repetition_penalty"),
        frequency_penalty=given.number("frequency_penalty"),
        top_k=given.signed("top_k"),
        top_p=given.number("top_p"),
        typical_p=given.number("typical_p"),
        do_sample=given.flag("do_sample"),
        max_new_tokens=given.integer("max_new_tokens"),
        return_full_text=given.optional_flag("return_full_text"),
        stop=tuple(given.strings("stop")),
        truncate=given.integer("truncate", high=2**63),
        watermark=given.flag("watermark"),
        details=given.flag("details"),
        decoder_input_details=given.flag("decoder_input_details"),
        seed=given.seed(),
        top_n_tokens=given.integer("top_n_tokens"),
        grammar=_grammar(given),
        adapter_id=given.string("adapter_id"),
    )


def _grammar(given: Fields) -> dict[str, Any] | None:
    table = given.object("grammar")
    if table is None:
        return None
    if table.required_string("type") not in ("json", "regex", "json_schema") or "value" not in table.values:
        raise given.wrong("grammar", "expected a `type` of json, regex or json_schema and a `value`")
    return table.values


def check_best_of(parameters: Parameters, limits: ServerLimits) -> int:
    """Number of sequences to draw. Raises ApiError (422)."""
    if parameters.best_of is None:
        return 1
    if limits.max_best_of == 1 and parameters.best_of != 1:
        raise invalid("`best_of` != 1 is not allowed for this endpoint")
    if not 1 <= parameters.best_of <= limits.max_best_of:
        raise invalid(f"`best_of` must be > 0 and <= {limits.max_best_of}. Given: {parameters.best_of}")
    return parameters.best_of


async def validate(
    request: GenerateRequest, backend: Backend, limits: ServerLimits, tokens_shown: bool
) -> Job:
    """The job of a request.

    Args:
        tokens_shown: whether the reply shows single tokens, so that their log-probabilities are needed.

    Raises:
        ApiError: 422 with the text of the first check that fails, 424 when the engine cannot tokenise.
    """
    p = request.parameters
    _check_values(p, limits)
    if not request.inputs:
        raise invalid("`inputs` cannot be empty")
    max_input, max_total = backend.limits.max_input, backend.limits.max_total
    if p.truncate is not None and not 0 < p.truncate <= max_input:
        raise invalid(f"`truncate` must be strictly positive and less than {max_input}. Given: {p.truncate}")
    try:
        ids = await backend.encode(request.inputs, request.special)
    except BackendFailure as error:
        raise failed(str(error)) from error
    if p.truncate is not None:
        ids = ids[-p.truncate :]  # the end of a conversation matters more than its start
    room = max(max_total - len(ids), 0)
    wanted = room if p.max_new_tokens is None else p.max_new_tokens
    first = min(wanted, FIRST_CHUNK)
    if len(ids) + first > max_total:
        raise invalid(
            f"`inputs` tokens + `max_new_tokens` must be <= {max_total}. "
            f"Given: {len(ids)} `inputs` tokens and {first} `max_new_tokens`"
        )
    if len(ids) > max_input:
        raise invalid(f"`inputs` must have less than {max_input} tokens. Given: {len(ids)}")
    if not ids:
        raise invalid("`inputs` has no tokens")
    return Job(
        ids=ids,
        max_new_tokens=min(wanted, room),
        sampling=_sampling(p),
        logprobs=tokens_shown or (p.best_of or 1) > 1,
        top_n=p.top_n_tokens or 0,
        prefill=p.decoder_input_details,
        json_schema=_check_engine(p, backend),
    )


def _check_values(p: Parameters, limits: ServerLimits) -> None:
    best_of = p.best_of or 1
    sampling = p.do_sample or any(x is not None for x in (p.temperature, p.top_k, p.top_p, p.typical_p))
    if best_of > 1 and not sampling:
        raise invalid("you must use sampling when `best_of` is > 1")
    if p.temperature is not None and p.temperature <= 0:
        raise invalid("`temperature` must be strictly positive")
    if p.repetition_penalty is not None and p.repetition_penalty <= 0:
        raise invalid("`repetition_penalty` must be strictly positive")
    if p.frequency_penalty is not None and not -2 <= p.frequency_penalty <= 2:
        raise invalid("`frequency_penalty` must be >= -2.0 and <= 2.0")
    if p.top_p is not None and not 0 < p.top_p < 1:
        raise invalid("`top_p` must be > 0.0 and < 1.0")
    if p.typical_p is not None and not 0 < p.typical_p < 1:
        raise invalid("`typical_p` must be > 0.0 and < 1.0")
    if p.top_k is not None and p.top_k <= 0:
        raise invalid("`top_k` must be strictly positive")
    if p.max_new_tokens == 0:
        raise invalid("`max_new_tokens` must be strictly positive")
    if len(p.stop) > limits.max_stop_sequences:
        raise invalid(
            f"`stop` supports up to {limits.max_stop_sequences} stop sequences. Given: {len(p.stop)}"
        )
    if best_of > 1 and p.seed is not None:
        raise invalid("`seed` must not be set when `best_of` > 1")
    if p.top_n_tokens is not None and p.top_n_tokens > limits.max_top_n_tokens:
        most = limits.max_top_n_tokens
        raise invalid(f"`top_n_tokens` must be >= 0 and <= {most}. Given: {p.top_n_tokens}")


def _check_engine(p: Parameters, backend: Backend) -> dict[str, Any] | None:
    """What this server's engines cannot do is refused, never ignored. Returns the JSON schema of a grammar."""
    if p.decoder_input_details and not backend.prompt_logprobs:
        raise invalid(
            f"`decoder_input_details` needs prompt log-probabilities, which the {backend.kind} engine does not "
            "offer; serve the checkpoint with the transformers engine (--checkpoint DIR)"
        )
    if p.watermark:
        raise invalid("`watermark` is not supported by this server")
    if p.adapter_id is not None and p.adapter_id not in ("", backend.model_id):
        raise invalid(f"adapter `{p.adapter_id}` is not loaded; this server has only `{backend.model_id}`")
    if p.grammar is None:
        return None
    if not backend.grammars or p.grammar["type"] == "regex":
        raise invalid("grammar is not supported")
    schema = p.grammar["value"]
    if isinstance(schema, str):
        try:
            schema = json.loads(schema)
        except ValueError as error:
            raise invalid(f"grammar is not valid: {error}") from error
    if isinstance(schema, dict) and p.grammar["type"] == "json_schema":
        schema = schema.get("schema", schema)
    if not isinstance(schema, dict):
        raise invalid("grammar is not valid: the schema must be an object")
    return schema


def _sampling(p: Parameters) -> Sampling:
    """Follows HeterogeneousNextTokenChooser: any warper that is set switches sampling on, whatever do_sample says
    (server/text_generation_server/utils/tokens.py @ db931fc)."""
    temperature = 1.0 if p.temperature is None else p.temperature
    top_k = p.top_k or 0
    top_p = 1.0 if p.top_p is None else p.top_p
    typical_p = 1.0 if p.typical_p is None else p.typical_p
    sampled = p.do_sample or temperature != 1.0 or top_k > 0 or top_p < 1.0 or typical_p < 1.0
    return Sampling(
        greedy=not sampled,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        typical_p=typical_p,
        repetition_penalty=1.0 if p.repetition_penalty is None else p.repetition_penalty,
        frequency_penalty=p.frequency_penalty or 0.0,
        seed=random.SystemRandom().getrandbits(32) if p.seed is None else p.seed,
    )
