"""Everything between an intent and a result key: batches, the gate, the journal, stops and doubts."""
