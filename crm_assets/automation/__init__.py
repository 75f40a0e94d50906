"""What happens without being asked for: schedules, change sensors, alerts and freshness, derived from connections."""
