"""The template library `remit`."""
