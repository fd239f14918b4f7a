"""What is wrong with this installation, and what to do about it: the checks behind `manage.py doctor`."""
