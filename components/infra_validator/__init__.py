"""TFX's InfraValidator without Docker: a server of this process answers first."""
