"""InfraValidator of TFX without Docker: the server runs in this process."""
