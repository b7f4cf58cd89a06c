"""Everything after a result key: collect, judge, label, archive, and write to the catalogue table."""
