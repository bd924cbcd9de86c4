"""Stored state: what ML Metadata and the results of earlier runs say."""
