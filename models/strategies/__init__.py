"""Strategies: how the target level uses the source domains, one module each.

The declarations import no TensorFlow, because planning and configuration checks read
them. Methods that build networks and learners import it inside.
"""
