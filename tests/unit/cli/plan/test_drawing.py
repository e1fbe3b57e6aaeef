"""The plan as text, as a picture and as a page."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from cli.plan import gantt, gantt_svg, page
from cli.plan.comparison import Comparison, compare
from cli.plan.lanes import lanes
from cli.plan.request import TeamWork
from tests.unit.cli.plan.asked import asked


@pytest.fixture(scope="module")
def compared() -> Comparison:
    return compare(asked(), "within", limit_s=0.5)


def test_no_vm_is_drawn_with_two_runs_at_once(compared: Comparison) -> None:
    for one in compared.alternatives:
        drawn = lanes(one.schedule, 7)
        assert all(len(set(taken)) == placed.vms for placed, taken in drawn)
        for lane in range(7):
            spans = sorted((placed.start_h, placed.end_h) for placed, taken in drawn if lane in taken)
            assert all(end <= start + 1e-9 for (_, end), (start, _) in pairwise(spans))


def test_the_terminal_shows_a_line_a_vm_of_one_width_and_the_teams(compared: Comparison) -> None:
    lines = gantt.lines(compared.recommended.schedule, 7)
    rows = [line for line in lines if line.startswith("VM")]
    assert len(rows) == 7 and len({len(row) for row in rows}) == 1
    assert "A endocrine, B oncology, C vision, D winery" in lines[-1]
    text = "".join(rows)
    assert all(f"{letter}{number}" in text for letter in "ABCD" for number in (1, 2))


def test_the_picture_is_xml_and_names_every_run(compared: Comparison) -> None:
    best = compared.recommended
    text = gantt_svg.standalone(gantt_svg.draw(best.schedule, 7, "a plan", best.makespan_h))
    titles = [element.text or "" for element in ElementTree.fromstring(text).iter() if element.tag.endswith("title")]
    assert sorted(title.partition(":")[0] for title in titles) == sorted(one.name for one in best.schedule.placements)


def test_a_name_cannot_leave_its_place_in_the_page() -> None:
    hostile = compare(asked(teams=(TeamWork("<script>alert(1)</script>"),), runs_per_team=1), "makespan", limit_s=0.5)
    text = page.render(hostile)
    assert "<script>" not in text and "&lt;script&gt;" in text


def test_the_page_loads_nothing_and_shows_every_plan(compared: Comparison) -> None:
    text = page.render(compared)
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", text)
    assert all(f"<b>{one.name}</b>" in text for one in compared.alternatives)
    assert text.count("<svg ") == len(compared.alternatives)
    assert "no run takes longer than" in text.lower()
