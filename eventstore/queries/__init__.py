"""What gateways show: rows of the read models, by subject."""
