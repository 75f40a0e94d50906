"""Every resource of every declaration, from the API to the warehouse."""
