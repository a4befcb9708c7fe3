//! Every bound in the house under a name: AWS's quotas and Landfall's own. Never a bare number elsewhere.

// --- Landfall's own -------------------------------------------------------------------------------------------

/// Jobs that share one commit at most.
pub const COMMIT_GROUP_JOBS_MAX: usize = 256;
/// Jobs that may wait for the decider; the next one is refused with `SlowDown`/503.
pub const DECIDER_QUEUE_JOBS_MAX: usize = 4_096;
/// Events routed in one turn of the loop. A client waits for one turn at most, so what a turn does for a backlog is little.
pub const ROUTE_EVENTS_PER_TURN_MAX: usize = 32;
/// Deliveries attempted in one turn of the loop: each may write a task.
pub const DELIVERIES_PER_TURN_MAX: usize = 8;
/// Archived events that replays put back on their buses in one turn of the loop, all replays together.
pub const REPLAY_EVENTS_PER_TURN_MAX: usize = 32;
/// Replays that move in one turn of the loop; the others wait for one of these to end.
pub const REPLAYS_PER_TURN_MAX: usize = 16;
/// Archived events that one turn of the loop looks at to remove what has expired or lost its archive.
pub const ARCHIVE_SWEEP_EVENTS_PER_TURN_MAX: usize = 256;
/// Pause before archives are looked through again for events that have expired.
pub const ARCHIVE_SWEEP_PAUSE_MILLIS: i64 = 15 * 60 * 1_000;
/// Objects up to this size live beside their metadata.
pub const INLINE_OBJECT_BYTES_MAX: u64 = 16 * 1024;
/// Body of a request to any service but S3 objects.
pub const API_BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Seconds in which the body of such a request must arrive.
pub const API_BODY_SECONDS_MAX: u64 = 60;
/// Connections open at once; the next one waits.
pub const HTTP_CONNECTIONS_MAX: usize = 4_096;
/// How long a thread that serves connections stays awake for the next request.
pub const HTTP_WATCH_MICROS: u64 = 150;
/// Threads that serve connections at least.
pub const HTTP_LANES_MIN: usize = 2;
/// Header lines of one request.
pub const HTTP_HEADERS_MAX: usize = 128;
/// Seconds in which the head of a request must arrive, and a kept connection stays idle.
pub const HTTP_HEADER_SECONDS_MAX: u64 = 60;
/// Seconds that running requests get when the server stops.
pub const HTTP_DRAIN_SECONDS_MAX: u64 = 10;
/// Seconds between a signature's time and ours.
pub const SIGNATURE_SKEW_SECONDS_MAX: i64 = 15 * 60;
/// Seconds that a presigned request may live.
pub const PRESIGNED_SECONDS_MAX: i64 = 7 * 24 * 3_600;
/// Bytes written to one key space of the store before its in-memory part goes to a table of its own.
pub const STORE_MEMTABLE_BYTES_MAX: u64 = 1024 * 1024;
/// In-memory parts of one key space that may wait to be written to tables before a commit waits for them.
pub const STORE_SEALED_MEMTABLES_MAX: usize = 2;
/// Runs of level 0 of one key space before a commit waits for compaction.
pub const STORE_LEVEL0_RUNS_MAX: usize = 16;
/// Blocks of tables that the store keeps in memory.
pub const STORE_BLOCK_CACHE_BYTES: u64 = 2 * 1024 * 1024;
/// Journals that the store keeps before it moves all that is in them to tables.
pub const STORE_JOURNAL_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Zeros that are written ahead of the commits into a fresh journal, each time that so much has been committed.
pub const STORE_JOURNAL_ROOM_BYTES: u64 = 512 * 1024;
/// Buckets that uploads remember as they were read.
pub const BUCKETS_REMEMBERED_MAX: usize = 1_024;
/// Open table files that the store keeps.
pub const STORE_OPEN_FILES_MAX: usize = 256;
/// Bytes of a table file of the store.
pub const STORE_TABLE_BYTES_TARGET: u64 = 8 * 1024 * 1024;
/// Wait for the lock of a server that died, while a child that it was starting still holds it.
pub const STORE_ORPHANED_LOCK_WAIT_MAX: std::time::Duration = std::time::Duration::from_secs(5);
/// How often such a lock is tried.
pub const STORE_ORPHANED_LOCK_LOOK: std::time::Duration = std::time::Duration::from_millis(5);
/// Key of a stored entry.
pub const STORE_KEY_BYTES_MAX: usize = 65_535;
/// Bytes of a content that are collected before they are written, and read at once.
pub const CONTENT_CHUNK_BYTES: usize = 128 * 1024;
/// Pause before a failed step of the pipeline is tried again.
pub const STEP_RETRY_MILLIS: i64 = 1_000;
/// Tasks that run at once on this host, unless `landfall.toml` says otherwise; the others wait in order.
pub const TASKS_PLACED_MAX: usize = 64;
/// Tasks that are given a place in one turn of the loop.
pub const TASKS_ADMITTED_PER_TURN_MAX: usize = 4;
/// Waiting tasks of a former form that are taken over in one turn of the loop.
pub const TASKS_TAKEN_OVER_PER_TURN_MAX: usize = 256;
/// Waiting tasks that are stopped in one turn of the loop when a server that keeps nothing stops.
pub const TASKS_STOPPED_PER_TURN_MAX: usize = 256;
/// How often tasks of other rules may be let past one that is too large for what is left, before it comes first.
pub const TASK_PASSED_OVER_MAX: u32 = 64;
/// Lines of a container's output that share one commit.
pub const LOG_LINES_PER_COMMIT_MAX: usize = 512;
/// Pause before a container's report is offered again to a loop that is too busy.
pub const REPORT_RETRY_PAUSE: std::time::Duration = std::time::Duration::from_millis(50);
/// How much the processes of tasks stand back behind the server when both want the processor.
pub const TASK_NICENESS: i32 = 10;
/// Pause before a runtime that could not say what became of a container is asked again.
pub const RUNTIME_ASK_PAUSE: std::time::Duration = std::time::Duration::from_millis(500);
/// Attempts at the output of a container that has ended and cannot be read.
pub const RUNTIME_UNREAD_MAX: u32 = 5;
/// Entries of the ledger that are kept, unless `landfall.toml` says otherwise.
pub const LEDGER_ENTRIES_MAX: u64 = 1_000_000;
/// Age of an entry of the ledger, unless `landfall.toml` says otherwise.
pub const LEDGER_AGE_DAYS_MAX: u32 = 90;
/// Bytes of the ledger that are kept, unless `landfall.toml` says otherwise.
pub const LEDGER_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;
/// Bytes of a `landfall.toml`.
pub const SETTINGS_BYTES_MAX: u64 = 1024 * 1024;
/// Lines of the ledger in one answer, when the question does not say.
pub const RUNS_PER_PAGE_DEFAULT: u64 = 100;
/// Lines of the ledger in one answer.
pub const RUNS_PER_PAGE_MAX: u64 = 10_000;
/// Lines of the ledger that one request for a replay looks at, and that one answer about replays tells of.
pub const REPLAY_RUNS_LOOKED_AT_MAX: usize = 1_000;
/// Runs that one commit repeats.
pub const REPLAY_RUNS_PER_COMMIT_MAX: usize = 100;
/// Newest runs of an object among which its event is looked for, before it is made again.
pub const REPLAY_OBJECT_RUNS_LOOKED_AT_MAX: usize = 10_000;
/// Deliveries that one question to the ledger looks at; the answer's token leads to the others.
pub const RUNS_SCANNED_PER_PAGE_MAX: usize = 10_000;
/// Entries of the index by object that one question gathers before it walks the ledger itself instead.
pub const RUNS_INDEXED_PER_PAGE_MAX: usize = 20_000;
/// Seconds that a question for changes of the ledger may wait.
pub const LEDGER_WAIT_SECONDS_MAX: u64 = 20;
/// Changes of the ledger that are remembered for those who follow it.
pub const LEDGER_CHANGES_REMEMBERED_MAX: usize = 65_536;
/// Changes that one answer gathers.
pub const LEDGER_CHANGES_PER_ANSWER_MAX: usize = 1_000;
/// Rules that one explanation looks at.
pub const EXPLAIN_RULES_MAX: usize = 5_000;
/// Runs of an object that one explanation tells of: the newest.
pub const EXPLAIN_RUNS_MAX: usize = 20;
/// Ended runs that one turn of the loop lets go of.
pub const LEDGER_DROPPED_PER_TURN_MAX: usize = 64;
/// A stopped task that no rule started is kept so long (AWS: at least an hour).
pub const TASK_KEPT_MILLIS: i64 = 24 * 3_600 * 1_000;
/// Nesting of JSON and YAML taken from outside.
pub const DOCUMENT_DEPTH_MAX: usize = 64;
/// Wait before the first retry of a delivery, jitter aside; doubles with every further one.
pub const RETRY_DELAY_MILLIS_FIRST: i64 = 1_000;
/// Longest wait between two retries of a delivery.
pub const RETRY_DELAY_MILLIS_MAX: i64 = 5 * 60 * 1_000;

