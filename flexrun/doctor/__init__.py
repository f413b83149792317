"""`flexrun doctor`: looks at settings, database, broker, processes and disk by itself, and says what to do."""
