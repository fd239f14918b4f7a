from django.db import migrations

# Every process that rings or listens asks pgmq for its trigger, which takes it away and makes it anew: of several that
# begin at the same moment, all but one died of it, or deadlocked. So they queue, and whoever finds it there is done.
NOTIFIED = """
SET LOCAL ROLE remit_broker;
ALTER FUNCTION pgmq.enable_notify_insert(text, integer) RENAME TO make_notify_insert;
CREATE FUNCTION pgmq.enable_notify_insert(queue_name text, throttle_interval_ms integer DEFAULT 250) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pgmq.acquire_queue_lock($1);
    IF NOT EXISTS (SELECT FROM pg_trigger t JOIN pgmq.notify_insert_throttle n
            ON n.queue_name = $1 AND n.throttle_interval_ms = $2
            WHERE t.tgname = 'trigger_notify_queue_insert_listeners'
                AND t.tgrelid = to_regclass(format('pgmq.%I', pgmq.format_table_name($1, 'q')))) THEN
        PERFORM pgmq.make_notify_insert($1, $2);
    END IF;
END
$$;
RESET ROLE;
"""
FORMER = """
SET LOCAL ROLE remit_broker;
DROP FUNCTION pgmq.enable_notify_insert(text, integer);
ALTER FUNCTION pgmq.make_notify_insert(text, integer) RENAME TO enable_notify_insert;
RESET ROLE;
"""


class Migration(migrations.Migration):
    dependencies = [("runs", "0012_places")]
    operations = [migrations.RunSQL(NOTIFIED, FORMER)]
