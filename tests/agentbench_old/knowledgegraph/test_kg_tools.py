"""The tools' preconditions, their memory, and what an episode's bookkeeping does with them."""

from __future__ import annotations

import pytest

from agenttuning.episodes.types import EnvironmentFailure, Status

from .conftest import SPEC, room

tools, graphs, protocol, programs = room("tools"), room("graphs"), room("protocol"), room("programs")
ONTOLOGY = room("ontology").read_own(SPEC.folder / "ontology.toml")
GRAPH = graphs.own_graph()
KIT = room("task").TASK(SPEC, "kit").replies
ENTITIES = {
    "Ines Varga": "m.0kd1",
    "Tol": "g.11ktol",
    "Amer": "m.0kr1",
    "Arch bridge": "m.0ky1",
    "odd": "f.0k",
}


def box(**options):
    return tools.Toolbox(GRAPH, ONTOLOGY, **options)


def made(toolbox, entity="m.0kd1", relation="film.director.film"):
    toolbox.call("get_relations", [entity])
    return toolbox.call("get_neighbors", [entity, relation])


def fails(toolbox, name, *arguments):
    with pytest.raises(tools.ToolFailure):
        toolbox.call(name, list(arguments))


def talk(*said, replies=protocol.PAPER, toolbox=None, entities=ENTITIES, entity_aware=False):
    given = iter(said)
    opening = [{"role": "user", "content": "q"}]
    return protocol.converse(
        opening, lambda messages: next(given, "AAAAA"), entities, toolbox or box(), rounds=15, replies=replies,
        entity_aware=entity_aware,
    )  # fmt: skip


def test_lists_are_sorted_and_hold_only_what_the_vocabulary_offers():
    listed = box().call("get_relations", ["m.0kf1"])
    assert listed == ["film.film.country", "film.film.directed_by", "film.film.genre", "film.film.language"]
    assert box().call("get_relations", ["m.0knobody"]) == []


def test_what_the_environment_says():
    calls = [
        "Action: get_relations(Ines Varga)",
        "Action: get_neighbors(Ines Varga, film.director.film)",
        "Action: count(#0)",
    ]
    listed, films, number = talk(*calls).observations[:3]
    assert listed.startswith("Observation: [film.director.film, people.person.nationality, ")
    assert films == "Observation: variable #0, which are instances of film.film"
    assert number == "Observation: variable #1, which is a number"
    ours = talk(*calls, replies=KIT).observations
    assert ours[:3] == [listed, "Observation: #0 = entities of type film.film", "Observation: #1 = a number"]


def test_relations_must_be_shown_before_they_are_followed():
    toolbox = box()
    fails(toolbox, "get_neighbors", "m.0kd1", "film.director.film")
    toolbox.call("get_relations", ["m.0kd1"])
    fails(toolbox, "get_neighbors", "m.0kd1", "film.film.genre")
    fails(toolbox, "get_neighbors", "m.0kd2", "film.director.film")
    variable = toolbox.call("get_neighbors", ["m.0kd1", "film.director.film"])
    assert variable == tools.Variable("film.film", "(JOIN film.director.film_inv m.0kd1)")


def test_the_memory_belongs_to_the_episode():
    """Upstream keeps it in the process, so that one sample's call makes another sample's legal."""
    first = box()
    variable = made(first)
    first.call("get_attributes", [variable])
    second = box()
    fails(second, "get_neighbors", "m.0kd1", "film.director.film")
    fails(second, "argmax", variable, "film.film.initial_release_date")


@pytest.mark.parametrize(
    "argument", ["", "m.", "x.01", "m.01 ", "m.01\n", "m.0-1", "m.1> <", "film.film.genre", "common.topic"]
)
def test_only_ids_and_variables_are_explored(argument):
    fails(box(), "get_relations", argument)


def test_g_ids_are_refused_unless_asked_for():
    fails(box(), "get_relations", "g.11ktol")
    assert "geography.river.mouth" in box(accept_g_ids=True).call("get_relations", ["g.11ktol"])


def test_attributes_are_for_variables_and_must_be_shown_before_a_superlative():
    toolbox = box()
    fails(toolbox, "get_attributes", "m.0kd1")
    variable = made(toolbox)
    fails(toolbox, "argmax", variable, "film.film.initial_release_date")
    assert toolbox.call("get_attributes", [variable]) == ["film.film.initial_release_date"]
    fails(toolbox, "argmax", variable, "film.film.genre")
    fails(toolbox, "argmin", "m.0kd1", "film.film.initial_release_date")
    best = toolbox.call("argmin", [variable, "film.film.initial_release_date"])
    assert best.type == "film.film" and best.program.startswith("(ARGMIN ")


def test_an_intersection_needs_two_variables_of_one_type():
    toolbox = box()
    films, professions = made(toolbox), made(toolbox, relation="people.person.profession")
    fails(toolbox, "intersection", films, professions)
    fails(toolbox, "intersection", films, "m.0kd1")
    fails(toolbox, "intersection", films)
    assert toolbox.call("intersection", [films, films]).type == "film.film"


