"""Package of crossctr; also what Beam ships to its remote workers (--setup_file)."""

from pathlib import Path

from setuptools import find_packages
from setuptools import setup

setup(
    name="crossctr",
    version="0.1.0",
    description="Cross-domain CTR training for ads on TensorFlow and TFX: E-CDCTR",
    long_description=Path("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=find_packages(include=["pipeline*", "components*", "models*"]),
    package_data={"pipeline.report": ["templates/*"]},
    install_requires=[
        "apache-beam>=2.65,<2.78",
        "click>=8",
        "jinja2>=3",
        "ml-metadata>=1.16",
        "pyarrow>=10",
        "pyarrow_hotfix",
        "pydantic>=2",
        "pyyaml>=6",
        "rich>=13",
        "tensorboard>=2.16",
        "tensorflow>=2.16",
        "tensorflow-model-analysis>=0.47",
        "tensorflow-recommenders>=0.7.3",
        "tensorflow-transform>=1.16",
        "tf-keras>=2.16",
        "tfx>=1.16",
    ],
    extras_require={
        "test": [
            "hypothesis",
            "mypy",
            "pytest",
            "pytest-xdist",
            "ruff",
            "scikit-learn",
            "types-PyYAML",
        ],
    },
    entry_points={"console_scripts": ["crossctr=pipeline.cli:main"]},
)
