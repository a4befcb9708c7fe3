//! A small HTTP/1.1 client on one kept connection, for tests and as load generator: it must cost less than the server
//! that it drives. Never signs, never retries, and never hides an answer.

use std::io;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Header lines of an answer.
const HEADERS_MAX: usize = 64;
/// Bodies up to this size travel in the same write as their head.
const JOINED_BODY_BYTES_MAX: usize = 64 * 1024;
const READ_BYTES: usize = 16 * 1024;
/// What a key keeps when it becomes a path.
const KEY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// A connection to a server.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    authority: String,
    request: Vec<u8>,
    received: Vec<u8>,
}

/// An answer, read whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The answer if its status is 2xx, else an error with its body.
    pub fn success(self) -> io::Result<Self> {
        if (200..300).contains(&self.status) {
            return Ok(self);
        }
        let body = String::from_utf8_lossy(&self.body);
        Err(io::Error::other(format!("HTTP {}: {body}", self.status)))
    }

    /// The body of a successful answer as JSON; null when there is none.
    pub fn json(self) -> io::Result<Value> {
        match self.success()?.body.as_slice() {
            [] => Ok(Value::Null),
            body => Ok(serde_json::from_slice(body)?),
        }
    }
}

impl Client {
    /// Connects to the server at `endpoint`, an `http://` URL.
    pub async fn connect(endpoint: &str) -> io::Result<Self> {
        let authority = endpoint
            .strip_prefix("http://")
            .ok_or_else(|| invalid("the endpoint is not an http:// URL"))?;
        let stream = TcpStream::connect(authority).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            authority: authority.to_owned(),
            request: Vec::new(),
            received: Vec::new(),
        })
    }

    /// Makes a bucket; `events` says whether it tells EventBridge about its objects.
    pub async fn create_bucket(&mut self, bucket: &str, events: bool) -> io::Result<()> {
        self.send("PUT", &format!("/{bucket}"), &[], b"")
            .await?
            .success()?;
        if events {
            let configuration = b"<NotificationConfiguration><EventBridgeConfiguration/></NotificationConfiguration>";
            let path = format!("/{bucket}?notification");
            self.send("PUT", &path, &[], configuration)
                .await?
                .success()?;
        }
        Ok(())
    }

    /// Puts an object.
    pub async fn put_object(&mut self, bucket: &str, key: &str, body: &[u8]) -> io::Result<Answer> {
        self.send("PUT", &object_path(bucket, key), &[], body).await
    }

    /// Gets an object.
    pub async fn get_object(&mut self, bucket: &str, key: &str) -> io::Result<Answer> {
        self.send("GET", &object_path(bucket, key), &[], b"").await
    }

    /// Calls an operation of a service that speaks AWS JSON; `target` is `Service.Operation`.
    pub async fn json_call(&mut self, target: &str, input: &Value) -> io::Result<Value> {
        let headers = [
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", target),
        ];
        let body = input.to_string();
        self.send("POST", "/", &headers, body.as_bytes())
            .await?
            .json()
    }

    /// The newest lines of the ledger, oldest first.
    pub async fn runs(&mut self, limit: usize) -> io::Result<Vec<Value>> {
        let path = format!("/_landfall/runs?limit={limit}");
        let answer = self.send("GET", &path, &[], b"").await?.json()?;
        let runs = answer.get("runs").and_then(Value::as_array);
        runs.cloned()
            .ok_or_else(|| invalid("the ledger's answer has no runs"))
    }

    /// Sends a request with a body and reads the answer.
    pub async fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Answer> {
        self.head(method, path, headers, body.len() as u64);
        if body.len() <= JOINED_BODY_BYTES_MAX {
            self.request.extend_from_slice(body);
            self.stream.write_all(&self.request).await?;
        } else {
            self.stream.write_all(&self.request).await?;
            self.stream.write_all(body).await?;
        }
        self.finish().await
    }

    /// Begins the upload of an object of `length` bytes and returns when the server wants them: [`Self::push`] them
    /// all, then [`Self::finish`].
    pub async fn begin_put(&mut self, bucket: &str, key: &str, length: u64) -> io::Result<()> {
        let headers = [("expect", "100-continue")];
        self.head("PUT", &object_path(bucket, key), &headers, length);
        self.stream.write_all(&self.request).await?;
        let answer = self.finish().await?;
        match answer.status {
            100 => Ok(()),
            _ => Err(io::Error::other(format!("refused at once: {answer:?}"))),
        }
    }

    /// Sends some more of the body.
    pub async fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// Reads the answer to what was sent.
    pub async fn finish(&mut self) -> io::Result<Answer> {
        loop {
            if let Some((status, head, length)) = parse(&self.received)? {
                while self.received.len() < head + length {
                    self.receive().await?;
                }
                let body = self
                    .received
                    .get(head..head + length)
                    .unwrap_or_default()
                    .to_vec();
                self.received.drain(..head + length);
                return Ok(Answer { status, body });
            }
            self.receive().await?;
        }
    }

    fn head(&mut self, method: &str, path: &str, headers: &[(&str, &str)], length: u64) {
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\ncontent-length: {length}\r\n",
            self.authority
        );
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        self.request.clear();
        self.request.extend_from_slice(head.as_bytes());
    }

    async fn receive(&mut self) -> io::Result<()> {
        self.received.reserve(READ_BYTES);
        match self.stream.read_buf(&mut self.received).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

/// Path of an object, path style.
pub(crate) fn object_path(bucket: &str, key: &str) -> String {
    format!("/{bucket}/{}", utf8_percent_encode(key, KEY))
}

/// Status, length of the head and length of the body; `None` while the head is not whole.
fn parse(bytes: &[u8]) -> io::Result<Option<(u16, usize, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let head = match response.parse(bytes) {
        Ok(httparse::Status::Complete(head)) => head,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(e) => return Err(invalid(&format!("the answer is not HTTP: {e}"))),
    };
    let status = response
        .code
        .ok_or_else(|| invalid("the answer has no status"))?;
    if status < 200 || status == 204 || status == 304 {
        return Ok(Some((status, head, 0)));
    }
    let length = response
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"))
        .and_then(|header| std::str::from_utf8(header.value).ok()?.parse().ok())
        .ok_or_else(|| invalid("the answer does not say how long it is"))?;
    Ok(Some((status, head, length)))
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[test]
    fn keys_become_paths() {
        assert_eq!(
            object_path("b", "in/a b+é%.csv"),
            "/b/in/a%20b%2B%C3%A9%25.csv"
        );
    }

    #[test]
    fn heads_are_whole_or_not_yet() {
        let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
        assert_eq!(parse(whole).unwrap(), Some((200, whole.len() - 3, 3)));
        assert_eq!(parse(&whole[..20]).unwrap(), None);
        let go_on = b"HTTP/1.1 100 Continue\r\n\r\n";
        assert_eq!(parse(go_on).unwrap(), Some((100, go_on.len(), 0)));
        let empty = b"HTTP/1.1 204 No Content\r\n\r\n";
        assert_eq!(parse(empty).unwrap(), Some((204, empty.len(), 0)));
        assert!(parse(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
        assert!(parse(b"SSH-2.0\r\n\r\n").is_err());
    }

    #[tokio::test]
    async fn answers_that_come_together_are_told_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let serving = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let answers = b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\naHTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nbc";
            stream.write_all(answers).await.unwrap();
            let mut request = Vec::new();
            stream.read_to_end(&mut request).await.unwrap();
            String::from_utf8(request).unwrap()
        });
        let mut client = Client::connect(&endpoint).await.unwrap();
        let first = client.put_object("b", "k", b"body").await.unwrap();
        assert_eq!((first.status, first.body.as_slice()), (200, &b"a"[..]));
        let second = client.get_object("b", "k").await.unwrap();
        assert!(second.clone().success().is_err());
        assert_eq!((second.status, second.body.as_slice()), (404, &b"bc"[..]));
        drop(client);
        let sent = serving.await.unwrap();
        assert!(sent.starts_with("PUT /b/k HTTP/1.1\r\n"), "{sent}");
        assert!(
            sent.contains("content-length: 4\r\n\r\nbodyGET /b/k"),
            "{sent}"
        );
    }
}
