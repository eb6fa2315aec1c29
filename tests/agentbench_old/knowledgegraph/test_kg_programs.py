"""Programs, their SPARQL, the embedded graph."""

from __future__ import annotations

import time
import tomllib

import pytest

from .conftest import SPEC, room

programs, graphs, ontology = room("programs"), room("graphs"), room("ontology")
NS = programs.NS


@pytest.fixture(scope="module")
def graph():
    return graphs.own_graph()


def members(graph, program):
    return graphs.answers(graph, program)


FILMS = "(JOIN film.director.film_inv m.0kd2)"


@pytest.mark.parametrize("text", ["", "(", ")", "(a", "a)", "a b", "(a) (b)", "((a)"])
def test_what_is_not_one_expression_is_refused(text):
    with pytest.raises(programs.QueryRefused):
        programs.parse(text)


@pytest.mark.parametrize(
    "program",
    [
        "m.01",
        "(R a)",
        "(JOIN a)",
        "(JOIN (R (R a)) m.01)",
        "(JOIN a_inv f.01)",
        "(JOIN a_inv common.topic)",
        "(AND (JOIN a_inv m.1))",
        "(ARGMAX (JOIN a_inv m.1) (JOIN b_inv m.1))",
        "(COUNT (ARGMAX (JOIN a_inv m.1) b))",
        "(ARGMAX (ARGMAX (JOIN a_inv m.1) b) c)",
        "(AND (ARGMAX (JOIN a_inv m.1) b) (ARGMIN (JOIN a_inv m.1) b))",
        "(lt a m.1)",
    ],
)
def test_a_program_without_well_formed_sparql_is_refused(program):
    with pytest.raises(programs.QueryRefused):
        programs.answers_query(program)


@pytest.mark.parametrize(
    "name",
    ["m.1> . ?s ?p ?o . <x", "m.1}", "m.1 m.2", 'm.1"', "m.1\n", "m.1\\", "m.1{", "", "m.1;drop", "m.1#x"],
)
def test_a_name_can_never_change_a_query(name):
    with pytest.raises(programs.QueryRefused):
        programs.iri(name)
    with pytest.raises(programs.QueryRefused):
        programs.entity_predicates_query(name)


def test_predicates_of_a_number_are_refused():
    with pytest.raises(programs.QueryRefused, match="number"):
        programs.predicates_query(f"(COUNT {FILMS})")


def test_a_program_of_many_operators_is_refused_at_once():
    program = FILMS
    for _ in range(14):
        program = f"(AND {program} {program})"
    started = time.perf_counter()
    with pytest.raises(programs.QueryRefused, match="operators"):
        programs.answers_query(program)
    assert time.perf_counter() - started < 0.5


def test_the_graph_is_as_large_as_promised_and_every_predicate_is_known(graph):
    assert len(graph) >= 300
    known = set(ontology.read_own(SPEC.folder / "ontology.toml").ranges)
    assert graph.predicates() - known == {"base.private.remade_as", "type.object.name", "type.object.type"}
    assert known <= graph.predicates()


@pytest.mark.mirror
def test_our_table_of_predicates_agrees_with_freebases(mirror):
    from agenttuning import sources

    own = ontology.read_own(SPEC.folder / "ontology.toml")
    theirs = ontology.read_upstream(
        sources.file("knowledgegraph-vocab"), sources.file("knowledgegraph-roles")
    )
    assert own.relations <= theirs.relations and own.attributes <= theirs.attributes
    assert {name: theirs.ranges[name] for name in own.ranges} == dict(own.ranges)
    assert len(theirs.relations) == 13100 and len(theirs.attributes) == 3384 and len(theirs.ranges) == 19280
    assert not theirs.relations & theirs.attributes
    assert all(programs.iri(name) for name in theirs.relations | theirs.attributes | set(theirs.ranges))


def test_a_relation_and_its_reverse_agree_where_both_are_kept():
    pairs = {
        "film.director.film": "film.film.directed_by",
        "film.film_genre.films_in_this_genre": "film.film.genre",
        "geography.body_of_water.bridges": "transportation.bridge.body_of_water_spanned",
        "transportation.bridge_type.bridges_of_this_type": "transportation.bridge.bridge_type",
        "geography.mountain_range.mountains": "geography.mountain.mountain_range",
        "geography.mountaineer.first_ascents": "geography.mountain.first_ascenders",
        "food.cheese_milk_source.cheeses": "food.cheese.source_of_milk",
        "food.cheese_texture.cheeses": "food.cheese.texture",
        "spaceflight.rocket_engine_cycle.rocket_engines": "spaceflight.bipropellant_rocket_engine.engine_cycle",
        "spaceflight.rocket_engine_fuel.rocket_engines": "spaceflight.bipropellant_rocket_engine.fuel",
        "spaceflight.rocket_engine_designer.rocket_engines": "spaceflight.rocket_engine.designed_by",
        "people.profession.people_with_this_profession": "people.person.profession",
        "people.person.spouse_s": "people.marriage.spouse",
        "location.country.languages_spoken": "language.human_language.countries_spoken_in",
        "location.location.people_born_here": "people.person.place_of_birth",
        "location.location.contains": "location.location.containedby",
    }
    import pyoxigraph

    store = pyoxigraph.Store()
    store.load((SPEC.folder / "graph.ttl").read_text(), format=pyoxigraph.RdfFormat.TURTLE)

    def edges(name):
        found = store.quads_for_pattern(None, pyoxigraph.NamedNode(NS + name), None)
        return {(q.subject.value, q.object.value) for q in found}

    for there, back in pairs.items():
        assert edges(there) - {(NS + "m.0kd2", NS + "m.0kd2")} == {(o, s) for s, o in edges(back)}, there


