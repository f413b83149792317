"""Work that is done outside of flexrun's own processes: what is handed out, and what comes back."""
