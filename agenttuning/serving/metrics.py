"""Counters and histograms in the Prometheus text format, with TGI's metric names."""

from __future__ import annotations

from collections import defaultdict

_SECONDS = (0.005, 0.02, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
_TOKENS = (1, 8, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)


class Metrics:
    """All numbers of one server. Only its event loop writes to it."""

    def __init__(self) -> None:
        self._counters: dict[tuple[str, str], int] = defaultdict(int)
        self._buckets: dict[str, list[int]] = {}
        self._sums: dict[str, float] = defaultdict(float)

    def count(self, name: str, labels: str = "", by: int = 1) -> None:
        """Raise a counter; labels is the text between the braces."""
        self._counters[name, labels] += by

    def observe(self, name: str, value: float) -> None:
        """Put a value into a histogram: seconds where the name ends with _duration, else tokens."""
        edges = _edges(name)
        buckets = self._buckets.setdefault(name, [0] * (len(edges) + 1))
        buckets[next((i for i, edge in enumerate(edges) if value <= edge), len(edges))] += 1
        self._sums[name] += value

    def render(self, gauges: dict[str, int]) -> str:
        """The text of GET /metrics."""
        lines: list[str] = []
        for name, value in sorted(gauges.items()):
            lines += [f"# TYPE {name} gauge", f"{name} {value}"]
        typed = set()
        for (name, labels), value in sorted(self._counters.items()):
            if name not in typed:
                typed.add(name)
                lines.append(f"# TYPE {name} counter")
            lines.append(f"{name}{{{labels}}} {value}" if labels else f"{name} {value}")
        for name, buckets in sorted(self._buckets.items()):
            lines.append(f"# TYPE {name} histogram")
            total = 0
            for edge, n in zip(_edges(name), buckets, strict=False):
                total += n
                lines.append(f'{name}_bucket{{le="{edge}"}} {total}')
            total += buckets[-1]
            lines += [
                f'{name}_bucket{{le="+Inf"}} {total}',
                f"{name}_sum {self._sums[name]}",
                f"{name}_count {total}",
            ]
        return "\n".join(lines) + "\n"


def _edges(name: str) -> tuple[float, ...]:
    return _SECONDS if name.endswith("_duration") else _TOKENS
