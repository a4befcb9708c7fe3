//! Finds the service that a request is for, reads the request in its protocol, calls the service and writes the answer.
//! The only place that knows all protocols; never knows what an operation does.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use landfall_core::api::model::{OperationModel, Protocol, ServiceModel};
use landfall_core::api::validate::{serialization, validate};
use landfall_core::caller::{Caller, DEFAULT_REGION, Identity, account_of};
use landfall_core::clock::Clock;
use landfall_core::error::ApiError;
use landfall_core::ids::Ids;
use landfall_core::limits::{API_BODY_BYTES_MAX, API_BODY_SECONDS_MAX};
use landfall_flow::Flow;
use landfall_flow::trail::{Ongoing, scope};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::http::Body;
use crate::protocol::query::Form;
use crate::protocol::sigv4::{self, Claim, Credentials};
use crate::protocol::{REQUEST_ID, cbor, json, query, set, xml};
use crate::record;
use crate::session::{self, Unbelieved};

/// Paths below this are Landfall's own.
pub const INTERNAL_PATH: &str = "/_landfall";
const HEALTH_PATH: &str = "/_landfall/health";

/// A service of the JSON or Query protocols. [`service!`](crate::service) writes the implementation.
#[async_trait]
pub trait Service: Send + Sync {
    /// The shape table of the service.
    fn model(&self) -> &'static ServiceModel;

    /// The operations that [`Self::call`] answers; the others of the model are answered as unknown.
    fn operations(&self) -> &'static [&'static str];

    /// Runs one operation on an input that passed the validator.
    async fn call(&self, caller: Caller, operation: &str, input: Value) -> Result<Value, ApiError>;
}

/// A handler that reads its requests itself: S3, and Landfall's own pages.
#[async_trait]
pub trait RawHandler: Send + Sync {
    /// Answers a request. `caller` is what the request claims: signatures of raw requests are the handler's to check.
    async fn call(&self, caller: Caller, request: Request<Incoming>) -> Response<Body>;
}

/// Implements [`Service`] for a type from its async methods.
///
/// Each method takes `(&self, Caller, XRequest)` and returns `Result<XResponse, ApiError>`, with the generated types of
/// the operation, or `Result<(), ApiError>` for an operation without output:
///
/// ```text
/// landfall_wire::service! {
///     impl Events for landfall_core::api::events::SERVICE {
///         PutRule => put_rule,
///         EnableRule => enable_rule,
///     }
/// }
/// ```
#[macro_export]
macro_rules! service {
    (impl $type:ident for $model:path { $($operation:ident => $method:ident),* $(,)? }) => {
        #[async_trait::async_trait]
        impl $crate::dispatch::Service for $type {
            fn model(&self) -> &'static ::landfall_core::api::model::ServiceModel {
                &$model
            }

            fn operations(&self) -> &'static [&'static str] {
                &[$(stringify!($operation)),*]
            }

            async fn call(
                &self,
                caller: ::landfall_core::caller::Caller,
                operation: &str,
                input: ::serde_json::Value,
            ) -> Result<::serde_json::Value, ::landfall_core::error::ApiError> {
                match operation {
                    $(stringify!($operation) => {
                        let request = $crate::dispatch::typed(input)?;
                        $crate::dispatch::untyped(self.$method(caller, request).await?)
                    })*
                    other => Err($crate::dispatch::unknown_operation(other)),
                }
            }
        }
    };
}

/// The typed form of an input; only for [`service!`](crate::service).
pub fn typed<T: DeserializeOwned>(input: Value) -> Result<T, ApiError> {
    serde_json::from_value(input).map_err(|error| serialization(error.to_string()))
}

/// The value form of an output; only for [`service!`](crate::service).
pub fn untyped<T: Serialize>(output: T) -> Result<Value, ApiError> {
    serde_json::to_value(output).map_err(|error| ApiError::internal(error.to_string()))
}

/// An operation that is not served, as JSON services say it; Query services say `InvalidAction`.
pub fn unknown_operation(name: &str) -> ApiError {
    ApiError::client(
        "UnknownOperationException",
        format!("Landfall does not serve {name}"),
    )
}

/// Everything that can answer a request.
pub struct Dispatcher {
    services: Vec<Arc<dyn Service>>,
    s3: Arc<dyn RawHandler>,
    internal: Arc<dyn RawHandler>,
    credentials: Credentials,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    flow: Option<Flow>,
}

