"""The checker rejects whatever breaks a promise, and says which; it lets every schedule pass that keeps them.

Each mutation is wrong by its making, which is said where it is made: none is left out because it might be right.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise

import pytest

from tests.unit.turbine.domain.capacity.instances import possible, random_problem, random_schedule, with_deadlines
from turbine.domain.capacity import greedy
from turbine.domain.capacity.checker import TOLERANCE_H, violations
from turbine.domain.capacity.model import Curve, Demand, PlanInfeasibleError, Problem, fleet, reference
from turbine.domain.capacity.schedule import Placement, Schedule

EACH = 60
"""Mutations of each kind."""
OFF_H = 10 * TOLERANCE_H
Mutant = tuple[Problem, Schedule]
Mutation = Callable[[random.Random, Problem, Schedule], Mutant | None]
"""None where a schedule has nothing of that kind to change; then another schedule is drawn."""


def drawn(seed: int) -> tuple[random.Random, Problem, Schedule]:
    """A valid schedule of a random problem of at least two runs and two teams, every other with room to wait."""
    dice = random.Random(seed)
    problem = random_problem(dice, (4, 9), (2, 6), released=dice.random() < 0.7, busy=dice.random() < 0.5)
    return dice, problem, random_schedule(dice, problem, idle_h=dice.choice([0.0, 0.5]))


def changed(schedule: Schedule, place: int, **changes: object) -> Schedule:
    placements = list(schedule.placements)
    placements[place] = replace(placements[place], **changes)  # type: ignore[arg-type]
    return Schedule(tuple(placements))


def moved(schedule: Schedule, place: int, start_h: float) -> Schedule:
    """Another start and as long as before."""
    one = schedule.placements[place]
    return changed(schedule, place, start_h=start_h, end_h=start_h + one.end_h - one.start_h)


def any_place(dice: random.Random, schedule: Schedule) -> int:
    return dice.randrange(len(schedule.placements))


def held_at(problem: Problem, schedule: Schedule, moment_h: float) -> int:
    """VMs that are held then, by runs and from before the plan."""
    running = sum(one.vms for one in schedule.placements if one.start_h <= moment_h < one.end_h)
    return running + sum(free_h > moment_h for free_h in problem.vms_free_h)


def another_start(dice: random.Random, problem: Problem, schedule: Schedule) -> Mutant:
    place = any_place(dice, schedule)
    by_h = dice.choice([-1, 1]) * dice.uniform(OFF_H, 0.2)
    return problem, changed(schedule, place, start_h=schedule.placements[place].start_h + by_h)


def another_end(dice: random.Random, problem: Problem, schedule: Schedule) -> Mutant:
    place = any_place(dice, schedule)
    by_h = dice.choice([-1, 1]) * dice.uniform(OFF_H, 0.2)
    return problem, changed(schedule, place, end_h=schedule.placements[place].end_h + by_h)


def another_width_in_the_same_time(dice: random.Random, problem: Problem, schedule: Schedule) -> Mutant | None:
    """No two widths of a run take equally long."""
    place = any_place(dice, schedule)
    one = schedule.placements[place]
    others = [width for width in problem.by_name[one.name].widths if width != one.vms]
    return (problem, changed(schedule, place, vms=dice.choice(others))) if others else None


def a_width_that_is_not_its(dice: random.Random, problem: Problem, schedule: Schedule) -> Mutant:
    place = any_place(dice, schedule)
    widths = problem.by_name[schedule.placements[place].name].widths
    others = [width for width in (-1, 0, *range(1, problem.vms + 3), 1.5, math.nan, math.inf) if width not in widths]
    return problem, changed(schedule, place, vms=dice.choice(others))


def launch_forgotten(dice: random.Random, problem: Problem, schedule: Schedule) -> Mutant | None:
    slow = [place for place, one in enumerate(schedule.placements) if problem.by_name[one.name].launch_h]
    if not slow:
        return None
    place = dice.choice(slow)
    one = schedule.placements[place]
    return problem, changed(schedule, place, end_h=one.end_h - problem.by_name[one.name].launch_h)


def longer_than_allowed(dice: random.Random, problem: Problem, schedule: Schedule) -> Mutant:
    """The problem is changed: a run is allowed a little less than it takes on its width."""
    place = any_place(dice, schedule)
    one = schedule.placements[place]
    longest_h = (one.end_h - one.start_h) * (1 - dice.uniform(1e-4, 0.3))
    return allowing(problem, one.name, longest_h=longest_h), schedule


def after_its_deadline(dice: random.Random, problem: Problem, schedule: Schedule) -> Mutant:
    """The problem is changed: a run's deadline is a little before its end."""
    one = dice.choice(schedule.placements)
    return allowing(problem, one.name, deadline_h=one.end_h - dice.uniform(OFF_H, 0.2)), schedule


