"""The models and the PostgreSQL server of the service's tests."""

from tests.serving.conftest import database, model, postgres, saved_models

__all__ = ["database", "model", "postgres", "saved_models"]
