"""People in the loop: one service behind every door through which a person decides."""