// --- Amazon S3 ------------------------------------------------------------------------------------------------

/// Largest object by one PUT.
pub const S3_PUT_BYTES_MAX: u64 = 5 * 1024 * 1024 * 1024;
/// Largest object at all (50 TB since 2025; parts of 5 GiB).
pub const S3_OBJECT_BYTES_MAX: u64 = 50 * 1024 * 1024 * 1024 * 1024;
/// Smallest part but the last.
pub const S3_PART_BYTES_MIN: u64 = 5 * 1024 * 1024;
/// Part numbers go from 1 to this.
pub const S3_PARTS_MAX: u16 = 10_000;
/// Keys are at most this many bytes of UTF-8.
pub const S3_KEY_BYTES_MAX: usize = 1_024;
/// Names of keys in one listing.
pub const S3_LIST_KEYS_MAX: i32 = 1_000;
/// Keys in one DeleteObjects.
pub const S3_DELETE_KEYS_MAX: usize = 1_000;
/// User metadata, names and values together.
pub const S3_USER_METADATA_BYTES_MAX: usize = 2 * 1024;
/// Tags on an object.
pub const S3_OBJECT_TAGS_MAX: usize = 10;
/// Tags on a bucket.
pub const S3_BUCKET_TAGS_MAX: usize = 50;
/// Fields of a browser's upload form, the file apart.
pub const S3_FORM_FIELDS_BYTES_MAX: usize = 20 * 1024;
/// One line between the chunks of an `aws-chunked` body: a size with its signature, or a trailer.
pub const S3_CHUNK_LINE_BYTES_MAX: usize = 8 * 1024;

