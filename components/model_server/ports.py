"""Ports of the model server, TF Serving's own."""

GRPC_PORT = 8500
REST_PORT = 8501
