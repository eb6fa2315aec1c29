"""Turning logits into the next token, and token ids into text, for the transformers engine.

The order of the warpers and the rule that any of them switches sampling on follow
server/text_generation_server/utils/{tokens,logits_process}.py in huggingface/text-generation-inference @ db931fc.
"""

from __future__ import annotations

from typing import Any

import torch

from agenttuning.serving.backend import Sampling


class Chooser:
    """Picks the tokens of one sequence. The same seed and logits give the same tokens."""

    def __init__(self, sampling: Sampling):
        self._s = sampling
        self._random = torch.Generator().manual_seed(sampling.seed % 2**63)

    def __call__(
        self, logits: torch.Tensor, seen: list[int], top_n: int
    ) -> tuple[int, float, list[tuple[int, float]]]:
        """The next token.

        Args:
            logits: (vocabulary,) float32; changed in place.
            seen: ids of prompt and reply so far.

        Returns:
            id, its log-probability in the distribution it was taken from, and the top_n most likely (id, logprob).
        """
        logits = self._penalised(logits, seen)
        if not self._s.greedy:
            logits = self._warped(logits)
        logprobs = torch.log_softmax(logits, dim=-1)
        if self._s.greedy:
            chosen = int(logits.argmax())
        else:
            # Gumbel trick: the largest p / Exp(1) is a draw from p.
            noise = torch.empty_like(logprobs).exponential_(generator=self._random)
            chosen = int((logprobs.exp() / noise).argmax())
        top = [(int(i), float(v)) for v, i in zip(*logprobs.topk(top_n), strict=True)] if top_n else []
        return chosen, float(logprobs[chosen]), [(i, max(v, -1e9)) for i, v in top]

    def _penalised(self, logits: torch.Tensor, seen: list[int]) -> torch.Tensor:
        s = self._s
        if s.repetition_penalty == 1.0 and s.frequency_penalty == 0.0:
            return logits
        ids, counts = torch.tensor(seen).unique(return_counts=True)
        values = logits[ids]
        if s.repetition_penalty != 1.0:
            values = torch.where(values < 0, values * s.repetition_penalty, values / s.repetition_penalty)
        logits[ids] = values - s.frequency_penalty * counts
        return logits

    def _warped(self, logits: torch.Tensor) -> torch.Tensor:
        s, off = self._s, float("-inf")
        if s.temperature != 1.0:
            logits = logits / s.temperature
        if 0 < s.top_k < logits.numel():
            logits = logits.masked_fill(logits < logits.topk(s.top_k).values[-1], off)
        if s.top_p < 1.0:
            values, order = logits.sort(descending=True)
            p = values.softmax(dim=-1)
            drop = p.cumsum(dim=-1) - p >= s.top_p  # keeps the token that crosses the border
            logits = logits.index_fill(0, order[drop], off)
        if s.typical_p < 1.0:
            logprobs = logits.log_softmax(dim=-1)
            p = logprobs.exp()
            entropy = -(p * logprobs).nansum()
            order = (-logprobs - entropy).abs().argsort()
            reached = p[order].cumsum(dim=-1)
            drop = reached - p[order] >= s.typical_p
            logits = logits.index_fill(0, order[drop], off)
        return logits


class Detokenizer:
    """Text of a growing reply, token by token; a character cut in half comes with its last token."""

    def __init__(self, tokenizer: Any):
        self._tokenizer = tokenizer
        self._ids: list[int] = []
        self._start = 0  # where the window of decoded tokens begins; sub-word joins need a little context
        self._shown = 0  # tokens whose text is out

    def add(self, token: int) -> str:
        """Text that this token completes."""
        self._ids.append(token)
        before = self._decode(self._ids[self._start : self._shown])
        after = self._decode(self._ids[self._start :])
        if after.endswith("\ufffd") and len(self._ids) - self._shown < 8 or len(after) <= len(before):
            return ""
        self._start, self._shown = self._shown, len(self._ids)
        return after[len(before) :]

    def _decode(self, ids: list[int]) -> str:
        return self._tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
