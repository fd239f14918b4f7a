"""Roles, grants, and the one question: may this actor do this here?"""
