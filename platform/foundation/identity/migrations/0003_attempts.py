from django.db import migrations

# A table of counters that nobody but these functions touches. Keys are digests; rows of old windows are dropped.
ATTEMPTS = """
CREATE TABLE identity_attempt (
    key text PRIMARY KEY,
    made int NOT NULL,
    ends_at timestamptz NOT NULL
);
CREATE INDEX identity_attempt_ends ON identity_attempt (ends_at);
ALTER TABLE identity_attempt ENABLE ROW LEVEL SECURITY;
ALTER TABLE identity_attempt FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, UPDATE, DELETE ON identity_attempt TO remit_system;
CREATE POLICY identity_attempt_system ON identity_attempt TO remit_system USING (true) WITH CHECK (true);

CREATE FUNCTION remit_count_attempt(counted text, seconds int, OUT made int, OUT remaining int)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    BEGIN
        DELETE FROM identity_attempt a WHERE a.key IN (
            SELECT b.key FROM identity_attempt b WHERE b.ends_at < now() - interval '1 hour' LIMIT 10
            FOR UPDATE SKIP LOCKED);
        INSERT INTO identity_attempt AS a (key, made, ends_at)
            VALUES (counted, 1, now() + make_interval(secs => seconds))
            ON CONFLICT (key) DO UPDATE SET
                made = CASE WHEN a.ends_at <= now() THEN 1 ELSE least(a.made + 1, 1000000) END,
                ends_at = CASE WHEN a.ends_at <= now() THEN excluded.ends_at ELSE a.ends_at END
            RETURNING a.made, ceil(extract(epoch FROM a.ends_at - now()))::int INTO made, remaining;
    END $$;
CREATE FUNCTION remit_forget_attempts(counted text) RETURNS void
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS
    $$ DELETE FROM identity_attempt WHERE key = counted $$;
CREATE FUNCTION remit_return_attempt(counted text) RETURNS void
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS
    $$ UPDATE identity_attempt SET made = made - 1 WHERE key = counted AND made > 0 $$;
GRANT CREATE ON SCHEMA public TO remit_system;
ALTER FUNCTION remit_count_attempt(text, int) OWNER TO remit_system;
ALTER FUNCTION remit_forget_attempts(text) OWNER TO remit_system;
ALTER FUNCTION remit_return_attempt(text) OWNER TO remit_system;
REVOKE CREATE ON SCHEMA public FROM remit_system;
REVOKE ALL ON FUNCTION remit_count_attempt(text, int), remit_forget_attempts(text), remit_return_attempt(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION remit_count_attempt(text, int), remit_forget_attempts(text), remit_return_attempt(text)
    TO remit_serving;
"""

REVERSE = """
DROP FUNCTION remit_count_attempt(text, int), remit_forget_attempts(text), remit_return_attempt(text);
DROP TABLE identity_attempt;
"""


class Migration(migrations.Migration):
    dependencies = [("identity", "0002_tenancy")]
    operations = [migrations.RunSQL(ATTEMPTS, REVERSE)]
