//! `landfall deploy`: a template becomes a stack, and its events are shown until it stands. Never edits a template.

use std::collections::HashSet;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use landfall_core::template::Template;

use crate::cli::{DeployArgs, Stacks};
use crate::client::Client;
use crate::image;

/// How often the stack's state is asked for.
const POLL: Duration = Duration::from_millis(100);

/// Runs the command.
pub async fn run(args: DeployArgs) -> Result<ExitCode> {
    let client = Client::new(&args.endpoint.url)?;
    let name = match args.stack_name {
        Some(name) => name,
        None => stack_name(&args.template)?,
    };
    let parameters = parse(&args.parameters)?;
    let say = |line: &str| println!("{line}");
    deploy(&client, &args.template, &name, &parameters, &say).await?;
    Ok(ExitCode::SUCCESS)
}

/// The name of a stack whose template is this file: the file's stem.
fn stack_name(template: &Path) -> Result<String> {
    let stem = template.file_stem().and_then(|stem| stem.to_str());
    stem.map(str::to_owned)
        .with_context(|| format!("{} gives no stack name", template.display()))
}

/// `NAME=VALUE` pairs.
pub fn parse(pairs: &[String]) -> Result<Vec<(String, String)>> {
    let split = |pair: &String| match pair.split_once('=') {
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => bail!("a parameter is written NAME=VALUE, not {pair}"),
    };
    pairs.iter().map(split).collect()
}

/// Who is told of progress, line by line.
pub type Say<'a> = &'a (dyn Fn(&str) + Sync);

/// Deploys each template under the name of its file, once the images are loaded.
pub async fn stacks(client: &Client, stacks: &Stacks, say: Say<'_>) -> Result<()> {
    let parameters = parse(&stacks.parameters)?;
    for archive in &stacks.images {
        for name in image::upload(client, archive).await? {
            say(&format!("loaded {name}"));
        }
    }
    for template in &stacks.templates {
        deploy(client, template, &stack_name(template)?, &parameters, say).await?;
    }
    Ok(())
}

/// Creates the stack or updates it, and waits until it stands.
async fn deploy(
    client: &Client,
    template: &Path,
    stack: &str,
    parameters: &[(String, String)],
    say: Say<'_>,
) -> Result<()> {
    let text = std::fs::read_to_string(template)
        .with_context(|| format!("cannot read {}", template.display()))?;
    let parsed = Template::parse(&text)
        .with_context(|| format!("{} is not a template", template.display()))?;
    let mut form = vec![
        ("StackName".to_owned(), stack.to_owned()),
        ("TemplateBody".to_owned(), text),
        (
            "Capabilities.member.1".to_owned(),
            "CAPABILITY_NAMED_IAM".to_owned(),
        ),
    ];
    let declared = parameters
        .iter()
        .filter(|(name, _)| parsed.parameters.contains_key(name));
    for (n, (name, value)) in declared.enumerate() {
        let prefix = format!("Parameters.member.{}", n + 1);
        form.push((format!("{prefix}.ParameterKey"), name.clone()));
        form.push((format!("{prefix}.ParameterValue"), value.clone()));
    }
    let mut seen = event_ids(client, stack).await;
    let action = if status(client, stack).await?.is_some() {
        "UpdateStack"
    } else {
        "CreateStack"
    };
    if let Err(e) = client.cloudformation(action, &form).await {
        if e.to_string().contains("No updates are to be performed") {
            say(&format!("{stack}: nothing to change"));
            return Ok(());
        }
        return Err(e.context(format!("{stack} cannot be deployed")));
    }
    follow(client, stack, &mut seen, say).await
}

async fn follow(
    client: &Client,
    stack: &str,
    seen: &mut HashSet<String>,
    say: Say<'_>,
) -> Result<()> {
    loop {
        let status = status(client, stack).await?;
        print_events(client, stack, seen, say).await?;
        match status.as_deref() {
            Some("CREATE_COMPLETE" | "UPDATE_COMPLETE") => return Ok(()),
            Some(status) if !status.ends_with("_IN_PROGRESS") => {
                bail!("stack {stack} ended as {status}; the reasons are above")
            }
            None => bail!("stack {stack} is gone"),
            Some(_) => tokio::time::sleep(POLL).await,
        }
    }
}

async fn status(client: &Client, stack: &str) -> Result<Option<String>> {
    let form = [("StackName".to_owned(), stack.to_owned())];
    match client.cloudformation("DescribeStacks", &form).await {
        Ok(elements) => Ok(text(&elements, "StackStatus")),
        Err(e) if e.to_string().ends_with("does not exist") => Ok(None),
        Err(e) => Err(e),
    }
}

async fn event_ids(client: &Client, stack: &str) -> HashSet<String> {
    let form = [("StackName".to_owned(), stack.to_owned())];
    let events = client
        .cloudformation("DescribeStackEvents", &form)
        .await
        .unwrap_or_default();
    events
        .into_iter()
        .filter(|(name, _)| name == "EventId")
        .map(|(_, id)| id)
        .collect()
}

/// One event after the other: each begins with its `EventId` or ends before the next one.
async fn print_events(
    client: &Client,
    stack: &str,
    seen: &mut HashSet<String>,
    say: Say<'_>,
) -> Result<()> {
    let form = [("StackName".to_owned(), stack.to_owned())];
    let elements = client.cloudformation("DescribeStackEvents", &form).await?;
    let mut events: Vec<Vec<(String, String)>> = Vec::new();
    for (name, value) in elements {
        match events.last_mut() {
            Some(event) if !event.iter().any(|(n, _)| *n == name) => event.push((name, value)),
            _ => events.push(vec![(name, value)]),
        }
    }
    for event in events.iter().rev() {
        let get = |name| text(event, name).unwrap_or_default();
        if get("EventId").is_empty() || !seen.insert(get("EventId")) {
            continue;
        }
        let reason = text(event, "ResourceStatusReason").map(|r| format!("  {r}"));
        say(&format!(
            "{stack}  {:<28} {:<34} {}{}",
            get("ResourceStatus"),
            get("ResourceType"),
            get("LogicalResourceId"),
            reason.unwrap_or_default()
        ));
    }
    Ok(())
}

fn text(elements: &[(String, String)], name: &str) -> Option<String> {
    elements
        .iter()
        .find(|(n, _)| n == name)
        .map(|(_, text)| text.clone())
}
