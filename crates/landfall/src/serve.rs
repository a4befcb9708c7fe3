//! `landfall serve`: puts the rooms together, listens, and stops in order. Never answers a request itself.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use landfall_flow::land::sweep;
use landfall_flow::{Flow, FlowParts, run};
use landfall_runtime::{Runtime, RuntimeKind};
use landfall_store::{FileContents, FjallState};
use landfall_wire::cloudformation::CloudFormation;
use landfall_wire::cloudtrail::CloudTrail;
use landfall_wire::cloudwatch::CloudWatch;
use landfall_wire::dispatch::Dispatcher;
use landfall_wire::ec2::Ec2;
use landfall_wire::ecs::Ecs;
use landfall_wire::events::Events;
use landfall_wire::iam::Iam;
use landfall_wire::internal::Internal;
use landfall_wire::logs::Logs;
use landfall_wire::protocol::sigv4::Credentials;
use landfall_wire::s3::S3Handler;
use landfall_wire::sqs::Sqs;
use landfall_wire::ssm::Ssm;
use landfall_wire::sts::Sts;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::cli::{RuntimeChoice, ServeArgs};
use crate::config;
use crate::host;
use crate::interrupts::Interrupts;
use crate::late_runtime::LateRuntime;
use crate::system::{SystemClock, SystemIds};

/// Where a server listens unless it is told where.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4566);

/// A server that listens and is ready to be run.
pub struct Server {
    /// URL under which it is reached.
    pub endpoint: String,
    listener: TcpListener,
    dispatcher: Arc<Dispatcher>,
    flow: Flow,
    // Removed when the server goes.
    ephemeral: Option<tempfile::TempDir>,
}

/// Runs the command.
pub async fn run(args: ServeArgs) -> Result<ExitCode> {
    let server = open(args).await?;
    let mut interrupts = Interrupts::listen();
    announce(&server)?;
    server.run(interrupts.next()).await
}

/// Tells those who wait for the server where it is.
pub fn announce(server: &Server) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "landfall listening on {}", server.endpoint)?;
    out.flush()?;
    Ok(())
}

/// Opens the state and starts to listen; the first request may come at once.
pub async fn open(args: ServeArgs) -> Result<Server> {
    let kept = kept_dir(&args)?;
    let mut settings = config::read(args.config.as_deref(), kept.as_deref())?;
    host::fill_in(&mut settings.launch)?;
    let (data_dir, ephemeral) = data_dir(kept)?;
    let credentials = credentials(&args.credentials)?;
    // The state first: what a killed server left to a child, its lock and its port, is free when the lock is.
    let state = FjallState::open(&data_dir)?;
    let at = args.listen.unwrap_or(LISTEN);
    let listener = TcpListener::bind(at)
        .await
        .with_context(|| format!("cannot listen on {at}: is another server there?"))?;
    let endpoint = endpoint(listener.local_addr()?);
    let contents = FileContents::open(&data_dir)?;
    let runtime = Arc::new(LateRuntime::new(kind(args.runtime), &data_dir));
    warm_up(Arc::clone(&runtime));
    let flow = Flow::open(FlowParts {
        state: Arc::new(state),
        contents: Arc::new(contents),
        runtime: runtime as Arc<dyn Runtime>,
        clock: Arc::new(SystemClock),
        ids: Arc::new(SystemIds),
        endpoint: endpoint.clone(),
        container_credentials: credentials.first().cloned(),
        settings,
    })?;
    flow.delay_trails(Duration::from_secs(args.cloudtrail_delay));
    let unclaimed = sweep::unclaimed(&flow).await?;
    let sweeping = flow.clone();
    tokio::spawn(async move { sweep::sweep(&sweeping, unclaimed).await });
    let dispatcher = Arc::new(dispatcher(&flow, credentials, &data_dir));
    Ok(Server {
        endpoint,
        listener,
        dispatcher,
        flow,
        ephemeral,
    })
}

impl Server {
    /// Serves until `stop` resolves or the store fails.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) -> Result<ExitCode> {
        let (finish, finished) = oneshot::channel();
        let shutdown = async {
            drop(finished.await);
        };
        let serving = landfall_wire::http::serve(self.listener, self.dispatcher, shutdown);
        let deciding = async {
            let failure = tokio::select! {
                () = stop => None,
                reason = self.flow.failed() => Some(reason),
            };
            self.flow.end_waits();
            let _ = finish.send(());
            failure
        };
        let ((), failure) = tokio::join!(serving, deciding);
        match failure {
            None if self.ephemeral.is_some() => leave(&self.flow).await,
            None => Ok(ExitCode::SUCCESS),
            Some(reason) => bail!("the store failed and the server stopped: {reason}"),
        }
    }
}

