from django.db import migrations

# Beside remit_invitation, which processes of the former release go on to ask: it answers two columns more.
LINK = """
CREATE FUNCTION remit_invitation_by_link(wanted text)
    RETURNS TABLE (id uuid, organisation_id uuid, organisation_name varchar, email varchar, name varchar,
                   inviter varchar, pending boolean, user_id uuid, fresh boolean, mailed boolean, anew boolean)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS
    $$ SELECT i.id, i.organisation_id, o.name, i.email, i.name, coalesce(p.name, 'An administrator'),
              i.accepted_at IS NULL AND i.withdrawn_at IS NULL AND i.expires_at > now(), u.id,
              u.id IS NULL OR (NOT u.proved AND i.sent_at IS NOT NULL)
              OR ((NOT u.proved OR (u.password LIKE '!%' AND u.last_login IS NULL))
                  AND NOT EXISTS (SELECT FROM identity_membership m WHERE m.user_id = u.id)),
              i.sent_at IS NOT NULL, u.id IS NOT NULL AND NOT u.proved AND i.sent_at IS NOT NULL
       FROM invitations_invitation i JOIN organisations_organisation o ON o.id = i.organisation_id
       LEFT JOIN identity_principal p ON p.id = i.invited_by_id
       LEFT JOIN identity_user u ON lower(u.email) = lower(i.email) WHERE i.digest = wanted $$;
GRANT CREATE ON SCHEMA public TO remit_system;
ALTER FUNCTION remit_invitation_by_link(text) OWNER TO remit_system;
REVOKE CREATE ON SCHEMA public FROM remit_system;
REVOKE ALL ON FUNCTION remit_invitation_by_link(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION remit_invitation_by_link(text) TO remit_serving;
"""

# Who was made by a link that was shown, and has opened none since that a mail or the shell has brought. Such a user
# goes on where it has accepted an invitation itself.
UNPROVED = """
UPDATE identity_user u SET proved = false FROM invitations_invitation i
    WHERE u.email = i.email AND i.accepted_at IS NOT NULL AND i.sent_at IS NULL
      AND u.created_at BETWEEN i.accepted_at - interval '1 minute' AND i.accepted_at
      AND NOT EXISTS (SELECT FROM invitations_invitation o
                      WHERE o.email = i.email AND o.accepted_at IS NOT NULL AND o.sent_at IS NOT NULL)
      AND NOT EXISTS (SELECT FROM identity_signinlink l WHERE l.user_id = u.id AND l.used_at IS NOT NULL);
"""
ACCEPTED = """
UPDATE identity_membership m SET accepted = true FROM identity_user u, invitations_invitation i
    WHERE u.id = m.user_id AND NOT u.proved AND i.email = u.email AND i.organisation_id = m.organisation_id
      AND i.accepted_at IS NOT NULL;
"""


class Migration(migrations.Migration):
    """Rows are written for those alone who joined by a link that was shown."""

    dependencies = [("invitations", "0001_who_may"), ("identity", "0012_proved")]

    operations = [
        migrations.RunSQL(LINK.replace("%", "%%"), "DROP FUNCTION remit_invitation_by_link(text);"),
        migrations.RunSQL(UNPROVED, migrations.RunSQL.noop),
        migrations.RunSQL(ACCEPTED, migrations.RunSQL.noop),
    ]
