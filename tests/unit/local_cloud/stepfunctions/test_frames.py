"""What is left of an execution's frames for a redrive."""

from __future__ import annotations

from local_cloud.stepfunctions.frames import TOP, Frame, Frames

EVENT = (1, "TaskScheduled", None, None)


def test_a_redrive_keeps_what_succeeded_and_where_the_rest_stood() -> None:
    frames = Frames()
    frames[TOP] = Frame(state="Fan", events=[EVENT], token="given away")
    frames["/0"] = Frame(events=[EVENT])
    frames["/0#0"] = Frame(finished=["output"])
    frames["/0#1"] = Frame(state="Failed", events=[EVENT])
    frames["/0#1/0"] = Frame(events=[EVENT])
    frames["/0#2"] = Frame(finished=["a child"], has_failed=True)
    frames.prepare_redrive()
    assert set(frames) == {TOP, "/0#0", "/0#1"}
    assert frames["/0#0"].finished == ["output"]
    for path, state in ((TOP, "Fan"), ("/0#1", "Failed")):
        frame = frames[path]
        assert (frame.state, frame.events, frame.token, frame.is_redriven, frame.opened) == (state, [], None, True, 0)


def test_a_state_that_was_tried_again_goes_on_with_its_last_attempt() -> None:
    frames = Frames()
    frames[TOP] = Frame(state="Branches")
    frames["/0/1"] = Frame(state="A")
    frames["/1/0"] = Frame(finished=[1])
    frames["/1/1"] = Frame(state="B")
    frames["/1/1/7#12"] = Frame(state="C")
    frames.prepare_redrive()
    assert (frames[TOP].opened, frames["/1/1"].opened, frames["/0/1"].opened) == (1, 7, 0)


def test_a_task_that_failed_at_the_top_begins_anew() -> None:
    frames = Frames()
    frames[TOP] = Frame(state="Work", events=[EVENT])
    frames["/0"], frames["/1"] = Frame(events=[EVENT]), Frame(events=[EVENT])
    frames.prepare_redrive()
    assert set(frames) == {TOP} and frames[TOP].opened == 0
