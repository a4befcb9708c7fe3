//! The command line: what can be asked for, and the words that explain it. Never does any of it.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// An object lands, the rule that matches starts a container with its key, and Landfall remembers what became of it.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100)]
pub struct Cli {
    /// What to log, as `level` or `target=level,…`.
    #[arg(
        long,
        global = true,
        env = "LANDFALL_LOG",
        default_value = "info",
        value_name = "FILTER"
    )]
    pub log: String,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve S3, EventBridge, ECS, CloudFormation and their kin on one port.
    Serve(ServeArgs),
    /// Serve, deploy templates, and follow what happens.
    Up(UpArgs),
    /// Serve and deploy templates for as long as a command runs, and exit as it does.
    ///
    /// The command finds the server through AWS_ENDPOINT_URL, and credentials and a region in its environment. Unless told
    /// otherwise the server picks a free port and keeps nothing.
    Exec(ExecArgs),
    /// Deploy a CloudFormation template to a running server.
    Deploy(DeployArgs),
    /// Show what became of each object that a rule matched.
    ///
    /// Exit status: 0 shown, 1 the server does not answer or refuses the question, 3 filters were given and no run
    /// passes them.
    Runs(RunsArgs),
    /// Run again, without a new upload, what has failed, what ran since a time, or what the rules make of one object now.
    ///
    /// Exit status: 0 all that was asked for runs again (with --wait: and came to a good end), 1 something did not.
    Replay(ReplayArgs),
    /// Say why something ran for an object, or did not, rule by rule; or what an upload would do.
    ///
    /// Exit status: 0 a rule took the object (or would), 1 the server does not answer or refuses the question, 3 no rule
    /// took it, 4 nothing is known of the object.
    Explain(ExplainArgs),
    /// Move a template from CloudTrail's events to S3's own: prints the new template, reports on standard error.
    ///
    /// Exit status: 0 everything was moved (and proven), 1 the template cannot be read, 3 a rule was refused and left as
    /// it was, 4 the proof found a difference.
    Migrate(MigrateArgs),
    /// Look for faults in templates that deploy and then do nothing, or something else than was meant.
    ///
    /// Exit status: 0 no errors (there may be warnings), 1 a file cannot be opened, 3 errors were found.
    Check(CheckArgs),
    /// Load container images, or list them.
    Image {
        /// What to do.
        #[command(subcommand)]
        command: ImageCommand,
    },
}

/// Commands on images.
#[derive(Debug, Subcommand)]
pub enum ImageCommand {
    /// Load an image from an OCI or docker archive (a tar file).
    Load(ImageLoadArgs),
    /// List the images that are loaded.
    List(ImageListArgs),
}

/// How containers are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RuntimeChoice {
    /// The embedded OCI runtime; where it cannot work, Docker or Podman; else plain processes.
    Auto,
    /// The embedded OCI runtime.
    Oci,
    /// A Docker or Podman socket.
    Docker,
    /// Plain processes, without isolation.
    Process,
}

/// Arguments of `serve`.
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    /// Address to listen on; port 0 picks a free one [default: 127.0.0.1:4566].
    #[arg(long, env = "LANDFALL_LISTEN", value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Directory for everything that must survive [default: the user's data directory].
    #[arg(
        long,
        env = "LANDFALL_DATA",
        value_name = "DIR",
        conflicts_with = "ephemeral"
    )]
    pub data: Option<PathBuf>,
    /// Keep everything in a temporary directory that goes with the process.
    #[arg(long)]
    pub ephemeral: bool,
    /// Settings of this server [default: `landfall.toml` in the data directory, if it is there].
    #[arg(long, env = "LANDFALL_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How containers are run.
    #[arg(long, env = "LANDFALL_RUNTIME", value_enum, default_value = "auto")]
    pub runtime: RuntimeChoice,
    /// Check signatures: `ACCESS_KEY_ID:SECRET`, may be given more than once. Without it every caller is let in.
    #[arg(
        long = "credential",
        env = "LANDFALL_CREDENTIALS",
        value_delimiter = ',',
        value_name = "ID:SECRET"
    )]
    pub credentials: Vec<String>,
    /// Let events and log files of CloudTrail come so many seconds later, as on AWS, where it takes minutes.
    #[arg(
        long,
        env = "LANDFALL_CLOUDTRAIL_DELAY",
        default_value_t = 0,
        value_name = "SECONDS"
    )]
    pub cloudtrail_delay: u64,
}

/// What is deployed to a server that a command starts itself.
#[derive(Debug, Args)]
pub struct Stacks {
    /// Templates, deployed in this order; each file's stem is its stack's name.
    #[arg(required = true, value_name = "TEMPLATE")]
    pub templates: Vec<PathBuf>,
    /// Value of a parameter, given to every template that declares it.
    #[arg(short, long = "parameter", value_name = "NAME=VALUE")]
    pub parameters: Vec<String>,
    /// Image archives to load first.
    #[arg(long = "image", value_name = "FILE")]
    pub images: Vec<PathBuf>,
}

