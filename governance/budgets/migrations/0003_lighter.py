from django.db import migrations

# A reservation is looked for by its id alone, and changes once. Without these its change touches no index.
LIGHTER = """
ALTER TABLE budgets_reservation DROP CONSTRAINT budgets_reservation_tenant_key;
DROP INDEX IF EXISTS budgets_reservation_organisation_id_6465e84a;
ALTER TABLE budgets_reservation SET (fillfactor = 70);
ALTER TABLE budgets_budget SET (fillfactor = 50);
"""
FORMER = """
ALTER TABLE budgets_budget RESET (fillfactor);
ALTER TABLE budgets_reservation RESET (fillfactor);
CREATE INDEX budgets_reservation_organisation_id_6465e84a ON budgets_reservation (organisation_id);
ALTER TABLE budgets_reservation ADD CONSTRAINT budgets_reservation_tenant_key UNIQUE (organisation_id, id);
"""
# The engine writes these with the organisation of the run, whose own key is tied to it. To look that organisation up
# for each of them locks its row once for each of them.
UNTIED = """
ALTER TABLE budgets_ledgerentry DROP CONSTRAINT budgets_ledgerentry_organisation;
ALTER TABLE budgets_reservation DROP CONSTRAINT budgets_reservation_organisation_id_6465e84a_fk_organisat;
"""
TIED = """
ALTER TABLE budgets_reservation ADD CONSTRAINT budgets_reservation_organisation_id_6465e84a_fk_organisat
    FOREIGN KEY (organisation_id) REFERENCES organisations_organisation (id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE budgets_ledgerentry ADD CONSTRAINT budgets_ledgerentry_organisation
    FOREIGN KEY (organisation_id) REFERENCES organisations_organisation (id);
"""


class Migration(migrations.Migration):
    dependencies = [("budgets", "0002_tenancy")]
    operations = [
        migrations.RemoveIndex("reservation", "reservation_of_run"),
        migrations.RunSQL(LIGHTER, FORMER),
        migrations.RunSQL(UNTIED, TIED),
    ]
