"""Stand-ins for the LinkedIn capabilities: a brief, drafts and a review, out of fixed templates."""
