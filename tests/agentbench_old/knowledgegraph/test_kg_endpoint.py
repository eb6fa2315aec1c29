"""SPARQL over HTTP: the same results as in process, and a dead, slow or broken server is never an answer."""

from __future__ import annotations

import random
import socket
import time

import pytest

from agenttuning.episodes.types import EnvironmentFailure
from agenttuning.errors import KitError

from .conftest import SPEC, room, says, trickle

endpoint, graphs, programs, tools = room("endpoint"), room("graphs"), room("programs"), room("tools")
ONTOLOGY = room("ontology").read_own(SPEC.folder / "ontology.toml")
FILMS = "(JOIN film.director.film_inv m.0kd1)"
EMPTY = {"head": {"vars": ["x"]}, "results": {"bindings": []}}


def client(server, seconds=5.0, **options):
    return endpoint.HttpGraph(server.url, seconds, sleep=lambda seconds: None, **options)


def test_random_tool_walks_see_the_same_over_http_and_in_process(server):
    """Calls at random over the whole graph: same observations, same failures, same members."""
    rng = random.Random(7)
    own, http = graphs.own_graph(), client(server)
    names = ["m.0kc1", "m.0kd1", "m.0kd2", "m.0kr1", "m.0kh1", "m.0ki1", "m.0ks2", "m.0ko3", "g.11ktol"]
    checks = 0

    def both(call):
        results = []
        for graph in (own, http):
            try:
                results.append(call(graph))
            except (tools.ToolFailure, programs.QueryRefused):
                results.append("refused")
        assert results[0] == results[1]
        return results[0]

    for _ in range(25):
        boxes = {id(graph): tools.Toolbox(graph, ONTOLOGY, accept_g_ids=True) for graph in (own, http)}
        variables: list = []
        for _ in range(12):
            target = rng.choice(variables[-3:] or names) if rng.random() < 0.7 else rng.choice(names)
            kind = rng.random()
            if kind < 0.55 or not variables:
                tool, shown = "get_neighbors", both(lambda g: boxes[id(g)].call("get_relations", [target]))  # noqa: B023
            elif kind < 0.75:
                target = rng.choice(variables)
                tool = rng.choice(["argmax", "argmin"])
                shown = both(lambda g: boxes[id(g)].call("get_attributes", [target]))  # noqa: B023
            else:
                same = [v for v in variables if v.type == variables[-1].type]
                arguments = [variables[-1], rng.choice(same)]
                tool, shown = rng.choice([("intersection", None), ("union", None), ("count", None)])
                arguments = arguments[:1] if tool == "count" else arguments
            if shown is not None:
                listed = [] if shown == "refused" else shown
                if not listed:
                    continue
                arguments = [target, rng.choice(listed)]
            result = both(lambda g: boxes[id(g)].call(tool, arguments))  # noqa: B023
            if result != "refused":
                variables.append(result)
                both(lambda g: graphs.answers(g, variables[-1].program))  # noqa: B023
                checks += 1
    assert checks > 100


def test_the_query_is_posted_as_a_form(server):
    seen = []

    def look(handler, query):
        seen.append((handler.headers["Content-Type"], handler.headers["Accept"], handler.command))
        return False

    server.behave = look
    assert graphs.answers(client(server), FILMS) == ["m.0kf1", "m.0kf2", "m.0kf3"]
    assert seen == [("application/x-www-form-urlencoded", "application/sparql-results+json", "POST")]
    assert server.queries == [programs.answers_query(FILMS).text]


@pytest.mark.parametrize(
    "url",
    ["", "localhost", "ftp://h/sparql", "http://", "http://h:99999/", "file:///etc/passwd", "http://[::1"],
)
def test_a_wrong_address_is_refused(url):
    with pytest.raises(KitError, match="sparql_url"):
        endpoint.HttpGraph(url, 1.0)


def test_a_dead_server_is_an_environment_failure():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/sparql"
    waits = []
    graph = endpoint.HttpGraph(url, 5.0, sleep=waits.append)
    with pytest.raises(EnvironmentFailure, match="4 attempts"):
        graphs.answers(graph, FILMS)
    assert waits == [0.5, 1.0, 2.0]