/// Nobody would ever find the containers of a server that keeps nothing, so they end with it; whoever is in a hurry asks
/// a second time.
async fn leave(flow: &Flow) -> Result<ExitCode> {
    let mut interrupts = Interrupts::listen();
    tokio::select! {
        () = interrupts.next() => {}
        stopped = run::stop_all(flow, "The server was stopped and keeps nothing.") => stopped?,
    }
    Ok(ExitCode::SUCCESS)
}

fn dispatcher(flow: &Flow, credentials: Vec<(String, String)>, data_dir: &Path) -> Dispatcher {
    let s3 = Arc::new(S3Handler::new(flow.clone(), credentials.clone()));
    let internal = Arc::new(Internal::new(flow.clone(), data_dir.to_owned()));
    Dispatcher::new(s3, internal, Arc::new(SystemClock), Arc::new(SystemIds))
        .credentials(Credentials::new(credentials))
        .service(Arc::new(Events(flow.clone())))
        .service(Arc::new(Ecs(flow.clone())))
        .service(Arc::new(Sts(flow.clone())))
        .service(Arc::new(Ssm(flow.clone())))
        .service(Arc::new(Sqs(flow.clone())))
        .service(Arc::new(Logs(flow.clone())))
        .service(Arc::new(Iam(flow.clone())))
        .service(Arc::new(Ec2(flow.clone())))
        .service(Arc::new(CloudFormation(flow.clone())))
        .service(Arc::new(CloudTrail(flow.clone())))
        .service(Arc::new(CloudWatch(flow.clone())))
        .recording(flow.clone())
}

/// The choice is made in the background, so that its line is in the log before the first container is needed.
fn warm_up(runtime: Arc<LateRuntime>) {
    tokio::spawn(async move {
        if let Err(e) = runtime.chosen().await {
            tracing::error!(error = %e, "no containers can be run");
        }
    });
}

fn kind(choice: RuntimeChoice) -> RuntimeKind {
    match choice {
        RuntimeChoice::Auto => RuntimeKind::Auto,
        RuntimeChoice::Oci => RuntimeKind::Oci,
        RuntimeChoice::Docker => RuntimeKind::Docker,
        RuntimeChoice::Process => RuntimeKind::Process,
    }
}

/// Where what is kept is; none when nothing is.
fn kept_dir(args: &ServeArgs) -> Result<Option<PathBuf>> {
    match &args.data {
        _ if args.ephemeral => Ok(None),
        Some(dir) => Ok(Some(dir.clone())),
        None => default_data_dir().map(Some),
    }
}

fn data_dir(kept: Option<PathBuf>) -> Result<(PathBuf, Option<tempfile::TempDir>)> {
    let Some(dir) = kept else {
        let dir = tempfile::Builder::new().prefix("landfall-").tempdir()?;
        return Ok((dir.path().to_owned(), Some(dir)));
    };
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let dir = dir
        .canonicalize()
        .with_context(|| format!("cannot find {}", dir.display()))?;
    Ok((dir, None))
}

fn default_data_dir() -> Result<PathBuf> {
    let base = match (std::env::var_os("XDG_DATA_HOME"), std::env::var_os("HOME")) {
        (Some(data), _) if !data.is_empty() => PathBuf::from(data),
        (_, Some(home)) => PathBuf::from(home).join(".local/share"),
        _ => bail!("there is no HOME to keep data in: give --data DIR or --ephemeral"),
    };
    Ok(base.join("landfall"))
}

fn credentials(pairs: &[String]) -> Result<Vec<(String, String)>> {
    let parse = |pair: &String| match pair.split_once(':') {
        Some((id, secret)) if !id.is_empty() && !secret.is_empty() => {
            Ok((id.to_owned(), secret.to_owned()))
        }
        _ => bail!("a credential is written ACCESS_KEY_ID:SECRET"),
    };
    pairs.iter().map(parse).collect()
}

/// Containers share the host's network, so an address that means "all" is reached through loopback.
fn endpoint(address: SocketAddr) -> String {
    let port = address.port();
    match address {
        SocketAddr::V4(v4) if !v4.ip().is_unspecified() => format!("http://{v4}"),
        SocketAddr::V6(v6) if !v6.ip().is_unspecified() => format!("http://{v6}"),
        _ => format!("http://127.0.0.1:{port}"),
    }
}
