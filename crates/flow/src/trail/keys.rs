//! Keys that sign digest files: one for an account and region, made when the first digest file is. Never on the loop,
//! for making one takes a while.

use std::convert::Infallible;

use landfall_core::api::generated::cloudtrail as api;
use landfall_core::api::value::Blob;
use landfall_core::caller::Caller;
use landfall_core::clock::Timestamp;
use landfall_core::error::ApiError;
use landfall_core::limits::CLOUDTRAIL_KEY_BITS;
use md5::{Digest as _, Md5};
use rsa::PrivateKey;
use rsa::pkcs1::EncodeRsaPublicKey as _;
use rsa::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _};
use rsa::rand_core::{TryCryptoRng, TryRng};
use rsa::sha2::Sha256;

use super::model::{SigningKey, signing_key};
use crate::drive::Flow;
use crate::tx::Reader;

/// Days that a key is said to be valid for.
const VALID_MILLIS: i64 = 10 * 365 * 24 * 3_600 * 1_000;

/// The flow's own source of randomness, in the form that the library wants.
struct Dice(Flow);

impl TryRng for Dice {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.0.ids().fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.0.ids().fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.ids().fill(bytes);
        Ok(())
    }
}

impl TryCryptoRng for Dice {}

fn failed(what: &str, cause: impl std::fmt::Display) -> ApiError {
    ApiError::internal(format!("{what}: {cause}"))
}

/// The key of an account and region; made and kept when there is none.
pub(super) async fn key(flow: &Flow, account: &str, region: &str) -> Result<SigningKey, ApiError> {
    let at = signing_key(account, region);
    if let Some(key) = flow.view().get(&at)? {
        return Ok(key);
    }
    let maker = flow.clone();
    let made = tokio::task::spawn_blocking(move || make(maker)).await;
    let made = made.map_err(|e| failed("the making of a key ended", e))??;
    flow.write(move |tx| match tx.get(&at)? {
        Some(earlier) => Ok(earlier),
        None => tx.put(&at, &made).map(|()| made),
    })
    .await
}

fn make(flow: Flow) -> Result<SigningKey, ApiError> {
    let from = flow.clock().now();
    let private = PrivateKey::new(&mut Dice(flow), CLOUDTRAIL_KEY_BITS);
    let private = private.map_err(|e| failed("cannot make a key", e))?;
    let public = private.to_public_key().to_pkcs1_der();
    let public = public.map_err(|e| failed("cannot write a public key", e))?;
    let text = private.to_pkcs8_der();
    let text = text.map_err(|e| failed("cannot write a private key", e))?;
    Ok(SigningKey {
        private: hex::encode(text.as_bytes()),
        fingerprint: hex::encode(Md5::digest(public.as_bytes())),
        public: hex::encode(public.as_bytes()),
        from,
    })
}

/// Signs a text: RSA with SHA-256, PKCS #1 version 1.5; in hex.
pub(super) async fn sign(flow: &Flow, key: &SigningKey, text: String) -> Result<String, ApiError> {
    let private = hex::decode(&key.private).map_err(|e| failed("a stored key is damaged", e))?;
    let dice = flow.clone();
    let signing = move || {
        let private = PrivateKey::from_pkcs8_der(&private)
            .map_err(|e| failed("a stored key is damaged", e))?;
        private
            .pkcs1v15_sign_with_rng::<Sha256, _>(&mut Dice(dice), text.as_bytes())
            .map_err(|e| failed("cannot sign", e))
    };
    let signed = tokio::task::spawn_blocking(signing).await;
    let signed = signed.map_err(|e| failed("signing ended", e))??;
    Ok(hex::encode(signed))
}

/// `ListPublicKeys`.
pub fn list(
    db: &impl Reader,
    caller: &Caller,
    request: &api::ListPublicKeysRequest,
) -> Result<api::ListPublicKeysResponse, ApiError> {
    let from = request.start_time.map(Timestamp::from);
    let to = request.end_time.map(Timestamp::from);
    if let (Some(from), Some(to)) = (from, to)
        && from > to
    {
        return Err(ApiError::client(
            "InvalidTimeRangeException",
            "The start time is after the end time.",
        ));
    }
    let key: Option<SigningKey> = db.get(&signing_key(&caller.account, &caller.region))?;
    let keys = key
        .filter(|key| to.is_none_or(|to| key.from <= to))
        .map(|key| shown(&key))
        .transpose()?;
    Ok(api::ListPublicKeysResponse {
        public_key_list: Some(keys.into_iter().collect()),
        next_token: None,
    })
}

fn shown(key: &SigningKey) -> Result<api::PublicKey, ApiError> {
    let public = hex::decode(&key.public).map_err(|e| failed("a stored key is damaged", e))?;
    Ok(api::PublicKey {
        value: Some(Blob(public)),
        validity_start_time: Some(key.from.into()),
        validity_end_time: Some(key.from.plus_millis(VALID_MILLIS).into()),
        fingerprint: Some(key.fingerprint.clone()),
    })
}
