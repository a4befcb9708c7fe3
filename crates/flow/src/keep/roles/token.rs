//! Credentials of sessions. All are made from one key that is kept in the store, so that no session is kept there: the
//! secret follows from the access key id, and the token says, under a seal, who the session is and until when.
//! Never decides who may have one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use landfall_core::caller::Identity;
use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::drive::Flow;
use crate::key::Key;
use crate::tx::{Reader, Tx};

const KEY_BYTES: usize = 32;
const SEAL_BYTES: usize = 32;
const SECRET_CHARS: usize = 40;

/// What the credentials of all sessions are made from.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionKey {
    /// In hex.
    key: String,
}
crate::record!(SessionKey in Control);

/// A session as its token tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its access key id.
    pub access_key_id: String,
    /// Who it is.
    pub identity: Identity,
    /// When it ends; none for one that lives as long as a task.
    pub expires: Option<Timestamp>,
}

impl Session {
    /// Whether it has ended.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|end| end <= now)
    }
}

/// What a client needs to act as a session.
pub struct Minted {
    /// Access key id.
    pub access_key_id: String,
    /// Secret access key.
    pub secret: String,
    /// Session token.
    pub token: String,
}

fn at() -> Key {
    Key::new("session-key")
}

fn seal(key: &[u8], what: &str, text: &[u8]) -> [u8; SEAL_BYTES] {
    // An HMAC key may have any length; the empty one stands in for a case that does not exist.
    let mac = Hmac::<Sha256>::new_from_slice(key)
        .unwrap_or_else(|_| Hmac::new(&Default::default()))
        .chain_update(what)
        .chain_update([0])
        .chain_update(text);
    mac.finalize().into_bytes().into()
}

fn stored(db: &impl Reader) -> Result<Option<Vec<u8>>, ApiError> {
    let stored = db.get::<SessionKey>(&at())?;
    Ok(stored.and_then(|it| hex::decode(it.key).ok()))
}

fn secret_of(key: &[u8], access_key_id: &str) -> String {
    let secret = STANDARD.encode(seal(key, "secret", access_key_id.as_bytes()));
    secret.chars().take(SECRET_CHARS).collect()
}

fn mint_with(key: &[u8], session: &Session) -> Result<Minted, ApiError> {
    let told = serde_json::to_vec(session).map_err(|e| ApiError::internal(e.to_string()))?;
    let sealed = [&seal(key, "token", &told)[..], &told].concat();
    Ok(Minted {
        access_key_id: session.access_key_id.clone(),
        secret: secret_of(key, &session.access_key_id),
        token: STANDARD.encode(sealed),
    })
}

/// Makes the credentials of a session, and the key for all of them with the first.
pub(super) fn mint(tx: &mut Tx<'_>, session: &Session) -> Result<Minted, ApiError> {
    let key = match stored(tx)? {
        Some(key) => key,
        None => {
            let mut key = vec![0; KEY_BYTES];
            tx.ids().fill(&mut key);
            let record = SessionKey {
                key: hex::encode(&key),
            };
            tx.put(&at(), &record)?;
            key
        }
    };
    mint_with(&key, session)
}

/// The credentials of a session, outside the loop: the same for the same session.
///
/// # Errors
/// Only what keeps the store from being read or written.
pub async fn mint_beside(flow: &Flow, session: Session) -> Result<Minted, ApiError> {
    match stored(&flow.view())? {
        Some(key) => mint_with(&key, &session),
        None => flow.write(move |tx| mint(tx, &session)).await,
    }
}

/// The secret of a session's access key.
///
/// # Errors
/// Only what keeps the store from being read.
pub fn secret(db: &impl Reader, access_key_id: &str) -> Result<Option<String>, ApiError> {
    Ok(stored(db)?.map(|key| secret_of(&key, access_key_id)))
}

/// The session that a token tells of; none for a token that was not made here.
///
/// # Errors
/// Only what keeps the store from being read.
pub fn read(db: &impl Reader, token: &str) -> Result<Option<Session>, ApiError> {
    let Some(key) = stored(db)? else {
        return Ok(None);
    };
    let Ok(bytes) = STANDARD.decode(token) else {
        return Ok(None);
    };
    let Some((given, told)) = bytes.split_at_checked(SEAL_BYTES) else {
        return Ok(None);
    };
    // What is compared tells nothing about the key: it is a hash of it.
    let is_ours = seal(&key, "seal", given) == seal(&key, "seal", &seal(&key, "token", told));
    Ok(is_ours.then(|| serde_json::from_slice(told).ok()).flatten())
}
