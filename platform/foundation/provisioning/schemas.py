"""What this service says of itself over SCIM: its two resources, and what it can do (RFC 7643, sections 4 and 5).

Only attributes with a use here are declared: the rest of what a directory sends (photographs, certificates,
passwords, addresses) is read over, and never stored.
"""

from typing import Annotated, Any, ClassVar

from pydantic import Field
from scim2_models import (
    URN,
    AuthenticationScheme,
    Bulk,
    CaseExact,
    ChangePassword,
    ComplexAttribute,
    ETag,
    Filter,
    Mutability,
    Patch,
    Reference,
    Required,
    Resource,
    ScimPolicy,
    ScimProvider,
    ServiceProviderConfig,
    Sort,
    Uniqueness,
)
from scim2_models import External as ExternalReference
from scim2_models.resources.user import Email, GroupMembership, Name

LARGEST = 1024 * 1024  # bytes of a body
MOST_RESULTS = 200
MOST_OPERATIONS = 100


class User(Resource[Any]):
    """A person."""

    __schema__ = URN("urn:ietf:params:scim:schemas:core:2.0:User")

    user_name: Annotated[str | None, Uniqueness.server, Required.true] = Field(None, max_length=254)
    """Unique in the organisation, whatever its case."""

    name: Name | None = None
    """The components of the person's name."""

    display_name: str | None = None
    """The name that is shown."""

    title: str | None = None
    """Such as "Vice President"."""

    user_type: str | None = None
    """Such as "Contractor"."""

    preferred_language: str | None = None
    """Such as "en-GB"."""

    locale: str | None = None
    """Such as "en-GB"."""

    timezone: str | None = None
    """Such as "Europe/Vienna"."""

    active: bool | None = None
    """Whether the person may act."""

    emails: list[Email] | None = None
    """The primary one is what a new person signs in with."""

    groups: Annotated[list[GroupMembership] | None, Mutability.read_only] = None
    """The groups that the person belongs to."""


class Member(ComplexAttribute):
    """Somebody in a group."""

    value: Annotated[str | None, Mutability.immutable, CaseExact.true] = None
    """The id of a person."""

    ref: Annotated[Reference[User] | None, Mutability.immutable] = Field(
        None, serialization_alias="$ref", validation_alias="$ref"
    )
    """The address of the person."""

    type: Annotated[str | None, Mutability.immutable] = Field(None, examples=["User"])
    """Always "User": groups do not nest."""


class Group(Resource[Any]):
    """People together: grants to the group are grants to each of them."""

    __schema__ = URN("urn:ietf:params:scim:schemas:core:2.0:Group")

    display_name: Annotated[str | None, Required.true] = Field(None, max_length=160)
    """Its name."""

    members: list[Member] | None = None
    """The people in it."""

    Members: ClassVar[type[ComplexAttribute]] = Member


CONFIGURATION = ServiceProviderConfig(
    patch=Patch(supported=True),
    bulk=Bulk(supported=True, max_operations=MOST_OPERATIONS, max_payload_size=LARGEST),
    filter=Filter(supported=True, max_results=MOST_RESULTS),
    change_password=ChangePassword(supported=False),
    sort=Sort(supported=True),
    etag=ETag(supported=True),
    authentication_schemes=[
        AuthenticationScheme(
            type=AuthenticationScheme.Type.oauthbearertoken,
            name="API key",
            description="Authorization: Bearer, with the API key of a service that holds person.manage.",
            spec_uri=Reference[ExternalReference]("https://datatracker.ietf.org/doc/html/rfc6750"),
        )
    ],
)
# What widely used directories send beyond the letter of RFC 7644 (Microsoft Entra ID foremost).
TOLERANCE = ScimPolicy(
    unknown=ScimPolicy.Unknown.ignore,
    remove_value_as_filter=ScimPolicy.RemoveValue.apply,
    unmatched_path_filter=ScimPolicy.UnmatchedPathFilter.create,
)
PROVIDER = ScimProvider(models=[User, Group], config=CONFIGURATION, policy=TOLERANCE)
