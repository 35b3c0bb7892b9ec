"""CSV texts become rows that know their line; a bad row concerns its host alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.inventory.sources import Place, Sources
from orchestrator.inventory.tables import Table, read_table

COLUMNS = ("id", "site", "services", "room")


def read(tmp_path: Path, text: str) -> tuple[Table | None, Sources]:
    (tmp_path / "hosts.csv").write_bytes(text.encode())
    sources = Sources(tmp_path)
    return read_table(sources, "hosts.csv", COLUMNS, ("id", "site")), sources


@pytest.mark.parametrize(
    "text",
    [
        "id,site,services,room\nlis-1,north,lis dns,B2\n",
        "room,id,services,site\nB2,lis-1,lis dns,north\n",
        "id;site;services;room\r\nlis-1;north;lis dns;B2\r\n",
        "\ufeffid,site,services,room\nlis-1,north,lis dns,B2",
        ' id , site,services,room\n"lis-1", north ,"lis dns",B2\n\n',
    ],
)
def test_the_same_list_is_read_however_the_spreadsheet_saved_it(tmp_path: Path, text: str) -> None:
    table, sources = read(tmp_path, text)
    assert sources.findings == []
    assert table is not None
    assert list(table.rows()) == [{"id": "lis-1", "site": "north", "services": "lis dns", "room": "B2"}]


def test_an_empty_cell_is_a_missing_value_and_optional_columns_may_be_absent(tmp_path: Path) -> None:
    table, sources = read(tmp_path, "id,site,room\nlis-1,north,\n")
    assert sources.findings == []
    assert table is not None
    assert list(table.rows()) == [{"id": "lis-1", "site": "north"}]


def test_rows_keep_their_line_also_after_a_cell_of_several_lines(tmp_path: Path) -> None:
    table, _ = read(tmp_path, 'id,site,room\na,north,"B2\nleft"\nb,north,B3\n')
    assert table is not None
    assert table.lines == [3, 4]
    assert table.place((1, "site")) == Place("hosts.csv", 4)
    assert table.place(()) == Place("hosts.csv", 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,sites\n", "there is no column `sites`; did you mean `site`?"),
        ("id,room\n", "the column `site` is missing"),
        ("id,site,site\n", "the column `site` stands twice"),
        ("", "the column `id` is missing"),
    ],
)
def test_a_header_that_does_not_fit_says_what_to_change(tmp_path: Path, text: str, said: str) -> None:
    table, sources = read(tmp_path, text)
    assert table is None
    assert any(said in one.message for one in sources.findings)
    assert all(one.line == 1 and not one.hosts for one in sources.findings)


def test_a_row_of_the_wrong_width_blocks_the_host_it_names_and_no_other(tmp_path: Path) -> None:
    table, sources = read(tmp_path, "id,site\nlis-1,north,extra\nlis-2,north\n")
    assert table is not None
    assert [row["id"] for row in table.rows()] == ["lis-2"]
    assert [(one.line, one.message, one.hosts) for one in sources.findings] == [
        (2, "The row has 3 cells and the header 2.", ("lis-1",))
    ]


@pytest.mark.parametrize("text", ['id,site\n"lis-1,north\n', 'id,site\n"lis"-1,north\n', "id,site\n" + "x" * 200_000])
def test_what_is_not_csv_is_a_sentence_with_its_line(tmp_path: Path, text: str) -> None:
    table, sources = read(tmp_path, text)
    assert table is None
    assert sources.findings[0].message.startswith("This is not CSV")
    assert sources.findings[0].line >= 2


def test_a_row_read_a_second_time_after_a_bad_one_is_still_the_row_of_its_line(tmp_path: Path) -> None:
    table, _ = read(tmp_path, "id,site\nlis-1,north,extra\n\nlis-2,north\n")
    assert table is not None
    assert list(table.rows()) == list(table.rows()) == [{"id": "lis-2", "site": "north"}]
    assert table.place((0, "id")) == Place("hosts.csv", 4)
