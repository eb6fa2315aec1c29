"""Reading a JSON request body the strict way: wrong types are refused, unknown fields ignored."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request

from agenttuning.serving.errors import PlainError

_U32, _U64, _I32 = 2**32 - 1, 2**64 - 1, 2**31 - 1


async def read_json(request: Request, limit: int) -> Fields:
    """The JSON object of a POST request.

    Args:
        limit: largest body in bytes.

    Raises:
        PlainError: 415 wrong content type, 413 too large, 400 not JSON, 422 not an object.
    """
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise PlainError(415, "Expected request with `Content-Type: application/json`")
    raw = bytearray()
    async for part in request.stream():
        raw += part
        if len(raw) > limit:
            raise PlainError(413, "Failed to buffer the request body: length limit exceeded")
    try:
        value = json.loads(raw, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise PlainError(400, f"Failed to parse the request body as JSON: {error}") from error
    return Fields(value)


def _no_constant(word: str) -> None:
    raise ValueError(f"{word} is not JSON")


class Fields:
    """A JSON object whose fields are read with a type. Every method raises PlainError (422) on a wrong type."""

    def __init__(self, value: Any, path: str = ""):
        self._path = path
        if not isinstance(value, dict):
            raise self.wrong("", f"invalid type: {_word(value)}, expected an object")
        self.values: dict[str, Any] = value

    def wrong(self, name: str, problem: str) -> PlainError:
        """The 422 for one field."""
        where = ".".join(part for part in (self._path, name) if part)
        prefix = f"{where}: " if where else ""
        return PlainError(422, f"Failed to deserialize the JSON body into the target type: {prefix}{problem}")

    def _get(self, name: str, kinds: tuple[type, ...], expected: str) -> Any:
        value = self.values.get(name)
        if value is None:
            return None
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise self.wrong(name, f"invalid type: {_word(value)}, expected {expected}")
        return value

    def string(self, name: str) -> str | None:
        """A string or null."""
        return self._get(name, (str,), "a string")

    def required_string(self, name: str) -> str:
        """A string that must be there."""
        if name not in self.values:
            raise self.wrong("", f"missing field `{name}`")
        value = self.string(name)
        if value is None:
            raise self.wrong(name, "invalid type: null, expected a string")
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        """A boolean; absent means the default, null is refused."""
        if name not in self.values:
            return default
        value = self.optional_flag(name)
        if value is None:
            raise self.wrong(name, "invalid type: null, expected a boolean")
        return value

    def optional_flag(self, name: str) -> bool | None:
        """A boolean or null."""
        return self._get(name, (bool,), "a boolean")

    def number(self, name: str) -> float | None:
        """A number or null."""
        value = self._get(name, (int, float), "f32")
        return None if value is None else float(value)

    def integer(self, name: str, low: int = 0, high: int = _U32) -> int | None:
        """A whole number within the range of its wire type, or null."""
        value = self._get(name, (int,), "u32" if low == 0 else "i32")
        if value is not None and not low <= value <= high:
            raise self.wrong(name, f"invalid value: integer `{value}`, expected {low}..={high}")
        return value

    def seed(self, name: str = "seed") -> int | None:
        """An unsigned 64-bit number or null."""
        return self.integer(name, high=_U64)

    def signed(self, name: str) -> int | None:
        """A signed 32-bit number or null."""
        return self.integer(name, low=-_I32 - 1, high=_I32)

    def strings(self, name: str, nullable: bool = False) -> list[str]:
        """A list of strings; absent (or null, where nullable) means empty."""
        value = self._get(name, (list,), "a sequence")
        if value is None and name in self.values and not nullable:
            raise self.wrong(name, "invalid type: null, expected a sequence")
        for item in value or []:
            if not isinstance(item, str):
                raise self.wrong(name, f"invalid type: {_word(item)}, expected a string")
        return list(value or [])

    def objects(self, name: str) -> list[Fields]:
        """A list of objects that must be there."""
        if name not in self.values:
            raise self.wrong("", f"missing field `{name}`")
        value = self._get(name, (list,), "a sequence")
        if value is None:
            raise self.wrong(name, "invalid type: null, expected a sequence")
        return [Fields(item, f"{name}[{i}]") for i, item in enumerate(value)]

    def object(self, name: str) -> Fields | None:
        """An object or null."""
        value = self._get(name, (dict,), "an object")
        return None if value is None else Fields(value, name)


def _word(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f"boolean `{str(value).lower()}`"
    if isinstance(value, int):
        return f"integer `{value}`"
    if isinstance(value, float):
        return f"floating point `{value}`"
    if isinstance(value, str):
        return "string"
    return "sequence" if isinstance(value, list) else "map"
