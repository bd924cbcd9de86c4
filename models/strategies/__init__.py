"""Strategies: how the target level uses the source domains, one module each.

The declarations here import no TensorFlow: planning and the checks of a configuration
read them. What builds networks and learners imports it inside the methods that do.
"""
