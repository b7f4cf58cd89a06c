"""The ledger: tables of what was wanted, what was paid for, and what came of it."""
