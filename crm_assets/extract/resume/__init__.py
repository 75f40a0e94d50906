"""What an interrupted read brought, kept so that the next one goes on where it stopped."""