def moved_past_its_deadline(dice: random.Random, problem: Problem, schedule: Schedule) -> Mutant:
    """At the end of all others, where there is room."""
    place = any_place(dice, schedule)
    later = moved(schedule, place, schedule.makespan_h + dice.uniform(0.01, 1))
    return allowing(problem, later.placements[place].name, deadline_h=schedule.makespan_h), later


def allowing(problem: Problem, name: str, **limits: float) -> Problem:
    """With other limits for one run. They are set past the model, which refuses those that no schedule can keep."""
    demand = replace(problem.by_name[name])
    for limit, hours in limits.items():
        object.__setattr__(demand, limit, hours)
    limited = replace(problem, demands=())
    object.__setattr__(limited, "demands", tuple(demand if one.name == name else one for one in problem.demands))
    return limited


def before_its_release(dice: random.Random, problem: Problem, schedule: Schedule) -> Mutant:
    """Those that are released at once would start in the past."""
    place = any_place(dice, schedule)
    release_h = problem.by_name[schedule.placements[place].name].release_h
    return problem, moved(schedule, place, release_h - dice.uniform(OFF_H, 0.3))


def crowded(dice: random.Random, problem: Problem, schedule: Schedule) -> Mutant | None:
    """A run is moved to a moment from its release on at which all others leave too few VMs."""
    places = list(range(len(schedule.placements)))
    for place in dice.sample(places, len(places)):
        one = schedule.placements[place]
        others = Schedule((*schedule.placements[:place], *schedule.placements[place + 1 :]))
        release_h = problem.by_name[one.name].release_h
        full = [
            moment_h
            for moment_h in [release_h, *(other.start_h for other in others.placements)]
            if moment_h >= release_h
            and held_at(problem, others, moment_h) + one.vms > problem.vms
            # Not only for an instant: what ends at once after the moment would be within the tolerance.
            and held_at(problem, others, moment_h + OFF_H) + one.vms > problem.vms
        ]
        if full:
            return problem, moved(schedule, place, dice.choice(full))
    return None


def a_little_too_early(dice: random.Random, problem: Problem, schedule: Schedule) -> Mutant | None:
    """A run that waited for VMs takes them while they are still held."""
    places = list(range(len(schedule.placements)))
    for place in dice.sample(places, len(places)):
        one = schedule.placements[place]
        early_h = one.start_h - OFF_H
        if (
            early_h > problem.by_name[one.name].release_h
            and held_at(problem, schedule, early_h) + one.vms > problem.vms
        ):
            return problem, moved(schedule, place, early_h)
    return None


def on_held_vms(dice: random.Random, problem: Problem, schedule: Schedule) -> Mutant:
    """The problem is changed: fewer VMs than a run takes are free when it starts."""
    one = dice.choice(schedule.placements)
    left = dice.randrange(one.vms)
    until_h = one.start_h + dice.uniform(OFF_H, 1)
    free = [max(free_h, until_h) if number >= left else free_h for number, free_h in enumerate(problem.vms_free_h)]
    return replace(problem, vms_free_h=tuple(free)), schedule


