from django.db import migrations, models

# A link of the shell that was made before the address was proved counts no longer, either.
LINKS = """
CREATE OR REPLACE FUNCTION remit_use_sign_in_link(wanted text) RETURNS uuid
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS
    $$ UPDATE identity_signinlink l SET used_at = now() FROM identity_user u
       WHERE l.digest = wanted AND l.used_at IS NULL AND l.expires_at > now() AND u.id = l.user_id
         AND (u.sessions_from IS NULL OR l.created_at >= u.sessions_from) RETURNING l.user_id $$;
"""
FORMER = """
CREATE OR REPLACE FUNCTION remit_use_sign_in_link(wanted text) RETURNS uuid
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS
    $$ UPDATE identity_signinlink SET used_at = now()
       WHERE digest = wanted AND used_at IS NULL AND expires_at > now() RETURNING user_id $$;
"""


class Migration(migrations.Migration):
    """Columns with a constant, or none: no row is written. Whoever is there already counts as proved."""

    dependencies = [("identity", "0011_new_ones_uncounted")]

    operations = [
        migrations.AddField("user", "proved", models.BooleanField(default=True, db_default=True)),
        migrations.AddField("user", "sessions_from", models.DateTimeField(blank=True, null=True)),
        migrations.AddField("membership", "accepted", models.BooleanField(default=False, db_default=False)),
        migrations.RunSQL(LINKS, FORMER),
    ]
