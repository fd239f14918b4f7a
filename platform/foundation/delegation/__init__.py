"""Delegation: what a person lets an agent do in its name, and the tokens that say so."""