def fewer_vms(dice: random.Random, problem: Problem, schedule: Schedule) -> Mutant:
    """The problem is changed: one VM less than are held at the busiest moment."""
    busiest = max(held_at(Problem((), fleet(1)), schedule, one.start_h) for one in schedule.placements)
    smaller = replace(problem, demands=(), vms_free_h=(0.0,) * max(busiest - 1, 1))
    if busiest == 1:
        smaller = replace(smaller, vms_free_h=(schedule.makespan_h + 1,))
    object.__setattr__(smaller, "demands", problem.demands)
    return smaller, schedule


def starts_exchanged(dice: random.Random, problem: Problem, schedule: Schedule) -> Mutant | None:
    """Two runs that take unlike long keep each other's start and end."""
    pairs = [
        (one, other)
        for one, first in enumerate(schedule.placements)
        for other, second in enumerate(schedule.placements[:one])
        if abs((first.end_h - first.start_h) - (second.end_h - second.start_h)) > OFF_H
    ]
    if not pairs:
        return None
    one, other = dice.choice(pairs)
    first, second = schedule.placements[one], schedule.placements[other]
    exchanged = changed(schedule, one, start_h=second.start_h, end_h=second.end_h)
    return problem, changed(exchanged, other, start_h=first.start_h, end_h=first.end_h)


def teams_exchanged(dice: random.Random, problem: Problem, schedule: Schedule) -> Mutant | None:
    teams = [one.team for one in schedule.placements]
    pairs = [(one, other) for one, team in enumerate(teams) for other in range(one) if teams[other] != team]
    if not pairs:
        return None
    one, other = dice.choice(pairs)
    return problem, changed(changed(schedule, one, team=teams[other]), other, team=teams[one])


def another_team(dice: random.Random, problem: Problem, schedule: Schedule) -> Mutant:
    return problem, changed(schedule, any_place(dice, schedule), team=dice.choice(["", "violet"]))


def dropped(dice: random.Random, problem: Problem, schedule: Schedule) -> Mutant:
    place = any_place(dice, schedule)
    return problem, Schedule((*schedule.placements[:place], *schedule.placements[place + 1 :]))


def planned_twice(dice: random.Random, problem: Problem, schedule: Schedule) -> Mutant:
    """The second time after all others, where there is room."""
    one = dice.choice(schedule.placements)
    again = replace(one, start_h=schedule.makespan_h, end_h=schedule.makespan_h + one.end_h - one.start_h)
    return problem, Schedule((*schedule.placements, again))


def planned_for_another(dice: random.Random, problem: Problem, schedule: Schedule) -> Mutant:
    """One is there twice, and as many are planned as there should be."""
    one, other = dice.sample(range(len(schedule.placements)), 2)
    return problem, changed(schedule, one, name=schedule.placements[other].name)


def renamed(dice: random.Random, problem: Problem, schedule: Schedule) -> Mutant:
    return problem, changed(schedule, any_place(dice, schedule), name=dice.choice(["", "run", "run-00", "RUN-0"]))


def one_too_many(dice: random.Random, problem: Problem, schedule: Schedule) -> Mutant:
    stranger = Placement("stranger", "red", schedule.makespan_h, schedule.makespan_h + 1, 1)
    return problem, Schedule((*schedule.placements, stranger))


def no_time(dice: random.Random, problem: Problem, schedule: Schedule) -> Mutant:
    fields = dice.choice([("start_h",), ("end_h",), ("start_h", "end_h")])
    value = dice.choice([math.nan, math.inf, -math.inf])
    return problem, changed(schedule, any_place(dice, schedule), **dict.fromkeys(fields, value))


def all_at_once(dice: random.Random, problem: Problem, schedule: Schedule) -> Mutant | None:
    """Each as soon as it is released, where those that are there from the beginning are too many."""
    at_once = [one for one in schedule.placements if problem.by_name[one.name].release_h == 0]
    if sum(one.vms for one in at_once) <= problem.vms:
        return None
    mutant = schedule
    for place, one in enumerate(schedule.placements):
        mutant = moved(mutant, place, problem.by_name[one.name].release_h)
    return problem, mutant


