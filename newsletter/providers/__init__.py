"""Who carries the mail: one file per provider."""
