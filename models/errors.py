"""Errors that are meant for people: a headline, what happened, how to fix it."""

from __future__ import annotations


class CrossctrError(Exception):
    """Base of every error that the command line prints without a traceback.

    The message says what happened (with the value), what was expected and how to fix
    it. `headline` names the kind of trouble in two or three words; the command ends
    with `exit_code`.
    """

    headline = "Error"
    exit_code = 2


class ConfigError(CrossctrError):
    """The configuration file cannot be used."""

    headline = "Bad configuration"


class DataError(CrossctrError):
    """Logs or artifacts are missing, empty or of the wrong shape."""

    headline = "Bad data"


class TrainingError(CrossctrError):
    """Training cannot go on."""

    headline = "Training stopped"
