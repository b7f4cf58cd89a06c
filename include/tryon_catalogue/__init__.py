"""The shop's side of virtual try-on, in wings: the stages of a night, each standing on those below it."""
