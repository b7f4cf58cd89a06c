"""Everything before a submission: what a run is asked for, which looks it makes, and which of them go."""
