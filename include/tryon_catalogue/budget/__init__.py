"""Money: limits, packs that were bought, what is committed, and what was spent."""