SAYS: dict[Mutation, str] = {
    another_start: "h on ",
    another_end: "h on ",
    another_width_in_the_same_time: "h on ",
    a_width_that_is_not_its: "may not take",
    launch_forgotten: "h on ",
    longer_than_allowed: "more than",
    after_its_deadline: "after its deadline",
    moved_past_its_deadline: "after its deadline",
    before_its_release: "before its release",
    crowded: "VMs are held, and",
    a_little_too_early: "VMs are held, and",
    on_held_vms: "VMs are held, and",
    fewer_vms: "VMs are held, and",
    starts_exchanged: "h on ",
    teams_exchanged: "is of team",
    another_team: "is of team",
    dropped: "is not planned",
    planned_twice: "is planned 2 times",
    planned_for_another: "is planned 2 times",
    renamed: "is unknown",
    one_too_many: "stranger is unknown",
    no_time: "has no finite start and end",
    all_at_once: "VMs are held, and",
}


@pytest.mark.parametrize("mutation", SAYS, ids=lambda mutation: mutation.__name__)
def test_a_schedule_that_breaks_a_promise_is_rejected(mutation: Mutation) -> None:
    made = 0
    for seed in range(20 * EACH):
        dice, problem, schedule = drawn(seed)
        assert violations(problem, schedule) == [], f"{seed} was wrong before"
        mutant = mutation(dice, problem, schedule)
        if mutant is None:
            continue
        found = violations(*mutant)
        assert any(SAYS[mutation] in line for line in found), f"{seed}: {found}"
        made += 1
        if made == EACH:
            return
    pytest.fail(f"only {made} mutations were made")


def test_enough_is_tried() -> None:
    assert len(SAYS) * EACH >= 1000


def kept() -> Iterator[Mutant]:
    """Schedules of other makers, with releases, deadlines, held VMs and idle times."""
    yield reference(), greedy.plan(reference())
    for seed in range(300):
        _, problem, schedule = drawn(seed)
        yield problem, schedule
    for seed in range(40):
        dice = random.Random(seed)
        problem = with_deadlines(dice, random_problem(dice, (3, 8), released=True, busy=True), 0.6)
        try:
            yield problem, greedy.plan(problem, effort=2_000)
        except PlanInfeasibleError:
            continue


def test_no_schedule_is_rejected_that_keeps_its_promises() -> None:
    count = 0
    for problem, schedule in kept():
        assert violations(problem, schedule) == []
        count += 1
    assert count > 320


def test_differences_within_the_tolerance_are_none() -> None:
    run = Demand("a", 1.0, (1,), curve=Curve(1.0), deadline_h=2.0)
    problem = Problem((run, replace(run, name="b")), fleet(1))
    slight_h = TOLERANCE_H / 2
    assert 0.001 < TOLERANCE_H * 3600 < 0.01, "milliseconds"
    first = Placement("a", "", -slight_h, 1.0, 1)
    assert violations(problem, Schedule((first, Placement("b", "", 1.0 - slight_h, 2.0 + slight_h / 2, 1)))) == []


def test_everything_that_is_wrong_is_told() -> None:
    problem = Problem(
        (Demand("a", 1.0, (1, 2), "red", Curve(1.0), deadline_h=1.0, release_h=0.2, longest_h=0.8),), fleet(2)
    )
    assert violations(problem, Schedule((Placement("a", "blue", 0.1, 1.2, 1),))) == [
        "a is of team 'red', not 'blue'",
        "a starts at 0.1 h, before its release at 0.2 h",
        "a ends at 1.2 h, after its deadline at 1 h",
        "a takes 1 h on 1 VMs, not 1.1 h",
        "a takes 1 h, more than 0.8 h",
    ]


def test_all_widths_of_a_run_take_unlike_long() -> None:
    """What `another_width_in_the_same_time` relies on."""
    for seed in range(20 * EACH):
        _, problem, _ = drawn(seed)
        for demand in problem.demands:
            hours = sorted(demand.launch_h + demand.work_vm_h / demand.curve.speed_up(width) for width in demand.widths)
            assert all(later - sooner > OFF_H for sooner, later in pairwise(hours))
            assert possible(problem, demand)
