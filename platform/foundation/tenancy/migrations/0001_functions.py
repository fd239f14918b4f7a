from django.db import migrations

# A partition for each month from the last one to `months` ahead; bounds are the smallest UUIDv7 of a moment.
FUNCTIONS = """
CREATE FUNCTION remit_lowest_id(moment timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;

CREATE FUNCTION remit_make_partitions(parent text, months int) RETURNS int LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    first timestamptz := date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC';
    low timestamptz;
    high timestamptz;
    part text;
    made int := 0;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_class WHERE oid = to_regclass(quote_ident(parent)) AND relkind = 'p') THEN
        RAISE EXCEPTION '% is not a partitioned table', parent;
    END IF;
    FOR n IN 0..months LOOP
        low := (first AT TIME ZONE 'UTC' + make_interval(months => n)) AT TIME ZONE 'UTC';
        high := (first AT TIME ZONE 'UTC' + make_interval(months => n + 1)) AT TIME ZONE 'UTC';
        part := parent || '_' || to_char(low AT TIME ZONE 'UTC', 'YYYYMM');
        IF to_regclass(quote_ident(part)) IS NULL THEN
            EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
                           part, parent, remit_lowest_id(low), remit_lowest_id(high));
            IF EXISTS (SELECT FROM pg_trigger WHERE tgrelid = to_regclass(quote_ident(parent))
                       AND tgname = parent || '_no_truncate') THEN
                EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I FOR EACH STATEMENT '
                               'EXECUTE FUNCTION remit_refuse_change()', parent || '_no_truncate', part);
            END IF;
            made := made + 1;
        END IF;
    END LOOP;
    RETURN made;
END
$$;

REVOKE ALL ON FUNCTION remit_make_partitions(text, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION remit_make_partitions(text, int) TO remit_system;

CREATE FUNCTION remit_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
END
$$;
"""

REVERSE = """
DROP FUNCTION remit_refuse_change();
DROP FUNCTION remit_make_partitions(text, int);
DROP FUNCTION remit_lowest_id(timestamptz);
"""


class Migration(migrations.Migration):
    initial = True
    dependencies: list[tuple[str, str]] = []
    operations = [migrations.RunSQL(FUNCTIONS, REVERSE)]
