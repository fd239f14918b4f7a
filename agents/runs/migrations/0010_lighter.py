from django.db import migrations

# Steps and events carry the organisation of their run, whose own key is tied to it. To look that organisation up for
# each of them locks its row once for each of them.
UNTIED = """
ALTER TABLE runs_step DROP CONSTRAINT runs_step_organisation;
ALTER TABLE runs_event DROP CONSTRAINT runs_event_organisation;
"""
TIED = """
ALTER TABLE runs_event ADD CONSTRAINT runs_event_organisation
    FOREIGN KEY (organisation_id) REFERENCES organisations_organisation (id);
ALTER TABLE runs_step ADD CONSTRAINT runs_step_organisation
    FOREIGN KEY (organisation_id) REFERENCES organisations_organisation (id);
"""
# Each of these begins with the column of another index of the same table.
DOUBLE = """
DROP INDEX IF EXISTS runs_run_organisation_id_e377486d;
DROP INDEX IF EXISTS runs_run_target_id_d3f3dc2e;
DROP INDEX IF EXISTS runs_run_parent_id_8594b290;
DROP INDEX IF EXISTS runs_run_former_id_9f143bfd;
DROP INDEX IF EXISTS runs_session_organisation_id_ef591887;
DROP INDEX IF EXISTS runs_session_target_id_d2f5f4d5;
"""
AGAIN = """
CREATE INDEX runs_session_target_id_d2f5f4d5 ON runs_session (target_id);
CREATE INDEX runs_session_organisation_id_ef591887 ON runs_session (organisation_id);
CREATE INDEX runs_run_former_id_9f143bfd ON runs_run (former_id);
CREATE INDEX runs_run_parent_id_8594b290 ON runs_run (parent_id);
CREATE INDEX runs_run_target_id_d3f3dc2e ON runs_run (target_id);
CREATE INDEX runs_run_organisation_id_e377486d ON runs_run (organisation_id);
"""


class Migration(migrations.Migration):
    dependencies = [("runs", "0009_broker_patience")]
    operations = [migrations.RunSQL(UNTIED, TIED), migrations.RunSQL(DOUBLE, AGAIN)]
