"""The written report: complete, self-contained, and inert whatever a model wrote."""

from __future__ import annotations

import io
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from click.testing import CliRunner
from rich.console import Console

from agenttuning import report
from agenttuning.commands.report import compare
from agenttuning.commands.report import report as report_command
from agenttuning.errors import KitError
from agenttuning.report import text
from agenttuning.report.runs import read_run
from agenttuning.report.terminal import print_report
from agenttuning.report.transcripts import split_pages
from tests.report.synthetic import HOSTILE, make_all, make_run, record, share


class Page(HTMLParser):
    """Tags, links, ids, scripts and text of a page; notes attributes that run code or load something."""

    def __init__(self, path: Path):
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.loads: list[str] = []
        self.words: list[str] = []
        self.scripts: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "href" and tag == "a":
                self.links.append(value or "")
            elif name == "id":
                self.ids.append(value or "")
            elif name.startswith("on") or name in ("src", "srcset", "action", "data", "href"):
                self.loads.append(f"{tag} {name}={value}")

    def handle_data(self, data: str) -> None:
        (self.scripts if self.tags and self.tags[-1] == "script" else self.words).append(data)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of all synthetic runs; the folder it lies in."""
    runs = make_all(tmp_path_factory.mktemp("runs"))
    return report.build(runs, runs / "report").parent


def test_every_link_resolves(built: Path) -> None:
    pages = {path: Page(path) for path in built.rglob("*.html")}
    assert len(pages) > 30
    seen = 0
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            assert not parts.scheme and not parts.netloc, link
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target in pages, f"{path}: {link}"
            assert not parts.fragment or parts.fragment in pages[target].ids, f"{path}: {link}"
            seen += 1
    assert seen > 3000  # every sample of the large runs is linked


def test_pages_load_nothing_and_hold_one_script_of_our_own(built: Path) -> None:
    scripts = set()
    for path in built.rglob("*.html"):
        page = Page(path)
        assert [load for load in page.loads if not re.match(r"use href=#\w+$", load)] == [], path
        assert page.tags.count("script") == 1
        scripts.add(page.scripts[0])
        content = path.read_text(encoding="utf-8")
        assert "Content-Security-Policy" in content
        assert not re.search(r"@import|url\((?!#)", content), path
    assert len(scripts) == 1


def test_ids_are_unique(built: Path) -> None:
    for path in built.rglob("*.html"):
        ids = Page(path).ids
        assert len(ids) == len(set(ids)), path


def test_hostile_transcript_is_text(built: Path) -> None:
    page = Page(built / "samples" / "smollm2-135m--gsm8k--smoke-kit" / "page-1.html")
    words = "".join(page.words)
    assert '<script>document.title = "owned"</script>' in words
    assert "{{ 7 * 7 }}" in words
    assert "&amp; $x$" in words
    assert "\u27e8U+001B\u27e9[31mred\u27e8U+0007\u27e9 \u27e8U+202E\u27e9esrever" in words
    assert "\u27e8U+D800\u27e9" in words
    assert page.tags.count("h1") == 1 and "img" not in page.tags


def test_no_control_character_reaches_any_file(built: Path) -> None:
    for path in [*built.rglob("*.html"), built / "report.md"]:
        content = path.read_text(encoding="utf-8")
        assert text.visible(content) == content, path


def test_unknown_task_name_is_escaped(built: Path) -> None:
    content = (built / "report.html").read_text()
    assert "no&lt;b&gt;such" in content and "no<b>such" not in content
    assert "no&lt;b&gt;such" in (built / "report.md").read_text()


def test_report_says_what_it_must(built: Path) -> None:
    words = " ".join(" ".join(Page(built / "report.html").words).split())
    for expected in (
        "partial (2 of 6)",
        "inside",
        "outside",
        "the smoke split is not the paper's",
        "ceiling",
        "floor",
        "invalid",
        "unfinished: 40 of 300",
        "mean of 3 seeds",
        "Paired comparisons",
        "+176%",
    ):
        assert expected in words, expected


def test_figures_are_inline_and_follow_the_theme(built: Path) -> None:
    content = (built / "report.html").read_text()
    assert content.count('<svg role="img" aria-label=') == 5  # two overalls, three models
    assert "agentlm-7b: ALFWorld 82.0 [69.2, 90.2] published 84.0" in content
    for svg in re.findall(r"<svg.*?</svg>", content, re.DOTALL):
        assert "#0102" not in svg and "<style" not in svg
        assert "var(--ink)" in svg


def test_report_without_matplotlib_says_so(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(runs, "agentlm-7b", "alfworld", share(41, 50))
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    content = report.build(runs, runs / "report").read_text()
    assert "the report&#39;s figures need matplotlib" in content
    assert "<svg" not in content


def test_long_messages_are_folded_and_whole(built: Path) -> None:
    page = Page(built / "samples" / "smollm2-135m--gsm8k--smoke-kit" / "page-1.html")
    assert "".join(page.words).count("word ") >= 4000


def test_transcripts_come_in_light_pages(runs: Path) -> None:
    rows = read_run(make_run(runs, "m", "gsm8k", share(3, 1319))).rows
    assert [len(chunk) for chunk in split_pages(rows)] == [100] * 13 + [19]
    big = [record(i, 1.0, text="x" * 600_000) for i in range(5)]
    rows = read_run(make_run(runs, "m", "alfworld", [], records=big)).rows
    assert [len(chunk) for chunk in split_pages(rows)] == [2, 2, 1]
    assert split_pages([]) == []


def test_second_report_leaves_no_old_pages(runs: Path) -> None:
    folder = make_run(runs, "m", "gsm8k", share(3, 250))
    report.build(runs, runs / "report")
    lines = (folder / "records.jsonl").read_text().splitlines(keepends=True)
    (folder / "records.jsonl").write_text("".join(lines[:50]))
    report.build(runs, runs / "report")
    pages = sorted(path.name for path in (runs / "report" / "samples" / "m--gsm8k--std-paper").iterdir())
    assert pages == ["index.html", "page-1.html"]


def test_terminal_table_holds_no_escape_of_a_model(runs: Path) -> None:
    make_run(runs, "agentlm-7b", "alfworld", share(41, 50))
    make_run(
        runs, "evil", "gsm8k", [1.0, 0.0], title="[bold]x\x1b[2J", column="[red]c\x1b]0;t\x07", split="smoke"
    )
    buffer = io.StringIO()
    print_report(report.load(runs), Console(file=buffer, width=160))
    shown = buffer.getvalue()
    assert "\x1b" not in shown and "\x07" not in shown
    assert "[red]c\u27e8U+001B\u27e9" in shown
    for expected in ("82.0 [69.2, 90.2]", "84.0", "inside", "smoke", "partial (1 of 6)"):
        assert expected in shown, expected


def test_report_command(runs: Path) -> None:
    make_all(runs)
    result = CliRunner().invoke(report_command, [], catch_exceptions=False)
    assert result.exit_code == 0
    path = Path(result.output.strip().splitlines()[-1].removeprefix("report: "))
    assert path == runs / "report" / "report.html" and path.is_file()


def test_report_command_filters_models_and_takes_folders(runs: Path, tmp_path: Path) -> None:
    make_all(runs)
    out = tmp_path / "deep" / "out"
    arguments = ["--runs", str(runs), "--out", str(out), "--models", "smollm2-135m"]
    CliRunner().invoke(report_command, arguments, catch_exceptions=False)
    assert "agentlm-7b/gsm8k" not in (out / "report.html").read_text()
    with pytest.raises(KitError, match="there is no run of gpt-9"):
        CliRunner().invoke(report_command, ["--models", "gpt-9"], catch_exceptions=False)


def test_no_runs_names_the_next_command(runs: Path) -> None:
    with pytest.raises(KitError, match="there are no runs") as caught:
        CliRunner().invoke(report_command, [], catch_exceptions=False)
    assert "make demo" in str(caught.value)


def test_report_that_cannot_be_written(runs: Path) -> None:
    make_run(runs, "m", "gsm8k", [1.0])
    (runs / "file").write_text("")
    with pytest.raises(KitError, match="cannot be written"):
        report.build(runs, runs / "file")


def test_compare_command(runs: Path) -> None:
    make_run(runs, "a", "gsm8k", share(8, 12))
    make_run(runs, "b", "gsm8k", share(2, 12))
    make_run(runs, "b", "alfworld", share(2, 12))
    arguments = ["a/gsm8k/std-paper", str(runs / "b" / "gsm8k" / "std-paper")]
    output = CliRunner().invoke(compare, arguments, catch_exceptions=False).output
    for expected in ("12 shared samples", "+50.0", "0.031", "6 ties"):
        assert expected in output, expected
    with pytest.raises(KitError, match="no samples in common"):
        CliRunner().invoke(compare, ["a/gsm8k/std-paper", "b/alfworld/std-paper"], catch_exceptions=False)
    with pytest.raises(KitError, match="there is no run c/x/y"):
        CliRunner().invoke(compare, ["a/gsm8k/std-paper", "c/x/y"], catch_exceptions=False)


def test_visible() -> None:
    assert text.visible("a\r\nb\tc\n") == "a\nb\tc\n"
    assert (
        text.visible("\r\x00\u2028\ufeff")
        == "\u27e8U+000D\u27e9\u27e8U+0000\u27e9\u27e8U+2028\u27e9\u27e8U+FEFF\u27e9"
    )
    family = "\U0001f468\u200d\U0001f469"  # the joiner belongs to the emoji
    assert text.visible("Zürich 東京 " + family) == "Zürich 東京 " + family
    text.visible(HOSTILE).encode("utf-8")


def test_markdown_cells_hold_no_markup() -> None:
    cell = text.markdown("a|b\n[x](http://y) `c` <i> *d*")
    assert cell == "a\\|b \\[x\\](http://y) \\`c\\` &lt;i&gt; \\*d\\*"


def test_slugs_of_different_runs_differ() -> None:
    assert text.slug("m", "gsm8k", "std-paper") == "m--gsm8k--std-paper"
    names = {
        text.slug("a/b", "t"),
        text.slug("a-b", "t"),
        text.slug("a--b", "t"),
        text.slug("a", "b--t"),
        text.slug("..", "t"),
    }
    assert len(names) == 5
    assert all(re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", name) for name in names)
