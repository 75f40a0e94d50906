"""The files of ``deploy/``, tried without an engine: they parse, agree with each other, and Dagster reads them."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from dagster._core.instance.ref import InstanceRef
from dagster._core.workspace.load import location_origins_from_yaml_paths
from dagster_postgres.utils import pg_url_from_config
from packaging.requirements import Requirement

from crm_assets.orchestration.keys import CONNECTION_TAG

DEPLOY = Path(__file__).parents[2] / "deploy"


def document(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text())


@pytest.mark.parametrize(
    ("file", "launcher"), [("dagster.docker.yaml", "DockerRunLauncher"), ("dagster.celery.yaml", "CeleryRunLauncher")]
)
def test_dagster_takes_the_instance(file: str, launcher: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOST", "USER", "PASSWORD", "DB"):
        monkeypatch.setenv(f"DAGSTER_POSTGRES_{name}", name.lower())
    shutil.copy(DEPLOY / file, tmp_path / "dagster.yaml")
    instance = InstanceRef.from_dir(str(tmp_path))
    assert instance.storage_data
    assert instance.run_launcher_data
    assert instance.storage_data.class_name == "DagsterPostgresStorage"
    assert instance.run_launcher_data.class_name == launcher
    database = document(file)["storage"]["postgres"]["postgres_db"]
    resolved = {
        key: value if isinstance(value, (str, int)) else value["env"].lower() for key, value in database.items()
    }
    assert pg_url_from_config({"postgres_db": resolved}).startswith("postgresql+psycopg2://"), "the installed driver"
    (limit,) = document(file)["concurrency"]["runs"]["tag_concurrency_limits"]
    assert limit["key"] == CONNECTION_TAG


def test_compose_agrees_with_itself_and_with_the_instance() -> None:
    compose, instance = document("docker-compose.yaml"), document("dagster.docker.yaml")
    services = compose["services"]
    assert services.keys() == {"postgres", "code", "daemon", "webserver"}
    assert all("healthcheck" in services[name] for name in ("postgres", "daemon", "webserver"))
    assert services["webserver"]["ports"] == ["127.0.0.1:3000:3000"], "the UI has no lock of its own"
    launcher = instance["run_launcher"]["config"]
    assert launcher["network"] == compose["networks"]["crm"]["name"]
    assert launcher["container_kwargs"]["volumes"] == [f"{compose['volumes']['data']['name']}:/data"]
    assert {*launcher["env_vars"]} <= services["daemon"]["environment"].keys(), "the daemon hands them to runs"
    (origin,) = location_origins_from_yaml_paths([str(DEPLOY / "workspace.yaml")])
    assert origin.location_name == "crm_assets"
    assert getattr(origin, "host", None) in services
    assert "POSTGRES_PASSWORD:?" in (DEPLOY / "docker-compose.yaml").read_text(), "there is no default password"


def test_the_image_is_not_run_by_root_and_says_whether_it_is_healthy() -> None:
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    assert [line for line in lines if line.startswith("USER")] == ["USER 10001"]
    assert any(line.startswith("HEALTHCHECK") for line in lines)
    sources = [source for line in lines for source in re.findall(r"^COPY (?:--chown=\S+ )?((?!--)\S+)", line)]
    assert sources
    for source in sources:
        assert (DEPLOY.parent / source).exists(), source


def test_the_image_has_one_version_of_each_package() -> None:
    (command,) = re.findall(r"grep -oE '.*?' requirements.lock", (DEPLOY / "Dockerfile").read_text())
    lines = subprocess.run(shlex.split(command), cwd=DEPLOY.parent, capture_output=True, text=True, check=True).stdout
    packages = [Requirement(line) for line in lines.splitlines()]
    here = {"python_version": "3.12", "python_full_version": "3.12.0"}
    chosen = [one.name for one in packages if not one.marker or one.marker.evaluate(here)]
    assert len(chosen) > 100
    assert len(chosen) == len(set(chosen)), "pip takes several versions of a constraint for a conflict"


def test_helm_limits_runs_as_compose_does() -> None:
    values = document("helm-values.yaml")
    queue = values["dagsterDaemon"]["runCoordinator"]["config"]["queuedRunCoordinator"]
    assert queue["tagConcurrencyLimits"][0]["key"] == CONNECTION_TAG
    assert values["runLauncher"]["type"] == "K8sRunLauncher"
    (deployment,) = values["dagster-user-deployments"]["deployments"]
    secrets = values["runLauncher"]["config"]["k8sRunLauncher"]["envSecrets"]
    assert deployment["envSecrets"] == secrets, "runs have the secrets of the code server"
