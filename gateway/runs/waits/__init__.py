"""What a run waits for, and what makes it go on: read, decided, shown."""
