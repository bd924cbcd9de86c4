"""Multi-domain networks: trained on all domains, with domain-specific parts."""
