from django.db import migrations

# The engine writes decisions with the organisation of the run, whose own key is tied to it. To look that organisation
# up for each of them locks its row once for each of them.
UNTIED = "ALTER TABLE policies_policydecision DROP CONSTRAINT policies_policydecision_organisation"
TIED = """
ALTER TABLE policies_policydecision ADD CONSTRAINT policies_policydecision_organisation
    FOREIGN KEY (organisation_id) REFERENCES organisations_organisation (id)
"""


class Migration(migrations.Migration):
    dependencies = [("policies", "0002_tenancy")]
    operations = [migrations.RunSQL(UNTIED, TIED)]
