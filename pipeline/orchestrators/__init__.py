"""Orchestrators: Airflow DAGs and Kubeflow specs of a day's run."""