/// Arguments of `up`.
#[derive(Debug, Args)]
pub struct UpArgs {
    /// How to serve.
    #[command(flatten)]
    pub serve: ServeArgs,
    /// What to deploy.
    #[command(flatten)]
    pub stacks: Stacks,
}

/// Arguments of `exec`.
#[derive(Debug, Args)]
pub struct ExecArgs {
    /// How to serve.
    #[command(flatten)]
    pub serve: ServeArgs,
    /// What to deploy.
    #[command(flatten)]
    pub stacks: Stacks,
    /// The command and its arguments.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

/// Where the server is.
#[derive(Debug, Clone, Args)]
pub struct Endpoint {
    /// URL of the server.
    #[arg(
        long = "endpoint",
        env = "AWS_ENDPOINT_URL",
        default_value = "http://127.0.0.1:4566",
        value_name = "URL"
    )]
    pub url: String,
}

/// Arguments of `deploy`.
#[derive(Debug, Args)]
pub struct DeployArgs {
    /// Where the server is.
    #[command(flatten)]
    pub endpoint: Endpoint,
    /// The template file.
    #[arg(value_name = "TEMPLATE")]
    pub template: PathBuf,
    /// Name of the stack [default: the file's stem].
    #[arg(long, value_name = "NAME")]
    pub stack_name: Option<String>,
    /// Value of a parameter.
    #[arg(short, long = "parameter", value_name = "NAME=VALUE")]
    pub parameters: Vec<String>,
}

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// A table for people.
    Table,
    /// JSON for programs.
    Json,
}

/// Arguments of `runs`.
#[derive(Debug, Args)]
pub struct RunsArgs {
    /// Where the server is.
    #[command(flatten)]
    pub endpoint: Endpoint,
    /// How to print.
    #[arg(long, value_enum, default_value = "table")]
    pub output: Output,
    /// Show the newest ones only.
    #[arg(long, value_name = "N", default_value_t = landfall_core::limits::RUNS_PER_PAGE_DEFAULT)]
    pub limit: u64,
    /// Only runs of these objects: `s3://bucket`, or `s3://bucket/` and what their keys begin with.
    #[arg(value_name = "S3URL", conflicts_with_all = ["bucket", "prefix"])]
    pub objects: Option<String>,
    /// Only runs of objects of this bucket.
    #[arg(long, value_name = "NAME")]
    pub bucket: Option<String>,
    /// Only runs of objects whose keys begin so.
    #[arg(long, value_name = "PREFIX", requires = "bucket")]
    pub prefix: Option<String>,
    /// Only runs of this rule.
    #[arg(long, value_name = "NAME")]
    pub rule: Option<String>,
    /// Only runs that stand so: matched, delivered, queued, starting, running, succeeded, failed or dead-lettered.
    #[arg(long, value_name = "STATE")]
    pub state: Option<String>,
    /// Only runs that matched since then: a time such as 2026-11-23T23:56:52Z, or a span such as 90s, 15m, 2h or 7d.
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Go on, and print each run whenever its state changes, until interrupted; with `--output json` one line each.
    #[arg(long)]
    pub follow: bool,
}

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Where the server is.
    #[command(flatten)]
    pub endpoint: Endpoint,
    /// The object, as `s3://bucket/key`.
    #[arg(value_name = "S3URL")]
    pub object: String,
    /// One version of it.
    #[arg(long, value_name = "ID")]
    pub version_id: Option<String>,
    /// Ask what an upload of it would do now, whether or not it is there.
    #[arg(long)]
    pub simulate: bool,
    /// How the imagined upload is made: PutObject, "POST Object", CopyObject or CompleteMultipartUpload
    /// [default: PutObject].
    #[arg(long, value_name = "REASON", requires = "simulate")]
    pub reason: Option<String>,
    /// Size of the imagined upload in bytes [default: 0].
    #[arg(long, value_name = "BYTES", requires = "simulate")]
    pub size: Option<u64>,
    /// List rules that are about other events or buckets too.
    #[arg(long)]
    pub all: bool,
    /// How to print.
    #[arg(long, value_enum, default_value = "table")]
    pub output: Output,
}

