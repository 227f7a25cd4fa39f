"""A job that the queue began, as the window knows it."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from app.gui.session.engine_client import Engine
from app.gui.session.inbox import Inbox
from app.gui.session.run_state import RunState
from modules.jobs.cards import PROCESSOR, held
from modules.messages import Finished, Stop, Train
from tests.host.test_host_queue import Night, named, night, queue, quick, states

PATIENCE = 120.0
__all__ = ["night", "queue", "quick"]


def test_the_queues_run_is_shown_and_stopped_as_any(queue, night: Callable[[], Night], tmp_path: Path) -> None:
    engine, running = Engine(hosts=tmp_path / "engines"), RunState()
    inbox = Inbox(engine.inbox)
    inbox.listen(running.take)

    def until(wanted: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE
        while not wanted():
            assert time.monotonic() < end
            inbox.tick()
            threading.Event().wait(0.005)

    queue.add(*named("long"))
    with held(PROCESSOR, "another", folder=queue.file.with_name("cards")):
        host = night()
        until(lambda: host.place is not None and host.hosts[0].queue.wanted)
        engine.warm()  # the host of a queue that waits is taken over by the next window
        until(lambda: engine.outlives and host.hosts[0].has_window)
    until(lambda: running.progress)
    assert (running.queued, running.taken_over, running.training, engine.busy) == (True, True, True, True)
    assert running.progress is not None
    assert (running.progress.step, running.folder) == (4, tmp_path / "runs/long")
    engine.send(Stop())
    until(lambda: not running.busy)
    assert running.run_ended == Finished(9, stopped=True)
    assert not engine.busy
    until(lambda: states(queue) == ["paused"])
    running.begin("train")
    assert not running.queued
    engine.send(Train({"general": {"name": "run"}}))  # the window's own goes on as ever
    until(lambda: running.started and not running.busy)
    engine.leave()
    host.ends()