def test_the_question_s_entity_is_never_an_answer(graph):
    assert members(graph, FILMS) == ["m.0kf3", "m.0kf4", "m.0kf5"]
    assert members(graph, f"(COUNT {FILMS})") == ["3"]


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        (f"(ARGMAX {FILMS} film.film.initial_release_date)", ["m.0kf3", "m.0kf4"]),
        (f"(ARGMIN {FILMS} film.film.initial_release_date)", ["m.0kf5"]),
        (
            f"(JOIN film.film.country_inv (ARGMAX {FILMS} film.film.initial_release_date))",
            ["m.0kc1", "m.0kc3"],
        ),
        ("(JOIN type.object.name_inv m.0kc1)", ["Haldria"]),
        ("(JOIN people.person.date_of_birth_inv m.0kd2)", ["1947-11-02"]),
        (f"(COUNT (AND {FILMS} (JOIN film.director.film_inv m.0kd3)))", ["0"]),
        (f"(AND {FILMS} (JOIN film.director.film_inv m.0kd3))", []),
        (f"(OR {FILMS} (JOIN film.director.film_inv m.0kd3))", []),
        ("(JOIN film.film.directed_by m.0kd1)", ["m.0kf1", "m.0kf2", "m.0kf3"]),
    ],
)
def test_members(graph, program, expected):
    assert members(graph, program) == expected


def test_a_superlative_is_taken_among_what_later_steps_leave(graph):
    # The longest bridge over the Amer is b2; of those that are also truss bridges only b3 is left.
    longest = "(ARGMAX (JOIN geography.body_of_water.bridges_inv m.0kr1) transportation.bridge.total_length)"
    assert members(graph, longest) == ["m.0kb2"]
    truss = "(JOIN transportation.bridge_type.bridges_of_this_type_inv m.0ky3)"
    assert members(graph, f"(AND {longest} {truss})") == ["m.0kb3"]


def test_values_lose_namespace_and_time_zone():
    assert programs.cleaned(f"{NS}m.01") == "m.01"
    assert programs.cleaned("1961-03-04-08:00") == "1961-03-04"


def test_a_query_with_too_many_ways_is_refused_instead_of_run():
    """A program that meets itself over and over through lists of several members has exponentially many ways."""
    graph = graphs.own_graph()
    around = "(JOIN film.film.genre_inv (JOIN film.film_genre.films_in_this_genre_inv m.0kg2))"
    program = around
    for _ in range(3):
        program = f"(AND {program} {program})"
    for _ in range(2):
        program = f"(JOIN film.film.genre_inv (JOIN film.film_genre.films_in_this_genre_inv {program}))"
    query = programs.answers_query(program)
    assert graph.paths(query) > graphs.MAX_PATHS
    started = time.perf_counter()
    with pytest.raises(programs.QueryRefused, match="ways"):
        graph.select(query)
    assert time.perf_counter() - started < 0.2


def test_the_most_expensive_query_that_is_run_ends_soon(graph):
    program = "(JOIN film.film_genre.films_in_this_genre_inv m.0kg2)"
    query = programs.answers_query(program)
    while True:
        program = f"(JOIN film.film_genre.films_in_this_genre_inv (JOIN film.film.genre_inv {program}))"
        longer = programs.answers_query(program)
        if graph.paths(longer) > graphs.MAX_PATHS:
            break
        query = longer
    assert graph.paths(query) > graphs.MAX_PATHS / 20
    started = time.perf_counter()
    assert graph.select(query)
    assert time.perf_counter() - started < 10


def test_bound_of_ways_is_never_below_the_solutions(graph):
    import pyoxigraph

    store = pyoxigraph.Store()
    store.load((SPEC.folder / "graph.ttl").read_text(), format=pyoxigraph.RdfFormat.TURTLE)
    for program in (
        FILMS,
        f"(JOIN film.film.genre_inv {FILMS})",
        f"(AND {FILMS} (JOIN film.film_genre.films_in_this_genre_inv (JOIN film.film.genre_inv {FILMS})))",
        f"(OR {FILMS} {FILMS})",
        "(JOIN film.film.directed_by m.0kd1)",
    ):
        query = programs.answers_query(program)
        patterns = "\n".join(triple.text for triple in query.triples)
        solutions = len(list(store.query(f"SELECT * WHERE {{ {patterns} }}")))
        assert solutions <= graph.paths(query), program


def test_the_table_of_predicates_is_plain_toml():
    ranges = tomllib.loads((SPEC.folder / "ontology.toml").read_text())["ranges"]
    assert all(isinstance(kind, str) and "." in kind for kind in ranges.values())


def test_a_broken_vocabulary_is_one_sentence(tmp_path):
    from agenttuning.errors import KitError

    (tmp_path / "v").write_text("{}")
    (tmp_path / "r").write_text("a b c\n")
    with pytest.raises(KitError, match="not a Freebase vocabulary"):
        ontology.read_upstream(tmp_path / "v", tmp_path / "r")
    (tmp_path / "v").write_text('{"relations": [], "attributes": []}')
    (tmp_path / "r").write_text("only two\n")
    with pytest.raises(KitError, match="not a Freebase vocabulary"):
        ontology.read_upstream(tmp_path / "v", tmp_path / "r")
