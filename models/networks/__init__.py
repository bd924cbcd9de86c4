"""Networks: the backbone, TPM and the multi-domain networks."""
