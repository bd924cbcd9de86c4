"""Folders and files of this machine and of object stores, by one set of functions."""
