"""Trainer of TFX with channels for the vocabulary and the embedding snapshots."""