// --- Amazon EventBridge ---------------------------------------------------------------------------------------

/// Rules on one bus, unless `landfall.toml` says otherwise.
pub const EVENTS_RULES_PER_BUS_MAX: usize = 300;
/// Targets of one rule.
pub const EVENTS_TARGETS_PER_RULE_MAX: usize = 5;
/// Event buses of an account and region.
pub const EVENTS_BUSES_MAX: usize = 100;
/// Buses that one event may pass, against loops.
pub const EVENTS_BUS_HOPS_MAX: u8 = 6;
/// Replays of an account and region that have not ended.
pub const EVENTS_REPLAYS_ACTIVE_MAX: usize = 10;
/// Days after which a replay that has ended is forgotten.
pub const EVENTS_REPLAY_DAYS_KEPT: i64 = 90;
/// Entries of one PutEvents.
pub const EVENTS_PUT_ENTRIES_MAX: usize = 10;
/// Size of one PutEvents entry (1 MB since 2026-01-29).
pub const EVENTS_ENTRY_BYTES_MAX: usize = 1024 * 1024;
/// Characters of an event pattern.
pub const EVENTS_PATTERN_CHARS_MAX: usize = 4_096;
/// Characters of a constant `Input` and of an `InputTemplate`.
pub const EVENTS_INPUT_CHARS_MAX: usize = 8_192;
/// Characters of an `InputPath`, and of a name and a path in `InputPathsMap`.
pub const EVENTS_INPUT_PATH_CHARS_MAX: usize = 256;
/// Entries of one `InputPathsMap`.
pub const EVENTS_INPUT_PATHS_MAX: usize = 100;
/// Default and largest number of retries of a target.
pub const EVENTS_RETRY_ATTEMPTS_MAX: u32 = 185;
/// Default and largest age of an event in seconds before its delivery is given up.
pub const EVENTS_RETRY_AGE_SECONDS_MAX: u32 = 86_400;

