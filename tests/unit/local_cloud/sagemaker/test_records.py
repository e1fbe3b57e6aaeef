"""Lines into payloads, answers into output."""

from __future__ import annotations

import pytest

from local_cloud.sagemaker import filters
from local_cloud.sagemaker.records import Payload, Processing, RecordError, assembled, lines_of, payloads

LINES = Processing("application/jsonlines", "application/jsonlines")


def test_lines_are_found_across_chunks_and_empty_ones_left_out() -> None:
    assert list(lines_of([b"a\nb", b"c\r\n", b"\n", b"d"])) == [b"a", b"bc", b"d"]


def test_a_payload_never_exceeds_the_limit_and_is_filled_up() -> None:
    made = list(payloads([b"aaaa", b"bbbb", b"cccc"], LINES, largest_bytes=10, single=False))
    assert [payload.body for payload in made] == [b"aaaa\nbbbb", b"cccc"]
    assert [payload.lines for payload in made] == [(b"aaaa", b"bbbb"), (b"cccc",)]


def test_single_record_sends_each_line_alone() -> None:
    assert len(list(payloads([b"a", b"b"], LINES, largest_bytes=100, single=True))) == 2


def test_a_line_that_alone_is_too_long_is_named() -> None:
    with pytest.raises(RecordError, match="line 2 has 11 bytes"):
        list(payloads([b"a", b"b" * 11], LINES, largest_bytes=10, single=False))


def test_a_plain_answer_ends_with_a_line_end_only_when_assembled_by_line() -> None:
    payload = Payload(b"x")
    assert assembled(payload, b"1\n2", LINES, by_line=True) == b"1\n2\n"
    assert assembled(payload, b"1\n2", LINES, by_line=False) == b"1\n2"


def test_a_join_puts_the_answer_under_sagemaker_output() -> None:
    joining = Processing("application/jsonlines", "application/jsonlines", join=True)
    payload = Payload(b"", (b'{"id":1}', b'{"id":2}'))
    assert assembled(payload, b'{"p":3}\n{"p":4}\n', joining, by_line=True) == (
        b'{"id":1,"SageMakerOutput":{"p":3}}\n{"id":2,"SageMakerOutput":{"p":4}}\n'
    )


def test_csv_joins_columns_and_filters_take_slices() -> None:
    joining = Processing("text/csv", "text/csv", filters.parse("$[1:]", "InputFilter"), None, True)
    (payload,) = payloads([b'7,"a,b",2'], joining, largest_bytes=100, single=False)
    assert payload.body == b'"a,b",2'
    assert assembled(payload, b"0.5", joining, by_line=True) == b'7,"a,b",2,0.5\n'


def test_a_join_needs_one_answer_a_record() -> None:
    joining = Processing("application/jsonlines", "application/jsonlines", join=True)
    with pytest.raises(RecordError, match="1 answers to 2 records"):
        assembled(Payload(b"", (b"{}", b"{}")), b"{}", joining, by_line=True)


def test_the_output_filter_sees_the_joined_record() -> None:
    picked = filters.parse("$['id','SageMakerOutput']", "OutputFilter")
    joining = Processing("application/jsonlines", "application/jsonlines", None, picked, True)
    payload = Payload(b"", (b'{"id":1,"x":2}',))
    assert assembled(payload, b'{"p":3}', joining, by_line=True) == b'{"id":1,"SageMakerOutput":{"p":3}}\n'
