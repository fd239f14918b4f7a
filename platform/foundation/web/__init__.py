"""What pages are made of: the shell, the components, the security headers, the theme.

components   parts of a page as functions that return safe HTML; `{% load remit %}` offers them to templates
navigation   the shell's values: who looks, in which organisation, at which of the places
waterfall    the geometry of a run's steps on an elastic time axis
csp, theme   headers of every answer; light, dark or the system's own
"""
