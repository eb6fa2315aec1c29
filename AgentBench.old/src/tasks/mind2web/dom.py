"""What the model sees of a page: the neighbourhood of the candidates, in short tags.

Behaviour follows AgentBench.old/src/tasks/mind2web/data_utils/dom_utils.py of THUDM/AgentTuning
@ e33a45d7eab2b63cac4d1956da1e6377fca9fcc7 (prune_tree, get_tree_repr), down to the white space. A page is XML: text
stands in <text> elements, and every element has a backend_node_id.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lxml import etree

NODE = "backend_node_id"

LEVELS = 6
"""Levels of descendants kept below a candidate (upstream's max_depth 5, counted from 0)."""

DESCENDANTS = 50
"""Descendants kept per candidate, in document order."""

SIBLINGS = 3
"""Siblings kept on each side of a candidate."""

SHOWN_ATTRIBUTES = (
    "role", "aria_role", "type", "alt", "aria_description", "aria_label", "label", "title", "name",
    "text_value", "value", "placeholder", "input_checked", "input_value", "option_selected", "class",
)  # fmt: skip
"""Attributes whose values are shown, in this order."""

SAYS_NOTHING = frozenset({"hidden", "none", "presentation", "null", "undefined"})
LONGEST_WORD = 14
WORDS_OF_VALUE = 5
WORDS_OF_TAG = 20
WORDS_OF_TEXT = 20

UNESCAPED = (
    ("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"), ("&nbsp;", " "), ("&ndash;", "-"), ("&rsquo;", "'"),
    ("&lsquo;", "'"), ("&ldquo;", '"'), ("&rdquo;", '"'), ("&#39;", "'"), ("&#40;", "("), ("&#41;", ")"),
)  # fmt: skip
"""Replaced one after the other, so that &amp;lt; becomes <."""

Element = Any
"""lxml's element; lxml comes without types."""


class MissingNode(LookupError):
    """The page has no element with that backend_node_id."""


def parse(html: str) -> Element:
    """Root element of a page. Raises etree.XMLSyntaxError (a ValueError for an XML declaration with an encoding)."""
    return etree.fromstring(html)


def node_ids(root: Element) -> set[str]:
    """backend_node_id of every element that can be a candidate."""
    return {e.attrib[NODE] for e in root.iter(etree.Element) if NODE in e.attrib and e.tag != "text"}


def prune(root: Element, candidates: Sequence[str]) -> Element:
    """A copy with the candidates, their ancestors, nearest descendants and siblings; only candidates keep their id.

    Elements that then carry neither id, attribute nor text, and at most one child, are replaced by that child.

    Raises:
        MissingNode: a candidate is not in the page (an IndexError in upstream).
    """
    wanted = set(candidates)
    kept = _neighbourhood(root, candidates)
    pruned = copy.deepcopy(root)
    for element in reversed(list(pruned.iter(etree.Element))):
        parent = element.getparent()
        is_text = element.tag == "text"
        owner = parent if is_text and parent is not None else element
        if owner.attrib.get(NODE, "") not in kept and parent is not None:
            parent.remove(element)
            continue
        if is_text or element.attrib.get(NODE, "") not in wanted:
            element.attrib.pop(NODE, None)
        if not is_text and parent is not None and _is_wrapper(element):
            for child in list(element):
                element.addprevious(child)
            parent.remove(element)
    return pruned


def _is_wrapper(element: Element) -> bool:
    return len(element.attrib) == 0 and len(element) <= 1 and all(child.tag != "text" for child in element)


def _neighbourhood(root: Element, candidates: Sequence[str]) -> set[str]:
    """Ids that stay. An element without an id counts as one with the id "", as upstream's."""
    first: dict[str, Element] = {}
    for element in root.iter(etree.Element):
        if NODE in element.attrib:
            first.setdefault(element.attrib[NODE], element)
    kept: set[str] = set()
    for candidate in candidates:
        if candidate not in first:
            raise MissingNode(candidate)
        node = first[candidate]
        near = [node, *node.iterancestors(), *_descendants(node, LEVELS)[:DESCENDANTS], *_siblings(node)]
        kept.update(element.attrib.get(NODE, "") for element in near)
    return kept


def _descendants(node: Element, levels: int) -> list[Element]:
    if levels == 0:
        return []
    return [found for child in node for found in (child, *_descendants(child, levels - 1))]


def _siblings(node: Element) -> list[Element]:
    parent = node.getparent()
    if parent is None or node.tag == "text":
        return []
    others = [child for child in parent if child.tag != "text"]
    place = others.index(node)
    return others[max(0, place - SIBLINGS) : place + SIBLINGS + 1]


def render(tree: Element, numbers: dict[str, int], *, brackets: bool = True) -> str:
    """A tree as one line of short tags.

    Args:
        numbers: number shown for each backend_node_id; ids met for the first time are added, counting on.
        brackets: tags as <a ...>; False: upstream's other form, (a ...), used for its training targets.
    """
    tree = copy.deepcopy(tree)
    for element in tree.iter(etree.Element):
        if element.tag == "text":
            element.text = " ".join((element.text or "").split()[:WORDS_OF_TEXT])
            continue
        node = element.attrib.get(NODE)
        meta = _words_of_tag(element.attrib)
        element.attrib.clear()
        if node is not None:
            element.attrib["id"] = str(numbers.setdefault(node, len(numbers)))
        if meta:
            element.attrib["meta"] = meta
    return _shortened(etree.tostring(tree, encoding="unicode"), brackets)


def _words_of_tag(attributes: Mapping[str, str]) -> str:
    seen: dict[str, None] = {}
    for name in SHOWN_ATTRIBUTES:
        value = attributes.get(name, "").lower()
        if value in SAYS_NOTHING or value.startswith("http"):
            continue
        words = [word for word in value.split() if len(word) <= LONGEST_WORD]
        if words:
            seen[" ".join(words[:WORDS_OF_VALUE])] = None
    return " ".join(" ".join(seen).split()[:WORDS_OF_TAG])


def _shortened(xml: str, brackets: bool) -> str:
    text = xml.replace('"', " ").replace("meta= ", "").replace("id= ", "id=").replace(" >", ">")
    text = re.sub("<text>(.*?)</text>", r"\1", text)
    if not brackets:
        text = text.replace("/>", "$/$>")
        text = re.sub("</(.+?)>", ")", text)
        text = re.sub("<(.+?)>", r"(\1", text).replace("$/$", ")")
    for escaped, plain in UNESCAPED:
        text = text.replace(escaped, plain)
    return re.sub(r"\s+", " ", text).strip()


def choices(
    pruned: Element, numbers: dict[str, int], words: int, *, brackets: bool = True
) -> Iterator[tuple[str, str]]:
    """(backend_node_id, first words of its rendered subtree) of each candidate, in document order."""
    for element in pruned.iter(etree.Element):
        if NODE in element.attrib:
            text = render(element, numbers, brackets=brackets)
            yield element.attrib[NODE], " ".join(text.split()[:words])
