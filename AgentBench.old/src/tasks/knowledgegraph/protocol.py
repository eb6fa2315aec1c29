"""The conversation of one episode: up to 15 replies, each one call or the final answer.

Follows `predict_single` of AgentBench.old/src/tasks/knowledgegraph/task.py @ e33a45d.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from agenttuning.episodes.types import Status
from agenttuning.models.types import Message

from .graphs import answers
from .parsing import (
    action_line,
    call_names,
    entity_aware_arguments,
    final_answer,
    joined,
    kept,
    strict_arguments,
    variable_number,
    without_word,
)
from .programs import QueryRefused
from .tools import Argument, Toolbox, ToolFailure, Variable


@dataclass(frozen=True)
class Replies:
    """What the environment says.

    Attributes:
        members: a call made a variable of entities; `{variable}` (as `#0`) and `{type}` are filled in.
        number: a count made one.
        no_action: no action line in a reply.
        no_call: an action line without a call.
        no_variable: a final answer with a number that no variable has.
        syntax: a call, `{name}`, whose arguments cannot be read.
        failed: a call that cannot be executed, for `{reason}`; `{arguments}` are what could be read.
        failed_intersection: the same for intersection.
        remember_arguments: show the last arguments that could be read at all, even an earlier call's, where this
            call's cannot; and never `syntax` after the first readable call. Upstream does.
    """

    members: str
    number: str
    no_action: str
    no_call: str
    no_variable: str
    syntax: str
    failed: str
    failed_intersection: str
    remember_arguments: bool


PAPER = Replies(
    members="Observation: variable {variable}, which are instances of {type}",
    number="Observation: variable {variable}, which is a number",
    no_action="No executable function found! Need to recheck the action.",
    no_call="Function is not executed!",
    no_variable="Invalid variable id! Need to recheck the action.",
    syntax="I may make a syntax error when calling {name} (e.g., unmatched parenthesis). "
    "I need to fix it and reuse the tool",
    failed="{name}({arguments}) cannot be executed. You may make a mistake and need to fix it.",
    failed_intersection="{name}({arguments}) cannot be executed. The two variables are not of the same type. "
    "You may further explore them by call get_relations",
    remember_arguments=True,
)
"""The protocol's own answers, word for word as a model trained on it knows them: with other words the paper's number would
not be measured. They are part of the interface, like the tools' names."""


UPSTREAM_NAMES = frozenset(
    {
        "DEMOS", "DataPiece", "Dataset", "INSTRUCTIONS", "KnowledgeGraph", "ONE_SHOT", "Path",
        "SparqlExecuter", "Task", "Union", "Variable", "attributes", "f", "final_execute", "json",
        "lisp_to_sparql", "path", "postprocess_raw_code", "range_info", "re", "relations", "sys",
        "variable_attributes_cache", "variable_relations_cache", "vocab",
    }
)  # fmt: skip
"""Names that upstream finds when it looks up a tool, because it looks in its whole module. Calling them fails; all that is
left of it here is that their arguments count as read."""


@dataclass
class Conversation:
    """How an episode went.

    Attributes:
        messages: all turns, the last one is the model's.
        actions: calls that were executed, in order.
        observations: what the environment answered, in order.
        failures: replies that were neither a call that could be executed nor a valid final answer.
        turns: the model's replies.
        variables: what the calls made.
        prediction: the final answer's members, sorted; empty without a final answer.
        refused: why the final answer could not be executed; upstream loses such a sample.
        status, detail: how it ended.
    """

    messages: list[Message]
    actions: list[str] = field(default_factory=list)
    observations: list[str] = field(default_factory=list)
    failures: int = 0
    turns: int = 0
    variables: list[Variable] = field(default_factory=list)
    prediction: list[str] = field(default_factory=list)
    refused: str = ""
    status: Status = Status.TURN_LIMIT
    detail: str = ""


