from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps
from pgmq.install import get_embedded_install_sql

# The queue belongs to the broker's role, which holds no right on anything else: its transport makes a trigger at
# run time, which only an owner may.


def install(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    name = schema_editor.connection.settings_dict["NAME"].replace('"', '""')
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT to_regnamespace('pgmq') IS NOT NULL")
        if cursor.fetchone()[0]:
            return
        cursor.execute(f'GRANT CREATE ON DATABASE "{name}" TO remit_broker')
        cursor.execute("SET LOCAL ROLE remit_broker")
        cursor.execute(get_embedded_install_sql())
        cursor.execute("SELECT pgmq.create('remit')")
        cursor.execute("RESET ROLE")
        cursor.execute(f'REVOKE CREATE ON DATABASE "{name}" FROM remit_broker')


def remove(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE remit_broker")
        cursor.execute("DROP SCHEMA pgmq CASCADE")
        cursor.execute("RESET ROLE")


class Migration(migrations.Migration):
    dependencies = [("runs", "0002_tenancy")]
    operations = [migrations.RunPython(install, remove)]
