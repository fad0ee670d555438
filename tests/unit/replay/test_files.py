"""Files of traces: what is read of them, and what is said of those that are none."""

import gzip
from pathlib import Path

import pytest

from modelium.replay.files import (
    COLUMNS,
    OtherColumns,
    WrongFile,
    in_folder,
    read,
    read_needs,
    row,
    writing,
)
from modelium.replay.parts import GB, Need
from modelium.replay.trace import Request

TEXT = "t_s,model,dur_s,in_tok,out_tok\n7200,b,2,,\n1.5,a,0.5,10,20\n"


def written(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize("name", ["day.csv", "day.csv.gz", "day"])
def test_a_trace_is_read_in_order_packed_or_not_whatever_its_name(
    tmp_path: Path, name: str
) -> None:
    content = gzip.compress(TEXT.encode()) if name != "day.csv" else TEXT.encode()
    trace = read(written(tmp_path / name, content))
    assert trace.name == "day"
    assert trace.requests == (Request(1.5, "a", 0.5), Request(7200, "b", 2))


def test_only_the_first_hours_and_the_most_used_models_are_taken(tmp_path: Path) -> None:
    path = written(tmp_path / "day.csv", TEXT + "3,b,1\n")
    assert [r.model for r in read(path, hours=1).requests] == ["a", "b"]
    assert read(path).of_most_used(1).models == {"b"}


@pytest.mark.parametrize("name", ["new.csv", "new.csv.gz"])
def test_what_is_written_is_read_again(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with writing(path, COLUMNS) as file:
        row(file, (1.5, "a.b", 2, "", ""))
    assert read(path).requests == (Request(1.5, "a.b", 2),)
    with pytest.raises(WrongFile, match="is there already"), writing(path, COLUMNS):
        pass


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no column t_s, model, dur_s"),
        ("when,model\n", "its first line is 'when,model'"),
        ("t_s,model,dur_s\n", "has no request"),
        ("t_s,model,dur_s\n1,a,2\nx,a,2\n", "line 3: t_s is 'x', expected a number"),
        ("t_s,model,dur_s\n1,a,-2\n", "line 2: dur_s is '-2'"),
        ("t_s,model,dur_s\nnan,a,2\n", "line 2: t_s is 'nan'"),
        ("t_s,model,dur_s\n1.7e9,a,2\n", "t_s is up to 1.7e.09, expected seconds since the trace"),
        ("t_s,model,dur_s\n1,a\n", "line 2: dur_s is ''"),
        ("t_s,model,dur_s\n1,o/b,2\n", "'o/b' is no name of a model"),
        (b"\x1f\x8bgarbage", "cannot be read"),
        (b"\xff\xfe\x00t", "cannot be read"),
    ],
)
def test_what_is_no_trace_is_named_with_the_place(
    tmp_path: Path, text: str | bytes, why: str
) -> None:
    path = written(tmp_path / "wrong.csv", text)
    with pytest.raises(WrongFile, match=why) as raised:
        read(path)
    assert str(path) in str(raised.value)


def test_a_file_that_is_not_there_and_a_folder_are_errors_of_usage(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(WrongFile, match="cannot be read"):
            read(path)


def test_tables_of_something_else_in_a_folder_are_passed_over(tmp_path: Path) -> None:
    written(tmp_path / "a.csv.gz", gzip.compress(TEXT.encode()))
    written(tmp_path / "b.csv.gz", gzip.compress(b"TIMESTAMP,tokens\n1,2\n"))
    assert [trace.name for trace in in_folder(tmp_path, hours=24)] == ["a"]
    with pytest.raises(OtherColumns):
        read(tmp_path / "b.csv.gz")


def test_what_models_need_is_read_measured_or_not(tmp_path: Path) -> None:
    path = written(tmp_path / "needs.csv", "model,gb,load_s\na,1.5,12\nb,3,\n")
    assert read_needs(path) == {"a": Need(3 * GB // 2, 12.0), "b": Need(3 * GB)}
    without = written(tmp_path / "short.csv", "model,gb\na,1\n")
    assert read_needs(without) == {"a": Need(GB)}
