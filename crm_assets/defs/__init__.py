"""What this project defines: its CRM tables."""
