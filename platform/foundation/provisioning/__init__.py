"""Provisioning: people and groups kept by a directory over SCIM 2.0."""
