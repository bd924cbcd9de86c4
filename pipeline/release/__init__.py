"""Release: promotion and withdrawal of published versions."""