// --- Amazon ECS -----------------------------------------------------------------------------------------------

/// Characters of the overrides of one RunTask, JSON formatting included.
pub const ECS_OVERRIDES_CHARS_MAX: usize = 8_192;
/// Tasks of one RunTask.
pub const ECS_RUN_TASK_COUNT_MAX: i32 = 10;
/// Seconds from SIGTERM to SIGKILL when the task definition does not say.
pub const ECS_STOP_TIMEOUT_SECONDS_DEFAULT: u32 = 30;

// --- AWS CloudFormation ---------------------------------------------------------------------------------------

/// Largest template given as `TemplateBody`.
pub const CLOUDFORMATION_TEMPLATE_BODY_BYTES_MAX: usize = 51_200;
/// Largest template given as `TemplateURL`, and the largest that is parsed at all.
pub const CLOUDFORMATION_TEMPLATE_BYTES_MAX: usize = 1024 * 1024;
/// Resources of one template.
pub const CLOUDFORMATION_RESOURCES_MAX: usize = 500;
/// Parameters, mappings, conditions, rules or outputs of one template.
pub const CLOUDFORMATION_SECTION_ITEMS_MAX: usize = 200;
/// Bytes of a template's description.
pub const CLOUDFORMATION_DESCRIPTION_BYTES_MAX: usize = 1_024;
/// Tags of one stack.
pub const CLOUDFORMATION_STACK_TAGS_MAX: usize = 50;
/// Resources that one commit of a stack operation makes, changes or deletes.
pub const CLOUDFORMATION_RESOURCES_PER_COMMIT_MAX: usize = 8;
/// DescribeStacks waits so long for a stack that is under way.
pub const CLOUDFORMATION_DESCRIBE_WAIT: std::time::Duration = std::time::Duration::from_secs(2);
/// Stack events, resources and stacks of one page of a listing.
pub const CLOUDFORMATION_PAGE_ITEMS_MAX: usize = 100;
/// Subnets that one `Fn::Cidr` can cut.
pub const CLOUDFORMATION_CIDR_BLOCKS_MAX: u32 = 256;

// --- AWS CloudTrail -------------------------------------------------------------------------------------------

/// Trails of an account in one region; a multi-region trail counts in each.
pub const CLOUDTRAIL_TRAILS_MAX: usize = 5;
/// Event selectors of a trail.
pub const CLOUDTRAIL_SELECTORS_MAX: usize = 5;
/// Data resources over all basic event selectors of a trail.
pub const CLOUDTRAIL_DATA_RESOURCES_MAX: usize = 250;
/// Values over all advanced event selectors of a trail.
pub const CLOUDTRAIL_ADVANCED_VALUES_MAX: usize = 500;
/// Shortest name of a trail.
pub const CLOUDTRAIL_NAME_CHARS_MIN: usize = 3;
/// Longest name of a trail.
pub const CLOUDTRAIL_NAME_CHARS_MAX: usize = 128;
/// Longest prefix of the keys of log files.
pub const CLOUDTRAIL_PREFIX_CHARS_MAX: usize = 200;
/// Tags of a trail.
pub const CLOUDTRAIL_TAGS_MAX: usize = 50;
/// Records that are larger do not go on the event bus.
pub const CLOUDTRAIL_EVENT_BYTES_MAX: usize = 256 * 1024;
/// Age of an event in the event history.
pub const CLOUDTRAIL_HISTORY_MILLIS_MAX: i64 = 90 * 24 * 3_600 * 1_000;
/// Events of all accounts and regions in the event history; the oldest goes first (Landfall's own bound).
pub const CLOUDTRAIL_HISTORY_EVENTS_MAX: usize = 10_000;
/// Events of one LookupEvents.
pub const CLOUDTRAIL_LOOKUP_EVENTS_MAX: usize = 50;
/// Records wait so long for others to share a log file (AWS: about five minutes).
pub const CLOUDTRAIL_FLUSH_MILLIS: i64 = 2_000;
/// The record of a delivery waits so long for others to share a log file.
pub const CLOUDTRAIL_RECURSION_MILLIS: i64 = 300_000;
/// Records of one log file.
pub const CLOUDTRAIL_FILE_RECORDS_MAX: usize = 5_000;
/// Bytes of a log file before compression; the record that crosses the line is the last.
pub const CLOUDTRAIL_FILE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// A digest file is written so often when there is nothing new to list; with news, each delivery has one.
pub const CLOUDTRAIL_DIGEST_MILLIS_MAX: i64 = 3_600 * 1_000;
/// Pause before a failed delivery of log files is tried again.
pub const CLOUDTRAIL_RETRY_MILLIS: i64 = 30_000;
/// Age of a record before its delivery is given up.
pub const CLOUDTRAIL_RECORD_MILLIS_MAX: i64 = 30 * 24 * 3_600 * 1_000;
/// Outdated records that one failed delivery drops.
pub const CLOUDTRAIL_RECORDS_DROPPED_MAX: usize = 5_000;
/// Delayed events put on the bus in one turn of the loop.
pub const CLOUDTRAIL_EVENTS_PER_TURN_MAX: usize = 256;
/// Bits of the keys that sign digest files.
pub const CLOUDTRAIL_KEY_BITS: usize = 2_048;

