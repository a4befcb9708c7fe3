//! Paging of answers: one opaque token for every listing that is built in memory. Never used for object listings,
//! whose tokens are keys.

use landfall_core::error::ApiError;

/// One page of `items` and the token of the next one.
///
/// `limit` is the caller's wish, `limit_max` the service's bound. A token that is none of ours is the caller's fault.
pub fn page<T>(
    items: Vec<T>,
    token: Option<&str>,
    limit: Option<i32>,
    limit_max: usize,
) -> Result<(Vec<T>, Option<String>), ApiError> {
    let start = match token {
        None | Some("") => 0,
        Some(text) => parse(text)
            .filter(|start| *start <= items.len())
            .ok_or_else(|| ApiError::validation("The NextToken value is not valid."))?,
    };
    let wish = limit
        .and_then(|l| usize::try_from(l).ok())
        .filter(|l| *l > 0);
    let count = wish.unwrap_or(limit_max).min(limit_max);
    let end = start.saturating_add(count);
    let next = (end < items.len()).then(|| hex::encode(format!("from:{end}")));
    Ok((items.into_iter().skip(start).take(count).collect(), next))
}

fn parse(token: &str) -> Option<usize> {
    let bytes = hex::decode(token).ok()?;
    std::str::from_utf8(&bytes)
        .ok()?
        .strip_prefix("from:")?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_join_to_the_whole() {
        let (mut all, mut token) = (Vec::new(), None);
        loop {
            let (page, next) =
                page((0..25).collect(), token.as_deref(), Some(10), 100).expect("own token");
            all.extend(page);
            token = next;
            if token.is_none() {
                break;
            }
        }
        assert_eq!(all, (0..25).collect::<Vec<_>>());
    }

    #[test]
    fn a_foreign_token_is_refused() {
        assert!(page(vec![1], Some("xyz"), None, 10).is_err());
        assert!(page(vec![1], Some(&hex::encode("from:9")), None, 10).is_err());
    }
}
