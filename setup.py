"""Packaging of tfmtl. A setup.py, because Beam ships the project to its workers with one."""

from pathlib import Path

from setuptools import find_packages, setup

setup(
    name="tfmtl",
    version="0.1.0",
    description="Multi-task, multi-scenario recommenders from behaviour logs to TF Serving",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.11,<3.14",
    packages=find_packages(include=["tfmtl*", "pipelines*", "serving*"]),
    package_data={
        "tfmtl": ["py.typed"],
        "pipelines": ["py.typed", "configs/*.yaml"],
        "serving": [
            "py.typed",
            "deploy/*.config",
            "deploy/docker-compose.yml",
            "deploy/kubernetes/*.yaml",
        ],
    },
    install_requires=[
        "tensorflow~=2.21.0",
        "tf-keras~=2.21.0",
        "keras~=3.15.0",
        "tensorflow-recommenders==0.7.7",
        "keras-rs~=0.4.0",
        "apache-beam~=2.77.0",
        "tensorflow-serving-api~=2.21.0",
        "tensorflow-metadata~=1.21.0",
        "numpy",
        "pyarrow",
        "pydantic~=2.14",
        "PyYAML",
        "typer>=0.29",
        "rich",
    ],
    extras_require={
        "text": ["keras-hub~=0.32.0", "safetensors"],
        "kubeflow": ["kfp[kubernetes]~=2.16.1"],
        "tune": ["optuna>=4"],
        "dev": [
            "hypothesis",
            "keras-hub~=0.32.0",
            "mypy",
            "optuna>=4",
            "pytest",
            "pytest-timeout",
            "pytest-xdist",
            "ruff",
            "safetensors",
            "types-PyYAML",
        ],
    },
    entry_points={"console_scripts": ["tfmtl = pipelines.cli:main"]},
    classifiers=[
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
    ],
)
