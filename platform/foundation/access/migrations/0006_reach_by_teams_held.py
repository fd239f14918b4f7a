from django.db import migrations

# A principal that holds much agent by agent had each team's whole lineage looked up among what it holds. Now the teams
# that it holds themselves are looked up first, one by one; those below them are asked for only if there are any. Without
# `&&`, for which the planner would read an index of all lineages, those of a team's many agents too.
REACH = """
CREATE OR REPLACE FUNCTION remit_reach_nodes(holder uuid, wanted text, organisation uuid, OUT permission int,
        OUT somewhere boolean, OUT everywhere boolean, OUT teams uuid[], OUT agents boolean)
    LANGUAGE plpgsql STABLE AS $$
BEGIN
    SELECT r.permission, r.somewhere, r.everywhere INTO permission, somewhere, everywhere
        FROM remit_reach(holder, wanted, organisation) r;
    IF everywhere OR NOT somewhere THEN RETURN; END IF;
    teams := ARRAY(SELECT t.id FROM organisations_granttarget t
        WHERE t.kind = 'team' AND t.organisation_id = organisation AND EXISTS (
            SELECT FROM access_holding h WHERE h.principal_id = holder AND h.permission_id = permission
                AND h.content_object_id = t.id AND (h.expires_at IS NULL OR h.expires_at > now())));
    IF teams <> '{}' THEN
        teams := ARRAY(SELECT t.id FROM organisations_granttarget t
            WHERE t.kind = 'team' AND t.organisation_id = organisation
                AND EXISTS (SELECT FROM unnest(t.lineage) AS above(id) WHERE above.id = ANY(teams)));
    END IF;
    -- Node by node, until one is an agent.
    agents := EXISTS (SELECT FROM access_holding h WHERE h.principal_id = holder AND h.permission_id = permission
        AND (h.expires_at IS NULL OR h.expires_at > now())
        AND (SELECT t.kind FROM organisations_granttarget t WHERE t.id = h.content_object_id) = 'agent');
END
$$;
"""
FORMER = """
CREATE OR REPLACE FUNCTION remit_reach_nodes(holder uuid, wanted text, organisation uuid, OUT permission int,
        OUT somewhere boolean, OUT everywhere boolean, OUT teams uuid[], OUT agents boolean)
    LANGUAGE plpgsql STABLE AS $$
BEGIN
    SELECT r.permission, r.somewhere, r.everywhere INTO permission, somewhere, everywhere
        FROM remit_reach(holder, wanted, organisation) r;
    IF everywhere OR NOT somewhere THEN RETURN; END IF;
    teams := ARRAY(SELECT t.id FROM organisations_granttarget t
        WHERE t.kind = 'team' AND t.organisation_id = organisation AND EXISTS (
            SELECT FROM access_holding h WHERE h.principal_id = holder AND h.permission_id = permission
                AND h.content_object_id = ANY(t.lineage) AND (h.expires_at IS NULL OR h.expires_at > now())));
    agents := EXISTS (SELECT FROM access_holding h WHERE h.principal_id = holder AND h.permission_id = permission
        AND (h.expires_at IS NULL OR h.expires_at > now())
        AND (SELECT t.kind FROM organisations_granttarget t WHERE t.id = h.content_object_id) = 'agent');
END
$$;
"""


class Migration(migrations.Migration):
    dependencies = [("access", "0005_held_by_one_plan")]

    operations = [migrations.RunSQL(REACH, FORMER)]
