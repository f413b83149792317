"""What an operator looks at and mends by hand: outstanding work, and messages that could not be handled."""