def test_a_count_is_a_number_without_relations():
    toolbox = box()
    number = toolbox.call("count", [made(toolbox)])
    assert number.type == "type.int"
    fails(toolbox, "get_relations", number)
    fails(toolbox, "get_attributes", number)
    fails(toolbox, "count", "m.0kd1")


def test_the_hidden_union_can_be_taken_away():
    toolbox = box()
    films = made(toolbox)
    assert graphs.answers(GRAPH, toolbox.call("union", [films, films]).program) == []
    fails(box(hidden_union=False), "union", films, films)


@pytest.mark.parametrize(
    "name", ["eval", "__import__", "call", "_find", "Variable", "", "get_relation", "COUNT"]
)
def test_there_are_no_other_tools(name):
    fails(box(), name, "m.0kd1")


def test_a_count_of_a_superlative_is_lost_in_profile_paper_and_refused_in_profile_kit():
    calls = [
        "Action: get_relations(Ines Varga)",
        "Action: get_neighbors(Ines Varga, film.director.film)",
        "Action: get_attributes(#0)",
        "Action: argmax(#0, film.film.initial_release_date)",
        "Action: count(#1)",
        "Final Answer: #2",
    ]
    lost = talk(*calls)
    assert lost.status is Status.INVALID_ACTION and lost.refused and lost.prediction == []
    kept = talk(*calls, "Final Answer: #1", replies=KIT, toolbox=box(check_programs=True))
    assert kept.status is Status.COMPLETED and kept.prediction == ["m.0kf3"]
    assert "did not work" in kept.observations[4]


def test_an_f_id_can_be_explored_but_not_answered_with():
    toolbox = box()
    toolbox.call("get_relations", ["f.0k"])
    toolbox._relations["f.0k"] = frozenset({"film.director.film"})
    variable = toolbox.call("get_neighbors", ["f.0k", "film.director.film"])
    with pytest.raises(programs.QueryRefused):
        graphs.answers(GRAPH, variable.program)


def test_the_last_turn_is_not_announced_and_ends_the_episode():
    found = talk()
    assert found.status is Status.TURN_LIMIT and found.turns == 15 and found.prediction == []
    assert found.observations == [protocol.PAPER.no_action] * 15
    assert talk(*["Action: get_relations(Amer)"] * 14, "Final Answer: #0").status is Status.TURN_LIMIT
    answered = ["Action: get_relations(Amer)", "Action: get_neighbors(Amer, geography.river.mouth)"]
    assert talk(*answered, *["x"] * 12, "Final Answer: #0").prediction == ["m.0kt1"]


def test_stale_arguments_are_upstreams_and_not_ours():
    said = ["Action: get_relations(Amer)", "Action: lookup(Arch bridge)", "Action: get_relations(Amer"]
    assert talk(*said).observations[1].startswith("lookup(Amer) cannot")
    assert talk(*said).observations[2].startswith("get_relations(Amer) cannot")
    ours = talk(*said, replies=KIT, toolbox=box(hidden_union=False)).observations
    assert "lookup(Arch bridge) did not work: there is no tool lookup" in ours[1]
    assert "cannot be read" in ours[2]


def test_what_a_model_writes_is_not_taken_for_a_placeholder():
    reply = talk("Action: count({reason}{name})", replies=KIT).observations[0]
    assert reply.startswith("count({reason}{name}) did not work: '{reason}{name}' is no variable")


def test_a_name_that_holds_the_word_variable_is_lost_in_profile_paper_only():
    """Upstream drops `variable ` from every argument before it looks the name up (sample std-48)."""
    names = {"variable stars": "m.0kd1"}
    call = "Action: get_relations(variable stars)"
    assert "cannot be executed" in talk(call, entities=names).observations[0]
    assert talk(call, entities=names, entity_aware=True).observations[0].startswith("Observation: [")


def test_a_broken_graph_is_no_tool_failure():
    class Broken:
        def select(self, query):
            raise EnvironmentFailure("gone")

    for said in (["Action: get_relations(Amer)"],):
        with pytest.raises(EnvironmentFailure):
            talk(*said, toolbox=tools.Toolbox(Broken(), ONTOLOGY))


def test_nothing_a_model_writes_reaches_the_graph_unchecked():
    """Only ids, vocabulary names and variables become part of a query."""

    class Recording:
        def __init__(self):
            self.texts = []

        def select(self, query):
            self.texts.append(query.text)
            return GRAPH.select(query)

    graph = Recording()
    evil = "m.0kd1> ?p ?o } ; DROP ALL #"
    talk(
        f"Action: get_relations({evil})",
        "Action: get_relations(Ines Varga)",
        f"Action: get_neighbors(Ines Varga, {evil})",
        "Action: get_neighbors(Ines Varga, film.director.film)",
        "Action: get_attributes(#0)",
        f"Action: argmax(#0, {evil})",
        "Final Answer: #0",
        toolbox=tools.Toolbox(graph, ONTOLOGY),
    )
    assert len(graph.texts) == 3 and not any("DROP" in text for text in graph.texts)
