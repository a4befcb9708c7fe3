//! The whole wire with a fake service behind it: real sockets, real bytes. Never tests what an operation does.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use http::{Request, Response};
use hyper::body::Incoming;
use landfall_core::api::{ec2, events, sqs, sts};
use landfall_core::caller::Caller;
use landfall_core::clock::{Clock, Timestamp};
use landfall_core::error::ApiError;
use landfall_core::ids::Ids;
use landfall_core::limits::API_BODY_BYTES_MAX;
use landfall_wire::dispatch::{Dispatcher, RawHandler, Service};
use landfall_wire::http::Body;
use landfall_wire::protocol::full;
use landfall_wire::protocol::sigv4::Credentials;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

struct Events;

impl Events {
    async fn put_rule(
        &self,
        caller: Caller,
        request: events::PutRuleRequest,
    ) -> Result<events::PutRuleResponse, ApiError> {
        let name = request.name.unwrap_or_default();
        if name == "broken" {
            return Err(ApiError::not_found("Event bus x does not exist."));
        }
        let Caller {
            account, region, ..
        } = caller;
        let rule_arn = Some(format!("arn:aws:events:{region}:{account}:rule/{name}"));
        Ok(events::PutRuleResponse { rule_arn })
    }

    async fn enable_rule(&self, _: Caller, _: events::EnableRuleRequest) -> Result<(), ApiError> {
        Ok(())
    }
}

landfall_wire::service! {
    impl Events for events::SERVICE {
        PutRule => put_rule,
        EnableRule => enable_rule,
    }
}

struct Identity;

impl Identity {
    async fn get_caller_identity(
        &self,
        caller: Caller,
        _: sts::GetCallerIdentityRequest,
    ) -> Result<sts::GetCallerIdentityResponse, ApiError> {
        Ok(sts::GetCallerIdentityResponse {
            account: Some(caller.account),
            ..Default::default()
        })
    }
}

landfall_wire::service! {
    impl Identity for sts::SERVICE { GetCallerIdentity => get_caller_identity }
}

struct Queues;

impl Queues {
    async fn send_message(
        &self,
        _: Caller,
        request: sqs::SendMessageRequest,
    ) -> Result<sqs::SendMessageResult, ApiError> {
        Ok(sqs::SendMessageResult {
            message_id: request.queue_url,
            ..Default::default()
        })
    }

    async fn delete_queue(&self, _: Caller, _: sqs::DeleteQueueRequest) -> Result<(), ApiError> {
        Err(ApiError::client("QueueDoesNotExist", "gone"))
    }
}

landfall_wire::service! {
    impl Queues for sqs::SERVICE { SendMessage => send_message, DeleteQueue => delete_queue }
}

struct Networks;

impl Networks {
    async fn delete_vpc(&self, _: Caller, _: ec2::DeleteVpcRequest) -> Result<(), ApiError> {
        Ok(())
    }
}

landfall_wire::service! {
    impl Networks for ec2::SERVICE { DeleteVpc => delete_vpc }
}

/// Answers with its own name and the path.
struct Raw(&'static str);

#[async_trait]
impl RawHandler for Raw {
    async fn call(&self, _: Caller, request: Request<Incoming>) -> Response<Body> {
        Response::new(full(format!("{} {}", self.0, request.uri().path())))
    }
}

struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        Timestamp(1_794_441_600_000)
    }
}

impl Ids for Fixed {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(7);
    }
}

const ID: &str = "07070707-0707-4707-8707-070707070707";

async fn start(credentials: Credentials) -> (SocketAddr, oneshot::Sender<()>) {
    let dispatcher = Dispatcher::new(
        Arc::new(Raw("s3")),
        Arc::new(Raw("own")),
        Arc::new(Fixed),
        Arc::new(Fixed),
    )
    .service(Arc::new(Events))
    .service(Arc::new(Identity))
    .service(Arc::new(Queues))
    .service(Arc::new(Networks))
    .credentials(credentials);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    tokio::spawn(landfall_wire::http::serve(
        listener,
        Arc::new(dispatcher),
        async {
            let _ = stopped.await;
        },
    ));
    (address, stop)
}

/// Sends bytes on a connection of their own and returns everything that comes back.
async fn send(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    // The server may reset a connection whose body it refused to read.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn request(line: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut text = format!("{line} HTTP/1.1\r\nhost: 127.0.0.1:4566\r\nconnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
    text.into_bytes()
}

