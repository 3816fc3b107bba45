"""What pyproject.toml cannot say: the packages are found, and conf/ beside them is one of them."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["aistudio", "aistudio.*"]), "aistudio.conf"],
    package_dir={"aistudio.conf": "conf"},
)