// --- Proofs of a migration ------------------------------------------------------------------------------------

/// Uploads of one proof, generated or recorded (Landfall's own bound).
pub const PROVE_RECORDED_MAX: usize = 1_000_000;
/// Bytes of a file of recorded uploads, unpacked (Landfall's own bound).
pub const PROVE_FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Uploads that a proof generates unless told otherwise.
pub const PROVE_UPLOADS_DEFAULT: usize = 10_000;

// --- Containers -----------------------------------------------------------------------------------------------

/// One piece of a container's output line; longer lines come in pieces.
pub const OUTPUT_LINE_BYTES_MAX: usize = 256 * 1024;
/// Events of one container that wait for a slow reader.
pub const CONTAINER_EVENTS_WAITING_MAX: usize = 256;
/// Characters of a container id.
pub const CONTAINER_ID_CHARS_MAX: usize = 128;
/// Bytes of a manifest, index or config of an image.
pub const IMAGE_DOCUMENT_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Subnets of an awsvpc configuration.
pub const ECS_SUBNETS_MAX: usize = 16;
/// Security groups of an awsvpc configuration.
pub const ECS_SECURITY_GROUPS_MAX: usize = 5;

// --- Amazon SQS -----------------------------------------------------------------------------------------------

/// Characters of a queue's name and of the id of a batch entry.
pub const SQS_NAME_CHARS_MAX: usize = 80;
/// Bytes of a message with its attributes, and of all messages of a batch (1 MiB since 2025).
pub const SQS_MESSAGE_BYTES_MAX: i64 = 1024 * 1024;
/// Attributes of a message.
pub const SQS_MESSAGE_ATTRIBUTES_MAX: usize = 10;
/// Entries of a batch.
pub const SQS_BATCH_ENTRIES_MAX: usize = 10;
/// Messages of one ReceiveMessage.
pub const SQS_RECEIVE_MESSAGES_MAX: usize = 10;
/// Messages that one ReceiveMessage looks at, expired and dead ones included (Landfall's own bound).
pub const SQS_RECEIVE_SCAN_MAX: usize = 1_000;
/// Longest time that a received message stays hidden.
pub const SQS_VISIBILITY_SECONDS_MAX: i64 = 43_200;
/// Longest time that a message is kept.
pub const SQS_RETENTION_SECONDS_MAX: i64 = 1_209_600;
/// Longest delay of a message.
pub const SQS_DELAY_SECONDS_MAX: i64 = 900;
/// Longest long poll.
pub const SQS_WAIT_SECONDS_MAX: i64 = 20;
/// Receives that a redrive policy may allow.
pub const SQS_RECEIVES_MAX: u32 = 1_000;
/// Queues in one listing.
pub const SQS_LIST_QUEUES_MAX: usize = 1_000;
/// Tags of a resource.
pub const TAGS_PER_RESOURCE_MAX: usize = 50;

// --- Amazon CloudWatch Logs -----------------------------------------------------------------------------------

