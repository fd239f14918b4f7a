"""What the clock rings for exists."""

from config import doorbell
from config.celery import app


def test_every_tick_is_a_task_that_workers_know() -> None:
    app.loader.import_default_modules()
    rung = {entry["task"] for entry in doorbell.beat_schedule.values()}
    assert "agents.schedules.tasks.tick" in rung
    assert rung <= set(app.tasks)
