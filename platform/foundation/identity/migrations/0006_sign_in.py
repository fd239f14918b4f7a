import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import foundation.ids

# Second factors and sessions belong to a person, over all organisations: whoever serves a request sees its own alone.
# What else allauth brings is used by nobody: no role but the owner's system tasks may touch it.
OWN = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO remit_serving, remit_system;
CREATE POLICY {table}_own ON {table} TO remit_serving
    USING (user_id = nullif(current_setting('remit.user', true), '')::uuid)
    WITH CHECK (user_id = nullif(current_setting('remit.user', true), '')::uuid);
CREATE POLICY {table}_system ON {table} TO remit_system USING (true) WITH CHECK (true);
"""
UNUSED = """
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY {table}_system ON {table} TO remit_system USING (false);
"""
OPEN = "ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY; ALTER TABLE {table} DISABLE ROW LEVEL SECURITY;"
IN_USE = ("identity_websession", "mfa_authenticator")
NOT_IN_USE = (
    "account_emailaddress", "account_emailconfirmation", "socialaccount_socialaccount", "socialaccount_socialapp",
    "socialaccount_socialtoken",
)  # fmt: skip

SECURE = "".join(OWN.format(table=table) for table in IN_USE) + "".join(
    UNUSED.format(table=table) for table in NOT_IN_USE
)
SEQUENCE = "GRANT USAGE ON SEQUENCE mfa_authenticator_id_seq TO remit_serving, remit_system;"
RELEASE = (
    "".join(OPEN.format(table=table) for table in (*IN_USE, *NOT_IN_USE))
    + "DROP POLICY mfa_authenticator_own ON mfa_authenticator;"
    + "".join(f"DROP POLICY {table}_system ON {table};" for table in ("mfa_authenticator", *NOT_IN_USE))
)


class Migration(migrations.Migration):
    dependencies = [
        ("identity", "0005_who_may"),
        ("organisations", "0003_configuration"),
        ("account", "0009_emailaddress_unique_primary_email"),
        ("mfa", "0003_authenticator_type_uniq"),
        ("socialaccount", "0006_alter_socialaccount_extra_data"),
    ]

    operations = [
        migrations.CreateModel(
            name="WebSession",
            fields=[
                (
                    "id",
                    models.UUIDField(default=foundation.ids.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("key", models.CharField(max_length=40, unique=True)),
                ("method", models.CharField(max_length=20)),
                ("address", models.CharField(blank=True, max_length=64)),
                ("browser", models.CharField(blank=True, max_length=200)),
                ("last_seen_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "bound_to",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="organisations.organisation",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={"ordering": ["id"], "abstract": False},
        ),
        migrations.RunSQL(SECURE + SEQUENCE, RELEASE),
    ]
