"""Who calls, by more than tokens of our own: an issuer's tokens, certificates, and what too many wrong tokens cost."""