def converse(
    opening: list[Message],
    reply: Callable[[list[Message]], str],
    entities: Mapping[str, str],
    toolbox: Toolbox,
    *,
    rounds: int,
    replies: Replies,
    entity_aware: bool = False,
    patience: int | None = None,
) -> Conversation:
    """Play an episode.

    Args:
        opening: the first turns, ending with the user's.
        reply: asks the model.
        entities: id by name, of the question.
        rounds: the model's turns. No warning is given before the last one.
        entity_aware: read names with commas and parentheses (see parsing).
        patience: identical replies in a row that end the episode; None for upstream's way, which is not to notice.

    Raises:
        EnvironmentFailure: the graph broke.
    """
    talk = Conversation(list(opening))
    caller = _Caller(talk, entities, toolbox, replies, entity_aware)
    for turn in range(rounds):
        text = kept(reply(talk.messages))
        talk.turns = turn + 1
        talk.messages.append({"role": "assistant", "content": text})
        said_before = [m["content"] for m in talk.messages[len(opening) :: 2][-(patience or 1) :]]
        if patience is not None and len(said_before) == patience and len(set(said_before)) == 1:
            talk.status = Status.REPETITION
            talk.detail = f"{patience} identical replies in a row"
            return talk
        number = final_answer(text)
        if number is not None and number < len(talk.variables):
            return _finish(talk, talk.variables[number], toolbox, number)
        if number is not None:
            talk.failures += 1
            said = replies.no_variable
        else:
            said = caller.act(text)
        talk.observations.append(said)
        talk.messages.append({"role": "user", "content": said})
    talk.detail = f"no final answer in {rounds} turns"
    return talk


def _finish(talk: Conversation, variable: Variable, toolbox: Toolbox, number: int) -> Conversation:
    try:
        talk.prediction = answers(toolbox.graph, variable.program)
    except QueryRefused as error:
        talk.refused = str(error)
        talk.status = Status.INVALID_ACTION
        talk.detail = f"variable #{number} cannot be evaluated: {error}"
        return talk
    talk.status = Status.COMPLETED
    talk.detail = f"answered with variable #{number}"
    return talk


@dataclass
class _Caller:
    """Executes action lines."""

    talk: Conversation
    entities: Mapping[str, str]
    toolbox: Toolbox
    replies: Replies
    entity_aware: bool
    readable: list[str] | None = None  # arguments of the last call that had any, in the whole episode

    def act(self, text: str) -> str:
        """Run the first call of the text that can be run; returns what to say."""
        line = action_line(text)
        said = self.replies.no_action if line is None else self.replies.no_call
        for name in call_names(line or ""):
            if not self.replies.remember_arguments:
                self.readable = None
            try:
                return self._run(name, line or "")
            except ToolFailure as failure:
                said = self._failure(name, str(failure))
            except (ValueError, IndexError):
                said = self._failure(name, "there is no variable of that number")
        self.talk.failures += 1
        return said

    def _run(self, name: str, line: str) -> str:
        if self.replies.remember_arguments and not (self.toolbox.knows(name) or name in UPSTREAM_NAMES):
            raise ToolFailure(f"there is no tool {name}")
        given = (
            entity_aware_arguments(name, line, self.entities)
            if self.entity_aware
            else strict_arguments(name, line)
        )
        if given is None:
            raise ToolFailure("the arguments cannot be read")
        self.readable = given
        made = self.toolbox.call(name, [self._resolved(argument) for argument in given])
        self.talk.actions.append(f"{name}({joined(given)})")
        if not isinstance(made, Variable):
            return f"Observation: [{', '.join(made)}]"
        shown = {"variable": f"#{len(self.talk.variables)}", "type": made.type}
        self.talk.variables.append(made)
        return _filled(self.replies.number if name == "count" else self.replies.members, shown)

    def _resolved(self, argument: str) -> Argument:
        if self.entity_aware and argument in self.entities:
            return self.entities[argument]
        number = variable_number(argument)
        if number is not None:
            return self.talk.variables[number]
        return self.entities.get(without_word(argument), argument)

    def _failure(self, name: str, reason: str) -> str:
        if self.readable is None:
            return _filled(self.replies.syntax, {"name": name, "reason": reason})
        text = self.replies.failed_intersection if name == "intersection" else self.replies.failed
        return _filled(text, {"name": name, "arguments": joined(self.readable), "reason": reason})


def _filled(text: str, values: Mapping[str, str]) -> str:
    """Put values into a text in one pass, so that a value with braces stays as it is."""
    return re.sub(r"\{(name|arguments|reason|variable|type)\}", lambda found: values.get(found[1], ""), text)
