"""Celery's configuration, read when it is first needed, so that the embedded broker's port is known by then."""

from django.conf import settings

broker_url = settings.BROKER_URL
broker_connection_retry_on_startup = True
broker_transport_options = (
    {
        # All of them set by hand: the defaults create an extension, hide a lost worker's message for half an hour,
        # and poll.
        "init_extension": False,
        # Said outright, since pgmq prefers DATABASE_URL of the environment to the broker's own address.
        "conn_string": broker_url.replace("pgmq:", "postgresql:", 1),
        "visibility_timeout": 120,
        "use_notify": True,
        "notify_throttle_interval_ms": 0,
        "wait_time_seconds": 0,
        "polling_interval": 1,
        "pool_size": 4,
        # Whoever rings waits no longer than this for a database that is away.
        "pool_timeout": 5,
    }
    if broker_url.startswith("pgmq:")
    else {}
)
task_default_queue = "remit"
task_ignore_result = True
# A lost worker's message is not needed: the sweep finds the run anyway. So it may be acknowledged late and rung twice.
task_acks_late = True
task_reject_on_worker_lost = True
worker_prefetch_multiplier = 1
worker_consumer = "config.consuming:PatientConsumer"
# How often, in seconds, a worker's clock looks whether it is to end: without an answer of it the worker does not.
worker_timer_precision = 0.1
worker_enable_remote_control = False
worker_send_task_events = False
worker_hijack_root_logger = False
worker_redirect_stdouts = False
task_publish_retry = False
enable_utc = True
timezone = "UTC"
# A tick that is late is still good, and expiry is told by the clocks of two hosts: it only bounds what piles up.
beat_schedule = {
    "tick": {"task": "agents.runs.tasks.tick", "schedule": 2.0, "options": {"expires": 300}},
    "schedules": {"task": "agents.schedules.tasks.tick", "schedule": 2.0, "options": {"expires": 300}},
    "seal": {"task": "config.tasks.seal_record", "schedule": 2.0, "options": {"expires": 300}},
    "expire approvals": {"task": "governance.approvals.tasks.expire", "schedule": 5.0, "options": {"expires": 300}},
    "partitions": {"task": "config.tasks.make_partitions", "schedule": 6 * 3600.0, "options": {"expires": 3600}},
    "prune": {"task": "config.tasks.prune", "schedule": 600.0, "options": {"expires": 600}},
}