/// What [`Dispatcher::route`] decides.
enum Route<'a> {
    Internal,
    S3,
    Json(&'a Arc<dyn Service>, String),
    Cbor(&'a Arc<dyn Service>, String),
    /// A form; its service may only show once it is read.
    Form,
    /// Nobody answers this; the text says what was asked for.
    Nobody(ApiError),
}

impl Dispatcher {
    /// A dispatcher without services: `s3` answers what no service claims, `internal` everything below
    /// [`INTERNAL_PATH`].
    pub fn new(
        s3: Arc<dyn RawHandler>,
        internal: Arc<dyn RawHandler>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> Self {
        let credentials = Credentials::default();
        Self {
            services: Vec::new(),
            s3,
            internal,
            credentials,
            clock,
            ids,
            flow: None,
        }
    }

    /// Records the calls of the services and knows the sessions of a pipeline from now on.
    #[must_use]
    pub fn recording(mut self, flow: Flow) -> Self {
        self.flow = Some(flow);
        self
    }

    /// Adds a service.
    #[must_use]
    pub fn service(mut self, service: Arc<dyn Service>) -> Self {
        self.services.push(service);
        self
    }

    /// Checks signatures of the services against these from now on.
    #[must_use]
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = credentials;
        self
    }

    /// Answers one request that came from `source_ip`.
    pub async fn handle(&self, request: Request<Incoming>, source_ip: &str) -> Response<Body> {
        let query = request.uri().query().unwrap_or_default();
        let claim = Claim::of(request.headers(), query);
        let caller = self.caller(&claim, &request, source_ip);
        let route = self.route(request.method(), request.uri(), request.headers(), &claim);
        let route = match route {
            Route::S3 => Route::S3,
            _ if is_of_another_site(request.headers()) => Route::Nobody(another_site()),
            other => other,
        };
        match route {
            Route::Internal => self.internal(caller, request).await,
            Route::S3 => identified(&self.s3, caller, request).await,
            Route::Nobody(error) => json::unknown_error(&error, &caller.request_id),
            Route::Json(service, operation) => {
                let model = service.model();
                let id = caller.request_id.clone();
                match read(request).await {
                    Ok(read) => {
                        let answer = self.named(service, &operation, caller, &read, json::decode);
                        answer.await.map_or_else(
                            |error| json::error(model, &error, &id),
                            |output| json::encode(model, &output, &id),
                        )
                    }
                    Err(error) => closing(json::error(model, &error, &id)),
                }
            }
            Route::Cbor(service, operation) => {
                let model = service.model();
                let id = caller.request_id.clone();
                match read(request).await {
                    Ok(read) => {
                        let answer = self.named(service, &operation, caller, &read, cbor::decode);
                        let shape = model.operation(&operation).and_then(|it| it.output);
                        answer.await.map_or_else(
                            |error| cbor::error(model, &error, &id),
                            |output| cbor::encode(model, shape, &output, &id),
                        )
                    }
                    Err(error) => closing(cbor::error(model, &error, &id)),
                }
            }
            Route::Form => {
                let id = caller.request_id.clone();
                match read(request).await {
                    Ok((parts, body)) => self.form(&claim, caller, &parts, &body).await,
                    Err(error) => closing(xml::unknown_error(&error, &id)),
                }
            }
        }
    }

    /// Landfall's own pages believe whom the services believe; that the server lives is no secret.
    async fn internal(&self, caller: Caller, request: Request<Incoming>) -> Response<Body> {
        let is_open = request.uri().path() == HEALTH_PATH;
        let (parts, body) = request.into_parts();
        let believed = if is_open {
            Ok(())
        } else {
            self.verify(&parts, sigv4::UNSIGNED_PAYLOAD)
        };
        match believed {
            Ok(()) => identified(&self.internal, caller, Request::from_parts(parts, body)).await,
            Err(error) => {
                let error = disbelief(&error, Protocol::Query);
                closing(json::unknown_error(&error, &caller.request_id))
            }
        }
    }

    fn caller<B>(&self, claim: &Claim, request: &Request<B>, source_ip: &str) -> Caller {
        let headers = request.headers();
        let query = request.uri().query().unwrap_or_default();
        let key = &claim.access_key_id;
        let region = claim.region.as_deref().filter(|region| is_region(region));
        let agent = headers
            .get(http::header::USER_AGENT)
            .and_then(|value| value.to_str().ok());
        Caller {
            account: account_of(key).to_owned(),
            region: region.unwrap_or(DEFAULT_REGION).to_owned(),
            request_id: self.ids.uuid(),
            access_key_id: key.clone(),
            source_ip: source_ip.to_owned(),
            user_agent: agent.unwrap_or_default().to_owned(),
            identity: self.flow.as_ref().map_or(Identity::Root, |flow| {
                session::identity(flow, headers, query, key)
            }),
        }
    }

    fn route(
        &self,
        method: &Method,
        uri: &http::Uri,
        headers: &HeaderMap,
        claim: &Claim,
    ) -> Route<'_> {
        let path = uri.path();
        if path == INTERNAL_PATH
            || path
                .strip_prefix(INTERNAL_PATH)
                .is_some_and(|p| p.starts_with('/'))
        {
            return Route::Internal;
        }
        if let Some(target) = headers.get("x-amz-target") {
            return self.target(target.to_str().unwrap_or_default());
        }
        let scope = claim.service.as_deref().unwrap_or_default();
        if headers
            .get(cbor::HEADER.0)
            .is_some_and(|it| it == cbor::HEADER.1)
        {
            return self.rpc(path);
        }
        if scope.starts_with("s3") {
            return Route::S3;
        }
        let form = headers
            .get(http::header::CONTENT_TYPE)
            .is_some_and(|value| {
                value
                    .as_bytes()
                    .starts_with(b"application/x-www-form-urlencoded")
            });
        let query = uri.query().unwrap_or_default();
        let action = path == "/" && sigv4::query_value(query, "Action").is_some();
        if (method == Method::POST && form)
            || (action && (method == Method::GET || method == Method::POST))
        {
            return Route::Form;
        }
        if scope.is_empty() {
            return Route::S3;
        }
        Route::Nobody(ApiError::client(
            "UnknownOperationException",
            format!("Landfall does not serve this request of {scope}"),
        ))
    }

    /// RPC v2 names service and operation as the JSON protocols do, but in the path.
    fn rpc(&self, path: &str) -> Route<'_> {
        let found = cbor::called(path)
            .and_then(|(service, operation)| Some((self.targeted(service)?, operation.to_owned())));
        match found {
            Some((service, operation)) => Route::Cbor(service, operation),
            None => Route::Nobody(unknown_operation(path)),
        }
    }

    fn targeted(&self, prefix: &str) -> Option<&Arc<dyn Service>> {
        self.services.iter().find(|service| {
            let model = service.model();
            model.protocol == Protocol::Json && model.target_prefix == prefix
        })
    }

    fn target(&self, target: &str) -> Route<'_> {
        let (prefix, operation) = target.rsplit_once('.').unwrap_or(("", target));
        match self.targeted(prefix) {
            Some(service) => Route::Json(service, operation.to_owned()),
            None => Route::Nobody(unknown_operation(target)),
        }
    }

    /// Runs an operation that a request names, on an input that `decode` reads.
    async fn named(
        &self,
        service: &Arc<dyn Service>,
        operation: &str,
        caller: Caller,
        (parts, body): &(Parts, Bytes),
        decode: fn(&[u8]) -> Result<Value, ApiError>,
    ) -> Result<Value, ApiError> {
        self.believe(parts, body, service.model())?;
        let model = service.model();
        let known = model
            .operation(operation)
            .ok_or_else(|| unknown_operation(operation))?;
        if !service.operations().contains(&known.name) {
            return Err(unknown_operation(operation));
        }
        let input = decode(body)?;
        self.run(service, known, caller, parts, input).await
    }

    /// Checks an input and runs the operation on it; both are part of the call that is recorded.
    async fn run(
        &self,
        service: &Arc<dyn Service>,
        known: &'static OperationModel,
        caller: Caller,
        parts: &Parts,
        input: Value,
    ) -> Result<Value, ApiError> {
        let model = service.model();
        let recorded = self.flow.as_ref().and_then(|flow| {
            let call = record::describe(model, known, &input, &caller, &parts.headers)?;
            Some((flow, Ongoing::of(call)))
        });
        let serving = async {
            validate(model, known, &input)?;
            service.call(caller, known.name, input).await
        };
        let Some((flow, ongoing)) = recorded else {
            return serving.await;
        };
        let answer = scope(Arc::clone(&ongoing), serving).await;
        let error = answer.as_ref().err().cloned();
        ongoing.finish(flow, error, 0).await;
        answer
    }

    async fn form(
        &self,
        claim: &Claim,
        caller: Caller,
        parts: &Parts,
        body: &[u8],
    ) -> Response<Body> {
        let id = caller.request_id.clone();
        let unread = if body.is_empty() {
            parts.uri.query().unwrap_or_default().as_bytes()
        } else {
            body
        };
        let form = match Form::parse(unread) {
            Ok(form) => form,
            Err(error) => return xml::unknown_error(&error, &id),
        };
        let Some(action) = form.get("Action").map(str::to_owned) else {
            let error = ApiError::client(
                "MissingAction",
                "The request must contain the parameter Action",
            );
            return xml::unknown_error(&error, &id);
        };
        let version = form.get("Version").unwrap_or_default();
        let Some(service) = self.form_service(claim, version, &action) else {
            return xml::unknown_error(&invalid_action(&action, version), &id);
        };
        let model = service.model();
        let answer = self
            .query(service, &action, caller, parts, body, form)
            .await;
        match answer {
            Ok(response) => response,
            Err(error) => xml::error(model, &error, &id),
        }
    }

    /// By credential scope, else by version; versions of the served Query services differ.
    fn form_service(
        &self,
        claim: &Claim,
        version: &str,
        action: &str,
    ) -> Option<&Arc<dyn Service>> {
        let forms = || {
            self.services.iter().filter(|service| {
                service.model().protocol != Protocol::Json || service.model().query_compatible
            })
        };
        let scope = claim.service.as_deref();
        forms()
            .find(|service| Some(service.model().signing_name) == scope)
            .or_else(|| {
                let fits = |model: &ServiceModel| match version {
                    "" => model.operation(action).is_some(),
                    version => model.api_version == version,
                };
                forms().find(|service| scope.is_none() && fits(service.model()))
            })
    }

    async fn query(
        &self,
        service: &Arc<dyn Service>,
        action: &str,
        caller: Caller,
        parts: &Parts,
        body: &[u8],
        mut form: Form,
    ) -> Result<Response<Body>, ApiError> {
        let model = service.model();
        self.believe(parts, body, model)?;
        let version = form.get("Version").unwrap_or_default().to_owned();
        let known = model
            .operation(action)
            .ok_or_else(|| invalid_action(action, &version))?;
        if !service.operations().contains(&known.name) {
            return Err(invalid_action(action, &version));
        }
        // Clients of SQS may send to the queue's own address and leave the parameter out.
        if model.query_compatible && parts.uri.path() != "/" {
            let host = parts
                .headers
                .get("host")
                .and_then(|value| value.to_str().ok());
            form.add(
                "QueueUrl",
                format!("http://{}{}", host.unwrap_or_default(), parts.uri.path()),
            );
        }
        let input = query::decode(model, known.input, &form)?;
        let id = caller.request_id.clone();
        let output = self
            .run(service, known, caller, parts, input)
            .await
            .map_err(|error| {
                if error.code == "UnknownOperationException" {
                    invalid_action(action, &version)
                } else {
                    error
                }
            })?;
        Ok(xml::encode(model, known, &output, &id))
    }

    /// Checks the signature when credentials are configured.
    fn believe(&self, parts: &Parts, body: &[u8], model: &ServiceModel) -> Result<(), ApiError> {
        if self.credentials.is_empty() {
            return Ok(());
        }
        let hash = hex::encode(Sha256::digest(body));
        self.verify(parts, &hash)
            .map_err(|error| disbelief(&error, model.protocol))
    }

    fn verify(&self, parts: &Parts, payload_sha256: &str) -> Result<(), sigv4::Error> {
        if self.credentials.is_empty() {
            return Ok(());
        }
        let own = self.session_credentials(parts)?;
        let credentials = own.as_ref().unwrap_or(&self.credentials);
        sigv4::verify(parts, payload_sha256, credentials, self.clock.now())
    }

    /// The credentials of the session that a request claims to be of, if it claims so.
    fn session_credentials(&self, parts: &Parts) -> Result<Option<Credentials>, sigv4::Error> {
        let query = parts.uri.query().unwrap_or_default();
        let key = Claim::of(&parts.headers, query).access_key_id;
        let is_known = self.credentials.secret(&key).is_some() || !session::is_session(&key);
        let Some(flow) = self.flow.as_ref().filter(|_| !is_known) else {
            return Ok(None);
        };
        let secret = session::secret(flow, &parts.headers, query, &key, self.clock.now());
        let secret = secret.map_err(|why| match why {
            Unbelieved::Invalid => sigv4::Error::UnknownKey,
            Unbelieved::Expired => sigv4::Error::ExpiredToken,
        })?;
        Ok(Some(Credentials::new([(key, secret)])))
    }
}