/// Arguments of `replay`.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("what").required(true).multiple(true).args(["object", "failed", "since"])))]
pub struct ReplayArgs {
    /// Where the server is.
    #[command(flatten)]
    pub endpoint: Endpoint,
    /// The object whose newest event meets the rules again, as they are now: `s3://bucket/key`.
    #[arg(value_name = "S3-URL", conflicts_with_all = ["failed", "since", "until", "bucket"])]
    pub object: Option<String>,
    /// The version of the object.
    #[arg(long, value_name = "ID", requires = "object")]
    pub version_id: Option<String>,
    /// Every run that failed or was given up and that no later replay has made good.
    #[arg(long)]
    pub failed: bool,
    /// Runs that were matched at this time or later: `2026-11-12T00:00:00Z`, or a span before now such as `90m`, `2h`, `7d`.
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Runs that were matched before this time.
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Only of this rule.
    #[arg(long, value_name = "NAME")]
    pub rule: Option<String>,
    /// Only for objects of this bucket.
    #[arg(long, value_name = "NAME")]
    pub bucket: Option<String>,
    /// Say what would run again, and change nothing.
    #[arg(long, conflicts_with = "wait")]
    pub dry_run: bool,
    /// Wait until all of it has ended.
    #[arg(long)]
    pub wait: bool,
    /// How to print.
    #[arg(long, value_enum, default_value = "table")]
    pub output: Output,
}

/// Arguments of `image load`.
#[derive(Debug, Args)]
pub struct ImageLoadArgs {
    /// Where the server is.
    #[command(flatten)]
    pub endpoint: Endpoint,
    /// Load into this data directory instead, without a server.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The archive.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// Arguments of `image list`.
#[derive(Debug, Args)]
pub struct ImageListArgs {
    /// Where the server is.
    #[command(flatten)]
    pub endpoint: Endpoint,
}

/// Arguments of `migrate`.
#[derive(Debug, Args)]
pub struct MigrateArgs {
    /// A CloudFormation template (YAML or JSON), or a Terraform plan as `terraform show -json` prints it.
    #[arg(value_name = "TEMPLATE")]
    pub template: PathBuf,
    /// Print what changes as a unified diff instead of the new template.
    #[arg(long)]
    pub diff: bool,
    /// Write the new template into this file instead of printing it.
    #[arg(long, value_name = "FILE", conflicts_with = "in_place")]
    pub to: Option<PathBuf>,
    /// Write the new template over the old one.
    #[arg(long)]
    pub in_place: bool,
    /// Start on every way to make an object, whatever calls the rules named.
    #[arg(long)]
    pub widen: bool,
    /// Leave trails and their log buckets in place.
    #[arg(long)]
    pub keep_trail: bool,
    /// How to print: the template and the report apart, or both as one JSON document.
    #[arg(long, value_enum, default_value = "table")]
    pub output: Output,
    /// Hold the old and the new template against the same uploads and compare the tasks that they start.
    #[arg(long)]
    pub prove: bool,
    /// What to prove with.
    #[command(flatten)]
    pub proof: ProofArgs,
}

/// What to prove with.
#[derive(Debug, Args)]
pub struct ProofArgs {
    /// Compare with this template instead of the one that migrating gives.
    #[arg(long, value_name = "FILE", requires = "prove")]
    pub against: Option<PathBuf>,
    /// Value of a parameter; those without one and without a default get a made-up one.
    #[arg(
        short,
        long = "parameter",
        value_name = "NAME=VALUE",
        requires = "prove"
    )]
    pub parameters: Vec<String>,
    /// Uploads that happened: a CloudTrail log file (also gzipped), or what `landfall runs --output json` prints.
    #[arg(long = "uploads", value_name = "FILE", requires = "prove")]
    pub recorded: Vec<PathBuf>,
    /// How many uploads to generate.
    #[arg(long, value_name = "N", requires = "prove", default_value_t = landfall_core::limits::PROVE_UPLOADS_DEFAULT)]
    pub count: usize,
    /// What the uploads are drawn from; the same seed gives the same ones.
    #[arg(long, value_name = "N", requires = "prove", default_value_t = 1)]
    pub seed: u64,
    /// Count calls that fail too, of which only CloudTrail tells.
    #[arg(long, requires = "prove")]
    pub strict: bool,
    /// Account of the stack.
    #[arg(
        long,
        value_name = "ID",
        requires = "prove",
        default_value = "000000000000"
    )]
    pub account: String,
    /// Region of the stack.
    #[arg(
        long,
        value_name = "NAME",
        env = "AWS_DEFAULT_REGION",
        default_value = "us-east-1"
    )]
    pub region: String,
}

/// How `check` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CheckOutput {
    /// Drawn on the source, for people.
    Text,
    /// JSON for programs.
    Json,
    /// SARIF 2.1.0 for code scanning.
    Sarif,
}

/// Arguments of `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// CloudFormation templates, YAML or JSON.
    #[arg(required = true, value_name = "TEMPLATE")]
    pub templates: Vec<PathBuf>,
    /// How to print.
    #[arg(long, value_enum, default_value = "text")]
    pub output: CheckOutput,
}
