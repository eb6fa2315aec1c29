"""Sequences at different positions in one forward pass: a left-padded batch with its KV cache.

Sequences join and leave between steps. Prompts that arrive together are evaluated in one pass; their cache rows are
then padded to the length of the running batch and appended to it. Only caches that keep every position (full
attention) can be joined that way; for other models the engine runs one sequence at a time.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

Pairs = list[tuple[torch.Tensor, torch.Tensor]]
"""Keys and values per layer, each (batch, heads, positions, head size)."""


class Batch:
    """The running sequences of one model.

    Attributes:
        size: number of sequences, numbered 0..size-1 in order of arrival.
    """

    def __init__(self, model: Any, pad: int):
        self._model = model
        self._pad = pad
        self._cache: Any = None
        self._mask = torch.zeros((0, 0), dtype=torch.long)
        self.joinable = True

    @property
    def size(self) -> int:
        return self._mask.shape[0]

    @torch.inference_mode()
    def join(self, prompts: list[list[int]], all_logits: bool) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Evaluate prompts in one pass and append them.

        Returns:
            Logits (prompts, vocabulary) for each next token, and with all_logits also, per prompt, the logits
            (tokens, vocabulary) of every position.
        """
        width = max(len(ids) for ids in prompts)
        ids = torch.full((len(prompts), width), self._pad)
        mask = torch.zeros_like(ids)
        for row, prompt in enumerate(prompts):
            ids[row, width - len(prompt) :] = torch.tensor(prompt)
            mask[row, width - len(prompt) :] = 1
        out = self._model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=(mask.cumsum(dim=1) - 1).clamp(min=0),
            use_cache=True,
            logits_to_keep=0 if all_logits else 1,
        )
        if self._cache is None:
            self._cache, self._mask = out.past_key_values, mask
            self.joinable = all(
                type(layer) is DynamicLayer for layer in getattr(self._cache, "layers", [None])
            )
        else:
            self._append(out.past_key_values, mask)
        each = (
            [out.logits[row, width - len(p) :].float() for row, p in enumerate(prompts)] if all_logits else []
        )
        return out.logits[:, -1].float(), each

    @torch.inference_mode()
    def step(self, tokens: list[int]) -> torch.Tensor:
        """Feed one token per sequence; returns the next logits (size, vocabulary)."""
        self._mask = torch.cat([self._mask, self._mask.new_ones((self.size, 1))], dim=1)
        out = self._model(
            input_ids=torch.tensor(tokens).unsqueeze(1),
            attention_mask=self._mask,
            position_ids=self._mask.sum(dim=1, keepdim=True) - 1,
            past_key_values=self._cache,
            use_cache=True,
        )
        self._cache = out.past_key_values
        return out.logits[:, -1].float()

    def keep(self, rows: list[int]) -> None:
        """Drop all sequences but these, and the padding that only the dropped ones needed."""
        if not rows:
            self._cache, self._mask = None, self._mask.new_zeros((0, 0))
        elif len(rows) < self.size:
            mask = self._mask[rows]
            first = int(mask.any(dim=0).int().argmax())
            self._mask = mask[:, first:]
            if self.joinable:
                self._cache = _cache(
                    [(k[rows][:, :, first:], v[rows][:, :, first:]) for k, v in _pairs(self._cache)]
                )

    def _append(self, cache: Any, mask: torch.Tensor) -> None:
        width = max(self._mask.shape[1], mask.shape[1])
        joined = [
            (_stack(k, new_k, width, dim=2), _stack(v, new_v, width, dim=2))
            for (k, v), (new_k, new_v) in zip(_pairs(self._cache), _pairs(cache), strict=True)
        ]
        self._cache = _cache(joined)
        self._mask = _stack(self._mask, mask, width, dim=1)


def _stack(a: torch.Tensor, b: torch.Tensor, width: int, dim: int) -> torch.Tensor:
    """Rows of both, each padded with zeros on the left of `dim` to the width."""

    def padded(x: torch.Tensor) -> torch.Tensor:
        shape = list(x.shape)
        shape[dim] = width - shape[dim]
        return torch.cat([x.new_zeros(shape), x], dim=dim) if shape[dim] else x

    return torch.cat([padded(a), padded(b)], dim=0)


def _pairs(cache: Any) -> Pairs:
    return [(layer.keys, layer.values) for layer in cache.layers]


def _cache(pairs: Pairs) -> Any:
    cache = DynamicCache()
    for layer, (keys, values) in enumerate(pairs):
        cache.update(keys, values, layer)
    return cache