fn is_region(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 64
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn invalid_action(action: &str, version: &str) -> ApiError {
    ApiError::client(
        "InvalidAction",
        format!("The action {action} is not valid for this web service (version '{version}')."),
    )
}

/// How each protocol words a signature that is not believed.
/// Browsers say of each request whose page made it. A page of elsewhere has no business with the services: what it may do
/// with S3 is said by the forms and URLs that somebody signed for it.
fn is_of_another_site(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site");
    site.is_some_and(|site| site != "same-origin" && site != "none")
}

fn another_site() -> ApiError {
    let message = "Landfall takes no such request from another site's page";
    ApiError::with_status("AccessDenied", 403, message)
}

fn disbelief(error: &sigv4::Error, protocol: Protocol) -> ApiError {
    use sigv4::Error;
    let json = protocol == Protocol::Json;
    let (code, status) = match (error, protocol) {
        (Error::UnknownKey | Error::Mismatch, Protocol::Ec2) => ("AuthFailure", 401),
        (Error::Missing, _) if json => ("MissingAuthenticationTokenException", 403),
        (Error::Missing, _) => ("MissingAuthenticationToken", 403),
        (Error::Incomplete(_), _) if json => ("IncompleteSignatureException", 400),
        (Error::Incomplete(_), _) => ("IncompleteSignature", 400),
        (Error::UnknownKey, _) if json => ("UnrecognizedClientException", 400),
        (Error::UnknownKey, _) => ("InvalidClientTokenId", 403),
        (Error::Expired { .. } | Error::PresignedExpired | Error::ExpiredToken, Protocol::Ec2) => {
            ("RequestExpired", 400)
        }
        (Error::ExpiredToken, _) if json => ("ExpiredTokenException", 400),
        (Error::ExpiredToken, _) => ("ExpiredToken", 403),
        (Error::Mismatch | Error::Expired { .. } | Error::PresignedExpired, _) if json => {
            ("InvalidSignatureException", 400)
        }
        (Error::Mismatch | Error::Expired { .. } | Error::PresignedExpired, _) => {
            ("SignatureDoesNotMatch", 403)
        }
    };
    ApiError::with_status(code, status, error.to_string())
}

/// The whole body of a request, within its limits of size and time.
async fn read(request: Request<Incoming>) -> Result<(Parts, Bytes), ApiError> {
    let too_large = || {
        let message = format!("The request is larger than {API_BODY_BYTES_MAX} bytes");
        ApiError::with_status("RequestEntityTooLarge", 413, message)
    };
    let (parts, body) = request.into_parts();
    if hyper::body::Body::size_hint(&body).lower() > API_BODY_BYTES_MAX as u64 {
        return Err(too_large());
    }
    let whole = Limited::new(body, API_BODY_BYTES_MAX).collect();
    match tokio::time::timeout(Duration::from_secs(API_BODY_SECONDS_MAX), whole).await {
        Ok(Ok(collected)) => Ok((parts, collected.to_bytes())),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(ApiError::client(
            "IncompleteBody",
            "The request body ended early",
        )),
        Err(_) => Err(ApiError::client(
            "RequestTimeout",
            "The request body did not arrive in time",
        )),
    }
}

/// The rest of an unread body must not be taken for the next request.
fn closing(mut response: Response<Body>) -> Response<Body> {
    set(&mut response, "connection", "close");
    response
}

/// A raw handler's answer; it carries the id of the request even when the handler forgets.
async fn identified(
    handler: &Arc<dyn RawHandler>,
    caller: Caller,
    request: Request<Incoming>,
) -> Response<Body> {
    let id = caller.request_id.clone();
    let mut response = handler.call(caller, request).await;
    let headers = response.headers();
    if !headers.contains_key("x-amz-request-id") && !headers.contains_key(REQUEST_ID) {
        set(&mut response, "x-amz-request-id", &id);
    }
    response
}
