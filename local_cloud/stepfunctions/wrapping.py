"""The two symbols that several modules wrap, a state's work and the writing of an event: in which order.

Each wrapper calls the one before it, the first moto's own. So the last has its say first.
"""

from __future__ import annotations

from local_cloud.replacements import Replacement
from local_cloud.stepfunctions import aborts, executions, limits, resuming, waiting

STATE = "moto.stepfunctions.parser.asl.component.state.state:CommonStateField._eval_body"
ADD_EVENT = "moto.stepfunctions.parser.asl.eval.event.event_manager:EventManager.add_event"

REPLACEMENTS: list[Replacement] = [
    # A state for which the history has no room is not entered, so that it is not the one that a redrive runs again. One
    # that is entered is under way already: what stops it meanwhile finds it.
    Replacement(STATE, executions.entering_state, "nothing remembers where a redrive has to resume"),
    Replacement(STATE, aborts.noting_state, "nothing knows which states a failure aborts"),
    Replacement(STATE, limits.check_history, "an execution may have any number of events"),
    # A full history has what an earlier process has written all the same: that is looked up before there has to be
    # room. Of a frame that nobody waits for nothing is looked up or recorded: another process would take that for what
    # the history says.
    Replacement(ADD_EVENT, limits.if_there_is_room, "a history has no largest size, and goes on after its end"),
    Replacement(ADD_EVENT, resuming.unless_written, "a resumed execution would write again what it has written"),
    Replacement(
        ADD_EVENT, waiting.unless_abandoned, "a Task that timed out or was stopped writes TaskSucceeded afterwards"
    ),
]
