"""Fix cards, one module each. A module's `CARDS` maps card ids to builders; adding a card is adding a file."""
