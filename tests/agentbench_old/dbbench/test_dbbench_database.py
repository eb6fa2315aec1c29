"""Observations of the real server: upstream's form, limits, isolation. Expected texts were recorded with
mysql-connector-python 8.0.33, upstream's client, on the same server."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from .conftest import STATEMENT_SECONDS, Episode, room

OUT_OF_SYNC = "Commands out of sync; you can't run this command now"


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT * FROM `T 1`", "[('x', '3'), ('y', '4')]"),
        ("SELECT 1;;", "[(1,)]"),
        ("", "[]"),
        ("-- only", "[]"),
        ("UPDATE `T 1` SET B = '5'", "[]"),
        ("SELECT * FROM nope", "1146 (42S02): Table 'T 1.nope' doesn't exist"),
        ("SELECT * FROM other.t", "1049 (42000): Unknown database 'other'"),
        ("USE other", "1049 (42000): Unknown database 'other'"),
        ("SELECT nope FROM `T 1`", "1054 (42S22): Unknown column 'nope' in 'field list'"),
        ("SELECT A FROM `T 1` WHERE nope", "1054 (42S22): Unknown column 'nope' in 'where clause'"),
        ("SELECT SUM(B), AVG(B), COUNT(*) FROM `T 1`", "[(7.0, 3.5, 2)]"),
        (
            "SELECT 1.50, 1e0, DATE('2020-01-02'), TIMESTAMP('2020-01-02 03:04:05'), TIMEDIFF('10:00:00', '12:30:00'), NULL",
            "[(Decimal('1.50'), 1.0, datetime.date(2020, 1, 2), datetime.datetime(2020, 1, 2, 3, 4, 5), "
            "datetime.timedelta(days=-1, seconds=77400), None)]",
        ),
        (
            "SELECT CAST('0000-00-00' AS DATE), b'101', UNHEX('FF')",
            "[(None, bytearray(b'\\x05'), bytearray(b'\\xff'))]",
        ),
        ("SELECT 'it''s', 'a\\\\b', 'q\"q', 'é中'", "[(\"it's\", 'a\\\\b', 'q\"q', 'é中')]"),
        ("SELECT A LIKE '%x%', '%s %d' FROM `T 1`", "[(1, '%s %d'), (0, '%s %d')]"),
        ("SHOW TABLES", "[('T 1',)]"),
        ("SELECT DATABASE()", "[('T 1',)]"),
        ("SELECT 1; SELECT 2", OUT_OF_SYNC),
        ("SELECT 1; bogus", OUT_OF_SYNC),
        ("SELECT REPEAT('a', 5000000)", "[(None,)]"),
    ],
)
def test_observation(episode: Episode, sql: str, expected: str) -> None:
    with episode() as database:
        assert database.execute(sql).text == expected


def test_syntax_error_names_mysql(episode: Episode) -> None:
    with episode() as database:
        text = database.execute("SELEC 1").text
    assert (
        text.startswith("1064 (42000): You have an error in your SQL syntax; ")
        and "your MySQL server version" in text
    )


def test_observation_is_cut_at_800_characters(episode: Episode) -> None:
    with episode() as database:
        whole = "[('" + "ab" * 600 + "',)]"
        assert database.execute("SELECT REPEAT('ab', 600)").text == whole[:800] + "[CUT]"
        assert database.execute("SELECT REPEAT('a', 793)").text == "[('" + "a" * 793 + "',)]"  # exactly 800
        assert database.execute("SELECT REPEAT('a', 794)").text.endswith("[CUT]")


def test_session_state_is_lost_between_statements(episode: Episode) -> None:
    with episode() as database:
        database.execute("SET @a = 1")
        assert database.execute("SELECT @a").text == "[(None,)]"
        database.execute("CREATE TEMPORARY TABLE t (a int)")
        assert database.execute("SELECT * FROM t").text.startswith("1146")


def test_several_statements_run_but_only_what_they_commit_stays(episode: Episode) -> None:
    with episode() as database:
        assert database.execute("UPDATE `T 1` SET B = '9'; SELECT * FROM `T 1`").text == OUT_OF_SYNC
        assert "'9'" not in database.execute("SELECT * FROM `T 1`").text
        database.execute("SELECT 1; UPDATE `T 1` SET B = '7' WHERE A = 'x'; COMMIT")
        assert database.execute("SELECT * FROM `T 1`").text == "[('x', '7'), ('y', '4')]"


def test_kit_takes_one_statement_at_a_time(episode: Episode) -> None:
    with episode(multi=False) as database:
        assert database.execute("SELECT 1; UPDATE `T 1` SET B = '9'").text.startswith("1064 (42000)")
        database.execute("CREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2; END")
        assert database.execute("CALL p()").text == "[(1,)]"


def test_hash_query_equals_our_own(episode: Episode) -> None:
    state_hash = room("tables").state_hash
    with episode(columns=("A %", "B\\n"), rows=(("it's", "a\\b"), ('q"', "é"), ("%s", "None"))) as database:
        database.execute("INSERT INTO `T 1` (`A %`) VALUES ('new')")
        rows = [("it's", "a\\b"), ('q"', "é"), ("%s", "None"), ("new", None)]
        assert database.final_hash() == state_hash(rows)
        assert database.execute(database.table.hash_query()).text == f"[('{state_hash(rows)}',)]"
        database.execute("DELETE FROM `T 1`")
        assert (
            database.execute(database.table.hash_query()).text == "[(None,)]"
            and database.final_hash() is None
        )
        database.execute("DROP TABLE `T 1`")
        assert (
            database.execute(database.table.hash_query()).text.startswith("1146")
            and database.final_hash() is None
        )


@pytest.mark.parametrize(
    ("columns", "rows", "number", "shows"),
    [
        (("A", "A"), (("1", "2"),), "1060", "1146"),
        (("A", "B"), (("1", "2"), ("3",)), "1136", "[]"),
        (("A", ""), (("1", "2"),), "1166", "1146"),
    ],
)
def test_defect_of_the_data_leaves_the_episode_playable(
    episode: Episode, columns: Any, rows: Any, number: str, shows: str
) -> None:
    with episode(columns=columns, rows=rows) as database:
        assert database.defect.startswith(number)
        assert database.execute("SELECT * FROM `T 1`").text.startswith(shows)


@pytest.mark.parametrize("name", ["a/b", "100% `x`", "it's", "Ü_1", "a\\b", "x" * 64])
def test_odd_names(episode: Episode, name: str) -> None:
    with episode(name=name) as database:
        assert database.defect == ""
        assert database.execute(f"SELECT B FROM {room('tables').quoted(name)}").text == "[('3',), ('4',)]"


DENIED = [
    "DROP DATABASE mysql",
    "SHUTDOWN",
    "SET GLOBAL max_connections = 1",
    "SET GLOBAL general_log = 1",
    "CREATE USER x",
    "GRANT ALL ON *.* TO x",
    "SELECT * FROM mysql.user",
    "USE mysql",
    "CREATE DATABASE elsewhere",
    "FLUSH TABLES WITH READ LOCK",
    "INSTALL SONAME 'ha_connect'",
    "CREATE FUNCTION f RETURNS STRING SONAME 'x.so'",
    "LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE `T 1`",
    "LOAD DATA INFILE '/etc/passwd' INTO TABLE `T 1`",
]


@pytest.mark.parametrize("sql", DENIED)
def test_denied(episode: Episode, sql: str) -> None:
    with episode() as database:
        answer = database.execute(sql)
        assert not answer.ok and answer.text[:4].isdigit(), answer.text
        assert database.execute("SELECT COUNT(*) FROM `T 1`").text == "[(2,)]"


def test_no_file_is_read_or_written(episode: Episode, tmp_path: Path) -> None:
    os.chmod(tmp_path, 0o777)
    with episode() as database:
        for target in (tmp_path / "out", database.server.folder / "tmp" / "out"):
            assert not database.execute(f"SELECT 1 INTO OUTFILE '{target}'").ok
            assert not database.execute(f"SELECT 1 INTO DUMPFILE '{target}'").ok
            assert not target.exists()
        assert database.execute("SELECT LOAD_FILE('/etc/passwd')").text == "[(None,)]"
        database.execute(f"CREATE TABLE o (a int) DATA DIRECTORY = '{tmp_path}'")
        database.execute(f"CREATE TABLE m (a int) ENGINE = MyISAM DATA DIRECTORY = '{tmp_path}'")
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT SLEEP(1000)",
        "SET STATEMENT max_statement_time = 0 FOR SELECT SLEEP(1000)",
        "SELECT BENCHMARK(1000000000000, MD5('a'))",
        "BEGIN NOT ATOMIC WHILE 1 DO SET @a = 1; END WHILE; END",
    ],
)
def test_endless_statement_is_stopped(episode: Episode, sql: str) -> None:
    started = time.monotonic()
    with episode() as database:
        assert database.execute(sql).text.startswith("1969 (70100)")
        assert database.execute("SELECT 1").text == "[(1,)]"
    assert time.monotonic() - started < STATEMENT_SECONDS + 4


def test_endless_statement_leaves_nothing_running(episode: Episode, server: Any) -> None:
    with episode() as database:
        database.execute("SET STATEMENT max_statement_time = 0 FOR SELECT SLEEP(1000)")
    with server.admin() as admin, admin.cursor() as cursor:
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            cursor.execute("SHOW PROCESSLIST")
            if not [row for row in cursor.fetchall() if "SLEEP" in str(row)]:
                return
            time.sleep(0.05)
    pytest.fail("the statement still runs")


def test_huge_results_fill_no_memory(episode: Episode) -> None:
    rows = tuple((str(i), "b") for i in range(100))
    with episode(rows=rows) as database:
        started = time.monotonic()
        text = database.execute("SELECT * FROM `T 1` a, `T 1` b, `T 1` c, `T 1` d, `T 1` e").text
        assert text.startswith("[('0', 'b', '0'") and text.endswith("[CUT]") and len(text) == 805
        wide = ", ".join(["REPEAT('a', 1000000)"] * 60)
        assert database.execute(f"SELECT {wide}").text.startswith("1153 (08S01)")  # 60 MB in one row
        assert time.monotonic() - started < 10
        assert database.execute("SELECT COUNT(*) FROM `T 1`").text == "[(100,)]"


def test_disk_filler_is_stopped(episode: Episode) -> None:
    """MariaDB 10.11 does not stop this statement when it is killed: only the file size limit does."""
    with episode(rows=tuple((str(i), "b") for i in range(100))) as database:
        answer = database.execute(
            "CREATE TABLE big AS SELECT REPEAT('a', 1000000) z FROM `T 1` a, `T 1` b, `T 1` c"
        )
        assert not answer.ok
        database.execute("DROP TABLE IF EXISTS big")
        assert database.execute("SELECT COUNT(*) FROM `T 1`").text == "[(100,)]"


def test_model_that_locks_itself_out_is_let_in_again(episode: Episode) -> None:
    with episode() as database:
        database.execute("SET PASSWORD = PASSWORD('x')")
        assert database.execute("SELECT 1").text == "[(1,)]"


def test_dropped_database_is_the_models_problem_alone(episode: Episode) -> None:
    with episode() as database:
        assert database.execute("DROP DATABASE `T 1`").ok
        assert database.execute("SELECT 1").text == "1049 (42000): Unknown database 'T 1'"
    with episode() as database:
        assert database.execute("SELECT COUNT(*) FROM `T 1`").text == "[(2,)]"


def test_prepared_transaction_does_not_block_the_next_episode(episode: Episode) -> None:
    with episode() as database:
        database.execute("XA START 'x'; INSERT INTO `T 1` VALUES ('q', '1'); XA END 'x'; XA PREPARE 'x'")
    started = time.monotonic()
    with episode() as database:
        assert database.execute("SELECT COUNT(*) FROM `T 1`").text == "[(2,)]"
    assert time.monotonic() - started < 5


def test_two_episodes_of_one_table_name_do_not_mix(episode: Episode) -> None:
    found: list[str] = []

    def one(value: str) -> None:
        with episode(rows=((value, "1"),)) as database:
            database.execute(f"INSERT INTO `T 1` VALUES ('{value}', '2')")
            time.sleep(0.05)
            found.append(database.execute("SELECT GROUP_CONCAT(DISTINCT A), COUNT(*) FROM `T 1`").text)

    threads = [threading.Thread(target=one, args=(value,)) for value in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(found) == [f"[('{value}', 2)]" for value in "abcd"]


def test_episodes_of_other_names_run_at_once_and_cannot_see_each_other(episode: Episode) -> None:
    with episode(name="one") as first, episode(name="two") as second:
        assert first.execute("SHOW DATABASES").text == "[('information_schema',), ('one',)]"
        assert not first.execute("UPDATE two.two SET A = 'z'").ok
        assert not first.execute("DROP DATABASE two").ok
        assert second.execute("SELECT A FROM two").text == "[('x',), ('y',)]"


def test_underscore_of_a_name_is_no_wildcard(episode: Episode) -> None:
    with episode(name="a_b") as first, episode(name="axb"):
        assert not first.execute("SELECT * FROM axb.axb").ok