fn scope(service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=123456789012/20261112/eu-west-1/{service}/aws4_request, SignedHeaders=host, Signature=00"
    )
}

/// Asks a server without credentials.
async fn ask(line: &str, headers: &[(&str, &str)], body: &str) -> String {
    let (address, _stop) = start(Credentials::default()).await;
    send(address, &request(line, headers, body)).await
}

#[track_caller]
fn shows(answer: &str, parts: &[&str]) {
    for part in parts {
        assert!(answer.contains(part), "no {part:?} in {answer}");
    }
}

const FORM: (&str, &str) = (
    "content-type",
    "application/x-www-form-urlencoded; charset=utf-8",
);

#[tokio::test]
async fn a_json_call_is_typed_both_ways() {
    let headers = [
        ("x-amz-target", "AWSEvents.PutRule"),
        ("authorization", &*scope("events")),
    ];
    let answer = ask("POST /", &headers, r#"{"Name":"r"}"#).await;
    shows(
        &answer,
        &[
            "HTTP/1.1 200",
            "content-type: application/x-amz-json-1.1",
            &format!("x-amzn-requestid: {ID}"),
            r#"{"RuleArn":"arn:aws:events:eu-west-1:123456789012:rule/r"}"#,
        ],
    );
    let headers = [("x-amz-target", "AWSEvents.EnableRule")];
    let answer = ask("POST /", &headers, r#"{"Name":"r"}"#).await;
    shows(&answer, &["HTTP/1.1 200", "content-length: 0"]);
}

#[tokio::test]
async fn json_errors_have_their_shape() {
    let cases = [
        (
            "AWSEvents.PutRule",
            r#"{"Name":"broken"}"#,
            r#"{"__type":"ResourceNotFoundException","message":"Event bus x does not exist."}"#,
        ),
        (
            "AWSEvents.PutRule",
            r#"{"Name":1}"#,
            r#"{"__type":"SerializationException","message":"NUMBER_VALUE can not be converted to a String"}"#,
        ),
        (
            "AWSEvents.PutRule",
            "{}",
            "1 validation error detected: Value null at 'name' failed to satisfy constraint: Member must not be null",
        ),
        (
            "AWSEvents.PutRule",
            "{",
            r#""__type":"SerializationException""#,
        ),
        (
            "AWSEvents.DeleteRule",
            "{}",
            r#""__type":"UnknownOperationException""#,
        ),
        (
            "AWSEvents.NoSuch",
            "{}",
            r#""__type":"UnknownOperationException""#,
        ),
        (
            "DynamoDB_20120810.GetItem",
            "{}",
            "Landfall does not serve DynamoDB_20120810.GetItem",
        ),
        ("junk", "{}", r#""__type":"UnknownOperationException""#),
        ("\u{fc}", "{}", r#""__type":"UnknownOperationException""#),
    ];
    for (target, body, expected) in cases {
        let answer = ask("POST /", &[("x-amz-target", target)], body).await;
        shows(
            &answer,
            &[
                "HTTP/1.1 400",
                "x-amzn-errortype: ",
                "x-amzn-requestid: ",
                expected,
            ],
        );
    }
    let answer = ask(
        "POST /",
        &[("x-amz-target", "AmazonSQS.DeleteQueue")],
        r#"{"QueueUrl":"u"}"#,
    )
    .await;
    shows(
        &answer,
        &[
            "x-amzn-query-error: AWS.SimpleQueueService.NonExistentQueue;Sender",
            "com.amazonaws.sqs#QueueDoesNotExist",
        ],
    );
}

#[tokio::test]
async fn forms_are_found_by_scope_by_version_and_in_the_query() {
    let identity = "Action=GetCallerIdentity&Version=2011-06-15";
    let expected = [
        "HTTP/1.1 200",
        "<GetCallerIdentityResult>",
        "</Account>",
        "x-amzn-requestid: ",
    ];
    let signed = [FORM, ("authorization", &*scope("sts"))];
    let answer = ask("POST /", &signed, identity).await;
    shows(&answer, &expected);
    shows(&answer, &["<Account>123456789012</Account>"]);
    shows(&ask("POST /", &[FORM], identity).await, &expected);
    shows(
        &ask("POST /", &[FORM], "Action=GetCallerIdentity").await,
        &expected,
    );
    shows(&ask(&format!("GET /?{identity}"), &[], "").await, &expected);
    let vpc = "Action=DeleteVpc&Version=2016-11-15&VpcId=vpc-1";
    shows(
        &ask("POST /", &[FORM], vpc).await,
        &["<DeleteVpcResponse", "<return>true</return>"],
    );
}

#[tokio::test]
async fn sqs_answers_forms_too_and_takes_the_queue_from_the_path() {
    let send = "Action=SendMessage&Version=2012-11-05&MessageBody=m";
    let answer = ask("POST /000000000000/q", &[FORM], send).await;
    shows(
        &answer,
        &[
            "<SendMessageResult>",
            "<MessageId>http://127.0.0.1:4566/000000000000/q</MessageId>",
        ],
    );
    let gone = ask(
        "POST /000000000000/q",
        &[FORM],
        "Action=DeleteQueue&Version=2012-11-05",
    )
    .await;
    shows(
        &gone,
        &[
            "HTTP/1.1 400",
            "<Code>AWS.SimpleQueueService.NonExistentQueue</Code>",
        ],
    );
}

#[tokio::test]
async fn form_errors_have_their_shape() {
    let cases = [
        (
            "Action=NoSuch&Version=2011-06-15",
            "<Code>InvalidAction</Code>",
        ),
        (
            "Action=AssumeRole&Version=2011-06-15",
            "<Code>InvalidAction</Code>",
        ),
        (
            "Action=GetCallerIdentity&Version=1999-01-01",
            "<Code>InvalidAction</Code>",
        ),
        ("Version=2011-06-15", "<Code>MissingAction</Code>"),
        (
            "Action=DeleteVpc&Version=2016-11-15",
            "<Response><Errors><Error><Code>MissingParameter</Code>",
        ),
        (
            "Action=DeleteVpc&Version=2016-11-15&DryRun=x",
            "<Code>InvalidParameterValue</Code>",
        ),
        ("Action=%ff", "<Code>MalformedQueryString</Code>"),
    ];
    for (form, expected) in cases {
        let answer = ask("POST /", &[FORM], form).await;
        shows(&answer, &["HTTP/1.1 400", "x-amzn-requestid: ", expected]);
    }
}

#[tokio::test]
async fn the_rest_goes_to_s3_or_stays_inside() {
    let s3 = scope("s3");
    let to_s3 = [
        ("GET /bucket/key", vec![]),
        ("GET /?Action=x", vec![("authorization", &*s3)]),
        (
            "POST /bucket",
            vec![("content-type", "multipart/form-data; boundary=x")],
        ),
        ("POST /bucket?delete", vec![("authorization", &*s3), FORM]),
        ("GET /_landfallen", vec![]),
        ("OPTIONS /bucket", vec![]),
    ];
    for (line, headers) in to_s3 {
        let answer = ask(line, &headers, "").await;
        shows(&answer, &["HTTP/1.1 200", "x-amz-request-id: ", "s3 /"]);
    }
    shows(&ask("GET /_landfall", &[], "").await, &["own /_landfall"]);
    shows(
        &ask("GET /_landfall/runs", &[], "").await,
        &["own /_landfall/runs"],
    );
    let lambda = [("authorization", &*scope("lambda"))];
    let answer = ask("GET /2015-03-31/functions", &lambda, "").await;
    shows(
        &answer,
        &[
            "HTTP/1.1 400",
            "Landfall does not serve this request of lambda",
        ],
    );
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_before_it_is_read() {
    let (address, _stop) = start(Credentials::default()).await;
    let head = format!(
        "POST / HTTP/1.1\r\nhost: h\r\nx-amz-target: AWSEvents.PutRule\r\ncontent-length: {}\r\n\r\n",
        API_BODY_BYTES_MAX + 1
    );
    let answer = send(address, head.as_bytes()).await;
    shows(
        &answer,
        &["HTTP/1.1 413", "RequestEntityTooLarge", "connection: close"],
    );
    let mut chunked = b"POST / HTTP/1.1\r\nhost: h\r\ncontent-type: application/x-www-form-urlencoded\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    chunked.extend(format!("{:x}\r\n", API_BODY_BYTES_MAX + 1).into_bytes());
    chunked.extend(vec![b'a'; API_BODY_BYTES_MAX + 1]);
    let answer = send(address, &chunked).await;
    shows(
        &answer,
        &["HTTP/1.1 413", "<Code>RequestEntityTooLarge</Code>"],
    );
}

#[tokio::test]
async fn a_client_may_wait_for_the_hundred_and_reuse_its_connection() {
    let (address, _stop) = start(Credentials::default()).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let body = r#"{"Name":"r"}"#;
    for _ in 0..2 {
        let head = format!(
            "POST / HTTP/1.1\r\nhost: h\r\nx-amz-target: AWSEvents.PutRule\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut hundred = [0_u8; 25];
        stream.read_exact(&mut hundred).await.unwrap();
        assert_eq!(&hundred, b"HTTP/1.1 100 Continue\r\n\r\n");
        stream.write_all(body.as_bytes()).await.unwrap();
        let mut answer = String::new();
        while !answer.ends_with('}') {
            answer.push(char::from(stream.read_u8().await.unwrap()));
        }
        shows(&answer, &["HTTP/1.1 200", "rule/r"]);
    }
}

#[tokio::test]
async fn unsigned_and_unknown_signers_are_refused_when_credentials_are_set() {
    let known = Credentials::new([("key".to_owned(), "secret".to_owned())]);
    let (address, _stop) = start(known).await;
    let target = ("x-amz-target", "AWSEvents.PutRule");
    let stranger = scope("events");
    let unsigned = send(address, &request("POST /", &[target], "{}")).await;
    shows(
        &unsigned,
        &["HTTP/1.1 403", "MissingAuthenticationTokenException"],
    );
    let headers = [
        target,
        ("authorization", &*stranger),
        ("x-amz-date", "20261112T000000Z"),
    ];
    let unknown = send(address, &request("POST /", &headers, "{}")).await;
    shows(&unknown, &["HTTP/1.1 400", "UnrecognizedClientException"]);
    let forged = stranger.replace("123456789012", "key");
    let headers = [
        target,
        ("authorization", &*forged),
        ("x-amz-date", "20261112T000000Z"),
    ];
    let mismatch = send(address, &request("POST /", &headers, "{}")).await;
    shows(&mismatch, &["HTTP/1.1 400", "InvalidSignatureException"]);
    let form = "Action=GetCallerIdentity&Version=2011-06-15";
    let forged = scope("sts").replace("123456789012", "key");
    let headers = [
        FORM,
        ("authorization", &*forged),
        ("x-amz-date", "20261112T000000Z"),
    ];
    let mismatch = send(address, &request("POST /", &headers, form)).await;
    shows(
        &mismatch,
        &["HTTP/1.1 403", "<Code>SignatureDoesNotMatch</Code>"],
    );
}

#[tokio::test]
async fn junk_is_answered_or_closed_but_never_crashes_the_server() {
    let (address, _stop) = start(Credentials::default()).await;
    let junk: &[&[u8]] = &[
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"GET / HTTP/1.1\r\nhost: \xff\r\nconnection: close\r\n\r\n",
        b"GET /%ff%00?%ff&=&X-Amz-Credential=%ff HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: h\r\nauthorization: \xff\xfe\r\nx-amz-target: .\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}",
        b"POST / HTTP/1.1\r\nhost: h\r\nauthorization: AWS4-HMAC-SHA256 Credential=////\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\nx-amz-target: AWSEvents.PutRule\r\nconnection: close\r\n\r\nzz\r\n",
    ];
    for bytes in junk {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
    }
    let alive = send(address, &request("GET /_landfall/x", &[], "")).await;
    shows(&alive, &["HTTP/1.1 200"]);
}

#[tokio::test]
async fn a_stopping_server_finishes_and_closes() {
    let (address, stop) = start(Credentials::default()).await;
    let mut idle = TcpStream::connect(address).await.unwrap();
    shows(
        &send(address, &request("GET /_landfall/x", &[], "")).await,
        &["HTTP/1.1 200"],
    );
    stop.send(()).unwrap();
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).await.unwrap();
    assert!(rest.is_empty());
}

#[test]
fn handled_operations_are_those_of_the_model() {
    let services: [&dyn Service; 4] = [&Events, &Identity, &Queues, &Networks];
    for service in services {
        for operation in service.operations() {
            assert!(
                service.model().operation(operation).is_some(),
                "{operation}"
            );
        }
    }
}
