"""Sessions, runs, steps and events; the engine that advances a run from its journal."""