/// Bytes of one PutLogEvents, each event's overhead included, and of one page of events.
pub const LOGS_BATCH_BYTES_MAX: usize = 1024 * 1024;
/// Bytes that each event of a PutLogEvents counts beside its message.
pub const LOGS_EVENT_OVERHEAD_BYTES: usize = 26;
/// Time between the first and the last event of one PutLogEvents.
pub const LOGS_BATCH_SPAN_MILLIS_MAX: i64 = 24 * 60 * 60 * 1_000;
/// Age of an event that is still taken.
pub const LOGS_EVENT_AGE_MILLIS_MAX: i64 = 14 * 24 * 60 * 60 * 1_000;
/// How far an event may lie in the future.
pub const LOGS_EVENT_FUTURE_MILLIS_MAX: i64 = 2 * 60 * 60 * 1_000;
/// Events of one page.
pub const LOGS_EVENTS_PER_PAGE_MAX: usize = 10_000;
/// Events that one FilterLogEvents looks at before it answers with a token (Landfall's own bound).
pub const LOGS_EVENTS_EXAMINED_MAX: usize = 100_000;
/// Groups and streams of one page.
pub const LOGS_DESCRIBE_MAX: usize = 50;
/// Resource policies of an account and region.
pub const LOGS_RESOURCE_POLICIES_MAX: usize = 10;
/// Expired events of a stream that one append drops (Landfall's own bound).
pub const LOGS_EXPIRED_DROPPED_MAX: usize = 1_000;

// --- Amazon CloudWatch ----------------------------------------------------------------------------------------

/// Minutes that what was counted is kept: CloudWatch keeps its one-minute points 15 days.
pub const METRICS_MINUTES_KEPT: u64 = 15 * 24 * 60;
/// Records that are looked at for their age when a minute of a rule begins (Landfall's own bound).
pub const METRICS_PRUNED_PER_MINUTE_MAX: usize = 4;
/// Series whose current minute the loop remembers (Landfall's own bound).
pub const METRICS_SERIES_REMEMBERED_MAX: usize = 4_096;
/// Series that have totals of their own; the others are counted with their account (Landfall's own bound).
pub const METRICS_TOTALS_SERIES_MAX: usize = 10_000;
/// Records that one question may look at (Landfall's own bound).
pub const METRICS_RECORDS_READ_MAX: usize = 1_000_000;
/// Minutes back in which a metric must have samples to be listed: two weeks.
pub const METRICS_LISTED_MINUTES: i64 = 14 * 24 * 60;
/// The same for `RecentlyActive`: three hours.
pub const METRICS_RECENT_MINUTES: i64 = 3 * 60;
/// Metrics of one ListMetrics.
pub const METRICS_LISTED_MAX: usize = 500;
/// Points of one GetMetricStatistics.
pub const METRICS_STATISTICS_POINTS_MAX: i64 = 1_440;
/// Points of one GetMetricData.
pub const METRICS_DATA_POINTS_MAX: usize = 100_800;
/// Queries of one GetMetricData.
pub const METRICS_DATA_QUERIES_MAX: usize = 500;
/// Waiting things that a look at Landfall's own metrics counts; where there are more, it says so many (Landfall's own
/// bound).
pub const METRICS_COUNTED_MAX: usize = 100_000;

// --- AWS Systems Manager --------------------------------------------------------------------------------------

/// Bytes of a value of the standard tier.
pub const SSM_STANDARD_VALUE_BYTES_MAX: usize = 4 * 1024;
/// Bytes of a value of the advanced tier.
pub const SSM_ADVANCED_VALUE_BYTES_MAX: usize = 8 * 1024;
/// Characters of a parameter's name.
pub const SSM_NAME_CHARS_MAX: usize = 1_011;
/// Levels of a parameter's name.
pub const SSM_NAME_LEVELS_MAX: usize = 15;
/// Versions of a parameter that are kept; the oldest goes first.
pub const SSM_VERSIONS_MAX: u64 = 100;
/// Parameters of one GetParametersByPath.
pub const SSM_BY_PATH_MAX: usize = 10;
/// Parameters of one DescribeParameters and versions of one GetParameterHistory.
pub const SSM_DESCRIBE_MAX: usize = 50;
/// Steps that matching an `AllowedPattern` may take (Landfall's own bound).
pub const SSM_PATTERN_STEPS_MAX: usize = 100_000;