@pytest.mark.parametrize("behave", ["hang", "trickle"])
def test_a_slow_server_is_an_environment_failure_in_time(server, behave):
    server.behave = server.hang if behave == "hang" else trickle
    started = time.perf_counter()
    with pytest.raises(EnvironmentFailure, match="query_seconds"):
        graphs.answers(client(server, 0.5), FILMS)
    assert time.perf_counter() - started < 3
    assert len(server.queries) == 1


def test_an_overloaded_server_is_tried_again(server):
    def twice_busy(handler, query):
        if len(server.queries) > 2:
            return False
        handler.send(503, b"busy")
        return True

    server.behave = twice_busy
    assert graphs.answers(client(server), FILMS) == ["m.0kf1", "m.0kf2", "m.0kf3"]
    server.behave = says(503, "busy")
    with pytest.raises(EnvironmentFailure, match="503"):
        graphs.answers(client(server), FILMS)


@pytest.mark.parametrize(
    "behave",
    [
        says(200, "<html>welcome</html>"),
        says(200, ""),
        says(200, "[]"),
        says(200, '{"boolean": true}'),
        says(200, "[" * 100_000),
        says(200, {"results": {"bindings": [1]}}),
        says(200, {"results": {"bindings": [{"x": {}}]}}),
        says(200, b"\xff\xfe"),
        says(204, ""),
        says(206, EMPTY),
        says(301, "", Location="http://127.0.0.1:9/"),
        says(401, "who are you"),
        says(404, "not here"),
        says(501, "cannot"),
        says(500, "Virtuoso S1T00 Error SR171: Transaction timed out"),
        says(500, "Virtuoso 40001 Error SR172: Transaction deadlocked"),
        says(500, "Virtuoso 08C01 Error: connection lost"),
        says(200, EMPTY, X_SQL_State="S1TAT", X_SQL_Message="anytime query: partial result"),
        says(500, "everything fails"),
        says(400, "everything fails"),
    ],
)  # fmt: skip
def test_a_broken_server_is_never_an_answer(server, behave):
    server.behave = behave
    with pytest.raises(EnvironmentFailure) as failure:
        graphs.answers(client(server, attempts=2), FILMS)
    assert server.url in str(failure.value)


def test_an_answer_cut_short_is_tried_again_and_then_a_failure(server):
    def cut(handler, query):
        handler.send_response(200)
        handler.send_header("Content-Length", "5000")
        handler.end_headers()
        handler.wfile.write(b'{"results"')
        handler.close_connection = True
        return True

    server.behave = cut
    with pytest.raises(EnvironmentFailure, match="attempts"):
        graphs.answers(client(server, attempts=2), FILMS)
    assert len(server.queries) == 2


@pytest.mark.parametrize(
    "said",
    [
        "Virtuoso 42000 Error The estimated execution time 9999 (sec) exceeds the limit of 600 (sec).",
        "Virtuoso 37000 Error SP030",
    ],
)
def test_a_healthy_server_that_refuses_a_query_blames_the_query(server, said):
    def refuse(handler, query):
        if "LIMIT 1" in query and "type.object.type" in query:
            return False
        handler.send(500, said.encode())
        return True

    server.behave = refuse
    with pytest.raises(programs.QueryRefused, match="refused"):
        graphs.answers(client(server), FILMS)


def test_rows_without_exactly_one_value_are_refused(server):
    def odd(handler, query):
        if "type.object.type" in query:
            return False
        handler.send(200, b'{"results": {"bindings": [{}]}}')
        return True

    server.behave = odd
    with pytest.raises(programs.QueryRefused, match="one value"):
        graphs.answers(client(server), FILMS)


def test_a_server_without_freebase_is_found_out(server):
    server.store.clear()
    with pytest.raises(EnvironmentFailure, match="holds no Freebase data"):
        client(server).probe()


def test_an_endless_answer_is_cut(server, monkeypatch):
    monkeypatch.setattr(endpoint, "MAX_BYTES", 1000)

    def long(handler, query):
        if "type.object.type" in query:
            return False
        handler.send(200, b" " * 200_000)
        return True

    server.behave = long
    with pytest.raises(programs.QueryRefused, match="longer than"):
        graphs.answers(client(server), FILMS)
