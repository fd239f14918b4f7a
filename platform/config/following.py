"""The sample after a new start: its rehearsal model and its shop may have other addresses than before."""

from django.conf import settings
from django.db import connections
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from agents.catalogue.models import Provider
from agents.catalogue.services import update_provider
from agents.tools.models import Credential
from agents.tools.services import replace_secret
from config.sample.database import install, is_installed
from config.sample.definition import SAMPLE
from foundation.actors import shell_actor
from foundation.organisations.models import Organisation
from foundation.secrets.sealing import UnsealError, unseal
from foundation.tenancy.context import tenant


def credential_name(connector: str) -> str:
    """What the credential of one of the sample's connectors is called."""
    return f"{connector}: credential"


def follow_rehearsal_model() -> None:
    """Its port has changed, because somebody took the former one: the sample's provider points to the new one."""
    address = settings.REMIT_REHEARSAL_URL
    stale = Provider.objects.using("system").filter(
        organisation__slug=SAMPLE.slug, slug=SAMPLE.provider.slug, rehearsal=True, sealed_key=""
    )
    provider = stale.exclude(base_url=address).first() if address else None
    if provider is None:
        return
    with tenant(provider.organisation_id):
        update_provider(
            actor=shell_actor(provider.organisation_id),
            provider=provider,
            name=provider.name,
            base_url=address,
            api=provider.api,
            enabled=provider.enabled,
        )


def renew_credentials() -> None:
    """The shop's roles get new passwords, and its connectors the addresses with them, if the server's place changed."""
    organisation = Organisation.objects.using("system").filter(slug=SAMPLE.slug).first()
    owner = connections["owner"]
    owner.ensure_connection()
    if organisation is None or not is_installed(owner.connection):
        return
    with tenant(organisation.id):
        held = {one.name: one for one in Credential.objects.all()}
        wanted = {credential_name(one.name): one.credential for one in SAMPLE.connectors if one.credential}
        if all(_leads_here(held[name]) for name in wanted if name in held):
            return
        secrets = install(owner.connection)
        for name, key in wanted.items():
            if name in held:
                replace_secret(actor=shell_actor(organisation.id), credential=held[name], secret=secrets[key])


def _leads_here(credential: Credential) -> bool:
    place = settings.DATABASES["default"]
    try:
        held = conninfo_to_dict(unseal(credential.sealed, context=f"credential:{credential.id}"))
    except (UnsealError, ProgrammingError):
        return False
    return (held.get("host"), str(held.get("port"))) == (place["HOST"], str(place["PORT"]))
