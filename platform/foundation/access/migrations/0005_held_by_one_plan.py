from django.db import migrations

# One plan for whoever asks: planned anew for each question, it costs more than the answer.
_HELD = """
CREATE OR REPLACE FUNCTION remit_held(holder uuid, target uuid) RETURNS text[] LANGUAGE plpgsql STABLE
    SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN ARRAY(SELECT p.codename FROM auth_permission p WHERE p.id IN (SELECT h.permission_id FROM access_holding h
        WHERE h.principal_id = holder AND (h.expires_at IS NULL OR h.expires_at > now())
            AND h.content_object_id = ANY((SELECT t.lineage FROM organisations_granttarget t WHERE t.id = target)::uuid[])));
END
$$
"""
_FORMER = """
CREATE OR REPLACE FUNCTION remit_held(holder uuid, target uuid) RETURNS text[] LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT array_agg(DISTINCT p.codename) FROM access_holding h JOIN auth_permission p ON p.id = h.permission_id
        WHERE h.principal_id = holder AND (h.expires_at IS NULL OR h.expires_at > now())
            AND h.content_object_id = ANY((SELECT t.lineage FROM organisations_granttarget t WHERE t.id = target)::uuid[]));
END
$$
"""


class Migration(migrations.Migration):
    """The question of what somebody holds on a target, by a plan that is kept."""

    dependencies = [("access", "0004_holdings")]
    operations = [migrations.RunSQL(_HELD, _FORMER)]
