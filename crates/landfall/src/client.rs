//! A small HTTP client for the commands that talk to a running server: signs as the environment says, as every AWS client
//! does. Never used by the server itself.

use anyhow::{Context, Result, anyhow, bail};
use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use landfall_core::caller::DEFAULT_REGION;
use landfall_core::clock::Clock as _;
use landfall_wire::protocol::sigv4::{self, UNSIGNED_PAYLOAD};
use quick_xml::Reader;
use quick_xml::events::Event;
use sha2::{Digest, Sha256};
use tokio::net::TcpStream;

use crate::system::SystemClock;

/// The service that Landfall's own pages are signed for.
const OWN_SERVICE: &str = "landfall";

/// The body of a request.
pub type RequestBody = UnsyncBoxBody<Bytes, std::io::Error>;

/// A server to talk to.
#[derive(Debug, Clone)]
pub struct Client {
    authority: String,
    signer: Signer,
}

/// Who asks, and of which region.
#[derive(Debug, Clone)]
struct Signer {
    access_key_id: String,
    secret: String,
    session_token: Option<String>,
    region: String,
}

/// An answer that has been read whole.
#[derive(Debug)]
pub struct Answer {
    /// Whether the status is 2xx.
    pub is_success: bool,
    /// The body.
    pub body: String,
}

impl Client {
    /// A client of the server at an `http://` URL.
    pub fn new(url: &str) -> Result<Self> {
        let authority = url.strip_prefix("http://").ok_or_else(|| {
            anyhow!("{url} is not a Landfall endpoint: it must begin with http://")
        })?;
        Ok(Self {
            authority: authority.trim_end_matches('/').to_owned(),
            signer: Signer::of_environment(),
        })
    }

    /// Asks with the first of a server's own pairs `ACCESS_KEY_ID:SECRET`, if it has any.
    #[must_use]
    pub fn with(mut self, pairs: &[String]) -> Self {
        if let Some((id, secret)) = pairs.first().and_then(|pair| pair.split_once(':')) {
            self.signer = Signer {
                access_key_id: id.to_owned(),
                secret: secret.to_owned(),
                session_token: None,
                region: self.signer.region,
            };
        }
        self
    }

    /// GETs a path as JSON.
    pub async fn get_json(&self, path: &str) -> Result<serde_json::Value> {
        let body = Full::new(Bytes::new())
            .map_err(|never| match never {})
            .boxed_unsync();
        let signed = (OWN_SERVICE, UNSIGNED_PAYLOAD);
        let kind = "application/json";
        let answer = self.send(Method::GET, path, kind, signed, body).await?;
        json(&answer)
    }

    /// POSTs a body and reads JSON.
    pub async fn post(&self, path: &str, body: RequestBody) -> Result<serde_json::Value> {
        let signed = (OWN_SERVICE, UNSIGNED_PAYLOAD);
        let kind = "application/octet-stream";
        let answer = self.send(Method::POST, path, kind, signed, body).await?;
        json(&answer)
    }

    /// Calls an operation of CloudFormation; returns the elements of the answer that hold text, by name and in order.
    pub async fn cloudformation(
        &self,
        action: &str,
        parameters: &[(String, String)],
    ) -> Result<Vec<(String, String)>> {
        let mut form = vec![("Action", action), ("Version", "2010-05-15")];
        form.extend(parameters.iter().map(|(k, v)| (k.as_str(), v.as_str())));
        let body = Bytes::from(serialize(&form));
        let hash = hex::encode(Sha256::digest(&body));
        let body = Full::new(body)
            .map_err(|never| match never {})
            .boxed_unsync();
        let signed = ("cloudformation", hash.as_str());
        let kind = "application/x-www-form-urlencoded";
        let answer = self.send(Method::POST, "/", kind, signed, body).await?;
        let elements = elements(&answer.body)?;
        if answer.is_success {
            return Ok(elements);
        }
        let message = elements.iter().find(|(name, _)| name == "Message");
        bail!("{}", message.map_or(answer.body.as_str(), |(_, text)| text))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        kind: &str,
        signed: (&str, &str),
        body: RequestBody,
    ) -> Result<Answer> {
        let to = &self.authority;
        let stream = TcpStream::connect(to).await.with_context(|| {
            format!("no server answers at http://{to}: start one with `landfall serve`")
        })?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, to)
            .header(header::CONTENT_TYPE, kind)
            .body(body)?;
        self.signer.sign(&mut request, signed)?;
        let response = sender.send_request(request).await?;
        let is_success = response.status().is_success();
        let body = response.into_body().collect().await?.to_bytes();
        Ok(Answer {
            is_success,
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    }
}

impl Signer {
    /// Without credentials in the environment it is somebody, whom a server that checks no signatures believes.
    fn of_environment() -> Self {
        let var = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
        let somebody = || "landfall".to_owned();
        let region = var("AWS_REGION").or_else(|| var("AWS_DEFAULT_REGION"));
        Self {
            access_key_id: var("AWS_ACCESS_KEY_ID").unwrap_or_else(somebody),
            secret: var("AWS_SECRET_ACCESS_KEY").unwrap_or_else(somebody),
            session_token: var("AWS_SESSION_TOKEN"),
            region: region.unwrap_or_else(|| DEFAULT_REGION.to_owned()),
        }
    }

    fn sign<B>(
        &self,
        request: &mut Request<B>,
        (service, payload_sha256): (&str, &str),
    ) -> Result<()> {
        if let Some(token) = &self.session_token {
            let headers = request.headers_mut();
            headers.insert("x-amz-security-token", token.parse()?);
        }
        let key = (self.access_key_id.as_str(), self.secret.as_str());
        let scope = (self.region.as_str(), service);
        sigv4::sign(request, payload_sha256, key, scope, SystemClock.now())?;
        Ok(())
    }
}

fn json(answer: &Answer) -> Result<serde_json::Value> {
    let value: serde_json::Value = serde_json::from_str(&answer.body)
        .context("the server's answer is not JSON: is it a Landfall server?")?;
    if answer.is_success {
        return Ok(value);
    }
    let message = value.get("message").and_then(|m| m.as_str());
    bail!("{}", message.unwrap_or(&answer.body))
}

fn serialize(form: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish()
}

fn elements(xml: &str) -> Result<Vec<(String, String)>> {
    let mut reader = Reader::from_str(xml);
    let (mut all, mut open, mut text) = (Vec::new(), String::new(), String::new());
    loop {
        match reader.read_event()? {
            Event::Start(start) => {
                open = start.name().as_ref().to_owned();
                text.clear();
            }
            Event::Text(part) => text.push_str(&part),
            Event::GeneralRef(entity) => text.push_str(&resolved(&entity)?),
            Event::End(end) => {
                if end.name().as_ref() == open && !text.trim().is_empty() {
                    all.push((open.clone(), std::mem::take(&mut text)));
                }
                open.clear();
            }
            Event::Eof => return Ok(all),
            _ => {}
        }
    }
}

fn resolved(entity: &quick_xml::events::BytesRef<'_>) -> Result<String> {
    if let Some(character) = entity.resolve_char_ref()? {
        return Ok(character.to_string());
    }
    let known = quick_xml::escape::resolve_predefined_entity(entity);
    Ok(known.unwrap_or_default().to_owned())
}
