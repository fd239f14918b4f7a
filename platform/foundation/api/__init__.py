"""What every REST endpoint stands on: who calls, what it needs, how it pages, how it refuses, how it is documented."""
