//! What a task definition may ask for here. Everything that AWS takes and no runtime of Landfall can honour is refused
//! with its name, so that nothing is dropped in silence. Never changes a definition.

use landfall_core::api::generated::ecs as api;
use landfall_core::error::ApiError;

/// Refuses what cannot be honoured, and definitions that make no sense on AWS either.
pub fn check(request: &api::RegisterTaskDefinitionRequest) -> Result<(), ApiError> {
    let containers = request.container_definitions.as_deref().unwrap_or_default();
    if containers.is_empty() {
        return Err(super::client("Container list cannot be empty."));
    }
    let given = |list: Option<bool>| list.unwrap_or(false);
    let asks = [
        (
            "volumes",
            given(request.volumes.as_ref().map(|v| !v.is_empty())),
        ),
        ("proxyConfiguration", request.proxy_configuration.is_some()),
        (
            "inferenceAccelerators",
            given(
                request
                    .inference_accelerators
                    .as_ref()
                    .map(|v| !v.is_empty()),
            ),
        ),
        (
            "placementConstraints",
            given(
                request
                    .placement_constraints
                    .as_ref()
                    .map(|v| !v.is_empty()),
            ),
        ),
        ("ipcMode", request.ipc_mode.is_some()),
        ("pidMode", request.pid_mode.is_some()),
    ];
    refuse_first("The task definition", &asks)?;
    let mut names = Vec::new();
    for container in containers {
        let name = container.name.as_deref().unwrap_or_default();
        if name.is_empty() || container.image.as_deref().unwrap_or_default().is_empty() {
            return Err(super::client(
                "Container.name and Container.image should not be null or empty.",
            ));
        }
        if names.contains(&name) {
            return Err(super::client("Container.name contains duplicate values."));
        }
        names.push(name);
        check_container(name, container)?;
    }
    if !containers.iter().any(|c| c.essential.unwrap_or(true)) {
        return Err(super::client("At least one container must be essential."));
    }
    check_dependencies(containers, &names)
}

fn check_container(name: &str, c: &api::ContainerDefinition) -> Result<(), ApiError> {
    fn any<T>(list: Option<&Vec<T>>) -> bool {
        list.is_some_and(|l| !l.is_empty())
    }
    let asks = [
        ("repositoryCredentials", c.repository_credentials.is_some()),
        ("links", any(c.links.as_ref())),
        (
            "restartPolicy",
            c.restart_policy
                .as_ref()
                .is_some_and(|p| p.enabled == Some(true)),
        ),
        ("environmentFiles", any(c.environment_files.as_ref())),
        ("mountPoints", any(c.mount_points.as_ref())),
        ("volumesFrom", any(c.volumes_from.as_ref())),
        ("linuxParameters", c.linux_parameters.is_some()),
        ("disableNetworking", c.disable_networking == Some(true)),
        ("privileged", c.privileged == Some(true)),
        ("dnsServers", any(c.dns_servers.as_ref())),
        ("dnsSearchDomains", any(c.dns_search_domains.as_ref())),
        ("extraHosts", any(c.extra_hosts.as_ref())),
        (
            "dockerSecurityOptions",
            any(c.docker_security_options.as_ref()),
        ),
        ("interactive", c.interactive == Some(true)),
        ("pseudoTerminal", c.pseudo_terminal == Some(true)),
        ("ulimits", any(c.ulimits.as_ref())),
        ("healthCheck", c.health_check.is_some()),
        ("systemControls", any(c.system_controls.as_ref())),
        (
            "resourceRequirements",
            any(c.resource_requirements.as_ref()),
        ),
        ("firelensConfiguration", c.firelens_configuration.is_some()),
        ("hostname", c.hostname.is_some()),
    ];
    refuse_first(&format!("Container {name}"), &asks)?;
    check_secrets(name, c)?;
    check_logging(name, c)
}

fn check_secrets(name: &str, c: &api::ContainerDefinition) -> Result<(), ApiError> {
    let foreign = |s: &&api::Secret| {
        s.value_from
            .as_deref()
            .is_some_and(|v| v.starts_with("arn:aws:secretsmanager:"))
    };
    match c.secrets.iter().flatten().find(foreign) {
        Some(secret) => Err(super::client(format!(
            "Container {name} takes secret {} from Secrets Manager, which Landfall does not serve: use an SSM \
             parameter.",
            secret.name.as_deref().unwrap_or_default()
        ))),
        None => Ok(()),
    }
}

fn check_logging(name: &str, c: &api::ContainerDefinition) -> Result<(), ApiError> {
    let Some(logging) = &c.log_configuration else {
        return Ok(());
    };
    let driver = logging.log_driver.as_deref().unwrap_or_default();
    if driver != "awslogs" {
        return Err(super::client(format!(
            "Container {name} uses the log driver {driver}; Landfall supports awslogs only."
        )));
    }
    let options = logging.options.clone().unwrap_or_default();
    for needed in ["awslogs-group", "awslogs-region"] {
        if !options.contains_key(needed) {
            let text = format!("Log driver awslogs requires options: {needed}");
            return Err(super::client(text));
        }
    }
    let honoured = [
        "awslogs-group",
        "awslogs-region",
        "awslogs-stream-prefix",
        "awslogs-create-group",
        "mode",
        "max-buffer-size",
    ];
    match options.keys().find(|k| !honoured.contains(&k.as_str())) {
        Some(option) => Err(super::client(format!(
            "Container {name} uses the log option {option}, which Landfall does not support."
        ))),
        None => Ok(()),
    }
}

fn check_dependencies(
    containers: &[api::ContainerDefinition],
    names: &[&str],
) -> Result<(), ApiError> {
    for container in containers {
        let name = container.name.as_deref().unwrap_or_default();
        for dependency in container.depends_on.iter().flatten() {
            let on = dependency.container_name.as_deref().unwrap_or_default();
            if !names.contains(&on) || on == name {
                return Err(super::client(
                    "Container dependency must be a container of the task.",
                ));
            }
            if dependency.condition.as_deref() == Some("HEALTHY") {
                return Err(super::client(format!(
                    "Container {name} waits for {on} to be HEALTHY; Landfall does not support health checks."
                )));
            }
        }
    }
    Ok(())
}

fn refuse_first(who: &str, asks: &[(&str, bool)]) -> Result<(), ApiError> {
    match asks.iter().find(|(_, asked)| *asked) {
        Some((what, _)) => Err(super::client(format!(
            "{who} uses {what}, which Landfall does not support."
        ))),
        None => Ok(()),
    }
}
