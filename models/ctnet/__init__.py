"""CTNet: a target model that reads a frozen source model through adapters."""
