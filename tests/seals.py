"""The sealer, until it has caught up."""

from foundation.audit.models import AuditEntry, AuditLeaf
from foundation.audit.sealing import ALIAS, seal
from tests.workers import until


def seal_all(organisation: object) -> None:
    """Seal until every entry of an organisation has its leaf.

    The sealer waits for older transactions of the whole cluster, also for those of the suite's other workers.
    """
    sealed = AuditLeaf.objects.using(ALIAS).values("entry_id")
    left = AuditEntry.objects.using(ALIAS).filter(organisation_id=organisation).exclude(id__in=sealed)

    def is_done() -> bool:
        while seal():
            pass
        return not left.exists()

    until(is_done, 60, lambda: f"{left.count()} entries are not sealed")
